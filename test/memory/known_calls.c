/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known_calls.c - openat2(2) by calls that valgrind 3.19 knows, preloaded under valgrind
 *
 * valgrind answers ENOSYS to a system call that it does not know, and the program needs
 * openat2() for all that it reads of a host. What is lost is where a path may lead to; other
 * tests are about that.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/syscall.h>

typedef long syscall_fn(long number, ...);

/* In the place of the C library's. */
syscall_fn syscall;

static long open_known(int dir_fd, const char *path, const struct open_how *how)
{
	if (how->resolve & RESOLVE_IN_ROOT) {
		while (*path == '/') {
			path++;
		}
	}
	return openat(dir_fd, *path ? path : ".", (int)how->flags, (mode_t)how->mode);
}

long syscall(long number, ...)
{
	syscall_fn *libc_syscall = (syscall_fn *)dlsym(RTLD_NEXT, "syscall");
	long arg[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++) {
		arg[i] = va_arg(ap, long);
	}
	va_end(ap);
	if (number == SYS_openat2) {
		return open_known((int)arg[0], (const char *)arg[1],
				  (const struct open_how *)arg[2]);
	}
	return libc_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
