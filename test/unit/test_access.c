/* SPDX-License-Identifier: Apache-2.0 */
/* test_access.c - which level is named, of those that deny */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/apply/access.h"
#include "base/deadline.h"

Test(access, the_first_level_that_denies_stays)
{
	struct node_access node = {0};

	access_note(&node, ACCESS_PERMISSION, "mode %04o", 0600U);
	access_note(&node, ACCESS_CGROUP, "a cgroup");
	access_note(&node, ACCESS_UNSEEN, "hidden");
	cr_expect_eq(node.level, ACCESS_PERMISSION);
	cr_expect_str_eq(node.why, "mode 0600");
	free(node.why);
}

Test(access, what_denies_outweighs_what_is_not_seen)
{
	struct node_access node = {0};

	access_note(&node, ACCESS_UNSEEN, "hidden");
	access_note(&node, ACCESS_UNSEEN, "hidden too");
	cr_expect_eq(node.level, ACCESS_UNSEEN);
	cr_expect_str_eq(node.why, "hidden");
	access_note(&node, ACCESS_CGROUP, "a cgroup");
	cr_expect_eq(node.level, ACCESS_CGROUP);
	cr_expect_str_eq(node.why, "a cgroup");
	free(node.why);
}

Test(access, our_own_process_lacks_a_node_that_nobody_has)
{
	cleanup(plan_clearp) struct plan plan = {0};
	cleanup(access_clearp) struct access access = {0};
	char path[] = "/dev/no such node";
	const struct device_node node = {.path = path, .major = 226, .minor = 128};
	struct err err = {0};

	cr_assert_eq(plan_add_node(&plan, &node, &err), 0);
	cr_assert_eq(access_look(&plan, getpid(), &access, &err), 0, "%s", err.msg);
	cr_assert_eq(access.n_nodes, 1);
	cr_expect_eq(access.nodes[0].level, ACCESS_NODE);
	cr_expect_str_eq(access.nodes[0].why, "'/dev/no such node' is not there");
}

Test(access, a_process_that_is_gone_is_esrch)
{
	struct plan plan = {0};
	struct access access = {0};
	struct err err = {0};

	/* Beyond PID_MAX_LIMIT. */
	cr_expect_eq(access_look(&plan, 4194305, &access, &err), -ESRCH);
	cr_expect_null(access.nodes);
}

/* A FUSE file system, whose server is us and does not answer. */
Test(access, a_file_system_that_does_not_answer_ends_at_the_deadline)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct access access = {0};
	char path[] = "/tmp/gpu/node";
	const struct device_node node = {.path = path, .major = 226, .minor = 128};
	char options[64];
	char msg[128];
	struct err err = {0};
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	(void)snprintf(options, sizeof(options),
		       "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("fuse", "/tmp", "fuse", 0, options) < 0) {
		cr_skip_test("needs root and FUSE");
	}
	cr_assert_eq(plan_add_node(&plan, &node, &err), 0);
	deadline_start(1, 5);
	cr_expect_eq(access_look(&plan, getpid(), &access, &err), -ETIMEDOUT);
	(void)snprintf(msg, sizeof(msg),
		       "look at process %d: out of time; a file system in the container "
		       "does not answer",
		       getpid());
	cr_expect_str_eq(err.msg, msg);
	cr_expect_eq(waitpid(-1, NULL, 0), -1, "a child is left");
	cr_expect_eq(errno, ECHILD);
}
