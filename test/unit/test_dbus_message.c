/* SPDX-License-Identifier: Apache-2.0 */
/* test_dbus_message.c - messages, byte for byte as the D-Bus Specification has them */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "backend/apply/dbus_message.h"

/* A reply "v" with the string "auto", serial 7 to call 3, little endian. */
static const unsigned char reply_auto[] = {
	/* 'l', method return, flags, version 1; body length; serial; length of fields */
	'l', 2, 1, 1, 13, 0, 0, 0, 7, 0, 0, 0, 15, 0, 0, 0,
	/* REPLY_SERIAL 5, variant "u" 3 */
	5, 1, 'u', 0, 3, 0, 0, 0,
	/* SIGNATURE 8, variant "g" "v", then padding to 8 */
	8, 1, 'g', 0, 1, 'v', 0, 0,
	/* body: variant "s": 3 bytes, padding, length, text, NUL */
	1, 's', 0, 0, 4, 0, 0, 0, 'a', 'u', 't', 'o', 0};

/* The same from a big endian peer. */
static const unsigned char reply_auto_big[] = {
	'B', 2, 1, 1,	0, 0, 0, 13, 0, 0, 0,	7,   0,	  0,   0,
	15,  5, 1, 'u', 0, 0, 0, 0,  3, 8, 1,	'g', 0,	  1,   'v',
	0,   0, 1, 's', 0, 0, 0, 0,  0, 4, 'a', 'u', 't', 'o', 0};

static struct dbus_message parse(const unsigned char *data, size_t size)
{
	struct dbus_message message = {0};

	cr_assert_eq(dbus_message_size(data, 4096), size);
	cr_assert_eq(dbus_message_parse(data, size, &message), 0);
	return message;
}

/* Parses a changed copy of reply_auto. Return: was it refused, at the
   latest in the body? */
static bool is_refused(size_t at, unsigned char value)
{
	unsigned char changed[sizeof(reply_auto)];
	struct dbus_message message;

	memcpy(changed, reply_auto, sizeof(changed));
	changed[at] = value;
	if (dbus_message_parse(changed, sizeof(changed), &message) < 0) {
		return true;
	}
	dbus_enter_variant(&message.body, "s");
	(void)dbus_get_string(&message.body);
	return message.body.is_bad;
}

static void assert_bytes(const struct dbus_writer *writer, const void *want, size_t n)
{
	cr_assert_eq(writer->len, n, "%zu bytes, not %zu", writer->len, n);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(writer->data[i], ((const unsigned char *)want)[i],
			     "byte %zu is 0x%02x", i, writer->data[i]);
	}
}

Test(dbus_message, a_call_without_arguments)
{
	static const unsigned char want[] = {
		'l', 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 42, 0, 0, 0,
		/* PATH "/a" */
		1, 1, 'o', 0, 2, 0, 0, 0, '/', 'a', 0, 0, 0, 0, 0, 0,
		/* INTERFACE "b.c" */
		2, 1, 's', 0, 3, 0, 0, 0, 'b', '.', 'c', 0, 0, 0, 0, 0,
		/* MEMBER "D", padding to 8 */
		3, 1, 's', 0, 1, 0, 0, 0, 'D', 0, 0, 0, 0, 0, 0, 0};
	const struct dbus_call call = {
		.serial = 1,
		.path = "/a",
		.interface = "b.c",
		.member = "D",
		.signature = "",
	};
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};

	dbus_begin_call(&writer, &call);
	dbus_end_call(&writer);
	assert_bytes(&writer, want, sizeof(want));
}

