/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_path.c - what /proc/PID/cgroup says */

#include "backend/apply/cgroup_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void cgroup_path_clear(struct cgroup_path *path)
{
	free(path->v1_path);
	free(path->v2_path);
	*path = (struct cgroup_path){0};
}

/* Is "devices" one of the names between commas? */
static bool has_devices(const char *controllers, size_t len)
{
	static const char wanted[] = "devices";
	const char *end = controllers + len;

	while (controllers < end) {
		const char *comma = memchr(controllers, ',', (size_t)(end - controllers));
		size_t n = (size_t)((comma ? comma : end) - controllers);

		if (n == sizeof(wanted) - 1 && memcmp(controllers, wanted, n) == 0) {
			return true;
		}
		controllers += n + 1;
	}
	return false;
}

static int parse_line(const char *line, size_t len, struct cgroup_path *path,
		      struct err *err)
{
	const char *end = line + len;
	const char *controllers = memchr(line, ':', len);
	const char *where = NULL;
	size_t n_controllers;

	if (controllers) {
		controllers++;
		where = memchr(controllers, ':', (size_t)(end - controllers));
	}
	if (!where || where + 1 == end || where[1] != '/') {
		return err_set(
			err, EINVAL,
			"read the container's cgroup: '%.*s' is not ID:CONTROLLERS:PATH",
			(int)len, line);
	}
	n_controllers = (size_t)(where - controllers);
	where++;
	if (n_controllers != 0 && !has_devices(controllers, n_controllers)) {
		return 0;
	}
	len = (size_t)(end - where);
	if (text_starts_with(where, "/..") && (len == 3 || where[3] == '/')) {
		return err_set(
			err, EXDEV,
			"read the container's cgroup: '%.*s' is outside of our cgroup "
			"namespace; run the hook in the runtime's namespaces",
			(int)len, where);
	}
	if (n_controllers == 0) {
		free(path->v2_path);
		path->v2_path = xstrndup(where, len);
	} else {
		free(path->v1_path);
		path->v1_path = xstrndup(where, len);
	}
	return 0;
}

int cgroup_path_parse(const char *text, struct cgroup_path *ret, struct err *err)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path = {0};

	while (*text) {
		size_t len = strcspn(text, "\n");
		int r;

		r = parse_line(text, len, &path, err);
		if (r < 0) {
			return r;
		}
		text += len + (text[len] == '\n');
	}
	*ret = path;
	path = (struct cgroup_path){0};
	return 0;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

/* "ID.scope", "PREFIX-ID.scope" */
static bool is_named_by_id(const char *scope, size_t len, const char *id)
{
	size_t id_len = strlen(id);

	len -= strlen(".scope");
	return id_len > 0 && ends_with(scope, len, id) &&
	       (len == id_len || scope[len - id_len - 1] == '-');
}

/* Is the level of @len bytes of @path the cgroup @own_path or one above it? */
static bool holds_own(const char *path, size_t len, const char *own_path)
{
	return strncmp(path, own_path, len) == 0 &&
	       (own_path[len] == '/' || own_path[len] == '\0');
}

size_t cgroup_path_top(const char *path, const char *own_path, const char *id)
{
	size_t lowest = strlen(path);
	const char *last = strrchr(path, '/');
	size_t above = (size_t)(last - path);
	const char *parent;
	size_t parent_len;

	if (lowest <= 1 || holds_own(path, lowest, own_path)) {
		return 0;
	}
	if (above == 0 || holds_own(path, above, own_path)) {
		return lowest;
	}
	parent = memrchr(path, '/', above);
	parent = parent ? parent + 1 : path;
	parent_len = above - (size_t)(parent - path);
	if (!ends_with(parent, parent_len, ".scope")) {
		return lowest;
	}
	return is_named_by_id(parent, parent_len, id) ||
			       text_equals(last + 1, "container")
		       ? above
		       : lowest;
}
