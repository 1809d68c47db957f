/* SPDX-License-Identifier: Apache-2.0 */
/* test_cdi_read.c - reading CDI specifications, as JSON and as YAML */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "oci/cdi_message.h"
#include "oci/cdi_read.h"

static int read_text(const char *text, enum cdi_format format, struct cdi_spec *ret,
		     struct err *err)
{
	return cdi_read(text, strlen(text), format, "/etc/cdi/a", ret, err);
}

/* A file with one device, its version and its edits. */
static char *json_with(const char *version, const char *name, const char *edits)
{
	return xasprintf(
		"{\"cdiVersion\":\"%s\",\"kind\":\"example.com/dev\",\"devices\":"
		"[{\"name\":\"%s\",\"containerEdits\":%s}]}",
		version, name, edits);
}

static void expect_ok(const char *version, const char *name, const char *edits)
{
	cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
	autofree char *text = json_with(version, name, edits);
	struct err err = {0};

	cr_expect_eq(read_text(text, CDI_JSON, &spec, &err), 0, "%s: %s", text, err.msg);
}

/* The whole of what follows the file's name. */
static void expect_text_refused(const char *text, enum cdi_format format, const char *why)
{
	static const char start[] = "read CDI specification '/etc/cdi/a': ";
	cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
	struct err err = {0};

	cr_expect_lt(read_text(text, format, &spec, &err), 0, "%s", text);
	cr_expect_eq(strncmp(err.msg, start, strlen(start)), 0, "%s", err.msg);
	cr_expect_str_eq(err.msg + strlen(start), why);
	cr_expect_null(spec.devices);
}

static void expect_refused(const char *version, const char *name, const char *edits,
			   const char *why)
{
	autofree char *text = json_with(version, name, edits);

	expect_text_refused(text, CDI_JSON, why);
}

static const char yaml[] =
	"---\n"
	"cdiVersion: 0.5.0\n"
	"kind: nvidia.com/gpu\n"
	"devices:\n"
	"- name: \"0\"\n"
	"  containerEdits:\n"
	"    deviceNodes:\n"
	"    - path: /dev/nvidia0\n"
	"      major: 195\n"
	"      fileMode: 438\n"
	"- name: 1\n"
	"  containerEdits:\n"
	"    deviceNodes:\n"
	"    - {path: /dev/nvidia1, hostPath: /drv/dev/nvidia1, permissions: rw}\n"
	"containerEdits:\n"
	"  env:\n"
	"  - NVIDIA_VISIBLE_DEVICES=void\n"
	"  hooks:\n"
	"  - hookName: createContainer\n"
	"    path: /usr/bin/nvidia-cdi-hook\n"
	"    args: [nvidia-cdi-hook, create-symlinks, --link, 'a.so::/usr/lib/b.so']\n"
	"    env:\n"
	"    - NVIDIA_CTK_DEBUG=false\n"
	"    timeout: 7\n"
	"  mounts:\n"
	"  - hostPath: /usr/bin/nvidia-smi\n"
	"    containerPath: /usr/bin/nvidia-smi\n"
	"    options:\n"
	"    - ro\n"
	"    - bind\n";

static void check_yaml(const struct cdi_spec *spec)
{
	const struct cdi_node *second = &spec->devices[1].edits.nodes[0];

	cr_assert_eq(spec->n_devices, 2);
	cr_expect_str_eq(spec->kind, "nvidia.com/gpu");
	cr_expect_str_eq(spec->devices[0].name, "0");
	cr_expect_str_eq(spec->devices[1].name, "1");
	cr_expect_eq(spec->devices[0].edits.nodes[0].major, 195);
	cr_expect(spec->devices[0].edits.nodes[0].has_number);
	cr_expect_str_eq(second->host_path, "/drv/dev/nvidia1");
	cr_expect_not(second->has_number);
	cr_expect_not(second->is_restricted);
	cr_expect_str_eq(spec->edits.env[0], "NVIDIA_VISIBLE_DEVICES=void");
	cr_assert_eq(spec->edits.n_hooks, 1);
	cr_expect_str_eq(spec->edits.hooks[0].stage, "createContainer");
	cr_assert_eq(spec->edits.hooks[0].n_args, 4);
	cr_expect_str_eq(spec->edits.hooks[0].args[3], "a.so::/usr/lib/b.so");
	cr_assert_eq(spec->edits.hooks[0].n_env, 1);
	cr_expect_str_eq(spec->edits.hooks[0].env[0], "NVIDIA_CTK_DEBUG=false");
	cr_expect_eq(spec->edits.hooks[0].timeout, 7);
	cr_assert_eq(spec->edits.n_mounts, 1);
	cr_expect_str_eq(spec->edits.mounts[0].ctr_path, "/usr/bin/nvidia-smi");
}

