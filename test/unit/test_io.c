/* SPDX-License-Identifier: Apache-2.0 */
/* test_io.c - whole files and streams, never more than allowed,
   never later than allowed */

#include "base/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int file_with(const char *data, size_t len)
{
	int fd = memfd_create("test_io", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static char *pattern(size_t len)
{
	char *data = malloc(len);

	cr_assert_not_null(data);
	for (size_t i = 0; i < len; i++) {
		data[i] = (char)(i * 7 + i / 251);
	}
	return data;
}

static long long now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

Test(io, a_file_comes_whole_with_a_nul_behind_it)
{
	int fd = file_with("a\0b\n", 4);
	struct bytes bytes = {0};
	struct err err = {0};

	cr_assert_eq(read_all(fd, "f", 100, -1, &bytes, &err), 0, "%s", err.msg);
	cr_assert_eq(bytes.len, 4);
	cr_assert_eq(memcmp(bytes.data, "a\0b\n", 5), 0);
	bytes_clear(&bytes);
	cr_assert_null(bytes.data);
	cr_assert_eq(bytes.len, 0);
	bytes_clear(&bytes);
	close(fd);
}

Test(io, an_empty_file_gives_an_empty_text)
{
	int fd = file_with("", 0);
	struct bytes bytes = {0};
	struct err err = {0};

	cr_assert_eq(read_all(fd, "f", 100, -1, &bytes, &err), 0);
	cr_assert_eq(bytes.len, 0);
	cr_assert_str_eq(bytes.data, "");
	bytes_clear(&bytes);
	close(fd);
}

Test(io, sizes_round_the_first_read_come_whole)
{
	static const size_t sizes[] = {1,     4095,  65534,  65535,
				       65536, 65537, 131072, 300001};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *data = pattern(sizes[i]);
		int fd = file_with(data, sizes[i]);
		struct bytes bytes = {0};
		struct err err = {0};

		cr_assert_eq(read_all(fd, "f", 1 << 20, -1, &bytes, &err), 0);
		cr_assert_eq(bytes.len, sizes[i]);
		cr_assert_eq(memcmp(bytes.data, data, sizes[i]), 0);
		cr_assert_eq(bytes.data[sizes[i]], '\0');
		bytes_clear(&bytes);
		close(fd);
		free(data);
	}
}

Test(io, the_limit_itself_is_allowed_and_one_byte_more_is_e2big)
{
	static const size_t limits[] = {0, 1, 10, 65535, 65536, 65537, 200000};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		size_t max = limits[i];
		char *data = pattern(max + 1);
		int exact_fd = file_with(data, max);
		int over_fd = file_with(data, max + 1);
		struct bytes bytes = {0};
		struct err err = {0};
		char want[100];

		cr_assert_eq(read_all(exact_fd, "f", max, -1, &bytes, &err), 0, "%zu: %s",
			     max, err.msg);
		cr_assert_eq(bytes.len, max);
		bytes_clear(&bytes);

		cr_assert_eq(read_all(over_fd, "f", max, -1, &bytes, &err), -E2BIG, "%zu",
			     max);
		cr_assert_eq(err.code, E2BIG);
		(void)snprintf(want, sizeof(want), "read f: larger than %zu bytes", max);
		cr_assert_str_eq(err.msg, want);
		cr_assert_null(bytes.data);
		close(exact_fd);
		close(over_fd);
		free(data);
	}
}

Test(io, a_sparse_file_of_many_gigabytes_is_e2big_at_once)
{
	int fd = memfd_create("test_io", MFD_CLOEXEC);
	struct bytes bytes = {0};
	struct err err = {0};

	cr_assert_eq(ftruncate(fd, 1LL << 40), 0);
	cr_assert_eq(read_all(fd, "f", 100000, -1, &bytes, &err), -E2BIG);
	close(fd);
}

Test(io, a_file_that_says_it_is_empty_is_still_read)
{
	/* Files of procfs have size 0. */
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct bytes bytes = {0};
	struct err err = {0};

	cr_assert_geq(fd, 0);
	cr_assert_eq(read_all(fd, "f", 1 << 20, -1, &bytes, &err), 0);
	cr_assert_eq(strncmp(bytes.data, "Name:", 5), 0);
	bytes_clear(&bytes);
	close(fd);
}

Test(io, a_failing_read_names_what_was_read)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	struct bytes bytes = {0};
	struct err err = {0};

	cr_assert_eq(read_all(fd, "the state", 100, -1, &bytes, &err), -EISDIR);
	cr_assert_eq(err.code, EISDIR);
	cr_assert_str_eq(err.msg, "read the state: Is a directory");
	cr_assert_null(bytes.data);
	close(fd);
}

