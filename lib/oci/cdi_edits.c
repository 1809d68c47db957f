/* SPDX-License-Identifier: Apache-2.0 */
/* cdi_edits.c - the containerEdits of a CDI specification */

#include "oci/cdi_edits.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/cdi.h"
#include "oci/json.h"

struct texts {
	char ***texts;
	size_t *n;
};

/* Here, an empty text is one: an argument may be empty. */
static int append_text(const json_t *value, const char *path, struct cdi_document *doc,
		       void *target, struct err *err)
{
	const struct texts *list = target;
	char *text = NULL;

	if (json_is_string(value) && json_string_length(value) == 0) {
		text = xstrdup("");
	} else if (cdi_read_text(value, path, doc, &text, err) < 0) {
		return -err->code;
	}
	*list->texts = xgrow(*list->texts, *list->n, sizeof(**list->texts));
	(*list->texts)[(*list->n)++] = text;
	return 0;
}

static int append_env(const json_t *value, const char *path, struct cdi_document *doc,
		      void *target, struct err *err)
{
	const char *text = json_string_value(value);
	const char *equals = text ? strchr(text, '=') : NULL;

	if (!equals || equals == text) {
		return json_wrong(err, doc->what, path, "NAME=value", value);
	}
	return append_text(value, path, doc, target, err);
}

/* ---- device nodes ------------------------------------------------------------------ */

static int read_node_path(const json_t *value, const char *path, struct cdi_document *doc,
			  void *target, struct err *err)
{
	struct cdi_node *node = target;

	return cdi_read_text(value, path, doc, &node->path, err);
}

static int read_node_host_path(const json_t *value, const char *path,
			       struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_node *node = target;

	if (json_is_string(value) && json_string_length(value) == 0) {
		return 0;
	}
	cdi_need(doc, CDI_0_5_0, "hostPath of a device node");
	return cdi_read_text(value, path, doc, &node->host_path, err);
}

static int read_node_type(const json_t *value, const char *path, struct cdi_document *doc,
			  void *target, struct err *err)
{
	struct cdi_node *node = target;
	const char *text = json_string_value(value);

	if (!text || strlen(text) > 1 || (*text && !strchr("bcup", *text))) {
		return json_wrong(err, doc->what, path, "one of b, c, u and p", value);
	}
	node->type = *text;
	return 0;
}

static int read_node_major(const json_t *value, const char *path,
			   struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_node *node = target;

	return cdi_read_number(value, path, doc, &node->major, err);
}

static int read_node_minor(const json_t *value, const char *path,
			   struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_node *node = target;

	return cdi_read_number(value, path, doc, &node->minor, err);
}

/* Its form alone: a node in the container is the host's, with that
   one's mode and owner. */
static int check_number(const json_t *value, const char *path, struct cdi_document *doc,
			void *target, struct err *err)
{
	uint32_t number;

	(void)target;
	return cdi_read_number(value, path, doc, &number, err);
}

static int read_permissions(const json_t *value, const char *path,
			    struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_node *node = target;
	const char *text = json_string_value(value);

	/* Bound to no version: no access, the node alone.
	   Source: NoPermissions of CDI's pkg/cdi/container-edits.go. */
	if (text && text_equals(text, "none")) {
		node->is_restricted = true;
		return 0;
	}
	if (!text || strspn(text, "rwm") != strlen(text)) {
		return json_wrong(err, doc->what, path, "some of r, w and m, or none",
				  value);
	}
	node->is_restricted = *text && !(strchr(text, 'r') && strchr(text, 'w'));
	return 0;
}