Test(cdi_read, yaml_as_the_toolkit_writes_it)
{
	cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
	struct err err = {0};

	cr_assert_eq(read_text(yaml, CDI_YAML, &spec, &err), 0, "%s", err.msg);
	cr_expect_str_eq(spec.file, "/etc/cdi/a");
	check_yaml(&spec);
}

Test(cdi_read, what_a_child_answers_is_what_the_file_says)
{
	struct cdi_file file = {.path = xstrdup("/etc/cdi/a"),
				.dir = 1,
				.format = CDI_YAML,
				.text = {xstrdup(yaml), strlen(yaml)}};
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	struct message question;
	struct message answer;
	struct err err = {0};

	cdi_message_ask(&file, 1, "nvidia.com/gpu", &question);
	cr_assert_eq(cdi_message_answer(question.data, question.len, &answer, &err), 0);
	cr_assert_eq(cdi_message_decode(answer.data, answer.len, &registry, &err), 0);
	cr_assert_eq(registry.n_specs, 1);
	cr_expect_eq(registry.specs[0].dir, 1);
	check_yaml(&registry.specs[0]);
	/* No shorter message is one. */
	for (size_t len = 0; len < answer.len; len++) {
		struct cdi_registry none = {0};

		cr_assert_eq(cdi_message_decode(answer.data, len, &none, &err), -EBADMSG);
		cr_assert_null(none.specs);
	}
	message_clear(&question);
	message_clear(&answer);
	cdi_file_clear(&file);
}

Test(cdi_read, a_broken_file_is_a_problem_and_another_kind_is_none)
{
	struct cdi_file files[] = {
		{.path = xstrdup("/etc/cdi/broken"),
		 .format = CDI_JSON,
		 .text = {xstrdup("{"), 1}},
		{.path = xstrdup("/etc/cdi/other"),
		 .format = CDI_YAML,
		 .text = {xstrdup(yaml), strlen(yaml)}},
	};
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	struct message question;
	struct message answer;
	struct err err = {0};

	cdi_message_ask(files, 2, "nvidia.com/mig", &question);
	cr_assert_eq(cdi_message_answer(question.data, question.len, &answer, &err), 0);
	cr_assert_eq(cdi_message_decode(answer.data, answer.len, &registry, &err), 0);
	cr_expect_eq(registry.n_specs, 0);
	cr_assert_eq(registry.n_problems, 1);
	cr_expect_not_null(strstr(registry.problems[0], "'/etc/cdi/broken': line 1"));
	message_clear(&question);
	message_clear(&answer);
	cdi_file_clear(&files[0]);
	cdi_file_clear(&files[1]);
}

Test(cdi_read, only_json_and_yaml_are_specifications)
{
	enum cdi_format format;

	cr_expect(cdi_format_of("a.json", &format) && format == CDI_JSON);
	cr_expect(cdi_format_of("nvidia.com.yaml", &format) && format == CDI_YAML);
	cr_expect_not(cdi_format_of("a.yml", &format));
	cr_expect_not(cdi_format_of("a.JSON", &format));
	cr_expect_not(cdi_format_of("json", &format));
	cr_expect_not(cdi_format_of("a.json~", &format));
}

#define NODE(fields) "{\"deviceNodes\":[{\"path\":\"/dev/a\"" fields "}]}"

Test(cdi_read, versions_that_are_known)
{
	expect_ok("0.3.0", "a", NODE(""));
	expect_ok("v0.6.0", "a", NODE(""));
	expect_ok("0.8.0", "a", NODE(""));
	expect_ok("1.0.0", "a", NODE(""));
	expect_ok("1.1.0", "a", NODE(""));
	expect_refused("1.2.0", "a", NODE(""),
		       "cdiVersion: expected a version from 0.3.0 to 1.1.0, found string "
		       "'1.2.0'");
	expect_refused("0.2.0", "a", NODE(""),
		       "cdiVersion: expected a version from 0.3.0 to 1.1.0, found string "
		       "'0.2.0'");
	expect_refused("vv0.6.0", "a", NODE(""),
		       "cdiVersion: expected a version from 0.3.0 to 1.1.0, found string "
		       "'vv0.6.0'");
}

