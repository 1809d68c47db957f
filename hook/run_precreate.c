/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_precreate.c - the command precreate: config.json in, config.json with GPUs out
 *
 * podman's hook stage of that name. The same way to a plan as at createRuntime,
 * see run.c; the container does not exist yet, so what it is to have is written
 * into its configuration.
 * Source: oci-hooks(5), "EXTENSION STAGES"; podman's stderr is nobody's, see report.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "backend/edit_config.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/mem.h"
#include "base/trusted_file.h"
#include "outcome.h"
#include "request.h"
#include "run.h"
#include "stage/check_plan.h"
#include "stage/inspect_container.h"

/* Between our own deadline's end and the runtime's. */
#define TIMEOUT_RESERVE_SECONDS 5U

/* As a hook's entry has to name it: absolute, and free of links. */
static int find_own_path(char ret[PATH_MAX], struct err *err)
{
	ssize_t n = readlinkat(AT_FDCWD, "/proc/self/exe", ret, PATH_MAX - 1);

	if (n < 0) {
		return err_sys(err, errno, "find our own program by '/proc/self/exe'");
	}
	ret[n] = '\0';
	return 0;
}

/* A reader that goes away is no success, nor is one that is too slow. */
static int write_text(const struct bytes *text, struct err *err)
{
	size_t done = 0;

	while (done < text->len) {
		ssize_t n = write(STDOUT_FILENO, text->data + done, text->len - done);

		if (n < 0 && errno != EINTR) {
			return err_sys(err, errno, "write config.json");
		}
		done += n > 0 ? (size_t)n : 0;
		if (deadline_has_passed()) {
			return err_set(
				err, ETIMEDOUT,
				"write config.json: out of time; whoever runs this "
				"must read its standard output");
		}
	}
	return 0;
}

/* The hook that comes later must see what we see. */
static void make_hook_args(const struct cli *cli, const struct request *request,
			   const char *args[10])
{
	size_t n = 0;

	args[n++] = "oci-gpu-hook";
	args[n++] = "createRuntime";
	if (request->host_root[0] != '/' || request->host_root[1] != '\0') {
		args[n++] = "--host-root";
		args[n++] = request->host_root;
	}
	if (cli->annotation) {
		args[n++] = "--annotation";
		args[n++] = cli->annotation;
	}
	if (cli->config) {
		args[n++] = "--config";
		args[n++] = cli->config;
	}
	args[n] = NULL;
}

static int edit(const struct cli *cli, const struct request *request,
		const struct outcome *outcome, const struct bytes *text,
		const char *own_path, struct bytes *ret, struct err *err)
{
	const struct parsed *parsed = &request->parsed;
	const struct trusted_caller caller = trusted_caller_look();
	autofree char *env = NULL;
	const char *hook_args[10];
	struct edit_config_target target = {
		.text = text,
		.ctr = &parsed->config.container,
		.edit = &parsed->edit,
		.gpus = outcome->selection.gpus,
		.n_gpus = outcome->selection.n_gpus,
		.host_root = request->host_root,
		.is_rootless = !caller.has_all_ids || caller.uid != 0,
		.are_volumes_sure =
			inspect_volumes(parsed->config.root_path, parsed->edit.mounts,
					parsed->edit.n_mounts, &outcome->plan),
		.hook_path = own_path,
		.hook_args = hook_args,
		.hook_timeout =
			parsed->settings.watchdog_seconds + TIMEOUT_RESERVE_SECONDS,
	};

	make_hook_args(cli, request, hook_args);
	if (cli->config_home) {
		env = xasprintf("XDG_CONFIG_HOME=%s", cli->config_home);
		target.hook_env = env;
	}
	return edit_config(&outcome->plan, &target, ret, err);
}

/* From a request to the new text. */
static int carry_out(const struct cli *cli, struct request *request,
		     struct outcome *outcome, const struct bytes *text,
		     const char *own_path, struct bytes *ret, struct err *err)
{
	const struct trusted_caller caller = trusted_caller_look();
	int r = request_check_settings(request, err);

	/* A user's own namespace has none of the host's groups to give. */
	request->can_add_groups = trusted_caller_is_root(&caller);
	if (r == 0 && request->host.root_fd < 0) {
		r = host_open(request->host_root, &request->host, err);
	}
	if (r == 0) {
		r = outcome_plan(&request->host, request, OUTCOME_TO_SHOW, outcome, err);
	}
	if (r == 0) {
		r = check_plan_appliable(&outcome->plan, err);
	}
	return r < 0 ? r : edit(cli, request, outcome, text, own_path, ret, err);
}

/*
 * Since 2026 podman opens the file that this annotation names, as root, on the host,
 * to append, and copies what the hook writes there: all of config.json, with the
 * words of the image, in a file of the image's choice. Podman is who wrote the text,
 * without escapes for letters; where in it they stand is not looked into, since they
 * are odd enough anywhere.
 * Source: container-libs pull request 1089, RuntimeConfigFilterWithOptions().
 */
#define COPY_ANNOTATION "run.oci.hooks.stdout"

static int check_not_copied(const struct bytes *text, struct err *err)
{
	if (!memmem(text->data, text->len, COPY_ANNOTATION, strlen(COPY_ANNOTATION))) {
		return 0;
	}
	return err_set(err, EPERM,
		       "write config.json: it has the annotation '" COPY_ANNOTATION
		       "', and podman would copy all of it into the file that it names; "
		       "remove the annotation, or register createRuntime instead");
}

int run_precreate(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = NO_REQUEST;
	cleanup(outcome_clearp) struct outcome outcome = NO_OUTCOME;
	char own_path[PATH_MAX];
	struct bytes edited = {0};
	struct bytes text = {0};
	int r;

	request.host_root = cli->host_root;
	request.report = report;
	deadline_start(SETTINGS_WATCHDOG_SECONDS, REQUEST_GRACE_SECONDS);
	r = find_own_path(own_path, err);
	if (r == 0) {
		r = request_read_config(cli, own_path, &request, &text, err);
	}
	if (r == 0) {
		r = check_not_copied(&text, err);
	}
	if (r == 0 && !request_is_asking(&request)) {
		r = write_text(&text, err);
	} else {
		r = request_follow_settings(cli, &request, report, err);
		if (r == 0) {
			r = carry_out(cli, &request, &outcome, &text, own_path, &edited,
				      err);
		}
		/* What there is to say the hook at createRuntime says. */
		if (r == 0) {
			r = write_text(&edited, err);
		}
	}
	bytes_clear(&edited);
	bytes_clear(&text);
	return r;
}
