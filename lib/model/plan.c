/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - everything that will be done to a container, before any of it is done */

#include "model/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

void plan_clear(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		free(plan->nodes[i].ctr.text);
		free(plan->nodes[i].host.text);
		free(plan->nodes[i].setup);
	}
	for (size_t i = 0; i < plan->n_links; i++) {
		free(plan->links[i].ctr.text);
		free(plan->links[i].target);
	}
	for (size_t i = 0; i < plan->n_mounts; i++) {
		free(plan->mounts[i].ctr.text);
		free(plan->mounts[i].host.text);
	}
	for (size_t i = 0; i < plan->n_files; i++) {
		free(plan->files[i].ctr.text);
		free(plan->files[i].content);
		free(plan->files[i].description);
	}
	for (size_t i = 0; i < plan->n_hooks; i++) {
		cdi_hook_clear(&plan->hooks[i]);
	}
	for (size_t i = 0; i < plan->n_origins; i++) {
		cdi_origin_clear(&plan->origins[i]);
	}
	free(plan->hooks);
	free(plan->origins);
	free(plan->nodes);
	free(plan->links);
	free(plan->mounts);
	free(plan->files);
	free_texts(plan->env, plan->n_env);
	free(plan->additional_gids);
	free(plan->own_dir);
	free_texts(plan->warnings, plan->n_warnings);
	*plan = (struct plan){0};
}

/* ---- what is planned at a path ----------------------------------------------------- */

const struct plan_node *plan_find_node(const struct plan *plan, const char *ctr_path)
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

static const struct plan_mount *find_mount(const struct plan *plan, const char *ctr_path)
{
	for (size_t i = 0; i < plan->n_mounts; i++) {
		if (text_equals(plan->mounts[i].ctr.text, ctr_path)) {
			return &plan->mounts[i];
		}
	}
	return NULL;
}

static const struct plan_file *find_file(const struct plan *plan, const char *ctr_path)
{
	for (size_t i = 0; i < plan->n_files; i++) {
		if (text_equals(plan->files[i].ctr.text, ctr_path)) {
			return &plan->files[i];
		}
	}
	return NULL;
}

enum entry_kind { ENTRY_NODE, ENTRY_LINK, ENTRY_MOUNT, ENTRY_FILE };

/* Room for one more, and nothing of another kind at its place? Two of a kind are compared
   by whoever adds it. */
static int check_place(const struct plan *plan, enum entry_kind kind,
		       const char *ctr_path, struct err *err)
{
	static const char *const names[] = {
		[ENTRY_NODE] = "node",
		[ENTRY_LINK] = "link",
		[ENTRY_MOUNT] = "mount",
		[ENTRY_FILE] = "file",
	};
	const struct plan_node *node = plan_find_node(plan, ctr_path);
	const struct plan_link *link = find_link(plan, ctr_path);
	const struct plan_mount *mount = find_mount(plan, ctr_path);

	if (node && kind != ENTRY_NODE) {
		return err_set(err, EEXIST,
			       "plan %s '%s': planned already as the node %u:%u",
			       names[kind], ctr_path, node->major, node->minor);
	}
	if (link && kind != ENTRY_LINK) {
		return err_set(err, EEXIST,
			       "plan %s '%s': planned already as a link to '%s'",
			       names[kind], ctr_path, link->target);
	}
	if (mount && kind != ENTRY_MOUNT) {
		return err_set(err, EEXIST,
			       "plan %s '%s': planned already as a mount of '%s'",
			       names[kind], ctr_path, mount->host.text);
	}
	if (kind != ENTRY_FILE && find_file(plan, ctr_path)) {
		return err_set(err, EEXIST,
			       "plan %s '%s': planned already as a file of our own",
			       names[kind], ctr_path);
	}
	if (plan->n_nodes + plan->n_links + plan->n_mounts + plan->n_files >=
	    LIMIT_PLAN_ENTRIES) {
		return err_set(err, E2BIG, "plan '%s': a plan holds at most %u entries",
			       ctr_path, LIMIT_PLAN_ENTRIES);
	}
	return 0;
}

/* ---- entries ----------------------------------------------------------------------- */

int plan_add_node(struct plan *plan, const struct device_node *node, struct err *err)
{
	const struct plan_node *old = plan_find_node(plan, node->path);
	int r;

	if (old && (old->major != node->major || old->minor != node->minor)) {
		return err_set(
			err, EEXIST, "plan node '%s' as %u:%u: planned already as %u:%u",
			node->path, node->major, node->minor, old->major, old->minor);
	}
	if (old) {
		return 0;
	}
	r = check_place(plan, ENTRY_NODE, node->path, err);
	if (r < 0) {
		return r;
	}
	plan->nodes = xgrow(plan->nodes, plan->n_nodes, sizeof(*plan->nodes));
	plan->nodes[plan->n_nodes++] = (struct plan_node){
		.ctr = {xstrdup(node->path)},
		.host = {xstrdup(node->host_path ? node->host_path : node->path)},
		.major = node->major,
		.minor = node->minor,
		.state = node->state,
		.setup = node->setup ? xstrdup(node->setup) : NULL,
		.is_for_reading = node->is_for_reading,
		.uid = node->uid,
		.gid = node->gid,
		.mode = node->mode,
		.caller_may_open = node->caller_may_open,
	};
	return 0;
}

