/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - only JSON objects without surprises get through,
   and messages say where */

#include "oci/json.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"

/* A copy of exactly @len bytes, so that a sanitizer sees the first
   byte read beyond it. */
static char *exact(const char *text, size_t len)
{
	char *copy = malloc(len);

	memcpy(copy, text, len);
	return copy;
}

static json_t *parse_bytes(const char *text, size_t len, struct err *err)
{
	char *copy = exact(text, len);
	json_t *object = json_parse(copy, len, "t.json", err);

	free(copy);
	return object;
}

static void expect_error(const char *text, size_t len, int code, const char *message)
{
	struct err err = {0};
	json_t *object = parse_bytes(text, len, &err);

	cr_assert_null(object, "accepted: %s", text);
	cr_assert_eq(err.code, code, "%s", err.msg);
	cr_assert_str_eq(err.msg, message);
}

#define EXPECT_EINVAL(text, message) expect_error(text, sizeof(text) - 1, EINVAL, message)

Test(json, an_object_is_read)
{
	struct err err = {0};
	json_t *object = parse_bytes(" {\"a\": \"b\\/\\u00e9\"}\n", 20, &err);

	cr_assert_not_null(object, "%s", err.msg);
	cr_assert_str_eq(json_string_value(json_object_get(object, "a")), "b/\xc3\xa9");
	json_decref(object);
}

Test(json, errors_name_document_line_column_and_reason)
{
	EXPECT_EINVAL("",
		      "read t.json: line 1, column 0: '[' or '{' expected near end of "
		      "file");
	EXPECT_EINVAL("{\"a\":1",
		      "read t.json: line 1, column 6: '}' expected near end of "
		      "file");
	EXPECT_EINVAL("{\n  \"a\": 1,\n}",
		      "read t.json: line 3, column 1: string or '}' expected near '}'");
	EXPECT_EINVAL("{\"a\": tru}", "read t.json: line 1, column 9: invalid token near "
				      "'tru'");
	EXPECT_EINVAL("5", "read t.json: line 1, column 1: '[' or '{' expected near '5'");
}

Test(json, text_behind_the_object_is_an_error)
{
	EXPECT_EINVAL("{\"a\":1}x",
		      "read t.json: line 1, column 8: end of file expected near 'x'");
	EXPECT_EINVAL("{}{}",
		      "read t.json: line 1, column 3: end of file expected near '{'");
}

Test(json, a_repeated_key_is_an_error_at_every_level)
{
	EXPECT_EINVAL(
		"{\"a\":1,\"a\":2}",
		"read t.json: line 1, column 10: duplicate object key near '\"a\"'");
	EXPECT_EINVAL("{\"x\":[{\"a\":1,\n\"\\u0061\":1}]}",
		      "read t.json: line 2, column 8: duplicate object key near "
		      "'\"\\u0061\"'");
}

Test(json, a_nul_is_an_error_in_every_place)
{
	EXPECT_EINVAL("{\"a\":\"\\u0000\"}",
		      "read t.json: line 1, column 13: \\u0000 is not allowed without "
		      "JSON_ALLOW_NUL near '\"\\u0000\"'");
	EXPECT_EINVAL(
		"{\"\\u0000\":1}",
		"read t.json: line 1, column 9: NUL byte in object key not supported "
		"near '\"\\u0000\"'");
	EXPECT_EINVAL("{\"a\":\"b\0\"}",
		      "read t.json: line 1, column 7: control character "
		      "0x0 near '\"b'");
	expect_error(
		"{}\0", 3, EINVAL,
		"read t.json: line 1, column 3: end of file expected near end of file");
}

Test(json, bytes_that_are_no_utf8_are_an_error)
{
	EXPECT_EINVAL(
		"{\"a\":\"\xff\"}",
		"read t.json: line 1, column 6: unable to decode byte 0xff near '\"'");
	/* Half a surrogate pair is no character. */
	EXPECT_EINVAL("{\"a\":\"\\ud800\"}",
		      "read t.json: line 1, column 13: invalid Unicode '\\uD800' near "
		      "'\"\\ud800\"'");
}

Test(json, a_byte_order_mark_is_called_by_its_name)
{
	EXPECT_EINVAL("\xef\xbb\xbf{}", "read t.json: line 1, column 1: UTF-8 byte order "
					"mark; save the file without it");
	EXPECT_EINVAL("\xef\xbb\xbf", "read t.json: line 1, column 1: UTF-8 byte order "
				      "mark; save the file without it");
	/* Two bytes of it are no mark. */
	EXPECT_EINVAL("\xef\xbb", "read t.json: line 1, column 0: unable to decode byte "
				  "0xef");
}

Test(json, an_array_is_no_object)
{
	EXPECT_EINVAL("[1]",
		      "read t.json: top level: expected an object, found an array");
}

Test(json, depth_up_to_the_limit_is_read_and_one_more_is_e2big)
{
	/* {"a":[[...]]}: the object is the first level. */
	for (size_t depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
		char text[2 * (LIMIT_JSON_DEPTH + 1) + 16] = "{\"a\":";
		struct err err = {0};
		json_t *object;

		for (size_t i = 1; i < depth; i++) {
			strcat(text, "[");
		}
		for (size_t i = 1; i < depth; i++) {
			strcat(text, "]");
		}
		strcat(text, "}");
		object = parse_bytes(text, strlen(text), &err);
		cr_assert_eq(object != NULL, depth == LIMIT_JSON_DEPTH, "%zu", depth);
		if (!object) {
			cr_assert_eq(err.code, E2BIG, "%s", err.msg);
			cr_assert_not_null(strstr(err.msg, "t.json"), "%s", err.msg);
		}
		json_decref(object);
	}
}

