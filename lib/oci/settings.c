/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - what the operator's configuration file says */

#include "oci/settings.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/gpu_spec.h"
#include "oci/config.h"
#include "oci/json.h"

#define FILE_TARGET	    "file:"
#define MAX_VENDOR_NAME_LEN 64
#define SETTINGS_DEPTH	    4U /* policy.vendors.VENDOR.max */

const char *const log_level_names[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
};
_Static_assert(LOG_LEVEL_COUNT == 3, "a level has no name");

static const char *const log_target_names[LOG_TARGET_COUNT] = {
	[LOG_TARGET_SYSLOG] = "syslog",
	[LOG_TARGET_STDERR] = "stderr",
	[LOG_TARGET_NONE] = "none",
	/* LOG_TARGET_FILE has its path behind it. */
};
_Static_assert(LOG_TARGET_COUNT == 4, "a target has no name");

static const char *const driver_source_names[DRIVER_SOURCE_COUNT] = {
	[DRIVER_SOURCE_AUTO] = "auto",
	[DRIVER_SOURCE_NATIVE] = "native",
	[DRIVER_SOURCE_CDI] = "cdi",
};
_Static_assert(DRIVER_SOURCE_COUNT == 3, "a source of files has no name");

void settings_set_defaults(struct settings *settings)
{
	*settings = (struct settings){
		.annotation = xstrdup(OCI_DEFAULT_ANNOTATION),
		.log_target = LOG_TARGET_SYSLOG,
		.log_level = LOG_LEVEL_WARNING,
		.watchdog_seconds = SETTINGS_WATCHDOG_SECONDS,
	};
	policy_allow_all(&settings->policy);
}

void settings_clear(struct settings *settings)
{
	free(settings->annotation);
	free(settings->log_path);
	free(settings->state_dir);
	free(settings->driver_root);
	policy_clear(&settings->policy);
	*settings = (struct settings){0};
}

/* ---- members ----------------------------------------------------------------------- */

/* What a member's reader needs besides the member. */
struct document {
	const char *what; /* for messages: "configuration '/etc/...'" */
	struct settings *settings;
	struct policy_vendor *vendor; /* the one that is being read */
};

struct member {
	const char *key;
	int (*read)(json_t *value, const char *path, struct document *doc,
		    struct err *err);
};

static char *join_path(const char *path, const char *key)
{
	return xasprintf("%s%s%.100s", path, *path ? "." : "", key);
}

static int refuse_key(const char *path, const char *key, const struct member *members,
		      size_t n, const struct document *doc, struct err *err)
{
	char known[128] = "";
	bool is_path = false;
	size_t used = 0;

	for (size_t i = 0; i < n && used < sizeof(known); i++) {
		const char *before = i == 0 ? "" : i + 1 < n ? ", " : " and ";

		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
					 before, members[i].key);
		is_path |= text_starts_with(key, members[i].key) &&
			   key[strlen(members[i].key)] == '.';
	}
	if (is_path) {
		autofree char *nested = json_nest(key, SETTINGS_DEPTH);

		return err_set(err, EINVAL, "read %s: %s: unknown key; write %.200s",
			       doc->what, path, nested);
	}
	return err_set(err, EINVAL, "read %s: %s: unknown key; the %s %s", doc->what,
		       path, n == 1 ? "key is" : "keys are", known);
}

/* Reads each member of an object; one that is not in the table is an error. */
static int read_members(json_t *object, const char *path, const struct member *members,
			size_t n, struct document *doc, struct err *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object)) {
		return json_wrong(err, doc->what, path, "an object", object);
	}
	json_object_foreach (object, key, value) {
		autofree char *inner = join_path(path, key);
		const struct member *member = NULL;
		int r;

		for (size_t i = 0; i < n; i++) {
			if (text_equals(members[i].key, key)) {
				member = &members[i];
			}
		}
		r = member ? member->read(value, inner, doc, err)
			   : refuse_key(inner, key, members, n, doc, err);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

#define READ_MEMBERS(object, path, members, doc, err) \
	read_members((object), (path), (members),     \
		     sizeof(members) / sizeof((members)[0]), (doc), (err))

/* A whole number from @min to @max; @wanted says so in words. */
static int read_number(const json_t *value, const char *path, uint32_t min, uint32_t max,
		       const char *wanted, const struct document *doc, uint32_t *ret,
		       struct err *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < min || number > max) {
		return json_wrong(err, doc->what, path, wanted, value);
	}
	*ret = (uint32_t)number;
	return 0;
}

