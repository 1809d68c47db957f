/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* io.h - bounded reading of whole files and streams, and writing all that there is */

#include "base/err.h"

#include <stddef.h>

/* Bytes of a file; `data` has a NUL behind its last byte, which `len` does not count. */
struct bytes {
	char *data;
	size_t len;
};

void bytes_clear(struct bytes *bytes);

/**
 * read_all() - Read a descriptor to its end
 * @fd:		borrowed; read from its current position
 * @what:	for the message: "state on standard input", "config.json"
 * @max:	more bytes than this are an error
 * @deadline_ms: how long the other side of a pipe may take, in all;
 *		-1: no limit, for files
 * @ret:	filled on success only; bytes_clear() it
 * @err:	E2BIG over @max, ETIMEDOUT, or what read() said
 *
 * Return: 0, or negative errno as in @err.
 */
int read_all(int fd, const char *what, size_t max, int deadline_ms, struct bytes *ret,
	     struct err *err);

/* Writes all of it, however often that takes. Return: 0 or negative errno. */
int write_all(int fd, const void *data, size_t len);
