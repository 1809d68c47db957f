/* SPDX-License-Identifier: Apache-2.0 */
/* test_cgroup_v1.c - what a devices.list already allows */

#include <criterion/criterion.h>

#include "backend/apply/cgroup_v1.h"

/* As runc 1.1 leaves it for a container. */
static const char usual[] = "b *:* m\nc *:* m\nc 1:3 rwm\nc 136:* rwm\nc 10:200 rwm\n";

Test(cgroup_v1, a_node_without_an_entry_lacks_both)
{
	cr_expect_str_eq(cgroup_v1_missing_access(usual, 226, 128), "rw");
	cr_expect_str_eq(cgroup_v1_missing_access("", 226, 128), "rw");
}

Test(cgroup_v1, everything_allowed_lacks_nothing)
{
	cr_expect_str_eq(cgroup_v1_missing_access("a *:* rwm\n", 226, 128), "");
}

Test(cgroup_v1, wildcards_cover_a_node)
{
	cr_expect_str_eq(cgroup_v1_missing_access("c 226:* rw\n", 226, 128), "");
	cr_expect_str_eq(cgroup_v1_missing_access("c *:128 rw\n", 226, 128), "");
	cr_expect_str_eq(cgroup_v1_missing_access("c *:* rwm\n", 226, 128), "");
}

Test(cgroup_v1, an_entry_with_one_letter_lacks_the_other)
{
	cr_expect_str_eq(cgroup_v1_missing_access("c 226:128 rm\n", 226, 128), "w");
	cr_expect_str_eq(cgroup_v1_missing_access("c 226:128 w\n", 226, 128), "r");
	cr_expect_str_eq(cgroup_v1_missing_access("c 226:* r\nc 226:128 w\n", 226, 128),
			 "");
}

Test(cgroup_v1, another_number_or_a_block_device_does_not_count)
{
	cr_expect_str_eq(
		cgroup_v1_missing_access("c 226:12 rwm\nc 22:128 rwm\n", 226, 128), "rw");
	cr_expect_str_eq(cgroup_v1_missing_access("c 226:1280 rwm\n", 226, 128), "rw");
	cr_expect_str_eq(cgroup_v1_missing_access("b 226:128 rwm\n", 226, 128), "rw");
}
