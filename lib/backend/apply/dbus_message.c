/* SPDX-License-Identifier: Apache-2.0 */
/* dbus_message.c - messages of the D-Bus protocol, as bytes */

#include "backend/apply/dbus_message.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* Source of these and of the fields: D-Bus Specification, "Message Format". */
#define PROTOCOL_VERSION   1U
#define LITTLE_ENDIAN_MARK 'l'
#define BIG_ENDIAN_MARK	   'B'
#define BODY_LENGTH_AT	   4U
#define FIELDS_LENGTH_AT   12U

enum field {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR_NAME = 4,
	FIELD_REPLY_SERIAL = 5,
	FIELD_DESTINATION = 6,
	FIELD_SIGNATURE = 8,
};

static size_t align_up(size_t n, size_t alignment)
{
	return (n + alignment - 1) / alignment * alignment;
}

/* ---- writing ----------------------------------------------------------------------- */

void dbus_writer_clear(struct dbus_writer *writer)
{
	free(writer->data);
	*writer = (struct dbus_writer){0};
}

static void put_bytes(struct dbus_writer *writer, const void *bytes, size_t n)
{
	writer->data = xrealloc(writer->data, writer->len + n);
	memcpy(writer->data + writer->len, bytes, n);
	writer->len += n;
}

static void put_byte(struct dbus_writer *writer, uint8_t value)
{
	put_bytes(writer, &value, 1);
}

static void put_padding(struct dbus_writer *writer, size_t alignment)
{
	static const unsigned char zeros[8];
	size_t used = writer->len - writer->start;

	put_bytes(writer, zeros, align_up(used, alignment) - used);
}

static void store_u32(unsigned char *at, uint32_t value)
{
	for (size_t i = 0; i < sizeof(value); i++) {
		at[i] = (unsigned char)(value >> (8 * i));
	}
}

void dbus_put_u32(struct dbus_writer *writer, uint32_t value)
{
	unsigned char bytes[sizeof(value)];

	store_u32(bytes, value);
	put_padding(writer, sizeof(value));
	put_bytes(writer, bytes, sizeof(bytes));
}

void dbus_put_bool(struct dbus_writer *writer, bool value)
{
	dbus_put_u32(writer, value);
}

void dbus_put_string(struct dbus_writer *writer, const char *text)
{
	size_t len = strlen(text);

	dbus_put_u32(writer, (uint32_t)len);
	put_bytes(writer, text, len + 1);
}

void dbus_put_signature(struct dbus_writer *writer, const char *signature)
{
	size_t len = strlen(signature);

	put_byte(writer, (uint8_t)len);
	put_bytes(writer, signature, len + 1);
}

void dbus_begin_struct(struct dbus_writer *writer)
{
	put_padding(writer, 8);
}

size_t dbus_begin_array(struct dbus_writer *writer)
{
	size_t length_at;

	dbus_put_u32(writer, 0);
	length_at = writer->len - sizeof(uint32_t);
	put_padding(writer, 8);
	return length_at;
}

/* The length does not count the padding between itself and the first element. */
static size_t first_element(const struct dbus_writer *writer, size_t length_at)
{
	size_t used = length_at + sizeof(uint32_t) - writer->start;

	return writer->start + align_up(used, 8);
}

void dbus_end_array(struct dbus_writer *writer, size_t array)
{
	size_t n = writer->len - first_element(writer, array);

	store_u32(writer->data + array, (uint32_t)n);
}

/* A field is a struct of its code and a variant: @type is 's' or 'o'. */
static void put_field(struct dbus_writer *writer, enum field field, const char *type,
		      const char *value)
{
	dbus_begin_struct(writer);
	put_byte(writer, (uint8_t)field);
	dbus_put_signature(writer, type);
	dbus_put_string(writer, value);
}

void dbus_begin_call(struct dbus_writer *writer, const struct dbus_call *call)
{
	size_t fields;

	writer->start = writer->len;
	put_byte(writer, LITTLE_ENDIAN_MARK);
	put_byte(writer, DBUS_METHOD_CALL);
	put_byte(writer, 0);
	put_byte(writer, PROTOCOL_VERSION);
	dbus_put_u32(writer, 0);
	dbus_put_u32(writer, call->serial);
	fields = dbus_begin_array(writer);
	put_field(writer, FIELD_PATH, "o", call->path);
	put_field(writer, FIELD_INTERFACE, "s", call->interface);
	put_field(writer, FIELD_MEMBER, "s", call->member);
	if (call->destination) {
		put_field(writer, FIELD_DESTINATION, "s", call->destination);
	}
	if (*call->signature) {
		dbus_begin_struct(writer);
		put_byte(writer, FIELD_SIGNATURE);
		dbus_put_signature(writer, "g");
		dbus_put_signature(writer, call->signature);
	}
	dbus_end_array(writer, fields);
	put_padding(writer, 8);
}

