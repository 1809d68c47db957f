/* SPDX-License-Identifier: Apache-2.0 */
/* print.c - the inventory and the plan for people and for programs */

#include "backend/print.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* ---- both -------------------------------------------------------------------------- */

/* A name of the host may hold anything. Printable ASCII stays, so that no byte steers the
   terminal and a column is as wide as it looks. */
static char *plain_copy(const char *text)
{
	char *copy = xstrdup(text);

	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f) {
			*c = '?';
		}
	}
	return copy;
}

/* A full disk shows at the flush at the latest. */
static int finish(FILE *out, struct err *err)
{
	if (fflush(out) != 0 || ferror(out)) {
		return err_sys(err, errno ? errno : EIO, "write output");
	}
	return 0;
}

/* ---- JSON -------------------------------------------------------------------------- */

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
	plain = plain_copy(text);
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

static json_t *json_nodes(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		array = append(array,
			       json_pack("{s:o, s:o, s:s, s:I, s:I, s:s}", "path",
					 json_text(node->ctr.text), "hostPath",
					 json_text(node->host.text), "type", "c", "major",
					 (json_int_t)node->major, "minor",
					 (json_int_t)node->minor, "permissions", "rw"));
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
					  ? json_pack("[s, s, s, s, s]", "rw", "nosuid",
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

static json_t *json_plan(const struct plan_report *report)
{
	const struct plan *plan = report->plan;
	json_t *gpus = json_array();
	json_t *edits;

	for (size_t i = 0; i < report->n_gpus; i++) {
		gpus = append(gpus, json_gpu(report->gpus[i]));
	}
	edits = json_pack("{s:o, s:o, s:o, s:o}", "deviceNodes", json_nodes(plan),
			  "mounts", json_mounts(plan), "env",
			  json_texts(plan->env, plan->n_env), "additionalGids",
			  json_gids(plan));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "gpuSpec",
			 json_spec(report->spec), "gpus", gpus, "containerEdits", edits,
			 "links", json_links(plan), "files", json_files(plan), "warnings",
			 json_texts(plan->warnings, plan->n_warnings));
}

static json_t *json_inventory_gpu(const struct gpu *gpu)
{
	json_t *object = json_gpu(gpu);
	json_t *nodes = json_array();
	json_t *numa = gpu->numa_node == NUMA_NODE_UNKNOWN ? json_null()
							   : json_integer(gpu->numa_node);

	for (size_t i = 0; i < gpu->n_nodes; i++) {
		nodes = append(nodes, json_text(gpu->nodes[i].path));
	}
	object = put(object, "nodes", nodes);
	object = put(object, "numaNode", numa);
	object = put(object, "usable", json_boolean(!gpu->unusable_reason));
	object = put(object, "reason", json_text(gpu->unusable_reason));
	/* Nothing keeps leases yet, so no GPU is held. */
	return put(object, "heldBy", json_array());
}

static json_t *json_inventory(const struct inventory *inv)
{
	json_t *gpus = json_array();

	for (size_t i = 0; i < inv->n_gpus; i++) {
		gpus = append(gpus, json_inventory_gpu(&inv->gpus[i]));
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
	return finish(out, err);
}

int print_plan_json(FILE *out, const struct plan_report *report, struct err *err)
{
	return write_json(
		out, report->spec ? json_plan(report) : json_pack("{s:n}", "gpuSpec"),
		err);
}

int print_list_json(FILE *out, const struct inventory *inv, struct err *err)
{
	return write_json(out, json_inventory(inv), err);
}

/* ---- text -------------------------------------------------------------------------- */

/* The widest is `list`. */
#define TABLE_MAX_COLUMNS 7U

/* Rows of cells, each column as wide as its widest cell. */
struct table {
	size_t n_columns;
	char **cells; /* row by row */
	size_t n_cells;
};

static void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->n_cells; i++) {
		free(table->cells[i]);
	}
	free(table->cells);
	*table = (struct table){0};
}
DEFINE_CLEANUP(struct table, table_clear)

/* The next cell; NULL: nothing is known. */
static void table_add(struct table *table, const char *text)
{
	table->cells = xgrow(table->cells, table->n_cells, sizeof(*table->cells));
	table->cells[table->n_cells++] = plain_copy(text ? text : "-");
}

