/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_host.c - /sys, /proc and /dev say anything: from the readers to the checked plan
 *
 * The input is a manifest (made_tree.h), with "? REQUEST" for the value of an annotation
 * and "u UID GID" for the container's process. The tree is real and so is everything that
 * reads it. Whatever it holds: an error has a code and one line; GPUs are numbered, each
 * once; a plan holds what the chosen GPUs have, below /dev, and what is printed is JSON,
 * or text that no terminal takes for commands.
 */

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backend/print.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "injector/injectors.h"
#include "input.h"
#include "made_tree.h"
#include "stage/build_plan.h"
#include "stage/check_plan.h"
#include "stage/explain_choice.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Entries made for one input: what an input says more is for nothing but time. */
#define LINES_MAX 400U

/* A status that says "skipped" to who runs the target. */
#define STATUS_SKIPPED 77

struct made {
	int root_fd;
	const char *request;
	struct container ctr;
};

typedef int print_list(FILE *, const struct inventory *, const struct holders *,
		       struct err *);
typedef int print_plan(FILE *out, const struct plan_report *report, struct err *err);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (!made_tree_enter()) {
		puts("skipped: needs root or user namespaces, to mount a tmpfs");
		exit(STATUS_SKIPPED);
	}
	return 0;
}

/* ---- the input --------------------------------------------------------------------- */

static void take_line(char *line, struct made *made)
{
	unsigned int uid;
	unsigned int gid;

	if (text_starts_with(line, "? ")) {
		made->request = line + 2;
	} else if (sscanf(line, "u %u %u", &uid, &gid) == 2) {
		made->ctr.uid = uid;
		made->ctr.gid = gid;
		made->ctr.has_user_namespace = uid & 1;
	} else {
		(void)made_tree_line(made->root_fd, line);
	}
}

static void take_lines(char *text, struct made *made)
{
	char *rest = text;

	for (unsigned int i = 0; rest && i < LINES_MAX; i++) {
		take_line(strsep(&rest, "\n"), made);
	}
}

static void open_host(const struct made *made, struct host *ret)
{
	autofree char *root = xasprintf("/proc/self/fd/%d", made->root_fd);
	struct err err = {0};

	require(host_open(root, ret, &err) == 0);
}

/* ---- errors and what is printed ---------------------------------------------------- */

static void check_one_line(const char *text)
{
	for (; *text; text++) {
		require((unsigned char)*text >= 0x20 && *text != 0x7f);
	}
}

static void check_error(const struct err *err, int r)
{
	require(err->code > 0 && r == -err->code && err->msg[0] != '\0');
	check_one_line(err->msg);
}

static void check_json(const char *text, size_t len)
{
	json_error_t error;
	json_t *parsed = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	require(parsed != NULL);
	json_decref(parsed);
}

static void check_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		require((unsigned char)text[i] >= 0x20 || text[i] == '\n');
		require(text[i] != 0x7f);
	}
}

/* Return: what was printed, to free(). */
static char *list_to_text(print_list *print, const struct inventory *inv, size_t *ret_len)
{
	const struct holders nobody = {0};
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);
	struct err err = {0};

	require(out && print(out, inv, &nobody, &err) == 0 && fclose(out) == 0);
	return text;
}

static void print_plan_to(print_plan *print, const struct plan_report *report,
			  void (*check)(const char *text, size_t len))
{
	autofree char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct err err = {0};

	require(out && print(out, report, &err) == 0 && fclose(out) == 0);
	check(text, len);
}

/* ---- the inventory ----------------------------------------------------------------- */

static void check_gpu(const struct inventory *inv, size_t n)
{
	const struct gpu *gpu = &inv->gpus[n];
	struct pci_address address;

	require(gpu->vendor && *gpu->vendor && gpu->model);
	require(!gpu->pci || pci_address_parse(gpu->pci, &address));
	require(gpu->partition >= NO_PARTITION && gpu->numa_node >= NUMA_NODE_UNKNOWN);
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		require(text_starts_with(gpu->nodes[i].path, "/dev/"));
		require(gpu->nodes[i].role < DEVICE_ROLE_COUNT);
		require(gpu->nodes[i].state < DEVICE_STATE_COUNT);
	}
	for (size_t i = 0; i < n; i++) {
		const struct device_node *render = gpu_find_node(gpu, DEVICE_RENDER);
		const struct device_node *other =
			gpu_find_node(&inv->gpus[i], DEVICE_RENDER);

		require(!text_equals(inv->gpus[i].vendor, gpu->vendor) ||
			inv->gpus[i].index != gpu->index);
		/* Parts of one GPU have its render node. */
		require(!render || !other || !text_equals(render->path, other->path) ||
			(gpu->pci && inv->gpus[i].pci &&
			 text_equals(gpu->pci, inv->gpus[i].pci)));
	}
}

