/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - what the parsing child tells its parent */

#include "oci/message.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "oci/wire.h"

/* Changes with the form below: parent and child are one binary, so this is a check of the
   child's sanity, not of its age. */
#define MESSAGE_VERSION	 0x6f676804U
#define SETTINGS_VERSION 0x6f677303U

/* Source: Linux include/uapi/linux/limits.h, NGROUPS_MAX. */
#define LIMIT_GROUPS 65536U

void parsed_clear(struct parsed *parsed)
{
	settings_clear(&parsed->settings);
	oci_state_clear(&parsed->state);
	oci_config_clear(&parsed->config);
	gpu_spec_clear(&parsed->spec);
	config_edit_clear(&parsed->edit);
	*parsed = (struct parsed){0};
}

void message_clear(struct message *message)
{
	free(message->data);
	*message = (struct message){0};
}

/* ---- the child writes -------------------------------------------------------------- */

static void put_policy(struct message *message, const struct policy *policy)
{
	put_u32(message, policy->allows_others);
	put_u32(message, policy->allows_exclusive);
	put_u32(message, policy->capabilities);
	put_u32(message, (uint32_t)policy->n_vendors);
	for (size_t i = 0; i < policy->n_vendors; i++) {
		const struct policy_vendor *vendor = &policy->vendors[i];

		put_string(message, vendor->name);
		put_u32(message, vendor->max);
		put_u32(message, vendor->has_devices);
		put_u32(message, (uint32_t)vendor->n_devices);
		for (size_t j = 0; j < vendor->n_devices; j++) {
			put_u32(message, vendor->devices[j].domain);
			put_u32(message, vendor->devices[j].bus);
			put_u32(message, vendor->devices[j].device);
			put_u32(message, vendor->devices[j].function);
		}
	}
}

void message_encode_settings(const struct parsed *parsed, struct message *ret)
{
	const struct settings *settings = &parsed->settings;
	struct message message = {0};

	put_u32(&message, SETTINGS_VERSION);
	put_u32(&message, (uint32_t)parsed->settings_err.code);
	if (parsed->settings_err.code != 0) {
		put_string(&message, parsed->settings_err.msg);
	} else {
		put_string(&message, settings->annotation);
		put_u32(&message, settings->log_target);
		put_string(&message, settings->log_path);
		put_u32(&message, settings->log_level);
		put_u32(&message, settings->watchdog_seconds);
		put_string(&message, settings->state_dir);
		put_u32(&message, settings->order);
		put_u32(&message, settings->access);
		put_u32(&message, settings->is_systemd_strict);
		put_policy(&message, &settings->policy);
		put_u32(&message, settings->driver_source);
		put_string(&message, settings->driver_root);
	}
	*ret = message;
}

static void put_id_map(struct message *message, const struct id_map *map)
{
	put_u32(message, (uint32_t)map->n);
	for (size_t i = 0; i < map->n; i++) {
		put_u32(message, map->ranges[i].inside);
		put_u32(message, map->ranges[i].outside);
		put_u32(message, map->ranges[i].count);
	}
}

static void put_container(struct message *message, const struct container *ctr)
{
	put_u32(message, ctr->uid);
	put_u32(message, ctr->gid);
	put_u32(message, (uint32_t)ctr->n_additional_gids);
	for (size_t i = 0; i < ctr->n_additional_gids; i++) {
		put_u32(message, ctr->additional_gids[i]);
	}
	put_u32(message, ctr->has_user_namespace);
	put_id_map(message, &ctr->uid_map);
	put_id_map(message, &ctr->gid_map);
	put_u32(message, ctr->overrides_modes);
	put_u32(message, ctr->keeps_groups);
	put_string(message, ctr->mount_label);
	put_u32(message, (uint32_t)ctr->n_device_rules);
	for (size_t i = 0; i < ctr->n_device_rules; i++) {
		const struct device_rule *rule = &ctr->device_rules[i];

		put_u32(message, rule->allows);
		put_u32(message, rule->is_for_chars);
		put_u32(message, rule->is_for_blocks);
		put_u32(message, rule->major);
		put_u32(message, rule->minor);
		put_u32(message, rule->reads);
		put_u32(message, rule->writes);
		put_u32(message, rule->makes);
	}
}

