/* SPDX-License-Identifier: Apache-2.0 */
/* systemd.c - see to it that systemd keeps what the hook adds */

#include "backend/apply/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backend/apply/dbus.h"
#include "backend/apply/systemd_rules.h"
#include "backend/apply/systemd_unit.h"
#include "base/deadline.h"
#include "base/mem.h"
#include "base/text.h"

/* In a storm of daemon-reloads systemd took up to 2.6 s to answer (in
   emulation). A bus that has not said hello after the shorter time hangs: then
   systemd's own socket is tried. */
#define LIMIT_MS       5000
#define CONNECT_MS     2500
#define N_TRIES	       2
#define MANAGER_OBJECT "/org/freedesktop/systemd1"

struct systemd_unit {
	char *name;
	char *object;
	struct systemd_properties properties;
	char **wanted; /* for DeviceAllow: what is not in there yet */
	size_t n_wanted;
	struct dbus dbus;
	long long until_ms;
};

typedef int exchange_fn(struct systemd_unit *unit, struct err *err);

void systemd_unit_free(struct systemd_unit *unit)
{
	if (!unit) {
		return;
	}
	for (size_t i = 0; i < unit->n_wanted; i++) {
		free(unit->wanted[i]);
	}
	free(unit->wanted);
	free(unit->name);
	free(unit->object);
	systemd_properties_clear(&unit->properties);
	dbus_close(&unit->dbus);
	free(unit);
}

static void free_unit(struct systemd_unit **unit)
{
	systemd_unit_free(*unit);
}

const char *systemd_unit_name(const struct systemd_unit *unit)
{
	return unit->name;
}

const char *systemd_unit_pin(const struct systemd_unit *unit)
{
	return unit->properties.pin;
}

const char *systemd_unit_filter(const struct systemd_unit *unit,
				const struct container *ctr, const char **ret)
{
	const struct systemd_properties *properties = &unit->properties;

	if (systemd_decide(properties) != SYSTEMD_DEVICE_ALLOW) {
		return NULL;
	}
	*ret = systemd_rules_lack(properties, ctr);
	return properties->control_group;
}

/*
 * @first first, then the other one.
 *
 * Return: 0; -ENOENT: neither is there; else what the first one that is there said.
 */
static int connect_either(struct systemd_unit *unit, enum dbus_peer first, int limit_ms,
			  struct err *err)
{
	enum dbus_peer second = first == DBUS_SYSTEM_BUS ? DBUS_SYSTEMD : DBUS_SYSTEM_BUS;
	long long until_ms = deadline_clock_ms() + limit_ms;
	struct err second_err = {0};
	int r;

	if (until_ms > unit->until_ms) {
		until_ms = unit->until_ms;
	}
	r = dbus_connect(first, until_ms, &unit->dbus, err);
	if (r == 0 || dbus_connect(second, until_ms, &unit->dbus, &second_err) == 0) {
		return 0;
	}
	if (r == -ENOENT) {
		*err = second_err;
	}
	return -err->code;
}

/*
 * One retry, over the other socket: what broke or hangs may be the bus alone. An
 * error that systemd replies with is worth it too, since the bus replies in its name
 * when it is away. But a systemd that is only slow is waited for: whoever asks anew
 * stands at the end of its queue.
 */
static int converse(struct systemd_unit *unit, exchange_fn *exchange, struct err *err)
{
	static const enum dbus_peer first[N_TRIES] = {DBUS_SYSTEM_BUS, DBUS_SYSTEMD};
	static const int connect_ms[N_TRIES] = {CONNECT_MS, LIMIT_MS};
	int r = 0;

	for (size_t i = 0; i < N_TRIES; i++) {
		r = 0;
		if (unit->dbus.fd < 0) {
			r = connect_either(unit, first[i], connect_ms[i], err);
		}
		if (r == 0) {
			unit->dbus.until_ms = unit->until_ms;
			r = exchange(unit, err);
		}
		if (r == 0 || r == -ENOENT || deadline_clock_ms() >= unit->until_ms) {
			break;
		}
		dbus_close(&unit->dbus);
	}
	return r;
}

/* Return: the call's serial. */
static uint32_t put_get(struct systemd_unit *unit, struct dbus_writer *writer)
{
	const struct dbus_call call = {
		.serial = ++unit->dbus.serial,
		.destination = dbus_systemd_name(&unit->dbus),
		.path = unit->object,
		.interface = "org.freedesktop.DBus.Properties",
		.member = "GetAll",
		.signature = "s",
	};

	dbus_begin_call(writer, &call);
	dbus_put_string(writer, systemd_unit_interface(unit->name));
	dbus_end_call(writer);
	return call.serial;
}

static int receive_properties(struct systemd_unit *unit, uint32_t serial, struct err *err)
{
	struct dbus_message reply;
	int r = dbus_receive(&unit->dbus, serial, &reply, err);

	if (r == 0) {
		r = systemd_properties_read(&unit->properties, &reply, err);
	}
	return r < 0 ? err_wrap(err, "get its properties") : 0;
}

/*
 * All in one call. systemd takes up one call at a time and may reload its units before it
 * takes up the next: in a storm of reloads every call waits as long as the first.
 */
static int ask(struct systemd_unit *unit, struct err *err)
{
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};
	uint32_t serial = put_get(unit, &writer);
	int r = dbus_send(&unit->dbus, &writer, err);

	return r < 0 ? r : receive_properties(unit, serial, err);
}

/*
 * How systemd is told of a node. It takes a path that does not exist without a word and
 * then leaves it out, so the path must be the node as we see it. Else by its number, for
 * which systemd 240 and later looks at no file.
 */