/* Which of @words the value is; those may have gaps. Return: -1: none. */
static int find_word(const json_t *value, const char *const *words, int n)
{
	const char *text = json_string_value(value);

	for (int i = 0; text && i < n; i++) {
		if (words[i] && text_equals(text, words[i])) {
			return i;
		}
	}
	return -1;
}

/* The same, where nothing else may stand. Return: negative errno: none. */
static int read_word(const json_t *value, const char *path, const char *const *words,
		     int n, const char *wanted, const struct document *doc,
		     struct err *err)
{
	int word = find_word(value, words, n);

	return word >= 0 ? word : json_wrong(err, doc->what, path, wanted, value);
}

/* ---- the policy -------------------------------------------------------------------- */

static int read_max(json_t *value, const char *path, struct document *doc,
		    struct err *err)
{
	return read_number(value, path, 0, UINT32_MAX,
			   "a whole number from 0 to 4294967295", doc, &doc->vendor->max,
			   err);
}

static int read_device(const json_t *value, const char *path, const struct document *doc,
		       struct err *err)
{
	struct policy_vendor *vendor = doc->vendor;
	struct pci_address address;

	if (!json_is_string(value) ||
	    !pci_address_parse(json_string_value(value), &address)) {
		return json_wrong(
			err, doc->what, path,
			"a PCI address as `oci-gpu-hook list` shows it (0000:c1:00.0)",
			value);
	}
	if (policy_vendor_lists(vendor, json_string_value(value))) {
		return err_set(err, EINVAL, "read %s: %s: '%s' is listed twice",
			       doc->what, path, json_string_value(value));
	}
	if (vendor->n_devices == LIMIT_GPUS) {
		return err_set(err, EINVAL, "read %s: %s: more than %u devices",
			       doc->what, path, LIMIT_GPUS);
	}
	vendor->devices =
		xgrow(vendor->devices, vendor->n_devices, sizeof(*vendor->devices));
	vendor->devices[vendor->n_devices++] = address;
	return 0;
}

static int read_devices(json_t *value, const char *path, struct document *doc,
			struct err *err)
{
	const json_t *device;
	size_t i;

