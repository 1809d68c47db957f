/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - the commands
 *
 * state -> bundle -> config -> GpuSpec -> inventory -> selection -> plan, then printed or
 * applied. Each step is a call below; what a step knows stays in its folder.
 */

#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/apply/access.h"
#include "backend/apply/apply.h"
#include "backend/print.h"
#include "base/deadline.h"
#include "injector/injectors.h"
#include "outcome.h"
#include "request.h"
#include "sandbox.h"
#include "stage/check_plan.h"

/* By precreate, CDI or the engine's own option. */
static bool config_allows(const struct oci_config *config, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (!container_allows_node(&config->container, plan->nodes[i].major,
					   plan->nodes[i].minor)) {
			return false;
		}
	}
	return true;
}

/* Asks for no memory: the plan is applied by then, and the run must not fail any more. */
static void report_findings(const struct err warnings[static APPLY_WARNING_COUNT],
			    const char *id, const struct report *report)
{
	for (size_t i = 0; i < APPLY_WARNING_COUNT; i++) {
		if (warnings[i].code != 0) {
			report_message(report, LOG_LEVEL_WARNING, "container '%s': %s",
				       id, warnings[i].msg);
		}
	}
}

static int apply(const struct request *request, const struct host *host,
		 const struct plan *plan, const struct report *report, struct err *err)
{
	const struct oci_state *state = &request->parsed.state;
	autofree char *rootfs_path = NULL;
	struct err warnings[APPLY_WARNING_COUNT] = {0};
	struct apply_target target = {
		.pid = state->pid,
		.container = &request->parsed.config.container,
		.id = state->id,
		.host_root_fd = host->root_fd,
		.has_device_rules = config_allows(&request->parsed.config, plan),
		.entered = sandbox_enter_container,
		.warnings = warnings,
		.must_last = request->parsed.settings.is_systemd_strict,
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
	sandbox_finish();
	if (r == 0) {
		report_findings(warnings, state->id, report);
	}
	return r;
}

/* "A, B" of @text's; those behind the first get a comma. */
static void join(char *buf, size_t size, const char *text, size_t len)
{
	size_t used = strlen(buf);

	(void)snprintf(buf + used, size - used, "%s%.*s", used ? ", " : "", (int)len,
		       text);
}

/* A process that exists has its variables and groups, and the runtime its hooks.
   precreate, if it has run, has seen to all of that. */
static void warn_of_rest(const struct request *request, struct plan *plan)
{
	char names[512] = "";

	if (request->parsed.config.choice.n > 0) {
		return;
	}
	for (size_t i = 0; i < plan->n_env; i++) {
		join(names, sizeof(names), plan->env[i], strcspn(plan->env[i], "="));
	}
	for (size_t i = 0; i < plan->n_additional_gids; i++) {
		char group[24];

		(void)snprintf(group, sizeof(group), "group %u",
			       plan->additional_gids[i]);
		join(names, sizeof(names), group, strlen(group));
	}
	for (size_t i = 0; i < plan->n_hooks; i++) {
		const struct cdi_hook *hook = &plan->hooks[i];
		const char *name = hook->n_args > 1 ? hook->args[1] : hook->path;

		join(names, sizeof(names), "hook ", strlen("hook "));
		(void)strncat(names, name, sizeof(names) - strlen(names) - 1);
	}
	if (*names) {
		plan_warn(plan,
			  "the CDI specification also asks for %s, which only the stage "
			  "precreate can give",
			  names);
	}
}

/* A log that cannot be opened is no reason to fail where nothing is done. */
static void report_zero(const struct cli *cli, const struct request *request,
			struct report *report)
{
	autofree char *why = NULL;
	struct err ignored = {0};

	if (!request->parsed.has_request) {
		return;
	}
	(void)request_follow_settings(cli, request, report, &ignored);
	why = gpu_spec_describe_zero(&request->parsed.spec);
	report_message(report, LOG_LEVEL_INFO, "container '%s': got no GPU: %s",
		       request->parsed.state.id, why);
}

int run_hook(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = NO_REQUEST;
	cleanup(outcome_clearp) struct outcome outcome = NO_OUTCOME;
	int r;

	request.host_root = cli->host_root;
	request.report = report;
	deadline_start(SETTINGS_WATCHDOG_SECONDS, REQUEST_GRACE_SECONDS);
	r = request_read_state(cli, &request, err);
	if (r == 0 && !request_is_asking(&request)) {
		report_zero(cli, &request, report);
		return 0;
	}
	/* From here on there is something to say. */
	r = request_follow_settings(cli, &request, report, err);
	if (r == 0) {
		r = request_accept(&request, err);
	}
	if (r == 0 && request.host.root_fd < 0) {
		r = host_open(cli->host_root, &request.host, err);
	}
	if (r == 0) {
		r = outcome_plan(&request.host, &request, OUTCOME_TO_APPLY, &outcome,
				 err);
	}
	if (r == 0) {
		warn_of_rest(&request, &outcome.plan);
		r = apply(&request, &request.host, &outcome.plan, report, err);
	}
	if (r == 0) {
		outcome_report(&outcome, request.parsed.state.id, report);
	} else {
		lease_give_back(&outcome.lease, err);
	}
	return r;
}

/* One line for all, with the first reason. What could not be seen
   is no success either. */
static int check_access(const struct access *access, struct err *err)
{
	const struct node_access *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < access->n_nodes; i++) {
		const struct node_access *node = &access->nodes[i];

		n += node->level != ACCESS_OPENS;
		if (node->level != ACCESS_OPENS &&
		    (!first ||
		     (first->level == ACCESS_UNSEEN && node->level != ACCESS_UNSEEN))) {
			first = node;
		}
	}
	if (!first) {
		return 0;
	}
	return err_set(err, EACCES, "look at process %d: %zu of %zu nodes %s: %s",
		       access->pid, n, access->n_nodes,
		       first->level == ACCESS_UNSEEN ? "may not open" : "do not open",
		       first->why);
}

