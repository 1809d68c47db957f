/* SPDX-License-Identifier: Apache-2.0 */
/* test_systemd_rules.c - when systemd's own device program may stand alone */

#include <criterion/criterion.h>
#include <string.h>

#include "backend/apply/systemd_rules.h"

#define ANY DEVICE_RULE_ANY

#define LACKS	 "its DeviceAllow lacks a device of config.json"
#define HAS_MORE "its DeviceAllow has a device that config.json has not"
#define NO_DENY	 "config.json does not begin with denying all devices"
#define DENIES	 "config.json denies a device behind others"

/* As config.json says it: "allow c 10 229 rwm". */
static struct device_rule rule(bool allows, const char *types, uint32_t major,
			       uint32_t minor, const char *access)
{
	return (struct device_rule){
		.allows = allows,
		.is_for_chars = strchr(types, 'c') != NULL,
		.is_for_blocks = strchr(types, 'b') != NULL,
		.major = major,
		.minor = minor,
		.reads = strchr(access, 'r') != NULL,
		.writes = strchr(access, 'w') != NULL,
		.makes = strchr(access, 'm') != NULL,
	};
}

/* @path, @access: the one entry of DeviceAllow. NULL: it is empty */
static const char *differ(struct device_rule *rules, size_t n_rules, const char *path,
			  const char *access)
{
	char path_text[64] = "";
	char access_text[8] = "";
	char host[] = "/dev/dri/renderD128";
	struct systemd_device device = {path_text, access_text};
	struct plan_node node = {.host = {host}, .major = 226, .minor = 128};
	const struct plan plan = {.nodes = &node, .n_nodes = 1};
	const struct systemd_properties properties = {.allow = &device,
						      .n_allow = path != NULL};
	const struct container ctr = {.device_rules = rules, .n_device_rules = n_rules};

	if (path) {
		(void)strcpy(path_text, path);
		(void)strcpy(access_text, access);
	}
	return systemd_rules_differ(&properties, &ctr, &plan);
}

/* Behind "deny all", one rule against one entry. */
static const char *compare(struct device_rule second, const char *path,
			   const char *access)
{
	struct device_rule rules[] = {rule(false, "cb", ANY, ANY, "rwm"), second};

	return differ(rules, 2, path, access);
}

/* "Deny all" alone, against one entry. */
static const char *beside(const char *path, const char *access)
{
	struct device_rule rules[] = {rule(false, "cb", ANY, ANY, "rwm")};

	return differ(rules, 1, path, access);
}

static void expect_reason(const char *got, const char *want)
{
	cr_expect_str_eq(got ? got : "none", want ? want : "none");
}

Test(systemd_rules, the_same_on_both_sides)
{
	expect_reason(compare(rule(true, "c", 10, 229, "rwm"), "/dev/char/10:229", "rwm"),
		      NULL);
	expect_reason(compare(rule(true, "b", 8, 0, "r"), "/dev/block/8:0", "r"), NULL);
	expect_reason(compare(rule(true, "c", 136, ANY, "rwm"), "char-pts", "rwm"), NULL);
	expect_reason(compare(rule(true, "c", 10, ANY, "rw"), "char-10", "rw"), NULL);
	expect_reason(compare(rule(true, "c", ANY, ANY, "m"), "char-*", "m"), NULL);
	expect_reason(compare(rule(true, "b", ANY, ANY, "m"), "block-*", "m"), NULL);
	expect_reason(compare(rule(true, "b", ANY, ANY, "rwm"), "block-*", "rwm"), NULL);
}

