/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - the commands
 *
 * state -> bundle -> config -> GpuSpec -> inventory -> selection -> plan, then printed or
 * applied. Each step is a call below; what a step knows stays in its folder.
 */

#include "run.h"

#include <stdio.h>

#include "backend/apply/apply.h"
#include "backend/print.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "injector/injectors.h"
#include "parser.h"
#include "request.h"
#include "sandbox.h"
#include "stage/build_plan.h"
#include "stage/check_plan.h"
#include "stage/check_policy.h"
#include "stage/select.h"

/* The hooks.d file gives the hook 15 seconds, and a runtime may give it for ever. */
#define GRACE_SECONDS 2U

/* From a GpuSpec to a checked plan; selection and inventory are what the plan stands on. */
struct outcome {
	struct inventory inventory;
	struct selection selection;
	struct plan plan;
};

static void outcome_clear(struct outcome *outcome)
{
	plan_clear(&outcome->plan);
	selection_clear(&outcome->selection);
	inventory_clear(&outcome->inventory);
}
DEFINE_CLEANUP(struct outcome, outcome_clear)

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

static int make_plan(const struct host *host, struct request *request,
		     struct outcome *outcome, struct err *err)
{
	const struct policy *policy = &request->parsed.settings.policy;
	const struct container *ctr = &request->parsed.config.container;
	const char *file = request->file.path;
	struct gpu_spec *spec = &request->parsed.spec;
	uint32_t left_out = 0;
	int r;

	r = check_policy_request(policy, file, spec, &left_out, err);
	if (r == 0) {
		r = choose_gpus(host, spec, outcome, err);
	}
	if (r == 0) {
		r = check_policy_gpus(policy, file, &outcome->selection, err);
	}
	if (r < 0) {
		return r;
	}
	r = build_plan(spec, &outcome->selection, ctr, &outcome->plan, err);
	if (r == 0) {
		check_policy_warn(left_out, file, &outcome->plan);
		r = check_plan(&outcome->plan, ctr, err);
	}
	return r < 0 ? err_wrap(err, "plan") : 0;
}

static int apply(const struct request *request, const struct host *host,
		 struct plan *plan, struct err *err)
{
	const struct oci_state *state = &request->parsed.state;
	autofree char *rootfs_path = NULL;
	struct err warning = {0};
	struct apply_target target = {
		.pid = state->pid,
		.id = state->id,
		.host_root_fd = host->root_fd,
		.entered = sandbox_enter_container,
		.warning = &warning,
	};
	int r;

	r = check_plan_appliable(plan, err);
	if (r < 0) {
		return r;
	}
	r = request_find_rootfs(request, &rootfs_path, err);
	if (r < 0) {
		return r;
	}
	target.rootfs_path = rootfs_path;
	r = apply_plan(plan, &target, err);
	if (r == 0 && warning.code != 0) {
		plan_warn(plan, "%s", warning.msg);
	}
	return r;
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

/* Among the host's own paths still. An earlier error stays the one that is reported. */
static int follow_settings(const struct cli *cli, const struct settings *settings,
			   struct report *report, struct err *err)
{
	struct err log_err = {0};

	if (!cli->has_log_level) {
		report->level = settings->log_level;
	}
	if (settings->watchdog_seconds > 0 &&
	    settings->watchdog_seconds != SETTINGS_WATCHDOG_SECONDS) {
		deadline_start(settings->watchdog_seconds, GRACE_SECONDS);
	}
	if (report_open_log(report, settings, &log_err) < 0 && err->code == 0) {
		*err = log_err;
	}
	return -err->code;
}

int run_hook(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = NO_REQUEST;
	cleanup(outcome_clearp) struct outcome outcome = {0};
	int r;

	request.host_root = cli->host_root;
	deadline_start(SETTINGS_WATCHDOG_SECONDS, GRACE_SECONDS);
	r = request_read_state(cli, &request, err);
	if (r == 0 && !request_is_asking(&request)) {
		return 0;
	}
	/* From here on there is something to say. */
	r = follow_settings(cli, &request.parsed.settings, report, err);
	if (r == 0) {
		r = request_accept(&request, err);
	}
	if (r == 0 && request.host.root_fd < 0) {
		r = host_open(cli->host_root, &request.host, err);
	}
	if (r == 0) {
		r = make_plan(&request.host, &request, &outcome, err);
	}
	if (r == 0) {
		r = apply(&request, &request.host, &outcome.plan, err);
	}
	if (r == 0) {
		report_done(report, &request.parsed.state, &outcome);
		parser_reap();
	}
	return r;
}

int run_plan(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = NO_REQUEST;
	cleanup(outcome_clearp) struct outcome outcome = {0};
	cleanup(host_closep) struct host host = {.root_fd = -1};
	struct plan_report printed = {0};
	int r;

	(void)report;
	r = cli->gpu ? request_read_option(cli, &request, err)
		     : request_read_bundle(cli, &request, err);
	if (r < 0) {
		return r;
	}
	if (request.parsed.has_request) {
		printed.spec = &request.parsed.spec;
	}
	if (request_is_asking(&request)) {
		r = request_check_settings(&request, err);
		if (r == 0) {
			r = host_open(cli->host_root, &host, err);
		}
		if (r == 0) {
			r = make_plan(&host, &request, &outcome, err);
		}
		if (r < 0) {
			return r;
		}
		request_warn_of_doubts(&request, &outcome.plan);
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
