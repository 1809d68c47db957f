/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_edit.c - what stands in a config.json already */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/mem.h"
#include "oci/config_edit.h"

#define KEY  OCI_DEFAULT_ANNOTATION
#define HOOK "/usr/bin/oci-gpu-hook"

/* @members: of config.json, with "'" for a quote. */
static int parse(const char *members, struct oci_config *config, struct config_edit *edit,
		 struct err *err)
{
	autofree char *text =
		xasprintf("{'root': {'path': 'r'}, 'annotations': {'%s': 'amd:1'}%s%s}",
			  KEY, *members ? ", " : "", members);

	for (char *c = text; *c; c++) {
		*c = *c == '\'' ? '"' : *c;
	}
	return config_edit_parse(text, strlen(text), KEY, HOOK, config, edit, err);
}

static void expect_error(const char *members, int code, const char *message)
{
	struct oci_config config = {0};
	struct config_edit edit = {0};
	struct err err = {0};

	cr_expect_eq(parse(members, &config, &edit, &err), -code, "%s", members);
	cr_expect_str_eq(err.msg, message, "%s", err.msg);
	cr_expect_null(config.request);
	cr_expect_null(edit.devices);
}

Test(config_edit, devices_are_listed)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	cleanup(config_edit_clearp) struct config_edit edit = {0};
	struct err err = {0};

	cr_assert_eq(parse("'linux': {'devices': ["
			   "{'path': '/dev/a', 'type': 'c', 'major': 10, 'minor': 229},"
			   "{'path': '/dev/p', 'type': 'p'}]}",
			   &config, &edit, &err),
		     0, "%s", err.msg);
	cr_assert_eq(edit.n_devices, 2);
	cr_expect_str_eq(edit.devices[0].path, "/dev/a");
	cr_expect_eq(edit.devices[0].type, 'c');
	cr_expect_eq(edit.devices[0].major, 10);
	cr_expect_eq(edit.devices[0].minor, 229);
	cr_expect_eq(edit.devices[1].type, 'p');
	cr_expect_eq(edit.devices[1].major, UINT32_MAX);
	cr_expect_not(edit.has_hook);
}

Test(config_edit, mounts_are_listed_and_binds_known)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	cleanup(config_edit_clearp) struct config_edit edit = {0};
	struct err err = {0};

	cr_assert_eq(parse("'mounts': ["
			   "{'destination': '/a', 'source': '/b', 'type': 'bind'},"
			   "{'destination': '/a', 'source': '/b', 'options': ['rbind']},"
			   "{'destination': '/a', 'source': '/b', 'options': ['bind']},"
			   "{'destination': '/d', 'type': 'tmpfs', 'options': null},"
			   "{'destination': '/o', 'type': 'overlay'},"
			   "{'destination': '/e'},"
			   "{'destination': '/p', 'type': 'proc'}]",
			   &config, &edit, &err),
		     0, "%s", err.msg);
	cr_assert_eq(edit.n_mounts, 7);
	cr_expect_str_eq(edit.mounts[0].destination, "/a");
	cr_expect_str_eq(edit.mounts[0].source, "/b");
	cr_expect(edit.mounts[0].is_bind);
	cr_expect(edit.mounts[1].is_bind);
	cr_expect(edit.mounts[2].is_bind);
	cr_expect_str_eq(edit.mounts[3].source, "");
	cr_expect_not(edit.mounts[3].is_bind);
	cr_expect_not(edit.mounts[4].is_bind);
	for (size_t i = 0; i < edit.n_mounts; i++) {
		cr_expect_eq(edit.mounts[i].has_content, i != 3 && i != 6, "%zu", i);
	}
}

static bool finds_hook(const char *hooks)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	cleanup(config_edit_clearp) struct config_edit edit = {0};
	autofree char *members = xasprintf("'hooks': %s", hooks);
	struct err err = {0};

	cr_assert_eq(parse(members, &config, &edit, &err), 0, "%s", err.msg);
	return edit.has_hook;
}

Test(config_edit, our_hook_is_found_at_the_two_stages)
{
	cr_expect(
		finds_hook("{'createRuntime': [{'path': '/x'}, {'path': '" HOOK "'}]}"));
	cr_expect(finds_hook("{'prestart': [{'path': '" HOOK "'}]}"));
	cr_expect_not(finds_hook("{'poststop': [{'path': '" HOOK "'}]}"));
	cr_expect_not(finds_hook("{'createRuntime': [{'path': '/x" HOOK "'}, {}, 5]}"));
	cr_expect_not(finds_hook("null"));
}

Test(config_edit, without_a_request_nothing_is_listed)
{
	const char text[] =
		"{\"root\": {\"path\": \"r\"}, \"mounts\": [5], \"Linux\": {}}";
	cleanup(oci_config_clearp) struct oci_config config = {0};
	cleanup(config_edit_clearp) struct config_edit edit = {0};
	struct err err = {0};

	cr_expect_eq(
		config_edit_parse(text, strlen(text), KEY, HOOK, &config, &edit, &err), 0,
		"%s", err.msg);
	cr_expect_eq(edit.n_mounts, 0);
}

/* It is replaced, so it may be anything that annotations may be. */
Test(config_edit, a_choice_that_stands_there_is_not_read)
{
	const char text[] = "{\"root\": {\"path\": \"r\"}, \"annotations\": {\"" KEY
			    "\": \"1\", \"" CHOICE_ANNOTATION "\": \"nonsense\"}}";
	cleanup(oci_config_clearp) struct oci_config config = {0};
	cleanup(config_edit_clearp) struct config_edit edit = {0};
	struct err err = {0};

	cr_expect_eq(
		config_edit_parse(text, strlen(text), KEY, HOOK, &config, &edit, &err), 0,
		"%s", err.msg);
	cr_expect_eq(config.choice.n, 0);
	cr_expect_eq(oci_config_parse(text, strlen(text), KEY, &config, &err), -EINVAL);
	cr_expect_str_eq(err.msg,
			 "read annotation 'io.oci-gpu-hook.chosen': 'nonsense' is "
			 "not what precreate writes, 'v1 ID...'; remove it");
}

