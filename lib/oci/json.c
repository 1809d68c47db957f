/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - jansson with our limits, and messages that say where in a document */

#include "oci/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_guard.h"
#include "base/mem.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

static json_t *parse(const char *text, size_t len, size_t flags, const char *what,
		     struct err *err)
{
	const size_t mark_len = sizeof(byte_order_mark) - 1;
	json_error_t reason = {0};
	json_t *object;

	if (json_guard(text, len, what, err) < 0) {
		return NULL;
	}
	if (len >= mark_len && memcmp(text, byte_order_mark, mark_len) == 0) {
		(void)err_set(err, EINVAL,
			      "read %s: line 1, column 1: UTF-8 byte order mark; "
			      "save the file without it",
			      what);
		return NULL;
	}
	object = json_loadb(text, len, JSON_REJECT_DUPLICATES | flags, &reason);
	if (!object && !*reason.text) {
		/* jansson has no words for the one reason that is not in the text. */
		(void)err_set(err, ENOMEM, "read %s: out of memory", what);
		return NULL;
	}
	if (!object) {
		(void)err_set(err, EINVAL, "read %s: line %d, column %d: %s", what,
			      reason.line, reason.column, reason.text);
		return NULL;
	}
	if (!json_is_object(object)) {
		(void)json_wrong(err, what, "top level", "an object", object);
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *json_parse(const char *text, size_t len, const char *what, struct err *err)
{
	return parse(text, len, 0, what, err);
}

json_t *json_parse_wide(const char *text, size_t len, const char *what, struct err *err)
{
	return parse(text, len, JSON_DECODE_INT_AS_REAL, what, err);
}

const json_t *json_member(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return json_is_null(member) ? NULL : member;
}

/* A value may be long and hostile; its first characters are enough to find it. */
static void describe(const json_t *value, char *buf, size_t size)
{
	if (!value) {
		(void)snprintf(buf, size, "nothing");
		return;
	}
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		(void)snprintf(buf, size, "an object");
		break;
	case JSON_ARRAY:
		(void)snprintf(buf, size, "an array");
		break;
	case JSON_STRING:
		(void)snprintf(buf, size, "string '%.100s'", json_string_value(value));
		break;
	case JSON_INTEGER:
		(void)snprintf(buf, size, "number %" JSON_INTEGER_FORMAT,
			       json_integer_value(value));
		break;
	case JSON_REAL:
		(void)snprintf(buf, size, "number %.17g", json_real_value(value));
		break;
	case JSON_TRUE:
		(void)snprintf(buf, size, "true");
		break;
	case JSON_FALSE:
		(void)snprintf(buf, size, "false");
		break;
	case JSON_NULL:
		(void)snprintf(buf, size, "null");
		break;
	}
}

char *json_nest(const char *path, unsigned int depth)
{
	const char *dot = depth > 1 ? strchr(path, '.') : NULL;
	autofree char *inner = dot ? json_nest(dot + 1, depth - 1) : xstrdup("...");

	return xasprintf("{\"%.*s\": %s}", (int)(dot ? dot - path : 100), path, inner);
}

int json_wrong(struct err *err, const char *what, const char *path, const char *wanted,
	       const json_t *found)
{
	char text[128] = "";

	describe(found, text, sizeof(text));
	return err_set(err, EINVAL, "read %s: %s: expected %s, found %s", what, path,
		       wanted, text);
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
		at++;
	}
	return at;
}

bool json_find_string(const char *text, size_t len, const char *quoted_key,
		      const char **ret_value, size_t *ret_len)
{
	const char *end = text + len;
	const char *at = memmem(text, len, quoted_key, strlen(quoted_key));
	const char *quote;
	size_t n;

	if (!at) {
		return false;
	}
	at += strlen(quoted_key);
	if (memmem(at, (size_t)(end - at), quoted_key, strlen(quoted_key))) {
		return false;
	}
	at = skip_blanks(at, end);
	if (at == end || *at != ':') {
		return false;
	}
	at = skip_blanks(at + 1, end);
	if (at == end || *at != '"') {
		return false;
	}
	at++;
	quote = memchr(at, '"', (size_t)(end - at));
	if (!quote || quote == at) {
		return false;
	}
	n = (size_t)(quote - at);
	if (memchr(at, '\\', n) || memchr(at, '\0', n)) {
		return false;
	}
	*ret_value = at;
	*ret_len = n;
	return true;
}
