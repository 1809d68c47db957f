/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - the commands
 *
 * state -> bundle -> config -> GpuSpec -> inventory -> selection -> plan, then printed or
 * applied. Each step is a call below; what a step knows stays in its folder.
 */

#include "run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/apply/apply.h"
#include "backend/print.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "host/host.h"
#include "injector/injectors.h"
#include "model/gpu_spec.h"
#include "oci/config.h"
#include "oci/message.h"
#include "oci/state.h"
#include "parser.h"
#include "sandbox.h"
#include "stage/build_plan.h"
#include "stage/check_plan.h"
#include "stage/select.h"

/* The hooks.d file gives the hook 15 seconds, and a runtime may give it for ever. */
#define DEADLINE_SECONDS 10U
#define GRACE_SECONDS	 2U

/* A runtime writes the state at once. */
#define STATE_DEADLINE_MS 5000

/* A bundle and what it asks for. */
struct request {
	int bundle_fd;
	struct parsed parsed;
};

/* From a GpuSpec to a checked plan; selection and inventory are what the plan stands on. */
struct outcome {
	struct inventory inventory;
	struct selection selection;
	struct plan plan;
};

static void request_clear(struct request *request)
{
	cleanup_close(&request->bundle_fd);
	parsed_clear(&request->parsed);
}
DEFINE_CLEANUP(struct request, request_clear)

static void outcome_clear(struct outcome *outcome)
{
	plan_clear(&outcome->plan);
	selection_clear(&outcome->selection);
	inventory_clear(&outcome->inventory);
}
DEFINE_CLEANUP(struct outcome, outcome_clear)

/*
 * Reads the bundle's config.json. Where it cannot hold the annotation that is all, and
 * request->parsed stays empty; else it is parsed, together with the state if there is one.
 */
static int read_bundle(const char *bundle, const struct bytes *state, const char *key,
		       struct request *request, struct err *err)
{
	struct bytes config = {0};
	const struct parser_input input = {.state = state, .config = &config, .key = key};
	int r;

	request->bundle_fd = oci_config_open_bundle(bundle, err);
	if (request->bundle_fd < 0) {
		return -err->code;
	}
	r = oci_config_read(request->bundle_fd, &config, err);
	if (r == 0 && oci_config_may_request(config.data, config.len, key)) {
		r = parser_run(&input, &request->parsed, err);
	}
	bytes_clear(&config);
	return r;
}

/* Where the state cannot be read at a glance, it is parsed to find the bundle. */
static int find_bundle(const struct bytes *state, char *ret, size_t size, struct err *err)
{
	const struct parser_input input = {.state = state};
	cleanup(parsed_clearp) struct parsed parsed = {0};
	int r;

	if (oci_state_find_bundle(state->data, state->len, ret, size)) {
		return 0;
	}
	r = parser_run(&input, &parsed, err);
	if (r < 0) {
		return r;
	}
	if (snprintf(ret, size, "%s", parsed.state.bundle) >= (int)size) {
		return err_set(err, ENAMETOOLONG,
			       "take the bundle from the state: its path is too long");
	}
	return 0;
}

static int read_request(const char *key, struct request *request, struct err *err)
{
	char bundle[PATH_MAX];
	struct bytes state = {0};
	int r;

	r = read_all(STDIN_FILENO, "the container's state on standard input",
		     LIMIT_STATE_BYTES, STATE_DEADLINE_MS, &state, err);
	if (r == 0) {
		r = find_bundle(&state, bundle, sizeof(bundle), err);
	}
	if (r == 0) {
		r = read_bundle(bundle, &state, key, request, err);
	}
	/* The glance and the parser must have seen the same. */
	if (r == 0 && request->parsed.has_request &&
	    !text_equals(bundle, request->parsed.state.bundle)) {
		r = err_set(
			err, EINVAL,
			"take the bundle from the state: it is '%s' at one place and '%s' "
			"at another",
			bundle, request->parsed.state.bundle);
	}
	bytes_clear(&state);
	return r;
}

/* A shortage is looked at again with all that the host has, for the message alone. */
static int choose_gpus(const struct host *host, const struct gpu_spec *spec,
		       struct outcome *outcome, struct err *err)
{
	int r;

	r = injectors_probe(host, spec, &outcome->inventory, err);
	if (r < 0) {
		return err_wrap(err, "look for GPUs");
	}
	r = select_gpus(spec, &outcome->inventory, &outcome->selection, err);
	if (r == -ENOENT) {
		inventory_clear(&outcome->inventory);
		r = injectors_probe(host, NULL, &outcome->inventory, err);
		if (r == 0) {
			r = injectors_add_driverless(host, &outcome->inventory, err);
		}
		if (r == 0) {
			r = select_gpus(spec, &outcome->inventory, &outcome->selection,
					err);
		}
	}
	return r < 0 ? err_wrap(err, "select GPUs") : 0;
}

static int make_plan(const struct host *host, const struct gpu_spec *spec,
		     const struct container *ctr, struct outcome *outcome,
		     struct err *err)
{
	int r;

	r = choose_gpus(host, spec, outcome, err);
	if (r < 0) {
		return r;
	}
	r = build_plan(spec, &outcome->selection, ctr, &outcome->plan, err);
	if (r == 0) {
		r = check_plan(&outcome->plan, ctr, err);
	}
	return r < 0 ? err_wrap(err, "plan") : 0;
}

