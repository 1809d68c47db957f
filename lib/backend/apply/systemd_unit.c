/* SPDX-License-Identifier: Apache-2.0 */
/* systemd_unit.c - what systemd has to do with a container's devices */

#include "backend/apply/systemd_unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define UNIT_OBJECTS "/org/freedesktop/systemd1/unit/"

const char *const systemd_property_names[SYSTEMD_PROPERTY_COUNT] = {
	[SYSTEMD_PROPERTY_CONTROL_GROUP] = "ControlGroup",
	[SYSTEMD_PROPERTY_DEVICE_POLICY] = "DevicePolicy",
	[SYSTEMD_PROPERTY_DEVICE_ALLOW] = "DeviceAllow",
	[SYSTEMD_PROPERTY_BPF_PROGRAM] = "BPFProgram",
};

static void clear_allow(struct systemd_properties *properties)
{
	for (size_t i = 0; i < properties->n_allow; i++) {
		free(properties->allow[i].path);
		free(properties->allow[i].access);
	}
	free(properties->allow);
	properties->allow = NULL;
	properties->n_allow = 0;
}

void systemd_properties_clear(struct systemd_properties *properties)
{
	clear_allow(properties);
	free(properties->control_group);
	free(properties->device_policy);
	free(properties->pin);
	*properties = (struct systemd_properties){0};
}

static void read_text(struct dbus_reader *value, char **ret)
{
	dbus_enter_variant(value, "s");
	free(*ret);
	*ret = xstrdup(dbus_get_string(value));
}

static void read_allow(struct dbus_reader *value, struct systemd_properties *properties)
{
	size_t end;

	clear_allow(properties);
	dbus_enter_variant(value, "a(ss)");
	end = dbus_enter_array(value);
	while (dbus_next_struct(value, end)) {
		struct systemd_device *device;

		properties->allow = xgrow(properties->allow, properties->n_allow,
					  sizeof(*properties->allow));
		device = &properties->allow[properties->n_allow++];
		device->path = xstrdup(dbus_get_string(value));
		device->access = xstrdup(dbus_get_string(value));
	}
}

/* Pairs of what a program is attached as, and where it is pinned. */
static void read_pin(struct dbus_reader *value, struct systemd_properties *properties)
{
	size_t end;

	dbus_enter_variant(value, "a(ss)");
	end = dbus_enter_array(value);
	while (dbus_next_struct(value, end)) {
		const char *type = dbus_get_string(value);
		const char *path = dbus_get_string(value);

		if (text_equals(type, "device") && *path == '/') {
			free(properties->pin);
			properties->pin = xstrdup(path);
		}
	}
}

static void read_property(struct dbus_reader *value, enum systemd_property property,
			  struct systemd_properties *properties)
{
	switch (property) {
	case SYSTEMD_PROPERTY_CONTROL_GROUP:
		read_text(value, &properties->control_group);
		break;
	case SYSTEMD_PROPERTY_DEVICE_POLICY:
		read_text(value, &properties->device_policy);
		break;
	case SYSTEMD_PROPERTY_DEVICE_ALLOW:
		read_allow(value, properties);
		break;
	case SYSTEMD_PROPERTY_BPF_PROGRAM:
		read_pin(value, properties);
		break;
	case SYSTEMD_PROPERTY_COUNT:
		/* One of the some hundred others. */
		dbus_skip_variant(value);
		break;
	}
}

static enum systemd_property find_property(const char *name)
{
	int i = 0;

	while (i < SYSTEMD_PROPERTY_COUNT &&
	       !text_equals(name, systemd_property_names[i])) {
		i++;
	}
	return (enum systemd_property)i;
}

int systemd_properties_read(struct systemd_properties *properties,
			    struct dbus_message *reply, struct err *err)
{
	struct dbus_reader *value = &reply->body;
	bool is_there[SYSTEMD_PROPERTY_COUNT + 1] = {[SYSTEMD_PROPERTY_BPF_PROGRAM] =
							     true};
	size_t end;

