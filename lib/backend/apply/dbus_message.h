/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dbus_message.h - messages of the D-Bus protocol, as bytes. Pure.
 *
 * Source: D-Bus Specification 0.43, "Type System", "Marshaling (Wire Format)" and
 * "Message Protocol". Only what two calls to systemd need: byte, uint32, boolean,
 * string, object path, signature, arrays of structs of these, and variants. A value of
 * any other type can be passed over. We write little endian; a reply is read in the
 * byte order that it names.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* The part of a message whose length does not vary; the length of all follows from it. */
#define DBUS_FIXED_HEADER_BYTES 16U

enum dbus_message_type {
	DBUS_METHOD_CALL = 1,
	DBUS_METHOD_RETURN = 2,
	DBUS_ERROR = 3,
	DBUS_SIGNAL = 4,
};

/* ---- writing ----------------------------------------------------------------------- */

/* One or more messages, one behind the other. */
struct dbus_writer {
	unsigned char *data;
	size_t len;
	size_t start; /* of the message that is written now: what it is aligned to */
};

void dbus_writer_clear(struct dbus_writer *writer);
DEFINE_CLEANUP(struct dbus_writer, dbus_writer_clear)

struct dbus_call {
	uint32_t serial;	 /* not 0; the reply names it */
	const char *destination; /* NULL: the peer itself */
	const char *path;
	const char *interface;
	const char *member;
	const char *signature; /* of the arguments; "" if there are none */
};

/* Appends a call's header. The arguments follow by dbus_put_*(), then dbus_end_call(). */
void dbus_begin_call(struct dbus_writer *writer, const struct dbus_call *call);
void dbus_end_call(struct dbus_writer *writer);

void dbus_put_u32(struct dbus_writer *writer, uint32_t value);
void dbus_put_bool(struct dbus_writer *writer, bool value);
void dbus_put_string(struct dbus_writer *writer, const char *text);
void dbus_put_signature(struct dbus_writer *writer, const char *signature);

/* Every struct, and the first element of an array of them, is aligned to 8 bytes. */
void dbus_begin_struct(struct dbus_writer *writer);

/* Return: for dbus_end_array(). An array of structs, also of none, is what it fits. */
size_t dbus_begin_array(struct dbus_writer *writer);
void dbus_end_array(struct dbus_writer *writer, size_t array);

/* ---- reading ----------------------------------------------------------------------- */

/*
 * Reads values from the start of a message on. Whatever is wrong (a value that goes
 * past the end, padding that is not zero, a string with a NUL in it) sets `is_bad`,
 * and from then on every dbus_get_*() gives 0 or "". So it is enough to look once,
 * behind the last value.
 */
struct dbus_reader {
	const unsigned char *data;
	size_t len;
	size_t pos;
	bool is_big_endian;
	bool is_bad;
};

/* Strings point into the bytes that were parsed, and live as long as those. */
struct dbus_message {
	uint8_t type;	       /* enum dbus_message_type, or one that is still unknown */
	uint32_t reply_serial; /* 0: there is none */
	const char *error_name;
	const char *signature;	 /* of the body; "" if it is empty */
	struct dbus_reader body; /* stands at the body's first value */
};

/**
 * dbus_message_size() - How long is the message that starts with these bytes?
 * @data:	DBUS_FIXED_HEADER_BYTES of them
 *
 * Return: the bytes of the whole message, at most @max; 0: this is no message of the
 * protocol's version 1, or it is longer.
 */
size_t dbus_message_size(const unsigned char *data, size_t max);

/* @size: as dbus_message_size() said. Return: 0, or -EBADMSG. */
int dbus_message_parse(const unsigned char *data, size_t size, struct dbus_message *ret);

uint32_t dbus_get_u32(struct dbus_reader *reader);
const char *dbus_get_string(struct dbus_reader *reader);
const char *dbus_get_signature(struct dbus_reader *reader);

/* A variant must hold a value of the type @signature, which is then read as such. */
void dbus_enter_variant(struct dbus_reader *reader, const char *signature);

/* Passes over a variant, whatever it holds. */
void dbus_skip_variant(struct dbus_reader *reader);

/* An array of structs, or of dictionary entries, which look the same. Return: for
   dbus_next_struct(). */
size_t dbus_enter_array(struct dbus_reader *reader);

/* Goes to the next struct. False: the array has ended, or the message is bad. */
bool dbus_next_struct(struct dbus_reader *reader, size_t array_end);
