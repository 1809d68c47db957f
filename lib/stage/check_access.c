/* SPDX-License-Identifier: Apache-2.0 */
/* check_access.c - will the container's process be able to open the plan's nodes? */

#include "stage/check_access.h"

#include "base/trusted_file.h"

#define MODE_READ	04U
#define MODE_READ_WRITE 06U

/* Owner and group: other processes of the container may share the process's group. Nobody
   else is in the container's mount namespace. */
#define PRIVATE_MODE	     0660U
#define PRIVATE_READING_MODE 0440U

/* All that the decision about one node depends on. */
struct question {
	const struct plan *plan;
	const struct container *ctr;
	const struct access_terms *terms;
	const struct plan_node *node;
};

/* ---- the process as the host sees it ----------------------------------------------- */

/* Return: false: it cannot be said, or nobody. */
static bool find_outside(const struct container *ctr, const struct id_map *map,
			 uint32_t inside, uint32_t *ret)
{
	if (!ctr->has_user_namespace) {
		*ret = inside;
		return true;
	}
	return id_map_to_outside(map, inside, ret);
}

static bool is_hidden(const struct question *q, uint32_t id)
{
	return q->terms->is_rootless && (q->terms->is_outside || id == OVERFLOW_UID);
}

static bool is_owner(const struct question *q)
{
	uint32_t uid;

	return !is_hidden(q, q->node->uid) &&
	       find_outside(q->ctr, &q->ctr->uid_map, q->ctr->uid, &uid) &&
	       uid == q->node->uid;
}

static bool is_node_group(const struct question *q, gid_t gid)
{
	uint32_t outside;

	return find_outside(q->ctr, &q->ctr->gid_map, gid, &outside) &&
	       outside == q->node->gid;
}

/* Its own, or one that the plan gives it, if the back end can. */
static bool is_in_group(const struct question *q)
{
	const struct container *ctr = q->ctr;
	bool is_in = is_node_group(q, ctr->gid);

	if (is_hidden(q, q->node->gid)) {
		return false;
	}
	for (size_t i = 0; i < ctr->n_additional_gids; i++) {
		is_in |= is_node_group(q, ctr->additional_gids[i]);
	}
	for (size_t i = 0; i < q->plan->n_additional_gids && q->terms->can_add_groups;
	     i++) {
		is_in |= is_node_group(q, q->plan->additional_gids[i]);
	}
	return is_in;
}

/* Source: Linux kernel/capability.c, privileged_wrt_inode_uidgid(). */
static bool overrides_mode(const struct question *q)
{
	const struct container *ctr = q->ctr;

	if (!ctr->overrides_modes || is_hidden(q, q->node->uid) ||
	    is_hidden(q, q->node->gid)) {
		return false;
	}
	return !ctr->has_user_namespace ||
	       (id_map_has_outside(&ctr->uid_map, q->node->uid) &&
		id_map_has_outside(&ctr->gid_map, q->node->gid));
}

static bool may(const struct plan_node *node, unsigned int shift)
{
	mode_t needed = node->is_for_reading ? MODE_READ : MODE_READ_WRITE;

	return (node->mode >> shift & needed) == needed;
}

/* As the kernel does it: the first class that fits decides, even if a later one would
   allow more. Source: path_resolution(7), "Permissions". */
static bool opens(const struct question *q)
{
	if (overrides_mode(q) ||
	    (q->ctr->keeps_groups && q->terms->is_rootless && q->node->caller_may_open)) {
		return true;
	}
	if (is_owner(q)) {
		return may(q->node, 6);
	}
	if (is_in_group(q)) {
		return may(q->node, 3);
	}
	return may(q->node, 0);
}

/*
 * A user namespace's root may make our mount writable: it was put there after the
 * namespace, so it is not locked. If the host's owner of the node is one of the
 * namespace's users, it could change the mode of the host's node then. Of a namespace
 * that is joined that is not known.
 */
