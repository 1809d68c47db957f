/* SPDX-License-Identifier: Apache-2.0 */
/* test_files.c - lib/host/files.c */

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "host/files.h"
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

TestSuite(files, .init = start, .fini = stop);

static void expect_file(const struct host *host, const char *path, const char *real)
{
	autofree char *found = NULL;

	cr_assert_eq(host_find_file(host, path, S_IFREG, &found), 0, "%s", path);
	cr_expect_str_eq(found, real);
}

Test(files, links_are_followed_to_the_real_path)
{
	made_file(&made, "/usr/lib/nvidia/current/nvidia-smi", "x");
	made_link(&made, "/etc/alternatives/smi", "/usr/lib/nvidia/current/nvidia-smi");
	made_link(&made, "/usr/bin/nvidia-smi", "../../etc/alternatives/smi");
	expect_file(&made.host, "/usr/bin/nvidia-smi",
		    "/usr/lib/nvidia/current/nvidia-smi");
}

Test(files, links_do_not_lead_out_of_the_root)
{
	made_file(&made, "/etc/inside", "x");
	made_link(&made, "/a", "../../../../../../etc/inside");
	made_link(&made, "/b", "/etc/passwd");
	expect_file(&made.host, "/a", "/etc/inside");
	cr_expect_eq(host_find_file(&made.host, "/b", S_IFREG, &(char *){NULL}), -ENOENT);
}

Test(files, another_type_is_an_error)
{
	made_dir(&made, "/dir");
	made_file(&made, "/file", "x");
	cr_expect_eq(host_find_file(&made.host, "/dir", S_IFREG, &(char *){NULL}),
		     -EINVAL);
	cr_expect_eq(host_find_file(&made.host, "/file", S_IFSOCK, &(char *){NULL}),
		     -EINVAL);
}

/* Its directory is its daemon's, and a container may connect to what is found. */
Test(files, socket_may_not_be_a_link)
{
	autofree char *path = xasprintf("%s/run/d/socket", made.root);
	autofree char *found = NULL;
	autofree char *again = NULL;

	made_dir(&made, "/run/d");
	cr_assert_eq(mknod(path, S_IFSOCK | 0666, 0), 0);
	made_link(&made, "/run/link", "d/socket");
	cr_assert_eq(host_find_file(&made.host, "/run/d/socket", S_IFSOCK, &found), 0);
	cr_expect_str_eq(found, "/run/d/socket");
	cr_expect_eq(host_find_file(&made.host, "/run/link", S_IFSOCK, &(char *){NULL}),
		     -ELOOP);
	/* A directory's link is the system's: /var/run. */
	made_link(&made, "/var/run", "../run");
	cr_assert_eq(host_find_file(&made.host, "/var/run/d/socket", S_IFSOCK, &again),
		     0);
	cr_expect_str_eq(again, "/run/d/socket");
}

/* The daemon has more than one directory, or replaces one that it has. */
Test(files, no_directory_may_be_somebody_elses_link)
{
	static const char *const paths[] = {"/run/d/sub/secret", "/run/d/absolute/secret",
					    "/usr/link/secret"};
	autofree char *dir = xasprintf("%s/run/d", made.root);
	autofree char *socket = xasprintf("%s/run/other/socket", made.root);

	made_file(&made, "/root/secret", "x");
	made_dir(&made, "/run/other");
	cr_assert_eq(mknod(socket, S_IFSOCK | 0666, 0), 0);
	made_link(&made, "/run/d/sub", "../../root");
	made_link(&made, "/run/d/absolute", "/root");
	made_link(&made, "/run/d/other", "/run/other");
	made_link(&made, "/usr/link", "/run/d/sub");
	cr_assert_eq(chown(dir, 999, 999), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		cr_expect_eq(host_open_file(&made.host, paths[i], &(char *){NULL}),
			     -ELOOP, "%s", paths[i]);
	}
	cr_expect_eq(host_find_file(&made.host, "/run/d/other/socket", S_IFSOCK,
				    &(char *){NULL}),
		     -ELOOP);
}

