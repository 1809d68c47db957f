/* SPDX-License-Identifier: Apache-2.0 */
/* test_apply.c - what a plan has beside nodes, applied to a process
   with a root of its own */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/apply/apply.h"

#define ROOTFS	 "/tmp/ogh-container"
#define HOSTNAME "/proc/sys/kernel/hostname"
#define OWN	 "/run/oci-gpu-hook/test"

/* A process that stands where a container's does: with a root that is mounted on itself
   and has a procfs. Everything is in mount namespaces that end with the test. */
static _Noreturn void live(int ready_fd)
{
	bool is_made;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	is_made = unshare(CLONE_NEWNS) == 0 &&
		  mount(ROOTFS, ROOTFS, NULL, MS_BIND, NULL) == 0 &&
		  mount("proc", ROOTFS "/proc", "proc", 0, NULL) == 0;
	(void)!write(ready_fd, is_made ? "y" : "n", 1);
	for (;;) {
		(void)pause();
	}
}

static pid_t start(void)
{
	char is_made = 'n';
	int fds[2];
	pid_t pid;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
		cr_skip_test("needs root");
	}
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("tmpfs", "/tmp", "tmpfs", 0, NULL), 0);
	cr_assert_eq(mkdir(ROOTFS, 0755), 0);
	cr_assert_eq(mkdir(ROOTFS "/proc", 0755), 0);
	cr_assert_eq(mkdir(ROOTFS "/etc", 0755), 0);
	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		live(fds[1]);
	}
	cr_assert_eq(read(fds[0], &is_made, 1), 1);
	if (is_made != 'y') {
		cr_skip_test("no procfs can be mounted here");
	}
	return pid;
}

/* The test is in the container's mount namespace afterwards. */
static int apply(struct plan *plan, struct err *warnings, struct err *err)
{
	struct apply_target target = {
		.pid = start(),
		.id = "test",
		.rootfs_path = ROOTFS,
		.host_root_fd = open("/", O_PATH | O_DIRECTORY),
		.warnings = warnings,
	};

	plan->own_dir = strdup(OWN);
	return apply_plan(plan, &target, err);
}

static void read_file(const char *path, char text[static 64])
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, 63);

	cr_assert_geq(n, 0, "%s", path);
	text[n] = '\0';
	(void)close(fd);
}

Test(apply, content_of_ours_is_read_and_cannot_be_changed)
{
	struct err warnings[APPLY_WARNING_COUNT] = {0};
	struct plan plan = {0};
	struct err err = {0};
	char text[64];

	cr_assert_eq(plan_add_file(&plan, HOSTNAME, "ours\n", "test", &err), 0);
	cr_assert_eq(apply(&plan, warnings, &err), 0, "%s", err.msg);
	cr_expect_eq(warnings[APPLY_WARNING_FILE].code, 0);
	read_file(ROOTFS HOSTNAME, text);
	cr_expect_str_eq(text, "ours\n");
	cr_expect_eq(open(ROOTFS HOSTNAME, O_WRONLY), -1);
	cr_expect_eq(errno, EROFS);
	plan_clear(&plan);
}

Test(apply, content_that_somebody_mounted_over_ours_is_refused)
{
	struct err warnings[APPLY_WARNING_COUNT] = {0};
	struct apply_target target = {
		.pid = start(),
		.id = "test",
		.rootfs_path = ROOTFS,
		.host_root_fd = open("/", O_PATH | O_DIRECTORY),
		.warnings = warnings,
	};
	struct plan plan = {.own_dir = strdup(OWN)};
	struct err err = {0};
	int status;
	pid_t pid;

	cr_assert_eq(plan_add_file(&plan, HOSTNAME, "ours\n", "test", &err), 0);
	/* An earlier run, and what happens in the container after it. */
	pid = fork();
	if (pid == 0) {
		bool is_done = apply_plan(&plan, &target, &err) == 0 &&
			       umount(ROOTFS HOSTNAME) == 0 &&
			       mount(ROOTFS "/proc/version", ROOTFS OWN "/.file-0", NULL,
				     MS_BIND, NULL) == 0;

		_exit(is_done ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_expect_eq(apply_plan(&plan, &target, &err), -EEXIST);
	cr_expect_str_eq(err.msg, "look at '" OWN "/.file-0' in the container: it is not "
				  "the file that the hook made; do not mount anything at "
				  "that place");
	plan_clear(&plan);
}

Test(apply, a_failure_brings_the_kernels_file_back)
{
	struct err warnings[APPLY_WARNING_COUNT] = {0};
	struct plan plan = {0};
	struct err err = {0};
	char before[64];
	char after[64];

	read_file(HOSTNAME, before);
	cr_assert_eq(plan_add_file(&plan, HOSTNAME, "ours\n", "test", &err), 0);
	cr_assert_eq(plan_add_file(&plan, "/etc/hostname", "x", "test", &err), 0);
	cr_assert_eq(apply(&plan, warnings, &err), -EINVAL);
	cr_expect_str_eq(err.msg, "plan '/etc/hostname': it is not in /proc");
	read_file(ROOTFS HOSTNAME, after);
	cr_expect_str_eq(after, before);
	cr_expect_eq(access(ROOTFS "/run", F_OK), -1, "a directory is left");
	plan_clear(&plan);
}

Test(apply, one_that_is_not_there_is_a_warning)
{
	struct err warnings[APPLY_WARNING_COUNT] = {0};
	struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_file(&plan, "/proc/driver/none/params", "x", "test", &err),
		     0);
	cr_assert_eq(apply(&plan, warnings, &err), 0, "%s", err.msg);
	cr_expect_str_eq(warnings[APPLY_WARNING_FILE].msg,
			 "file '/proc/driver/none/params' in the container: it is not "
			 "there, so it is left as it is");
	plan_clear(&plan);
}

Test(apply, a_plan_without_a_directory_of_ours_is_refused)
{
	struct err warnings[APPLY_WARNING_COUNT] = {0};
	struct apply_target target = {
		.pid = start(),
		.id = "test",
		.rootfs_path = ROOTFS,
		.host_root_fd = open("/", O_PATH | O_DIRECTORY),
		.warnings = warnings,
	};
	struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_file(&plan, HOSTNAME, "x", "test", &err), 0);
	cr_expect_eq(apply_plan(&plan, &target, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.msg, "file '" HOSTNAME "': there is no directory of our own "
				  "for it");
	plan_clear(&plan);
	cr_assert_eq(plan_add_mount(&plan, "/etc/passwd", "/etc/x", MOUNT_FILE, &err), 0);
	cr_expect_eq(apply_plan(&plan, &target, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.msg, "mount '/etc/x': it is not in a directory of our own");
	plan_clear(&plan);
}

static void expect_refused(enum mount_kind kind, const char *host_path, const char *msg)
{
	struct err warnings[APPLY_WARNING_COUNT] = {0};
	struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_mount(&plan, host_path, OWN "/x", kind, &err), 0);
	cr_expect_lt(apply(&plan, warnings, &err), 0);
	cr_expect_str_eq(err.msg, msg);
	plan_clear(&plan);
}

Test(apply, a_mount_of_what_is_no_file_is_refused)
{
	expect_refused(MOUNT_FILE, "/dev/null",
		       "look at host file '/dev/null': it is not a regular file");
}

Test(apply, a_mount_of_what_is_no_socket_is_refused)
{
	expect_refused(MOUNT_SOCKET, "/etc/passwd",
		       "look at host file '/etc/passwd': it is not a socket");
}