Test(cdi_read, a_field_needs_its_version)
{
#define MOUNT(fields) \
	"{\"mounts\":[{\"hostPath\":\"/a\",\"containerPath\":\"/a\"" fields "}]}"
	expect_ok("0.4.0", "a", MOUNT(",\"type\":\"bind\""));
	expect_refused("0.3.0", "a", MOUNT(",\"type\":\"bind\""),
		       "its version is 0.3.0, and type of a mount needs 0.4.0 at least");
	expect_ok("0.5.0", "a", NODE(",\"hostPath\":\"/b\""));
	expect_refused("0.4.0", "a", NODE(",\"hostPath\":\"/b\""),
		       "its version is 0.4.0, and hostPath of a device node needs 0.5.0 "
		       "at least");
	expect_ok("0.5.0", "0", NODE(""));
	expect_refused("0.4.0", "0", NODE(""),
		       "its version is 0.4.0, and a device's name that begins with a "
		       "digit needs 0.5.0 at least");
	expect_ok("0.7.0", "a", "{\"additionalGids\":[44]}");
	/* It has edits, though that group is not given. */
	expect_ok("0.7.0", "a", "{\"additionalGids\":[0]}");
	expect_refused("0.6.0", "a", "{\"additionalGids\":[44]}",
		       "its version is 0.6.0, and additionalGids needs 0.7.0 at least");
	expect_ok("0.7.0", "a", "{\"intelRdt\":{\"closID\":\"a\"}}");
	expect_refused("0.6.0", "a", "{\"intelRdt\":{}}",
		       "its version is 0.6.0, and intelRdt needs 0.7.0 at least");
	expect_ok("1.1.0", "a",
		  "{\"netDevices\":[{\"hostInterfaceName\":\"e\",\"name\":\"e\"}]}");
	expect_refused("1.0.0", "a", "{\"netDevices\":[{}]}",
		       "its version is 1.0.0, and netDevices needs 1.1.0 at least");
}

Test(cdi_read, what_is_not_in_the_schema_is_refused)
{
	expect_refused("0.6.0", "a", "{\"devices\":[]}",
		       "devices[0].containerEdits.devices: unknown field");
	expect_refused("0.6.0", "a", NODE(",\"Major\":1"),
		       "devices[0].containerEdits.deviceNodes[0].Major: unknown field");
	expect_refused("0.6.0", "a", "{}", "devices[0]: device 'a' has no edits");
	expect_refused("0.6.0", "a", "{\"deviceNodes\":[{}]}",
		       "devices[0].containerEdits.deviceNodes[0].path is missing");
	expect_refused("0.6.0", "a", "{\"mounts\":[{\"hostPath\":\"/a\"}]}",
		       "devices[0].containerEdits.mounts[0].containerPath is missing");
	expect_refused("0.6.0", "a", MOUNT(",\"options\":[\"ro\",1]"),
		       "devices[0].containerEdits.mounts[0].options[1]: expected text, "
		       "found number 1");
	expect_refused("0.6.0", "a", "{\"hooks\":[{\"path\":\"/a\"}]}",
		       "devices[0].containerEdits.hooks[0].hookName is missing");
	expect_refused("0.6.0", "a",
		       "{\"hooks\":{\"createContainer\":[{\"path\":\"/a\"}]}}",
		       "devices[0].containerEdits.hooks: expected an array, found an "
		       "object");
	expect_refused("0.6.0", "a", "{\"hooks\":[{\"hookName\":\"x\",\"path\":\"/a\"}]}",
		       "devices[0].containerEdits.hooks[0].hookName: expected a stage of "
		       "OCI's hooks, found string 'x'");
	expect_refused("0.6.0", "a", "{\"env\":[\"=a\"]}",
		       "devices[0].containerEdits.env[0]: expected NAME=value, found "
		       "string '=a'");
}

