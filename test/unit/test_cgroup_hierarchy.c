/* SPDX-License-Identifier: Apache-2.0 */
/* test_cgroup_hierarchy.c - mount points of cgroup hierarchies, out of mountinfo */

#include <criterion/criterion.h>
#include <stdlib.h>

#include "backend/apply/cgroup_hierarchy.h"

static void expect_point(const char *line, const char *fs_type, const char *want)
{
	char *point = cgroup_hierarchy_mount_point(line, fs_type);

	if (want) {
		cr_expect_not_null(point, "%s", line);
		cr_expect_str_eq(point ? point : "", want);
	} else {
		cr_expect_null(point, "%s", line);
	}
	free(point);
}

#define V2 "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw"

Test(cgroup_hierarchy, the_mount_point_is_the_fifth_field)
{
	expect_point(V2, "cgroup2", "/sys/fs/cgroup/unified");
	expect_point(V2 "\n42 31 0:39 / /x rw - tmpfs t rw\n", "cgroup2",
		     "/sys/fs/cgroup/unified");
}

Test(cgroup_hierarchy, the_type_must_be_the_whole_word)
{
	expect_point(V2, "cgroup", NULL);
	expect_point("36 31 0:33 / /c/devices rw - cgroup cgroup rw,devices", "cgroup2",
		     NULL);
	expect_point("36 31 0:33 / /c/devices rw - cgroup cgroup rw,devices", "cgroup",
		     "/c/devices");
}

Test(cgroup_hierarchy, a_type_of_the_next_line_does_not_count)
{
	expect_point("36 31 0:33 / /tmp rw - tmpfs tmpfs rw\n" V2, "cgroup2", NULL);
}

Test(cgroup_hierarchy, octal_escapes_are_undone)
{
	expect_point("41 31 0:38 / /a\\040b\\134c rw - cgroup2 cgroup2 rw", "cgroup2",
		     "/a b\\c");
	expect_point("41 31 0:38 / /a\\04 rw - cgroup2 cgroup2 rw", "cgroup2", "/a\\04");
}

Test(cgroup_hierarchy, what_is_no_line_gives_nothing)
{
	expect_point("", "cgroup2", NULL);
	expect_point(" - cgroup2 ", "cgroup2", NULL);
	expect_point("1 2 3 - cgroup2 x", "cgroup2", NULL);
	expect_point("1 2 3 4 /p rw - cgroup2", "cgroup2", NULL);
}
