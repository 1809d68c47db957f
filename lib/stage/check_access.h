/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * check_access.h - will the container's process be able to open the plan's nodes? Pure.
 *
 * By the nodes' permissions alone; the device cgroup is the back end's. Theory of
 * operation: what decides is the process that the container starts, as the host sees it:
 * its ids through the maps of its user namespace, its groups, and CAP_DAC_OVERRIDE, which
 * counts for a node only where the namespace maps the node's owner and group. If the
 * host's node lets it, that node is given. If not, the process gets a node of its own
 * where the back end can make one, else a group where it can give one, else there is a
 * warning that says what is missing.
 */

#include <stdbool.h>

#include "base/err.h"
#include "model/container.h"
#include "model/plan.h"
#include "model/policy.h"

/* What can be done about a node that will not open. */
struct access_terms {
	enum node_source setting;
	bool can_make_nodes; /* the hook will be the real root */
	bool can_add_groups; /* the container's process does not exist yet */
	/* An ordinary user's hook: it runs in a user namespace, and so
	   does the container. */
	bool is_rootless;
	/* That one is yet to be made, by the user who only looks: none of the numbers
	   that he sees is one of the container's. */
	bool is_outside;
};

/**
 * check_access() - See to it that the nodes open
 * @plan:	gets private nodes, or groups, or warnings
 * @err:	E2BIG over LIMIT_PLAN_ENTRIES groups
 */
int check_access(struct plan *plan, const struct container *ctr,
		 const struct access_terms *terms, struct err *err);
