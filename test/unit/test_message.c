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
	struct policy_vendor vendor = {
		.name = xstrdup("intel"), .max = 3, .has_devices = true, .n_devices = 1};

	*parsed = (struct parsed){.has_request = true};
	vendor.devices = xcalloc(1, sizeof(*vendor.devices));
	vendor.devices[0] = (struct pci_address){0x10000, 0xc1, 0x1f, 7};
	parsed->settings.annotation = xstrdup("org.x");
	parsed->settings.log_target = LOG_TARGET_FILE;
	parsed->settings.log_path = xstrdup("/var/log/g");
	parsed->settings.log_level = LOG_LEVEL_WARNING;
	parsed->settings.watchdog_seconds = 7;
	parsed->settings.state_dir = xstrdup("/run/s");
	parsed->settings.order = GPU_ORDER_SPREAD;
	parsed->settings.access = NODES_HOST;
	parsed->settings.is_systemd_strict = true;
	parsed->settings.policy.allows_exclusive = true;
	parsed->settings.policy.capabilities = 5;
	policy_take_vendor(&parsed->settings.policy, &vendor);
	parsed->settings.driver_source = DRIVER_SOURCE_CDI;
	parsed->settings.driver_root = xstrdup("/run/d");
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
	id_map_add(&parsed->config.container.uid_map, 0, 100000, 1);
	id_map_add(&parsed->config.container.gid_map, 0, 1000, 1);
	id_map_add(&parsed->config.container.gid_map, 1, 100000, UINT32_MAX);
	parsed->config.container.overrides_modes = true;
	parsed->config.container.keeps_groups = true;
	parsed->config.container.mount_label = xstrdup("u:r:t:s0:c1,c2");
	parsed->config.container.n_device_rules = 1;
	parsed->config.container.device_rules = xcalloc(1, sizeof(struct device_rule));
	parsed->config.container.device_rules[0] =
		(struct device_rule){.allows = true,
				     .is_for_chars = true,
				     .major = 226,
				     .minor = DEVICE_RULE_ANY,
				     .reads = true,
				     .makes = true};
	parsed->config.choice.n = 1;
	parsed->config.choice.ids = xcalloc(1, sizeof(char *));
	parsed->config.choice.ids[0] = xstrdup("renderD128");
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

static void encode_error(const struct parsed *parsed, const struct err *err,
			 struct message *ret)
{
	cleanup(message_clearp) struct message second = {0};

	message_encode_settings(parsed, ret);
	message_encode(parsed, err, &second);
	ret->data = xrealloc(ret->data, ret->len + second.len);
	memcpy(ret->data + ret->len, second.data, second.len);
	ret->len += second.len;
}

static void encode(const struct parsed *parsed, struct message *ret)
{
	const struct err none = {0};

	encode_error(parsed, &none, ret);
}

static void expect_settings(const struct settings *settings)
{
	const struct policy *policy = &settings->policy;

	cr_expect_str_eq(settings->annotation, "org.x");
	cr_expect_eq(settings->log_target, LOG_TARGET_FILE);
	cr_expect_str_eq(settings->log_path, "/var/log/g");
	cr_expect_eq(settings->log_level, LOG_LEVEL_WARNING);
	cr_expect_eq(settings->watchdog_seconds, 7);
	cr_expect_str_eq(settings->state_dir, "/run/s");
	cr_expect_eq(settings->order, GPU_ORDER_SPREAD);
	cr_expect_eq(settings->access, NODES_HOST);
	cr_expect(settings->is_systemd_strict);
	cr_expect_not(policy->allows_others);
	cr_expect(policy->allows_exclusive);
	cr_expect_eq(policy->capabilities, 5);
	cr_assert_eq(policy->n_vendors, 1);
	cr_expect_str_eq(policy->vendors[0].name, "intel");
	cr_expect_eq(policy->vendors[0].max, 3);
	cr_expect(policy->vendors[0].has_devices);
	cr_assert_eq(policy->vendors[0].n_devices, 1);
	cr_expect(policy_vendor_lists(&policy->vendors[0], "10000:c1:1f.7"));
	cr_expect_eq(settings->driver_source, DRIVER_SOURCE_CDI);
	cr_expect_str_eq(settings->driver_root, "/run/d");
}

