/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire.h - numbers and texts between a parsing child and its parent
 *
 * Numbers are 32 bits in the machine's order, a string is its length and its bytes. For
 * the files that define messages alone: each includes what it needs of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "oci/message.h"

/* A string that is NULL. */
#define NO_STRING UINT32_MAX

/* Strings are annotation values at most. */
#define LIMIT_STRING_BYTES LIMIT_ANNOTATION_BYTES

static inline void put_bytes(struct message *message, const void *bytes, size_t n)
{
	message->data = xrealloc(message->data, message->len + n);
	memcpy(message->data + message->len, bytes, n);
	message->len += n;
}

static inline void put_u32(struct message *message, uint32_t value)
{
	put_bytes(message, &value, sizeof(value));
}

/* @text may be NULL. */
static inline void put_string(struct message *message, const char *text)
{
	if (!text) {
		put_u32(message, NO_STRING);
		return;
	}
	put_u32(message, (uint32_t)strlen(text));
	put_bytes(message, text, strlen(text));
}

static inline void put_texts(struct message *message, char *const *texts, size_t n)
{
	put_u32(message, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		put_string(message, texts[i]);
	}
}

/* After the first thing that is wrong all further reads give nothing. */
struct reader {
	const char *at;
	size_t left;
	bool is_bad;
};

static inline uint32_t get_u32(struct reader *reader)
{
	uint32_t value = 0;

	if (reader->is_bad || reader->left < sizeof(value)) {
		reader->is_bad = true;
		return 0;
	}
	memcpy(&value, reader->at, sizeof(value));
	reader->at += sizeof(value);
	reader->left -= sizeof(value);
	return value;
}

/* A number up to @max. */
static inline uint32_t get_bounded(struct reader *reader, uint32_t max)
{
	uint32_t value = get_u32(reader);

	if (value > max) {
		reader->is_bad = true;
		return 0;
	}
	return value;
}

static inline bool get_bool(struct reader *reader)
{
	return get_bounded(reader, 1) == 1;
}

/* Return: text to free(), or NULL: there is none, or the message is bad. */
static inline char *get_optional_string(struct reader *reader)
{
	uint32_t len = get_u32(reader);
	char *text;

	if (reader->is_bad || len == NO_STRING) {
		return NULL;
	}
	if (len > reader->left || len > LIMIT_STRING_BYTES ||
	    memchr(reader->at, '\0', len)) {
		reader->is_bad = true;
		return NULL;
	}
	text = xstrndup(reader->at, len);
	reader->at += len;
	reader->left -= len;
	return text;
}

/* As above; none is bad. */
static inline char *get_string(struct reader *reader)
{
	char *text = get_optional_string(reader);

	reader->is_bad |= !text;
	return text;
}

/* What put_texts() wrote; more than @max are bad. Texts to free(),
   also of a bad message. */
static inline void get_texts(struct reader *reader, uint32_t max, char ***ret,
			     size_t *ret_n)
{
	uint32_t n = get_bounded(reader, max);

	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		char *text = get_string(reader);

		if (text) {
			*ret = xgrow(*ret, *ret_n, sizeof(**ret));
			(*ret)[(*ret_n)++] = text;
		}
	}
}
