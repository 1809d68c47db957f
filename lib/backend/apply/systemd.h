/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * systemd.h - see to it that systemd keeps what the hook adds
 *
 * Asked over D-Bus, and only where a unit of systemd's is the container's own. All of the
 * talking takes 5 seconds at most, within the deadline of the run. A connection that
 * breaks is made again over the other socket, once, and so is one to a bus that does not
 * greet: what we ask for is the same however often it is asked.
 */

#include "base/err.h"
#include "model/container.h"
#include "model/plan.h"

struct systemd_unit;

void systemd_unit_free(struct systemd_unit *unit);

/**
 * systemd_prepare() - Ask for the unit of a container's cgroup
 * @path:	of the container's process
 * @top:	from cgroup_path_top()
 * @ret:	to systemd_unit_free(). NULL: no unit is the container's own, or it is
 *		none of the systemd that runs here; or it does not filter devices
 * @err:	ENOENT: there is no systemd here, whatever the cgroup is called;
 *		ETIMEDOUT, ECONNREFUSED, ECONNRESET, EBADMSG, EREMOTEIO
 *
 * Needs: the host's /run and /dev; socket() and connect().
 */
int systemd_prepare(const struct plan *plan, const char *path, size_t top,
		    struct systemd_unit **ret, struct err *err);

/**
 * systemd_allow() - Add the nodes to the unit's DeviceAllow, if
 * that is what it filters by
 * @err:	as systemd_prepare(); ENODATA: they are not there afterwards
 *
 * Nothing to undo: one entry cannot be taken out again, and alone it gives nothing, since
 * the runtime's own program still denies. It ends with the unit, and the unit with the
 * container that the runtime does not start.
 *
 * Should: come before the device programs are replaced: systemd attaches a fresh one.
 */
int systemd_allow(struct systemd_unit *unit, struct err *err);

/**
 * systemd_unit_filter() - Does systemd filter the unit by a list that may be relied on?
 * @ret:	what is in the way, for a message; NULL: nothing
 *
 * Return: the unit's cgroup; NULL: systemd makes no program from its DeviceAllow.
 */
const char *systemd_unit_filter(const struct systemd_unit *unit,
				const struct container *ctr, const char **ret);

/* Where the program is pinned that systemd attaches to the unit, or NULL. */
const char *systemd_unit_pin(const struct systemd_unit *unit);
const char *systemd_unit_name(const struct systemd_unit *unit);
