/* SPDX-License-Identifier: Apache-2.0 */
/* check_plan.c - the last look at a plan before it is printed or applied */

#include "stage/check_plan.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "base/trusted_file.h"

/* Everything that a plan of this version makes is below it. */
#define DEV_DIR "/dev/"

#define MODE_READ_WRITE 06U

/* ---- paths ------------------------------------------------------------------------- */

static bool has_control_character(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			return true;
		}
	}
	return false;
}

static bool is_name(const char *part, size_t len, const char *name)
{
	return len == strlen(name) && strncmp(part, name, len) == 0;
}

/* Names come from sysfs and procfs, maybe of a tree that somebody made. The back ends
   resolve paths safely anyway; what no plan can mean is refused already here. */
static int check_path(const char *path, struct err *err)
{
	const char *part = path + strlen(DEV_DIR);

	if (!text_starts_with(path, DEV_DIR)) {
		return err_set(err, EINVAL, "path '%s': it is not below /dev", path);
	}
	if (has_control_character(path)) {
		return err_set(err, EINVAL, "path '%s': it has a control character in it",
			       path);
	}
	for (;;) {
		size_t len = strcspn(part, "/");

		if (len == 0 || is_name(part, len, ".") || is_name(part, len, "..")) {
			return err_set(err, EINVAL,
				       "path '%s': it has an empty, '.' or '..' "
				       "component",
				       path);
		}
		if (part[len] == '\0') {
			return 0;
		}
		part += len + 1;
	}
}

/* Directories between /dev and the last component. */
static int depth_below_dev(const char *path)
{
	int depth = 0;

	for (path += strlen(DEV_DIR); *path; path++) {
		depth += *path == '/';
	}
	return depth;
}

/* A relative target is followed from the link's own directory; it must not rise above
   /dev on any step of the way. */
static int check_link(const struct plan_link *link, struct err *err)
{
	int depth = depth_below_dev(link->ctr.text);
	const char *part = link->target;

	if (*part == '/') {
		return check_path(part, err);
	}
	if (*part == '\0' || has_control_character(part)) {
		return err_set(err, EINVAL,
			       "link '%s' to '%s': empty, or a control character "
			       "in it",
			       link->ctr.text, link->target);
	}
	while (*part) {
		size_t len = strcspn(part, "/");

		if (is_name(part, len, "..")) {
			depth--;
		} else if (len > 0 && !is_name(part, len, ".")) {
			depth++;
		}
		if (depth < 0) {
			return err_set(err, EINVAL,
				       "link '%s' to '%s': it leads out of /dev",
				       link->ctr.text, link->target);
		}
		part += len;
		part += *part == '/';
	}
	return 0;
}

static int check_paths(const struct plan *plan, struct err *err)
{
	int r;

	for (size_t i = 0; i < plan->n_nodes; i++) {
		r = check_path(plan->nodes[i].ctr.text, err);
		if (r < 0) {
			return r;
		}
		r = check_path(plan->nodes[i].host.text, err);
		if (r < 0) {
			return r;
		}
	}
	for (size_t i = 0; i < plan->n_links; i++) {
		r = check_path(plan->links[i].ctr.text, err);
		if (r < 0) {
			return r;
		}
		r = check_link(&plan->links[i], err);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* ---- access ------------------------------------------------------------------------ */

static bool has_group(const struct container *ctr, gid_t gid)
{
	if (ctr->gid == gid) {
		return true;
	}
	for (size_t i = 0; i < ctr->n_additional_gids; i++) {
		if (ctr->additional_gids[i] == gid) {
			return true;
		}
	}
	return false;
}

static bool may_read_write(mode_t mode, unsigned int shift)
{
	return (mode >> shift & MODE_READ_WRITE) == MODE_READ_WRITE;
}

/* As the kernel does it: the first class that fits decides, even if a later one would
   allow more. Source: path_resolution(7), "Permissions". */
static bool may_open(const struct container *ctr, const struct plan_node *node)
{
	if (ctr->uid == 0) {
		return true;
	}
	if (ctr->uid == node->uid) {
		return may_read_write(node->mode, 6);
	}
	if (has_group(ctr, node->gid)) {
		return may_read_write(node->mode, 3);
	}
	return may_read_write(node->mode, 0);
}

/* Are the ids of the node none that those of the container can be compared with? With a user
   namespace of its own they are not; in the one that we run in as well, those are that it
   does not map, even for its root. */
static bool has_foreign_ids(const struct container *ctr, const struct plan_node *node)
{
	return ctr->has_user_namespace ||
	       (ctr->is_rootless &&
		(node->uid == OVERFLOW_UID || node->gid == OVERFLOW_UID));
}

static void warn_of_access(struct plan *plan, const struct plan_node *node,
			   const struct container *ctr)
{
	const char *path = node->host.text;

	if (has_foreign_ids(ctr, node)) {
		/* What everybody may do needs no id. */
		if (!may_read_write(node->mode, 0) && !ctr->keeps_groups) {
			plan_warn(
				plan,
				"the process runs in a user namespace and '%s' is %u:%u "
				"%04o: it opens only if that owner or group is mapped; "
				"keep the groups of the caller (podman --group-add "
				"keep-groups)",
				path, node->uid, node->gid, node->mode);
		}
		return;
	}
	if (may_open(ctr, node)) {
		return;
	}
	if (ctr->uid != node->uid && !has_group(ctr, node->gid) &&
	    may_read_write(node->mode, 3)) {
		plan_warn(plan,
			  "the process runs as %u:%u and '%s' is %u:%u %04o: it will not "
			  "open; add group %u (podman --group-add %u)",
			  ctr->uid, ctr->gid, path, node->uid, node->gid, node->mode,
			  node->gid, node->gid);
		return;
	}
	plan_warn(
		plan,
		"the process runs as %u:%u and '%s' is %u:%u %04o: it will not open; no "
		"group would help, change the node's mode on the host (a udev rule)",
		ctr->uid, ctr->gid, path, node->uid, node->gid, node->mode);
}

/* ---- both -------------------------------------------------------------------------- */

int check_plan(struct plan *plan, const struct container *ctr, struct err *err)
{
	int r = check_paths(plan, err);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		switch (node->state) {
		case DEVICE_PRESENT:
			warn_of_access(plan, node, ctr);
			break;
		case DEVICE_ABSENT:
			plan_warn(plan,
				  "node '%s' is not there; load its driver or run its "
				  "setup tool",
				  node->host.text);
			break;
		case DEVICE_OTHER:
		case DEVICE_STATE_COUNT:
			plan_warn(
				plan,
				"node '%s' is not the character device %u:%u; remove it "
				"and let its driver or udev make it anew",
				node->host.text, node->major, node->minor);
			break;
		}
	}
	return 0;
}

int check_plan_appliable(const struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		if (node->state == DEVICE_ABSENT) {
			return err_set(
				err, ENOENT,
				"find node '%s': it is not there; load its driver or run "
				"its setup tool",
				node->host.text);
		}
		if (node->state != DEVICE_PRESENT) {
			return err_set(
				err, ENOENT,
				"find node '%s': it is not the character device %u:%u; "
				"remove it and let its driver or udev make it anew",
				node->host.text, node->major, node->minor);
		}
	}
	return 0;
}
