/* SPDX-License-Identifier: Apache-2.0 */
/* systemd_rules.c - may systemd's own device program stand alone? */

#include "backend/apply/systemd_rules.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* What runc and crun allow in every container.
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

/* Does the rule give all that the entry gives? */
static bool may_have(const struct device_rule *rule, const struct allowed *allowed)
{
	return rule->allows &&
	       (allowed->is_block ? rule->is_for_blocks : rule->is_for_chars) &&
	       covers_number(rule->major, allowed->major) &&
	       covers_number(rule->minor, allowed->minor) &&
	       rule->reads >= allowed->reads && rule->writes >= allowed->writes &&
	       rule->makes >= allowed->makes;
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

static bool is_default(const struct allowed *allowed)
{
	/* Making a node is not opening it: runtimes allow that for all. */
	if (!allowed->reads && !allowed->writes) {
		return true;
	}
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (!allowed->is_block && allowed->major == defaults[i].major &&
		    covers_number(defaults[i].minor, allowed->minor)) {
			return true;
		}
	}
	return false;
}

static bool is_of_plan(const struct systemd_device *device, const struct plan *plan)
{
	struct systemd_device copy = *device;
	const struct systemd_properties alone = {.allow = &copy, .n_allow = 1};

	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (text_equals(device->access, "rw") &&
		    systemd_allows(&alone, &plan->nodes[i])) {
			return true;
		}
	}
	return false;
}

static bool is_known(const struct systemd_device *device, const struct container *ctr,
		     const struct plan *plan)
{
	struct allowed allowed;

	if (is_of_plan(device, plan)) {
		return true;
	}
	if (!read_allowed(device, &allowed)) {
		return false;
	}
	for (size_t i = 0; i < ctr->n_device_rules; i++) {
		if (may_have(&ctr->device_rules[i], &allowed)) {
			return true;
		}
	}
	return is_default(&allowed);
}

/* "Deny all", as every engine puts it first: what systemd starts from, too. */
static bool denies_all(const struct device_rule *rule)
{
	return !rule->allows && rule->is_for_chars && rule->is_for_blocks &&
	       rule->major == DEVICE_RULE_ANY && rule->minor == DEVICE_RULE_ANY &&
	       rule->reads && rule->writes && rule->makes;
}

const char *systemd_rules_differ(const struct systemd_properties *properties,
				 const struct container *ctr, const struct plan *plan)
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
	for (size_t i = 0; i < properties->n_allow; i++) {
		if (!is_known(&properties->allow[i], ctr, plan)) {
			return "its DeviceAllow has a device that config.json has not";
		}
	}
	return NULL;
}
