/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dbus.h - a connection over which systemd is asked
 *
 * Through the system bus, else through systemd's own socket, which speaks the
 * same protocol without a bus between: no Hello, no destination. A client of
 * our own, since libdbus cannot be linked statically (it needs libsystemd, of
 * which there is no archive).
 *
 * Nothing here waits longer than it was told: the socket never blocks, every wait ends at
 * the connection's time, and the deadline of the run ends it earlier.
 * Source: D-Bus Specification 0.43, "Authentication Protocol" and "Message Bus Messages".
 */

#include <stdbool.h>
#include <stdint.h>

#include "backend/apply/dbus_message.h"
#include "base/cleanup.h"
#include "base/err.h"

enum dbus_peer {
	DBUS_SYSTEM_BUS,
	DBUS_SYSTEMD,
	DBUS_PEER_COUNT,
};

#define DBUS_NONE        \
	(struct dbus)    \
	{                \
		.fd = -1 \
	}

struct dbus {
	int fd;
	enum dbus_peer peer;
	uint32_t serial;    /* of the last call */
	long long until_ms; /* of deadline_clock_ms() */
	unsigned char *in;  /* what has been received */
	size_t in_len;
	size_t in_done; /* bytes of it that the last reply had */
};

void dbus_close(struct dbus *dbus);
DEFINE_CLEANUP(struct dbus, dbus_close)

/**
 * dbus_connect() - Connect and say who we are
 * @until_ms:	when to give up, on deadline_clock_ms(); later calls too, unless
 *		@ret->until_ms is moved
 * @err:	ENOENT, ECONNREFUSED: nobody listens there; ETIMEDOUT; EBADMSG: not this
 *		protocol; ECONNRESET: the peer hung up
 *
 * Needs: socket() and connect(): before the container's mount namespace is entered.
 */
int dbus_connect(enum dbus_peer peer, long long until_ms, struct dbus *ret,
		 struct err *err);

/* "org.freedesktop.systemd1" on the bus; NULL where the peer is systemd itself. */
const char *dbus_systemd_name(const struct dbus *dbus);

/* Sends the calls of @writer. @err: as dbus_connect(). */
int dbus_send(struct dbus *dbus, const struct dbus_writer *writer, struct err *err);

/**
 * dbus_receive() - Wait for the reply to a call
 * @serial:	of the call; replies are asked for in the order of their calls
 * @ret:	valid until the next dbus_receive()
 * @err:	EREMOTEIO: the reply is an error, whose name and text are in the message;
 *		EBADMSG, also of a message over LIMIT_DBUS_MESSAGE_BYTES; else as
 *		dbus_connect()
 *
 * What comes in between, signals above all, is passed over.
 */
int dbus_receive(struct dbus *dbus, uint32_t serial, struct dbus_message *ret,
		 struct err *err);
