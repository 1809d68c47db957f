/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * systemd_unit.h - what systemd has to do with a container's devices. Pure.
 *
 * systemd applies a unit's own idea of devices again at every change of the unit,
 * and a rule that was put in behind its back is gone. What helps depends on where
 * that idea comes from, and that is read from the unit's properties, never from
 * names or versions of runtimes.
 */

#include <stdbool.h>
#include <stddef.h>

#include "backend/apply/dbus_message.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "model/plan.h"

/* Of the interfaces org.freedesktop.systemd1.Scope and .Service. */
enum systemd_property {
	SYSTEMD_PROPERTY_CONTROL_GROUP,
	SYSTEMD_PROPERTY_DEVICE_POLICY,
	SYSTEMD_PROPERTY_DEVICE_ALLOW,
	SYSTEMD_PROPERTY_BPF_PROGRAM,
	SYSTEMD_PROPERTY_COUNT,
};

extern const char *const systemd_property_names[SYSTEMD_PROPERTY_COUNT];

struct systemd_device {
	char *path;   /* "/dev/kfd", "/dev/char/226:128", "char-pts" */
	char *access; /* letters of "rwm" */
};

struct systemd_properties {
	char *control_group; /* "": the unit has none now */
	char *device_policy;
	struct systemd_device *allow;
	size_t n_allow;
	char *pin; /* of BPFProgram=device:PIN; NULL: there is none */
};

void systemd_properties_clear(struct systemd_properties *properties);
DEFINE_CLEANUP(struct systemd_properties, systemd_properties_clear)

/**
 * systemd_properties_read() - Take over what matters from the reply to a GetAll()
 * @properties:	replaced, also on failure
 * @err:	EBADMSG: a property of another type, or none of it, or not well formed
 *
 * BPFProgram alone may be absent: systemd before 249 has none.
 *
 * Return: 0, or negative errno as in @err.
 */
int systemd_properties_read(struct systemd_properties *properties,
			    struct dbus_message *reply, struct err *err);

enum systemd_action {
	/* auto and an empty list: systemd does not filter. A DeviceAllow would switch its
	   filter on, and take away every other device. */
	SYSTEMD_EDIT_ONLY,
	/* It attaches a pinned program: that one must be ours. Never
	   DeviceAllow as well. */
	SYSTEMD_REPIN,
	/* It makes a program from DeviceAllow: the nodes must be in it. */
	SYSTEMD_DEVICE_ALLOW,
};

enum systemd_action systemd_decide(const struct systemd_properties *properties);

/* Is the node in DeviceAllow, by its path or its number, to read and to write? */
bool systemd_allows(const struct systemd_properties *properties,
		    const struct plan_node *node);

/**
 * systemd_unit_find() - The lowest unit, by its name, that a
 * container's cgroup belongs to
 * @path:	of the container's process
 * @len:	so much of it: all, or what is above a unit that it turned out not to be
 * @top:	from cgroup_path_top(): a unit that holds more than the
 *		container is not meant
 * @ret_name:	to free(), if there is one
 *
 * Return: the length of the part of @path that is the unit's cgroup; 0: no "*.scope" or
 * "*.service" is the container's own.
 */
size_t systemd_unit_find(const char *path, size_t len, size_t top, char **ret_name);

/* "/org/freedesktop/systemd1/unit/...", to free(). */
char *systemd_unit_object(const char *name);

/* "org.freedesktop.systemd1.Scope" or ".Service". */
const char *systemd_unit_interface(const char *name);