	if (!json_is_array(value)) {
		return json_wrong(err, doc->what, path, "an array of PCI addresses",
				  value);
	}
	doc->vendor->has_devices = true;
	json_array_foreach (value, i, device) {
		autofree char *inner = xasprintf("%s[%zu]", path, i);

		if (read_device(device, inner, doc, err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

/* Every vendor of a GPU is such a name. */
static bool is_vendor_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_-.:");

	return len > 0 && len <= MAX_VENDOR_NAME_LEN && name[len] == '\0';
}

static int read_vendor(json_t *value, const char *name, const char *path,
		       struct document *doc, struct err *err)
{
	static const struct member members[] = {
		{"max", read_max},
		{"devices", read_devices},
	};
	cleanup(policy_vendor_clearp) struct policy_vendor vendor = {
		.max = POLICY_NO_MAX};
	struct policy *policy = &doc->settings->policy;
	struct document inner = {
		.what = doc->what, .settings = doc->settings, .vendor = &vendor};

	if (!is_vendor_name(name)) {
		return err_set(err, EINVAL,
			       "read %s: %s: not the name of a vendor; `oci-gpu-hook "
			       "list` shows them",
			       doc->what, path);
	}
	if (policy_find_vendor(policy, name)) {
		return err_set(err, EINVAL,
			       "read %s: %s: this vendor is listed twice; upper and "
			       "lower case are the same",
			       doc->what, path);
	}
	if (policy->n_vendors == LIMIT_GPUS) {
		return err_set(err, EINVAL, "read %s: %s: more than %u vendors",
			       doc->what, path, LIMIT_GPUS);
	}
	vendor.name = xstrdup(name);
	if (READ_MEMBERS(value, path, members, &inner, err) < 0) {
		return -err->code;
	}
	policy_take_vendor(policy, &vendor);
	return 0;
}

static int read_vendors(json_t *value, const char *path, struct document *doc,
			struct err *err)
{
	const char *name;
	json_t *vendor;

	if (!json_is_object(value)) {
		return json_wrong(err, doc->what, path, "an object", value);
	}
	json_object_foreach (value, name, vendor) {
		autofree char *inner = join_path(path, name);

		if (read_vendor(vendor, name, inner, doc, err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

static int read_default(json_t *value, const char *path, struct document *doc,
			struct err *err)
{
	static const char *const words[] = {"deny", "allow"};
	int word = read_word(value, path, words, 2, "allow or deny", doc, err);

	if (word < 0) {
		return word;
	}
	doc->settings->policy.allows_others = word == 1;
	return 0;
}

static int read_capability(const json_t *value, const char *path,
			   const struct document *doc, struct err *err)
{
	uint32_t *capabilities = &doc->settings->policy.capabilities;
	int word = read_word(value, path, gpu_capability_names, GPU_CAPABILITY_COUNT,
			     "one of compute, utility, video, graphics and display", doc,
			     err);

	if (word < 0) {
		return word;
	}
	if (*capabilities & 1U << word) {
		return err_set(err, EINVAL, "read %s: %s: '%s' is listed twice",
			       doc->what, path, gpu_capability_names[word]);
	}
	*capabilities |= 1U << word;
	return 0;
}

static int read_capabilities(json_t *value, const char *path, struct document *doc,
			     struct err *err)
{
	const json_t *name;
	size_t i;

	if (!json_is_array(value)) {
		return json_wrong(err, doc->what, path, "an array of capabilities",
				  value);
	}
	doc->settings->policy.capabilities = 0;
	json_array_foreach (value, i, name) {
		autofree char *inner = xasprintf("%s[%zu]", path, i);

		if (read_capability(name, inner, doc, err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

static int read_exclusive(json_t *value, const char *path, struct document *doc,
			  struct err *err)
{
	if (!json_is_boolean(value)) {
		return json_wrong(err, doc->what, path, "true or false", value);
	}
	doc->settings->policy.allows_exclusive = json_is_true(value);
	return 0;
}

static int read_policy(json_t *value, const char *path, struct document *doc,
		       struct err *err)
{
	static const struct member members[] = {
		{"default", read_default},
		{"capabilities", read_capabilities},
		{"exclusive", read_exclusive},
		{"vendors", read_vendors},
	};

	return READ_MEMBERS(value, path, members, doc, err);
}

/* ---- the rest ---------------------------------------------------------------------- */

static int read_annotation(json_t *value, const char *path, struct document *doc,
			   struct err *err)
{
	if (json_string_length(value) == 0) {
		return json_wrong(err, doc->what, path, "a key", value);
	}
	free(doc->settings->annotation);
	doc->settings->annotation = xstrdup(json_string_value(value));
	return 0;
}

static int read_target(json_t *value, const char *path, struct document *doc,
		       struct err *err)
{
	const char *text = json_string_value(value);
	int word = find_word(value, log_target_names, LOG_TARGET_COUNT);

	if (word >= 0) {
		doc->settings->log_target = (enum log_target)word;
		return 0;
	}
	if (!text || !text_starts_with(text, FILE_TARGET "/")) {
		return json_wrong(err, doc->what, path,
				  "one of syslog, stderr, none and file:/PATH", value);
	}
	doc->settings->log_target = LOG_TARGET_FILE;
	doc->settings->log_path = xstrdup(text + strlen(FILE_TARGET));
	return 0;
}

static int read_level(json_t *value, const char *path, struct document *doc,
		      struct err *err)
{
	int word = read_word(value, path, log_level_names, LOG_LEVEL_COUNT,
			     "one of error, warning and info", doc, err);

	if (word < 0) {
		return word;
	}
	doc->settings->log_level = (enum log_level)word;
	return 0;
}

static int read_log(json_t *value, const char *path, struct document *doc,
		    struct err *err)
{
	static const struct member members[] = {
		{"target", read_target},
		{"level", read_level},
	};

	return READ_MEMBERS(value, path, members, doc, err);
}

static int read_state_dir(json_t *value, const char *path, struct document *doc,
			  struct err *err)
{
	const char *text = json_string_value(value);

	if (!text || text[0] != '/') {
		return json_wrong(err, doc->what, path, "an absolute path", value);
	}
	doc->settings->state_dir = xstrdup(text);
	return 0;
}

static int read_order(json_t *value, const char *path, struct document *doc,
		      struct err *err)
{
	int word = read_word(value, path, gpu_order_names, GPU_ORDER_COUNT,
			     "first or spread", doc, err);

	if (word < 0) {
		return word;
	}
	doc->settings->order = (enum gpu_order)word;
	return 0;
}

static int read_access(json_t *value, const char *path, struct document *doc,
		       struct err *err)
{
	int word = read_word(value, path, node_source_names, NODE_SOURCE_COUNT,
			     "auto or host", doc, err);

	if (word < 0) {
		return word;
	}
	doc->settings->access = (enum node_source)word;
	return 0;
}

static int read_watchdog(json_t *value, const char *path, struct document *doc,
			 struct err *err)
{
	return read_number(value, path, 1, SETTINGS_MAX_WATCHDOG_SECONDS,
			   "a whole number from 1 to 600", doc,
			   &doc->settings->watchdog_seconds, err);
}
_Static_assert(SETTINGS_MAX_WATCHDOG_SECONDS == 600, "a message says 600");

static int read_strict(json_t *value, const char *path, struct document *doc,
		       struct err *err)
{
	if (!json_is_boolean(value)) {
		return json_wrong(err, doc->what, path, "true or false", value);
	}
	doc->settings->is_systemd_strict = json_is_true(value);
	return 0;
}

static int read_systemd(json_t *value, const char *path, struct document *doc,
			struct err *err)
{
	static const struct member members[] = {
		{"strict", read_strict},
	};

	return READ_MEMBERS(value, path, members, doc, err);
}

static int read_source(json_t *value, const char *path, struct document *doc,
		       struct err *err)
{
	int word = read_word(value, path, driver_source_names, DRIVER_SOURCE_COUNT,
			     "one of auto, native and cdi", doc, err);

	if (word < 0) {
		return word;
	}
	doc->settings->driver_source = (enum driver_source)word;
	return 0;
}

static int read_driver_root(json_t *value, const char *path, struct document *doc,
			    struct err *err)
{
	const char *text = json_string_value(value);
	size_t len;

	if (!text || text[0] != '/') {
		return json_wrong(err, doc->what, path, "an absolute path", value);
	}
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/') {
		len--;
	}
	if (len > 0) {
		doc->settings->driver_root = xstrndup(text, len);
	}
	return 0;
}

static int read_driver(json_t *value, const char *path, struct document *doc,
		       struct err *err)
{
	static const struct member members[] = {
		{"source", read_source},
		{"driverRoot", read_driver_root},
	};

	return READ_MEMBERS(value, path, members, doc, err);
}

int settings_parse(const char *text, size_t len, const char *file, struct settings *ret,
		   struct err *err)
{
	static const struct member members[] = {
		{"annotation", read_annotation},
		{"log", read_log},
		{"stateDir", read_state_dir},
		{"policy", read_policy},
		{"watchdogSeconds", read_watchdog},
		{"order", read_order},
		{"access", read_access},
		{"systemd", read_systemd},
		{"nvidia", read_driver},
	};
	/* A path may be 4,096 bytes long, and what is wrong must still be said. */
	autofree char *what = xasprintf("configuration '%.400s'", file);
	cleanup(settings_clearp) struct settings settings = {0};
	cleanup(json_decrefp) json_t *object = json_parse(text, len, what, err);
	struct document doc = {.what = what, .settings = &settings};

	if (!object) {
		return -err->code;
	}
	settings_set_defaults(&settings);
	if (READ_MEMBERS(object, "", members, &doc, err) < 0) {
		return -err->code;
	}
	*ret = settings;
	settings = (struct settings){0};
	return 0;
}

/* ---- the quick look ---------------------------------------------------------------- */

bool settings_find_annotation(const char *text, size_t len, char **ret)
{
	static const char key[] = "\"annotation\"";
	const char *value;
	size_t value_len;

	/* An escape could hide the key. */
	if (memchr(text, '\\', len)) {
		return false;
	}
	if (!memmem(text, len, key, sizeof(key) - 1)) {
		*ret = xstrdup(OCI_DEFAULT_ANNOTATION);
		return true;
	}
	if (!json_find_string(text, len, key, &value, &value_len)) {
		return false;
	}
	*ret = xstrndup(value, value_len);
	return true;
}
