/* SPDX-License-Identifier: Apache-2.0 */
/* access.c - would a plan's nodes open in a container that runs? */

#include "backend/apply/access.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void access_clear(struct access *access)
{
	for (size_t i = 0; i < access->n_nodes; i++) {
		free(access->nodes[i].why);
	}
	free(access->nodes);
	*access = (struct access){0};
}

void access_note(struct node_access *node, enum access_level level, const char *fmt, ...)
{
	char why[1024];
	va_list args;

	if (level == ACCESS_OPENS ||
	    (node->level != ACCESS_OPENS && node->level != ACCESS_UNSEEN) ||
	    (node->level == ACCESS_UNSEEN && level == ACCESS_UNSEEN)) {
		return;
	}
	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	free(node->why);
	node->level = level;
	node->why = xstrdup(why);
}

int access_look(const struct plan *plan, pid_t pid, struct access *ret, struct err *err)
{
	cleanup(ctr_process_closep) struct ctr_process process = CTR_PROCESS_NONE;
	cleanup(access_clearp) struct access access = {.pid = pid};
	int r;

	access.nodes = xcalloc(plan->n_nodes, sizeof(*access.nodes));
	access.n_nodes = plan->n_nodes;
	r = ctr_process_look(pid, &process, err);
	if (r == 0) {
		r = access_look_at_nodes(plan, &process, &access, err);
	}
	if (r == 0) {
		r = access_look_at_cgroups(plan, &process, &access, err);
	}
	/* Alive now, so all of the above was its own. */
	if (r == 0) {
		r = ctr_process_check_alive(&process, err);
	}
	if (r < 0) {
		return r;
	}
	*ret = access;
	access = (struct access){0};
	return 0;
}
