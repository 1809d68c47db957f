/* SPDX-License-Identifier: Apache-2.0 */
/* test_host.c - lib/host/host.c */

#include "host/host.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "made_host.h"

static struct made_host made;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	made_host_free(&made);
}

TestSuite(host, .init = start, .fini = stop);

Test(host, root_that_is_not_there_is_enoent)
{
	struct host host = {0};
	struct err err = {0};

	cr_assert_eq(host_open("/no/such/host", &host, &err), -ENOENT);
	cr_assert_str_eq(err.msg,
			 "open host root '/no/such/host': No such file or directory");
	host_close(&host);
}

Test(host, closing_twice_closes_once)
{
	struct host host = {0};
	struct err err;
	int fd;

	cr_assert_eq(host_open("/", &host, &err), 0);
	fd = host.root_fd;
	host_close(&host);
	cr_assert_eq(dup2(STDERR_FILENO, fd), fd);
	host_close(&host);
	cr_assert_eq(write(fd, "", 0), 0, "somebody else's descriptor was closed");
}

Test(host, white_space_at_the_end_is_cut)
{
	char buf[64];

	made_file(&made, "/sys/a", " amdgpu \t\n\n");
	cr_assert_eq(host_read(&made.host, "/sys/a", buf, sizeof(buf)), 7);
	cr_assert_str_eq(buf, " amdgpu");
}

Test(host, file_that_just_does_not_fit_is_e2big)
{
	char buf[8];

	made_file(&made, "/sys/seven", "1234567");
	made_file(&made, "/sys/eight", "12345678");
	cr_assert_eq(host_read(&made.host, "/sys/seven", buf, sizeof(buf)), 7);
	cr_assert_eq(host_read(&made.host, "/sys/eight", buf, sizeof(buf)), -E2BIG);
}

Test(host, only_regular_files_are_read)
{
	char buf[8];
	autofree char *fifo = xasprintf("%s/fifo", made.root);

	made_dir(&made, "/sys");
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	cr_assert_eq(host_read(&made.host, "/sys", buf, sizeof(buf)), -EINVAL);
	cr_assert_eq(host_read(&made.host, "/fifo", buf, sizeof(buf)), -EINVAL);
	cr_assert_eq(host_read(&made.host, "/none", buf, sizeof(buf)), -ENOENT);
}

Test(host, no_link_leads_out_of_the_tree)
{
	autofree char *outside = xasprintf("%s.outside", made.root);
	autofree char *climb = xasprintf("../../../../../..%s", outside);
	FILE *file = fopen(outside, "w");
	char buf[64];

	cr_assert(file);
	cr_assert_eq(fclose(file), 0);
	made_link(&made, "/sys/absolute", outside);
	made_link(&made, "/sys/climb", climb);
	cr_assert_eq(host_read(&made.host, "/sys/absolute", buf, sizeof(buf)), -ENOENT);
	cr_assert_eq(host_read(&made.host, "/sys/climb", buf, sizeof(buf)), -ENOENT);
	cr_assert_eq(unlink(outside), 0);
}

Test(host, absolute_link_starts_at_the_trees_root)
{
	char buf[64];

	made_file(&made, "/sys/devices/a", "inside");
	made_link(&made, "/sys/class", "/sys/devices");
	cr_assert_eq(host_read(&made.host, "/sys/class/a", buf, sizeof(buf)), 6);
}

Test(host, large_file_is_read_up_to_its_limit)
{
	autofree char *text = NULL;

	made_file(&made, "/proc/a", "%09999d", 1);
	cr_assert_eq(host_read_alloc(&made.host, "/proc/a", 9998, &text), -E2BIG);
	cr_assert_eq(host_read_alloc(&made.host, "/proc/a", 9999, &text), 0);
	cr_assert_eq(strlen(text), 9999);
}

Test(host, names_are_sorted_and_without_dots)
{
	cleanup(names_clearp) struct names names = {0};

	made_file(&made, "/sys/b/card1", "%s", "");
	made_file(&made, "/sys/b/card0", "%s", "");
	made_file(&made, "/sys/b/card10", "%s", "");
	cr_assert_eq(host_list(&made.host, "/sys/b", &names), 0);
	cr_assert_eq(names.n, 3);
	cr_assert_str_eq(names.name[0], "card0");
	cr_assert_str_eq(names.name[1], "card1");
	cr_assert_str_eq(names.name[2], "card10");
}

Test(host, empty_directory_has_no_names)
{
	cleanup(names_clearp) struct names names = {0};

	made_dir(&made, "/empty");
	cr_assert_eq(host_list(&made.host, "/empty", &names), 0);
	cr_assert_eq(names.n, 0);
}

Test(host, listing_something_else_says_what_it_is)
{
	struct names names = {0};

	made_file(&made, "/sys/a", "text");
	cr_assert_eq(host_list(&made.host, "/sys/a", &names), -ENOTDIR);
	cr_assert_eq(host_list(&made.host, "/sys/b", &names), -ENOENT);
}