Test(cdi_read, wrong_values_of_a_node_are_refused)
{
	static const char at[] = "devices[0].containerEdits.deviceNodes[0].";
	static const struct {
		const char *edits;
		const char *why;
	} rows[] = {
		{NODE(",\"type\":\"x\""),
		 "type: expected one of b, c, u and p, found string 'x'"},
		{NODE(",\"major\":-1"),
		 "major: expected a whole number of 32 bits, found number -1"},
		{NODE(",\"minor\":4294967296"),
		 "minor: expected a whole number of 32 bits, found number 4294967296"},
		{NODE(",\"permissions\":\"rwx\""),
		 "permissions: expected some of r, w and m, or none, found string 'rwx'"},
		{NODE(",\"uid\":\"0\""),
		 "uid: expected a whole number of 32 bits, found string '0'"},
		{NODE(",\"gid\":-1"),
		 "gid: expected a whole number of 32 bits, found number -1"},
		{NODE(",\"fileMode\":\"rw\""),
		 "fileMode: expected a whole number of 32 bits, found string 'rw'"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autofree char *why = xasprintf("%s%s", at, rows[i].why);

		expect_refused("0.6.0", "a", rows[i].edits, why);
	}
}

Test(cdi_read, only_both_reading_and_writing_is_unrestricted)
{
	static const struct {
		const char *permissions;
		bool is_restricted;
	} rows[] = {
		{"", false}, {"rw", false}, {"wr", false}, {"rwm", false},
		{"r", true}, {"wm", true},  {"m", true},   {"none", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
		autofree char *node = xasprintf(
			"{\"deviceNodes\":[{\"path\":\"/dev/a\",\"permissions\":\"%s\"}]}",
			rows[i].permissions);
		autofree char *text = json_with("0.6.0", "a", node);
		struct err err = {0};

		cr_assert_eq(read_text(text, CDI_JSON, &spec, &err), 0, "%s", err.msg);
		cr_expect_eq(spec.devices[0].edits.nodes[0].is_restricted,
			     rows[i].is_restricted, "%s", text);
	}
}

Test(cdi_read, names_have_a_grammar)
{
	expect_ok("0.6.0", "GPU-8f1a:0.1_x", NODE(""));
	expect_ok("0.6.0", "1:0", NODE(""));
	expect_refused("0.6.0", "-a", NODE(""),
		       "devices[0].name: expected the name of a device, found string "
		       "'-a'");
	expect_refused("0.6.0", "a-", NODE(""),
		       "devices[0].name: expected the name of a device, found string "
		       "'a-'");
	expect_refused("0.6.0", "a/b", NODE(""),
		       "devices[0].name: expected the name of a device, found string "
		       "'a/b'");
	expect_text_refused("{\"cdiVersion\":\"0.6.0\",\"kind\":\"gpu\",\"devices\":[]}",
			    CDI_JSON, "kind: expected VENDOR/CLASS, found string 'gpu'");
	expect_text_refused("{\"cdiVersion\":\"0.6.0\",\"kind\":\"1a/gpu\"}", CDI_JSON,
			    "kind: expected VENDOR/CLASS, found string '1a/gpu'");
	expect_text_refused("{\"cdiVersion\":\"0.6.0\",\"kind\":\"a/b/c\"}", CDI_JSON,
			    "kind: expected VENDOR/CLASS, found string 'a/b/c'");
}

Test(cdi_read, one_name_is_one_device)
{
	static const char text[] =
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"a/b\",\"devices\":["
		"{\"name\":\"x\",\"containerEdits\":" NODE(
			"") "},"
			    "{\"name\":\"x\",\"containerEdits\":" NODE("") "}]}";

	expect_text_refused(text, CDI_JSON, "devices[1]: device 'x' is there already");
	expect_text_refused("{\"cdiVersion\":\"0.6.0\",\"kind\":\"a/b\",\"devices\":[]}",
			    CDI_JSON,
			    "devices: expected at least one device, found an array");
	expect_text_refused("{\"cdiVersion\":\"0.6.0\",\"kind\":\"a/b\"}", CDI_JSON,
			    "devices is missing");
	expect_text_refused("{\"kind\":\"a/b\"}", CDI_JSON, "cdiVersion is missing");
}

/* ---- YAML -------------------------------------------------------------------------- */

Test(cdi_yaml, what_multiplies_is_refused)
{
	expect_text_refused("a: &x [1]\nb: *x\n", CDI_YAML,
			    "line 1, column 4: anchors and tags are not allowed here");
	expect_text_refused("a: !!binary aGk=\n", CDI_YAML,
			    "line 1, column 4: anchors and tags are not allowed here");
	expect_text_refused("a: *x\n", CDI_YAML,
			    "line 1, column 4: aliases are not allowed here");
	expect_text_refused("a: &x b\n", CDI_YAML,
			    "line 1, column 4: anchors and tags are not allowed here");
	expect_text_refused("? [a]\n: b\n", CDI_YAML,
			    "line 1, column 3: a key must be text");
}

Test(cdi_yaml, one_document_with_each_key_once)
{
	expect_text_refused("kind: a/b\nkind: a/c\n", CDI_YAML,
			    "line 2, column 1: this key is there already");
	expect_text_refused("kind: a/b\n---\nkind: a/c\n", CDI_YAML,
			    "line 2, column 1: a second document");
	expect_text_refused("- a\n", CDI_YAML, "expected a mapping at the top");
	expect_text_refused("", CDI_YAML, "expected a mapping at the top");
	expect_text_refused("a: [b\n", CDI_YAML,
			    "line 2, column 1: did not find expected ',' or ']'");
	expect_text_refused("a: \"b\\0c\"\n", CDI_YAML,
			    "line 1, column 4: a NUL in a text");
}

Test(cdi_yaml, depth_has_a_limit)
{
	char text[4 + 2 * LIMIT_JSON_DEPTH + 2];

	memcpy(text, "a: ", 3);
	memset(text + 3, '[', sizeof(text) - 4);
	text[sizeof(text) - 1] = '\0';
	expect_text_refused(text, CDI_YAML, "line 1: nested deeper than 64");
}

Test(cdi_yaml, numbers_are_numbers_and_quotes_make_text)
{
	static const char form[] = "cdiVersion: 0.6.0\nkind: a/b\ndevices:\n- name: a\n"
				   "  containerEdits:\n    deviceNodes:\n"
				   "    - {path: /dev/a, minor: %s, type: ~}\n";
	static const struct {
		const char *text;
		uint32_t minor;
	} rows[] = {{"438", 0666}, {"0x1b6", 0666}, {"0666", 0666}, {"0o666", 0666}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
		autofree char *text = NULL;
		struct err err = {0};

		text = xasprintf(form, rows[i].text);
		cr_assert_eq(read_text(text, CDI_YAML, &spec, &err), 0, "%s", err.msg);
		cr_expect_eq(spec.devices[0].edits.nodes[0].minor, rows[i].minor);
	}
}

Test(cdi_yaml, plain_words_are_text_where_text_is_wanted)
{
	static const char text[] = "cdiVersion: 0.6.0\nkind: a/b\n"
				   "annotations: {a: 5, b: true}\ndevices:\n- name: 0\n"
				   "  containerEdits:\n    hooks:\n"
				   "    - hookName: poststop\n      path: /a\n"
				   "      args: [-1, true, False, 1.5, '', 0:1]\n";
	static const char *const want[] = {"-1", "true", "false", "1.5", "", "0:1"};
	cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
	struct err err = {0};

	cr_assert_eq(read_text(text, CDI_YAML, &spec, &err), 0, "%s", err.msg);
	cr_expect_str_eq(spec.devices[0].name, "0");
	cr_assert_eq(spec.devices[0].edits.hooks[0].n_args, 6);
	for (size_t i = 0; i < 6; i++) {
		cr_expect_str_eq(spec.devices[0].edits.hooks[0].args[i], want[i]);
	}
	/* JSON says what it means. */
	expect_refused(
		"0.6.0", "a",
		"{\"hooks\":[{\"hookName\":\"poststop\",\"path\":\"/a\",\"args\":"
		"[true]}]}",
		"devices[0].containerEdits.hooks[0].args[0]: expected text that is "
		"not empty, found true");
	expect_text_refused("{\"annotations\":{\"a\":5}}", CDI_JSON,
			    "annotations: expected texts, found number 5");
	expect_text_refused("annotations: {a: [b]}\n", CDI_YAML,
			    "annotations: expected texts, found an array");
}

Test(cdi_yaml, a_quoted_number_is_no_number)
{
	expect_text_refused(
		"cdiVersion: 0.6.0\nkind: a/b\ndevices:\n- name: a\n"
		"  containerEdits:\n    deviceNodes:\n"
		"    - {path: /dev/a, major: \"195\"}\n",
		CDI_YAML,
		"devices[0].containerEdits.deviceNodes[0].major: expected a whole number "
		"of 32 bits, found string '195'");
}
