/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - carry a plan out in a running container */

#include "backend/apply/apply.h"

#include <errno.h>

#include "backend/apply/bind.h"
#include "backend/apply/cgroup.h"
#include "backend/apply/process.h"
#include "backend/apply/rootfs.h"
#include "backend/apply/undo.h"
#include "base/deadline.h"

/*
 * Where all nodes were there already, an engine brought them, maybe with the host's own
 * /dev: nothing may be changed in there, and the links are a convenience that it left out.
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

/* From here on things change; nothing is allocated any more once the cgroup is done. */
static int change(const struct plan *plan, const struct apply_target *target,
		  const struct ctr_process *process, const struct cgroup_rules *rules,
		  const struct bind_sources *sources, struct rootfs *rootfs,
		  struct undo_log *undo, struct err *err)
{
	int r;

	r = deadline_check(err);
	if (r == 0) {
		r = cgroup_allow(rules, undo, target->warning, err);
	}
	if (r < 0) {
		return r;
	}
	r = ctr_process_enter_mount_ns(process, err);
	if (r < 0) {
		return r;
	}
	if (target->entered) {
		r = target->entered(err);
		if (r < 0) {
			return r;
		}
	}
	r = rootfs_open(rootfs, target->rootfs_path, err);
	for (size_t i = 0; i < plan->n_nodes && r == 0; i++) {
		r = rootfs_attach_node(rootfs, &plan->nodes[i], sources->mount_fd[i],
				       err);
	}
	for (size_t i = 0; i < plan->n_links && r == 0; i++) {
		r = make_link(rootfs, plan, &plan->links[i], err);
	}
	return r < 0 ? r : deadline_check(err);
}

int apply_plan(const struct plan *plan, const struct apply_target *target,
	       struct err *err)
{
	cleanup(ctr_process_closep) struct ctr_process process = CTR_PROCESS_NONE;
	cleanup(bind_sources_closep) struct bind_sources sources = {0};
	cleanup(cgroup_rules_clearp) struct cgroup_rules rules = {0};
	cleanup(undo_log_clearp) struct undo_log undo = {0};
	cleanup(rootfs_closep) struct rootfs rootfs = {0};
	int r;

	r = ctr_process_open(target->pid, &process, err);
	if (r < 0) {
		return r;
	}
	r = bind_prepare(plan, target->host_root_fd, &sources, err);
	if (r < 0) {
		return r;
	}
	r = cgroup_prepare(plan, &process, target->id, &undo, &rules, target->warning,
			   err);
	if (r < 0) {
		return r;
	}
	r = rootfs_prepare(plan, &process, &undo, &rootfs, err);
	if (r == 0) {
		r = rootfs_look_from_host(&rootfs, target->rootfs_path, err);
	}
	if (r < 0) {
		return r;
	}
	r = change(plan, target, &process, &rules, &sources, &rootfs, &undo, err);
	if (r < 0) {
		undo_log_revert(&undo, err);
	}
	return r;
}