Test(json, a_million_brackets_do_not_overflow_the_stack)
{
	size_t len = 1 << 20;
	char *text = malloc(len);
	struct err err = {0};

	memset(text, '[', len);
	cr_assert_null(json_parse(text, len, "t.json", &err));
	cr_assert_eq(err.code, E2BIG);
	free(text);
}

Test(json, integers_over_64_bits_with_a_sign_need_the_wide_reader)
{
	static const char text[] = "{\"a\":18446744073709551615,\"b\":4294967295}";
	struct err err = {0};
	json_t *object;

	EXPECT_EINVAL("{\"a\":18446744073709551615,\"b\":4294967295}",
		      "read t.json: line 1, column 25: too big integer near "
		      "'18446744073709551615'");
	object = json_parse_wide(text, sizeof(text) - 1, "t.json", &err);
	cr_assert_not_null(object, "%s", err.msg);
	cr_assert(json_is_real(json_object_get(object, "a")));
	cr_assert_eq(json_real_value(json_object_get(object, "a")),
		     18446744073709551615.0);
	cr_assert_eq(json_real_value(json_object_get(object, "b")), 4294967295.0);
	json_decref(object);
}

Test(json, the_wide_reader_is_as_strict_in_everything_else)
{
	static const char *const rows[] = {
		"",
		"[]",
		"{\"a\":1,\"a\":1}",
		"{}x",
		"{\"a\":\"\\u0000\"}",
		"\xef\xbb\xbf{}",
		"{\"a\":1e999}",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = {0};

		cr_assert_null(json_parse_wide(rows[i], strlen(rows[i]), "t.json", &err),
			       "%s", rows[i]);
		cr_assert_eq(err.code, EINVAL);
		cr_assert_eq(strncmp(err.msg, "read t.json: ", 13), 0, "%s", err.msg);
	}
}

Test(json, a_hostile_key_stays_on_one_line)
{
	EXPECT_EINVAL("{\"a\x1b[2J\":1}",
		      "read t.json: line 1, column 3: control character 0x1b near '\"a'");
	EXPECT_EINVAL("{\x1b[2J}",
		      "read t.json: line 1, column 2: string or '}' expected near '?'");
}

static int allocations_left;

static void *scarce_malloc(size_t size)
{
	if (allocations_left == 0) {
		return NULL;
	}
	allocations_left--;
	return malloc(size);
}

Test(json, running_out_of_memory_is_an_error_at_every_allocation)
{
	static const char text[] = "{\"a\":[1,2.5,{\"b\":\"c\"}],\"key\":\"value\"}";
	json_t *object = NULL;
	int n = 0;

	json_set_alloc_funcs(scarce_malloc, free);
	while (!object) {
		struct err err = {0};

		cr_assert_lt(n, 1000);
		allocations_left = n;
		object = json_parse(text, sizeof(text) - 1, "t.json", &err);
		cr_assert_eq(!object, err.code != 0);
		if (n == 0) {
			cr_assert_eq(err.code, ENOMEM);
			cr_assert_str_eq(err.msg, "read t.json: out of memory");
		}
		n++;
	}
	cr_assert_gt(n, 5);
	json_decref(object);
}

Test(json, a_null_member_counts_as_absent)
{
	struct err err = {0};
	json_t *object = parse_bytes("{\"a\":null,\"b\":false}", 20, &err);

	cr_assert_not_null(object, "%s", err.msg);
	cr_assert_null(json_member(object, "a"));
	cr_assert_not_null(json_member(object, "b"));
	cr_assert_null(json_member(object, "c"));
	cr_assert_null(json_member(NULL, "a"));
	json_decref(object);
}

Test(json, a_path_is_nested_as_deep_as_it_may_be)
{
	static const struct {
		const char *path;
		const char *want;
	} rows[] = {
		{"a", "{\"a\": ...}"},
		{"a.b", "{\"a\": {\"b\": ...}}"},
		{"a.b.c.d", "{\"a\": {\"b\": {\"c.d\": ...}}}"},
		{"a.", "{\"a\": {\"\": ...}}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autofree char *got = json_nest(rows[i].path, 3);

		cr_assert_str_eq(got, rows[i].want);
	}
}

Test(json, a_wrong_value_is_described)
{
	static const struct {
		const char *text;
		const char *found;
	} rows[] = {
		{"{\"v\":{}}", "an object"},
		{"{\"v\":[]}", "an array"},
		{"{\"v\":\"x\"}", "string 'x'"},
		{"{\"v\":-5}", "number -5"},
		{"{\"v\":1.5}", "number 1.5"},
		{"{\"v\":true}", "true"},
		{"{\"v\":false}", "false"},
		{"{\"v\":null}", "null"},
		{"{}", "nothing"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = {0};
		json_t *object = parse_bytes(rows[i].text, strlen(rows[i].text), &err);
		char want[100];

		cr_assert_not_null(object, "%s", err.msg);
		cr_assert_eq(json_wrong(&err, "t.json", "a.b", "a thing",
					json_object_get(object, "v")),
			     -EINVAL);
		(void)snprintf(want, sizeof(want),
			       "read t.json: a.b: expected a thing, found %s",
			       rows[i].found);
		cr_assert_str_eq(err.msg, want);
		cr_assert_eq(err.code, EINVAL);
		json_decref(object);
	}
}

Test(json, a_long_wrong_value_is_cut)
{
	char text[1000];
	json_t *value;
	struct err err = {0};

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	value = json_string(text);
	(void)json_wrong(&err, "t.json", "a", "an array", value);
	cr_assert_lt(strlen(err.msg), 200);
	cr_assert_str_eq(strchr(err.msg, '\'') + 101, "'");
	json_decref(value);
}