Test(io, a_pipe_in_pieces_comes_whole)
{
	struct bytes bytes = {0};
	struct err err = {0};
	int fds[2];
	pid_t child;

	cr_assert_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		(void)close(fds[0]);
		for (int i = 0; i < 5; i++) {
			(void)!write(fds[1], "abc", 3);
			usleep(2000);
		}
		_exit(0);
	}
	close(fds[1]);
	cr_assert_eq(read_all(fds[0], "p", 100, 10000, &bytes, &err), 0, "%s", err.msg);
	cr_assert_str_eq(bytes.data, "abcabcabcabcabc");
	bytes_clear(&bytes);
	close(fds[0]);
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

/* So that what malloc() gives is not zero by chance. A sanitizer's
   malloc() ignores it. */
static void leave_dirt_on_the_heap(void)
{
	size_t len = 1 << 20;
	void *dirt;

	(void)mallopt(M_MMAP_THRESHOLD, 1 << 24);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 24);
	dirt = malloc(len);
	cr_assert_not_null(dirt);
	for (size_t i = 0; i < len; i++) {
		((volatile char *)dirt)[i] = 'x';
	}
	free(dirt);
}

/* The buffer has to grow for it. */
Test(io, a_large_stream_comes_whole_with_a_nul_behind_it)
{
	size_t len = 200001;
	char *data = pattern(len);
	struct bytes bytes = {0};
	struct err err = {0};
	int fds[2];
	pid_t child;

	leave_dirt_on_the_heap();
	cr_assert_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		(void)close(fds[0]);
		_exit(write(fds[1], data, len) == (ssize_t)len ? 0 : 1);
	}
	close(fds[1]);
	cr_assert_eq(read_all(fds[0], "p", 1 << 20, 10000, &bytes, &err), 0, "%s",
		     err.msg);
	cr_assert_eq(bytes.len, len);
	cr_assert_eq(memcmp(bytes.data, data, len), 0);
	cr_assert_eq(bytes.data[len], '\0');
	bytes_clear(&bytes);
	close(fds[0]);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	free(data);
}

Test(io, a_silent_pipe_ends_at_the_deadline, .timeout = 10)
{
	long long start = now_ms();
	struct bytes bytes = {0};
	struct err err = {0};
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(write(fds[1], "abc", 3), 3);
	cr_assert_eq(read_all(fds[0], "the state", 100, 50, &bytes, &err), -ETIMEDOUT);
	cr_assert_geq(now_ms() - start, 50);
	cr_assert_str_eq(err.msg, "read the state: Connection timed out");
	cr_assert_null(bytes.data);
	close(fds[0]);
	close(fds[1]);
}

Test(io, a_trickle_does_not_move_the_deadline, .timeout = 10)
{
	struct bytes bytes = {0};
	struct err err = {0};
	int fds[2];
	pid_t child;

	cr_assert_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		(void)close(fds[0]);
		for (;;) {
			if (write(fds[1], "a", 1) != 1) {
				_exit(0);
			}
			usleep(5000);
		}
	}
	close(fds[1]);
	cr_assert_eq(read_all(fds[0], "p", 1 << 20, 100, &bytes, &err), -ETIMEDOUT);
	close(fds[0]); /* the child's next write ends it */
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(io, an_endless_stream_is_e2big, .timeout = 10)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct bytes bytes = {0};
	struct err err = {0};

	cr_assert_geq(fd, 0);
	cr_assert_eq(read_all(fd, "f", 1 << 20, 5000, &bytes, &err), -E2BIG);
	close(fd);
}

/* More than a pipe holds: the reader comes late. */
Test(io, all_is_written_though_the_reader_is_slow)
{
	const size_t len = 300000;
	char *data = pattern(len);
	struct bytes bytes = {0};
	struct err err = {0};
	int fds[2];
	pid_t child;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		_exit(write_all(fds[1], data, len) == 0 ? 0 : 1);
	}
	close(fds[1]);
	cr_assert_eq(read_all(fds[0], "p", len, 10000, &bytes, &err), 0, "%s", err.msg);
	cr_assert_eq(bytes.len, len);
	cr_expect_eq(memcmp(bytes.data, data, len), 0);
	cr_expect_eq(waitpid(child, NULL, 0), child);
	bytes_clear(&bytes);
	close(fds[0]);
	free(data);
}

Test(io, what_cannot_be_written_says_why)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_expect_eq(write_all(fd, "x", 1), -ENOSPC);
	cr_expect_eq(write_all(-1, "x", 1), -EBADF);
	cr_expect_eq(write_all(-1, "", 0), 0);
	close(fd);
}
