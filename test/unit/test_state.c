/* SPDX-License-Identifier: Apache-2.0 */
/* test_state.c - what the runtimes really write, and what nobody should */

#include "oci/state.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* From an exact copy, so that a sanitizer sees the first byte read beyond it. */
static int parse_bytes(const char *text, size_t len, struct oci_state *ret,
		       struct err *err)
{
	char *copy = malloc(len);
	int r;

	memcpy(copy, text, len);
	r = oci_state_parse(copy, len, ret, err);
	free(copy);
	return r;
}

static int check_bytes(const char *text, size_t len, const struct oci_state *state,
		       struct err *err)
{
	char *copy = malloc(len);
	int r;

	memcpy(copy, text, len);
	r = oci_state_check(copy, len, state, err);
	free(copy);
	return r;
}

/* What is parsed is also what the parent finds in the text without a parser. */
static void expect_state(const char *text, const char *id, const char *bundle, pid_t pid)
{
	struct oci_state state = {0};
	struct err err = {0};

	cr_assert_eq(parse_bytes(text, strlen(text), &state, &err), 0, "%s", err.msg);
	cr_assert_str_eq(state.id, id);
	cr_assert_str_eq(state.bundle, bundle);
	cr_assert_eq(state.pid, pid);
	cr_assert_eq(check_bytes(text, strlen(text), &state, &err), 0, "%s", err.msg);
	oci_state_clear(&state);
	cr_assert_null(state.bundle);
	oci_state_clear(&state);
}

static void expect_error(const char *text, const char *message)
{
	struct oci_state state = {.pid = 77};
	struct err err = {0};

	cr_assert_eq(parse_bytes(text, strlen(text), &state, &err), -EINVAL, "%s", text);
	cr_assert_eq(err.code, EINVAL);
	cr_assert_str_eq(err.msg, message);
	cr_assert_eq(state.pid, 77, "written to on failure");
	cr_assert_null(state.bundle);
}

/* ---- samples ----------------------------------------------------------------------- */

/* runc 1.1.5, createRuntime: Go escapes < > & */
static const char runc_state[] =
	"{\"ociVersion\":\"1.0.2-dev\",\"id\":\"c1\",\"status\":\"creating\",\"pid\":5732,"
	"\"bundle\":\"/run/containers/c1\",\"annotations\":{\"io.oci-gpu-hook.gpu\":"
	"\"amd:1\",\"note\":\"a/b \\u003cx\\u003e\"}}";

Test(state, runc)
{
	expect_state(runc_state, "c1", "/run/containers/c1", 5732);
}

Test(state, crun_1_8_with_its_own_root_key)
{
	expect_state(
		"{\"ociVersion\":\"1.0\",\"id\":\"c2\",\"pid\":5745,\"root\":\"rootfs\","
		"\"bundle\":\"/run/containers/c2\",\"status\":\"created\","
		"\"annotations\":{\"io.oci-gpu-hook.gpu\":\"amd:1\",\"note\":\"a/b "
		"<x>\"}}",
		"c2", "/run/containers/c2", 5745);
}

Test(state, crun_1_28_pretty_printed_with_escaped_slashes)
{
	expect_state("{\n"
		     "  \"ociVersion\":\"1.0\",\n"
		     "  \"id\":\"c3\",\n"
		     "  \"pid\":4711,\n"
		     "  \"root\":\"\\/var\\/lib\\/c3\\/rootfs\",\n"
		     "  \"bundle\":\"\\/run\\/containers\\/c3\",\n"
		     "  \"status\":\"created\",\n"
		     "  \"annotations\":{\n"
		     "    \"run.oci.hooks.stderr\":\"\\/dev\\/stderr\"\n"
		     "  }\n"
		     "}",
		     "c3", "/run/containers/c3", 4711);
}

Test(state, youki_with_fields_of_its_own)
{
	expect_state("{\"ociVersion\":\"v1.0.2\",\"id\":\"c4\",\"status\":\"creating\","
		     "\"pid\":815,\"bundle\":\"/run/containers/c4\",\"annotations\":{},"
		     "\"created\":\"2025-11-03T09:12:44.123456789Z\",\"creator\":1000,"
		     "\"useSystemd\":null}",
		     "c4", "/run/containers/c4", 815);
}

Test(state, crun_createcontainer_has_pid_0)
{
	expect_state("{\"id\":\"c\",\"pid\":0,\"bundle\":\"/b\",\"status\":\"created\"}",
		     "c", "/b", 0);
}

