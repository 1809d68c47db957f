/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.c - the device rules of the container's cgroup */

#include "backend/apply/cgroup.h"

#include <string.h>

#include "backend/apply/cgroup_hierarchy.h"
#include "backend/apply/cgroup_path.h"
#include "backend/apply/cgroup_v1.h"
#include "backend/apply/cgroup_v2.h"
#include "backend/apply/systemd.h"
#include "backend/apply/systemd_rules.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

void cgroup_rules_clear(struct cgroup_rules *rules)
{
	cgroup_v1_free(rules->v1);
	cgroup_v2_free(rules->v2);
	systemd_unit_free(rules->unit);
	*rules = (struct cgroup_rules){0};
}

static int prepare_v1(const struct plan *plan, const struct cgroup_path *path,
		      const struct ctr_process *process, struct undo_log *undo,
		      struct cgroup_rules *rules, struct err *err)
{
	autoclose int hierarchy_fd = -1;
	autoclose int cgroup_fd = -1;

	hierarchy_fd =
		cgroup_hierarchy_open(CGROUP_V1_DEVICES, path->v1_path, process, err);
	if (hierarchy_fd < 0) {
		return hierarchy_fd;
	}
	cgroup_fd = cgroup_hierarchy_open_level(hierarchy_fd, path->v1_path, err);
	if (cgroup_fd < 0) {
		return cgroup_fd;
	}
	return cgroup_v1_prepare(plan, cgroup_fd, undo, &rules->v1, err);
}

/* For programs that turn out to be closed. */
static void offer_systemd(const struct plan *plan, const struct cgroup_target *target,
			  struct cgroup_rules *rules)
{
	struct devrules_program stand_in = {0};
	const char *obstacle = NULL;
	const char *unit_path = NULL;

	if (rules->unit && target->container) {
		unit_path =
			systemd_unit_filter(rules->unit, target->container, &obstacle);
	}
	if (unit_path) {
		systemd_rules_stand_in(target->container, plan, &stand_in);
		cgroup_v2_set_unit(rules->v2, unit_path, &stand_in, obstacle);
	}
}

/* From the lowest level up to the @top first bytes of the path. */
static int prepare_v2(const struct plan *plan, const char *path, size_t top,
		      const struct cgroup_target *target, struct undo_log *undo,
		      struct cgroup_rules *rules, struct err *err)
{
	autoclose int hierarchy_fd = -1;
	autofree char *level = xstrdup(path);

	hierarchy_fd = cgroup_hierarchy_open(CGROUP_V2, path, target->process, err);
	if (hierarchy_fd < 0) {
		return hierarchy_fd;
	}
	rules->v2 = cgroup_v2_new(plan);
	offer_systemd(plan, target, rules);
	while (strlen(level) >= top) {
		int fd = cgroup_hierarchy_open_level(hierarchy_fd, level, err);
		int r;

		if (fd < 0) {
			return fd;
		}
		r = cgroup_v2_prepare(rules->v2, fd, level, undo, err);
		if (r < 0) {
			return r;
		}
		*strrchr(level, '/') = '\0';
	}
	return 0;
}

static int read_paths(const struct ctr_process *process, struct cgroup_path *path,
		      struct cgroup_path *own, struct err *err)
{
	autofree char *text = NULL;
	autofree char *own_text = NULL;
	int r;

	r = ctr_process_read(process, "cgroup", LIMIT_PROC_FILE_BYTES, &text, err);
	if (r == 0) {
		r = cgroup_path_parse(text, path, err);
	}
	if (r == 0) {
		r = ctr_process_read_own(process, "cgroup", LIMIT_PROC_FILE_BYTES,
					 &own_text, err);
	}
	if (r == 0) {
		r = cgroup_path_parse(own_text, own, err);
	}
	return r;
}