Test(message, a_reply_comes_out_as_it_went_in)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(parsed_clearp) struct parsed out = {0};
	cleanup(message_clearp) struct message message = {0};
	struct err err = {0};

	fill(&in);
	encode(&in, &message);
	cr_assert_eq(message_decode(message.data, message.len, NULL, &out, &err), 0, "%s",
		     err.msg);
	expect_settings(&out.settings);
	cr_expect_eq(out.settings_err.code, 0);
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
	cr_assert_eq(out.config.container.uid_map.n, 1);
	cr_assert_eq(out.config.container.gid_map.n, 2);
	cr_expect_eq(out.config.container.gid_map.ranges[1].inside, 1);
	cr_expect_eq(out.config.container.gid_map.ranges[1].outside, 100000);
	cr_expect_eq(out.config.container.gid_map.ranges[1].count, UINT32_MAX);
	cr_expect(out.config.container.overrides_modes);
	cr_expect(out.config.container.keeps_groups);
	cr_expect_str_eq(out.config.container.mount_label, "u:r:t:s0:c1,c2");
	cr_assert_eq(out.config.container.n_device_rules, 1);
	cr_expect(out.config.container.device_rules[0].allows);
	cr_expect(out.config.container.device_rules[0].is_for_chars);
	cr_expect_eq(out.config.container.device_rules[0].major, 226);
	cr_expect_eq(out.config.container.device_rules[0].minor, DEVICE_RULE_ANY);
	cr_expect(out.config.container.device_rules[0].reads);
	cr_expect_not(out.config.container.device_rules[0].writes);
	cr_expect_not(out.config.container.device_rules[0].is_for_blocks);
	cr_expect(out.config.container.device_rules[0].makes);
	cr_assert_eq(out.config.choice.n, 1);
	cr_expect_str_eq(out.config.choice.ids[0], "renderD128");
	cr_expect_not(out.has_edit);
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

	settings_set_defaults(&in.settings);
	in.state.id = xstrdup("");
	encode(&in, &message);
	cr_assert_eq(message_decode(message.data, message.len, NULL, &out, &err), 0, "%s",
		     err.msg);
	cr_expect_not(out.has_request);
	cr_expect_null(out.state.bundle);
}

Test(message, the_childs_error_comes_through_as_one_line_beside_the_settings)
{
	cleanup(parsed_clearp) struct parsed parsed = {0};
	cleanup(parsed_clearp) struct parsed out = {0};
	cleanup(message_clearp) struct message message = {0};
	struct err in = {.code = EINVAL, .msg = "read config.json: \033[31mred\nline"};
	struct err err = {0};

	fill(&parsed);
	encode_error(&parsed, &in, &message);
	cr_assert_eq(message_decode(message.data, message.len, NULL, &out, &err),
		     -EINVAL);
	cr_expect_str_eq(err.msg, "read config.json: ?[31mred?line");
	expect_settings(&out.settings);
	cr_expect_null(out.state.id);
}

Test(message, broken_settings_are_no_error_of_the_reply)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(parsed_clearp) struct parsed out = {0};
	cleanup(message_clearp) struct message message = {0};
	struct err err = {0};

	fill(&in);
	in.settings_err = (struct err){.code = EINVAL, .msg = "read c.json:\nbad"};
	encode(&in, &message);
	cr_assert_eq(message_decode(message.data, message.len, NULL, &out, &err), 0, "%s",
		     err.msg);
	cr_expect_eq(out.settings_err.code, EINVAL);
	cr_expect_str_eq(out.settings_err.msg, "read c.json:?bad");
	cr_expect_str_eq(out.settings.annotation, "io.oci-gpu-hook.gpu", "the defaults");
	cr_expect_eq(out.settings.policy.n_vendors, 0);
	cr_expect_eq(out.spec.count, 2);
}

static void assert_refused(const char *data, size_t len)
{
	/* A copy of its own size, so that a read beyond it is seen. */
	char *copy = xcalloc(len, 1);
	struct parsed out = {0};
	struct err err = {0};

	memcpy(copy, data, len);
	cr_assert_eq(message_decode(copy, len, NULL, &out, &err), -EBADMSG);
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

/* Every aligned number of the reply in turn becomes absurd: lengths, counts, enums,
   flags. Some numbers may have any value (ids, a count), so not each is refused, but none
   crashes and nothing that is out of range comes through. */
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
			if (message_decode(copy, message.len, NULL, &out, &err) == 0) {
				cr_assert_geq(out.state.pid, 0);
				cr_assert_leq(out.spec.n_devices, 256);
				cr_assert_lt(out.spec.sharing, GPU_SHARING_COUNT);
				cr_assert_lt(out.spec.capabilities,
					     1U << GPU_CAPABILITY_COUNT);
				cr_assert_lt(out.settings.log_target, LOG_TARGET_COUNT);
				cr_assert_lt(out.settings.log_level, LOG_LEVEL_COUNT);
				cr_assert_leq(out.settings.watchdog_seconds, 600);
				cr_assert_geq(out.settings.watchdog_seconds, 1);
				cr_assert(*out.settings.annotation);
				cr_assert_eq(out.settings.log_path != NULL,
					     out.settings.log_target == LOG_TARGET_FILE);
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

/* Where it would lie depends on the working directory. */
Test(message, a_log_that_is_no_absolute_path_is_refused)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message message = {0};

	fill(&in);
	in.settings.log_path[0] = 'x';
	encode(&in, &message);
	assert_refused(message.data, message.len);
}

Test(message, settings_with_a_relative_state_directory_are_refused)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message message = {0};

	fill(&in);
	in.settings.state_dir[0] = 'r';
	encode(&in, &message);
	assert_refused(message.data, message.len);
}

