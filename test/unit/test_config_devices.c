/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_devices.c - the device rules of a config.json, as runtimes read them */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "oci/config.h"

static int parse(const char *rules, struct oci_config *config, struct err *err)
{
	autofree char *text = xasprintf(
		"{'root':{'path':'r'},'linux':{'resources':{'devices':[%s]}}}", rules);

	for (char *c = text; *c; c++) {
		*c = *c == '\'' ? '"' : *c;
	}
	return oci_config_parse(text, strlen(text), "k", config, err);
}

/* Is 226:128 allowed? */
static bool allows(const char *rules)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(parse(rules, &config, &err), 0, "%s: %s", rules, err.msg);
	return container_allows_node(&config.container, 226, 128);
}

#define DENY_ALL "{'allow':false,'access':'rwm'}"

Test(config_devices, no_rule_allows_nothing)
{
	cr_expect_not(allows(""));
	cr_expect_not(allows(DENY_ALL));
}

Test(config_devices, exactly_this_node)
{
	cr_expect(allows(DENY_ALL ",{'allow':true,'type':'c','major':226,'minor':128,"
				  "'access':'rw'}"));
	cr_expect_not(allows("{'allow':true,'type':'c','major':226,'minor':129,"
			     "'access':'rw'}"));
	cr_expect_not(allows("{'allow':true,'type':'c','major':225,'minor':128,"
			     "'access':'rw'}"));
	cr_expect_not(allows("{'allow':true,'type':'b','major':226,'minor':128,"
			     "'access':'rw'}"));
}

Test(config_devices, wildcards)
{
	cr_expect(allows("{'allow':true,'access':'rwm'}"));
	cr_expect(allows("{'allow':true,'type':'a','access':'rwm'}"));
	cr_expect(allows("{'allow':true,'type':'c','major':226,'access':'rw'}"));
	cr_expect(
		allows("{'allow':true,'type':'c','major':226,'minor':-1,'access':'rw'}"));
	cr_expect(allows("{'allow':true,'type':'c','major':null,'access':'rw'}"));
}

Test(config_devices, the_last_rule_decides_for_each_access)
{
	cr_expect_not(allows("{'allow':true,'access':'rwm'}," DENY_ALL));
	cr_expect_not(allows("{'allow':true,'access':'rwm'},{'allow':false,'type':'c',"
			     "'major':226,'access':'w'}"));
	cr_expect(allows("{'allow':true,'access':'rwm'},{'allow':false,'type':'c',"
			 "'major':226,'access':'m'}"));
	cr_expect(allows(DENY_ALL
			 ",{'allow':true,'access':'r'},{'allow':true,'access':'w'}"));
}

Test(config_devices, no_access_and_no_word_is_none)
{
	cr_expect_not(allows("{'allow':true,'type':'c'}"));
	cr_expect_not(allows("{'type':'c','access':'rw'}"));
}

static void expect_error(const char *rules, const char *message)
{
	struct oci_config config = {0};
	struct err err = {0};

	cr_expect_eq(parse(rules, &config, &err), -EINVAL, "%s", rules);
	cr_expect_str_eq(err.msg, message, "%s", err.msg);
}

Test(config_devices, wrong_types_are_named)
{
	expect_error("5",
		     "read config.json: linux.resources.devices[0]: expected an object, "
		     "found number 5");
	expect_error(
		DENY_ALL ",{'type':5}",
		"read config.json: linux.resources.devices[1].type: expected a string, "
		"found number 5");
	expect_error("{'access':[]}",
		     "read config.json: linux.resources.devices[0].access: expected a "
		     "string, found an array");
	expect_error(
		"{'major':'226'}",
		"read config.json: linux.resources.devices[0].major: expected a device "
		"number, found string '226'");
	expect_error(
		"{'minor':-2}",
		"read config.json: linux.resources.devices[0].minor: expected a device "
		"number, found number -2");
	expect_error(
		"{'minor':4294967295}",
		"read config.json: linux.resources.devices[0].minor: expected a device "
		"number, found number 4294967295");
}

static struct device_rule first(const char *rules)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(parse(rules, &config, &err), 0, "%s: %s", rules, err.msg);
	cr_assert_eq(config.container.n_device_rules, 1);
	return config.container.device_rules[0];
}

Test(config_devices, a_rule_is_for_one_type_or_for_both)
{
	cr_expect(first("{'type':'b'}").is_for_blocks);
	cr_expect_not(first("{'type':'b'}").is_for_chars);
	cr_expect_not(first("{'type':'c'}").is_for_blocks);
	cr_expect(first("{'type':'c'}").is_for_chars);
	cr_expect(first("{'type':'a'}").is_for_blocks);
	cr_expect(first("{'type':'a'}").is_for_chars);
	cr_expect(first("{}").is_for_blocks);
	cr_expect(first("{}").is_for_chars);
}

Test(config_devices, making_a_node_is_an_access_of_its_own)
{
	cr_expect(first("{'access':'m'}").makes);
	cr_expect_not(first("{'access':'rw'}").makes);
}