/* ---- rules ------------------------------------------------------------------------- */

Test(state, only_the_bundle_is_required)
{
	expect_state("{\"bundle\":\"/\"}", "", "/", 0);
	expect_state("{\"bundle\":\"/b\",\"id\":null,\"pid\":null}", "", "/b", 0);
	expect_state("{\"bundle\":\"/b\",\"pid\":-0}", "", "/b", 0);
}

Test(state, the_largest_pid)
{
	expect_state("{\"bundle\":\"/b\",\"pid\":2147483647}", "", "/b", 2147483647);
}

Test(state, bundle_must_be_an_absolute_path)
{
#define BUNDLE "read state on standard input: bundle: expected an absolute path, found "
	expect_error("{}", BUNDLE "nothing");
	expect_error("{\"bundle\":null}", BUNDLE "nothing");
	expect_error("{\"bundle\":\"\"}", BUNDLE "string ''");
	expect_error("{\"bundle\":\"b\"}", BUNDLE "string 'b'");
	expect_error("{\"bundle\":\"./b\"}", BUNDLE "string './b'");
	expect_error("{\"bundle\":5}", BUNDLE "number 5");
	expect_error("{\"bundle\":[\"/b\"]}", BUNDLE "an array");
}

Test(state, pid_must_be_a_process_id)
{
#define PID(value, found)                                \
	expect_error(                                    \
		"{\"bundle\":\"/b\",\"pid\":" value "}", \
		"read state on standard input: pid: expected a process id, found " found)
	PID("-1", "number -1");
	PID("2147483648", "number 2147483648");
	PID("4294967297", "number 4294967297");
	PID("9223372036854775807", "number 9223372036854775807");
	PID("1.5", "number 1.5");
	PID("1.0", "number 1");
	PID("1e2", "number 100");
	PID("\"5\"", "string '5'");
	PID("true", "true");
	PID("[5]", "an array");
}

Test(state, what_is_of_no_use_may_be_anything)
{
	expect_state("{\"bundle\":\"/b\",\"status\":{},\"root\":5}", "", "/b", 0);
}

Test(state, id_must_be_a_string)
{
	expect_error(
		"{\"bundle\":\"/b\",\"id\":5}",
		"read state on standard input: id: expected a string, found number 5");
}

Test(state, empty_says_who_writes_it)
{
	expect_error("",
		     "read state on standard input: it is empty, and a runtime writes "
		     "it there; to look at a bundle, use plan --bundle DIR");
}

Test(state, text_that_is_no_json_object_is_an_error)
{
	expect_error(" ", "read state on standard input: line 1, column 1: '[' or '{' "
			  "expected near end of file");
	expect_error("[]", "read state on standard input: top level: expected an object, "
			   "found an array");
	expect_error(
		"{\"bundle\":\"/a\",\"bundle\":\"/b\"}",
		"read state on standard input: line 1, column 23: duplicate object key "
		"near '\"bundle\"'");
	expect_error("{\"bundle\":\"/a\\u0000b\"}",
		     "read state on standard input: line 1, column 21: \\u0000 is not "
		     "allowed without JSON_ALLOW_NUL near '\"/a\\u0000b\"'");
	expect_error(
		"{\"pid\":99999999999999999999}",
		"read state on standard input: line 1, column 27: too big integer near "
		"'99999999999999999999'");
}

Test(state, nested_too_deep_is_e2big)
{
	char text[2000] = "{\"bundle\":\"/b\",\"x\":";
	struct oci_state state = {0};
	struct err err = {0};

	for (int i = 0; i < 500; i++) {
		strcat(text, "[");
	}
	cr_assert_eq(parse_bytes(text, strlen(text), &state, &err), -E2BIG);
	cr_assert_eq(err.code, E2BIG);
}

Test(state, every_truncation_is_an_error)
{
	for (size_t len = 0; len < strlen(runc_state); len++) {
		struct oci_state state = {0};
		struct err err = {0};

		cr_assert_eq(parse_bytes(runc_state, len, &state, &err), -EINVAL, "%zu",
			     len);
		cr_assert_null(state.bundle);
		cr_assert_neq(err.msg[0], '\0');
	}
}

/* ---- a glance instead of a parse --------------------------------------------------- */

static const char *glance(const char *text)
{
	static char bundle[64];
	size_t len = strlen(text);
	char *copy = malloc(len); /* no NUL behind it */
	bool is_found;

	memcpy(copy, text, len);
	is_found = oci_state_find_bundle(copy, len, bundle, sizeof(bundle));
	free(copy);
	return is_found ? bundle : NULL;
}

