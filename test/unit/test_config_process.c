/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_process.c - what config.json says of the process's rights and of id maps */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "oci/config.h"

/* @members: of the top level, with ' for " */
static int parse(const char *members, struct oci_config *config, struct err *err)
{
	autofree char *text = xasprintf("{'root':{'path':'r'},%s}", members);

	for (char *c = text; *c; c++) {
		*c = *c == '\'' ? '"' : *c;
	}
	return oci_config_parse(text, strlen(text), "k", config, err);
}

static void expect_wrong(const char *members, const char *message)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	autofree char *whole = xasprintf("read config.json: %s", message);
	struct err err = {0};

	cr_assert_eq(parse(members, &config, &err), -EINVAL, "%s", members);
	cr_expect_str_eq(err.msg, whole, "%s", err.msg);
}

/* ---- capabilities ------------------------------------------------------------------ */

static bool overrides(unsigned int uid, const char *sets)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	autofree char *members =
		xasprintf("'process':{'user':{'uid':%u},'capabilities':{%s}}", uid, sets);
	struct err err = {0};

	cr_assert_eq(parse(members, &config, &err), 0, "%s: %s", members, err.msg);
	return config.container.overrides_modes;
}

#define ALL "['CAP_CHOWN','CAP_DAC_OVERRIDE','CAP_KILL']"

Test(config_process, root_gets_what_its_bounding_set_lets_through)
{
	cr_expect(overrides(0, "'bounding':" ALL));
	cr_expect_not(overrides(0, "'effective':" ALL ",'permitted':" ALL));
	cr_expect_not(overrides(0, "'bounding':['CAP_CHOWN']"));
	cr_expect_not(overrides(0, "'bounding':['CAP_DAC_READ_SEARCH']"));
	cr_expect_not(overrides(0, ""));
	cr_expect_not(overrides(0, "'bounding':null"));
}

Test(config_process, others_get_what_is_ambient_and_may_be)
{
	cr_expect(overrides(1000,
			    "'ambient':" ALL ",'permitted':" ALL ",'inheritable':" ALL));
	cr_expect_not(overrides(1000, "'ambient':" ALL ",'permitted':" ALL));
	cr_expect_not(overrides(1000, "'ambient':" ALL ",'inheritable':" ALL));
	cr_expect_not(overrides(1000, "'bounding':" ALL ",'effective':" ALL
				      ",'permitted':" ALL ",'inheritable':" ALL));
}

Test(config_process, without_the_object_there_is_no_capability)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(parse("'process':{'user':{'uid':0}}", &config, &err), 0);
	cr_expect_not(config.container.overrides_modes);
}

Test(config_process, capabilities_must_be_lists_of_names)
{
	expect_wrong("'process':{'capabilities':[]}",
		     "process.capabilities: expected an object, found an array");
	expect_wrong("'process':{'capabilities':{'bounding':'CAP_KILL'}}",
		     "process.capabilities.bounding: expected an array, found string "
		     "'CAP_KILL'");
	expect_wrong("'process':{'capabilities':{'bounding':['CAP_KILL',1]}}",
		     "process.capabilities.bounding[1]: expected a string, found number "
		     "1");
}

/* ---- maps -------------------------------------------------------------------------- */

#define USER_NAMESPACE "'namespaces':[{'type':'user'}]"
#define RANGE	       "{'containerID':0,'hostID':100000,'size':65536}"

Test(config_process, maps_of_a_new_namespace_are_read)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	const struct id_map *map = &config.container.gid_map;
	struct err err = {0};

	cr_assert_eq(parse("'linux':{" USER_NAMESPACE ",'uidMappings':[" RANGE
			   "],'gidMappings':["
			   "{'containerID':5,'hostID':6,'size':1},"
			   "{'containerID':0,'hostID':0,'size':4294967295}]}",
			   &config, &err),
		     0, "%s", err.msg);
	cr_assert_eq(config.container.uid_map.n, 1);
	cr_expect_eq(config.container.uid_map.ranges[0].outside, 100000);
	cr_assert_eq(map->n, 2);
	cr_expect_eq(map->ranges[0].inside, 5);
	cr_expect_eq(map->ranges[0].outside, 6);
	cr_expect_eq(map->ranges[0].count, 1);
	cr_expect_eq(map->ranges[1].count, 4294967295U);
}

