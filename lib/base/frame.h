/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * frame.h - messages of known length, through a pipe or a socket
 *
 * A frame is its length, 32 bits in the machine's order, and as many bytes. Whoever reads
 * knows by it when all is said, and need not wait for the end of the other side: to take
 * down a process takes the kernel longer than most of them live here.
 */

#include "base/err.h"
#include "base/io.h"

/* Writes one, at once: a reader is woken up once. Return: 0 or negative errno. */
int frame_write(int fd, const void *data, size_t len);

/**
 * frames_read() - Read frames that follow each other
 * @what:	for the message: "the parser's reply"
 * @n:		how many
 * @max:	bytes of all of them
 * @deadline_ms: how long the other side may take, in all
 * @ret:	what is in them, one behind the other; filled on success only; bytes_clear() it
 * @err:	EBADMSG: the other side has ended before, or has said more; E2BIG, ETIMEDOUT,
 *		or what read() said
 *
 * Return: 0, or negative errno as in @err.
 */
int frames_read(int fd, const char *what, size_t n, size_t max, int deadline_ms,
		struct bytes *ret, struct err *err);
