/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* print_out.h - what both printed forms share. Private to lib/backend. */

#include <stdio.h>

#include "base/err.h"

/**
 * print_plain_copy() - A name of the host without surprises, to free()
 *
 * It may hold anything. Printable ASCII stays, so that no byte steers the terminal and a
 * column is as wide as it looks.
 */
char *print_plain_copy(const char *text);

/* The end of an output: a full disk shows at the flush at the latest. */
int print_finish(FILE *out, struct err *err);