Test(config_edit, wrong_types_are_named)
{
	expect_error("'linux': {'devices': [{'type': 'c'}]}", EINVAL,
		     "read config.json: linux.devices[0].path: expected a string, found "
		     "nothing");
	expect_error("'linux': {'devices': [{'path': '/a', 'type': 3}]}", EINVAL,
		     "read config.json: linux.devices[0].type: expected a string, found "
		     "number 3");
	expect_error(
		"'linux': {'devices': [{'path': '/a', 'type': 'c', 'major': 0.5}]}",
		EINVAL,
		"read config.json: linux.devices[0].major: expected a device number, "
		"found number 0.5");
	expect_error("'mounts': [{}]", EINVAL,
		     "read config.json: mounts[0].destination: expected a string, found "
		     "nothing");
	expect_error(
		"'mounts': [{'destination': '/a', 'source': 1}]", EINVAL,
		"read config.json: mounts[0].source: expected a string, found number "
		"1");
	expect_error("'hooks': {'createRuntime': {}}", EINVAL,
		     "read config.json: hooks.createRuntime: expected an array, found an "
		     "object");
	expect_error("'process': {'env': 'PATH=/'}", EINVAL,
		     "read config.json: byte 93: 'env' is not an array");
}

Test(config_edit, a_repeated_key_is_refused)
{
	expect_error("'mounts': [], 'mounts': []", EINVAL,
		     "read config.json: line 1, column 95: duplicate object key near "
		     "'\"mounts\"'");
}

static char *repeat(const char *before, const char *entry, const char *after, size_t n)
{
	char *text =
		xcalloc(strlen(before) + strlen(after) + n * (strlen(entry) + 1) + 1, 1);
	char *at = stpcpy(text, before);

	for (size_t i = 0; i < n; i++) {
		at = stpcpy(stpcpy(at, i > 0 ? "," : ""), entry);
	}
	(void)stpcpy(at, after);
	return text;
}

Test(config_edit, lists_are_bounded)
{
	static const struct {
		const char *before;
		const char *entry;
		const char *after;
		const char *message;
	} lists[] = {
		{"'mounts': [", "{'destination':'/'}", "]",
		 "read config.json: mounts: more than 4096"},
		{"'linux': {'devices': [", "{'path':'/','type':'p'}", "]}",
		 "read config.json: linux.devices: more than 4096"},
		{"'linux': {'resources': {'devices': [", "{}", "]}}",
		 "read config.json: linux.resources.devices: more than 4096"},
	};

	for (size_t i = 0; i < 3; i++) {
		cleanup(oci_config_clearp) struct oci_config config = {0};
		cleanup(config_edit_clearp) struct config_edit edit = {0};
		autofree char *most = repeat(lists[i].before, lists[i].entry,
					     lists[i].after, LIMIT_CONFIG_ENTRIES);
		autofree char *more = repeat(lists[i].before, lists[i].entry,
					     lists[i].after, LIMIT_CONFIG_ENTRIES + 1);
		struct err err = {0};

		cr_expect_eq(parse(most, &config, &edit, &err), 0, "%s", err.msg);
		expect_error(more, E2BIG, lists[i].message);
	}
}

Test(config_edit, a_choice_whose_name_has_escapes_is_refused)
{
	static const char text[] = "{\"root\":{\"path\":\"r\"},\"annotations\":{\"" KEY
				   "\":\"1\",\"io.oci-gpu-hook.\\u0063hosen\":\"v1\"}}";
	struct oci_config config = {0};
	struct config_edit edit = {0};
	struct err err = {0};

	cr_expect_eq(
		config_edit_parse(text, strlen(text), KEY, HOOK, &config, &edit, &err),
		-EINVAL);
	cr_expect_str_eq(err.msg,
			 "read config.json: annotation 'io.oci-gpu-hook.chosen': "
			 "its name has escapes; remove it");
}

/* What the parent believes of a child that says "it is there". */
static bool is_believed(const char *config)
{
	struct bytes text = {.data = xstrdup(config), .len = strlen(config)};
	struct config_edit edit = {.has_hook = true};
	struct err err = {0};

	cr_assert_eq(config_places_find(text.data, text.len, &edit.places, &err), 0, "%s",
		     err.msg);
	config_edit_check_hook(&edit, &text, "/bin/hook");
	bytes_clear(&text);
	return edit.has_hook;
}

Test(config_edit, a_hook_that_is_not_in_the_text_is_not_believed)
{
	cr_expect(is_believed("{\"hooks\":{\"prestart\":[{\"path\":\"/bin/hook\"}]}}"));
	cr_expect(is_believed(
		"{\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/hook\"}]}}"));
	cr_expect_not(is_believed("{}"));
	cr_expect_not(is_believed("{\"hooks\":{\"createRuntime\":null}}"));
	cr_expect_not(is_believed(
		"{\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/hook2\"}]}}"));
	cr_expect_not(
		is_believed("{\"hooks\":{\"poststop\":[{\"path\":\"/bin/hook\"}]}}"));
	/* An image can have annotations. */
	cr_expect_not(is_believed("{\"annotations\":{\"path\":\"/bin/hook\"}}"));
}
