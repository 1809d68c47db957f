/* SPDX-License-Identifier: Apache-2.0 */
/* print_json.c - the inventory and the plan for programs */

#include "backend/print.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backend/print_out.h"
#include "base/mem.h"
#include "base/text.h"

/*
 * A builder returns NULL when memory is short. Each hands the NULL on: json_pack() gives
 * NULL if an "o" is NULL, and lets go of the others. So only the last one is looked at.
 */

/* Names of the host may be no UTF-8, which JSON cannot hold. */
static json_t *json_text(const char *text)
{
	autofree char *plain = NULL;
	json_t *string;

	if (!text) {
		return json_null();
	}
	string = json_string(text);
	if (string) {
		return string;
	}
	plain = print_plain_copy(text);
	return json_string(plain);
}

/* Takes both; @item is handed to the end of @array. */
static json_t *append(json_t *array, json_t *item)
{
	if (json_array_append_new(array, item) < 0) {
		json_decref(array);
		return NULL;
	}
	return array;
}

/* Takes both. */
static json_t *put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *json_texts(char *const *texts, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		array = append(array, json_text(texts[i]));
	}
	return array;
}

static json_t *json_capabilities(const struct gpu_spec *spec)
{
	json_t *array = json_array();

	for (int i = 0; i < GPU_CAPABILITY_COUNT; i++) {
		if (gpu_spec_has_capability(spec, (enum gpu_capability)i)) {
			array = append(array, json_text(gpu_capability_names[i]));
		}
	}
	return array;
}

/* The fields of GpuSpec always, those beyond it where they were given. */
static json_t *json_spec(const struct gpu_spec *spec)
{
	json_t *count = spec->is_all ? json_string("all") : json_integer(spec->count);
	json_t *object =
		json_pack("{s:o, s:o, s:o}", "count", count, "vendor",
			  json_text(spec->vendor), "mode", json_text(spec->mode));

	if (spec->n_devices > 0) {
		object = put(object, "devices",
			     json_texts(spec->devices, spec->n_devices));
	}
	if (spec->model) {
		object = put(object, "model", json_text(spec->model));
	}
	if (spec->sharing != GPU_SHARING_SHARED) {
		object = put(object, "sharing",
			     json_text(gpu_sharing_names[spec->sharing]));
	}
	if (spec->has_capabilities) {
		object = put(object, "capabilities", json_capabilities(spec));
	}
	return object;
}

static json_t *json_gpu(const struct gpu *gpu)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "index",
			 (json_int_t)gpu->index, "vendor", json_text(gpu->vendor), "pci",
			 json_text(gpu->pci), "uuid", json_text(gpu->uuid), "model",
			 json_text(gpu->model), "driver", json_text(gpu->driver));
}

static json_t *json_node(const struct plan_node *node)
{
	json_t *object = json_pack("{s:o, s:o, s:s, s:I, s:I, s:s}", "path",
				   json_text(node->ctr.text), "hostPath",
				   json_text(node->host.text), "type", "c", "major",
				   (json_int_t)node->major, "minor",
				   (json_int_t)node->minor, "permissions", "rw");

	if (node->is_private) {
		object = put(object, "uid", json_integer(node->private_uid));
		object = put(object, "gid", json_integer(node->private_gid));
		object = put(object, "fileMode", json_integer(node->private_mode));
	}
	return object;
}

static json_t *json_nodes(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->n_nodes; i++) {
		array = append(array, json_node(&plan->nodes[i]));
	}
	return array;
}

static json_t *json_links(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->n_links; i++) {
		array = append(array,
			       json_pack("{s:o, s:o}", "path",
					 json_text(plan->links[i].ctr.text), "target",
					 json_text(plan->links[i].target)));
	}
	return array;
}

