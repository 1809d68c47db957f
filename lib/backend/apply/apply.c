/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - carry a plan out in a running container */

#include "backend/apply/apply.h"

#include <errno.h>

#include "backend/apply/bind.h"
#include "backend/apply/cgroup.h"
#include "backend/apply/ctr_ld_cache.h"
#include "backend/apply/ctr_link.h"
#include "backend/apply/own_dir.h"
#include "backend/apply/private_node.h"
#include "backend/apply/proc_file.h"
#include "backend/apply/process.h"
#include "backend/apply/rootfs.h"
#include "backend/apply/undo.h"
#include "base/deadline.h"

/*
 * Where all nodes were there already, an engine brought them, maybe with the
 * host's own /dev: nothing may be changed in there, and the links are a
 * convenience that it left out.
 */
static int make_link(struct rootfs *rootfs, const struct plan *plan,
		     const struct plan_link *link, struct err *err)
{
	int r = rootfs_make_link(rootfs, plan, link, err);

	if (r == -EXDEV && rootfs->n_attached == 0) {
		*err = (struct err){0};
		return 0;
	}
	return r;
}

/* Where it goes if the device rules may not last; NULL: that is a failure. */
static struct err *cgroup_warning(const struct apply_target *target)
{
	return target->must_last ? NULL : &target->warnings[APPLY_WARNING_CGROUP];
}

/* All that is made before the first change. */
struct prepared {
	struct ctr_process process;
	struct bind_sources sources;
	struct cgroup_rules rules;
	struct undo_log undo;
	struct rootfs rootfs;
	struct own_dir own_dir;
	struct ctr_links links;
	struct proc_files files;
	struct ctr_ld_cache cache;
};

static void prepared_clear(struct prepared *prepared)
{
	ctr_ld_cache_clear(&prepared->cache);
	proc_files_close(&prepared->files);
	ctr_links_clear(&prepared->links);
	own_dir_close(&prepared->own_dir);
	rootfs_close(&prepared->rootfs);
	undo_log_clear(&prepared->undo);
	cgroup_rules_clear(&prepared->rules);
	bind_sources_close(&prepared->sources);
	ctr_process_close(&prepared->process);
}
DEFINE_CLEANUP(struct prepared, prepared_clear)

static int prepare(const struct plan *plan, const struct apply_target *target,
		   struct prepared *ret, struct err *err)
{
	int r;

	r = ctr_process_open(target->pid, &ret->process, err);
	if (r == 0) {
		r = bind_prepare(plan, &ret->process, target->host_root_fd, &ret->sources,
				 err);
	}
	if (r == 0) {
		r = own_dir_prepare(
			plan, target->container ? target->container->mount_label : NULL,
			&ret->undo, &ret->own_dir, err);
	}
	if (r == 0 && !target->has_device_rules) {
		const struct cgroup_target cgroup = {
			.process = &ret->process,
			.id = target->id,
			.container = target->container,
		};

		r = cgroup_prepare(plan, &cgroup, &ret->undo, &ret->rules,
				   cgroup_warning(target), err);
	}
	if (r == 0) {
		r = rootfs_prepare(plan, &ret->process, &ret->undo, &ret->rootfs, err);
	}
	if (r == 0) {
		r = rootfs_look_from_host(&ret->rootfs, target->rootfs_path, err);
	}
	if (r == 0) {
		r = private_nodes_prepare(plan, &ret->process, target->host_root_fd,
					  &ret->sources, err);
	}
	if (r == 0) {
		ctr_links_prepare(plan, &ret->undo, &ret->links);
		proc_files_prepare(plan, &ret->undo, &ret->files);
		ctr_ld_cache_prepare(plan, &ret->cache);
	}
	return r;
}

static int attach_nodes(const struct plan *plan, struct prepared *prepared,
			struct err *err)
{
	struct rootfs *rootfs = &prepared->rootfs;
	int r = 0;

	for (size_t i = 0; i < plan->n_nodes && r == 0; i++) {
		r = rootfs_attach_node(rootfs, &plan->nodes[i],
				       prepared->sources.mount_fd[i], err);
	}
	for (size_t i = 0; i < plan->n_links && r == 0; i++) {
		if (ctr_path_is_in_dev(plan->links[i].ctr.text)) {
			r = make_link(rootfs, plan, &plan->links[i], err);
		}
	}
	return r;
}

static int attach_driver(const struct plan *plan, struct prepared *prepared,
			 struct err *err)
{
	struct rootfs *rootfs = &prepared->rootfs;
	int r;

	r = own_dir_attach(&prepared->own_dir, &prepared->sources, rootfs, err);
	if (r == 0) {
		r = proc_files_attach(&prepared->files, &prepared->own_dir, rootfs, err);
	}
	for (size_t i = 0; i < plan->n_links && r == 0; i++) {
		if (!ctr_path_is_in_dev(plan->links[i].ctr.text)) {
			r = ctr_link_make(&prepared->links, plan, &plan->links[i], rootfs,
					  err);
		}
	}
	return r;
}

/* From here on things change, so running out of memory must undo as well: nothing that
   ends the program for want of it is called any more. */
static int change(const struct plan *plan, const struct apply_target *target,
		  struct prepared *prepared, struct err *err)
{
	int r;

	r = deadline_check("apply the plan", err);
	if (r == 0) {
		r = cgroup_allow(&prepared->rules, &prepared->undo,
				 cgroup_warning(target), err);
	}
	if (r == 0) {
		r = ctr_process_enter_mount_ns(&prepared->process, err);
	}
	if (r == 0 && target->entered) {
		r = target->entered(err);
	}
	if (r == 0) {
		r = rootfs_open(&prepared->rootfs, target->rootfs_path, err);
	}
	if (r == 0) {
		r = attach_nodes(plan, prepared, err);
	}
	if (r == 0) {
		r = attach_driver(plan, prepared, err);
	}
	if (r == 0) {
		r = deadline_check("apply the plan", err);
	}
	return r < 0 ? r : ctr_ld_cache_update(&prepared->cache, &prepared->rootfs, err);
}

int apply_plan(const struct plan *plan, const struct apply_target *target,
	       struct err *err)
{
	cleanup(prepared_clearp) struct prepared prepared = {
		.process = CTR_PROCESS_NONE,
		.own_dir = OWN_DIR_NONE,
	};
	int r;

	r = prepare(plan, target, &prepared, err);
	if (r < 0) {
		return r;
	}
	r = change(plan, target, &prepared, err);
	if (r < 0) {
		undo_log_revert(&prepared.undo, err);
		return r;
	}
	ctr_links_tell_missing(&prepared.links, &target->warnings[APPLY_WARNING_MISSING]);
	ctr_links_tell_kept(&prepared.links, &target->warnings[APPLY_WARNING_KEPT]);
	ctr_links_tell_replaced(&prepared.links,
				&target->warnings[APPLY_WARNING_REPLACED]);
	target->warnings[APPLY_WARNING_FILE] = prepared.files.warning;
	target->warnings[APPLY_WARNING_CACHE] = prepared.cache.warning;
	return 0;
}
