/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cgroup_path.h - what /proc/PID/cgroup says. Pure. */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

struct cgroup_path {
	char *v1_path; /* of the controller "devices"; NULL: it is not on v1 */
	char *v2_path; /* NULL: no v2 */
};

void cgroup_path_clear(struct cgroup_path *path);
DEFINE_CLEANUP(struct cgroup_path, cgroup_path_clear)

/**
 * cgroup_path_parse() - Read the lines "ID:CONTROLLERS:PATH"
 * @err:	EINVAL: not such lines; EXDEV: a path starts with "/..", it is outside
 *		of our cgroup namespace
 *
 * A path may hold a ':' of its own. Source: cgroups(7), /proc/[pid]/cgroup.
 */
int cgroup_path_parse(const char *text, struct cgroup_path *ret, struct err *err);

/**
 * cgroup_path_top() - How much of a v2 path is the container's own
 * @path:	of the container's process
 * @own_path:	of ours, which is the runtime's
 * @id:		the container's id
 *
 * The lowest level is, unless it holds ourselves. crun puts the process one level below
 * the scope that holds the device program; so the level above is the container's own as
 * well if it is a scope that is named by the container's id ("libpod-ID.scope"), or a
 * scope whose lowest level is called "container", which is crun's name for it. No other
 * level ever is: its program would be opened for whoever else is in there.
 *
 * Return: the length of the part of @path that names the highest
 * level of its own; 0: none.
 */
size_t cgroup_path_top(const char *path, const char *own_path, const char *id);
