/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* check_plan.h - the last look at a plan before it is printed or applied. Pure. */

#include "model/container.h"
#include "model/plan.h"

/**
 * check_plan_add_groups() - Plan the groups that the container's process needs
 *
 * For who is not root in the container: the group of each node that opens to it, but for
 * group 0. Not with a user namespace, where the host's groups mean nothing.
 *
 * Should: be called where groups can be given, that is before the container is created.
 */
int check_plan_add_groups(struct plan *plan, const struct container *ctr,
			  struct err *err);

/**
 * check_plan() - Refuse what must not happen, warn of what will not work
 * @plan:	gets the warnings: a node that /dev lacks, a node that the container's process
 *		may not open
 * @err:	EINVAL: a path of the plan has "." or ".." in it, or is not where its kind may
 *		be: nodes below /dev and links to them, files below /proc/driver, the directory
 *		of our own below /run and other links into it
 */
int check_plan(struct plan *plan, const struct container *ctr, struct err *err);

/**
 * check_plan_appliable() - Is every node of the plan there?
 * @err:	ENOENT naming the first node that is not in the host's /dev, with what makes it
 */
int check_plan_appliable(const struct plan *plan, struct err *err);