Test(dbus_message, arguments_are_aligned_from_the_messages_start)
{
	/* body of "sba(sv)": "u", true, [("D", <a(ss) [("/x", "rw")]>)] */
	static const unsigned char want[] = {
		1,  0,	 0,   0,   'u', 0,   0, 0, /* string, padding */
		1,  0,	 0,   0,		   /* true */
		39, 0,	 0,   0,	   /* bytes of the array: at 16, no padding */
		1,  0,	 0,   0,   'D', 0, /* struct: string */
		5,  'a', '(', 's', 's', ')', 0, 0, 0, 0, /* variant's signature */
		15, 0,	 0,   0,   0,	0,   0, 0,	 /* bytes of the inner array */
		2,  0,	 0,   0,   '/', 'x', 0, 0, 2, 0, 0, 0, 'r', 'w', 0};
	const struct dbus_call call = {
		.serial = 2,
		.destination = "q.r",
		.path = "/a",
		.interface = "b.c",
		.member = "D",
		.signature = "sba(sv)",
	};
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};
	struct dbus_writer body;
	size_t outer;
	size_t inner;
	size_t start;

	/* A message before it must not matter. */
	dbus_begin_call(&writer, &call);
	dbus_put_string(&writer, "xyz");
	dbus_end_call(&writer);
	start = writer.len;
	dbus_begin_call(&writer, &call);
	body = writer;
	dbus_put_string(&writer, "u");
	dbus_put_bool(&writer, true);
	outer = dbus_begin_array(&writer);
	dbus_begin_struct(&writer);
	dbus_put_string(&writer, "D");
	dbus_put_signature(&writer, "a(ss)");
	inner = dbus_begin_array(&writer);
	dbus_begin_struct(&writer);
	dbus_put_string(&writer, "/x");
	dbus_put_string(&writer, "rw");
	dbus_end_array(&writer, inner);
	dbus_end_array(&writer, outer);
	dbus_end_call(&writer);
	cr_assert_eq((body.len - start) % 8, 0, "the header is padded to 8");
	cr_assert_eq(writer.data[start + 4], sizeof(want), "length of the body");
	body.data = writer.data + body.len;
	body.len = writer.len - (size_t)(body.data - writer.data);
	assert_bytes(&body, want, sizeof(want));
}

Test(dbus_message, an_empty_array_of_structs_is_padded_all_the_same)
{
	const struct dbus_call call = {.serial = 1,
				       .path = "/",
				       .interface = "a.b",
				       .member = "C",
				       .signature = "a(ss)"};
	static const unsigned char want[] = {0, 0, 0, 0, 0, 0, 0, 0};
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};
	struct dbus_writer body;

	dbus_begin_call(&writer, &call);
	body = writer;
	dbus_end_array(&writer, dbus_begin_array(&writer));
	dbus_end_call(&writer);
	body.data = writer.data + body.len;
	body.len = writer.len - body.len;
	assert_bytes(&body, want, sizeof(want));
}

Test(dbus_message, a_reply_in_either_byte_order)
{
	const unsigned char *replies[] = {reply_auto, reply_auto_big};

	for (size_t i = 0; i < 2; i++) {
		struct dbus_message message = parse(replies[i], sizeof(reply_auto));

		cr_expect_eq(message.type, DBUS_METHOD_RETURN);
		cr_expect_eq(message.reply_serial, 3);
		cr_expect_str_eq(message.signature, "v");
		dbus_enter_variant(&message.body, "s");
		cr_expect_str_eq(dbus_get_string(&message.body), "auto");
		cr_expect_not(message.body.is_bad);
		cr_expect_eq(dbus_get_u32(&message.body), 0);
		cr_expect(message.body.is_bad, "nothing is behind it");
	}
}

Test(dbus_message, what_is_not_the_protocol_has_no_size)
{
	unsigned char header[DBUS_FIXED_HEADER_BYTES] = {'l', 2, 0, 1};

	cr_expect_eq(dbus_message_size(header, 4096), 16);
	header[3] = 2;
	cr_expect_eq(dbus_message_size(header, 4096), 0, "another version");
	header[3] = 1;
	header[0] = 'x';
	cr_expect_eq(dbus_message_size(header, 4096), 0, "no byte order");
}

