/* SPDX-License-Identifier: Apache-2.0 */
/* test_mountinfo.c - questions to the text of mountinfo */

#include <criterion/criterion.h>
#include <stdlib.h>

#include "backend/apply/mountinfo.h"

static const char text[] =
	"21 20 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"22 21 0:5 / /dev rw,nosuid shared:2 - devtmpfs devtmpfs rw,size=1k\n"
	"23 21 0:40 / /c/root rw master:7 - overlay overlay rw\n"
	"24 23 0:40 / /c/root rw - overlay overlay rw\n"
	"25 24 0:41 / /c/root/dev rw,nosuid master:3 shared:9 - tmpfs tmpfs rw\n"
	"26 21 0:42 / /x\\040y - cgroup2 cgroup2 rw\n";

Test(mountinfo, shared_is_an_optional_field_of_the_mount_itself)
{
	cr_expect_not(mountinfo_is_shared(text, 21));
	cr_expect(mountinfo_is_shared(text, 22));
	cr_expect_not(mountinfo_is_shared(text, 23), "a slave is not shared");
	cr_expect(mountinfo_is_shared(text, 25), "a slave that is shared as well");
}

Test(mountinfo, of_a_mount_that_is_not_in_the_text_the_worst_is_assumed)
{
	cr_expect(mountinfo_is_shared(text, 99));
	cr_expect(mountinfo_is_shared("", 21));
	cr_expect(mountinfo_is_shared("21 20 254:0 / / rw", 21), "no whole line");
}

Test(mountinfo, shared_behind_the_dash_is_an_option_of_the_file_system)
{
	cr_expect_not(mountinfo_is_shared("7 1 0:1 / /p rw - t s shared:1\n", 7));
}

Test(mountinfo, whose_a_mount_is_say_type_and_source)
{
	cr_expect(mountinfo_is_of(text, 22, "devtmpfs", "devtmpfs"));
	cr_expect_not(mountinfo_is_of(text, 22, "devtmpfs", "devtmp"), "a part of it");
	cr_expect_not(mountinfo_is_of(text, 22, "dev", "devtmpfs"), "a part of it");
	cr_expect_not(mountinfo_is_of(text, 25, "tmpfs", "overlay"));
	cr_expect_not(mountinfo_is_of(text, 23, "tmpfs", "overlay"));
	cr_expect_not(mountinfo_is_of(text, 99, "tmpfs", "tmpfs"), "nothing is known");
	cr_expect_not(mountinfo_is_of("7 1 0:1 / /p rw - tmpfs\n8 1 0:1 / /p rw - a b\n",
				      7, "tmpfs", "8"),
		      "no source, and that of the next line is another's");
}

Test(mountinfo, a_file_system_is_known_by_its_device_number)
{
	static const char host[] = "1 0 254:0 / / rw - ext4 /dev/vda rw\n"
				   "2 1 0:4 / /x rw - tmpfs a rw\n";

	cr_expect(mountinfo_has_file_system_of(host, text, 21));
	cr_expect_not(mountinfo_has_file_system_of(host, text, 23));
	cr_expect_not(mountinfo_has_file_system_of(host, text, 25),
		      "0:4 is the beginning of 0:41, not the same");
	cr_expect_not(mountinfo_has_file_system_of("", text, 21));
	cr_expect(mountinfo_has_file_system_of(host, text, 99), "nothing is known of it");
}

Test(mountinfo, mounts_at_a_point_are_counted)
{
	cr_expect_eq(mountinfo_count_at(text, "/c/root", 7), 2);
	cr_expect_eq(mountinfo_count_at(text, "/c/root", 2), 0);
	cr_expect_eq(mountinfo_count_at(text, "/c/root/dev", 11), 1);
	cr_expect_eq(mountinfo_count_at("", "/", 1), 0);
}

Test(mountinfo, the_point_of_a_mount_is_as_it_is_written)
{
	size_t len = 0;
	const char *point = mountinfo_point_of(text, 26, &len);

	cr_assert_not_null(point);
	cr_expect_eq(len, strlen("/x\\040y"));
	cr_expect_eq(strncmp(point, "/x\\040y ", len + 1), 0);
	cr_expect_null(mountinfo_point_of(text, 2, &len));
}

static void expect_point(const char *line, const char *fs_type, const char *want)
{
	char *point = mountinfo_point_of_type(line, fs_type);

	if (want) {
		cr_expect_not_null(point, "%s", line);
		cr_expect_str_eq(point ? point : "", want);
	} else {
		cr_expect_null(point, "%s", line);
	}
	free(point);
}

#define V2 "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw"

Test(mountinfo, the_point_of_a_type_is_the_fifth_field)
{
	expect_point(V2, "cgroup2", "/sys/fs/cgroup/unified");
	expect_point(V2 "\n42 31 0:39 / /x rw - tmpfs t rw\n", "cgroup2",
		     "/sys/fs/cgroup/unified");
}

Test(mountinfo, a_type_must_be_the_whole_word)
{
	expect_point(V2, "cgroup", NULL);
	expect_point("36 31 0:33 / /c/devices rw - cgroup cgroup rw,devices", "cgroup2",
		     NULL);
	expect_point("36 31 0:33 / /c/devices rw - cgroup cgroup rw,devices", "cgroup",
		     "/c/devices");
}

Test(mountinfo, a_type_of_the_next_line_does_not_count)
{
	expect_point("36 31 0:33 / /tmp rw - tmpfs tmpfs rw\n" V2, "cgroup2", NULL);
}

Test(mountinfo, octal_numbers_are_undone)
{
	expect_point("41 31 0:38 / /a\\040b\\134c rw - cgroup2 cgroup2 rw", "cgroup2",
		     "/a b\\c");
	expect_point("41 31 0:38 / /a\\04 rw - cgroup2 cgroup2 rw", "cgroup2", "/a\\04");
}

Test(mountinfo, what_is_no_line_gives_nothing)
{
	expect_point("", "cgroup2", NULL);
	expect_point(" - cgroup2 ", "cgroup2", NULL);
	expect_point("1 2 3 - cgroup2 x", "cgroup2", NULL);
}
