/* SPDX-License-Identifier: Apache-2.0 */
/* config_devices.c - the device rules of a config.json */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "oci/config_json.h"
#include "oci/json.h"

#define RULES "linux.resources.devices"

/* Numbers are reals here, see json_parse_wide(). */
int config_read_device_number(const json_t *entry, const char *key, const char *path,
			      uint32_t *ret, struct err *err)
{
	const json_t *value = json_member(entry, key);
	double number = json_real_value(value);
	char where[96];

	*ret = DEVICE_RULE_ANY;
	/* Both runc and crun take -1 for any. */
	if (!value || (json_is_real(value) && number == -1)) {
		return 0;
	}
	if (!json_is_real(value) || number < 0 || number >= DEVICE_RULE_ANY ||
	    (double)(uint32_t)number != number) {
		(void)snprintf(where, sizeof(where), "%s.%s", path, key);
		return json_wrong(err, CONFIG_WHAT, where, "a device number", value);
	}
	*ret = (uint32_t)number;
	return 0;
}

/* Absent is "". */
static int read_text(const json_t *entry, const char *key, const char *path,
		     const char **ret, struct err *err)
{
	const json_t *value = json_member(entry, key);
	char where[96];

	if (value && !json_is_string(value)) {
		(void)snprintf(where, sizeof(where), "%s.%s", path, key);
		return json_wrong(err, CONFIG_WHAT, where, "a string", value);
	}
	*ret = value ? json_string_value(value) : "";
	return 0;
}

static int read_rule(const json_t *entry, const char *path, struct device_rule *rule,
		     struct err *err)
{
	const char *type = "";
	const char *access = "";

	if (!json_is_object(entry)) {
		return json_wrong(err, CONFIG_WHAT, path, "an object", entry);
	}
	if (read_text(entry, "type", path, &type, err) < 0 ||
	    read_text(entry, "access", path, &access, err) < 0 ||
	    config_read_device_number(entry, "major", path, &rule->major, err) < 0 ||
	    config_read_device_number(entry, "minor", path, &rule->minor, err) < 0) {
		return -err->code;
	}
	rule->allows = json_is_true(json_object_get(entry, "allow"));
	rule->is_for_chars = !text_equals(type, "b");
	rule->is_for_blocks =
		text_equals(type, "b") || text_equals(type, "a") || text_equals(type, "");
	rule->reads = strchr(access, 'r') != NULL;
	rule->writes = strchr(access, 'w') != NULL;
	rule->makes = strchr(access, 'm') != NULL;
	return 0;
}

int config_read_device_rules(const json_t *config, struct container *ctr, struct err *err)
{
	const json_t *os = NULL;
	const json_t *resources = NULL;
	const json_t *rules = NULL;
	const json_t *entry;
	size_t i;

	if (config_read_object(config, "linux", "linux", &os, err) < 0 ||
	    config_read_object(os, "resources", "linux.resources", &resources, err) < 0 ||
	    config_read_array(resources, "devices", RULES, &rules, err) < 0) {
		return -err->code;
	}
	if (json_array_size(rules) > LIMIT_CONFIG_ENTRIES) {
		return err_set(err, E2BIG, "read config.json: " RULES ": more than %u",
			       LIMIT_CONFIG_ENTRIES);
	}
	ctr->device_rules = xcalloc(json_array_size(rules), sizeof(*ctr->device_rules));
	json_array_foreach (rules, i, entry) {
		char path[64];

		(void)snprintf(path, sizeof(path), RULES "[%zu]", i);
		if (read_rule(entry, path, &ctr->device_rules[i], err) < 0) {
			return -err->code;
		}
		ctr->n_device_rules++;
	}
	return 0;
}