static void check_inventory(const struct inventory *inv)
{
	require(inv->n_gpus <= LIMIT_GPUS);
	for (size_t i = 0; i < inv->n_gpus; i++) {
		check_gpu(inv, i);
	}
}

/* As `list` does it. Return: the JSON, or the error's text; to free(). */
static char *list_gpus(const struct made *made)
{
	cleanup(host_closep) struct host host = {.root_fd = -1};
	cleanup(inventory_clearp) struct inventory inv = {0};
	autofree char *text = NULL;
	struct err err = {0};
	size_t len = 0;
	char *json;
	int r;

	open_host(made, &host);
	r = injectors_probe(&host, NULL, &inv, &err);
	if (r == 0) {
		check_inventory(&inv);
		r = injectors_add_driverless(&host, &inv, &err);
	}
	if (r < 0) {
		check_error(&err, r);
		return xstrdup(err.msg);
	}
	check_inventory(&inv);
	text = list_to_text(print_list_text, &inv, &len);
	check_text(text, len);
	json = list_to_text(print_list_json, &inv, &len);
	check_json(json, len);
	return json;
}

/* ---- the plan ---------------------------------------------------------------------- */

static bool is_clean(const char *path)
{
	check_one_line(path);
	return path[0] == '/' && !strstr(path, "/../") && !strstr(path, "//") &&
	       path[strlen(path) - 1] != '/';
}

static bool is_below_dev(const char *path)
{
	return text_starts_with(path, "/dev/") && is_clean(path);
}

static bool has_node(const struct selection *selection, const struct plan_node *node)
{
	for (size_t i = 0; i < selection->n_gpus; i++) {
		const struct gpu *gpu = selection->gpus[i];

		for (size_t j = 0; j < gpu->n_nodes; j++) {
			if (text_equals(gpu->nodes[j].path, node->host.text) &&
			    gpu->nodes[j].major == node->major &&
			    gpu->nodes[j].minor == node->minor) {
				return true;
			}
		}
	}
	return false;
}

/* Every link below /dev is one of /dev/dri/by-path to a node that is given as well. */
static bool leads_to_node(const struct plan *plan, const struct plan_link *link)
{
	autofree char *path = NULL;

	if (!text_starts_with(link->ctr.text, "/dev/dri/by-path/") ||
	    !text_starts_with(link->target, "../")) {
		return false;
	}
	path = xasprintf("/dev/dri/%s", link->target + strlen("../"));
	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (text_equals(plan->nodes[i].ctr.text, path)) {
			return true;
		}
	}
	return false;
}

static void check_entries(const struct plan *plan, const struct selection *selection)
{
	require(plan->n_nodes + plan->n_links + plan->n_mounts + plan->n_files <=
		LIMIT_PLAN_ENTRIES);
	require(plan->n_nodes > 0);
	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		require(is_below_dev(node->host.text) &&
			text_equals(node->host.text, node->ctr.text));
		require(has_node(selection, node));
	}
	for (size_t i = 0; i < plan->n_links; i++) {
		const struct plan_link *link = &plan->links[i];

		require(is_clean(link->ctr.text));
		require(!is_below_dev(link->ctr.text) || leads_to_node(plan, link));
	}
	for (size_t i = 0; i < plan->n_warnings; i++) {
		check_one_line(plan->warnings[i]);
	}
}

/* What a driver brings along is no part of /dev. */
static void check_files(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_mounts; i++) {
		const struct plan_mount *mount = &plan->mounts[i];

		require(is_clean(mount->host.text) && is_clean(mount->ctr.text));
		require(!is_below_dev(mount->ctr.text));
		require(mount->kind < MOUNT_KIND_COUNT);
	}
	for (size_t i = 0; i < plan->n_files; i++) {
		require(is_clean(plan->files[i].ctr.text));
		require(!is_below_dev(plan->files[i].ctr.text));
	}
}

