/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cgroup.h - the device rules of the container's cgroup
 *
 * Which hierarchy decides is read from /proc/PID/cgroup: a line with the controller
 * "devices" (v1), the line "0::" (v2), or both.
 *
 * Where the cgroup is a unit of systemd's, systemd is made to keep the
 * rules (systemd_unit.h):
 *
 *   it filters by DeviceAllow	   add the nodes to it, then replace every program, also
 *				   the fresh one that systemd attaches
 *   it attaches a pinned program   replace every program, then the pinned one
 *   else			   replace every program
 *
 * What cannot be made to last is done all the same, and the caller gets a warning; or it
 * is a failure, if the caller has no place for one.
 *
 * A cgroup that is not the container's own (the runtime runs without cgroups) is never
 * changed: that would give the nodes to the runtime and to all its other containers.
 */

#include "backend/apply/process.h"
#include "backend/apply/undo.h"
#include "base/err.h"
#include "model/container.h"
#include "model/plan.h"

struct cgroup_v1_rules;
struct cgroup_v2_programs;
struct systemd_unit;

/* The container whose cgroup it is; all borrowed. */
struct cgroup_target {
	const struct ctr_process *process;
	const char *id; /* by which runtimes name its cgroup; may be "" */
	const struct container *container; /* NULL: its device rules are not known */
};

/* Open until the end of the run, for the undo log. */
struct cgroup_rules {
	struct cgroup_v1_rules *v1; /* NULL: that hierarchy decides nothing */
	struct cgroup_v2_programs *v2;
	struct systemd_unit *unit; /* NULL: systemd need not be told */
};

void cgroup_rules_clear(struct cgroup_rules *rules);
DEFINE_CLEANUP(struct cgroup_rules, cgroup_rules_clear)

/**
 * cgroup_prepare() - Find what denies, and make what will replace it, changing nothing
 * @undo:	gets room for the changes to come
 * @warning:	filled if systemd cannot be asked; NULL: that is a failure
 * @err:	EOPNOTSUPP: a program cannot be read or changed; EPERM; EXDEV:
 *		the cgroup is outside of our cgroup namespace; without a
 *		@warning as systemd_prepare()
 *
 * Rootless there is no device controller: nothing is done.
 */
int cgroup_prepare(const struct plan *plan, const struct cgroup_target *target,
		   struct undo_log *undo, struct cgroup_rules *ret, struct err *warning,
		   struct err *err);

/**
 * cgroup_allow() - Allow the plan's nodes: exactly "c MAJOR:MINOR rw" each
 * @warning:	filled if systemd is going to take them away again;
 *		NULL: that is a failure
 *
 * What systemd has been told is not for the undo log; systemd_allow() and
 * cgroup_v2_repin() say why.
 */
int cgroup_allow(const struct cgroup_rules *rules, struct undo_log *undo,
		 struct err *warning, struct err *err);