int run_plan(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = NO_REQUEST;
	cleanup(outcome_clearp) struct outcome outcome = NO_OUTCOME;
	cleanup(host_closep) struct host host = {.root_fd = -1};
	cleanup(access_clearp) struct access access = {0};
	struct plan_report printed = {0};
	int r;

	(void)report;
	request.host_root = cli->host_root;
	request.pid = cli->pid;
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
			r = outcome_plan(&host, &request, OUTCOME_TO_SHOW, &outcome, err);
		}
		if (r < 0) {
			return r;
		}
		request_warn_of_doubts(&request, &outcome.plan);
		outcome_explain(&request, &outcome);
	} else {
		request_warn_of_settings(&request, &outcome.plan);
	}
	if (cli->pid && outcome.plan.n_nodes > 0) {
		/* A file system of the container's may never answer. */
		deadline_start(SETTINGS_WATCHDOG_SECONDS, REQUEST_GRACE_SECONDS);
		r = access_look(&outcome.plan, cli->pid, &access, err);
		if (r < 0) {
			return r;
		}
		printed.access = &access;
	}
	printed.key = request.key;
	printed.gpus = outcome.selection.gpus;
	printed.n_gpus = outcome.selection.n_gpus;
	printed.verdicts = &outcome.verdicts;
	printed.plan = &outcome.plan;
	r = cli->wants_json ? print_plan_json(stdout, &printed, err)
			    : print_plan_text(stdout, &printed, err);
	return r < 0 ? r : check_access(&access, err);
}

/* Who has which GPU, as `list` says it: else it looked as if nobody had any. */
static void look_at_ledger(const struct request *request, struct report *report,
			   struct lease *lease)
{
	autofree char *state_dir = request_find_state_dir(request);
	autofree char *system_dir = request_find_system_state_dir(request);
	struct err unknown = {0};

	/* The state directory may be another one. */
	if (request_check_settings(request, &unknown) == 0) {
		lease_look(state_dir, LEDGER_CHECK_ALL, lease);
		unknown = lease->ledger.absence;
	}
	if (system_dir) {
		lease_look_also(system_dir, lease);
	}
	if (unknown.code != 0) {
		report_message(report, LOG_LEVEL_WARNING,
			       "who has which GPU is not known: %s", unknown.msg);
	}
}

/* Nobody names a file that is not there to be told of what another one says. */
static int check_named_settings(const struct cli *cli, const struct request *request,
				struct err *err)
{
	if (!cli->config || request->file.problem.code != ENOENT) {
		return 0;
	}
	return request_check_settings(request, err);
}

int run_list(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = NO_REQUEST;
	cleanup(inventory_clearp) struct inventory inv = {0};
	cleanup(lease_closep) struct lease lease = NO_LEASE;
	cleanup(host_closep) struct host host = {.root_fd = -1};
	int r;

	request.host_root = cli->host_root;
	r = request_read_settings(cli, &request, err);
	if (r == 0) {
		r = check_named_settings(cli, &request, err);
	}
	if (r == 0) {
		r = host_open(cli->host_root, &host, err);
	}
	if (r < 0) {
		return r;
	}
	host.driver_root = request.parsed.settings.driver_root;
	r = injectors_probe(&host, NULL, &inv, err);
	if (r == 0) {
		r = injectors_add_driverless(&host, &inv, err);
	}
	if (r < 0) {
		return err_wrap(err, "look for GPUs");
	}
	look_at_ledger(&request, report, &lease);
	return cli->wants_json
		       ? print_list_json(stdout, &inv, &lease.ledger.holders, err)
		       : print_list_text(stdout, &inv, &lease.ledger.holders, err);
}