Test(state, a_glance_finds_a_plain_bundle)
{
	cr_expect_str_eq(glance("{\"id\":\"a\",\"bundle\":\"/run/b\",\"pid\":1}"),
			 "/run/b");
	cr_expect_str_eq(glance("{ \"bundle\"\n:\t\"/b\" }"), "/b");
	cr_expect_str_eq(
		glance("{\"bundle\":\"/b\",\"annotations\":{\"x\":\"\\\"bundle\\\"\"}}"),
		"/b", "quotes in a string have a backslash");
}

Test(state, a_glance_leaves_the_rest_to_the_parser)
{
	cr_expect_null(glance(""));
	cr_expect_null(glance("{\"id\":\"a\"}"));
	cr_expect_null(glance("{\"bundle\":\"\\/b\"}"), "an escape");
	cr_expect_null(glance("{\"bundle\":\"b\"}"), "a relative path");
	cr_expect_null(glance("{\"bundle\":7}"));
	cr_expect_null(glance("{\"bundle\":null}"));
	cr_expect_null(glance("{\"bundle\":\"/b"), "cut off");
	cr_expect_null(glance("{\"bundle\""), "cut off");
	cr_expect_null(glance("{\"bundle\":"), "cut off");
	cr_expect_null(glance("{\"b\\u0075ndle\":\"/b\"}"), "an escaped key");
	cr_expect_null(glance("{\"x\":\"bundle\",\"bundle\":\"/b\"}"), "twice");
	cr_expect_null(
		glance("{\"annotations\":{\"bundle\":\"/evil\"},\"bundle\":\"/b\"}"),
		"twice");
	cr_expect_null(glance("{\"bundle\":\"/0123456789012345678901234567890123456789"
			      "01234567890123456789012345\"}"),
		       "longer than the room for it");
}

/* ---- the words of a parser that lies ----------------------------------------------- */

static void expect_lie(const char *text, const char *id, const char *bundle, pid_t pid,
		       const char *message)
{
	char own_id[64];
	char own_bundle[64];
	const struct oci_state state = {
		.id = strcpy(own_id, id),
		.bundle = strcpy(own_bundle, bundle),
		.pid = pid,
	};
	struct err err = {0};

	cr_expect_eq(check_bytes(text, strlen(text), &state, &err), -EBADMSG, "%s", text);
	cr_expect_str_eq(err.msg, message, "%s", text);
}

#define LIE(what)                            \
	"read the parser's reply: its " what \
	" is not the state's; report it, with the state"

Test(state, the_pid_of_another_container_is_seen)
{
	expect_lie(runc_state, "c1", "/run/containers/c1", 5733, LIE("pid"));
	expect_lie(runc_state, "c1", "/run/containers/c1", 0, LIE("pid"));
	expect_lie("{\"id\":\"c\",\"bundle\":\"/b\"}", "c", "/b", 5732, LIE("pid"));
	expect_lie("{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":null}", "c", "/b", 5732,
		   LIE("pid"));
	/* An image has annotations. */
	expect_lie("{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":7,"
		   "\"annotations\":{\"pid\":5732,\"x\":\"\\\"pid\\\":5732\"}}",
		   "c", "/b", 5732, LIE("pid"));
	expect_lie("{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":7,\"p\\u0069d\":8}", "c",
		   "/b", 8, LIE("pid"));
	expect_lie("{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":\"8\"}", "c", "/b", 8,
		   LIE("pid"));
}

Test(state, the_bundle_and_the_id_of_another_are_seen)
{
	expect_lie(runc_state, "c1", "/run/containers/c2", 5732, LIE("bundle"));
	expect_lie(runc_state, "c2", "/run/containers/c1", 5732, LIE("id"));
	expect_lie(runc_state, "", "/run/containers/c1", 5732, LIE("id"));
	expect_lie("{\"bundle\":\"/b\",\"x\":{\"id\":\"c\"}}", "c", "/b", 0, LIE("id"));
	expect_lie("{}", "", "/b", 0, LIE("bundle"));
}

Test(state, names_and_values_may_have_escapes)
{
	expect_state("{\"\\u0062undle\":\"\\/a\\u003cb\\ud83d\\ude00\",\"p\\u0069d\":7,"
		     "\"id\":\"\\u0063\",\"annotations\":{\"pid\":8}}",
		     "c", "/a<b\xf0\x9f\x98\x80", 7);
}
