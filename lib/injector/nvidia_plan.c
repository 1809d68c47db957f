/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia_plan.c - NVIDIA's driver files as entries of a plan
 *
 * Each file is bound into a directory of our own, which goes with the container. In the
 * image's directories there are links to it only: an image that is committed, or run
 * without a GPU, has links that lead nowhere, which a loader passes over, and never an
 * empty file, at which it stops.
 */

#include <stdlib.h>

#include "base/mem.h"
#include "injector/nvidia_files.h"

const char *nvidia_link_dir(enum driver_file_kind kind, const struct container *ctr)
{
	switch (kind) {
	case DRIVER_LIBRARY:
		return ctr->library_dir;
	case DRIVER_LIBRARY_32:
		return ctr->library_dir_32;
	case DRIVER_FILE:
	case DRIVER_SOCKET:
	case DRIVER_FILE_KIND_COUNT:
		break;
	}
	return "";
}

static int add_links(const struct driver_file *file, const char *dir, const char *target,
		     struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < file->n_links; i++) {
		bool is_absolute = file->links[i][0] == '/';
		autofree char *link = xasprintf("%s%s%s", is_absolute ? "" : dir,
						is_absolute ? "" : "/", file->links[i]);
		int r = plan_add_link(plan, link, target, err);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int add_file(const struct driver_file *file, const struct container *ctr,
		    struct plan *plan, struct err *err)
{
	autofree char *path = xasprintf(NVIDIA_OWN_DIR "/%s", file->place);
	const char *dir = nvidia_link_dir(file->kind, ctr);
	enum mount_kind kind = file->kind == DRIVER_SOCKET ? MOUNT_SOCKET : MOUNT_FILE;
	int r;

	if (!dir) {
		return 0;
	}
	r = plan_add_mount(plan, file->host_path, path, kind, err);
	return r < 0 ? r : add_links(file, dir, path, plan, err);
}

/* What only a specification brings. */
static int add_rest(const struct driver_files *files, struct plan *plan, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < files->n_nodes && r == 0; i++) {
		r = plan_add_node(plan, &files->nodes[i], err);
	}
	for (size_t i = 0; i < files->n_env && r == 0; i++) {
		r = plan_add_env(plan, files->env[i], err);
	}
	for (size_t i = 0; i < files->n_gids && r == 0; i++) {
		r = plan_add_gid(plan, files->gids[i], err);
	}
	for (size_t i = 0; i < files->n_hooks && r == 0; i++) {
		r = plan_add_hook(plan, &files->hooks[i], err);
	}
	for (size_t i = 0; i < files->n_origins; i++) {
		plan_add_origin(plan, &files->origins[i]);
	}
	return r;
}

int nvidia_contribute_files(const struct driver_files *files, const struct container *ctr,
			    struct plan *plan, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < files->n_warnings; i++) {
		plan_warn(plan, "%s", files->warnings[i]);
	}
	for (size_t i = 0; i < files->n_files && r == 0; i++) {
		r = add_file(&files->files[i], ctr, plan, err);
	}
	if (r == 0) {
		r = add_rest(files, plan, err);
	}
	if (r == 0 && files->params) {
		r = plan_add_file(plan, NVIDIA_PARAMS_PATH, files->params,
				  "params with ModifyDeviceFiles: 0", err);
	}
	if (r == 0 && plan->n_mounts + plan->n_files > 0 && !plan->own_dir) {
		plan->own_dir = xstrdup(NVIDIA_OWN_DIR);
	}
	return r;
}
