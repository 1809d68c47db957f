/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* check_plan.h - the last look at a plan before it is printed or applied. Pure. */

#include "model/plan.h"

/**
 * check_plan() - Refuse what must not happen, warn of what will not work
 * @plan:	gets the warnings: a node that /dev lacks
 * @err:	EINVAL: a path of the plan has "." or ".." in it, or is not where its kind
 *		may be: nodes below /dev and links to them, files below /proc/driver, the
 *		directory of our own below /run and other links into it
 */
int check_plan(struct plan *plan, struct err *err);

/**
 * check_plan_appliable() - Is every node of the plan there?
 * @err:	ENOENT naming the first node that is not in the host's
 *		/dev, with what makes it
 */
int check_plan_appliable(const struct plan *plan, struct err *err);
