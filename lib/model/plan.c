/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - everything that will be done to a container, before any of it is done */

#include "model/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

void plan_clear(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		free(plan->nodes[i].ctr.text);
		free(plan->nodes[i].host.text);
	}
	for (size_t i = 0; i < plan->n_links; i++) {
		free(plan->links[i].ctr.text);
		free(plan->links[i].target);
	}
	for (size_t i = 0; i < plan->n_warnings; i++) {
		free(plan->warnings[i]);
	}
	free(plan->nodes);
	free(plan->links);
	free(plan->warnings);
	*plan = (struct plan){0};
}

static const struct plan_node *find_node(const struct plan *plan, const char *ctr_path)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (text_equals(plan->nodes[i].ctr.text, ctr_path)) {
			return &plan->nodes[i];
		}
	}
	return NULL;
}

static const struct plan_link *find_link(const struct plan *plan, const char *ctr_path)
{
	for (size_t i = 0; i < plan->n_links; i++) {
		if (text_equals(plan->links[i].ctr.text, ctr_path)) {
			return &plan->links[i];
		}
	}
	return NULL;
}

static int check_room(const struct plan *plan, const char *ctr_path, struct err *err)
{
	if (plan->n_nodes + plan->n_links < LIMIT_PLAN_ENTRIES) {
		return 0;
	}
	return err_set(err, E2BIG, "plan '%s': a plan holds at most %u entries", ctr_path,
		       LIMIT_PLAN_ENTRIES);
}

int plan_add_node(struct plan *plan, const struct device_node *node, struct err *err)
{
	const struct plan_link *link = find_link(plan, node->path);
	const struct plan_node *old = find_node(plan, node->path);
	int r;

	if (link) {
		return err_set(err, EEXIST,
			       "plan node '%s': planned already as a link to '%s'",
			       node->path, link->target);
	}
	if (old && (old->major != node->major || old->minor != node->minor)) {
		return err_set(
			err, EEXIST, "plan node '%s' as %u:%u: planned already as %u:%u",
			node->path, node->major, node->minor, old->major, old->minor);
	}
	if (old) {
		return 0;
	}
	r = check_room(plan, node->path, err);
	if (r < 0) {
		return r;
	}
	plan->nodes = xgrow(plan->nodes, plan->n_nodes, sizeof(*plan->nodes));
	plan->nodes[plan->n_nodes++] = (struct plan_node){
		.ctr = {xstrdup(node->path)},
		.host = {xstrdup(node->path)},
		.major = node->major,
		.minor = node->minor,
		.state = node->state,
		.uid = node->uid,
		.gid = node->gid,
		.mode = node->mode,
	};
	return 0;
}

int plan_add_link(struct plan *plan, const char *ctr_path, const char *target,
		  struct err *err)
{
	const struct plan_node *node = find_node(plan, ctr_path);
	const struct plan_link *old = find_link(plan, ctr_path);
	int r;

	if (node) {
		return err_set(err, EEXIST,
			       "plan link '%s': planned already as the node %u:%u",
			       ctr_path, node->major, node->minor);
	}
	if (old && !text_equals(old->target, target)) {
		return err_set(err, EEXIST,
			       "plan link '%s' to '%s': planned already to '%s'",
			       ctr_path, target, old->target);
	}
	if (old) {
		return 0;
	}
	r = check_room(plan, ctr_path, err);
	if (r < 0) {
		return r;
	}
	plan->links = xgrow(plan->links, plan->n_links, sizeof(*plan->links));
	plan->links[plan->n_links++] = (struct plan_link){
		.ctr = {xstrdup(ctr_path)},
		.target = xstrdup(target),
	};
	return 0;
}

void plan_warn(struct plan *plan, const char *fmt, ...)
{
	/* A warning ends up where an error does: as one line of a log. */
	struct err line = {0};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line.msg, sizeof(line.msg), fmt, ap);
	va_end(ap);
	err_make_one_line(&line);
	for (size_t i = 0; i < plan->n_warnings; i++) {
		if (text_equals(plan->warnings[i], line.msg)) {
			return;
		}
	}
	plan->warnings = xgrow(plan->warnings, plan->n_warnings, sizeof(*plan->warnings));
	plan->warnings[plan->n_warnings++] = xstrdup(line.msg);
}
