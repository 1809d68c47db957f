/* SPDX-License-Identifier: Apache-2.0 */
/* test_deadline.c - the run is given up in time, and killed if it does not give up */

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/deadline.h"

Test(deadline, before_it_nothing_fails)
{
	struct err err = {0};

	deadline_start(100, 100);
	cr_expect_not(deadline_has_passed());
	cr_expect_eq(deadline_check("do it", &err), 0);
	cr_expect_eq(err.code, 0);
}

Test(deadline, at_it_a_call_that_waits_is_interrupted_and_the_check_fails)
{
	struct err err = {0};
	int fds[2];
	char c;

	cr_assert_eq(pipe(fds), 0);
	deadline_start(1, 100);
	cr_expect_lt(read(fds[0], &c, 1), 0);
	cr_expect_eq(errno, EINTR);
	cr_expect(deadline_has_passed());
	cr_expect_eq(deadline_check("do it", &err), -ETIMEDOUT);
	cr_expect_str_eq(
		err.msg,
		"do it: out of time; see the kernel's log for a device or a file "
		"system that does not answer");
}

Test(deadline, after_the_grace_the_program_is_killed, .signal = SIGALRM)
{
	deadline_start(1, 1);
	for (;;) {
		(void)pause();
	}
}
