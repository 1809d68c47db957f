/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c - messages of known length, through a pipe or a socket */

#include "base/frame.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define HEADER_BYTES sizeof(uint32_t)

int frame_write(int fd, const void *data, size_t len)
{
	autofree char *frame = xrealloc(NULL, HEADER_BYTES + len);
	const uint32_t header = (uint32_t)len;

	memcpy(frame, &header, HEADER_BYTES);
	memcpy(frame + HEADER_BYTES, data, len);
	return write_all(fd, frame, HEADER_BYTES + len);
}

/* Return: its bytes, of which there are *@ret_len; NULL: it is not whole. */
static const char *look_at_frame(const char *at, size_t left, size_t *ret_len)
{
	uint32_t len;

	if (left < HEADER_BYTES) {
		return NULL;
	}
	memcpy(&len, at, HEADER_BYTES);
	*ret_len = len;
	return len <= left - HEADER_BYTES ? at + HEADER_BYTES : NULL;
}

static bool are_whole(const char *data, size_t len, const void *context)
{
	const size_t *n = context;
	const char *end = data + len;

	for (size_t i = 0; i < *n; i++) {
		size_t frame_len;
		const char *frame = look_at_frame(data, (size_t)(end - data), &frame_len);

		if (!frame) {
			return false;
		}
		data = frame + frame_len;
	}
	return true;
}

/* Takes the headers out, in place. Return: were they all there, and nothing else? */
static bool join(struct bytes *bytes, size_t n)
{
	const char *at = bytes->data;
	const char *end = at + bytes->len;

	bytes->len = 0;
	for (size_t i = 0; i < n; i++) {
		size_t len;
		const char *frame = look_at_frame(at, (size_t)(end - at), &len);

		if (!frame) {
			return false;
		}
		memmove(bytes->data + bytes->len, frame, len);
		bytes->len += len;
		at = frame + len;
	}
	return at == end;
}

int frames_read(int fd, const char *what, size_t n, size_t max, int deadline_ms,
		struct bytes *ret, struct err *err)
{
	struct bytes bytes = {0};
	int r = read_until(fd, what, are_whole, &n, max + n * HEADER_BYTES, deadline_ms,
			   &bytes, err);

	if (r < 0) {
		return r;
	}
	if (!join(&bytes, n)) {
		bytes_clear(&bytes);
		return err_set(err, EBADMSG, "read %s: it is not one", what);
	}
	bytes.data[bytes.len] = '\0';
	*ret = bytes;
	return 0;
}
