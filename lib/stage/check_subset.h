/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* check_subset.h - will the container be kept to the GPUs that it is given? Pure. */

#include "model/inventory.h"
#include "model/plan.h"
#include "stage/select.h"

/**
 * check_subset_warn() - Warn where only a device cgroup would keep it to them
 * @inv:	of at least the chosen GPUs' vendors
 * @plan:	gets the warning, one for each node that all GPUs of a driver share
 *
 * For a container that has no device cgroup: a rootless one. Nothing is said where it
 * gets all that such a node leads to, or not the node.
 */
void check_subset_warn(const struct inventory *inv, const struct selection *selection,
		       struct plan *plan);
