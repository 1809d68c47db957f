/* SPDX-License-Identifier: Apache-2.0 */
/* test_dbus.c - a server that does not answer; what is said to one that does: test/e2e */

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/apply/dbus.h"
#include "base/cleanup.h"
#include "base/deadline.h"

#define SYSTEMD "/run/systemd/private"

/* Listens in systemd's place, in a mount namespace of the test's
   own, and never accepts. */
static int listen_and_be_silent(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SYSTEMD};
	int fd;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0) {
		cr_skip_test("needs root");
	}
	cr_assert_eq(mkdir("/run/systemd", 0755), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

Test(dbus, who_does_not_answer_is_not_waited_for_longer_than_said)
{
	cleanup(dbus_closep) struct dbus dbus = DBUS_NONE;
	autoclose int fd = listen_and_be_silent();
	struct err err = {0};

	cr_assert_geq(fd, 0);
	cr_expect_eq(dbus_connect(DBUS_SYSTEMD, deadline_clock_ms() + 300, &dbus, &err),
		     -ETIMEDOUT);
	cr_expect_str_eq(err.msg, "'" SYSTEMD "': no answer in time");
}

Test(dbus, at_the_deadline_too_it_is_the_answer_that_has_not_come, .timeout = 20)
{
	cleanup(dbus_closep) struct dbus dbus = DBUS_NONE;
	autoclose int fd = listen_and_be_silent();
	struct err err = {0};

	cr_assert_geq(fd, 0);
	deadline_start(1, 100);
	cr_expect_eq(
		dbus_connect(DBUS_SYSTEMD, deadline_clock_ms() + 100000, &dbus, &err),
		-ETIMEDOUT);
	cr_expect_str_eq(err.msg, "'" SYSTEMD "': no answer in time");
}
