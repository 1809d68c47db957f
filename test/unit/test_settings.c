/* SPDX-License-Identifier: Apache-2.0 */
/* test_settings.c - each key of the configuration file, and each way to get it wrong */

#include "oci/settings.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "model/gpu_spec.h"

static void parse(const char *text, struct settings *ret)
{
	struct err err = {0};

	cr_assert_eq(settings_parse(text, strlen(text), "c.json", ret, &err), 0, "%s",
		     err.msg);
}

static void expect_code(const char *text, int code, const char *message)
{
	struct settings settings = {0};
	struct err err = {0};

	cr_assert_eq(settings_parse(text, strlen(text), "c.json", &settings, &err), -code,
		     "%s", text);
	cr_assert_str_eq(err.msg, message);
	cr_assert_null(settings.annotation, "outputs are untouched on failure");
}

#define READ "read configuration 'c.json': "

static void expect_error(const char *text, const char *message)
{
	expect_code(text, EINVAL, message);
}

/* ---- what it may say --------------------------------------------------------------- */

Test(settings, an_empty_object_is_the_defaults)
{
	cleanup(settings_clearp) struct settings settings = {0};

	parse("{}", &settings);
	cr_expect_str_eq(settings.annotation, "io.oci-gpu-hook.gpu");
	cr_expect_eq(settings.log_target, LOG_TARGET_SYSLOG);
	cr_expect_null(settings.log_path);
	cr_expect_eq(settings.log_level, LOG_LEVEL_WARNING);
	cr_expect_eq(settings.watchdog_seconds, 10);
	cr_expect_not(settings.is_systemd_strict);
	cr_expect(settings.policy.allows_others);
	cr_expect(settings.policy.allows_exclusive);
	cr_expect_eq(settings.policy.capabilities, 0x1fU);
	cr_expect_eq(settings.policy.n_vendors, 0);
	cr_expect_null(settings.state_dir);
	cr_expect_eq(settings.order, GPU_ORDER_FIRST);
	cr_expect_eq(settings.access, NODES_AUTO);
}

Test(settings, every_key_is_read)
{
	cleanup(settings_clearp) struct settings settings = {0};
	const struct policy_vendor *vendor;

	parse("{\"annotation\": \"org.example.gpu\","
	      " \"log\": {\"target\": \"file:/var/log/g\", \"level\": \"info\"},"
	      " \"stateDir\": \"/run/x\", \"watchdogSeconds\": 600,"
	      " \"order\": \"spread\","
	      " \"systemd\": {\"strict\": true},"
	      " \"access\": \"host\","
	      " \"policy\": {\"default\": \"deny\", \"exclusive\": false,"
	      "  \"capabilities\": [\"utility\", \"display\"],"
	      "  \"vendors\": {\"nvidia\": {\"max\": 4, \"devices\": [\"0000:17:00.0\"]},"
	      "               \"intel\": {\"max\": 0}, \"v3d\": {}}}}",
	      &settings);
	cr_expect_str_eq(settings.annotation, "org.example.gpu");
	cr_expect_eq(settings.log_target, LOG_TARGET_FILE);
	cr_expect_str_eq(settings.log_path, "/var/log/g");
	cr_expect_eq(settings.log_level, LOG_LEVEL_INFO);
	cr_expect_eq(settings.watchdog_seconds, 600);
	cr_expect_str_eq(settings.state_dir, "/run/x");
	cr_expect_eq(settings.order, GPU_ORDER_SPREAD);
	cr_expect(settings.is_systemd_strict);
	cr_expect_eq(settings.access, NODES_HOST);
	cr_expect_not(settings.policy.allows_others);
	cr_expect_not(settings.policy.allows_exclusive);
	cr_expect_eq(settings.policy.capabilities,
		     1U << GPU_CAPABILITY_UTILITY | 1U << GPU_CAPABILITY_DISPLAY);
	cr_assert_eq(settings.policy.n_vendors, 3);
	vendor = policy_find_vendor(&settings.policy, "nvidia");
	cr_expect_eq(vendor->max, 4);
	cr_expect(vendor->has_devices);
	cr_expect(policy_vendor_lists(vendor, "0000:17:00.0"));
	vendor = policy_find_vendor(&settings.policy, "intel");
	cr_expect_eq(vendor->max, 0);
	cr_expect_not(vendor->has_devices);
	cr_expect_eq(policy_find_vendor(&settings.policy, "v3d")->max, POLICY_NO_MAX);
}