static int warn_of_loss(const struct err *why, struct err *warning, struct err *err)
{
	if (!warning) {
		return err_set(err, why->code,
			       "%s; so systemd would take the nodes away again later; "
			       "start the container again, pass the nodes with the "
			       "engine's --device, or set systemd.strict to false",
			       why->msg);
	}
	(void)err_set(warning, why->code,
		      "%s; systemd takes the nodes away again when it next applies the "
		      "unit (daemon-reload, set-property)",
		      why->msg);
	return 0;
}

static int prepare_systemd(const struct plan *plan, const char *path, size_t top,
			   struct cgroup_rules *rules, struct err *warning,
			   struct err *err)
{
	struct err why = {0};
	int r;

	/* With both hierarchies in use, systemd has the same unit in both. */
	if (rules->unit || (warning && warning->code != 0)) {
		return 0;
	}
	r = systemd_prepare(plan, path, top, &rules->unit, &why);
	if (r == 0 || (r == -ENOENT && warning)) {
		return 0;
	}
	return warn_of_loss(&why, warning, err);
}

int cgroup_prepare(const struct plan *plan, const struct cgroup_target *target,
		   struct undo_log *undo, struct cgroup_rules *ret, struct err *warning,
		   struct err *err)
{
	const struct ctr_process *process = target->process;
	const char *id = target->id;
	cleanup(cgroup_path_clearp) struct cgroup_path path = {0};
	cleanup(cgroup_path_clearp) struct cgroup_path own = {0};
	cleanup(cgroup_rules_clearp) struct cgroup_rules rules = {0};
	size_t top;
	int r;

	if (process->is_rootless || plan->n_nodes == 0) {
		return 0;
	}
	r = read_paths(process, &path, &own, err);
	if (r < 0) {
		return r;
	}
	if (path.v1_path && !(own.v1_path && text_equals(path.v1_path, own.v1_path))) {
		top = cgroup_path_top(path.v1_path, own.v1_path ? own.v1_path : "", id);
		r = prepare_systemd(plan, path.v1_path, top, &rules, warning, err);
		if (r == 0) {
			r = prepare_v1(plan, &path, process, undo, &rules, err);
		}
		if (r < 0) {
			return r;
		}
	}
	top = path.v2_path
		      ? cgroup_path_top(path.v2_path, own.v2_path ? own.v2_path : "", id)
		      : 0;
	if (top > 0) {
		r = prepare_systemd(plan, path.v2_path, top, &rules, warning, err);
		if (r == 0) {
			r = prepare_v2(plan, path.v2_path, top, target, undo, &rules,
				       err);
		}
		if (r < 0) {
			return r;
		}
	}
	*ret = rules;
	rules = (struct cgroup_rules){0};
	return 0;
}

/* systemd writes a v1 cgroup's list anew, without what it knows no words for. */
static int tell_systemd(const struct cgroup_rules *rules, struct err *warning,
			struct err *err)
{
	struct err why = {0};
	int r = 0;

	if (!rules->unit) {
		return 0;
	}
	if (systemd_allow(rules->unit, &why) < 0) {
		bool must_last = rules->v2 && cgroup_v2_relies_on_systemd(rules->v2);

		r = warn_of_loss(&why, must_last ? NULL : warning, err);
	}
	return r == 0 && rules->v1 ? cgroup_v1_restore(rules->v1, err) : r;
}

int cgroup_allow(const struct cgroup_rules *rules, struct undo_log *undo,
		 struct err *warning, struct err *err)
{
	const char *pin = rules->unit ? systemd_unit_pin(rules->unit) : NULL;
	struct err why = {0};
	int r;

	r = tell_systemd(rules, warning, err);
	if (r == 0 && rules->v1) {
		r = cgroup_v1_allow(rules->v1, undo, err);
	}
	if (r == 0 && rules->v2) {
		r = cgroup_v2_allow(rules->v2, undo, err);
	}
	if (r == 0 && rules->v2 && pin && cgroup_v2_repin(rules->v2, pin, &why) < 0) {
		r = warn_of_loss(&why, warning, err);
	}
	return r;
}
