/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_dbus.c - what comes back over D-Bus: messages, and the properties in them */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/apply/systemd_unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every string of a property that is taken over must have been there, whole. */
static void check_properties(const struct systemd_properties *properties,
			     const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < properties->n_allow; i++) {
		const char *path = properties->allow[i].path;

		if (!memmem(data, size, path, strlen(path) + 1)) {
			abort();
		}
	}
	if (properties->pin && properties->pin[0] != '/') {
		abort();
	}
}

static void read_properties(struct dbus_message message, const uint8_t *data, size_t size)
{
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct err err = {0};
	int r = systemd_properties_read(&properties, &message, &err);

	if (r != -err.code) {
		abort();
	}
	if (r == 0 && (message.body.is_bad || message.body.pos > size ||
		       !properties.control_group || !properties.device_policy)) {
		abort();
	}
	check_properties(&properties, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dbus_message message;
	uint8_t *copy;

	if (size < DBUS_FIXED_HEADER_BYTES) {
		return 0;
	}
	/* A block of its own size, so that reading past its end is seen. */
	copy = malloc(size);
	if (!copy) {
		abort();
	}
	memcpy(copy, data, size);
	if (dbus_message_parse(copy, size, &message) == 0) {
		if (message.body.pos > size || dbus_message_size(copy, size) != size) {
			abort();
		}
		read_properties(message, copy, size);
		(void)dbus_get_string(&message.body);
	}
	free(copy);
	return 0;
}