Test(settings, log_targets_have_names)
{
	static const struct {
		const char *text;
		enum log_target want;
	} targets[] = {
		{"{\"log\": {\"target\": \"syslog\"}}", LOG_TARGET_SYSLOG},
		{"{\"log\": {\"target\": \"stderr\"}}", LOG_TARGET_STDERR},
		{"{\"log\": {\"target\": \"none\"}}", LOG_TARGET_NONE},
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		cleanup(settings_clearp) struct settings settings = {0};

		parse(targets[i].text, &settings);
		cr_expect_eq(settings.log_target, targets[i].want);
	}
}

Test(settings, an_empty_list_allows_nothing)
{
	cleanup(settings_clearp) struct settings settings = {0};

	parse("{\"policy\": {\"capabilities\": [], \"vendors\": {\"amd\": {\"devices\": []}}}}",
	      &settings);
	cr_expect_eq(settings.policy.capabilities, 0);
	cr_expect(settings.policy.vendors[0].has_devices);
	cr_expect_eq(settings.policy.vendors[0].n_devices, 0);
}

/* ---- unknown keys ------------------------------------------------------------------ */

Test(settings, unknown_keys_are_named_with_their_path)
{
	expect_error("{\"annotations\": \"x\"}",
		     READ "annotations: unknown key; the keys are annotation, log, "
			  "stateDir, policy, watchdogSeconds, order, "
			  "access, systemd and nvidia");
	expect_error("{\"log\": {\"file\": \"/x\"}}",
		     READ "log.file: unknown key; the keys are target and level");
	expect_error("{\"policy\": {\"vendor\": {}}}",
		     READ "policy.vendor: unknown key; the keys are default, "
			  "capabilities, exclusive and vendors");
	expect_error("{\"policy\": {\"vendors\": {\"intel\": {\"maxx\": 0}}}}",
		     READ "policy.vendors.intel.maxx: unknown key; the keys are max and "
			  "devices");
}

Test(settings, a_long_unknown_key_is_cut_off)
{
	char key[3000] = "";
	autofree char *text = NULL;
	struct settings settings = {0};
	struct err err = {0};

	memset(key, 'k', sizeof(key) - 1);
	text = xasprintf("{\"%s\": 1}", key);
	cr_assert_eq(settings_parse(text, strlen(text), "c.json", &settings, &err),
		     -EINVAL);
	cr_expect_not_null(strstr(err.msg, "kkk: unknown key; the keys are"));
}

Test(settings, repeated_keys_are_refused)
{
	expect_error("{\"watchdogSeconds\": 1,\n \"watchdogSeconds\": 2}",
		     READ "line 2, column 18: duplicate object key near "
			  "'\"watchdogSeconds\"'");
	expect_error("{\"policy\": {\"vendors\": {\"amd\": {}, \"AMD\": {}}}}",
		     READ "policy.vendors.AMD: this vendor is listed twice; upper and "
			  "lower case are the same");
}

/* ---- wrong values ------------------------------------------------------------------ */

static void expect_wrong(const char *text, const char *path, const char *wanted,
			 const char *found)
{
	autofree char *message =
		xasprintf(READ "%s: expected %s, found %s", path, wanted, found);

	expect_error(text, message);
}

