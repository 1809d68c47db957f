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
#include "host/drm.h"
#include "host/host.h"
#include "injector/injectors.h"
#include "model/gpu_spec.h"
#include "oci/config.h"
#include "oci/message.h"
#include "oci/settings_file.h"
#include "oci/state.h"
#include "parser.h"
#include "sandbox.h"
#include "stage/build_plan.h"
#include "stage/check_plan.h"
#include "stage/check_policy.h"
#include "stage/select.h"

/* The hooks.d file gives the hook 15 seconds, and a runtime may give it for ever. */
#define GRACE_SECONDS 2U

/* A runtime writes the state at once. */
#define STATE_DEADLINE_MS 5000

/* The operator's settings, a bundle, and what it asks for. */
struct request {
	struct settings_file file;
	int bundle_fd;
	struct err doubt; /* why the bundle or its config.json may be a stranger's */
	struct parsed parsed;
	const char *host_root; /* borrowed */
	struct host host;      /* opened while the parser worked, or not */
};

#define NO_REQUEST                                        \
	(struct request)                                  \
	{                                                 \
		.bundle_fd = -1, .host = {.root_fd = -1 } \
	}

/* From a GpuSpec to a checked plan; selection and inventory are what the plan stands on. */
struct outcome {
	struct inventory inventory;
	struct selection selection;
	struct plan plan;
};

static void request_clear(struct request *request)
{
	settings_file_clear(&request->file);
	cleanup_close(&request->bundle_fd);
	parsed_clear(&request->parsed);
	host_close(&request->host);
}
DEFINE_CLEANUP(struct request, request_clear)

static void outcome_clear(struct outcome *outcome)
{
	plan_clear(&outcome->plan);
	selection_clear(&outcome->selection);
	inventory_clear(&outcome->inventory);
}
DEFINE_CLEANUP(struct outcome, outcome_clear)

/* Settings that may be a stranger's are not even looked into where there is privilege. */
static void read_settings(const struct cli *cli, struct request *request)
{
	struct settings_file *file = &request->file;

	settings_file_read(cli->config, cli->config_home, file);
	if (cli->command->is_hook && file->doubt.code != 0) {
		file->problem = file->doubt;
		bytes_clear(&file->text);
	}
}

static struct parser_input input_of(const struct request *request)
{
	const struct settings_file *file = &request->file;

	return (struct parser_input){
		.settings = file->text.data ? &file->text : NULL,
		.settings_path = file->path,
	};
}

/* The annotation's key; the default one where the settings cannot be read. */
static int find_key(const struct cli *cli, const struct request *request, char **ret,
		    struct err *err)
{
	const struct parser_input input = input_of(request);
	cleanup(parsed_clearp) struct parsed parsed = {0};
	int r;

	if (cli->annotation || !input.settings) {
		*ret = xstrdup(cli->annotation ? cli->annotation
					       : OCI_DEFAULT_ANNOTATION);
		return 0;
	}
	if (settings_find_annotation(input.settings->data, input.settings->len, ret)) {
		return 0;
	}
	r = parser_run(&input, &parsed, err);
	if (r == 0) {
		*ret = steal_ptr(&parsed.settings.annotation);
	}
	return r;
}

/* While the parser works: what comes next in any case, if a GPU is asked for. What is wrong
   with the host matters only then, so host_open() is asked again later. */
static int use_the_time(void *context, struct err *err)
{
	struct request *request = context;
	struct err ignored = {0};
	int r = sandbox_enter_host(err);

	if (r == 0 && host_open(request->host_root, &request->host, &ignored) == 0) {
		host_drm_prefetch(&request->host);
	}
	return r;
}

/*
 * Reads the bundle's config.json. Where it cannot hold the annotation that is all, and
 * request->parsed stays empty; else it is parsed, together with the settings, and the state
 * if there is one.
 */
static int read_bundle(const struct cli *cli, const char *bundle,
		       const struct bytes *state, struct request *request,
		       struct err *err)
{
	struct parser_input input = {0};
	struct bytes config = {0};
	autofree char *key = NULL;
	int r;