Test(message, settings_without_a_key_or_a_deadline_are_refused)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message no_key = {0};
	cleanup(message_clearp) struct message no_deadline = {0};

	fill(&in);
	in.settings.watchdog_seconds = 0;
	encode(&in, &no_deadline);
	assert_refused(no_deadline.data, no_deadline.len);
	in.settings.watchdog_seconds = 1;
	in.settings.annotation[0] = '\0';
	encode(&in, &no_key);
	assert_refused(no_key.data, no_key.len);
}

Test(message, driver_root_that_is_not_absolute_is_refused)
{
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message message = {0};

	fill(&in);
	in.settings.driver_root[0] = 'r';
	encode(&in, &message);
	assert_refused(message.data, message.len);
}

/* ---- what is known of a config.json that is added to ------------------------------- */

static const char config_text[] = "{\"mounts\":[1],\"linux\":null}";

static void fill_edit(struct parsed *parsed)
{
	struct config_edit *edit = &parsed->edit;
	struct err err = {0};

	fill(parsed);
	parsed->has_edit = true;
	cr_assert_eq(
		config_places_find(config_text, strlen(config_text), &edit->places, &err),
		0);
	edit->n_devices = 1;
	edit->devices = xcalloc(1, sizeof(*edit->devices));
	edit->devices[0] = (struct config_device){xstrdup("/dev/a"), 'c', 10, 229};
	edit->n_mounts = 1;
	edit->mounts = xcalloc(1, sizeof(*edit->mounts));
	edit->mounts[0] = (struct config_mount){xstrdup("/d"), xstrdup("/s"), true, true};
	edit->has_hook = true;
}

Test(message, what_stands_in_a_config_comes_through)
{
	struct bytes config = {.data = xstrdup(config_text), .len = strlen(config_text)};
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(parsed_clearp) struct parsed out = {0};
	cleanup(message_clearp) struct message message = {0};
	struct err err = {0};

	fill_edit(&in);
	encode(&in, &message);
	cr_assert_eq(message_decode(message.data, message.len, &config, &out, &err), 0,
		     "%s", err.msg);
	cr_assert(out.has_edit);
	cr_expect_eq(out.edit.places.place[PLACE_MOUNTS].state, PLACE_FILLED);
	cr_expect_eq(out.edit.places.place[PLACE_MOUNTS].start, 10);
	cr_expect_eq(out.edit.places.place[PLACE_MOUNTS].end, 13);
	cr_expect_eq(out.edit.places.place[PLACE_MOUNTS].last_end, 12);
	cr_expect_eq(out.edit.places.place[PLACE_LINUX].state, PLACE_NULL);
	cr_expect_eq(out.edit.places.place[PLACE_HOOKS].state, PLACE_ABSENT);
	cr_assert_eq(out.edit.n_devices, 1);
	cr_expect_str_eq(out.edit.devices[0].path, "/dev/a");
	cr_expect_eq(out.edit.devices[0].type, 'c');
	cr_expect_eq(out.edit.devices[0].major, 10);
	cr_expect_eq(out.edit.devices[0].minor, 229);
	cr_assert_eq(out.edit.n_mounts, 1);
	cr_expect_str_eq(out.edit.mounts[0].destination, "/d");
	cr_expect_str_eq(out.edit.mounts[0].source, "/s");
	cr_expect(out.edit.mounts[0].is_bind);
	cr_expect(out.edit.mounts[0].has_content);
	cr_expect(out.edit.has_hook);
	bytes_clear(&config);
}

Test(message, places_that_do_not_fit_the_text_are_refused)
{
	struct bytes config = {.data = xstrdup(config_text), .len = strlen(config_text)};
	cleanup(parsed_clearp) struct parsed in = {0};
	cleanup(message_clearp) struct message message = {0};
	struct parsed out = {0};
	struct err err = {0};

	fill_edit(&in);
	encode(&in, &message);
	/* Nobody asked for places: there is no text. */
	cr_expect_eq(message_decode(message.data, message.len, NULL, &out, &err),
		     -EBADMSG);
	config.len--;
	cr_expect_eq(message_decode(message.data, message.len, &config, &out, &err),
		     -EBADMSG);
	config.len++;
	in.edit.places.place[PLACE_MOUNTS].last_end++;
	message_clear(&message);
	encode(&in, &message);
	cr_expect_eq(message_decode(message.data, message.len, &config, &out, &err),
		     -EBADMSG);
	bytes_clear(&config);
}