Test(systemd_rules, a_rule_that_systemd_has_not_in_full)
{
	expect_reason(compare(rule(true, "c", 10, 229, "rwm"), NULL, NULL), LACKS);
	expect_reason(compare(rule(true, "c", 10, 229, "rwm"), "/dev/char/10:229", "rw"),
		      LACKS);
	expect_reason(compare(rule(true, "c", 10, 229, "rw"), "/dev/char/10:228", "rw"),
		      LACKS);
	expect_reason(compare(rule(true, "c", 10, 229, "rw"), "/dev/block/10:229", "rw"),
		      LACKS);
	expect_reason(compare(rule(true, "cb", 10, 229, "rw"), "/dev/char/10:229", "rw"),
		      LACKS);
	expect_reason(compare(rule(true, "c", 10, ANY, "rw"), "/dev/char/10:0", "rw"),
		      LACKS);
	expect_reason(compare(rule(true, "c", 10, 229, ""), "/dev/char/10:229", "rw"),
		      LACKS);
}

Test(systemd_rules, an_entry_of_a_form_that_is_not_known)
{
	static const char *const paths[] = {
		"/dev/fuse",
		"char-misc",
		"block-pts",
		"/dev/char/10:229 ",
		"/dev/char/10",
		"/dev/char/:229",
		"/dev/char/-10:229",
		"/dev/char/10:",
		"/dev/char/10:229:1",
		"/dev/char/4294967306:229",
		"char-",
		"char-10x",
		"/dev/char/",
		"/dev/block/",
		"",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		cr_expect_str_eq(compare(rule(true, "c", 10, 229, "rw"), paths[i], "rw"),
				 LACKS, "%s", paths[i]);
		cr_expect_str_eq(beside(paths[i], "rw"), HAS_MORE, "%s", paths[i]);
	}
}

Test(systemd_rules, what_every_container_has_is_no_difference)
{
	expect_reason(beside("/dev/char/1:3", "rwm"), NULL);
	expect_reason(beside("/dev/char/10:200", "rwm"), NULL);
	expect_reason(beside("char-pts", "rwm"), NULL);
	expect_reason(beside("/dev/char/136:5", "rw"), NULL);
	expect_reason(beside("char-*", "m"), NULL);
	expect_reason(beside("block-*", "m"), NULL);
	expect_reason(beside("/dev/block/1:3", "r"), HAS_MORE);
	expect_reason(beside("/dev/char/1:1", "r"), HAS_MORE);
	expect_reason(beside("char-*", "rm"), HAS_MORE);
	expect_reason(beside("block-*", "w"), HAS_MORE);
}

Test(systemd_rules, the_plans_nodes_are_no_difference)
{
	expect_reason(beside("/dev/dri/renderD128", "rw"), NULL);
	expect_reason(beside("/dev/char/226:128", "rw"), NULL);
	expect_reason(beside("/dev/char/226:128", "rwm"), HAS_MORE);
	expect_reason(beside("/dev/char/226:129", "rw"), HAS_MORE);
}

Test(systemd_rules, a_wider_entry_gives_more_than_config_json)
{
	expect_reason(compare(rule(true, "c", 10, 229, "rw"), "char-10", "rw"), HAS_MORE);
	expect_reason(compare(rule(true, "c", 10, 229, "r"), "/dev/char/10:229", "rw"),
		      HAS_MORE);
}

Test(systemd_rules, rules_begin_with_denying_all)
{
	struct device_rule first[] = {
		rule(true, "c", 10, 229, "rw"),	   rule(false, "c", ANY, ANY, "rwm"),
		rule(false, "cb", ANY, ANY, "rw"), rule(false, "cb", 1, ANY, "rwm"),
		rule(false, "cb", ANY, 1, "rwm"),  rule(true, "cb", ANY, ANY, "rwm"),
	};

	expect_reason(differ(NULL, 0, NULL, NULL), NO_DENY);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		expect_reason(differ(&first[i], 1, NULL, NULL), NO_DENY);
	}
}

Test(systemd_rules, no_rule_denies_later)
{
	expect_reason(compare(rule(false, "c", 10, 229, "rw"), NULL, NULL), DENIES);
	expect_reason(compare(rule(false, "cb", ANY, ANY, "rwm"), NULL, NULL), DENIES);
}