Test(dbus_message, a_size_over_the_limit_is_none)
{
	unsigned char header[DBUS_FIXED_HEADER_BYTES] = {'l', 2, 0, 1, 80};

	cr_expect_eq(dbus_message_size(header, 96), 96);
	cr_expect_eq(dbus_message_size(header, 95), 0);
	memset(header + 4, 0xff, 4);
	memset(header + 12, 0xff, 4);
	cr_expect_eq(dbus_message_size(header, 4096), 0, "no overflow");
}

Test(dbus_message, lengths_that_go_past_the_end_are_refused)
{
	cr_expect(is_refused(12, 255), "the fields");
	cr_expect(is_refused(36, 5), "a string one byte longer than the message");
	cr_expect(is_refused(39, 0xff), "a string of 4 GiB");
	cr_expect(is_refused(28, 200), "a signature");
	cr_expect_not(is_refused(8, 9), "another serial is nothing wrong");
}

Test(dbus_message, padding_that_is_not_zero_is_refused)
{
	cr_expect(is_refused(31, 1), "behind the fields");
	cr_expect(is_refused(35, 1), "before the length of a string");
}

Test(dbus_message, strings_end_with_their_only_nul)
{
	cr_expect(is_refused(44, 'x'), "no NUL at the end");
	cr_expect(is_refused(41, 0), "a NUL within");
}

Test(dbus_message, a_value_of_another_type_is_refused)
{
	cr_expect(is_refused(33, 'u'), "the variant holds no string");
	cr_expect(is_refused(18, 'i'), "the reply's serial is no uint32");
	cr_expect(is_refused(16, 8), "a signature that is a number");
}

Test(dbus_message, a_field_that_is_not_known_is_passed_over)
{
	unsigned char changed[sizeof(reply_auto)];
	struct dbus_message message;

	memcpy(changed, reply_auto, sizeof(changed));
	changed[16] = 200;
	cr_assert_eq(dbus_message_parse(changed, sizeof(changed), &message), 0);
	cr_expect_eq(message.reply_serial, 0);
	cr_expect_str_eq(message.signature, "v");
}

Test(dbus_message, an_error_without_a_name_is_refused)
{
	cr_expect(is_refused(1, DBUS_ERROR));
}

Test(dbus_message, an_array_ends_where_it_says)
{
	/* ("a", "b") in an array of 14 bytes */
	unsigned char body[] = {14, 0,	 0, 0, 0, 0, 0, 0, 1, 0,   0,
				0,  'a', 0, 0, 0, 1, 0, 0, 0, 'b', 0};
	struct dbus_reader reader = {.data = body, .len = sizeof(body)};
	size_t end = dbus_enter_array(&reader);

	cr_assert(dbus_next_struct(&reader, end));
	cr_expect_str_eq(dbus_get_string(&reader), "a");
	cr_expect_str_eq(dbus_get_string(&reader), "b");
	cr_expect_not(dbus_next_struct(&reader, end));
	cr_expect_not(reader.is_bad);

	body[0] = 13;
	reader = (struct dbus_reader){.data = body, .len = sizeof(body)};
	end = dbus_enter_array(&reader);
	cr_assert(dbus_next_struct(&reader, end));
	(void)dbus_get_string(&reader);
	(void)dbus_get_string(&reader);
	cr_expect_not(dbus_next_struct(&reader, end));
	cr_expect(reader.is_bad, "the last element goes beyond the array");

	body[0] = 15;
	reader = (struct dbus_reader){.data = body, .len = sizeof(body)};
	(void)dbus_enter_array(&reader);
	cr_expect(reader.is_bad, "the array goes beyond the message");
}

struct skip_case {
	const char *what;
	const char *body; /* a variant */
	size_t n;
	size_t want; /* where the reader stands afterwards; 0: it is refused */
};

#define SKIP(what, body, want)                       \
	{                                            \
		(what), (body), sizeof(body), (want) \
	}