static void put_spec(struct message *message, const struct gpu_spec *spec)
{
	put_u32(message, spec->count);
	put_u32(message, spec->is_all);
	put_string(message, spec->vendor);
	put_u32(message, spec->has_vendor);
	put_string(message, spec->mode);
	put_u32(message, (uint32_t)spec->n_devices);
	for (size_t i = 0; i < spec->n_devices; i++) {
		put_string(message, spec->devices[i]);
	}
	put_string(message, spec->model);
	put_u32(message, spec->sharing);
	put_u32(message, spec->capabilities);
	put_u32(message, spec->has_capabilities);
}

static void put_edit(struct message *message, const struct config_edit *edit)
{
	for (int i = 0; i < PLACE_COUNT; i++) {
		put_u32(message, edit->places.place[i].state);
		put_u32(message, edit->places.place[i].start);
		put_u32(message, edit->places.place[i].end);
		put_u32(message, edit->places.place[i].last_end);
	}
	put_u32(message, (uint32_t)edit->n_devices);
	for (size_t i = 0; i < edit->n_devices; i++) {
		put_string(message, edit->devices[i].path);
		put_u32(message, (unsigned char)edit->devices[i].type);
		put_u32(message, edit->devices[i].major);
		put_u32(message, edit->devices[i].minor);
	}
	put_u32(message, (uint32_t)edit->n_mounts);
	for (size_t i = 0; i < edit->n_mounts; i++) {
		put_string(message, edit->mounts[i].destination);
		put_string(message, edit->mounts[i].source);
		put_u32(message, edit->mounts[i].is_bind);
		put_u32(message, edit->mounts[i].has_content);
	}
	put_u32(message, edit->has_hook);
}

void message_encode(const struct parsed *parsed, const struct err *err,
		    struct message *ret)
{
	struct message message = {0};

	put_u32(&message, MESSAGE_VERSION);
	put_u32(&message, (uint32_t)err->code);
	if (err->code != 0) {
		put_string(&message, err->msg);
	} else {
		put_string(&message, parsed->state.id);
		put_string(&message, parsed->state.bundle);
		put_u32(&message, (uint32_t)parsed->state.pid);
		put_string(&message, parsed->config.root_path);
		put_container(&message, &parsed->config.container);
		put_u32(&message, parsed->has_request);
		if (parsed->has_request) {
			put_string(&message, parsed->config.request_key);
			put_spec(&message, &parsed->spec);
			put_texts(&message, parsed->config.choice.ids,
				  parsed->config.choice.n);
			put_u32(&message, parsed->has_edit);
		}
		if (parsed->has_request && parsed->has_edit) {
			put_edit(&message, &parsed->edit);
		}
	}
	*ret = message;
}

/* ---- the parent reads -------------------------------------------------------------- */

static void get_policy_vendor(struct reader *reader, struct policy *policy)
{
	cleanup(policy_vendor_clearp) struct policy_vendor vendor = {0};
	uint32_t n;

	vendor.name = get_string(reader);
	vendor.max = get_u32(reader);
	vendor.has_devices = get_bool(reader);
	n = get_bounded(reader, LIMIT_GPUS);
	vendor.devices = xcalloc(n, sizeof(*vendor.devices));
	for (vendor.n_devices = 0; vendor.n_devices < n; vendor.n_devices++) {
		struct pci_address *device = &vendor.devices[vendor.n_devices];

		device->domain = get_u32(reader);
		device->bus = get_u32(reader);
		device->device = get_u32(reader);
		device->function = get_u32(reader);
	}
	if (!reader->is_bad) {
		policy_take_vendor(policy, &vendor);
	}
}

static void get_policy(struct reader *reader, struct policy *policy)
{
	uint32_t n;

	policy->allows_others = get_bool(reader);
	policy->allows_exclusive = get_bool(reader);
	policy->capabilities = get_bounded(reader, (1U << GPU_CAPABILITY_COUNT) - 1);
	n = get_bounded(reader, LIMIT_GPUS);
	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		get_policy_vendor(reader, policy);
	}
}