Test(files, links_of_the_system_are_followed_wherever_they_are)
{
	static const char *const paths[] = {
		"/l1/file", "/a/../l1/./file", "//l2/sub/../file", "/l3", "/a/up/a/file",
	};

	made_file(&made, "/a/file", "x");
	made_dir(&made, "/a/sub");
	made_link(&made, "/l1", "a");
	made_link(&made, "/l2", "/l1/");
	made_link(&made, "/l3", "l2//file");
	made_link(&made, "/a/up", "../../..");
	made_link(&made, "/round", "round2");
	made_link(&made, "/round2", "/round");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		autofree char *path = NULL;
		autoclose int fd = host_open_file(&made.host, paths[i], &path);

		cr_assert_geq(fd, 0, "%s: %s", paths[i], strerror(-fd));
		cr_expect_str_eq(path, "/a/file");
	}
	cr_expect_eq(host_open_file(&made.host, "/round", &(char *){NULL}), -ELOOP);
	cr_expect_eq(host_open_file(&made.host, "/l1/none", &(char *){NULL}), -ENOENT);
}

/* A driver container's absolute links mean its own root; the real path is the host's. */
Test(files, root_of_a_driver_container)
{
	cleanup(host_closep) struct host root = {.root_fd = -1};

	made_file(&made, "/run/nvidia/driver/usr/lib/libcuda.so.1", "x");
	made_link(&made, "/run/nvidia/driver/usr/lib/libcuda.so",
		  "/usr/lib/libcuda.so.1");
	cr_assert_eq(host_open_root(&made.host, "/run/nvidia/driver", &root), 0);
	expect_file(&root, "/usr/lib/libcuda.so",
		    "/run/nvidia/driver/usr/lib/libcuda.so.1");
}

Test(files, file_of_a_directory_by_its_real_path)
{
	cleanup(host_closep) struct host root = {.root_fd = -1};
	cleanup(host_dir_closep) struct host_dir dir = {.fd = -1};
	autofree char *plain = NULL;
	autofree char *linked = NULL;
	int plain_fd;
	int linked_fd;

	made_file(&made, "/drv/usr/lib64/liba.so", "x");
	made_file(&made, "/drv/opt/libb.so", "x");
	made_link(&made, "/drv/usr/lib64/libb.so", "/opt/libb.so");
	made_link(&made, "/drv/lib64", "usr/lib64");
	cr_assert_eq(host_open_root(&made.host, "/drv", &root), 0);
	cr_assert_eq(host_dir_open(&root, "/lib64", &dir), 0);
	cr_expect_str_eq(dir.path, "/drv/usr/lib64");
	plain_fd = host_dir_open_file(&dir, "liba.so", &plain);
	linked_fd = host_dir_open_file(&dir, "libb.so", &linked);
	cr_assert(plain_fd >= 0 && linked_fd >= 0);
	cr_expect_str_eq(plain, "/drv/usr/lib64/liba.so");
	cr_expect_str_eq(linked, "/drv/opt/libb.so");
	close_keep_errno(plain_fd);
	close_keep_errno(linked_fd);
}

/* A FIFO without a writer must not stop us. */
Test(files, fifo_is_no_file, .timeout = 10)
{
	cleanup(host_dir_closep) struct host_dir dir = {.fd = -1};
	autofree char *path = xasprintf("%s/fifo", made.root);

	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(host_dir_open(&made.host, "/", &dir), 0);
	cr_expect_eq(host_dir_open_file(&dir, "fifo", &(char *){NULL}), -EINVAL);
}

Test(files, file_is_opened_by_its_real_path)
{
	autofree char *path = NULL;
	autoclose int fd = -1;

	made_file(&made, "/a/file", "x");
	made_link(&made, "/b", "a/file");
	made_dir(&made, "/dir");
	fd = host_open_file(&made.host, "/b", &path);
	cr_assert_geq(fd, 0);
	cr_expect_str_eq(path, "/a/file");
	cr_expect_eq(host_open_file(&made.host, "/dir", &(char *){NULL}), -EINVAL);
	cr_expect_eq(host_open_file(&made.host, "/none", &(char *){NULL}), -ENOENT);
}

/* Whoever may write there could have it lead to what root alone may read. */
Test(files, link_in_somebody_elses_directory_is_not_followed)
{
	autofree char *dir = xasprintf("%s/run/d", made.root);
	autofree char *path = NULL;
	autoclose int fd = -1;

	made_file(&made, "/etc/secret", "x");
	made_file(&made, "/run/d/file", "x");
	made_link(&made, "/run/d/link", "/etc/secret");
	cr_assert_eq(chmod(dir, 0777), 0);
	cr_expect_eq(host_open_file(&made.host, "/run/d/link", &(char *){NULL}), -ELOOP);
	fd = host_open_file(&made.host, "/run/d/file", &path);
	cr_expect_geq(fd, 0, "its own files are its own");
}
