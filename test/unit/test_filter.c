/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_filter.c - the system call filters, in the kernel
 *
 * What they say of every call is checked by test/lint/check_filters.py with an
 * interpreter; here is what a call's arguments look like when they come from the C
 * library.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter.h"

#define DISK makedev(8, 0)

static char directory[] = "/tmp/test-filter-XXXXXX";
static int dir_fd = -1;

static void make_directory(void)
{
	cr_assert_neq(mkdtemp(directory), NULL);
	dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir_fd, 0);
}

static void remove_directory(void)
{
	(void)unlinkat(dir_fd, "made", 0);
	(void)close(dir_fd);
	(void)rmdir(directory);
}

TestSuite(filter, .init = make_directory, .fini = remove_directory);

/* Starts a process that has the filter of a phase; none if that is FILTER_COUNT. */
static pid_t start(enum filter_phase phase)
{
	struct err err = {0};
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0 && phase != FILTER_COUNT &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	     filter_load(phase, &err) < 0)) {
		_exit(255);
	}
	return pid;
}

static int result_of(pid_t pid)
{
	int status = 0;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* What mknodat() comes to: 0 or errno. */
static int make(enum filter_phase phase, mode_t mode, dev_t number)
{
	pid_t pid = start(phase);
	int result;

	if (pid == 0) {
		_exit(mknodat(dir_fd, "made", mode, number) < 0 ? errno : 0);
	}
	result = result_of(pid);
	(void)unlinkat(dir_fd, "made", 0);
	return result;
}

/* Of a name that is not there. */
static int unmount(enum filter_phase phase, int flags)
{
	pid_t pid = start(phase);

	if (pid == 0) {
		_exit(fchdir(dir_fd) < 0 || umount2("absent", flags) < 0 ? errno : 0);
	}
	return result_of(pid);
}

static int send_to(enum filter_phase phase, const struct sockaddr_un *address)
{
	socklen_t len = address ? sizeof(*address) : 0;
	int fds[2];
	pid_t pid;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	pid = start(phase);
	if (pid == 0) {
		ssize_t n =
			sendto(fds[0], "x", 1, 0, (const struct sockaddr *)address, len);

		_exit(n < 0 ? errno : 0);
	}
	(void)close(fds[0]);
	(void)close(fds[1]);
	return result_of(pid);
}

static void need_filter(void)
{
	if (!HAS_FILTER) {
		cr_skip_test("built without filters");
	}
}

Test(filter, a_fifo_can_be_made_before_and_not_behind_it)
{
	need_filter();
	cr_expect_eq(make(FILTER_COUNT, S_IFIFO | 0600, 0), 0);
	cr_expect_eq(make(FILTER_HOST, S_IFIFO | 0600, 0), EPERM);
}

Test(filter, an_empty_file_for_all_to_read_can_be_made_on_the_host_side_alone)
{
	need_filter();
	cr_expect_eq(make(FILTER_HOST, S_IFREG | 0444, 0), 0);
	cr_expect_eq(make(FILTER_HOST, S_IFREG | 0644, 0), EPERM);
	cr_expect_eq(make(FILTER_CONTAINER, S_IFREG | 0444, 0), EPERM);
}

Test(filter, a_character_device_of_ours_can_be_made_and_no_block_device)
{
	need_filter();
	if (make(FILTER_COUNT, S_IFBLK | 0600, DISK) != 0) {
		cr_skip_test("needs CAP_MKNOD");
	}
	cr_expect_eq(make(FILTER_HOST, S_IFCHR | 0600, DISK), 0);
	cr_expect_eq(make(FILTER_HOST, S_IFCHR | 0666, DISK), EPERM);
	cr_expect_eq(make(FILTER_HOST, S_IFBLK | 0600, DISK), EPERM);
	cr_expect_eq(make(FILTER_CONTAINER, S_IFCHR | 0600, DISK), EPERM);
}

Test(filter, a_mount_goes_without_following_links_alone)
{
	need_filter();
	cr_expect_eq(unmount(FILTER_COUNT, MNT_DETACH), ENOENT);
	cr_expect_eq(unmount(FILTER_CONTAINER, MNT_DETACH | UMOUNT_NOFOLLOW), ENOENT);
	cr_expect_eq(unmount(FILTER_CONTAINER, MNT_DETACH), EPERM);
	cr_expect_eq(unmount(FILTER_HOST, 0), EPERM);
}

Test(filter, what_is_sent_goes_to_the_peer_alone)
{
	const struct sockaddr_un absent = {.sun_family = AF_UNIX, .sun_path = "/absent"};

	need_filter();
	cr_expect_eq(send_to(FILTER_COUNT, &absent), ENOENT);
	cr_expect_eq(send_to(FILTER_HOST, NULL), 0);
	cr_expect_eq(send_to(FILTER_HOST, &absent), EPERM);
	cr_expect_eq(send_to(FILTER_CONTAINER, &absent), EPERM);
}