Test(settings, wrong_types_name_the_path)
{
	expect_wrong("[]", "top level", "an object", "an array");
	expect_wrong("{\"annotation\": 5}", "annotation", "a key", "number 5");
	expect_wrong("{\"annotation\": \"\"}", "annotation", "a key", "string ''");
	expect_wrong("{\"log\": \"none\"}", "log", "an object", "string 'none'");
	expect_wrong("{\"stateDir\": \"run\"}", "stateDir", "an absolute path",
		     "string 'run'");
	expect_wrong("{\"order\": \"last\"}", "order", "first or spread",
		     "string 'last'");
	expect_wrong("{\"order\": 1}", "order", "first or spread", "number 1");
	expect_wrong("{\"access\": \"HOST\"}", "access", "auto or host", "string 'HOST'");
	expect_wrong("{\"access\": true}", "access", "auto or host", "true");
	expect_wrong("{\"stateDir\": 1}", "stateDir", "an absolute path", "number 1");
	expect_wrong("{\"policy\": []}", "policy", "an object", "an array");
	expect_wrong("{\"policy\": {\"vendors\": [\"amd\"]}}", "policy.vendors",
		     "an object", "an array");
	expect_wrong("{\"policy\": {\"vendors\": {\"amd\": 4}}}", "policy.vendors.amd",
		     "an object", "number 4");
	expect_wrong("{\"policy\": {\"exclusive\": 1}}", "policy.exclusive",
		     "true or false", "number 1");
}

Test(settings, null_is_no_value)
{
	expect_wrong("{\"annotation\": null}", "annotation", "a key", "null");
	expect_wrong("{\"policy\": null}", "policy", "an object", "null");
	expect_wrong("{\"policy\": {\"exclusive\": null}}", "policy.exclusive",
		     "true or false", "null");
}

Test(settings, wrong_words_name_the_right_ones)
{
	const char *targets = "one of syslog, stderr, none and file:/PATH";
	const char *levels = "one of error, warning and info";

	expect_wrong("{\"log\": {\"target\": \"file:log\"}}", "log.target", targets,
		     "string 'file:log'");
	expect_wrong("{\"log\": {\"target\": \"Syslog\"}}", "log.target", targets,
		     "string 'Syslog'");
	expect_wrong("{\"log\": {\"target\": 1}}", "log.target", targets, "number 1");
	expect_wrong("{\"log\": {\"level\": \"debug\"}}", "log.level", levels,
		     "string 'debug'");
	expect_wrong("{\"policy\": {\"default\": \"no\"}}", "policy.default",
		     "allow or deny", "string 'no'");
	expect_wrong("{\"policy\": {\"default\": false}}", "policy.default",
		     "allow or deny", "false");
}

Test(settings, strict_is_true_or_false)
{
	cleanup(settings_clearp) struct settings settings = {0};

	expect_wrong("{\"systemd\": {\"strict\": 1}}", "systemd.strict", "true or false",
		     "number 1");
	expect_wrong("{\"systemd\": true}", "systemd", "an object", "true");
	expect_error("{\"systemd\": {\"strikt\": true}}",
		     READ "systemd.strikt: unknown key; the key is strict");
	parse("{\"systemd\": {\"strict\": false}}", &settings);
	cr_expect_not(settings.is_systemd_strict);
}

Test(settings, the_watchdog_has_1_to_600_seconds)
{
	const char *wanted = "a whole number from 1 to 600";

	expect_wrong("{\"watchdogSeconds\": 0}", "watchdogSeconds", wanted, "number 0");
	expect_wrong("{\"watchdogSeconds\": 601}", "watchdogSeconds", wanted,
		     "number 601");
	expect_wrong("{\"watchdogSeconds\": -1}", "watchdogSeconds", wanted, "number -1");
	expect_wrong("{\"watchdogSeconds\": 1.0}", "watchdogSeconds", wanted, "number 1");
	expect_wrong("{\"watchdogSeconds\": \"5\"}", "watchdogSeconds", wanted,
		     "string '5'");
}

Test(settings, a_max_is_a_whole_number)
{
	const char *wanted = "a whole number from 0 to 4294967295";
	const char *path = "policy.vendors.amd.max";

	expect_wrong("{\"policy\": {\"vendors\": {\"amd\": {\"max\": -1}}}}", path,
		     wanted, "number -1");
	expect_wrong("{\"policy\": {\"vendors\": {\"amd\": {\"max\": 4294967296}}}}",
		     path, wanted, "number 4294967296");
	expect_wrong("{\"policy\": {\"vendors\": {\"amd\": {\"max\": \"all\"}}}}", path,
		     wanted, "string 'all'");
}

