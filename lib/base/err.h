/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * err.h - the error that a caller owns and the functions below fill
 *
 * A function that can fail takes a `struct err *` as its last argument and returns 0 (or
 * a file descriptor, or a count) or a negative errno equal to -err->code. The struct has
 * a fixed size, so that reporting a failure never allocates.
 *
 * Messages read "verb object: reason", with the object in single quotes,
 * without a capital at the start or a full stop at the end. What the user can
 * do follows after a semicolon.
 */

#include <stdarg.h>

struct err {
	int code;	/* positive errno; 0: no error */
	char msg[1024]; /* one line */
};

/* The compiler moves what leads there out of the way of a run without an error. */
#define ERR_PATH __attribute__((cold))

/**
 * err_set() - Report a finding of our own
 * @err:	filled; an older message in it is lost
 * @code:	positive errno
 *
 * Return: -@code, so that `return err_set(...)` is the whole error path.
 */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4))) ERR_PATH;

/**
 * err_sys() - Report a failed system call; ": <strerror>" is appended
 * @code:	positive errno of the call
 *
 * Return: -@code.
 */
int err_sys(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4))) ERR_PATH;

/**
 * err_wrap() - Put "<what this function was doing>: " before the message that is there
 *
 * Return: -err->code.
 */
int err_wrap(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3))) ERR_PATH;

/* Line breaks, terminal escapes and other control characters of the
   message become '?'. */
void err_make_one_line(struct err *err);

/* EOPNOTSUPP: a system call that Linux 5.12 has is not there. Return: -EOPNOTSUPP. */
int err_old_kernel(struct err *err, const char *call) ERR_PATH;
