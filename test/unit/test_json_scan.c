/* SPDX-License-Identifier: Apache-2.0 */
/* test_json_scan.c - what is found in a text without parsing is what a parser finds */

#include "oci/json_scan.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* From an exact copy, so that a sanitizer sees the first byte read beyond it. */
static char *copy_of(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, text, len);
	return copy;
}

/* @wanted: the value as it is written; NULL: none, "": several. */
static void expect_member(const char *text, const char *wanted)
{
	size_t len = strlen(text);
	autofree char *copy = copy_of(text, len);
	const char *value = NULL;
	size_t n = 0;
	bool is_one = json_scan_member(copy, len, "pid", &value, &n);

	cr_expect_eq(is_one, !wanted || *wanted, "%s", text);
	if (wanted && *wanted) {
		cr_expect_eq(n, strlen(wanted), "%s", text);
		cr_expect_eq(strncmp(value, wanted, n), 0, "%s", text);
	} else if (is_one) {
		cr_expect_eq(n, 0, "%s", text);
	}
}

static bool is_string(const char *value, const char *wanted)
{
	size_t len = strlen(value);
	autofree char *copy = copy_of(value, len);

	return json_scan_is_string(copy, len, wanted);
}

Test(json_scan, a_member_is_found_at_the_top_alone)
{
	expect_member("{\"pid\":1}", "1");
	expect_member(" {\n\"a\" : [1, {\"pid\":2}] ,\n \"pid\" : 12 }\n", "12");
	expect_member("{\"a\":{\"pid\":2},\"b\":\"pid\",\"c\":\"\\\"pid\\\":3,\"}", NULL);
	expect_member("{\"pid\":{\"pid\":[2, \"}\"]} ,\"x\":1}", "{\"pid\":[2, \"}\"]}");
	expect_member("{\"pid\":null}", "null");
	expect_member("{\"pidx\":1,\"pi\":2,\"PID\":3}", NULL);
	expect_member("{}", NULL);
	expect_member("[\"pid\"]", NULL);
	expect_member("", NULL);
}

Test(json_scan, a_name_may_have_escapes)
{
	expect_member("{\"p\\u0069d\":1}", "1");
	expect_member("{\"pid\\u0000\":1}", NULL);
}

Test(json_scan, two_are_seen)
{
	expect_member("{\"pid\":1,\"pid\":1}", "");
	expect_member("{\"pid\":1,\"\\u0070id\":2}", "");
}

Test(json_scan, a_text_that_is_cut_off_does_no_harm)
{
	const char *text =
		"{\"a\\\"\":[{},\"]\"],\"p\\ud83d\\ude00\":\"\\\\\",\"pid\":12}";

	for (size_t len = 0; len < strlen(text); len++) {
		autofree char *copy = copy_of(text, len);
		const char *value;
		size_t n;

		cr_expect(json_scan_member(copy, len, "pid", &value, &n));
		cr_expect(n <= 2);
	}
}

Test(json_scan, a_string_is_compared_as_it_reads)
{
	cr_expect(is_string("\"\"", ""));
	cr_expect(is_string("\"/a b\"", "/a b"));
	cr_expect(is_string("\"\\/a\\\"\\\\\\b\\f\\n\\r\\t\"", "/a\"\\\b\f\n\r\t"));
	cr_expect(is_string("\"\\u003c\\u00E9\\u4e2d\\uD83d\\uDe00\"",
			    "<\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80"));
	cr_expect_not(is_string("\"/a\"", "/ab"));
	cr_expect_not(is_string("\"/ab\"", "/a"));
	cr_expect_not(is_string("\"/a\\u0000\"", "/a"));
	cr_expect_not(is_string("/a", "/a"));
	cr_expect_not(is_string("\"", ""));
	cr_expect_not(is_string("", ""));
	cr_expect_not(is_string("\"\\x\"", "x"));
	cr_expect_not(is_string("\"\\\"", "\\"));
	cr_expect_not(is_string("\"\\u00g0\"", ""));
	cr_expect_not(is_string("\"\\u00\"", ""));
	cr_expect_not(is_string("5", "5"));
}

/* Each character that can be written with an escape, as jansson reads it. */
Test(json_scan, escapes_are_those_of_jansson)
{
	for (unsigned code = 1; code < 0x110000; code += code < 0x3000 ? 1 : 61) {
		json_t *string;
		char text[16];

		if (code >= 0xd800 && code < 0xe000) {
			continue;
		}
		if (code < 0x10000) {
			(void)snprintf(text, sizeof(text), "\"\\u%04x\"", code);
		} else {
			(void)snprintf(text, sizeof(text), "\"\\u%04x\\u%04x\"",
				       0xd800 + ((code - 0x10000) >> 10),
				       0xdc00 + ((code - 0x10000) & 0x3ff));
		}
		string = json_loads(text, JSON_DECODE_ANY, NULL);
		cr_assert_not_null(string, "%s", text);
		cr_expect(is_string(text, json_string_value(string)), "%s", text);
		json_decref(string);
	}
}