static json_t *json_mounts(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->n_mounts; i++) {
		const struct plan_mount *mount = &plan->mounts[i];
		json_t *options = mount->kind == MOUNT_SOCKET
					  ? json_pack("[s, s, s, s, s]", "ro", "nosuid",
						      "nodev", "noexec", "bind")
					  : json_pack("[s, s, s, s]", "ro", "nosuid",
						      "nodev", "bind");

		array = append(array,
			       json_pack("{s:o, s:o, s:o}", "hostPath",
					 json_text(mount->host.text), "containerPath",
					 json_text(mount->ctr.text), "options", options));
	}
	return array;
}

static json_t *json_files(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->n_files; i++) {
		array = append(array,
			       json_pack("{s:o, s:o}", "path",
					 json_text(plan->files[i].ctr.text), "source",
					 json_text(plan->files[i].description)));
	}
	return array;
}

static json_t *json_gids(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->n_additional_gids; i++) {
		array = append(array, json_integer(plan->additional_gids[i]));
	}
	return array;
}

static json_t *json_hook(const struct cdi_hook *hook)
{
	json_t *object = json_pack("{s:o, s:o, s:o, s:o}", "hookName",
				   json_text(hook->stage), "path", json_text(hook->path),
				   "args", json_texts(hook->args, hook->n_args), "env",
				   json_texts(hook->env, hook->n_env));

	return hook->timeout ? put(object, "timeout", json_integer(hook->timeout))
			     : object;
}

static json_t *json_hooks(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->n_hooks; i++) {
		array = append(array, json_hook(&plan->hooks[i]));
	}
	return array;
}

static json_t *json_origins(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->n_origins; i++) {
		array = append(array,
			       json_pack("{s:o, s:o}", "device",
					 json_text(plan->origins[i].device), "file",
					 json_text(plan->origins[i].file)));
	}
	return array;
}

/* In JSON; people read a word more, see print_access(). */
static const char *const level_names[ACCESS_LEVEL_COUNT] = {
	[ACCESS_NODE] = "node",
	[ACCESS_PERMISSION] = "permission",
	[ACCESS_CGROUP] = "cgroup",
};
_Static_assert(ACCESS_LEVEL_COUNT == 5, "a level that denies has no name");

static json_t *json_access(const struct plan *plan, const struct access *access)
{
	json_t *nodes = json_array();

	for (size_t i = 0; i < access->n_nodes; i++) {
		const struct node_access *node = &access->nodes[i];
		json_t *opens = node->level == ACCESS_UNSEEN
					? json_null()
					: json_boolean(node->level == ACCESS_OPENS);

		nodes = append(nodes, json_pack("{s:o, s:o, s:o, s:o}", "path",
						json_text(plan->nodes[i].ctr.text),
						"opens", opens, "deniedBy",
						json_text(level_names[node->level]),
						"reason", json_text(node->why)));
	}
	return json_pack("{s:i, s:o}", "pid", (int)access->pid, "nodes", nodes);
}

static json_t *json_verdict(const struct verdict *verdict)
{
	return json_pack("{s:o, s:I, s:o, s:b, s:o}", "vendor",
			 json_text(verdict->gpu->vendor), "index",
			 (json_int_t)verdict->gpu->index, "pci",
			 json_text(verdict->gpu->pci), "given", verdict->is_given,
			 "reason", json_text(verdict->reason));
}

static json_t *json_plan(const struct plan_report *report)
{
	const struct plan *plan = report->plan;
	json_t *object;
	json_t *gpus = json_array();
	json_t *choice = json_array();
	json_t *edits;

	for (size_t i = 0; i < report->n_gpus; i++) {
		gpus = append(gpus, json_gpu(report->gpus[i]));
	}
	for (size_t i = 0; i < report->verdicts->n; i++) {
		choice = append(choice, json_verdict(&report->verdicts->verdict[i]));
	}
	edits = json_pack("{s:o, s:o, s:o, s:o}", "deviceNodes", json_nodes(plan),
			  "mounts", json_mounts(plan), "env",
			  json_texts(plan->env, plan->n_env), "additionalGids",
			  json_gids(plan));
	if (plan->n_hooks > 0) {
		edits = put(edits, "hooks", json_hooks(plan));
	}
	object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "gpuSpec",
			   json_spec(report->spec), "gpus", gpus, "choice", choice,
			   "containerEdits", edits, "links", json_links(plan), "files",
			   json_files(plan), "warnings",
			   json_texts(plan->warnings, plan->n_warnings));
	if (plan->n_origins > 0) {
		object = put(object, "cdi", json_origins(plan));
	}
	return report->access ? put(object, "access", json_access(plan, report->access))
			      : object;
}