/* The bundle's own path and not the state's: free of links, and right where crun wrote "/". */
static int find_rootfs(const struct request *request, char **ret, struct err *err)
{
	char bundle[PATH_MAX];

	if (request->parsed.config.root_path[0] == '/') {
		*ret = xstrdup(request->parsed.config.root_path);
		return 0;
	}
	if (fchdir(request->bundle_fd) < 0 || !getcwd(bundle, sizeof(bundle))) {
		return err_sys(err, errno, "find the path of the bundle");
	}
	*ret = xasprintf("%s/%s", bundle, request->parsed.config.root_path);
	return 0;
}

static int apply(const struct request *request, const struct host *host,
		 const struct plan *plan, struct err *err)
{
	const struct oci_state *state = &request->parsed.state;
	autofree char *rootfs_path = NULL;
	struct apply_target target = {
		.pid = state->pid,
		.id = state->id,
		.host_root_fd = host->root_fd,
		.entered = sandbox_enter_container,
	};
	int r;

	r = check_plan_appliable(plan, err);
	if (r < 0) {
		return r;
	}
	r = find_rootfs(request, &rootfs_path, err);
	if (r < 0) {
		return r;
	}
	target.rootfs_path = rootfs_path;
	return apply_plan(plan, &target, err);
}

static void report_done(const struct report *report, const struct oci_state *state,
			const struct outcome *outcome)
{
	for (size_t i = 0; i < outcome->plan.n_warnings; i++) {
		report_message(report, LOG_LEVEL_WARNING, "container '%s': %s", state->id,
			       outcome->plan.warnings[i]);
	}
	for (size_t i = 0; i < outcome->selection.n_gpus; i++) {
		const struct gpu *gpu = outcome->selection.gpus[i];

		report_message(report, LOG_LEVEL_INFO, "container '%s': got %s:%u (%s)",
			       state->id, gpu->vendor, gpu->index,
			       gpu->pci ? gpu->pci : gpu->model);
	}
}

int run_hook(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = {.bundle_fd = -1};
	cleanup(outcome_clearp) struct outcome outcome = {0};
	cleanup(host_closep) struct host host = {.root_fd = -1};
	const struct parsed *parsed = &request.parsed;
	int r;

	deadline_start(DEADLINE_SECONDS, GRACE_SECONDS);
	r = read_request(cli->annotation, &request, err);
	if (r == 0 && !(parsed->has_request && gpu_spec_is_request(&parsed->spec))) {
		return 0;
	}
	/* Still among the host's own paths, and from here on there is something to say. */
	report_connect(report);
	if (r == 0) {
		r = sandbox_enter_host(err);
	}
	if (r == 0) {
		r = host_open(cli->host_root, &host, err);
	}
	if (r == 0) {
		r = make_plan(&host, &parsed->spec, &parsed->config.container, &outcome,
			      err);
	}
	if (r == 0) {
		r = apply(&request, &host, &outcome.plan, err);
	}
	if (r == 0) {
		report_done(report, &parsed->state, &outcome);
	}
	return r;
}

static int read_gpu_option(const char *value, struct parsed *parsed, struct err *err)
{
	int r;

	r = gpu_spec_parse(value, strlen(value), &parsed->spec, err);
	if (r < 0) {
		return err_wrap(err, "read option '--gpu'");
	}
	parsed->has_request = true;
	return 0;
}

int run_plan(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = {.bundle_fd = -1};
	cleanup(outcome_clearp) struct outcome outcome = {0};
	cleanup(host_closep) struct host host = {.root_fd = -1};
	struct parsed *parsed = &request.parsed;
	struct plan_report printed = {0};
	int r;

	(void)report;
	r = cli->gpu ? read_gpu_option(cli->gpu, parsed, err)
		     : read_bundle(cli->bundle, NULL, cli->annotation, &request, err);
	if (r < 0) {
		return r;
	}
	if (parsed->has_request) {
		printed.spec = &parsed->spec;
	}
	if (parsed->has_request && gpu_spec_is_request(&parsed->spec)) {
		r = host_open(cli->host_root, &host, err);
		if (r == 0) {
			r = make_plan(&host, &parsed->spec, &parsed->config.container,
				      &outcome, err);
		}
		if (r < 0) {
			return r;
		}
	}
	printed.gpus = outcome.selection.gpus;
	printed.n_gpus = outcome.selection.n_gpus;
	printed.plan = &outcome.plan;
	return cli->wants_json ? print_plan_json(stdout, &printed, err)
			       : print_plan_text(stdout, &printed, err);
}

int run_list(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	cleanup(host_closep) struct host host = {.root_fd = -1};
	int r;

	(void)report;
	r = host_open(cli->host_root, &host, err);
	if (r < 0) {
		return r;
	}
	r = injectors_probe(&host, NULL, &inv, err);
	if (r == 0) {
		r = injectors_add_driverless(&host, &inv, err);
	}
	if (r < 0) {
		return err_wrap(err, "look for GPUs");
	}
	return cli->wants_json ? print_list_json(stdout, &inv, err)
			       : print_list_text(stdout, &inv, err);
}
