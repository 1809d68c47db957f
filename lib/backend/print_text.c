/* SPDX-License-Identifier: Apache-2.0 */
/* print_text.c - the inventory and the plan for people */

#include "backend/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/print_out.h"
#include "base/mem.h"
#include "base/text.h"

/* The widest is `list`. */
#define TABLE_MAX_COLUMNS 8U

/* Rows of cells, each column as wide as its widest cell. */
struct table {
	size_t n_columns;
	char **cells; /* row by row */
	size_t n_cells;
};

static void table_clear(struct table *table)
{
	free_texts(table->cells, table->n_cells);
	*table = (struct table){0};
}
DEFINE_CLEANUP(struct table, table_clear)

/* The next cell; NULL: nothing is known. */
static void table_add(struct table *table, const char *text)
{
	table->cells = xgrow(table->cells, table->n_cells, sizeof(*table->cells));
	table->cells[table->n_cells++] = print_plain_copy(text ? text : "-");
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

/* @name: taken */
static void add_gpu(struct table *table, char *name, const struct gpu *gpu)
{
	table_take(table, name);
	table_add(table, gpu->model);
	table_add(table, gpu->pci);
	table_add(table, gpu->driver);
}

/* "rw", where it comes from if not from the same path, and the owner and mode of a node
   of the container's own. */
static char *describe_rights(const struct plan_node *node)
{
	bool is_same = text_equals(node->host.text, node->ctr.text);
	const char *from = is_same ? "" : " from ";
	const char *path = is_same ? "" : node->host.text;

	return node->is_private ? xasprintf("rw%s%s  its own, %u:%u %04o", from, path,
					    node->private_uid, node->private_gid,
					    node->private_mode)
				: xasprintf("rw%s%s", from, path);
}

/* Its program and its arguments but the first, which is a name. */
static char *describe_hook(const struct cdi_hook *hook)
{
	char *text = xstrdup(hook->path);

	for (size_t i = 1; i < hook->n_args; i++) {
		char *longer = xasprintf("%s %s", text, hook->args[i]);

		free(text);
		text = longer;
	}
	return text;
}

static void print_origins(FILE *out, const struct plan *plan)
{
	cleanup(table_clearp) struct table origins = {.n_columns = 2};

	for (size_t i = 0; i < plan->n_origins; i++) {
		table_add(&origins, plan->origins[i].device);
		table_add(&origins, plan->origins[i].file);
	}
	table_print(out, &origins, "CDI       ");
}

static void print_entries(FILE *out, const struct plan *plan)
{
	cleanup(table_clearp) struct table nodes = {.n_columns = 3};
	cleanup(table_clearp) struct table mounts = {.n_columns = 1};
	cleanup(table_clearp) struct table links = {.n_columns = 1};
	cleanup(table_clearp) struct table files = {.n_columns = 2};
	cleanup(table_clearp) struct table process = {.n_columns = 1};
	cleanup(table_clearp) struct table hooks = {.n_columns = 2};
	cleanup(table_clearp) struct table warnings = {.n_columns = 1};

	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		table_add(&nodes, node->ctr.text);
		table_take(&nodes, xasprintf("c %u:%u", node->major, node->minor));
		table_take(&nodes, describe_rights(node));
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
	for (size_t i = 0; i < plan->n_hooks; i++) {
		const struct cdi_hook *hook = &plan->hooks[i];

		table_add(&hooks, hook->stage);
		table_take(&hooks, describe_hook(hook));
	}
	for (size_t i = 0; i < plan->n_warnings; i++) {
		table_add(&warnings, plan->warnings[i]);
	}
	table_print(out, &nodes, "Nodes     ");
	table_print(out, &mounts, "Mounts    ");
	table_print(out, &links, "Links     ");
	table_print(out, &files, "Files     ");
	table_print(out, &process, "Process   ");
	table_print(out, &hooks, "Hooks     ");
	table_print(out, &warnings, "Warnings  ");
}

static void print_access(FILE *out, const struct plan *plan, const struct access *access)
{
	static const char *const words[ACCESS_LEVEL_COUNT] = {
		[ACCESS_OPENS] = "opens",
		[ACCESS_NODE] = "no: the node",
		[ACCESS_PERMISSION] = "no: permission",
		[ACCESS_CGROUP] = "no: device cgroup",
		[ACCESS_UNSEEN] = "not seen",
	};
	_Static_assert(ACCESS_LEVEL_COUNT == 5, "a level has no words");
	cleanup(table_clearp) struct table table = {.n_columns = 3};

	for (size_t i = 0; i < access->n_nodes; i++) {
		table_add(&table, plan->nodes[i].ctr.text);
		table_add(&table, words[access->nodes[i].level]);
		table_add(&table, access->nodes[i].why);
	}
	table_print(out, &table, "Access    ");
}

/* More names than this in one line help nobody; JSON has them all. */
#define NAMES_IN_A_LINE 8U

/* "amd:1, amd:2 and 5 more": all from @first on that are not given
   for the same reason. */
static char *list_with_reason(const struct verdicts *verdicts, size_t first)
{
	const char *reason = verdicts->verdict[first].reason;
	char *text = NULL;
	size_t n = 0;

	for (size_t i = first; i < verdicts->n; i++) {
		const struct verdict *verdict = &verdicts->verdict[i];
		char *longer;

		if (verdict->is_given || !text_equals(verdict->reason, reason) ||
		    ++n > NAMES_IN_A_LINE) {
			continue;
		}
		longer = xasprintf("%s%s%s:%u", text ? text : "", text ? ", " : "",
				   verdict->gpu->vendor, verdict->gpu->index);
		free(text);
		text = longer;
	}
	if (n > NAMES_IN_A_LINE) {
		char *longer = xasprintf("%s and %zu more", text, n - NAMES_IN_A_LINE);

		free(text);
		text = longer;
	}
	return text;
}

/* A line for each reason, where a GPU has it first. */
static void print_not_given(FILE *out, const struct verdicts *verdicts)
{
	cleanup(table_clearp) struct table table = {.n_columns = 2};

	for (size_t i = 0; i < verdicts->n; i++) {
		const struct verdict *verdict = &verdicts->verdict[i];
		bool is_first = !verdict->is_given;

		for (size_t k = 0; k < i && is_first; k++) {
			is_first = verdicts->verdict[k].is_given ||
				   !text_equals(verdicts->verdict[k].reason,
						verdict->reason);
		}
		if (is_first) {
			table_take(&table, list_with_reason(verdicts, i));
			table_add(&table, verdict->reason);
		}
	}
	table_print(out, &table, "Not given ");
}

/* With the key: a misspelt one is why most people look. */
static void print_no_request(FILE *out, const struct plan_report *report)
{
	if (report->key) {
		autofree char *key = print_plain_copy(report->key);

		(void)fprintf(out, "no GPU is asked for by annotation '%s': ", key);
	} else {
		(void)fputs("no GPU is asked for: ", out);
	}
	(void)fputs("nothing will be done\n", out);
	print_entries(out, report->plan);
}

int print_plan_text(FILE *out, const struct plan_report *report, struct err *err)
{
	cleanup(table_clearp) struct table gpus = {.n_columns = 5};

	errno = 0;
	if (!report->spec) {
		print_no_request(out, report);
		return print_finish(out, err);
	}
	print_request(out, report->spec);
	for (size_t i = 0; i < report->n_gpus; i++) {
		const struct gpu *gpu = report->gpus[i];

		add_gpu(&gpus, xasprintf("%s:%u", gpu->vendor, gpu->index), gpu);
		table_add(&gpus, verdicts_find_reason(report->verdicts, gpu));
	}
	if (report->n_gpus == 0) {
		autofree char *why = gpu_spec_describe_zero(report->spec);
		autofree char *plain = print_plain_copy(why);

		(void)fprintf(out, "GPUs      none: %s\n", plain);
	}
	table_print(out, &gpus, "GPUs      ");
	print_not_given(out, report->verdicts);
	print_origins(out, report->plan);
	print_entries(out, report->plan);
	if (report->access) {
		print_access(out, report->plan, report->access);
	}
	return print_finish(out, err);
}

/* "dri/renderD128"; where the host has it elsewhere, as in a driver container's /dev, the
   whole path there. */
static const char *name_node(const struct device_node *node)
{
	const char *dev = "/dev/";
	const char *path = node->host_path ? node->host_path : node->path;

	return text_starts_with(path, dev) ? path + strlen(dev) : path;
}

/* "kfd dri/renderD128" */
static char *describe_nodes(const struct gpu *gpu)
{
	autofree const char **names = xcalloc(gpu->n_nodes, sizeof(*names));

	for (size_t i = 0; i < gpu->n_nodes; i++) {
		names[i] = name_node(&gpu->nodes[i]);
	}
	return join(names, gpu->n_nodes, " ");
}

/* As engines show the id of a container, and take it; another name is left whole. */
static int shown_length(const char *id)
{
	size_t len = strlen(id);

	return len == 64 && strspn(id, "0123456789abcdef") == len ? 12 : (int)len;
}

/* "web (exclusively), db"; "-": nobody. */
static char *describe_holders(const struct gpu *gpu, const struct holders *holders)
{
	autofree char *key = gpu_key(gpu);
	char *text = NULL;

	for (size_t i = 0; i < holders->n; i++) {
		const struct holder *holder = &holders->holder[i];
		char *longer;

		if (!gpu_key_overlaps(holder->gpu, key)) {
			continue;
		}
		longer = xasprintf("%s%s%.*s%s", text ? text : "", text ? ", " : "",
				   shown_length(holder->id), holder->id,
				   holder->is_exclusive ? " (exclusively)" : "");
		free(text);
		text = longer;
	}
	return text ? text : xstrdup("-");
}

static void add_numa_node(struct table *table, const struct gpu *gpu)
{
	table_take(table, gpu->numa_node == NUMA_NODE_UNKNOWN
				  ? xstrdup("-")
				  : xasprintf("%d", gpu->numa_node));
}

/* Partitions stand indented below what they are partitions of. */
static void add_inventory_gpu(struct table *table, const struct gpu *gpu,
			      const struct holders *holders)
{
	const char *indent = gpu->partition == NO_PARTITION ? "" : "  ";

	add_gpu(table, xasprintf("%s%s:%u", indent, gpu->vendor, gpu->index), gpu);
	add_numa_node(table, gpu);
	table_take(table, gpu->unusable_reason ? xasprintf("no: %s", gpu->unusable_reason)
					       : xstrdup("yes"));
	table_take(table, describe_holders(gpu, holders));
	table_take(table, describe_nodes(gpu));
}

/*
 * A GPU that is all partitions is in no inventory as a whole: its PCI device is the first
 * of them. It gets a line of its own before @first, with all who have a part of it.
 */
static void add_whole_gpu(struct table *table, const struct gpu *first,
			  const struct holders *holders)
{
	struct gpu whole = *first; /* borrows all it has */

	whole.partition = NO_PARTITION;
	add_gpu(table, xstrdup("-"), &whole);
	add_numa_node(table, &whole);
	table_take(table, xasprintf("no: split into partitions; ask for devices=%s:%u "
				    "and on",
				    first->vendor, first->index));
	table_take(table, describe_holders(&whole, holders));
	table_add(table, NULL);
}

/* Does the inventory have no line for what this is a partition of? */
static bool is_first_of_whole(const struct inventory *inv, size_t index)
{
	const struct gpu *gpu = &inv->gpus[index];

	return gpu->partition != NO_PARTITION &&
	       (index == 0 || !inv->gpus[index - 1].pci ||
		!text_equals(inv->gpus[index - 1].pci, gpu->pci));
}

/* No use for the same reason, and nothing but a node to tell them apart: neither an
   address nor who has them. */
static bool is_alike(const struct gpu *a, const struct gpu *b,
		     const struct holders *holders)
{
	autofree char *a_holders = describe_holders(a, holders);
	autofree char *b_holders = describe_holders(b, holders);

	return a->unusable_reason && b->unusable_reason && !a->pci && !b->pci &&
	       text_equals(a->unusable_reason, b->unusable_reason) &&
	       text_equals(a->vendor, b->vendor) && text_equals(a_holders, b_holders) &&
	       b->index == a->index + 1;
}

/* "dri/renderD129 to dri/renderD135" */
static char *describe_range(const struct gpu *first, const struct gpu *last)
{
	const struct device_node *from = gpu_find_node(first, DEVICE_RENDER);
	const struct device_node *to = gpu_find_node(last, DEVICE_RENDER);

	return from && to ? xasprintf("%s to %s", name_node(from), name_node(to))
			  : xstrdup("-");
}

/* Several in one line, which says what they have in common. JSON has each. */
static void add_alike(struct table *table, const struct gpu *first,
		      const struct gpu *last, const struct holders *holders)
{
	table_take(table, xasprintf("%s:%u to %s:%u", first->vendor, first->index,
				    last->vendor, last->index));
	table_add(table, text_equals(first->model, last->model) ? first->model : NULL);
	table_add(table, NULL);
	table_add(table, first->driver);
	table_add(table, NULL);
	table_take(table, xasprintf("no: %s", first->unusable_reason));
	table_take(table, describe_holders(first, holders));
	table_take(table, describe_range(first, last));
}

int print_list_text(FILE *out, const struct inventory *inv, const struct holders *holders,
		    struct err *err)
{
	/* The widest last, so that the others are on a narrow screen. */
	static const char *const titles[] = {"INDEX", "MODEL",	"PCI",	   "DRIVER",
					     "NUMA",  "USABLE", "HELD BY", "NODES"};
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
		return print_finish(out, err);
	}
	for (size_t i = 0; i < table.n_columns; i++) {
		table_add(&table, titles[i]);
	}
	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *first = &inv->gpus[i];

		while (i + 1 < inv->n_gpus &&
		       is_alike(&inv->gpus[i], &inv->gpus[i + 1], holders)) {
			i++;
		}
		if (first < &inv->gpus[i]) {
			add_alike(&table, first, &inv->gpus[i], holders);
			continue;
		}
		if (is_first_of_whole(inv, i)) {
			add_whole_gpu(&table, first, holders);
		}
		add_inventory_gpu(&table, first, holders);
	}
	table_print(out, &table, "");
	return print_finish(out, err);
}