static uint32_t load_u32(const unsigned char *at, bool is_big_endian)
{
	uint32_t value = 0;

	for (size_t i = 0; i < sizeof(value); i++) {
		size_t shift = is_big_endian ? sizeof(value) - 1 - i : i;

		value |= (uint32_t)at[i] << (8 * shift);
	}
	return value;
}

void dbus_end_call(struct dbus_writer *writer)
{
	unsigned char *message = writer->data + writer->start;
	uint32_t n_fields = load_u32(message + FIELDS_LENGTH_AT, false);
	size_t body = align_up(DBUS_FIXED_HEADER_BYTES + n_fields, 8);

	store_u32(message + BODY_LENGTH_AT,
		  (uint32_t)(writer->len - writer->start - body));
}

/* ---- reading ----------------------------------------------------------------------- */

size_t dbus_message_size(const unsigned char *data, size_t max)
{
	bool is_big_endian = data[0] == BIG_ENDIAN_MARK;
	uint64_t size;

	if ((!is_big_endian && data[0] != LITTLE_ENDIAN_MARK) ||
	    data[3] != PROTOCOL_VERSION) {
		return 0;
	}
	size = DBUS_FIXED_HEADER_BYTES;
	size += ((uint64_t)load_u32(data + FIELDS_LENGTH_AT, is_big_endian) + 7) / 8 * 8;
	size += load_u32(data + BODY_LENGTH_AT, is_big_endian);
	return size <= max ? (size_t)size : 0;
}

/* Return: the next @n bytes, or NULL. */
static const unsigned char *take(struct dbus_reader *reader, size_t n)
{
	const unsigned char *at = reader->data + reader->pos;

	if (reader->is_bad || n > reader->len - reader->pos) {
		reader->is_bad = true;
		return NULL;
	}
	reader->pos += n;
	return at;
}

static void skip_padding(struct dbus_reader *reader, size_t alignment)
{
	size_t n = align_up(reader->pos, alignment) - reader->pos;
	const unsigned char *at = take(reader, n);

	for (size_t i = 0; at && i < n; i++) {
		if (at[i] != 0) {
			reader->is_bad = true;
		}
	}
}

static uint8_t get_byte(struct dbus_reader *reader)
{
	const unsigned char *at = take(reader, 1);

	return at ? *at : 0;
}

uint32_t dbus_get_u32(struct dbus_reader *reader)
{
	const unsigned char *at;

	skip_padding(reader, sizeof(uint32_t));
	at = take(reader, sizeof(uint32_t));
	return at ? load_u32(at, reader->is_big_endian) : 0;
}

/* @n bytes without a NUL, and a NUL behind them. */
static const char *get_text(struct dbus_reader *reader, size_t n)
{
	const unsigned char *at = take(reader, n);
	const unsigned char *end = take(reader, 1);

	if (!at || !end || *end != '\0' || memchr(at, '\0', n)) {
		reader->is_bad = true;
		return "";
	}
	return (const char *)at;
}

const char *dbus_get_string(struct dbus_reader *reader)
{
	return get_text(reader, dbus_get_u32(reader));
}

const char *dbus_get_signature(struct dbus_reader *reader)
{
	return get_text(reader, get_byte(reader));
}

void dbus_enter_variant(struct dbus_reader *reader, const char *signature)
{
	if (!text_equals(dbus_get_signature(reader), signature)) {
		reader->is_bad = true;
	}
}

size_t dbus_enter_array(struct dbus_reader *reader)
{
	size_t n = dbus_get_u32(reader);

	skip_padding(reader, 8);
	if (reader->is_bad || n > reader->len - reader->pos) {
		reader->is_bad = true;
		return 0;
	}
	return reader->pos + n;
}

bool dbus_next_struct(struct dbus_reader *reader, size_t array_end)
{
	if (!reader->is_bad && reader->pos == array_end) {
		return false;
	}
	skip_padding(reader, 8);
	/* An element must not go beyond its array. */
	if (reader->pos >= array_end) {
		reader->is_bad = true;
	}
	return !reader->is_bad;
}