	read_settings(cli, request);
	r = find_key(cli, request, &key, err);
	if (r < 0) {
		return r;
	}
	request->bundle_fd = oci_config_open_bundle(bundle, &request->doubt, err);
	if (request->bundle_fd < 0) {
		return -err->code;
	}
	r = oci_config_read(request->bundle_fd, &config, &request->doubt, err);
	if (r == 0 && oci_config_may_request(config.data, config.len, key)) {
		input = input_of(request);
		input.state = state;
		input.config = &config;
		input.key = key;
		if (cli->command->is_hook) {
			input.meanwhile = use_the_time;
			input.context = request;
		}
		r = parser_run(&input, &request->parsed, err);
	}
	if (r == 0 && request->parsed.has_request) {
		oci_config_check_owner(request->bundle_fd, bundle,
				       &request->parsed.config.container,
				       &request->doubt);
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

static int read_request(const struct cli *cli, struct request *request, struct err *err)
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
		r = read_bundle(cli, bundle, &state, request, err);
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

static bool is_asking(const struct request *request)
{
	return request->parsed.has_request && gpu_spec_is_request(&request->parsed.spec);
}

/* What is wrong with the settings concerns only a container that asks for a GPU. */
static int check_settings(const struct request *request, struct err *err)
{
	if (request->file.problem.code != 0) {
		*err = request->file.problem;
	} else if (request->parsed.settings_err.code != 0) {
		*err = request->parsed.settings_err;
	}
	return -err->code;
}

/* May this request be carried out with our privilege? */
static int accept_request(const struct request *request, struct err *err)
{
	int r = check_settings(request, err);

	if (r == 0 && request->doubt.code != 0) {
		*err = request->doubt;
		r = -err->code;
	}
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
	r = find_rootfs(request, &rootfs_path, err);
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
	r = read_request(cli, &request, err);
	if (r == 0 && !is_asking(&request)) {
		return 0;
	}
	/* From here on there is something to say. */
	r = follow_settings(cli, &request.parsed.settings, report, err);
	if (r == 0) {
		r = accept_request(&request, err);
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

/* The request of the option --gpu, and the settings. */
static int read_gpu_option(const struct cli *cli, struct request *request,
			   struct err *err)
{
	struct parsed *parsed = &request->parsed;
	struct parser_input input;
	int r;

	read_settings(cli, request);
	input = input_of(request);
	if (input.settings) {
		r = parser_run(&input, parsed, err);
		if (r < 0) {
			return r;
		}
	} else {
		settings_set_defaults(&parsed->settings);
	}
	r = gpu_spec_parse(cli->gpu, strlen(cli->gpu), &parsed->spec, err);
	if (r < 0) {
		return err_wrap(err, "read option '--gpu'");
	}
	parsed->has_request = true;
	return 0;
}

static void warn_of_doubts(const struct request *request, struct plan *plan)
{
	const struct err *doubts[] = {&request->file.doubt, &request->doubt};

	for (size_t i = 0; i < sizeof(doubts) / sizeof(doubts[0]); i++) {
		if (doubts[i]->code != 0) {
			plan_warn(plan, "%s; the hook refuses it as it is",
				  doubts[i]->msg);
		}
	}
}

int run_plan(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = NO_REQUEST;
	cleanup(outcome_clearp) struct outcome outcome = {0};
	cleanup(host_closep) struct host host = {.root_fd = -1};
	struct plan_report printed = {0};
	int r;

	(void)report;
	r = cli->gpu ? read_gpu_option(cli, &request, err)
		     : read_bundle(cli, cli->bundle, NULL, &request, err);
	if (r < 0) {
		return r;
	}
	if (request.parsed.has_request) {
		printed.spec = &request.parsed.spec;
	}
	if (is_asking(&request)) {
		r = check_settings(&request, err);
		if (r == 0) {
			r = host_open(cli->host_root, &host, err);
		}
		if (r == 0) {
			r = make_plan(&host, &request, &outcome, err);
		}
		if (r < 0) {
			return r;
		}
		warn_of_doubts(&request, &outcome.plan);
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