static char *name_node(const struct plan_node *node)
{
	struct stat st;

	if (text_starts_with(node->host.text, "/dev/") &&
	    stat(node->host.text, &st) == 0 && S_ISCHR(st.st_mode) &&
	    st.st_rdev == makedev(node->major, node->minor)) {
		return xstrdup(node->host.text);
	}
	return xasprintf("/dev/char/%u:%u", node->major, node->minor);
}

static void list_wanted(struct systemd_unit *unit, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (!systemd_allows(&unit->properties, &plan->nodes[i])) {
			unit->wanted = xgrow(unit->wanted, unit->n_wanted,
					     sizeof(*unit->wanted));
			unit->wanted[unit->n_wanted++] = name_node(&plan->nodes[i]);
		}
	}
}

/* Return: 1: its cgroup is the first @len bytes of @path; 0: it has another, or none, so
   that the name alone is a coincidence; or negative errno as in @err. */
static int look_at_unit(struct systemd_unit *unit, char *name, const char *path,
			size_t len, struct err *err)
{
	const char *group;

	free(unit->name);
	free(unit->object);
	unit->name = name;
	unit->object = systemd_unit_object(name);
	if (converse(unit, ask, err) < 0) {
		return err_wrap(err, "ask systemd for unit '%s'", unit->name);
	}
	group = unit->properties.control_group;
	return strlen(group) == len && memcmp(group, path, len) == 0;
}

int systemd_prepare(const struct plan *plan, const char *path, size_t top,
		    struct systemd_unit **ret, struct err *err)
{
	cleanup(free_unit) struct systemd_unit *unit = xcalloc(1, sizeof(*unit));
	struct err refused = {0};
	size_t len = strlen(path);
	int r = 0;

	unit->dbus = DBUS_NONE;
	unit->until_ms = deadline_clock_ms() + LIMIT_MS;
	/* An image may choose what crun calls a container's group below its
	   scope, x.service for one: the unit is then above that. For an odd name
	   systemd has but an error. */
	while (r == 0) {
		char *name = NULL;

		len = systemd_unit_find(path, len, top, &name);
		if (len == 0) {
			*err = refused;
			return -err->code;
		}
		r = look_at_unit(unit, name, path, len, err);
		if (r == -EREMOTEIO) {
			refused = *err;
			*err = (struct err){0};
			r = 0;
		}
		if (r == 0) {
			len = (size_t)((const char *)memrchr(path, '/', len) - path);
		}
	}
	if (r < 0) {
		return r;
	}
	switch (systemd_decide(&unit->properties)) {
	case SYSTEMD_EDIT_ONLY:
		return 0;
	case SYSTEMD_REPIN:
		break;
	case SYSTEMD_DEVICE_ALLOW:
		list_wanted(unit, plan);
		break;
	}
	*ret = steal_ptr(&unit);
	return 0;
}

/* SetUnitProperties(name, runtime, [("DeviceAllow", [(node, "rw"), ...])]): appends. */
static uint32_t put_set(struct systemd_unit *unit, struct dbus_writer *writer)
{
	const struct dbus_call call = {
		.serial = ++unit->dbus.serial,
		.destination = dbus_systemd_name(&unit->dbus),
		.path = MANAGER_OBJECT,
		.interface = "org.freedesktop.systemd1.Manager",
		.member = "SetUnitProperties",
		.signature = "sba(sv)",
	};
	size_t properties;
	size_t devices;

	dbus_begin_call(writer, &call);
	dbus_put_string(writer, unit->name);
	dbus_put_bool(writer, true);
	properties = dbus_begin_array(writer);
	dbus_begin_struct(writer);
	dbus_put_string(writer, systemd_property_names[SYSTEMD_PROPERTY_DEVICE_ALLOW]);
	dbus_put_signature(writer, "a(ss)");
	devices = dbus_begin_array(writer);
	for (size_t i = 0; i < unit->n_wanted; i++) {
		dbus_begin_struct(writer);
		dbus_put_string(writer, unit->wanted[i]);
		dbus_put_string(writer, "rw");
	}
	dbus_end_array(writer, devices);
	dbus_end_array(writer, properties);
	dbus_end_call(writer);
	return call.serial;
}

static bool has_device(const struct systemd_properties *properties, const char *path)
{
	for (size_t i = 0; i < properties->n_allow; i++) {
		if (text_equals(properties->allow[i].path, path)) {
			return true;
		}
	}
	return false;
}

/* Sets and reads back. */
static int set_device_allow(struct systemd_unit *unit, struct err *err)
{
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};
	uint32_t set = put_set(unit, &writer);
	uint32_t get = put_get(unit, &writer);
	struct dbus_message reply;
	int r;

	r = dbus_send(&unit->dbus, &writer, err);
	if (r == 0) {
		r = dbus_receive(&unit->dbus, set, &reply, err);
	}
	if (r == 0) {
		r = receive_properties(unit, get, err);
	}
	for (size_t i = 0; i < unit->n_wanted && r == 0; i++) {
		if (!has_device(&unit->properties, unit->wanted[i])) {
			r = err_set(err, ENODATA, "'%s' is not in it afterwards",
				    unit->wanted[i]);
		}
	}
	return r;
}

int systemd_allow(struct systemd_unit *unit, struct err *err)
{
	int r = unit->n_wanted > 0 ? converse(unit, set_device_allow, err) : 0;

	/* The container's mount namespace must not be entered with a
	   way out to the host. */
	dbus_close(&unit->dbus);
	return r < 0 ? err_wrap(err, "set DeviceAllow of systemd unit '%s'", unit->name)
		     : 0;
}
