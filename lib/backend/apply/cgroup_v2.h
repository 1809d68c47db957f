/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cgroup_v2.h - the device programs on the levels of a container's cgroup
 *
 * Every program on every level must allow an access. So each is read, gets the plan's
 * rules in front, and is replaced by the result: the new one is attached before or while
 * the old one goes (BPF_F_REPLACE), never after, so that at no time less denies than
 * before. No program: nothing is denied, and nothing is done.
 *
 * One that cannot be read or loaded again (net.core.bpf_jit_harden=2) is
 * replaced by one made of config.json, where systemd's own program stands beside
 * it; else it is a failure.
 */

#include <stdbool.h>

#include "backend/apply/devrules.h"
#include "backend/apply/undo.h"
#include "base/err.h"
#include "model/plan.h"

struct cgroup_v2_programs;

void cgroup_v2_free(struct cgroup_v2_programs *programs);

/* An empty set, to which cgroup_v2_prepare() adds level by level. */
struct cgroup_v2_programs *cgroup_v2_new(const struct plan *plan);

/**
 * cgroup_v2_set_unit() - What stands for a program that cannot be edited
 * @unit_path:	the cgroup of the unit whose DeviceAllow is going to have the nodes
 * @stand_in:	taken; begins with the plan's rules
 * @obstacle:	why it may not be used, for a message; NULL: it may
 *
 * For the programs on that level and below it.
 */
void cgroup_v2_set_unit(struct cgroup_v2_programs *programs, const char *unit_path,
			struct devrules_program *stand_in, const char *obstacle);

/**
 * cgroup_v2_prepare() - Read the programs of one level and load their replacements
 * @cgroup_fd:	taken, also on failure
 * @path:	of the level, for messages
 * @undo:	gets room
 * @err:	EOPNOTSUPP: a program's code cannot be had or loaded again; EPERM
 *
 * A program that has the rules in front already is left as it is.
 *
 * Needs: CAP_SYS_ADMIN in the initial user namespace (reading a program by its id).
 */
int cgroup_v2_prepare(struct cgroup_v2_programs *programs, int cgroup_fd,
		      const char *path, struct undo_log *undo, struct err *err);

/* Does a stand-in need systemd's own program beside it? */
bool cgroup_v2_relies_on_systemd(const struct cgroup_v2_programs *programs);

/**
 * cgroup_v2_allow() - Attach the replacements, and see that nothing else is attached
 * @err:	EBUSY: the programs change all the time; else as cgroup_v2_prepare()
 *
 * Looks at every level again behind the last change: systemd may attach a program
 * of its own at any time, and does when it is told of a unit's new DeviceAllow.
 * That one is replaced too.
 */
int cgroup_v2_allow(const struct cgroup_v2_programs *programs, struct undo_log *undo,
		    struct err *err);

/**
 * cgroup_v2_repin() - Let systemd attach the replacement, where it
 * attaches a pinned program
 * @pin:	where the unit's program is pinned
 *
 * Should: come after cgroup_v2_allow(), whose replacement of the same program is pinned:
 * to attach what is attached already is then refused to systemd, and nothing changes.
 *
 * Not for the undo log: the pin is the runtime's, which removes it with the container.
 * Until then the program that has been put back denies what the pinned one would allow.
 */
int cgroup_v2_repin(const struct cgroup_v2_programs *programs, const char *pin,
		    struct err *err);
