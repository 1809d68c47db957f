/* SPDX-License-Identifier: Apache-2.0 */
/* io.c - bounded reading of whole files and streams */

#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/mem.h"

/* The usual state and the usual files of procfs take one read(). More would cost: a page
   that is touched for the first time takes about 3 microseconds in a virtual machine. */
#define FIRST_READ_BYTES 4096U

void bytes_clear(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

/* Waits until read() does not block. Return: 0, or negative errno. */
static int wait_readable(int fd, long long until_ms)
{
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		long long left = until_ms - deadline_clock_ms();
		int r;

		if (left < 0) {
			return -ETIMEDOUT;
		}
		r = poll(&pfd, 1, (int)left);
		if (r > 0) {
			return 0;
		}
		if (r < 0 && errno != EINTR) {
			return -errno;
		}
	}
}

/* The size of a regular file is a hint only: it saves growing the buffer. */
static size_t first_room(int fd, size_t max)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (unsigned long long)st.st_size < max) {
		return (size_t)st.st_size + 1;
	}
	return max < FIRST_READ_BYTES ? max + 1 : FIRST_READ_BYTES;
}

int read_all(int fd, const char *what, size_t max, int deadline_ms, struct bytes *ret,
	     struct err *err)
{
	long long until_ms = deadline_ms < 0 ? 0 : deadline_clock_ms() + deadline_ms;
	size_t room = first_room(fd, max);
	autofree char *data = xrealloc(NULL, room + 1);
	size_t len = 0;

	for (;;) {
		ssize_t n;
		int r;

		if (deadline_ms >= 0) {
			r = wait_readable(fd, until_ms);
			if (r < 0) {
				return err_sys(err, -r, "read %s", what);
			}
		}
		n = read(fd, data + len, room - len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return err_sys(err, errno, "read %s", what);
		}
		len += (size_t)n;
		if (len > max) {
			return err_set(err, E2BIG, "read %s: larger than %zu bytes", what,
				       max);
		}
		if (n == 0) {
			break;
		}
		if (len == room) {
			data = xrealloc(data, room * 2 + 1);
			room *= 2;
		}
	}
	data[len] = '\0';
	ret->data = steal_ptr(&data);
	ret->len = len;
	return 0;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? -errno : -EIO;
		}
		at += n;
		len -= (size_t)n;
	}
	return 0;
}
