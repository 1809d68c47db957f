/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cgroup_v1.h - rules in the "devices" controller of cgroup v1
 *
 * Source: Linux Documentation/admin-guide/cgroup-v1/devices.rst. "devices.list" has
 * "a *:* rwm" when everything is allowed, else one line an exception: "c 226:128
 * rw". A write to devices.allow adds the letters to an exception, one to
 * devices.deny takes them away.
 */

#include "backend/apply/undo.h"
#include "base/err.h"
#include "model/plan.h"

struct cgroup_v1_rules;

void cgroup_v1_free(struct cgroup_v1_rules *rules);

/**
 * cgroup_v1_prepare() - Find which of the plan's nodes the cgroup does not allow yet
 * @cgroup_fd:	directory of the cgroup; borrowed
 * @undo:	gets room
 *
 * Return: 0 and *ret to cgroup_v1_free(), or negative errno as in @err.
 */
int cgroup_v1_prepare(const struct plan *plan, int cgroup_fd, struct undo_log *undo,
		      struct cgroup_v1_rules **ret, struct err *err);

/**
 * cgroup_v1_restore() - Put back what was in devices.list when it was prepared
 *
 * Only what somebody else has taken out since then: systemd, which writes the list anew
 * when it applies a unit. Nothing for the undo log.
 */
int cgroup_v1_restore(const struct cgroup_v1_rules *rules, struct err *err);

/* @err: EPERM: a cgroup above does not allow it. */
int cgroup_v1_allow(const struct cgroup_v1_rules *rules, struct undo_log *undo,
		    struct err *err);

/**
 * cgroup_v1_missing_access() - Which letters of "rw" a devices.list lacks. Pure.
 * @ret:	"", "r", "w" or "rw"; static
 */
const char *cgroup_v1_missing_access(const char *list, uint32_t major, uint32_t minor);
