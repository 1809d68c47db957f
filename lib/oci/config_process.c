/* SPDX-License-Identifier: Apache-2.0 */
/* config_process.c - who the container's process is: its ids, and what it may */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "oci/config_json.h"
#include "oci/json.h"

/* (uid_t)-1 means "leave it as it is" in chown() and setresuid(): it is nobody's id. */
#define ID_MAX (UINT32_MAX - 1)

/* ---- ids --------------------------------------------------------------------------- */

/* Numbers are reals here, see json_parse_wide(). */
static int read_id(const json_t *value, const char *path, uint32_t *ret, struct err *err)
{
	double id = json_real_value(value);

	if (!json_is_real(value) || id < 0 || id > ID_MAX || (double)(uint32_t)id != id) {
		return json_wrong(err, CONFIG_WHAT, path, "an id from 0 to 4294967294",
				  value);
	}
	*ret = (uint32_t)id;
	return 0;
}

/* An absent id is 0: the runtime takes that too. */
static int read_member_id(const json_t *user, const char *key, const char *path,
			  uint32_t *ret, struct err *err)
{
	const json_t *value = json_member(user, key);

	return value ? read_id(value, path, ret, err) : 0;
}

static int read_additional_gids(const json_t *user, struct container *ctr,
				struct err *err)
{
	const json_t *gids = NULL;
	const json_t *gid;
	size_t i;

	if (config_read_array(user, "additionalGids", "process.user.additionalGids",
			      &gids, err) < 0) {
		return -err->code;
	}
	ctr->additional_gids = xcalloc(json_array_size(gids), sizeof(gid_t));
	json_array_foreach (gids, i, gid) {
		char path[64];

		(void)snprintf(path, sizeof(path), "process.user.additionalGids[%zu]", i);
		if (read_id(gid, path, &ctr->additional_gids[i], err) < 0) {
			return -err->code;
		}
	}
	ctr->n_additional_gids = json_array_size(gids);
	return 0;
}

static int read_user(const json_t *config, struct container *ctr, struct err *err)
{
	const json_t *process = NULL;
	const json_t *user = NULL;

	if (config_read_object(config, "process", "process", &process, err) < 0 ||
	    config_read_object(process, "user", "process.user", &user, err) < 0 ||
	    read_member_id(user, "uid", "process.user.uid", &ctr->uid, err) < 0 ||
	    read_member_id(user, "gid", "process.user.gid", &ctr->gid, err) < 0) {
		return -err->code;
	}
	return read_additional_gids(user, ctr, err);
}

static int read_namespaces(const json_t *config, struct container *ctr, struct err *err)
{
	const json_t *os = NULL;
	const json_t *namespaces = NULL;
	const json_t *entry;
	size_t i;

	if (config_read_object(config, "linux", "linux", &os, err) < 0 ||
	    config_read_array(os, "namespaces", "linux.namespaces", &namespaces, err) <
		    0) {
		return -err->code;
	}
	json_array_foreach (namespaces, i, entry) {
		const json_t *type = json_object_get(entry, "type");
		char path[64];

		if (!json_is_string(type)) {
			(void)snprintf(path, sizeof(path), "linux.namespaces[%zu].type",
				       i);
			return json_wrong(err, CONFIG_WHAT, path, "a string", type);
		}
		if (text_equals(json_string_value(type), "user")) {
			ctr->has_user_namespace = true;
		}
	}
	return 0;
}

/* ---- SELinux ----------------------------------------------------------------------- */

/* Engines write an empty one where there is no SELinux. */
static int read_mount_label(const json_t *config, struct container *ctr, struct err *err)
{
	const json_t *os = NULL;
	const json_t *label;

	if (config_read_object(config, "linux", "linux", &os, err) < 0) {
		return -err->code;
	}
	label = json_object_get(os, "mountLabel");
	if (!label || json_is_null(label)) {
		return 0;
	}
	if (!json_is_string(label)) {
		return json_wrong(err, CONFIG_WHAT, "linux.mountLabel", "a string",
				  label);
	}
	if (json_string_length(label) >= LIMIT_LABEL_BYTES) {
		return err_set(err, E2BIG,
			       "read " CONFIG_WHAT
			       ": linux.mountLabel: more than %u bytes",
			       LIMIT_LABEL_BYTES - 1);
	}
	if (json_string_length(label) > 0) {
		ctr->mount_label = xstrdup(json_string_value(label));
	}
	return 0;
}

/* ---- the maps ---------------------------------------------------------------------- */

/* All ids are UINT32_MAX many. */
static int read_size(const json_t *value, const char *path, uint32_t *ret,
		     struct err *err)
{
	double size = json_real_value(value);

