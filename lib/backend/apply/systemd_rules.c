/* SPDX-License-Identifier: Apache-2.0 */
/* systemd_rules.c - a device program in the place of one that cannot be edited */

#include "backend/apply/systemd_rules.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* UNIX98 terminals have the majors 136 to 143, of which Linux uses the first.
   Source: Linux Documentation/admin-guide/devices.txt. */
#define PTS_MAJOR 136U

/* An entry of DeviceAllow, in numbers. */
struct allowed {
	bool is_block;
	uint32_t major; /* or DEVICE_RULE_ANY */
	uint32_t minor; /* or DEVICE_RULE_ANY */
	bool reads;
	bool writes;
	bool makes;
};

/* What runc and crun allow in every container, by number.
   Source: OCI runtime spec 1.2, config-linux.md, "Default Devices"; runc
   libcontainer/specconv/spec_linux.go, AllowedDevices. */
static const struct {
	uint32_t major;
	uint32_t minor;
} defaults[] = {
	{1, 3},			      /* null */
	{1, 5},			      /* zero */
	{1, 7},			      /* full */
	{1, 8},			      /* random */
	{1, 9},			      /* urandom */
	{5, 0},			      /* tty */
	{5, 1},			      /* console */
	{5, 2},			      /* ptmx */
	{10, 200},		      /* net/tun */
	{PTS_MAJOR, DEVICE_RULE_ANY}, /* pts */
};

#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

/* Digits up to @end. */
static bool read_number(const char **at, char end, uint32_t *ret)
{
	char *behind;
	unsigned long value;

	if (**at < '0' || **at > '9') {
		return false;
	}
	value = strtoul(*at, &behind, 10);
	if (*behind != end || value >= DEVICE_RULE_ANY) {
		return false;
	}
	*at = behind + (end != '\0');
	*ret = (uint32_t)value;
	return true;
}

/* "pts", "*" or a major. Other names are looked up by systemd in a list of its own. */
static bool read_class(const char *name, struct allowed *ret)
{
	ret->minor = DEVICE_RULE_ANY;
	ret->major = DEVICE_RULE_ANY;
	if (text_equals(name, "*")) {
		return true;
	}
	if (text_equals(name, "pts") && !ret->is_block) {
		ret->major = PTS_MAJOR;
		return true;
	}
	return read_number(&name, '\0', &ret->major);
}

/* Return: is it of a form that is known? */
static bool read_allowed(const struct systemd_device *device, struct allowed *ret)
{
	const char *path = device->path;

	*ret = (struct allowed){
		.is_block = text_starts_with(path, "/dev/block/") ||
			    text_starts_with(path, "block-"),
		.reads = strchr(device->access, 'r') != NULL,
		.writes = strchr(device->access, 'w') != NULL,
		.makes = strchr(device->access, 'm') != NULL,
	};
	if (text_starts_with(path, "char-") || text_starts_with(path, "block-")) {
		return read_class(strchr(path, '-') + 1, ret);
	}
	if (!text_starts_with(path, "/dev/char/") && !ret->is_block) {
		return false;
	}
	path = strchr(path + strlen("/dev/"), '/') + 1;
	return read_number(&path, ':', &ret->major) &&
	       read_number(&path, '\0', &ret->minor);
}

static bool covers_number(uint32_t wide, uint32_t narrow)
{
	return wide == DEVICE_RULE_ANY || wide == narrow;
}

/* Does the entry give all that the rule gives? */
static bool gives(const struct allowed *allowed, const struct device_rule *rule)
{
	return (rule->reads || rule->writes || rule->makes) &&
	       rule->is_for_blocks == allowed->is_block &&
	       rule->is_for_chars != allowed->is_block &&
	       covers_number(allowed->major, rule->major) &&
	       covers_number(allowed->minor, rule->minor) &&
	       allowed->reads >= rule->reads && allowed->writes >= rule->writes &&
	       allowed->makes >= rule->makes;
}

static bool has_rule(const struct systemd_properties *properties,
		     const struct device_rule *rule)
{
	struct allowed allowed;

	for (size_t i = 0; i < properties->n_allow; i++) {
		if (read_allowed(&properties->allow[i], &allowed) &&
		    gives(&allowed, rule)) {
			return true;
		}
	}
	return false;
}

/* "Deny all", as every engine puts it first: what systemd starts from, too. */
static bool denies_all(const struct device_rule *rule)
{
	return !rule->allows && rule->is_for_chars && rule->is_for_blocks &&
	       rule->major == DEVICE_RULE_ANY && rule->minor == DEVICE_RULE_ANY &&
	       rule->reads && rule->writes && rule->makes;
}

const char *systemd_rules_lack(const struct systemd_properties *properties,
			       const struct container *ctr)
{
	if (ctr->n_device_rules == 0 || !denies_all(&ctr->device_rules[0])) {
		return "config.json does not begin with denying all devices";
	}
	for (size_t i = 1; i < ctr->n_device_rules; i++) {
		const struct device_rule *rule = &ctr->device_rules[i];

		/* DeviceAllow knows no order, and nothing that takes away. */
		if (!rule->allows) {
			return "config.json denies a device behind others";
		}
		if (!has_rule(properties, rule)) {
			return "its DeviceAllow lacks a device of config.json";
		}
	}
	return NULL;
}

static struct device_rule allow_device(uint32_t major, uint32_t minor)
{
	return (struct device_rule){
		.allows = true,
		.is_for_chars = true,
		.major = major,
		.minor = minor,
		.reads = true,
		.writes = true,
		.makes = true,
	};
}

void systemd_rules_stand_in(const struct container *ctr, const struct plan *plan,
			    struct devrules_program *ret)
{
	autofree struct device_rule *rules =
		xcalloc(ctr->n_device_rules + N_DEFAULTS + 1, sizeof(*rules));
	size_t n = 0;

	for (size_t i = 0; i < ctr->n_device_rules; i++) {
		if (ctr->device_rules[i].allows) {
			rules[n++] = ctr->device_rules[i];
		}
	}
	for (size_t i = 0; i < N_DEFAULTS; i++) {
		rules[n++] = allow_device(defaults[i].major, defaults[i].minor);
	}
	/* Making a node is not opening it: runtimes allow that for all. */
	rules[n++] = (struct device_rule){
		.allows = true,
		.is_for_chars = true,
		.is_for_blocks = true,
		.major = DEVICE_RULE_ANY,
		.minor = DEVICE_RULE_ANY,
		.makes = true,
	};
	devrules_list(plan, rules, n, ret);
}
