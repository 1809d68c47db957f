// SPDX-License-Identifier: Apache-2.0
/*
 * sanitizer.c - what the sanitizers shall do with a finding, compiled in
 *
 * Part of the program in a build with sanitizers only. A runtime starts a hook without
 * the environment that these options would come from, and what counts for a runtime is
 * the exit status: so every finding ends the program by a signal. One is looked for that
 * no sanitizer has: a descriptor that is still open at the end.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The program's calls of open() and the like are few; numbers are
   given out from below. */
#define MAX_FD 4096

#define FOR_THE_RUNTIME __attribute__((visibility("default"), used))

FOR_THE_RUNTIME const char *__asan_default_options(void);
FOR_THE_RUNTIME const char *__lsan_default_options(void);
FOR_THE_RUNTIME const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1:"
	       "check_initialization_order=1:detect_leaks=1";
}

const char *__lsan_default_options(void)
{
	return "abort_on_error=1";
}

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:halt_on_error=1:print_stacktrace=1";
}

__attribute__((destructor)) static void check_descriptors(void)
{
	for (int fd = STDERR_FILENO + 1; fd < MAX_FD; fd++) {
		if (fcntl(fd, F_GETFD) >= 0) {
			(void)fprintf(stderr, "descriptor %d is open at the end\n", fd);
			abort();
		}
	}
}