int plan_add_link(struct plan *plan, const char *ctr_path, const char *target,
		  struct err *err)
{
	const struct plan_link *old = find_link(plan, ctr_path);
	int r;

	if (old && !text_equals(old->target, target)) {
		return err_set(err, EEXIST,
			       "plan link '%s' to '%s': planned already to '%s'",
			       ctr_path, target, old->target);
	}
	if (old) {
		return 0;
	}
	r = check_place(plan, ENTRY_LINK, ctr_path, err);
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

int plan_add_mount(struct plan *plan, const char *host_path, const char *ctr_path,
		   enum mount_kind kind, struct err *err)
{
	const struct plan_mount *old = find_mount(plan, ctr_path);
	int r;

	if (old && (!text_equals(old->host.text, host_path) || old->kind != kind)) {
		return err_set(err, EEXIST,
			       "plan mount '%s' of '%s': planned already of '%s'",
			       ctr_path, host_path, old->host.text);
	}
	if (old) {
		return 0;
	}
	r = check_place(plan, ENTRY_MOUNT, ctr_path, err);
	if (r < 0) {
		return r;
	}
	plan->mounts = xgrow(plan->mounts, plan->n_mounts, sizeof(*plan->mounts));
	plan->mounts[plan->n_mounts++] = (struct plan_mount){
		.ctr = {xstrdup(ctr_path)},
		.host = {xstrdup(host_path)},
		.kind = kind,
	};
	return 0;
}

int plan_add_file(struct plan *plan, const char *ctr_path, const char *content,
		  const char *description, struct err *err)
{
	const struct plan_file *old = find_file(plan, ctr_path);
	int r;

	if (old && !text_equals(old->content, content)) {
		return err_set(err, EEXIST,
			       "plan file '%s': planned already with other content",
			       ctr_path);
	}
	if (old) {
		return 0;
	}
	r = check_place(plan, ENTRY_FILE, ctr_path, err);
	if (r < 0) {
		return r;
	}
	plan->files = xgrow(plan->files, plan->n_files, sizeof(*plan->files));
	plan->files[plan->n_files++] = (struct plan_file){
		.ctr = {xstrdup(ctr_path)},
		.content = xstrdup(content),
		.description = xstrdup(description),
	};
	return 0;
}

/* ---- the process ------------------------------------------------------------------- */

int plan_add_env(struct plan *plan, const char *name_value, struct err *err)
{
	size_t name_len = strcspn(name_value, "=");

	if (name_len == 0 || name_value[name_len] != '=') {
		return err_set(err, EINVAL,
			       "plan variable '%s': not of the form NAME=value",
			       name_value);
	}
	for (size_t i = 0; i < plan->n_env; i++) {
		if (strncmp(plan->env[i], name_value, name_len + 1) != 0) {
			continue;
		}
		if (!text_equals(plan->env[i], name_value)) {
			return err_set(err, EEXIST,
				       "plan variable '%s': planned already as '%s'",
				       name_value, plan->env[i]);
		}
		return 0;
	}
	if (plan->n_env == LIMIT_PLAN_ENTRIES) {
		return err_set(err, E2BIG, "plan variable '%s': more than %u", name_value,
			       LIMIT_PLAN_ENTRIES);
	}
	plan->env = xgrow(plan->env, plan->n_env, sizeof(*plan->env));
	plan->env[plan->n_env++] = xstrdup(name_value);
	return 0;
}

int plan_add_gid(struct plan *plan, gid_t gid, struct err *err)
{
	for (size_t i = 0; i < plan->n_additional_gids; i++) {
		if (plan->additional_gids[i] == gid) {
			return 0;
		}
	}
	if (plan->n_additional_gids == LIMIT_PLAN_ENTRIES) {
		return err_set(err, E2BIG, "plan group %u: more than %u", gid,
			       LIMIT_PLAN_ENTRIES);
	}
	plan->additional_gids = xgrow(plan->additional_gids, plan->n_additional_gids,
				      sizeof(*plan->additional_gids));
	plan->additional_gids[plan->n_additional_gids++] = gid;
	return 0;
}

int plan_add_hook(struct plan *plan, const struct cdi_hook *hook, struct err *err)
{
	for (size_t i = 0; i < plan->n_hooks; i++) {
		if (cdi_hook_equals(&plan->hooks[i], hook)) {
			return 0;
		}
	}
	if (plan->n_hooks == LIMIT_PLAN_ENTRIES) {
		return err_set(err, E2BIG, "plan hook '%s': more than %u", hook->path,
			       LIMIT_PLAN_ENTRIES);
	}
	plan->hooks = xgrow(plan->hooks, plan->n_hooks, sizeof(*plan->hooks));
	cdi_hook_copy(hook, &plan->hooks[plan->n_hooks++]);
	return 0;
}

void plan_add_origin(struct plan *plan, const struct cdi_origin *origin)
{
	for (size_t i = 0; i < plan->n_origins; i++) {
		if (text_equals(plan->origins[i].device, origin->device)) {
			return;
		}
	}
	plan->origins = xgrow(plan->origins, plan->n_origins, sizeof(*plan->origins));
	plan->origins[plan->n_origins++] = (struct cdi_origin){
		.device = xstrdup(origin->device),
		.file = xstrdup(origin->file),
	};
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
