/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cgroup_hierarchy.h - the root that the paths in /proc/PID/cgroup start at
 *
 * That is the root of our cgroup namespace. A mount of the machine counts as it only if
 * the container's process really is in the cgroup that the path leads to from there: so a
 * mount of another part of the tree, or one that is mounted over, is passed by. First the
 * usual places are tried, then all that our mountinfo names.
 *
 * Nothing is mounted for this: to mount cgroup2 without its options (nsdelegate,
 * memory_recursiveprot) takes them away from the whole machine.
 * Source: cgroups(7); Linux kernel/cgroup/cgroup.c, cgroup_get_tree().
 */

#include <sys/types.h>

#include "backend/apply/process.h"
#include "base/err.h"

enum cgroup_version {
	CGROUP_V1_DEVICES, /* the hierarchy that has the controller "devices" */
	CGROUP_V2,
	CGROUP_VERSION_COUNT,
};

/**
 * cgroup_hierarchy_open() - Open the root of a hierarchy
 * @path:	of the process's cgroup
 * @err:	ENOENT: it is mounted nowhere
 *
 * Return: a descriptor to close, or negative errno as in @err.
 */
int cgroup_hierarchy_open(enum cgroup_version version, const char *path,
			  const struct ctr_process *process, struct err *err);

/* The cgroup @path below the root. Return: a descriptor to close, or negative errno. */
int cgroup_hierarchy_open_level(int root_fd, const char *path, struct err *err);
