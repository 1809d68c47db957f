/* SPDX-License-Identifier: Apache-2.0 */
/* test_libraries.c - lib/host/libraries.c */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "host/libraries.h"
#include "made_host.h"

static struct made_host made;
static struct libraries list;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	libraries_clear(&list);
	made_host_free(&made);
}

TestSuite(libraries, .init = start, .fini = stop);

static bool ends_in_one(const char *name, const void *context)
{
	(void)context;
	return strcmp(name + strlen(name) - 2, ".1") == 0;
}

static const char *const dirs[] = {"/usr/lib", "/lib", "/opt/lib", NULL};

static void find(unsigned int bits)
{
	const struct library_search search = {
		.bits = bits,
		.dirs = dirs,
		.is_wanted = ends_in_one,
	};

	host_find_libraries(&made.host, &search, &list);
}

Test(libraries, wanted_ones_with_their_names)
{
	made_library(&made, "/opt/lib/libb.so.2.1", "libb.so.2", 64);
	made_library(&made, "/usr/lib/liba.so.1", "liba.so.1", 64);
	made_library(&made, "/usr/lib/libz.so.2", "libz.so.2", 64);
	made_link(&made, "/usr/lib/liba.so", "liba.so.1");
	find(64);
	cr_assert_eq(list.n, 2);
	cr_expect_str_eq(list.library[0].path, "/usr/lib/liba.so.1");
	cr_expect_str_eq(list.library[0].name, "liba.so.1");
	cr_expect_str_eq(list.library[0].soname, "liba.so.1");
	cr_expect_str_eq(list.library[0].dev_name, "liba.so");
	cr_expect_str_eq(list.library[1].path, "/opt/lib/libb.so.2.1");
	cr_expect_str_eq(list.library[1].soname, "libb.so.2");
	cr_expect_null(list.library[1].dev_name);
}

Test(libraries, library_without_a_soname_has_its_files_name)
{
	made_library(&made, "/usr/lib/liba.so.1", NULL, 64);
	find(64);
	cr_assert_eq(list.n, 1);
	cr_expect_str_eq(list.library[0].soname, "liba.so.1");
}

Test(libraries, only_those_of_the_right_kind)
{
	made_library(&made, "/usr/lib/liba.so.1", "liba.so.1", 32);
	made_library(&made, "/opt/lib/liba.so.1", "liba.so.1", 64);
	made_file(&made, "/usr/lib/libtext.so.1", "INPUT(liba.so)\n");
	made_dir(&made, "/usr/lib/libdir.so.1");
	find(64);
	cr_assert_eq(list.n, 1);
	cr_expect_str_eq(list.library[0].path, "/opt/lib/liba.so.1");
	libraries_clear(&list);
	find(32);
	cr_assert_eq(list.n, 1);
	cr_expect_str_eq(list.library[0].path, "/usr/lib/liba.so.1");
}

Test(libraries, directory_under_two_names_is_one)
{
	made_library(&made, "/usr/lib/liba.so.1", "liba.so.1", 64);
	made_link(&made, "/lib", "usr/lib");
	find(64);
	cr_expect_eq(list.n, 1);
}

Test(libraries, first_directory_has_precedence)
{
	made_library(&made, "/usr/lib/liba.so.1", "liba.so.1", 64);
	made_library(&made, "/opt/lib/liba.so.1", "liba.so.1", 64);
	find(64);
	cr_assert_eq(list.n, 1);
	cr_expect_str_eq(list.library[0].path, "/usr/lib/liba.so.1");
}

Test(libraries, host_without_any_has_none)
{
	find(64);
	cr_expect_eq(list.n, 0);
}

/* A lease stands in for all that open() and read() may say. */
Test(libraries, one_that_cannot_be_read_is_told)
{
	autofree char *path = xasprintf("%s/usr/lib/liba.so.1", made.root);
	autoclose int fd = -1;

	made_library(&made, "/usr/lib/liba.so.1", "liba.so.1", 64);
	made_library(&made, "/usr/lib/libb.so.1", "libb.so.1", 64);
	made_file(&made, "/usr/lib/libc.so.1", "no library");
	(void)signal(SIGIO, SIG_IGN);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	find(64);
	cr_assert_eq(list.n, 1);
	cr_expect_str_eq(list.library[0].name, "libb.so.1");
	cr_assert_not_null(list.unread);
	cr_expect_str_eq(list.unread, "/usr/lib/liba.so.1");
	cr_expect_eq(list.unread_code, EAGAIN);
}

Test(libraries, what_only_has_a_librarys_name_is_no_fault)
{
	made_file(&made, "/usr/lib/liba.so.1", "no library");
	made_dir(&made, "/usr/lib/libb.so.1");
	made_link(&made, "/usr/lib/libc.so.1", "nowhere");
	made_link(&made, "/usr/lib/libd.so.1", "libd.so.1");
	find(64);
	cr_expect_eq(list.n, 0);
	cr_expect_null(list.unread);
}