/* Takes @text. */
static void table_take(struct table *table, char *text)
{
	table_add(table, text);
	free(text);
}

/* @label stands before the first row, and as many blanks before the others. */
static void table_print(FILE *out, const struct table *table, const char *label)
{
	size_t widths[TABLE_MAX_COLUMNS] = {0};

	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = strlen(table->cells[i]);
		size_t *column = &widths[i % table->n_columns];

		*column = width > *column ? width : *column;
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->n_columns;

		if (column == 0) {
			(void)fprintf(out, "%-*s", (int)strlen(label),
				      i == 0 ? label : "");
		}
		if (column + 1 == table->n_columns) {
			/* No blanks at the end of a line. */
			(void)fprintf(out, "%s\n", table->cells[i]);
		} else {
			(void)fprintf(out, "%-*s  ", (int)widths[column],
				      table->cells[i]);
		}
	}
}

/* "a, b", or "-". */
static char *join(const char *const *texts, size_t n, const char *separator)
{
	char *joined = xstrdup(n > 0 ? texts[0] : "-");

	for (size_t i = 1; i < n; i++) {
		char *longer = xasprintf("%s%s%s", joined, separator, texts[i]);

		free(joined);
		joined = longer;
	}
	return joined;
}

/* "2 amd GPUs", "all nvidia GPUs", "GPUs 0, 2 of amd", "GPU renderD129" */
static char *describe_request(const struct gpu_spec *spec)
{
	autofree char *ids = NULL;

	if (spec->is_all) {
		return xasprintf("all %s GPUs", spec->vendor);
	}
	if (spec->n_devices == 0) {
		return xasprintf("%u %s GPU%s", spec->count, spec->vendor,
				 spec->count == 1 ? "" : "s");
	}
	ids = join((const char *const *)spec->devices, spec->n_devices, ", ");
	return xasprintf("GPU%s %s%s%s", spec->n_devices == 1 ? "" : "s", ids,
			 spec->has_vendor ? " of " : "",
			 spec->has_vendor ? spec->vendor : "");
}

static char *describe_capabilities(const struct gpu_spec *spec)
{
	const char *names[GPU_CAPABILITY_COUNT];
	size_t n = 0;

	for (int i = 0; i < GPU_CAPABILITY_COUNT; i++) {
		if (gpu_spec_has_capability(spec, (enum gpu_capability)i)) {
			names[n++] = gpu_capability_names[i];
		}
	}
	/* A policy may leave nothing of the default ones. */
	return n > 0 ? join(names, n, ", ") : xstrdup("none");
}

static void print_request(FILE *out, const struct gpu_spec *spec)
{
	cleanup(table_clearp) struct table table = {.n_columns = 1};
	autofree char *capabilities = describe_capabilities(spec);

	table_take(&table, describe_request(spec));
	if (spec->model) {
		table_take(&table, xasprintf("model: %s", spec->model));
	}
	if (spec->mode) {
		table_take(&table, xasprintf("mode: %s (ignored on Linux)", spec->mode));
	}
	if (spec->sharing != GPU_SHARING_SHARED) {
		table_take(&table,
			   xasprintf("sharing: %s", gpu_sharing_names[spec->sharing]));
	}
	table_take(&table, xasprintf("capabilities: %s%s", capabilities,
				     spec->has_capabilities ? "" : " (default)"));
	table_print(out, &table, "Request   ");
}

static void add_gpu(struct table *table, const struct gpu *gpu)
{
	table_take(table, xasprintf("%s:%u", gpu->vendor, gpu->index));
	table_add(table, gpu->model);
	table_add(table, gpu->pci);
	table_add(table, gpu->driver);
}

