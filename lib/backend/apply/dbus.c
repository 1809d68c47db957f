/* SPDX-License-Identifier: Apache-2.0 */
/* dbus.c - a connection over which systemd is asked */

#include "backend/apply/dbus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

/* So often a wait looks whether the run's deadline has passed. Its alarm interrupts the
   wait, but for one that comes right before it. */
#define WAIT_SLICE_MS 200

/* A server whose backlog is full gives no event when there is room again. */
#define CONNECT_AGAIN_MS 20

/* "OK " and 32 digits, or a REJECTED with the names of mechanisms. */
#define AUTH_LINE_BYTES 512U

/* What systemd writes at once: a reply of some hundred bytes. */
#define READ_BYTES 4096U

static const char *const paths[DBUS_PEER_COUNT] = {
	[DBUS_SYSTEM_BUS] = "/run/dbus/system_bus_socket",
	[DBUS_SYSTEMD] = "/run/systemd/private",
};

void dbus_close(struct dbus *dbus)
{
	cleanup_close(&dbus->fd);
	free(dbus->in);
	*dbus = DBUS_NONE;
}

const char *dbus_systemd_name(const struct dbus *dbus)
{
	return dbus->peer == DBUS_SYSTEM_BUS ? "org.freedesktop.systemd1" : NULL;
}

/* Return: milliseconds that a poll() may take; negative errno: none are left. */
static int time_left(const struct dbus *dbus, struct err *err)
{
	long long left = dbus->until_ms - deadline_clock_ms();

	if (left <= 0 || deadline_has_passed()) {
		return err_set(err, ETIMEDOUT, "no answer in time");
	}
	return left < WAIT_SLICE_MS ? (int)left : WAIT_SLICE_MS;
}

/* @events: POLLIN or POLLOUT. A hang-up is an event too: what follows meets it. */
static int wait_for(const struct dbus *dbus, short events, struct err *err)
{
	for (;;) {
		struct pollfd pfd = {.fd = dbus->fd, .events = events};
		int left = time_left(dbus, err);
		int r;

		if (left < 0) {
			return left;
		}
		r = poll(&pfd, 1, left);
		if (r > 0) {
			return 0;
		}
		if (r < 0 && errno != EINTR) {
			return err_sys(err, errno, "wait for the socket");
		}
	}
}

static int send_bytes(const struct dbus *dbus, const void *bytes, size_t n,
		      struct err *err)
{
	const char *at = bytes;

	while (n > 0) {
		ssize_t sent = send(dbus->fd, at, n, MSG_NOSIGNAL);
		int r;

		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			return err_sys(err, errno, "send");
		}
		if (sent > 0) {
			at += sent;
			n -= (size_t)sent;
			continue;
		}
		r = wait_for(dbus, POLLOUT, err);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* Waits for more bytes behind those that are there. */
static int receive_more(struct dbus *dbus, struct err *err)
{
	int r = wait_for(dbus, POLLIN, err);
	ssize_t n;

	if (r < 0) {
		return r;
	}
	dbus->in = xrealloc(dbus->in, dbus->in_len + READ_BYTES);
	n = read(dbus->fd, dbus->in + dbus->in_len, READ_BYTES);
	if (n == 0) {
		return err_set(err, ECONNRESET, "the other side hung up");
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		return err_sys(err, errno, "receive");
	}
	dbus->in_len += n > 0 ? (size_t)n : 0;
	return 0;
}

static void drop(struct dbus *dbus, size_t n)
{
	if (n > 0) {
		dbus->in_len -= n;
		memmove(dbus->in, dbus->in + n, dbus->in_len);
	}
}

static int connect_socket(struct dbus *dbus, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		       paths[dbus->peer]);
	dbus->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (dbus->fd < 0) {
		return err_sys(err, errno, "make a socket");
	}
	while (connect(dbus->fd, (const struct sockaddr *)&address, sizeof(address)) <
	       0) {
		int left;

		if (errno != EAGAIN && errno != EINTR) {
			return err_sys(err, errno, "connect");
		}
		left = time_left(dbus, err);
		if (left < 0) {
			return left;
		}
		(void)poll(NULL, 0, left < CONNECT_AGAIN_MS ? left : CONNECT_AGAIN_MS);
	}
	return 0;
}

/*
 * The identity is the user id's decimal digits, in hexadecimal. All goes out in one write
 * and nothing before the OK: on systemd's socket a BEGIN and a call in quick succession
 * once hung for good (measured with systemd 257; the cause is not known).
 */
