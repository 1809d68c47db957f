/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - the error that a caller owns and the functions below fill */

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void err_make_one_line(struct err *err)
{
	unsigned char before = 0;

	for (char *text = err->msg; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f) {
			*text = '?';
		} else if (before == 0xc2 && c >= 0x80 && c < 0xa0) {
			/* U+0080 to U+009F are control characters too: in a terminal
			   U+009B does what ESC [ does. */
			text[-1] = '?';
			*text = '?';
		}
		before = c;
	}
}

/* Puts ": @text" behind the first @used bytes; what does not fit is cut off. */
static void append(struct err *err, int used, const char *text)
{
	if (used < 0 || (size_t)used >= sizeof(err->msg)) {
		return;
	}
	if (snprintf(err->msg + used, sizeof(err->msg) - (size_t)used, ": %s", text) <
	    0) {
		err->msg[used] = '\0';
	}
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	err_make_one_line(err);
	return -code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	/* strerrordesc_np() and not strerror(): no locale, no allocation */
	const char *why = strerrordesc_np(code);
	va_list ap;
	int used;

	err->code = code;
	va_start(ap, fmt);
	used = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	append(err, used, why ? why : "unknown error");
	err_make_one_line(err);
	return -code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char inner[sizeof(err->msg)];
	va_list ap;
	int used;

	memcpy(inner, err->msg, sizeof(inner));
	va_start(ap, fmt);
	used = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	append(err, used, inner);
	err_make_one_line(err);
	return -err->code;
}

int err_old_kernel(struct err *err, const char *call)
{
	return err_set(
		err, EOPNOTSUPP,
		"call %s: this kernel does not have it; Linux 5.12 or later is needed, "
		"else let the engine pass the nodes (--device)",
		call);
}
