/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - system call filters, made at build time from filter_rules.h */

#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filters.inc"

#define PROGRAM(array)                                      \
	{                                                   \
		sizeof(array) / sizeof((array)[0]), (array) \
	}

static const struct sock_fprog programs[FILTER_COUNT] = {
	[FILTER_HOST] = PROGRAM(host_filter),
	[FILTER_CONTAINER] = PROGRAM(container_filter),
};

/* A sanitizer's runtime and valgrind make system calls of their own: the meson option
   "filter" is off in a program that is built for them. */
static const bool is_filtered = HAS_FILTER;

int filter_load(enum filter_phase phase, struct err *err)
{
	if (is_filtered &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &programs[phase]) < 0) {
		return err_sys(err, errno, "load a system call filter");
	}
	return 0;
}
