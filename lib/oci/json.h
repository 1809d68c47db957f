/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* json.h - jansson with our limits, and messages that say where in a document */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/**
 * json_parse() - Read a JSON object
 * @text:	@len bytes, no NUL needed behind them; borrowed
 * @what:	for the message: "config.json"
 * @err:	EINVAL with line and column; E2BIG nested deeper than LIMIT_JSON_DEPTH
 *
 * A repeated key is an error: two readers could take different ones. So is text after the
 * object, a NUL in a string, a byte order mark, and an integer that does not fit into 64
 * bits with a sign.
 *
 * Return: the object (json_decref() it), or NULL.
 */
json_t *json_parse(const char *text, size_t len, const char *what, struct err *err);

/**
 * json_parse_wide() - As json_parse(), but every number is a JSON_REAL
 *
 * For documents that may hold integers over 64 bits with a sign, which jansson refuses:
 * config.json has RLIM_INFINITY as 18446744073709551615 under process.rlimits. Integers
 * up to 2^53 stay exact.
 */
json_t *json_parse_wide(const char *text, size_t len, const char *what, struct err *err);

/**
 * json_member() - Look up an optional member of an object
 *
 * null counts as absent, as it does for the runtimes that read the same documents.
 *
 * Return: the member, borrowed from @object, or NULL. @object may be NULL.
 */
const json_t *json_member(const json_t *object, const char *key);

/**
 * json_nest() - How a member that is named by its path is written
 * @depth:	of objects, at most; what is left of the path is in the last
 *
 * Return: {"systemd": {"strict": ...}} of "systemd.strict", to free().
 */
char *json_nest(const char *path, unsigned int depth);

/**
 * json_wrong() - Report that a value is not what it should be
 * @what:	the document: "config.json"
 * @path:	where in it: "process.user.uid"
 * @wanted:	"a string"
 * @found:	NULL: nothing is there
 *
 * Return: -EINVAL. The message reads "read config.json: process.user.uid: expected a
 * string, found number 5".
 */
int json_wrong(struct err *err, const char *what, const char *path, const char *wanted,
	       const json_t *found);

/**
 * json_find_string() - The value of a member, without parsing
 * @quoted_key:	with its quotes: "\"bundle\""
 * @ret_value:	into @text; @ret_len bytes, at least one
 *
 * For what must be known before a text is worth parsing. Inside a string a quote has a
 * backslash before it, so the bytes of @quoted_key are the whole of a key or of a value.
 *
 * Return: false unless they stand at one place alone, with a string behind them that is
 * not empty and holds no escape. A true is a guess until the text is parsed.
 */
bool json_find_string(const char *text, size_t len, const char *quoted_key,
		      const char **ret_value, size_t *ret_len);
