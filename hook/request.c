/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - what a container asks for: settings, bundle and state, read and parsed */

#include "request.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/trusted_file.h"
#include "host/drm.h"
#include "oci/config.h"
#include "oci/state.h"
#include "parser.h"
#include "sandbox.h"

/* A runtime writes the state at once. */
#define STATE_DEADLINE_MS 5000

void request_clear(struct request *request)
{
	settings_file_clear(&request->file);
	free(request->key);
	cleanup_close(&request->bundle_fd);
	parsed_clear(&request->parsed);
	cdi_parser_close(&request->cdi_parser);
	host_close(&request->host);
}

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

static int confine(void *context, struct err *err)
{
	struct request *request = context;

	if (request->report) {
		report_connect(request->report);
	}
	return sandbox_enter_host(err);
}

/* What can only be done before sandbox_enter_host(). What is wrong with the host matters
   only if a GPU is asked for, so host_open() is asked again later. */
static int start_cdi_parser(void *context, struct err *err)
{
	struct request *request = context;
	struct err ignored = {0};

	(void)host_open(request->host_root, &request->host, &ignored);
	return cdi_parser_start(&request->cdi_parser, &request->host, &request->file.text,
				err);
}

/* While the parser works: what comes next in any case, if a GPU is asked for. */
static int use_the_time(void *context, struct err *err)
{
	struct request *request = context;
	struct err start_err = {0};
	int start_r = start_cdi_parser(request, &start_err);
	int r = confine(request, err);

	/* Not before: what the parser says is read in any case, by a confined process. */
	if (r == 0 && start_r < 0) {
		*err = start_err;
		r = start_r;
	}
	if (r == 0 && request->host.root_fd >= 0) {
		host_drm_prefetch(&request->host);
	}
	return r;
}

/*
 * Reads the bundle's config.json. Where it cannot hold the annotation that is all, and
 * request->parsed stays empty; else it is parsed, together with the settings, and the
 * state if there is one.
 */
static int read_bundle(const struct cli *cli, const char *bundle,
		       const struct bytes *state, struct request *request,
		       struct err *err)
{
	struct parser_input input = {0};
	struct bytes config = {0};
	int r;

