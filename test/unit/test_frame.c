/* SPDX-License-Identifier: Apache-2.0 */
/* test_frame.c - messages of known length: when all is said, and when it is not */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/frame.h"

#define DEADLINE_MS 10000

static int fds[2];

static void make_pipe(void)
{
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
}

TestSuite(frame, .init = make_pipe);

static void say(uint32_t len, const char *text)
{
	cr_assert_eq(write(fds[1], &len, sizeof(len)), (ssize_t)sizeof(len));
	cr_assert_eq(write(fds[1], text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_error(size_t n, size_t max, int deadline_ms, int code, const char *msg)
{
	struct bytes bytes = {0};
	struct err err = {0};

	cr_expect_eq(frames_read(fds[0], "it", n, max, deadline_ms, &bytes, &err), -code);
	cr_expect_str_eq(err.msg, msg);
	cr_expect_null(bytes.data);
}

/* The other end stays open: who waits for it waits until the deadline. */
Test(frame, all_is_there_before_the_other_side_ends)
{
	struct bytes bytes = {0};
	struct err err = {0};
	long long start_ms = deadline_clock_ms();

	cr_assert_eq(frame_write(fds[1], "one", 3), 0);
	cr_assert_eq(frame_write(fds[1], "", 0), 0);
	cr_assert_eq(frame_write(fds[1], "three", 5), 0);
	cr_assert_eq(frames_read(fds[0], "it", 3, 8, DEADLINE_MS, &bytes, &err), 0, "%s",
		     err.msg);
	cr_expect_lt(deadline_clock_ms() - start_ms, DEADLINE_MS);
	cr_expect_eq(bytes.len, 8);
	cr_expect_str_eq(bytes.data, "onethree");
	bytes_clear(&bytes);
}

/* A pipe takes 64 KiB. */
Test(frame, a_large_one_is_written_and_read_piece_by_piece)
{
	enum { LEN = 1000000 };
	static char data[LEN];
	struct bytes bytes = {0};
	struct err err = {0};
	pid_t child;

	memset(data, 'x', LEN);
	child = fork();
	if (child == 0) {
		_exit(frame_write(fds[1], data, LEN) == 0 ? 0 : 1);
	}
	cr_assert_eq(frames_read(fds[0], "it", 1, LEN, DEADLINE_MS, &bytes, &err), 0,
		     "%s", err.msg);
	cr_expect_eq(bytes.len, LEN);
	cr_expect_eq(memcmp(bytes.data, data, LEN), 0);
	bytes_clear(&bytes);
	(void)waitpid(child, NULL, 0);
}

Test(frame, one_that_is_cut_off_is_none)
{
	say(4, "one");
	(void)close(fds[1]);
	expect_error(1, 100, DEADLINE_MS, EBADMSG, "read it: it is not one");
}

Test(frame, one_too_few_is_waited_for_and_missed)
{
	say(3, "one");
	expect_error(2, 100, 50, ETIMEDOUT, "read it: Connection timed out");
}

Test(frame, nothing_at_all_is_none)
{
	(void)close(fds[1]);
	expect_error(1, 100, DEADLINE_MS, EBADMSG, "read it: it is not one");
}

Test(frame, one_too_many_is_refused)
{
	say(3, "one");
	say(3, "two");
	expect_error(1, 100, DEADLINE_MS, EBADMSG, "read it: it is not one");
}

Test(frame, a_length_beyond_all_bounds_is_no_length)
{
	say(UINT32_MAX, "one");
	(void)close(fds[1]);
	expect_error(2, 100, DEADLINE_MS, EBADMSG, "read it: it is not one");
}

Test(frame, more_than_the_limit_is_refused)
{
	say(3, "one");
	say(3, "two");
	expect_error(2, 5, DEADLINE_MS, E2BIG, "read it: larger than 13 bytes");
}