static void print_entries(FILE *out, const struct plan *plan)
{
	cleanup(table_clearp) struct table nodes = {.n_columns = 3};
	cleanup(table_clearp) struct table mounts = {.n_columns = 1};
	cleanup(table_clearp) struct table links = {.n_columns = 1};
	cleanup(table_clearp) struct table files = {.n_columns = 2};
	cleanup(table_clearp) struct table process = {.n_columns = 1};
	cleanup(table_clearp) struct table warnings = {.n_columns = 1};

	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		table_add(&nodes, node->ctr.text);
		table_take(&nodes, xasprintf("c %u:%u", node->major, node->minor));
		table_add(&nodes, "rw");
	}
	for (size_t i = 0; i < plan->n_links; i++) {
		table_take(&links, xasprintf("%s -> %s", plan->links[i].ctr.text,
					     plan->links[i].target));
	}
	for (size_t i = 0; i < plan->n_mounts; i++) {
		table_take(&mounts, xasprintf("%s from %s", plan->mounts[i].ctr.text,
					      plan->mounts[i].host.text));
	}
	for (size_t i = 0; i < plan->n_files; i++) {
		table_add(&files, plan->files[i].ctr.text);
		table_add(&files, plan->files[i].description);
	}
	for (size_t i = 0; i < plan->n_env; i++) {
		table_add(&process, plan->env[i]);
	}
	for (size_t i = 0; i < plan->n_additional_gids; i++) {
		table_take(&process, xasprintf("group %u", plan->additional_gids[i]));
	}
	for (size_t i = 0; i < plan->n_warnings; i++) {
		table_add(&warnings, plan->warnings[i]);
	}
	table_print(out, &nodes, "Nodes     ");
	table_print(out, &mounts, "Mounts    ");
	table_print(out, &links, "Links     ");
	table_print(out, &files, "Files     ");
	table_print(out, &process, "Process   ");
	table_print(out, &warnings, "Warnings  ");
}

int print_plan_text(FILE *out, const struct plan_report *report, struct err *err)
{
	cleanup(table_clearp) struct table gpus = {.n_columns = 4};

	errno = 0;
	if (!report->spec) {
		(void)fputs("no GPU is asked for: nothing will be done\n", out);
		return finish(out, err);
	}
	print_request(out, report->spec);
	for (size_t i = 0; i < report->n_gpus; i++) {
		add_gpu(&gpus, report->gpus[i]);
	}
	if (report->n_gpus == 0) {
		(void)fputs("GPUs      none: nothing will be done\n", out);
	}
	table_print(out, &gpus, "GPUs      ");
	print_entries(out, report->plan);
	return finish(out, err);
}

/* "kfd dri/renderD128" */
static char *describe_nodes(const struct gpu *gpu)
{
	const char *dev = "/dev/";
	autofree const char **names = xcalloc(gpu->n_nodes, sizeof(*names));

	for (size_t i = 0; i < gpu->n_nodes; i++) {
		const char *path = gpu->nodes[i].path;

		names[i] = text_starts_with(path, dev) ? path + strlen(dev) : path;
	}
	return join(names, gpu->n_nodes, " ");
}

static void add_inventory_gpu(struct table *table, const struct gpu *gpu)
{
	add_gpu(table, gpu);
	table_take(table, gpu->numa_node == NUMA_NODE_UNKNOWN
				  ? xstrdup("-")
				  : xasprintf("%d", gpu->numa_node));
	table_take(table, describe_nodes(gpu));
	table_take(table, gpu->unusable_reason ? xasprintf("no: %s", gpu->unusable_reason)
					       : xstrdup("yes"));
}

int print_list_text(FILE *out, const struct inventory *inv, struct err *err)
{
	static const char *const titles[] = {"INDEX", "MODEL", "PCI",	"DRIVER",
					     "NUMA",  "NODES", "USABLE"};
	cleanup(table_clearp) struct table table = {.n_columns = sizeof(titles) /
								 sizeof(titles[0])};

	errno = 0;
	if (inv->n_gpus == 0) {
		(void)fputs(
			"no GPUs found\n"
			"look at: lspci -nn (is there one?), lspci -k and dmesg (does a "
			"driver drive it?), /sys/class/drm and /dev/dri (has it "
			"nodes?)\n",
			out);
		return finish(out, err);
	}
	for (size_t i = 0; i < table.n_columns; i++) {
		table_add(&table, titles[i]);
	}
	for (size_t i = 0; i < inv->n_gpus; i++) {
		add_inventory_gpu(&table, &inv->gpus[i]);
	}
	table_print(out, &table, "");
	return finish(out, err);
}