static int append_node(const json_t *value, const char *path, struct cdi_document *doc,
		       void *target, struct err *err)
{
	static const struct cdi_member members[] = {
		{"path", read_node_path, true},
		{"hostPath", read_node_host_path, false},
		{"type", read_node_type, false},
		{"major", read_node_major, false},
		{"minor", read_node_minor, false},
		{"fileMode", check_number, false},
		{"permissions", read_permissions, false},
		{"uid", check_number, false},
		{"gid", check_number, false},
		{NULL, NULL, false},
	};
	struct cdi_edits *edits = target;
	struct cdi_node *node;
	int r;

	edits->nodes = xgrow(edits->nodes, edits->n_nodes, sizeof(*edits->nodes));
	node = &edits->nodes[edits->n_nodes++];
	r = cdi_read_object(value, path, members, doc, node, err);
	/* Source: fillMissingInfo() of CDI's pkg/cdi/container-edits_unix.go. */
	node->has_number = node->major != 0;
	return r;
}

static int read_nodes(const json_t *value, const char *path, struct cdi_document *doc,
		      void *target, struct err *err)
{
	return cdi_read_array(value, path, append_node, doc, target, err);
}

/* ---- mounts ------------------------------------------------------------------------ */

static int read_mount_host_path(const json_t *value, const char *path,
				struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_mount *mount = target;

	return cdi_read_text(value, path, doc, &mount->host_path, err);
}

static int read_mount_ctr_path(const json_t *value, const char *path,
			       struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_mount *mount = target;

	return cdi_read_text(value, path, doc, &mount->ctr_path, err);
}

static int read_mount_type(const json_t *value, const char *path,
			   struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_mount *mount = target;

	if (json_is_string(value) && json_string_length(value) == 0) {
		return 0;
	}
	cdi_need(doc, CDI_0_4_0, "type of a mount");
	return cdi_read_text(value, path, doc, &mount->type, err);
}

static int check_text(const json_t *value, const char *path, struct cdi_document *doc,
		      void *target, struct err *err)
{
	(void)target;
	return cdi_is_text(value, doc) ? 0
				       : json_wrong(err, doc->what, path, "text", value);
}

/* Their form alone: how a file is bound does not depend on it. */
static int check_mount_options(const json_t *value, const char *path,
			       struct cdi_document *doc, void *target, struct err *err)
{
	return cdi_read_array(value, path, check_text, doc, target, err);
}

static int append_mount(const json_t *value, const char *path, struct cdi_document *doc,
			void *target, struct err *err)
{
	static const struct cdi_member members[] = {
		{"hostPath", read_mount_host_path, true},
		{"containerPath", read_mount_ctr_path, true},
		{"type", read_mount_type, false},
		{"options", check_mount_options, false},
		{NULL, NULL, false},
	};
	struct cdi_edits *edits = target;

	edits->mounts = xgrow(edits->mounts, edits->n_mounts, sizeof(*edits->mounts));
	return cdi_read_object(value, path, members, doc,
			       &edits->mounts[edits->n_mounts++], err);
}

static int read_mounts(const json_t *value, const char *path, struct cdi_document *doc,
		       void *target, struct err *err)
{
	return cdi_read_array(value, path, append_mount, doc, target, err);
}

/* ---- hooks ------------------------------------------------------------------------- */

static int read_hook_name(const json_t *value, const char *path, struct cdi_document *doc,
			  void *target, struct err *err)
{
	static const char *const stages[] = {
		"prestart",	  "createRuntime", "createContainer",
		"startContainer", "poststart",	   "poststop",
	};
	struct cdi_hook *hook = target;

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		if (json_is_string(value) &&
		    text_equals(json_string_value(value), stages[i])) {
			hook->stage = xstrdup(stages[i]);
			return 0;
		}
	}
	return json_wrong(err, doc->what, path, "a stage of OCI's hooks", value);
}

static int read_hook_path(const json_t *value, const char *path, struct cdi_document *doc,
			  void *target, struct err *err)
{
	struct cdi_hook *hook = target;

	return cdi_read_text(value, path, doc, &hook->path, err);
}

static int read_hook_args(const json_t *value, const char *path, struct cdi_document *doc,
			  void *target, struct err *err)
{
	struct cdi_hook *hook = target;
	struct texts list = {&hook->args, &hook->n_args};

	return cdi_read_array(value, path, append_text, doc, &list, err);
}

