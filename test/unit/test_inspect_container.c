/* SPDX-License-Identifier: Apache-2.0 */
/* test_inspect_container.c - lib/stage/inspect_container.c */

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "made_host.h"
#include "stage/inspect_container.h"

#ifdef __aarch64__
#define TRIPLE	  "aarch64-linux-gnu"
#define TRIPLE_32 "arm-linux-gnueabihf"
#define LOADER	  "/lib/ld-linux-aarch64.so.1"
#define LOADER_32 "/lib/ld-linux-armhf.so.3"
#define MUSL	  "/lib/ld-musl-aarch64.so.1"
#else
#define TRIPLE	  "x86_64-linux-gnu"
#define TRIPLE_32 "i386-linux-gnu"
#define LOADER	  "/lib64/ld-linux-x86-64.so.2"
#define LOADER_32 "/lib/ld-linux.so.2"
#define MUSL	  "/lib/ld-musl-x86_64.so.1"
#endif

static struct made_host made;
static struct container ctr;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	made_host_free(&made);
}

TestSuite(inspect_container, .init = start, .fini = stop);

static void touch(const char *path)
{
	made_file(&made, path, "x");
}

static void expect(const char *dir, const char *dir_32)
{
	ctr = (struct container){0};
	inspect_container(made.root, false, &ctr);
	cr_assert_not_null(ctr.library_dir, "%s", ctr.no_library_reason);
	cr_expect_str_eq(ctr.library_dir, dir);
	cr_expect_null(ctr.no_library_reason);
	if (dir_32) {
		cr_assert_not_null(ctr.library_dir_32);
		cr_expect_str_eq(ctr.library_dir_32, dir_32);
	} else {
		cr_expect_null(ctr.library_dir_32);
	}
}

static void expect_none(const char *reason)
{
	ctr = (struct container){0};
	inspect_container(made.root, false, &ctr);
	cr_expect_null(ctr.library_dir);
	cr_expect_null(ctr.library_dir_32);
	cr_assert_not_null(ctr.no_library_reason);
	cr_expect(strstr(ctr.no_library_reason, reason), "%s", ctr.no_library_reason);
}

Test(inspect_container, multiarch)
{
	touch(LOADER);
	touch("/usr/lib/" TRIPLE "/libc.so.6");
	expect("/usr/lib/" TRIPLE, NULL);
}

Test(inspect_container, multiarch_before_a_merged_usr)
{
	touch(LOADER);
	touch("/lib/" TRIPLE "/libc.so.6");
	expect("/lib/" TRIPLE, NULL);
	made_dir(&made, "/usr/lib/" TRIPLE);
	expect("/usr/lib/" TRIPLE, NULL);
}

Test(inspect_container, lib64)
{
	touch(LOADER);
	touch("/usr/lib64/libc.so.6");
	/* Of 32 bits, as such systems have it; without a loader nobody uses it. */
	touch("/usr/lib/libc.so.6");
	expect("/usr/lib64", NULL);
}

Test(inspect_container, everything_in_usr_lib)
{
	touch(LOADER);
	touch("/usr/lib/libc.so.6");
	expect("/usr/lib", NULL);
}

Test(inspect_container, programs_of_32_bits_beside)
{
	touch(LOADER);
	touch(LOADER_32);
	touch("/usr/lib/" TRIPLE "/libc.so.6");
	touch("/usr/lib/" TRIPLE_32 "/libc.so.6");
	expect("/usr/lib/" TRIPLE, "/usr/lib/" TRIPLE_32);
}

Test(inspect_container, links_are_followed_in_the_root)
{
	touch("/usr" LOADER);
	made_link(&made, "/lib", "/usr/lib");
	made_link(&made, "/lib64", "../../../usr/lib64");
	made_link(&made, "/usr/lib/" TRIPLE "/libc.so.6", "/opt/libc-2.31.so");
	touch("/opt/libc-2.31.so");
	expect("/usr/lib/" TRIPLE, NULL);
}

/* The machine's own loader and C library are where these lead, outside of the root. */
Test(inspect_container, links_out_of_the_root_lead_nowhere)
{
	made_link(&made, "/lib", "../../../../../../../../lib");
	made_link(&made, "/lib64", "/proc/self/root/lib64");
	expect_none("no glibc");
}

Test(inspect_container, musl)
{
	touch(MUSL);
	expect_none("musl");
	/* Debian's package musl beside glibc: glibc is what programs use. */
	touch(LOADER);
	touch("/usr/lib/" TRIPLE "/libc.so.6");
	expect("/usr/lib/" TRIPLE, NULL);
}

/* Alpine's gcompat has a loader by glibc's name, and no glibc. */
Test(inspect_container, musl_with_glibcs_loader)
{
	touch(MUSL);
	touch(LOADER);
	expect_none("musl");
}

Test(inspect_container, directories_and_fifos_by_the_names_are_none, .timeout = 10)
{
	autofree char *loader = xasprintf("%s" LOADER, made.root);

	touch("/usr/lib/" TRIPLE "/libc.so.6");
	made_dir(&made, LOADER);
	expect_none("no glibc");
	cr_assert_eq(rmdir(loader), 0);
	cr_assert_eq(mkfifo(loader, 0600), 0);
	expect_none("no glibc");
}

Test(inspect_container, empty_root)
{
	expect_none("no glibc");
}

Test(inspect_container, root_that_is_not_there)
{
	inspect_container("/nowhere/rootfs", false, &ctr);
	cr_expect_null(ctr.library_dir);
	cr_expect_str_eq(ctr.no_library_reason,
			 "its root cannot be looked into from here");
}

Test(inspect_container, no_container_is_debian)
{
	inspect_no_container(&ctr);
	cr_expect_str_eq(ctr.library_dir, "/usr/lib/" TRIPLE);
	cr_expect_null(ctr.library_dir_32);
}

/* It could make the mounts writable: they are not locked in a namespace
   that was there before. */
Test(inspect_container, with_the_hosts_root_in_its_namespace_gets_no_files)
{
	touch(LOADER);
	touch("/usr/lib/" TRIPLE "/libc.so.6");
	ctr = (struct container){.has_user_namespace = true};
	id_map_add(&ctr.uid_map, 1, 100000, 1000);
	inspect_container(made.root, false, &ctr);
	cr_expect_not_null(ctr.library_dir);

	ctr.library_dir = NULL;
	id_map_add(&ctr.uid_map, 5, 0, 1);
	inspect_container(made.root, false, &ctr);
	cr_expect_null(ctr.library_dir);
	cr_assert_str_eq(ctr.no_library_reason,
			 "its user namespace has the host's root, who could write the "
			 "host's files; map other ids (podman --userns auto)");

	/* Of an ordinary user 0 is the user, whose the files are not. */
	ctr.no_library_reason = NULL;
	inspect_container(made.root, true, &ctr);
	cr_expect_not_null(ctr.library_dir);
	container_clear(&ctr);
}
