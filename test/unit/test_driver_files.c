/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_files.c - lib/model/driver_files.c */

#include <criterion/criterion.h>

#include "base/mem.h"
#include "model/driver_files.h"
#include "model/inventory.h"

Test(driver_files, first_file_of_a_place_counts)
{
	cleanup(driver_files_clearp) struct driver_files files = {0};

	cr_assert_not_null(driver_files_add(&files, DRIVER_LIBRARY, "/a", "lib/x"));
	cr_expect_null(driver_files_add(&files, DRIVER_LIBRARY, "/b", "lib/x"));
	cr_assert_eq(files.n_files, 1);
	cr_expect_str_eq(files.files[0].host_path, "/a");
}

Test(driver_files, first_file_of_a_link_keeps_it)
{
	cleanup(driver_files_clearp) struct driver_files files = {0};
	struct driver_file *file;

	file = driver_files_add(&files, DRIVER_LIBRARY, "/a", "lib/a");
	driver_files_add_link(&files, file, "x.so.1");
	driver_files_add_link(&files, file, "x.so.1");
	file = driver_files_add(&files, DRIVER_LIBRARY, "/b", "lib/b");
	driver_files_add_link(&files, file, "x.so.1");
	cr_expect_eq(files.files[0].n_links, 1);
	cr_expect_eq(files.files[1].n_links, 0);
}

/* They are in different directories. */
Test(driver_files, links_of_another_kind_do_not_matter)
{
	cleanup(driver_files_clearp) struct driver_files files = {0};
	struct driver_file *file;

	file = driver_files_add(&files, DRIVER_LIBRARY, "/a", "lib/a");
	driver_files_add_link(&files, file, "x.so.1");
	file = driver_files_add(&files, DRIVER_LIBRARY_32, "/b", "lib32/a");
	cr_expect_not(driver_files_have_link(&files, DRIVER_LIBRARY_32, "x.so.1"));
	driver_files_add_link(&files, file, "x.so.1");
	cr_expect_eq(files.files[1].n_links, 1);
}

Test(driver_files, last_variable_of_a_name_counts_at_the_place_of_the_first)
{
	cleanup(driver_files_clearp) struct driver_files files = {0};

	driver_files_add_env(&files, "X=1");
	driver_files_add_env(&files, "X=2");
	driver_files_add_env(&files, "XY=3");
	cr_assert_eq(files.n_env, 2);
	cr_expect_str_eq(files.env[0], "X=2");
	cr_expect_str_eq(files.env[1], "XY=3");
}

Test(driver_files, same_hook_twice_is_one)
{
	cleanup(driver_files_clearp) struct driver_files files = {0};
	char stage[] = "prestart";
	struct cdi_hook hook = {.stage = stage, .path = stage};

	driver_files_add_hook(&files, &hook);
	driver_files_add_hook(&files, &hook);
	hook.timeout = 1;
	driver_files_add_hook(&files, &hook);
	cr_expect_eq(files.n_hooks, 2);
}

Test(driver_files, first_node_of_a_path_counts)
{
	cleanup(driver_files_clearp) struct driver_files files = {0};
	struct device_node first = {.path = xstrdup("/dev/a"), .major = 1};
	struct device_node second = {.path = xstrdup("/dev/a"), .major = 2};

	driver_files_take_node(&files, &first);
	driver_files_take_node(&files, &second);
	cr_assert_eq(files.n_nodes, 1);
	cr_expect_eq(files.nodes[0].major, 1);
	cr_expect_null(first.path);
	cr_expect_null(second.path);
}