static int read_hook_env(const json_t *value, const char *path, struct cdi_document *doc,
			 void *target, struct err *err)
{
	struct cdi_hook *hook = target;
	struct texts list = {&hook->env, &hook->n_env};

	return cdi_read_array(value, path, append_env, doc, &list, err);
}

static int read_hook_timeout(const json_t *value, const char *path,
			     struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_hook *hook = target;

	return cdi_read_number(value, path, doc, &hook->timeout, err);
}

static int append_hook(const json_t *value, const char *path, struct cdi_document *doc,
		       void *target, struct err *err)
{
	static const struct cdi_member members[] = {
		{"hookName", read_hook_name, true},    {"path", read_hook_path, true},
		{"args", read_hook_args, false},       {"env", read_hook_env, false},
		{"timeout", read_hook_timeout, false}, {NULL, NULL, false},
	};
	struct cdi_edits *edits = target;

	edits->hooks = xgrow(edits->hooks, edits->n_hooks, sizeof(*edits->hooks));
	return cdi_read_object(value, path, members, doc, &edits->hooks[edits->n_hooks++],
			       err);
}

static int read_hooks(const json_t *value, const char *path, struct cdi_document *doc,
		      void *target, struct err *err)
{
	return cdi_read_array(value, path, append_hook, doc, target, err);
}

/* ---- the other edits --------------------------------------------------------------- */

static int read_env(const json_t *value, const char *path, struct cdi_document *doc,
		    void *target, struct err *err)
{
	struct cdi_edits *edits = target;
	struct texts list = {&edits->env, &edits->n_env};

	return cdi_read_array(value, path, append_env, doc, &list, err);
}

static int append_gid(const json_t *value, const char *path, struct cdi_document *doc,
		      void *target, struct err *err)
{
	struct cdi_edits *edits = target;
	uint32_t gid;
	int r = cdi_read_number(value, path, doc, &gid, err);

	if (r < 0) {
		return r;
	}
	cdi_need(doc, CDI_0_7_0, "additionalGids");
	edits->gids = xgrow(edits->gids, edits->n_gids, sizeof(*edits->gids));
	edits->gids[edits->n_gids++] = gid;
	return 0;
}

static int read_gids(const json_t *value, const char *path, struct cdi_document *doc,
		     void *target, struct err *err)
{
	return cdi_read_array(value, path, append_gid, doc, target, err);
}

/* The two that no GPU's file has had so far: nothing inside is looked at, but that it is
   there is known. */
static int read_net_devices(const json_t *value, const char *path,
			    struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_edits *edits = target;

	if (!json_is_array(value)) {
		return json_wrong(err, doc->what, path, "an array", value);
	}
	if (json_array_size(value) > 0) {
		cdi_need(doc, CDI_1_1_0, "netDevices");
		edits->has_net_devices = true;
	}
	return 0;
}

static int read_rdt(const json_t *value, const char *path, struct cdi_document *doc,
		    void *target, struct err *err)
{
	struct cdi_edits *edits = target;

	if (!json_is_object(value)) {
		return json_wrong(err, doc->what, path, "an object", value);
	}
	cdi_need(doc, CDI_0_7_0, "intelRdt");
	if (json_member(value, "schemata") || json_member(value, "enableMonitoring")) {
		cdi_need(doc, CDI_1_1_0, "schemata and enableMonitoring of intelRdt");
	}
	edits->has_rdt = true;
	return 0;
}

int cdi_read_edits(const json_t *value, const char *path, struct cdi_document *doc,
		   void *target, struct err *err)
{
	static const struct cdi_member members[] = {
		{"env", read_env, false},
		{"deviceNodes", read_nodes, false},
		{"netDevices", read_net_devices, false},
		{"hooks", read_hooks, false},
		{"mounts", read_mounts, false},
		{"intelRdt", read_rdt, false},
		{"additionalGids", read_gids, false},
		{NULL, NULL, false},
	};

	return cdi_read_object(value, path, members, doc, target, err);
}