static int authenticate(struct dbus *dbus, struct err *err)
{
	char digits[16];
	char hex[2 * sizeof(digits)] = "";
	char text[sizeof(hex) + 32];
	int n;
	int r;

	n = snprintf(digits, sizeof(digits), "%u", (unsigned int)geteuid());
	for (int i = 0; i < n; i++) {
		(void)snprintf(hex + (size_t)(2 * i), 3, "%02x",
			       (unsigned int)(unsigned char)digits[i]);
	}
	n = snprintf(text, sizeof(text), "%cAUTH EXTERNAL %s\r\nBEGIN\r\n", '\0', hex);
	r = send_bytes(dbus, text, (size_t)n, err);
	while (r == 0) {
		const char *end =
			dbus->in_len ? memmem(dbus->in, dbus->in_len, "\r\n", 2) : NULL;

		if (end && text_starts_with((const char *)dbus->in, "OK ")) {
			drop(dbus, (size_t)(end + 2 - (const char *)dbus->in));
			return 0;
		}
		if (end || dbus->in_len > AUTH_LINE_BYTES) {
			return err_set(err, EACCES, "it does not take us for user %s",
				       digits);
		}
		r = receive_more(dbus, err);
	}
	return r;
}

/* A bus gives each connection a name before it passes on a call. */
static int say_hello(struct dbus *dbus, struct err *err)
{
	const struct dbus_call call = {
		.serial = ++dbus->serial,
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "Hello",
		.signature = "",
	};
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};
	struct dbus_message reply;
	int r;

	dbus_begin_call(&writer, &call);
	dbus_end_call(&writer);
	r = dbus_send(dbus, &writer, err);
	return r < 0 ? r : dbus_receive(dbus, call.serial, &reply, err);
}

int dbus_connect(enum dbus_peer peer, long long until_ms, struct dbus *ret,
		 struct err *err)
{
	cleanup(dbus_closep) struct dbus dbus = DBUS_NONE;
	int r;

	dbus.peer = peer;
	dbus.until_ms = until_ms;
	r = connect_socket(&dbus, err);
	if (r == 0) {
		r = authenticate(&dbus, err);
	}
	if (r == 0 && peer == DBUS_SYSTEM_BUS) {
		r = say_hello(&dbus, err);
	}
	if (r < 0) {
		return err_wrap(err, "'%s'", paths[peer]);
	}
	*ret = dbus;
	dbus = DBUS_NONE;
	return 0;
}

int dbus_send(struct dbus *dbus, const struct dbus_writer *writer, struct err *err)
{
	return send_bytes(dbus, writer->data, writer->len, err);
}

/* Return: 1 and a message, 0 if it is not all there yet. */
static int next_message(struct dbus *dbus, struct dbus_message *ret, struct err *err)
{
	size_t size;

	drop(dbus, dbus->in_done);
	dbus->in_done = 0;
	if (dbus->in_len < DBUS_FIXED_HEADER_BYTES) {
		return 0;
	}
	size = dbus_message_size(dbus->in, LIMIT_DBUS_MESSAGE_BYTES);
	if (size == 0) {
		return err_set(err, EBADMSG,
			       "a message of another protocol, or over %u bytes",
			       LIMIT_DBUS_MESSAGE_BYTES);
	}
	if (dbus->in_len < size) {
		return 0;
	}
	if (dbus_message_parse(dbus->in, size, ret) < 0) {
		return err_set(err, EBADMSG, "a message that is not well formed");
	}
	dbus->in_done = size;
	return 1;
}

static int report_error(struct dbus_message *message, struct err *err)
{
	const char *text = "no reason given";

	if (message->signature[0] == 's') {
		text = dbus_get_string(&message->body);
	}
	return err_set(err, EREMOTEIO, "%s: %s", message->error_name, text);
}

int dbus_receive(struct dbus *dbus, uint32_t serial, struct dbus_message *ret,
		 struct err *err)
{
	for (;;) {
		struct dbus_message message;
		int r = next_message(dbus, &message, err);

		if (r == 0) {
			r = receive_more(dbus, err);
		} else if (r > 0 && message.reply_serial == serial &&
			   message.type == DBUS_ERROR) {
			return report_error(&message, err);
		} else if (r > 0 && message.reply_serial == serial &&
			   message.type == DBUS_METHOD_RETURN) {
			*ret = message;
			return 0;
		}
		if (r < 0) {
			return r;
		}
	}
}
