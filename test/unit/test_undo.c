/* SPDX-License-Identifier: Apache-2.0 */
/* test_undo.c - changes are taken back in reverse, all of them, and misses are told */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backend/apply/undo.h"

struct trace {
	char text[64];
};

static int append_name(const struct undo_record *record)
{
	struct trace *trace = (struct trace *)(uintptr_t)record->change;
	size_t used = strlen(trace->text);

	(void)snprintf(trace->text + used, sizeof(trace->text) - used, "%s",
		       record->name);
	return record->fd;
}

static void push(struct undo_log *log, struct trace *trace, const char *name, int result)
{
	const struct undo_record record = {
		.revert = append_name,
		.name = name,
		.fd = result,
		.change = trace,
	};

	undo_log_push(log, &record);
}

Test(undo, the_last_change_is_taken_back_first)
{
	cleanup(undo_log_clearp) struct undo_log log = {0};
	struct trace trace = {0};
	struct err err = {.code = EIO, .msg = "mount: Input/output error"};

	undo_log_reserve(&log, 1);
	undo_log_reserve(&log, 2);
	push(&log, &trace, "a", 0);
	push(&log, &trace, "b", 0);
	push(&log, &trace, "c", 0);
	undo_log_revert(&log, &err);
	cr_expect_str_eq(trace.text, "cba");
	cr_expect_str_eq(err.msg, "mount: Input/output error",
			 "the failure's own message");
	cr_expect_eq(log.n, 0);
}

Test(undo, a_record_that_fails_does_not_stop_the_others_and_is_told)
{
	cleanup(undo_log_clearp) struct undo_log log = {0};
	struct trace trace = {0};
	struct err err = {.code = EIO, .msg = "mount: Input/output error"};

	undo_log_reserve(&log, 3);
	push(&log, &trace, "a", -EBUSY);
	push(&log, &trace, "b", 0);
	push(&log, &trace, "c", -EPERM);
	undo_log_revert(&log, &err);
	cr_expect_str_eq(trace.text, "cba");
	cr_expect_str_eq(err.msg,
			 "mount: Input/output error; and 2 changes could not be taken "
			 "back (Operation not permitted)");
}

Test(undo, a_long_message_gives_way_to_what_is_left)
{
	static const char end[] =
		"x; and 1 changes could not be taken back (Device or resource busy)";
	cleanup(undo_log_clearp) struct undo_log log = {0};
	struct trace trace = {0};
	struct err err = {.code = EIO};

	memset(err.msg, 'x', sizeof(err.msg) - 1);
	undo_log_reserve(&log, 1);
	push(&log, &trace, "a", -EBUSY);
	undo_log_revert(&log, &err);
	cr_assert_eq(strlen(err.msg), sizeof(err.msg) - 1);
	cr_expect_str_eq(err.msg + sizeof(err.msg) - sizeof(end), end);
}

Test(undo, files_and_directories_are_removed)
{
	char path[] = "/tmp/undo-XXXXXX";
	struct undo_record record = {0};
	struct stat st;
	int dir_fd;
	int fd;

	cr_assert_not_null(mkdtemp(path));
	dir_fd = open(path, O_PATH | O_DIRECTORY);
	cr_assert_eq(mkdirat(dir_fd, "dri", 0755), 0);
	fd = openat(dir_fd, "kfd", O_CREAT | O_WRONLY, 0600);
	cr_assert_geq(fd, 0);
	(void)close(fd);
	record.fd = dir_fd;
	record.name = "kfd";
	cr_expect_eq(undo_revert_file(&record), 0);
	cr_expect_lt(fstatat(dir_fd, "kfd", &st, 0), 0);
	record.name = "dri";
	cr_expect_eq(undo_revert_dir(&record), 0);
	cr_expect_lt(fstatat(dir_fd, "dri", &st, 0), 0);
	cr_expect_eq(undo_revert_dir(&record), -ENOENT);
	(void)close(dir_fd);
	(void)rmdir(path);
}

Test(undo, without_memory_the_log_is_as_it_was)
{
	cleanup(undo_log_clearp) struct undo_log log = {0};
	struct trace trace = {0};
	struct err err = {0};
	volatile size_t too_many = SIZE_MAX / 2;

	undo_log_reserve(&log, 1);
	push(&log, &trace, "a", 0);
	cr_expect_eq(undo_log_try_reserve(&log, too_many), -ENOMEM);
	cr_expect_eq(undo_log_try_reserve(&log, 1), 0);
	push(&log, &trace, "b", 0);
	undo_log_revert(&log, &err);
	cr_expect_str_eq(trace.text, "ba");
}
