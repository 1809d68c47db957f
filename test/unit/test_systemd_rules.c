/* SPDX-License-Identifier: Apache-2.0 */
/* test_systemd_rules.c - what stands for a device program that cannot
   be edited, and when */

#include <criterion/criterion.h>
#include <string.h>

#include "backend/apply/bpf_machine.h"
#include "backend/apply/systemd_rules.h"

#define ANY DEVICE_RULE_ANY

#define LACKS	"its DeviceAllow lacks a device of config.json"
#define NO_DENY "config.json does not begin with denying all devices"
#define DENIES	"config.json denies a device behind others"

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
static const char *lack(struct device_rule *rules, size_t n_rules, const char *path,
			const char *access)
{
	char path_text[64] = "";
	char access_text[8] = "";
	struct systemd_device device = {path_text, access_text};
	const struct systemd_properties properties = {.allow = &device,
						      .n_allow = path != NULL};
	const struct container ctr = {.device_rules = rules, .n_device_rules = n_rules};

	if (path) {
		(void)strcpy(path_text, path);
		(void)strcpy(access_text, access);
	}
	return systemd_rules_lack(&properties, &ctr);
}

/* Behind "deny all", one rule against one entry. */
static const char *compare(struct device_rule second, const char *path,
			   const char *access)
{
	struct device_rule rules[] = {rule(false, "cb", ANY, ANY, "rwm"), second};

	return lack(rules, 2, path, access);
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
	}
}

Test(systemd_rules, a_wider_entry_gives_what_config_json_does)
{
	expect_reason(compare(rule(true, "c", 10, 229, "rw"), "char-10", "rw"), NULL);
	expect_reason(compare(rule(true, "c", 10, 229, "r"), "/dev/char/10:229", "rw"),
		      NULL);
	/* As crun 1.21 writes 226:0. */
	expect_reason(compare(rule(true, "c", 226, 0, "rw"), "char-226", "rw"), NULL);
}

Test(systemd_rules, rules_begin_with_denying_all)
{
	struct device_rule first[] = {
		rule(true, "c", 10, 229, "rw"),	   rule(false, "c", ANY, ANY, "rwm"),
		rule(false, "cb", ANY, ANY, "rw"), rule(false, "cb", 1, ANY, "rwm"),
		rule(false, "cb", ANY, 1, "rwm"),  rule(true, "cb", ANY, ANY, "rwm"),
	};

	expect_reason(lack(NULL, 0, NULL, NULL), NO_DENY);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		expect_reason(lack(&first[i], 1, NULL, NULL), NO_DENY);
	}
}

Test(systemd_rules, no_rule_denies_later)
{
	expect_reason(compare(rule(false, "c", 10, 229, "rw"), NULL, NULL), DENIES);
	expect_reason(compare(rule(false, "cb", ANY, ANY, "rwm"), NULL, NULL), DENIES);
}

static bool allows(const struct devrules_program *program, const char *type,
		   uint32_t access, uint32_t major, uint32_t minor)
{
	uint32_t kind = *type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK;
	struct bpf_verdict verdict = bpf_machine_run(program, kind, access, major, minor);

	cr_assert_null(verdict.fault, "%s", verdict.fault);
	return verdict.r0 != 0;
}

Test(systemd_rules, the_stand_in_allows_config_the_plan_and_what_all_containers_have)
{
	const uint32_t rw = BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;
	char host[] = "/dev/dri/renderD128";
	struct plan_node node = {.host = {host}, .major = 226, .minor = 128};
	const struct plan plan = {.nodes = &node, .n_nodes = 1};
	struct device_rule rules[] = {rule(false, "cb", ANY, ANY, "rwm"),
				      rule(true, "c", 10, 229, "rw"),
				      rule(true, "b", 8, ANY, "r")};
	const struct container ctr = {.device_rules = rules, .n_device_rules = 3};
	cleanup(devrules_clearp) struct devrules_program program = {0};

	systemd_rules_stand_in(&ctr, &plan, &program);
	cr_assert_null(bpf_machine_check_form(&program));
	cr_expect(allows(&program, "c", rw, 10, 229), "of config.json");
	cr_expect(allows(&program, "b", BPF_DEVCG_ACC_READ, 8, 1), "of config.json");
	cr_expect(allows(&program, "c", rw, 226, 128), "of the plan");
	cr_expect(allows(&program, "c", rw, 1, 3), "null");
	cr_expect(allows(&program, "c", rw, 136, 5), "a terminal");
	cr_expect(allows(&program, "b", BPF_DEVCG_ACC_MKNOD, 8, 0), "making a node");
	cr_expect_not(allows(&program, "b", rw, 8, 1), "config.json lets it be read");
	cr_expect_not(allows(&program, "c", rw, 10, 228));
	cr_expect_not(allows(&program, "c", rw, 226, 129));
	cr_expect_not(allows(&program, "c", rw, 5, 3), "in DeviceAllow by crun 1.21");
	cr_expect_not(allows(&program, "c", rw, 1, 1), "memory");
	cr_expect_not(allows(&program, "b", rw, 1, 3), "no default is a block device");
	/* So that a second run knows it. */
	cleanup(devrules_clearp) struct devrules_program prefix = {0};

	devrules_prefix(&plan, &prefix);
	cr_expect(devrules_has_prefix(&program, &prefix));
}