Test(host, directory_with_too_many_entries_is_e2big)
{
	struct names names = {0};
	autofree char *dir = xasprintf("%s/d", made.root);

	made_dir(&made, "/d");
	cr_assert_eq(chdir(dir), 0);
	for (unsigned int i = 0; i < LIMIT_DIRECTORY_ENTRIES; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%u", i);
		cr_assert_eq(symlink("x", name), 0);
	}
	cr_assert_eq(host_list(&made.host, "/d", &names), 0);
	names_clear(&names);
	cr_assert_eq(symlink("x", "last"), 0);
	cr_assert_eq(host_list(&made.host, "/d", &names), -E2BIG);
	cr_assert_eq(names.n, 0);
}

Test(host, text_of_a_link_is_not_followed)
{
	autofree char *target = NULL;
	autofree char *name = NULL;

	made_link(&made, "/sys/driver", "../../bus/pci/drivers/amdgpu");
	cr_assert_eq(host_readlink(&made.host, "/sys/driver", &target), 0);
	cr_assert_str_eq(target, "../../bus/pci/drivers/amdgpu");
	cr_assert_eq(host_readlink_name(&made.host, "/sys/driver", &name), 0);
	cr_assert_str_eq(name, "amdgpu");
}

Test(host, link_that_ends_in_a_slash_names_nothing)
{
	char *name = NULL;

	made_link(&made, "/sys/driver", "../../bus/pci/drivers/nvidia/");
	cr_expect_eq(host_readlink_name(&made.host, "/sys/driver", &name), -EINVAL);
	cr_expect_null(name);
}

Test(host, what_is_no_link_has_no_text)
{
	char *target = NULL;

	made_file(&made, "/sys/a", "text");
	cr_assert_lt(host_readlink(&made.host, "/sys/a", &target), 0);
	cr_assert_eq(host_readlink(&made.host, "/sys/b", &target), -ENOENT);
	cr_assert_null(target);
}

Test(host, exists_follows_links)
{
	made_file(&made, "/sys/a", "text");
	made_link(&made, "/sys/good", "a");
	made_link(&made, "/sys/bad", "b");
	cr_assert(host_exists(&made.host, "/sys/a"));
	cr_assert(host_exists(&made.host, "/sys/good"));
	cr_assert_not(host_exists(&made.host, "/sys/bad"));
}

Test(host, numbers_are_decimal_or_hexadecimal)
{
	uint64_t value = 0;

	cr_assert_eq(host_parse_u64("0x1002", &value), 0);
	cr_assert_eq(value, 0x1002);
	cr_assert_eq(host_parse_u64("18446744073709551615", &value), 0);
	cr_assert_eq(value, UINT64_MAX);
	cr_assert_eq(host_parse_u64("18446744073709551616", &value), -ERANGE);
	cr_assert_eq(host_parse_u64("", &value), -EINVAL);
	cr_assert_eq(host_parse_u64("-1", &value), -EINVAL);
	cr_assert_eq(host_parse_u64("12 ", &value), -EINVAL);
	cr_assert_eq(host_parse_u64("0xg", &value), -EINVAL);
}

Test(host, number_attribute_is_read)
{
	uint64_t value = 0;

	made_file(&made, "/sys/vendor", "0x10de\n");
	cr_assert_eq(host_read_u64(&made.host, "/sys/vendor", &value), 0);
	cr_assert_eq(value, 0x10de);
	cr_assert_eq(host_read_u64(&made.host, "/sys/none", &value), -ENOENT);
}

Test(host, numa_node_minus_one_is_unknown)
{
	made_file(&made, "/sys/one", "1\n");
	made_file(&made, "/sys/minus", "-1\n");
	cr_assert_eq(host_read_numa_node(&made.host, "/sys/one"), 1);
	cr_assert_eq(host_read_numa_node(&made.host, "/sys/minus"), NUMA_NODE_UNKNOWN);
	cr_assert_eq(host_read_numa_node(&made.host, "/sys/none"), NUMA_NODE_UNKNOWN);
}

Test(host, dev_attribute_is_major_and_minor)
{
	uint32_t major = 0;
	uint32_t minor = 0;

	made_file(&made, "/sys/dev", "226:128\n");
	cr_assert_eq(host_read_dev(&made.host, "/sys/dev", &major, &minor), 0);
	cr_assert_eq(major, 226);
	cr_assert_eq(minor, 128);
}

Test(host, bad_dev_attributes_are_refused)
{
	static const char *const bad[] = {"",	    "226",     ":128",	 "226:",  "a:b",
					  "226:-1", "226:1:2", "226: 1", "-1:128"};
	uint32_t major = 0;
	uint32_t minor = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		made_file(&made, "/sys/dev", "%s", bad[i]);
		cr_assert_eq(host_read_dev(&made.host, "/sys/dev", &major, &minor),
			     -EINVAL, "'%s'", bad[i]);
	}
	/* 12 bits of major, 20 of minor; more would be cut and name another device. */
	made_file(&made, "/sys/dev", "4096:0");
	cr_assert_eq(host_read_dev(&made.host, "/sys/dev", &major, &minor), -ERANGE);
	made_file(&made, "/sys/dev", "0:1048576");
	cr_assert_eq(host_read_dev(&made.host, "/sys/dev", &major, &minor), -ERANGE);
}

