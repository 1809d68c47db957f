/* SPDX-License-Identifier: Apache-2.0 */
/* test_mem.c - allocation that cannot fail, or ends the program with one line */

#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A sanitizer would end the program on its own terms before
   malloc() could return NULL. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* Runs @fn in a child, which must print the one line and exit with 1. */
static void expect_out_of_memory(void (*fn)(void))
{
	static const char want[] = "oci-gpu-hook: allocate memory: out of memory\n";
	char text[4096] = "";
	size_t len = 0;
	ssize_t n;
	int status = 0;
	int fds[2];
	pid_t child;

	cr_assert_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		fn();
		_exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0) {
		len += (size_t)n;
	}
	close(fds[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 1, "exit status %d", WEXITSTATUS(status));
	/* A sanitizer may warn before it; the line is the last one. */
	cr_assert_geq(len, strlen(want));
	cr_assert_str_eq(text + len - strlen(want), want);
}

/* Volatile: the compiler refuses a size that it can see is impossible. */
static volatile size_t impossible_size = SIZE_MAX / 2;

static void exhaust_xcalloc(void)
{
	(void)xcalloc(impossible_size, 4);
}

static void exhaust_xrealloc(void)
{
	(void)xrealloc(NULL, impossible_size + 1);
}

static void exhaust_xgrow(void)
{
	char *array = NULL;

	/* 2^62 elements of 8 bytes: the size in bytes wraps round to 0. */
	(void)xgrow(array, impossible_size / 2 + 1, 8);
}

Test(mem, out_of_memory_is_one_line_and_exit_1)
{
	expect_out_of_memory(exhaust_xcalloc);
	expect_out_of_memory(exhaust_xrealloc);
	expect_out_of_memory(exhaust_xgrow);
}

Test(mem, xcalloc_gives_zeros)
{
	char *p = xcalloc(100, 3);

	for (size_t i = 0; i < 300; i++) {
		cr_assert_eq(p[i], 0);
	}
	free(p);
}

Test(mem, nothing_is_still_an_allocation)
{
	void *none = xcalloc(0, 8);
	void *empty = xcalloc(8, 0);
	void *shrunk = xrealloc(xcalloc(1, 8), 0);

	cr_assert_not_null(none);
	cr_assert_not_null(empty);
	cr_assert_not_null(shrunk);
	free(none);
	free(empty);
	free(shrunk);
}

Test(mem, xrealloc_keeps_the_content)
{
	char *p = xstrdup("abc");

	p = xrealloc(p, 100000);
	cr_assert_str_eq(p, "abc");
	free(p);
}

Test(mem, copies_are_whole_and_their_own)
{
	char text[] = "text";
	char *copy = xstrdup(text);
	char *empty = xstrdup("");

	text[0] = 'x';
	cr_assert_str_eq(copy, "text");
	cr_assert_str_eq(empty, "");
	free(copy);
	free(empty);
}

Test(mem, xstrndup_stops_at_the_length_or_at_the_end)
{
	/* No NUL behind it, and nothing to read behind it either. */
	char *unended = malloc(3);
	char *part;
	char *all;
	char *none;

	memcpy(unended, "abc", 3);
	part = xstrndup(unended, 2);
	all = xstrndup(unended, 3);
	none = xstrndup(unended, 0);
	cr_assert_str_eq(part, "ab");
	cr_assert_str_eq(all, "abc");
	cr_assert_str_eq(none, "");
	free(part);
	free(all);
	free(none);
	free(unended);

	all = xstrndup("ab", 100);
	cr_assert_str_eq(all, "ab");
	free(all);
}

Test(mem, xasprintf_formats)
{
	char *text = xasprintf("%s:%d", "amd", 2);

	cr_assert_str_eq(text, "amd:2");
	free(text);
}

Test(mem, xgrow_keeps_what_is_there_and_zeroes_the_rest)
{
	uint64_t *array = NULL;

	for (size_t n = 0; n < 1000; n++) {
		array = xgrow(array, n, sizeof(*array));
		cr_assert_eq(array[n], 0, "%zu", n);
		array[n] = n + 1;
	}
	for (size_t n = 0; n < 1000; n++) {
		cr_assert_eq(array[n], n + 1);
	}
	free(array);
}

Test(mem, try_grow_without_memory_gives_null_and_leaves_the_array)
{
	char *array = xgrow(NULL, 0, 1);
	/* A power of two, where it must grow; 8 times twice that wraps round to 0. */
	volatile size_t too_many = SIZE_MAX / 16 + 1;

	array[0] = 'a';
	cr_expect_null(try_grow(array, too_many, 8));
	cr_expect_eq(array[0], 'a');
	free(array);
}
