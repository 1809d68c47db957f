/* SPDX-License-Identifier: Apache-2.0 */
/* test_message.c - what the parsing child says is taken over whole, or not at all */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "oci/message.h"

/* Every field with a value of its own. */
static void fill(struct parsed *parsed)
{
	*parsed = (struct parsed){.has_request = true};
	parsed->state.id = xstrdup("c1");
	parsed->state.bundle = xstrdup("/run/b");
	parsed->state.pid = 4242;
	parsed->config.root_path = xstrdup("rootfs");
	parsed->config.request_key = xstrdup("k");
	parsed->config.container.uid = 1000;
	parsed->config.container.gid = 1001;
	parsed->config.container.n_additional_gids = 2;
	parsed->config.container.additional_gids = xcalloc(2, sizeof(gid_t));
	parsed->config.container.additional_gids[0] = 44;
	parsed->config.container.additional_gids[1] = 109;
	parsed->config.container.has_user_namespace = true;
	parsed->spec.count = 2;
	parsed->spec.vendor = xstrdup("amd");
	parsed->spec.has_vendor = true;
	parsed->spec.mode = xstrdup("vm");
	parsed->spec.n_devices = 2;
	parsed->spec.devices = xcalloc(2, sizeof(char *));
	parsed->spec.devices[0] = xstrdup("0");
	parsed->spec.devices[1] = xstrdup("renderD129");
	parsed->spec.model = xstrdup("navi");
	parsed->spec.sharing = GPU_SHARING_EXCLUSIVE;
	parsed->spec.capabilities = 1U << GPU_CAPABILITY_DISPLAY;
	parsed->spec.has_capabilities = true;
}

static void encode(const struct parsed *parsed, struct message *ret)
{
	const struct err none = {0};

	message_encode(parsed, &none, ret);
}

Test(message, a_reply_comes_out_as_it_went_in)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(parsed_clearp) struct parsed out = {0};
	cleanup(message_clearp) struct message message = {0};
	struct err err = {0};

	fill(&in);
	encode(&in, &message);
	cr_assert_eq(message_decode(message.data, message.len, &out, &err), 0, "%s",
		     err.msg);
	cr_expect_str_eq(out.state.id, "c1");
	cr_expect_str_eq(out.state.bundle, "/run/b");
	cr_expect_eq(out.state.pid, 4242);
	cr_expect_str_eq(out.config.root_path, "rootfs");
	cr_expect_str_eq(out.config.request_key, "k");
	cr_expect_eq(out.config.container.uid, 1000);
	cr_expect_eq(out.config.container.gid, 1001);
	cr_assert_eq(out.config.container.n_additional_gids, 2);
	cr_expect_eq(out.config.container.additional_gids[0], 44);
	cr_expect_eq(out.config.container.additional_gids[1], 109);
	cr_expect(out.config.container.has_user_namespace);
	cr_expect(out.has_request);
	cr_expect_eq(out.spec.count, 2);
	cr_expect_not(out.spec.is_all);
	cr_expect_str_eq(out.spec.vendor, "amd");
	cr_expect(out.spec.has_vendor);
	cr_expect_str_eq(out.spec.mode, "vm");
	cr_assert_eq(out.spec.n_devices, 2);
	cr_expect_str_eq(out.spec.devices[0], "0");
	cr_expect_str_eq(out.spec.devices[1], "renderD129");
	cr_expect_str_eq(out.spec.model, "navi");
	cr_expect_eq(out.spec.sharing, GPU_SHARING_EXCLUSIVE);
	cr_expect_eq(out.spec.capabilities, 1U << GPU_CAPABILITY_DISPLAY);
	cr_expect(out.spec.has_capabilities);
}

Test(message, nothing_asked_for_is_a_reply_too)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(parsed_clearp) struct parsed out = {0};
	cleanup(message_clearp) struct message message = {0};
	struct err err = {0};

	in.state.id = xstrdup("");
	encode(&in, &message);
	cr_assert_eq(message_decode(message.data, message.len, &out, &err), 0, "%s",
		     err.msg);
	cr_expect_not(out.has_request);
	cr_expect_null(out.state.bundle);
}

Test(message, the_childs_error_comes_through_as_one_line)
{
	cleanup(message_clearp) struct message message = {0};
	const struct parsed none = {0};
	struct err in = {.code = EINVAL, .msg = "read config.json: \033[31mred\nline"};
	struct parsed out = {0};
	struct err err = {0};

	message_encode(&none, &in, &message);
	cr_assert_eq(message_decode(message.data, message.len, &out, &err), -EINVAL);
	cr_expect_str_eq(err.msg, "read config.json: ?[31mred?line");
}

static void assert_refused(const char *data, size_t len)
{
	/* A copy of its own size, so that a read beyond it is seen. */
	char *copy = xcalloc(len, 1);
	struct parsed out = {0};
	struct err err = {0};

	memcpy(copy, data, len);
	cr_assert_eq(message_decode(copy, len, &out, &err), -EBADMSG);
	cr_assert_str_eq(err.msg, "read the parser's reply: it is not one");
	cr_assert_null(out.spec.vendor, "outputs are untouched on failure");
	free(copy);
}

Test(message, a_reply_cut_off_anywhere_is_refused)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message message = {0};

	fill(&in);
	encode(&in, &message);
	for (size_t len = 0; len < message.len; len++) {
		assert_refused(message.data, len);
	}
}

Test(message, a_byte_too_many_is_refused)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message message = {0};

	fill(&in);
	encode(&in, &message);
	message.data = xrealloc(message.data, message.len + 1);
	message.data[message.len] = 0;
	assert_refused(message.data, message.len + 1);
}

/* Every aligned number of the reply in turn becomes absurd: lengths, counts, enums, flags.
   Some numbers may have any value (ids, a count), so not each is refused, but none crashes
   and nothing that is out of range comes through. */
Test(message, absurd_numbers_do_not_come_through)
{
	static const uint32_t absurd[] = {
		2, 6, 0xff, 0x10000, 0x7fffffff, 0x80000000, UINT32_MAX - 1, UINT32_MAX};
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message message = {0};

	fill(&in);
	encode(&in, &message);
	for (size_t at = 0; at + 4 <= message.len; at++) {
		for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
			char *copy = xcalloc(message.len, 1);
			cleanup(parsed_clearp) struct parsed out = {0};
			struct err err = {0};

			memcpy(copy, message.data, message.len);
			memcpy(copy + at, &absurd[i], 4);
			if (message_decode(copy, message.len, &out, &err) == 0) {
				cr_assert_geq(out.state.pid, 0);
				cr_assert_leq(out.spec.n_devices, 256);
				cr_assert_lt(out.spec.sharing, GPU_SHARING_COUNT);
				cr_assert_lt(out.spec.capabilities,
					     1U << GPU_CAPABILITY_COUNT);
				cr_assert(!out.has_request ||
					  (out.spec.vendor && out.config.root_path));
			}
			free(copy);
		}
	}
}

Test(message, a_nul_in_a_string_is_refused)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message message = {0};
	char *bundle;

	fill(&in);
	encode(&in, &message);
	bundle = memmem(message.data, message.len, "/run/b", 6);
	cr_assert_not_null(bundle);
	bundle[3] = '\0';
	assert_refused(message.data, message.len);
}