	systemd_properties_clear(properties);
	if (!text_equals(reply->signature, "a{sv}")) {
		return err_set(err, EBADMSG, "the answer holds no properties");
	}
	end = dbus_enter_array(value);
	while (dbus_next_struct(value, end)) {
		enum systemd_property property = find_property(dbus_get_string(value));

		read_property(value, property, properties);
		is_there[property] = true;
		if (value->is_bad && property < SYSTEMD_PROPERTY_COUNT) {
			return err_set(err, EBADMSG, "%s is not of its type",
				       systemd_property_names[property]);
		}
	}
	if (value->is_bad) {
		return err_set(err, EBADMSG, "the answer is not well formed");
	}
	for (int i = 0; i < SYSTEMD_PROPERTY_COUNT; i++) {
		if (!is_there[i]) {
			return err_set(err, EBADMSG, "the answer has no %s",
				       systemd_property_names[i]);
		}
	}
	return 0;
}

enum systemd_action systemd_decide(const struct systemd_properties *properties)
{
	const char *policy = properties->device_policy;

	if (properties->pin) {
		return SYSTEMD_REPIN;
	}
	if (properties->n_allow > 0 || text_equals(policy, "strict") ||
	    text_equals(policy, "closed")) {
		return SYSTEMD_DEVICE_ALLOW;
	}
	return SYSTEMD_EDIT_ONLY;
}

bool systemd_allows(const struct systemd_properties *properties,
		    const struct plan_node *node)
{
	char number[48];

	(void)snprintf(number, sizeof(number), "/dev/char/%u:%u", node->major,
		       node->minor);
	for (size_t i = 0; i < properties->n_allow; i++) {
		const struct systemd_device *device = &properties->allow[i];

		if ((text_equals(device->path, node->host.text) ||
		     text_equals(device->path, number)) &&
		    strchr(device->access, 'r') && strchr(device->access, 'w')) {
			return true;
		}
	}
	return false;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && memcmp(text + len - n, end, n) == 0;
}

size_t systemd_unit_find(const char *path, size_t len, size_t top, char **ret_name)
{
	size_t end = len;

	/* From the lowest component up to the one that ends at @top. */
	while (top > 0 && end >= top && end > 0) {
		size_t start = end;

		while (path[start - 1] != '/') {
			start--;
		}
		if (ends_with(path + start, end - start, ".scope") ||
		    ends_with(path + start, end - start, ".service")) {
			/* systemd puts a '_' before a name that the kernel would take for
			   a file of its own. Source: systemd
			   docs/CGROUP_DELEGATION.md. */
			size_t skip = path[start] == '_';

			*ret_name = xstrndup(path + start + skip, end - start - skip);
			return end;
		}
		end = start - 1;
	}
	return 0;
}

static bool is_plain(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9' && !is_first);
}

/* Every other byte becomes '_' and two hexadecimal digits. Source: systemd's
   org.freedesktop.systemd1(5), "Properties"; sd_bus_path_encode(3). */
char *systemd_unit_object(const char *name)
{
	size_t len = strlen(name);
	char *object = xcalloc(sizeof(UNIT_OBJECTS) + 3 * len, 1);
	char *at = object + strlen(UNIT_OBJECTS);

	memcpy(object, UNIT_OBJECTS, strlen(UNIT_OBJECTS));
	for (size_t i = 0; i < len; i++) {
		if (is_plain(name[i], i == 0)) {
			*at++ = name[i];
		} else {
			(void)snprintf(at, 4, "_%02x",
				       (unsigned int)(unsigned char)name[i]);
			at += 3;
		}
	}
	return object;
}

const char *systemd_unit_interface(const char *name)
{
	return ends_with(name, strlen(name), ".scope")
		       ? "org.freedesktop.systemd1.Scope"
		       : "org.freedesktop.systemd1.Service";
}
