/* SPDX-License-Identifier: Apache-2.0 */
/* print_out.c - what both printed forms share */

#include "backend/print_out.h"

#include <errno.h>

#include "base/mem.h"

char *print_plain_copy(const char *text)
{
	char *copy = xstrdup(text);

	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f) {
			*c = '?';
		}
	}
	return copy;
}

int print_finish(FILE *out, struct err *err)
{
	if (fflush(out) != 0 || ferror(out)) {
		return err_sys(err, errno ? errno : EIO, "write output");
	}
	return 0;
}