/* What check_plan_appliable() lets pass is in /dev as the plan says. */
static void check_nodes(const struct plan *plan, int root_fd)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];
		autoclose int fd = sys_openat2(root_fd, node->host.text,
					       O_PATH | O_NOFOLLOW, 0, RESOLVE_IN_ROOT);
		struct stat st;

		require(fd >= 0 && fstat(fd, &st) == 0);
		require(S_ISCHR(st.st_mode) &&
			st.st_rdev == makedev(node->major, node->minor));
	}
}

static void check_selection(const struct gpu_spec *spec,
			    const struct selection *selection)
{
	require(spec->is_all ? selection->n_gpus > 0 : selection->n_gpus == spec->count);
	for (size_t i = 0; i < selection->n_gpus; i++) {
		require(!selection->gpus[i]->unusable_reason);
		for (size_t j = 0; j < i; j++) {
			require(selection->gpus[i] != selection->gpus[j]);
		}
	}
}

/* The hook's way from a request to the GPUs. Return: 0 or negative errno. */
static int choose(const struct host *host, const struct gpu_spec *spec,
		  struct inventory *inv, struct selection *selection, struct err *err)
{
	const struct select_terms alone = {0};
	int r = injectors_probe(host, spec, inv, err);

	if (r == 0) {
		check_inventory(inv);
		r = select_gpus(spec, inv, &alone, selection, err);
	}
	if (r == -ENOENT) {
		check_error(err, r);
		inventory_clear(inv);
		r = injectors_probe(host, NULL, inv, err);
		if (r == 0) {
			r = injectors_add_driverless(host, inv, err);
		}
		if (r == 0) {
			r = select_gpus(spec, inv, &alone, selection, err);
		}
	}
	return r;
}

static void check_report(const struct gpu_spec *spec, const struct inventory *inv,
			 const struct selection *selection, const struct plan *plan)
{
	cleanup(verdicts_clearp) struct verdicts verdicts = {0};
	const struct select_terms alone = {0};
	const struct plan_report report = {
		.spec = spec,
		.gpus = selection->gpus,
		.n_gpus = selection->n_gpus,
		.verdicts = &verdicts,
		.plan = plan,
	};
	size_t n_given = 0;

	explain_choice(spec, inv, &alone, selection, false, &verdicts);
	require(verdicts.n == inv->n_gpus);
	for (size_t i = 0; i < verdicts.n; i++) {
		n_given += verdicts.verdict[i].is_given;
		require(verdicts.verdict[i].reason[0] != '\0');
	}
	require(n_given == selection->n_gpus);
	print_plan_to(print_plan_json, &report, check_json);
	print_plan_to(print_plan_text, &report, check_text);
}

static void make_plan(const struct made *made, const struct gpu_spec *spec)
{
	cleanup(host_closep) struct host host = {.root_fd = -1};
	cleanup(inventory_clearp) struct inventory inv = {0};
	cleanup(selection_clearp) struct selection selection = {0};
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};
	int r;

	open_host(made, &host);
	r = choose(&host, spec, &inv, &selection, &err);
	if (r == 0) {
		check_selection(spec, &selection);
		r = build_plan(spec, &selection, &made->ctr, &plan, &err);
	}
	if (r == 0) {
		r = check_plan(&plan, &err);
	}
	if (r < 0) {
		check_error(&err, r);
		return;
	}
	check_entries(&plan, &selection);
	check_files(&plan);
	check_report(spec, &inv, &selection, &plan);
	r = check_plan_appliable(&plan, &err);
	if (r < 0) {
		check_error(&err, r);
	} else {
		check_nodes(&plan, made->root_fd);
	}
}

static int lowest_free_fd(const struct made *made)
{
	int fd = fcntl(made->root_fd, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

/* The same tree for all inputs. */
static int empty_tree(void)
{
	static int root_fd = -1;

	if (root_fd < 0) {
		root_fd = made_tree_new();
	}
	made_tree_clear(root_fd);
	return root_fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};
	struct made made = {.root_fd = empty_tree(), .request = "all"};
	autofree char *first = NULL;
	autofree char *second = NULL;
	struct err err = {0};
	int free_fd;

	take_lines(text, &made);
	free_fd = lowest_free_fd(&made);
	first = list_gpus(&made);
	second = list_gpus(&made);
	require(text_equals(first, second));
	if (gpu_spec_parse(made.request, strlen(made.request), &spec, &err) == 0 &&
	    gpu_spec_is_request(&spec)) {
		make_plan(&made, &spec);
	}
	require(lowest_free_fd(&made) == free_fd);
	return 0;
}