Test(config_process, maps_without_a_namespace_are_nobodys)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(parse("'linux':{'uidMappings':[" RANGE "]}", &config, &err), 0);
	cr_expect_eq(config.container.uid_map.n, 0);
}

Test(config_process, maps_must_have_three_numbers)
{
#define MAP(value) "'linux':{" USER_NAMESPACE ",'uidMappings':" value "}"
	expect_wrong(MAP("{}"), "linux.uidMappings: expected an array, found an object");
	expect_wrong(MAP("[" RANGE ",{'hostID':0,'size':1}]"),
		     "linux.uidMappings[1].containerID: expected an id from 0 to "
		     "4294967294, found nothing");
	expect_wrong(MAP("[{'containerID':0,'hostID':-1,'size':1}]"),
		     "linux.uidMappings[0].hostID: expected an id from 0 to 4294967294, "
		     "found number -1");
	expect_wrong(MAP("[{'containerID':0,'hostID':1,'size':4294967296}]"),
		     "linux.uidMappings[0].size: expected a number of ids up to "
		     "4294967295, found number 4294967296");
	expect_wrong(MAP("[7]"), "linux.uidMappings[0].containerID: expected an id from "
				 "0 to 4294967294, found nothing");
}

Test(config_process, more_ranges_than_the_kernel_takes_are_e2big)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	autofree char *ranges = xstrdup(RANGE);
	struct err err = {0};

	for (unsigned int i = 0; i < ID_MAP_MAX_RANGES; i++) {
		char *longer = xasprintf("%s," RANGE, ranges);

		free(ranges);
		ranges = longer;
	}
	autofree char *members =
		xasprintf("'linux':{" USER_NAMESPACE ",'gidMappings':[%s]}", ranges);

	cr_assert_eq(parse(members, &config, &err), -E2BIG);
	cr_expect_str_eq(err.msg, "read config.json: linux.gidMappings: more than 340");
}

/* ---- SELinux ----------------------------------------------------------------------- */

/* @wanted: NULL: none */
static void expect_label(const char *members, const char *wanted)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(parse(members, &config, &err), 0, "%s: %s", members, err.msg);
	if (wanted) {
		cr_expect_str_eq(config.container.mount_label, wanted);
	} else {
		cr_expect_null(config.container.mount_label);
	}
}

Test(config_process, mount_label_is_that_of_linux_and_an_empty_one_is_none)
{
	expect_label(
		"'linux':{'mountLabel':'system_u:object_r:container_file_t:s0:c1,c2'}",
		"system_u:object_r:container_file_t:s0:c1,c2");
	expect_label("'linux':{'mountLabel':''}", NULL);
	expect_label("'linux':{'mountLabel':null}", NULL);
	expect_label("'linux':{}", NULL);
	expect_label("'process':{'selinuxLabel':'a'}", NULL);
	expect_wrong("'linux':{'mountLabel':7}",
		     "linux.mountLabel: expected a string, found number 7");
}

Test(config_process, mount_label_of_a_page_is_too_long)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	autofree char *label = xcalloc(4097, 1);
	autofree char *members = NULL;
	struct err err = {0};

	memset(label, 'a', 4096);
	members = xasprintf("'linux':{'mountLabel':'%s'}", label);
	cr_expect_eq(parse(members, &config, &err), -E2BIG);
	cr_expect_str_eq(err.msg,
			 "read config.json: linux.mountLabel: more than 4095 bytes");
	free(members);
	oci_config_clear(&config);
	label[4095] = 0;
	members = xasprintf("'linux':{'mountLabel':'%s'}", label);
	expect_label(members, label);
}
