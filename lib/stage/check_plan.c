/* SPDX-License-Identifier: Apache-2.0 */
/* check_plan.c - the last look at a plan before it is printed or applied */

#include "stage/check_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define DEV_DIR "/dev/"

/* Kernel file systems, where nothing of a plan has its place but nodes and their links,
   and files over the driver's own. */
#define PROC_DIR   "/proc/"
#define SYSFS_DIR  "/sys/"
#define DRIVER_DIR "/proc/driver/"

/* Where the directory of our own may be: it lasts as long as the container. */
#define RUN_DIR "/run/"

#define ADVICE_SIZE 128U

/* ---- paths ------------------------------------------------------------------------- */

static bool is_name(const char *part, size_t len, const char *name)
{
	return len == strlen(name) && strncmp(part, name, len) == 0;
}

/* Names come from sysfs, procfs and directories of the host, maybe of a tree that
   somebody made. The back ends resolve paths safely anyway; what no plan can mean is
   refused already here. */
static int check_path(const char *path, struct err *err)
{
	const char *part = path + 1;

	if (path[0] != '/') {
		return err_set(err, EINVAL, "path '%s': it is not absolute", path);
	}
	if (text_has_control_character(path)) {
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

static int refuse_place(const char *path, const char *dir, struct err *err)
{
	return err_set(err, EINVAL, "path '%s': it is not below %.*s", path,
		       (int)strlen(dir) - 1, dir);
}

static int check_below(const char *path, const char *dir, struct err *err)
{
	return text_starts_with(path, dir) ? check_path(path, err)
					   : refuse_place(path, dir, err);
}

/* A place for a file in the container's own directories. */
static int check_place(const char *path, struct err *err)
{
	static const char *const dirs[] = {DEV_DIR, PROC_DIR, SYSFS_DIR};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (text_starts_with(path, dirs[i])) {
			return err_set(err, EINVAL,
				       "path '%s': no place for a file or a link to one",
				       path);
		}
	}
	return check_path(path, err);
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
static int check_dev_link(const struct plan_link *link, struct err *err)
{
	int depth = depth_below_dev(link->ctr.text);
	const char *part = link->target;

	if (*part == '/') {
		return check_below(part, DEV_DIR, err);
	}
	if (*part == '\0' || text_has_control_character(part)) {
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

/* What leads to a file leads into the directory of our own. */
static int check_file_link(const struct plan_link *link, const char *own_dir,
			   struct err *err)
{
	size_t len = own_dir ? strlen(own_dir) : 0;
	int r = check_place(link->ctr.text, err);

	if (r < 0) {
		return r;
	}
	if (len == 0 || strncmp(link->target, own_dir, len) != 0 ||
	    link->target[len] != '/') {
		return err_set(err, EINVAL,
			       "link '%s' to '%s': it leads to none of the plan's files",
			       link->ctr.text, link->target);
	}
	return check_path(link->target, err);
}

static int check_links(const struct plan *plan, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_links && r == 0; i++) {
		const struct plan_link *link = &plan->links[i];

		if (!text_starts_with(link->ctr.text, DEV_DIR)) {
			r = check_file_link(link, plan->own_dir, err);
			continue;
		}
		r = check_path(link->ctr.text, err);
		if (r == 0) {
			r = check_dev_link(link, err);
		}
	}
	return r;
}

static int check_files(const struct plan *plan, struct err *err)
{
	int r = plan->own_dir ? check_below(plan->own_dir, RUN_DIR, err) : 0;

	for (size_t i = 0; i < plan->n_mounts && r == 0; i++) {
		r = check_place(plan->mounts[i].ctr.text, err);
		if (r == 0) {
			r = check_path(plan->mounts[i].host.text, err);
		}
	}
	for (size_t i = 0; i < plan->n_files && r == 0; i++) {
		r = check_below(plan->files[i].ctr.text, DRIVER_DIR, err);
	}
	return r;
}

/* Its arguments are its own affair: no shell reads them. */
static int check_hooks(const struct plan *plan, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_hooks && r == 0; i++) {
		r = check_path(plan->hooks[i].path, err);
	}
	return r;
}

/* The driver may have a /dev of its own, see host.h. */
static int check_host_node(const char *path, struct err *err)
{
	return strstr(path, DEV_DIR) ? check_path(path, err)
				     : refuse_place(path, DEV_DIR, err);
}

static int check_paths(const struct plan *plan, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_nodes && r == 0; i++) {
		r = check_below(plan->nodes[i].ctr.text, DEV_DIR, err);
		if (r == 0) {
			r = check_host_node(plan->nodes[i].host.text, err);
		}
	}
	if (r == 0) {
		r = check_links(plan, err);
	}
	if (r == 0) {
		r = check_hooks(plan, err);
	}
	return r < 0 ? r : check_files(plan, err);
}

/* ---- nodes ------------------------------------------------------------------------- */

/* What to do about a node that is not there, behind a semicolon. */
static void advise(const struct plan_node *node, char *buf, size_t size)
{
	if (node->setup) {
		(void)snprintf(buf, size, "make it: %s", node->setup);
	} else {
		(void)snprintf(buf, size, "load its driver or run its setup tool");
	}
}

int check_plan(struct plan *plan, struct err *err)
{
	char advice[ADVICE_SIZE];
	int r = check_paths(plan, err);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		switch (node->state) {
		case DEVICE_PRESENT:
			break;
		case DEVICE_ABSENT:
			advise(node, advice, sizeof(advice));
			plan_warn(plan, "node '%s' is not there; %s", node->host.text,
				  advice);
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
	char advice[ADVICE_SIZE];

	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		if (node->state == DEVICE_ABSENT) {
			advise(node, advice, sizeof(advice));
			return err_set(err, ENOENT, "find node '%s': it is not there; %s",
				       node->host.text, advice);
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