static bool could_change(const struct question *q)
{
	return q->ctr->has_user_namespace && !is_hidden(q, q->node->uid) &&
	       (q->ctr->uid_map.n == 0 ||
		id_map_has_outside(&q->ctr->uid_map, q->node->uid));
}

/* ---- what to do about it ----------------------------------------------------------- */

/* Group 0 would, but opens far more than GPUs. */
static bool would_group_help(const struct question *q)
{
	return q->node->gid != 0 && !q->ctr->has_user_namespace &&
	       !q->terms->is_rootless && !is_owner(q) && !is_in_group(q) &&
	       may(q->node, 3);
}

static void warn_of_rootless(struct plan *plan, const struct plan_node *node)
{
	if (node->caller_may_open) {
		plan_warn(
			plan,
			"'%s' (mode %04o) opens to the user who starts the container, "
			"but the container's process gives up the user's groups: it will "
			"not open if it was by a group; keep them (podman --runtime crun "
			"--group-add keep-groups), or let a udev rule open the node",
			node->host.text, node->mode);
		return;
	}
	plan_warn(plan,
		  "'%s' (mode %04o) does not open to the user who starts the container: "
		  "it will not open; make the user a member of the node's group on the "
		  "host (usermod -a -G render, then log in anew) and keep the group "
		  "(podman --runtime crun --group-add keep-groups), or let a udev rule "
		  "open the node",
		  node->host.text, node->mode);
}

static void warn(struct plan *plan, const struct question *q)
{
	const struct plan_node *node = q->node;
	const struct container *ctr = q->ctr;
	const char *path = node->host.text;

	if (q->terms->is_rootless) {
		warn_of_rootless(plan, node);
	} else if (ctr->has_user_namespace) {
		plan_warn(plan,
			  "the process runs in a user namespace and '%s' is %u:%u %04o: "
			  "it will not open, since that owner or group is not the "
			  "process's; keep the groups of the caller (podman --group-add "
			  "keep-groups)",
			  path, node->uid, node->gid, node->mode);
	} else if (would_group_help(q)) {
		plan_warn(plan,
			  "the process runs as %u:%u and '%s' is %u:%u %04o: it will not "
			  "open; add group %u (podman --group-add %u)",
			  ctr->uid, ctr->gid, path, node->uid, node->gid, node->mode,
			  node->gid, node->gid);
	} else {
		plan_warn(plan,
			  "the process runs as %u:%u and '%s' is %u:%u %04o: it will not "
			  "open; no group would help, change the node's mode on the host "
			  "(a udev rule)",
			  ctr->uid, ctr->gid, path, node->uid, node->gid, node->mode);
	}
}

/* Rootless the host's root is in no namespace, and who owns a node
   may change it anyway. */
static void warn_of_change(struct plan *plan, const struct question *q)
{
	if (!q->terms->is_rootless && q->ctr->uid_map.n > 0) {
		plan_warn(
			plan,
			"the container's user namespace has the host's user %u, who owns "
			"'%s': its root can change the mode of the host's node; map "
			"others (podman --userns auto)",
			q->node->uid, q->node->host.text);
	}
}

static void make_private(struct plan_node *node, const struct container *ctr)
{
	node->is_private = true;
	node->private_uid = ctr->uid;
	node->private_gid = ctr->gid;
	node->private_mode = node->is_for_reading ? PRIVATE_READING_MODE : PRIVATE_MODE;
}

int check_access(struct plan *plan, const struct container *ctr,
		 const struct access_terms *terms, struct err *err)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		struct plan_node *node = &plan->nodes[i];
		const struct question q = {plan, ctr, terms, node};
		bool does_open = opens(&q);
		int r = 0;

		if (node->state != DEVICE_PRESENT || (does_open && !could_change(&q))) {
			continue;
		}
		if (terms->can_make_nodes && terms->setting == NODES_AUTO) {
			make_private(node, ctr);
		} else if (does_open) {
			warn_of_change(plan, &q);
		} else if (terms->can_add_groups && would_group_help(&q)) {
			r = plan_add_gid(plan, node->gid, err);
		} else {
			warn(plan, &q);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}