	read_settings(cli, request);
	r = find_key(cli, request, &request->key, err);
	if (r < 0) {
		return r;
	}
	request->bundle_fd = oci_config_open_bundle(bundle, &request->doubt, err);
	if (request->bundle_fd < 0) {
		return -err->code;
	}
	r = oci_config_read(request->bundle_fd, bundle, &config, &request->doubt, err);
	if (r == 0 && oci_config_may_request(config.data, config.len, request->key)) {
		input = input_of(request);
		input.state = state;
		input.config = &config;
		input.key = request->key;
		input.meanwhile = cli->command->is_hook ? use_the_time : start_cdi_parser;
		input.context = request;
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

int request_read_state(const struct cli *cli, struct request *request, struct err *err)
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

int request_read_stopped(const struct cli *cli, struct request *request, struct err *err)
{
	struct parser_input input;
	struct bytes state = {0};
	int r;

	r = read_all(STDIN_FILENO, "the container's state on standard input",
		     LIMIT_STATE_BYTES, STATE_DEADLINE_MS, &state, err);
	if (r == 0) {
		read_settings(cli, request);
		input = input_of(request);
		input.state = &state;
		input.meanwhile = confine;
		input.context = request;
		r = parser_run(&input, &request->parsed, err);
	}
	bytes_clear(&state);
	return r;
}

int request_read_config(const struct cli *cli, const char *hook_path,
			struct request *request, struct bytes *ret, struct err *err)
{
	struct parser_input input = {0};
	struct bytes config = {0};
	autofree char *key = NULL;
	int r;

	read_settings(cli, request);
	r = find_key(cli, request, &key, err);
	if (r == 0) {
		r = read_all(STDIN_FILENO, "config.json on standard input",
			     LIMIT_CONFIG_BYTES, STATE_DEADLINE_MS, &config, err);
	}
	if (r == 0 && oci_config_may_request(config.data, config.len, key)) {
		input = input_of(request);
		input.config = &config;
		input.key = key;
		input.hook_path = hook_path;
		input.meanwhile = use_the_time;
		input.context = request;
		r = parser_run(&input, &request->parsed, err);
	}
	if (r < 0) {
		bytes_clear(&config);
		return r;
	}
	*ret = config;
	return 0;
}

bool request_is_asking(const struct request *request)
{
	return request->parsed.has_request && gpu_spec_is_request(&request->parsed.spec);
}

int request_follow_settings(const struct cli *cli, const struct request *request,
			    struct report *report, struct err *err)
{
	const struct settings *settings = &request->parsed.settings;
	struct err log_err = {0};

	if (!cli->has_log_level) {
		report->level = settings->log_level;
	}
	if (settings->watchdog_seconds > 0 &&
	    settings->watchdog_seconds != SETTINGS_WATCHDOG_SECONDS) {
		deadline_start(settings->watchdog_seconds, REQUEST_GRACE_SECONDS);
	}
	if (report_open_log(report, settings, &log_err) < 0 && err->code == 0) {
		*err = log_err;
	}
	return -err->code;
}

int request_check_settings(const struct request *request, struct err *err)
{
	if (request->file.problem.code != 0) {
		*err = request->file.problem;
	} else if (request->parsed.settings_err.code != 0) {
		*err = request->parsed.settings_err;
	}
	return -err->code;
}

int request_accept(const struct request *request, struct err *err)
{
	int r = request_check_settings(request, err);

	if (r == 0 && request->doubt.code != 0) {
		*err = request->doubt;
		r = -err->code;
	}
	return r;
}

int request_read_bundle(const struct cli *cli, struct request *request, struct err *err)
{
	return read_bundle(cli, cli->bundle, NULL, request, err);
}

int request_read_settings(const struct cli *cli, struct request *request, struct err *err)
{
	struct parser_input input;

	read_settings(cli, request);
	input = input_of(request);
	if (!input.settings) {
		settings_set_defaults(&request->parsed.settings);
		return 0;
	}
	return parser_run(&input, &request->parsed, err);
}

int request_read_option(const struct cli *cli, struct request *request, struct err *err)
{
	struct parsed *parsed = &request->parsed;
	int r = request_read_settings(cli, request, err);

	if (r == 0) {
		r = start_cdi_parser(request, err);
	}
	if (r < 0) {
		return r;
	}
	r = gpu_spec_parse(cli->gpu, strlen(cli->gpu), &parsed->spec, err);
	if (r < 0) {
		return err_wrap(err, "read option '--gpu'");
	}
	parsed->has_request = true;
	/* No container, so nobody who could be refused. */
	parsed->config.container.overrides_modes = true;
	return 0;
}

void request_warn_of_doubts(const struct request *request, struct plan *plan)
{
	const struct err *doubts[] = {&request->file.doubt, &request->doubt};

	for (size_t i = 0; i < sizeof(doubts) / sizeof(doubts[0]); i++) {
		if (doubts[i]->code != 0) {
			plan_warn(plan, "%s; the hook refuses it as it is",
				  doubts[i]->msg);
		}
	}
}

void request_warn_of_settings(const struct request *request, struct plan *plan)
{
	const struct parser_input input = input_of(request);
	cleanup(parsed_clearp) struct parsed parsed = {0};
	struct err err = request->file.problem;

	if (err.code == 0 && input.settings && parser_run(&input, &parsed, &err) == 0) {
		err = parsed.settings_err;
	}
	if (err.code != 0) {
		plan_warn(plan, "%s; containers that ask for a GPU do not start",
			  err.msg);
	}
}

int request_find_bundle(const struct request *request, char **ret, struct err *err)
{
	char bundle[PATH_MAX];

	if (fchdir(request->bundle_fd) < 0 || !getcwd(bundle, sizeof(bundle))) {
		return err_sys(err, errno, "find the path of the bundle");
	}
	*ret = xstrdup(bundle);
	return 0;
}

/* The bundle's own path and not the state's: free of links, and right
   where crun wrote "/". */
int request_find_rootfs(const struct request *request, char **ret, struct err *err)
{
	autofree char *bundle = NULL;
	int r;

	if (request->parsed.config.root_path[0] == '/') {
		*ret = xstrdup(request->parsed.config.root_path);
		return 0;
	}
	r = request_find_bundle(request, &bundle, err);
	if (r == 0) {
		*ret = xasprintf("%s/%s", bundle, request->parsed.config.root_path);
	}
	return r;
}

static char *on_host(const struct request *request, const char *path)
{
	const char *root = text_equals(request->host_root, "/") ? "" : request->host_root;

	return xasprintf("%s%s", root, path);
}

char *request_find_state_dir(const struct request *request)
{
	const char *dir = request->parsed.settings.state_dir;
	autofree char *default_dir = dir ? NULL : ledger_default_dir();

	return on_host(request, dir ? dir : default_dir);
}

char *request_find_system_state_dir(const struct request *request)
{
	const struct trusted_caller caller = trusted_caller_look();

	if (request->parsed.settings.state_dir || trusted_caller_is_root(&caller) ||
	    !caller.has_all_ids) {
		return NULL;
	}
	return on_host(request, LEDGER_SYSTEM_DIR);
}

struct lease_holder request_lease_holder(const struct request *request)
{
	const struct oci_state *state = &request->parsed.state;

	return (struct lease_holder){
		.id = state->id,
		.bundle = state->bundle,
		.pid = state->pid,
	};
}