/* One byte is behind each value: the literal's NUL. A variant's signature comes first,
   and what follows is aligned from the start. */
static const struct skip_case skip_cases[] = {
	SKIP("a byte", "\1y\0\7", 4),
	SKIP("uint16", "\1q\0\0\7\0", 6),
	SKIP("boolean", "\1b\0\0\1\0\0\0", 8),
	SKIP("uint64", "\1t\0\0\0\0\0\0\1\2\3\4\5\6\7\10", 16),
	SKIP("a string", "\1s\0\0\2\0\0\0ab\0", 11),
	SKIP("an object path", "\1o\0\0\1\0\0\0/\0", 10),
	SKIP("a signature", "\1g\0\2as\0", 7),
	SKIP("bytes", "\2ay\0\3\0\0\0abc", 11),
	SKIP("an array without elements", "\2as\0\0\0\0\0", 8),
	SKIP("an array without elements of 8 bytes", "\2at\0\0\0\0\0", 8),
	SKIP("elements of 8 bytes are padded before", "\2ax\0\10\0\0\0\1\2\3\4\5\6\7\10",
	     16),
	SKIP("elements of 8 bytes behind padding",
	     "\3aax\0\0\0\0\14\0\0\0\10\0\0\0\1\2\3\4\5\6\7\10", 24),
	SKIP("a struct in an array",
	     "\5a(ut)\0\0\20\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\2\3\4\5\6\7\10", 32),
	SKIP("a dictionary", "\5a{ss}\0\0\15\0\0\0\0\0\0\0\1\0\0\0a\0\0\0\0\0\0\0\0", 29),
	SKIP("a struct", "\4(uo)\0\0\0\1\0\0\0\1\0\0\0/\0", 18),
	SKIP("a struct in a struct, and an array",
	     "\10((yb)as)\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0", 28),
	SKIP("no type", "\0\0", 0),
	SKIP("a type that is not known", "\1!\0", 0),
	SKIP("two types", "\2yy\0\1\1", 0),
	SKIP("an array of nothing", "\1a\0\0\0\0\0\0", 0),
	SKIP("an array of nothing in a struct", "\4(ya)\0\0\0\1\0\0\0\0\0\0\0", 0),
	SKIP("a struct that does not end", "\2(y\0\0\0\0\0\1", 0),
	SKIP("a struct that does not start", "\2y)\0\1", 0),
	SKIP("a struct that ends as an entry", "\3(y}\0\0\0\0\1", 0),
	SKIP("an entry without a dictionary", "\4{yy}\0\0\0\0\1\1", 0),
	SKIP("a variant in a variant", "\1v\0\1y\0\7", 0),
	SKIP("a variant in a struct", "\3(v)\0\0\0\0\1y\0\7", 0),
	SKIP("an array of variants is passed over as a whole", "\2av\0\4\0\0\0\1y\0\7",
	     12),
	SKIP("an array longer than the message", "\2ay\0\5\0\0\0abc", 0),
	SKIP("an array of 4 GiB", "\2ay\0\377\377\377\377abc", 0),
	SKIP("padding that is not zero", "\1b\0\1\1\0\0\0", 0),
	SKIP("a string longer than the message", "\1s\0\0\4\0\0\0ab\0", 0),
};

Test(dbus_message, a_variant_of_any_type_is_passed_over)
{
	for (size_t i = 0; i < sizeof(skip_cases) / sizeof(skip_cases[0]); i++) {
		const struct skip_case *c = &skip_cases[i];
		struct dbus_reader reader = {.data = (const unsigned char *)c->body,
					     .len = c->n};

		dbus_skip_variant(&reader);
		cr_expect_eq(reader.is_bad, c->want == 0, "%s", c->what);
		if (c->want != 0) {
			cr_expect_eq(reader.pos, c->want, "%s: at %zu", c->what,
				     reader.pos);
		}
	}
}