static bool is_listed(const json_t *ids, const char *id)
{
	const json_t *listed;
	size_t i;

	json_array_foreach (ids, i, listed) {
		if (text_equals(json_string_value(listed), id)) {
			return true;
		}
	}
	return false;
}

/* Each container once, also with several partitions of the GPU. */
static json_t *json_held_by(const struct gpu *gpu, const struct holders *holders)
{
	autofree char *key = gpu_key(gpu);
	json_t *ids = json_array();

	for (size_t i = 0; i < holders->n; i++) {
		const struct holder *holder = &holders->holder[i];

		if (gpu_key_overlaps(holder->gpu, key) && !is_listed(ids, holder->id)) {
			ids = append(ids, json_text(holder->id));
		}
	}
	return ids;
}

static json_t *json_inventory_gpu(const struct gpu *gpu, const struct holders *holders)
{
	json_t *object = json_gpu(gpu);
	json_t *nodes = json_array();
	json_t *numa = gpu->numa_node == NUMA_NODE_UNKNOWN ? json_null()
							   : json_integer(gpu->numa_node);

	for (size_t i = 0; i < gpu->n_nodes; i++) {
		nodes = append(nodes, json_text(gpu->nodes[i].path));
	}
	object = put(object, "parent",
		     gpu->partition == NO_PARTITION ? json_null() : json_text(gpu->pci));
	object = put(object, "partition",
		     gpu->partition == NO_PARTITION ? json_null()
						    : json_integer(gpu->partition));
	object = put(object, "nodes", nodes);
	object = put(object, "numaNode", numa);
	object = put(object, "usable", json_boolean(!gpu->unusable_reason));
	object = put(object, "reason", json_text(gpu->unusable_reason));
	return put(object, "heldBy", json_held_by(gpu, holders));
}

static json_t *json_inventory(const struct inventory *inv, const struct holders *holders)
{
	json_t *gpus = json_array();

	for (size_t i = 0; i < inv->n_gpus; i++) {
		gpus = append(gpus, json_inventory_gpu(&inv->gpus[i], holders));
	}
	return json_pack("{s:o}", "gpus", gpus);
}

/* Takes @value. ASCII, so that no byte of a name steers the terminal. */
static int write_json(FILE *out, json_t *value, struct err *err)
{
	cleanup(json_decrefp) json_t *owned = value;

	if (!owned) {
		return err_sys(err, ENOMEM, "write output");
	}
	errno = 0;
	if (json_dumpf(owned, out, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0 ||
	    fputc('\n', out) == EOF) {
		return err_sys(err, errno ? errno : ENOMEM, "write output");
	}
	return print_finish(out, err);
}

static json_t *json_no_request(const struct plan_report *report)
{
	const struct plan *plan = report->plan;
	json_t *object = json_pack("{s:n}", "gpuSpec");

	return plan->n_warnings == 0 ? object
				     : put(object, "warnings",
					   json_texts(plan->warnings, plan->n_warnings));
}

int print_plan_json(FILE *out, const struct plan_report *report, struct err *err)
{
	return write_json(out, report->spec ? json_plan(report) : json_no_request(report),
			  err);
}

int print_list_json(FILE *out, const struct inventory *inv, const struct holders *holders,
		    struct err *err)
{
	return write_json(out, json_inventory(inv, holders), err);
}
