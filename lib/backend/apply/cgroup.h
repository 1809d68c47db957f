/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cgroup.h - the device rules of the container's cgroup
 *
 * Which hierarchy decides is read from /proc/PID/cgroup: a line with the controller
 * "devices" (v1), the line "0::" (v2), or both.
 *
 * A cgroup that is not the container's own (the runtime runs without cgroups) is never
 * changed: that would give the nodes to the runtime and to all its other containers.
 */

#include "backend/apply/process.h"
#include "backend/apply/undo.h"
#include "base/err.h"
#include "model/plan.h"

struct cgroup_v1_rules;
struct cgroup_v2_programs;

/* Open until the end of the run, for the undo log. */
struct cgroup_rules {
	struct cgroup_v1_rules *v1; /* NULL: that hierarchy decides nothing */
	struct cgroup_v2_programs *v2;
};

void cgroup_rules_clear(struct cgroup_rules *rules);
DEFINE_CLEANUP(struct cgroup_rules, cgroup_rules_clear)

/**
 * cgroup_prepare() - Find what denies, and make what will replace it, changing nothing
 * @id:		the container's id, by which runtimes name its cgroup; may be ""
 * @undo:	gets room for the changes to come
 * @err:	EOPNOTSUPP: a program cannot be read or changed; EPERM; EXDEV: the cgroup is
 *		outside of our cgroup namespace
 *
 * Rootless there is no device controller: nothing is done.
 */
int cgroup_prepare(const struct plan *plan, const struct ctr_process *process,
		   const char *id, struct undo_log *undo, struct cgroup_rules *ret,
		   struct err *err);

/* Allows the plan's nodes: exactly "c MAJOR:MINOR rw" each. */
int cgroup_allow(const struct cgroup_rules *rules, struct undo_log *undo,
		 struct err *err);