static void get_settings(struct reader *reader, struct settings *settings)
{
	settings->annotation = get_string(reader);
	settings->log_target = (enum log_target)get_bounded(reader, LOG_TARGET_COUNT - 1);
	settings->log_path = get_optional_string(reader);
	settings->log_level = (enum log_level)get_bounded(reader, LOG_LEVEL_COUNT - 1);
	settings->watchdog_seconds = get_bounded(reader, SETTINGS_MAX_WATCHDOG_SECONDS);
	settings->state_dir = get_optional_string(reader);
	settings->order = (enum gpu_order)get_bounded(reader, GPU_ORDER_COUNT - 1);
	settings->access = (enum node_source)get_bounded(reader, NODE_SOURCE_COUNT - 1);
	settings->is_systemd_strict = get_bool(reader);
	get_policy(reader, &settings->policy);
	settings->driver_source =
		(enum driver_source)get_bounded(reader, DRIVER_SOURCE_COUNT - 1);
	settings->driver_root = get_optional_string(reader);
	if (reader->is_bad) {
		return;
	}
	reader->is_bad |= !*settings->annotation || settings->watchdog_seconds == 0;
	reader->is_bad |= settings->state_dir && settings->state_dir[0] != '/';
	reader->is_bad |= settings->log_target == LOG_TARGET_FILE
				  ? !settings->log_path || settings->log_path[0] != '/'
				  : settings->log_path != NULL;
	reader->is_bad |= settings->driver_root && settings->driver_root[0] != '/';
}

/* Not the end of the message, whatever it says. */
static void get_child_error(struct reader *reader, uint32_t code, struct err *err)
{
	autofree char *text = get_string(reader);

	if (code > INT_MAX) {
		reader->is_bad = true;
	}
	if (!reader->is_bad) {
		(void)err_set(err, (int)code, "%s", text);
	}
}

static void get_first_part(struct reader *reader, struct parsed *parsed)
{
	uint32_t code;

	reader->is_bad |= get_u32(reader) != SETTINGS_VERSION;
	code = get_u32(reader);
	if (code == 0) {
		get_settings(reader, &parsed->settings);
	} else {
		get_child_error(reader, code, &parsed->settings_err);
		settings_set_defaults(&parsed->settings);
	}
}

static void get_device_rules(struct reader *reader, struct container *ctr)
{
	uint32_t n = get_bounded(reader, LIMIT_CONFIG_ENTRIES);

	ctr->device_rules = xcalloc(n, sizeof(*ctr->device_rules));
	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		struct device_rule *rule = &ctr->device_rules[ctr->n_device_rules++];

		rule->allows = get_bool(reader);
		rule->is_for_chars = get_bool(reader);
		rule->is_for_blocks = get_bool(reader);
		rule->major = get_u32(reader);
		rule->minor = get_u32(reader);
		rule->reads = get_bool(reader);
		rule->writes = get_bool(reader);
		rule->makes = get_bool(reader);
	}
}

static void get_id_map(struct reader *reader, struct id_map *map)
{
	uint32_t n = get_bounded(reader, ID_MAP_MAX_RANGES);

	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		uint32_t inside = get_u32(reader);
		uint32_t outside = get_u32(reader);

		id_map_add(map, inside, outside, get_u32(reader));
	}
}

static void get_container(struct reader *reader, struct container *ctr)
{
	uint32_t n;

	ctr->uid = get_u32(reader);
	ctr->gid = get_u32(reader);
	n = get_bounded(reader, LIMIT_GROUPS);
	if (n > reader->left / sizeof(uint32_t)) {
		reader->is_bad = true;
		return;
	}
	ctr->additional_gids = xcalloc(n, sizeof(*ctr->additional_gids));
	ctr->n_additional_gids = n;
	for (uint32_t i = 0; i < n; i++) {
		ctr->additional_gids[i] = get_u32(reader);
	}
	ctr->has_user_namespace = get_bool(reader);
	get_id_map(reader, &ctr->uid_map);
	get_id_map(reader, &ctr->gid_map);
	ctr->overrides_modes = get_bool(reader);
	ctr->keeps_groups = get_bool(reader);
	ctr->mount_label = get_optional_string(reader);
	reader->is_bad |=
		ctr->mount_label && strlen(ctr->mount_label) >= LIMIT_LABEL_BYTES;
	get_device_rules(reader, ctr);
}