Test(settings, devices_are_pci_addresses)
{
	const char *wanted =
		"a PCI address as `oci-gpu-hook list` shows it (0000:c1:00.0)";

	expect_wrong("{\"policy\": {\"vendors\": {\"amd\": {\"devices\": \"0\"}}}}",
		     "policy.vendors.amd.devices", "an array of PCI addresses",
		     "string '0'");
	expect_wrong(
		"{\"policy\": {\"vendors\": {\"amd\": {\"devices\": [\"c1:00.0\"]}}}}",
		"policy.vendors.amd.devices[0]", wanted, "string 'c1:00.0'");
	expect_wrong("{\"policy\": {\"vendors\": {\"amd\": {\"devices\": [3]}}}}",
		     "policy.vendors.amd.devices[0]", wanted, "number 3");
	expect_error("{\"policy\": {\"vendors\": {\"amd\": {\"devices\": "
		     "[\"0000:c1:00.0\", \"00000000:c1:00.0\"]}}}}",
		     READ "policy.vendors.amd.devices[1]: '00000000:c1:00.0' is listed "
			  "twice");
}

Test(settings, capabilities_have_names)
{
	expect_wrong("{\"policy\": {\"capabilities\": \"compute\"}}",
		     "policy.capabilities", "an array of capabilities",
		     "string 'compute'");
	expect_wrong("{\"policy\": {\"capabilities\": [\"compute\", \"cuda\"]}}",
		     "policy.capabilities[1]",
		     "one of compute, utility, video, graphics and display",
		     "string 'cuda'");
	expect_error("{\"policy\": {\"capabilities\": [\"video\", \"video\"]}}",
		     READ "policy.capabilities[1]: 'video' is listed twice");
}

Test(settings, a_vendor_is_a_name)
{
	expect_error("{\"policy\": {\"vendors\": {\"\": {}}}}",
		     READ "policy.vendors.: not the name of a vendor; `oci-gpu-hook "
			  "list` shows them");
	expect_error("{\"policy\": {\"vendors\": {\"amd:0\\n\": {}}}}",
		     READ "policy.vendors.amd:0?: not the name of a vendor; "
			  "`oci-gpu-hook list` shows them");
}

Test(settings, what_is_no_json_says_where)
{
	expect_error("{\"log\": }", READ "line 1, column 9: unexpected token near '}'");
	expect_error("", READ "line 1, column 0: '[' or '{' expected near end of file");
}

/* ---- limits ------------------------------------------------------------------------ */

/* @n members, made by @format of their number. */
static char *repeat(const char *start, const char *(*member)(int), int n, const char *end)
{
	char *text = xstrdup(start);

	for (int i = 0; i < n; i++) {
		char *longer = xasprintf("%s%s%s", text, i > 0 ? "," : "", member(i));

		free(text);
		text = longer;
	}
	text = xrealloc(text, strlen(text) + strlen(end) + 1);
	strcat(text, end);
	return text;
}

static const char *device(int i)
{
	static char text[32];

	(void)snprintf(text, sizeof(text), "\"%04x:00:00.0\"", (unsigned int)i);
	return text;
}

static const char *vendor(int i)
{
	static char text[32];

	(void)snprintf(text, sizeof(text), "\"v%d\": {}", i);
	return text;
}

Test(settings, a_vendor_lists_up_to_256_devices)
{
	const char *start = "{\"policy\": {\"vendors\": {\"amd\": {\"devices\": [";
	autofree char *most = repeat(start, device, 256, "]}}}}");
	autofree char *more = repeat(start, device, 257, "]}}}}");
	cleanup(settings_clearp) struct settings settings = {0};

	parse(most, &settings);
	cr_expect_eq(settings.policy.vendors[0].n_devices, 256);
	expect_error(more, READ "policy.vendors.amd.devices[256]: more than 256 devices");
}

