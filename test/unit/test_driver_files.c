/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_files.c - lib/model/driver_files.c */

#include <criterion/criterion.h>

#include "model/driver_files.h"

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