Test(host, node_that_is_not_there_is_absent)
{
	cleanup(device_node_clearp) struct device_node node = {0};

	host_describe_node(&made.host, "/dev/kfd", 511, 0, DEVICE_COMPUTE, &node);
	cr_assert_str_eq(node.path, "/dev/kfd");
	cr_assert_eq(node.major, 511);
	cr_assert_eq(node.role, DEVICE_COMPUTE);
	cr_assert_eq(node.state, DEVICE_ABSENT);
}

Test(host, file_in_the_place_of_a_node_is_other)
{
	cleanup(device_node_clearp) struct device_node node = {0};

	made_file(&made, "/dev/kfd", "%s", "");
	host_describe_node(&made.host, "/dev/kfd", 511, 0, DEVICE_COMPUTE, &node);
	cr_assert_eq(node.state, DEVICE_OTHER);
}

Test(host, node_is_compared_by_its_number)
{
	cleanup(device_node_clearp) struct device_node right = {0};
	cleanup(device_node_clearp) struct device_node wrong = {0};
	cleanup(device_node_clearp) struct device_node link = {0};

	if (!made_node(&made, "/dev/kfd", 511, 3)) {
		made_host_free(&made);
		cr_skip_test("mknod is not allowed here");
	}
	made_link(&made, "/dev/link", "kfd");
	host_describe_node(&made.host, "/dev/kfd", 511, 3, DEVICE_COMPUTE, &right);
	host_describe_node(&made.host, "/dev/kfd", 511, 4, DEVICE_COMPUTE, &wrong);
	host_describe_node(&made.host, "/dev/link", 511, 3, DEVICE_COMPUTE, &link);
	cr_assert_eq(right.state, DEVICE_PRESENT);
	cr_assert_eq(right.uid, 7);
	cr_assert_eq(right.gid, 8);
	cr_assert_eq(right.mode, 0640);
	cr_assert_eq(wrong.state, DEVICE_OTHER);
	cr_assert_eq(link.state, DEVICE_OTHER);
}

static void make_proc_devices(void)
{
	made_file(&made, "/proc/devices",
		  "Character devices:\n  1 mem\n195 nvidia-frontend\n195 nvidiactl\n"
		  "507 nvidia-uvm\n4 /dev/vc/0\n\nBlock devices:\n  8 sd\n259 blkext\n");
}

Test(host, major_of_a_driver_is_found_by_its_whole_name)
{
	uint32_t major = 0;

	make_proc_devices();
	cr_assert_eq(host_char_major(&made.host, "nvidia-uvm", &major), 0);
	cr_assert_eq(major, 507);
	cr_assert_eq(host_char_major(&made.host, "mem", &major), 0);
	cr_assert_eq(major, 1);
	cr_assert_eq(host_char_major(&made.host, "nvidia", &major), -ENOENT);
	cr_assert_eq(host_char_major(&made.host, "uvm", &major), -ENOENT);
}

Test(host, block_majors_are_not_character_majors)
{
	uint32_t major = 0;

	make_proc_devices();
	cr_assert_eq(host_char_major(&made.host, "sd", &major), -ENOENT);
	cr_assert_eq(host_char_major(&made.host, "blkext", &major), -ENOENT);
}

Test(host, majors_are_read_once)
{
	uint32_t major = 0;

	make_proc_devices();
	cr_assert_eq(host_char_major(&made.host, "mem", &major), 0);
	made_file(&made, "/proc/devices", "Character devices:\n");
	cr_assert_eq(host_char_major(&made.host, "mem", &major), 0);
}

Test(host, no_proc_devices_is_no_major)
{
	uint32_t major = 0;

	cr_assert_eq(host_char_major(&made.host, "mem", &major), -ENOENT);
}

Test(host, number_of_a_node_is_read_without_opening_it)
{
	uint32_t major = 7;
	uint32_t minor = 7;

	made_file(&made, "/dev/file", "x");
	cr_expect_eq(host_read_node(&made.host, "/dev/file", &major, &minor), -EINVAL);
	cr_expect_eq(host_read_node(&made.host, "/dev/none", &major, &minor), -ENOENT);
	cr_expect_eq(major, 7);
	if (!made_node(&made, "/dev/node", 510, 300)) {
		cr_skip_test("mknod() is not allowed here");
	}
	made_link(&made, "/dev/link", "node");
	cr_assert_eq(host_read_node(&made.host, "/dev/node", &major, &minor), 0);
	cr_expect_eq(major, 510);
	cr_expect_eq(minor, 300);
	cr_expect_eq(host_read_node(&made.host, "/dev/link", &major, &minor), -EINVAL);
}