Test(settings, up_to_256_vendors_are_listed)
{
	autofree char *most = repeat("{\"policy\": {\"vendors\": {", vendor, 256, "}}}");
	autofree char *more = repeat("{\"policy\": {\"vendors\": {", vendor, 257, "}}}");
	cleanup(settings_clearp) struct settings settings = {0};

	parse(most, &settings);
	cr_expect_eq(settings.policy.n_vendors, 256);
	expect_error(more, READ "policy.vendors.v256: more than 256 vendors");
}

Test(settings, too_deep_is_e2big)
{
	char text[70];

	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	expect_code(text, E2BIG, READ "byte 65: nested deeper than 64 levels");
}

/* ---- the quick look ---------------------------------------------------------------- */

/* From a copy of exactly its length, so that a sanitizer sees a read beyond it. */
static char *find(const char *text)
{
	size_t len = strlen(text);
	char *copy = xcalloc(len, 1);
	char *key = NULL;

	memcpy(copy, text, len);
	if (!settings_find_annotation(copy, len, &key)) {
		cr_assert_null(key);
	}
	free(copy);
	return key;
}

static void expect_found(const char *text, const char *want)
{
	autofree char *key = find(text);

	cr_assert_not_null(key, "%s", text);
	cr_assert_str_eq(key, want);
}

Test(settings_find_annotation, finds_a_plain_key)
{
	expect_found("{\"annotation\":\"org.x\"}", "org.x");
	expect_found("{\n\t\"annotation\"\r\n : \"org.x\" , \"policy\": {}}", "org.x");
}

Test(settings_find_annotation, without_the_key_it_is_the_default)
{
	expect_found("{}", "io.oci-gpu-hook.gpu");
	expect_found("", "io.oci-gpu-hook.gpu");
	expect_found("{\"annotations\": \"x\"}", "io.oci-gpu-hook.gpu");
}

Test(settings_find_annotation, leaves_what_is_not_plain_to_the_parser)
{
	static const char *const texts[] = {
		"{\"\\u0061nnotation\": \"x\"}",
		"{\"annotation\": \"org\\u002ex\"}",
		"{\"annotation\": \"x\", \"annotation\": \"y\"}",
		"{\"log\": {\"target\": \"annotation\"}}",
		"{\"annotation\": 5}",
		"{\"annotation\": \"\"}",
		"{\"annotation\": \"x",
		"{\"annotation\": ",
		"{\"annotation\"",
		"{\"annotation\" \"x\"}",
		"{\"policy\": {\"vendors\": {\"annotation\": {}}}}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_null(find(texts[i]), "%s", texts[i]);
	}
}

Test(settings_find_annotation, a_nul_in_the_key_is_left_to_the_parser)
{
	static const char text[] = "{\"annotation\": \"x\0y\"}";
	char *key = NULL;

	cr_assert_not(settings_find_annotation(text, sizeof(text) - 1, &key));
}

Test(settings, driver_files_come_from_the_host_by_default)
{
	cleanup(settings_clearp) struct settings settings = {0};

	parse("{}", &settings);
	cr_expect_eq(settings.driver_source, DRIVER_SOURCE_AUTO);
	cr_expect_null(settings.driver_root);
}

Test(settings, source_and_root_of_driver_files)
{
	cleanup(settings_clearp) struct settings settings = {0};

	parse("{\"nvidia\": {\"source\": \"cdi\", \"driverRoot\": \"/run/driver//\"}}",
	      &settings);
	cr_expect_eq(settings.driver_source, DRIVER_SOURCE_CDI);
	cr_expect_str_eq(settings.driver_root, "/run/driver");
}

/* Nothing to be looked for below. */
Test(settings, driver_root_that_is_the_hosts_is_none)
{
	cleanup(settings_clearp) struct settings settings = {0};

	parse("{\"nvidia\": {\"source\": \"native\", \"driverRoot\": \"//\"}}",
	      &settings);
	cr_expect_eq(settings.driver_source, DRIVER_SOURCE_NATIVE);
	cr_expect_null(settings.driver_root);
}
