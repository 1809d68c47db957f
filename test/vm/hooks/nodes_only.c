/* SPDX-License-Identifier: Apache-2.0 */
/* nodes_only.c - the hook without its device cgroup: what a hook is
   that only binds nodes */

#include "backend/apply/cgroup.h"

void cgroup_rules_clear(struct cgroup_rules *rules)
{
	(void)rules;
}

int cgroup_prepare(const struct plan *plan, const struct cgroup_target *target,
		   struct undo_log *undo, struct cgroup_rules *ret, struct err *warning,
		   struct err *err)
{
	(void)plan;
	(void)target;
	(void)undo;
	(void)warning;
	(void)err;
	*ret = (struct cgroup_rules){0};
	return 0;
}

int cgroup_allow(const struct cgroup_rules *rules, struct undo_log *undo,
		 struct err *warning, struct err *err)
{
	(void)rules;
	(void)undo;
	(void)warning;
	(void)err;
	return 0;
}