/* At most one for each GPU. */
static void get_spec(struct reader *reader, struct gpu_spec *spec)
{
	spec->count = get_u32(reader);
	spec->is_all = get_bool(reader);
	spec->vendor = get_string(reader);
	spec->has_vendor = get_bool(reader);
	spec->mode = get_optional_string(reader);
	get_texts(reader, LIMIT_GPUS, &spec->devices, &spec->n_devices);
	spec->model = get_optional_string(reader);
	spec->sharing = (enum gpu_sharing)get_bounded(reader, GPU_SHARING_COUNT - 1);
	spec->capabilities = get_bounded(reader, (1U << GPU_CAPABILITY_COUNT) - 1);
	spec->has_capabilities = get_bool(reader);
}

static void get_places(struct reader *reader, const struct bytes *config,
		       struct config_places *places)
{
	for (int i = 0; i < PLACE_COUNT; i++) {
		struct place *place = &places->place[i];

		place->state =
			(enum place_state)get_bounded(reader, PLACE_STATE_COUNT - 1);
		place->start = get_u32(reader);
		place->end = get_u32(reader);
		place->last_end = get_u32(reader);
	}
	reader->is_bad |=
		!config || !config_places_fit(places, config->data, config->len);
}

static void get_edit(struct reader *reader, const struct bytes *config,
		     struct config_edit *edit)
{
	uint32_t n;

	get_places(reader, config, &edit->places);
	n = get_bounded(reader, LIMIT_CONFIG_ENTRIES);
	edit->devices = xcalloc(n, sizeof(*edit->devices));
	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		struct config_device *device = &edit->devices[edit->n_devices++];

		device->path = get_string(reader);
		device->type = (char)get_bounded(reader, UCHAR_MAX);
		device->major = get_u32(reader);
		device->minor = get_u32(reader);
	}
	n = get_bounded(reader, LIMIT_CONFIG_ENTRIES);
	edit->mounts = xcalloc(n, sizeof(*edit->mounts));
	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		struct config_mount *mount = &edit->mounts[edit->n_mounts++];

		mount->destination = get_string(reader);
		mount->source = get_string(reader);
		mount->is_bind = get_bool(reader);
		mount->has_content = get_bool(reader);
	}
	edit->has_hook = get_bool(reader);
}

static void get_parsed(struct reader *reader, const struct bytes *config,
		       struct parsed *parsed)
{
	parsed->state.id = get_optional_string(reader);
	parsed->state.bundle = get_optional_string(reader);
	parsed->state.pid = (pid_t)get_bounded(reader, INT_MAX);
	parsed->config.root_path = get_optional_string(reader);
	get_container(reader, &parsed->config.container);
	parsed->has_request = get_bool(reader);
	if (parsed->has_request) {
		parsed->config.request_key = get_string(reader);
		get_spec(reader, &parsed->spec);
		get_texts(reader, LIMIT_GPUS, &parsed->config.choice.ids,
			  &parsed->config.choice.n);
		parsed->has_edit = get_bool(reader);
		reader->is_bad |= !parsed->config.root_path;
	}
	if (parsed->has_edit) {
		get_edit(reader, config, &parsed->edit);
	}
}

int message_decode(const char *data, size_t len, const struct bytes *config,
		   struct parsed *ret, struct err *err)
{
	cleanup(parsed_clearp) struct parsed parsed = {0};
	struct reader reader = {.at = data, .left = len};
	struct err child_err = {0};
	uint32_t code;

	get_first_part(&reader, &parsed);
	reader.is_bad |= get_u32(&reader) != MESSAGE_VERSION;
	code = get_u32(&reader);
	if (code != 0) {
		get_child_error(&reader, code, &child_err);
	} else {
		get_parsed(&reader, config, &parsed);
	}
	/* Nothing may follow. */
	if (reader.is_bad || reader.left > 0) {
		return err_set(err, EBADMSG, "read the parser's reply: it is not one");
	}
	*ret = parsed;
	parsed = (struct parsed){0};
	if (child_err.code != 0) {
		*err = child_err;
	}
	return -child_err.code;
}