/* Return: what values of the type that starts with @code are aligned
   to; 0: no such type. */
static size_t alignment_of(char code)
{
	switch (code) {
	case 'y':
	case 'g':
	case 'v':
		return 1;
	case 'n':
	case 'q':
		return 2;
	case 'b':
	case 'i':
	case 'u':
	case 'h':
	case 's':
	case 'o':
	case 'a':
		return 4;
	case 'x':
	case 't':
	case 'd':
	case '(':
	case '{':
		return 8;
	default:
		return 0;
	}
}

/* Return: what follows the first complete type of @type; NULL: there is none. */
static const char *type_end(const char *type)
{
	size_t depth = 0;

	do {
		bool is_element = false;

		while (*type == 'a') {
			is_element = true;
			type++;
		}
		if (*type == '(' || *type == '{') {
			depth++;
		} else if (depth > 0 && !is_element && (*type == ')' || *type == '}')) {
			depth--;
		} else if (alignment_of(*type) == 0) {
			return NULL;
		}
		type++;
	} while (depth > 0);
	return type;
}

/* As a whole: its length is in front. */
static void skip_array(struct dbus_reader *reader, const char *element)
{
	size_t n = dbus_get_u32(reader);

	skip_padding(reader, alignment_of(*element));
	(void)take(reader, n);
}

/* One of a type that is no container. Its size is its alignment but for texts. */
static void skip_basic(struct dbus_reader *reader, char code)
{
	size_t size = alignment_of(code);

	if (code == 's' || code == 'o') {
		(void)dbus_get_string(reader);
	} else if (code == 'g') {
		(void)dbus_get_signature(reader);
	} else {
		skip_padding(reader, size);
		(void)take(reader, size);
	}
}

/*
 * A struct's members are walked through where they stand. So nothing recurses; for that,
 * a variant in a variant or in a struct is refused, and systemd's properties have none.
 */
static void skip_value(struct dbus_reader *reader, const char *type)
{
	const char *end = type_end(type);

	if (!end || *end) {
		reader->is_bad = true;
	}
	while (!reader->is_bad && type < end) {
		switch (*type) {
		case 'a':
			skip_array(reader, type + 1);
			type = type_end(type);
			continue;
		case '(':
			skip_padding(reader, 8);
			break;
		case ')':
			break;
		case 'v':
		case '{':
		case '}':
			/* An entry of a dictionary stands in an array only. */
			reader->is_bad = true;
			break;
		default:
			skip_basic(reader, *type);
			break;
		}
		type++;
	}
}

void dbus_skip_variant(struct dbus_reader *reader)
{
	skip_value(reader, dbus_get_signature(reader));
}

static void get_field(struct dbus_reader *reader, struct dbus_message *message)
{
	uint8_t field = get_byte(reader);
	const char *type = dbus_get_signature(reader);

	if (field == FIELD_REPLY_SERIAL && text_equals(type, "u")) {
		message->reply_serial = dbus_get_u32(reader);
	} else if (field == FIELD_ERROR_NAME && text_equals(type, "s")) {
		message->error_name = dbus_get_string(reader);
	} else if (field == FIELD_SIGNATURE && text_equals(type, "g")) {
		message->signature = dbus_get_signature(reader);
	} else if (field == FIELD_REPLY_SERIAL || field == FIELD_ERROR_NAME ||
		   field == FIELD_SIGNATURE) {
		reader->is_bad = true;
	} else {
		skip_value(reader, type);
	}
}

int dbus_message_parse(const unsigned char *data, size_t size, struct dbus_message *ret)
{
	struct dbus_message message = {.signature = ""};
	struct dbus_reader reader = {.data = data, .len = size};
	size_t end;

	if (size < DBUS_FIXED_HEADER_BYTES || dbus_message_size(data, size) != size) {
		return -EBADMSG;
	}
	reader.is_big_endian = data[0] == BIG_ENDIAN_MARK;
	message.type = data[1];
	reader.pos = FIELDS_LENGTH_AT;
	end = dbus_enter_array(&reader);
	while (dbus_next_struct(&reader, end)) {
		get_field(&reader, &message);
	}
	skip_padding(&reader, 8);
	if (reader.is_bad || (message.type == DBUS_ERROR && !message.error_name)) {
		return -EBADMSG;
	}
	message.body = reader;
	*ret = message;
	return 0;
}