	if (!json_is_real(value) || size < 0 || size > UINT32_MAX ||
	    (double)(uint32_t)size != size) {
		return json_wrong(err, CONFIG_WHAT, path,
				  "a number of ids up to 4294967295", value);
	}
	*ret = (uint32_t)size;
	return 0;
}

static int read_range(const json_t *entry, const char *path, struct id_map *map,
		      struct err *err)
{
	uint32_t inside = 0;
	uint32_t outside = 0;
	uint32_t size = 0;
	char where[96];
	int r;

	(void)snprintf(where, sizeof(where), "%s.containerID", path);
	r = read_id(json_member(entry, "containerID"), where, &inside, err);
	if (r == 0) {
		(void)snprintf(where, sizeof(where), "%s.hostID", path);
		r = read_id(json_member(entry, "hostID"), where, &outside, err);
	}
	if (r == 0) {
		(void)snprintf(where, sizeof(where), "%s.size", path);
		r = read_size(json_member(entry, "size"), where, &size, err);
	}
	if (r == 0) {
		id_map_add(map, inside, outside, size);
	}
	return r;
}

static int read_map(const json_t *os, const char *key, struct id_map *map,
		    struct err *err)
{
	const json_t *entries = NULL;
	const json_t *entry;
	char path[64];
	size_t i;

	(void)snprintf(path, sizeof(path), "linux.%s", key);
	if (config_read_array(os, key, path, &entries, err) < 0) {
		return -err->code;
	}
	if (json_array_size(entries) > ID_MAP_MAX_RANGES) {
		return err_set(err, E2BIG, "read config.json: %s: more than %u", path,
			       ID_MAP_MAX_RANGES);
	}
	json_array_foreach (entries, i, entry) {
		(void)snprintf(path, sizeof(path), "linux.%s[%zu]", key, i);
		if (read_range(entry, path, map, err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

static int read_maps(const json_t *config, struct container *ctr, struct err *err)
{
	const json_t *os = NULL;

	if (!ctr->has_user_namespace) {
		return 0;
	}
	if (config_read_object(config, "linux", "linux", &os, err) < 0 ||
	    read_map(os, "uidMappings", &ctr->uid_map, err) < 0 ||
	    read_map(os, "gidMappings", &ctr->gid_map, err) < 0) {
		return -err->code;
	}
	return 0;
}

/* ---- capabilities ------------------------------------------------------------------ */

static int has_capability(const json_t *capabilities, const char *set, const char *name,
			  bool *ret, struct err *err)
{
	const json_t *names = NULL;
	const json_t *entry;
	char path[96];
	size_t i;

	*ret = false;
	(void)snprintf(path, sizeof(path), "process.capabilities.%s", set);
	if (config_read_array(capabilities, set, path, &names, err) < 0) {
		return -err->code;
	}
	json_array_foreach (names, i, entry) {
		if (!json_is_string(entry)) {
			(void)snprintf(path, sizeof(path), "process.capabilities.%s[%zu]",
				       set, i);
			return json_wrong(err, CONFIG_WHAT, path, "a string", entry);
		}
		*ret |= text_equals(json_string_value(entry), name);
	}
	return 0;
}

/*
 * What the process has once its program is executed: root what its bounding set lets
 * through, others what is ambient, for which it has to be permitted and inheritable as
 * well. Without the object runc and crun leave none.
 * Source: capabilities(7), "Transformation of capabilities during execve()".
 */
static int read_capabilities(const json_t *config, struct container *ctr, struct err *err)
{
	static const char *const of_root[] = {"bounding", NULL};
	static const char *const of_others[] = {"ambient", "permitted", "inheritable",
						NULL};
	const char *const *sets = ctr->uid == 0 ? of_root : of_others;
	const json_t *process = NULL;
	const json_t *capabilities = NULL;
	bool has_all = true;

	if (config_read_object(config, "process", "process", &process, err) < 0 ||
	    config_read_object(process, "capabilities", "process.capabilities",
			       &capabilities, err) < 0) {
		return -err->code;
	}
	for (size_t i = 0; sets[i]; i++) {
		bool has_it = false;

		if (has_capability(capabilities, sets[i], "CAP_DAC_OVERRIDE", &has_it,
				   err) < 0) {
			return -err->code;
		}
		has_all &= has_it;
	}
	ctr->overrides_modes = has_all;
	return 0;
}

int config_read_process(const json_t *config, struct container *ctr, struct err *err)
{
	if (read_user(config, ctr, err) < 0 || read_namespaces(config, ctr, err) < 0 ||
	    read_maps(config, ctr, err) < 0 || read_mount_label(config, ctr, err) < 0) {
		return -err->code;
	}
	return read_capabilities(config, ctr, err);
}
