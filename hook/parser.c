/* SPDX-License-Identifier: Apache-2.0 */
/* parser.c - parse what strangers wrote, in a child that can do nothing else */

#include "parser.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/json_guard.h"
#include "children.h"
#include "sandbox.h"

/* 16 MiB of JSON take a quarter of a second. */
#define PARSER_DEADLINE_MS 5000

static int parse_request(const struct parser_input *input, struct parsed *parsed,
			 struct err *err)
{
	struct oci_config *config = &parsed->config;
	int r;

	r = input->hook_path ? config_edit_parse(input->config->data, input->config->len,
						 input->key, input->hook_path, config,
						 &parsed->edit, err)
			     : oci_config_parse(input->config->data, input->config->len,
						input->key, config, err);
	if (r < 0 || !config->request) {
		return r;
	}
	parsed->has_request = true;
	parsed->has_edit = input->hook_path != NULL;
	r = gpu_spec_parse(config->request, config->request_len, &parsed->spec, err);
	if (r < 0) {
		return err_wrap(err, "read annotation '%s'", config->request_key);
	}
	return 0;
}

static int parse_all(const struct parser_input *input, struct parsed *parsed,
		     struct err *err)
{
	int r = 0;

	if (input->state) {
		r = oci_state_parse(input->state->data, input->state->len, &parsed->state,
				    err);
	}
	if (r == 0 && input->config) {
		r = parse_request(input, parsed, err);
	}
	return r;
}

static void parse_settings(const struct parser_input *input, struct parsed *parsed)
{
	if (!input->settings ||
	    settings_parse(input->settings->data, input->settings->len,
			   input->settings_path, &parsed->settings,
			   &parsed->settings_err) < 0) {
		settings_set_defaults(&parsed->settings);
	}
}

/* 16 MiB of the worst JSON, "[{},{},...", take 1.25 GiB in jansson,
   80 times their size. */
#define MEMORY_FACTOR 100U

/* For the smallest input, and for what is said of it. */
#define MEMORY_BASE (2U * 1024U * 1024U)

/* More than this is no configuration. */
#define MEMORY_MAX (512U * 1024U * 1024U)

static size_t memory_for(const struct parser_input *input)
{
	size_t bytes = MEMORY_BASE;

	bytes += MEMORY_FACTOR * (input->settings ? input->settings->len : 0);
	bytes += MEMORY_FACTOR * (input->state ? input->state->len : 0);
	bytes += MEMORY_FACTOR * (input->config ? input->config->len : 0);
	return bytes < MEMORY_MAX ? bytes : MEMORY_MAX;
}

/* Frees nothing: the process ends. */
static _Noreturn void run_child(const struct parser_input *input, int reply_fd,
				pid_t parent)
{
	struct parsed parsed = {0};
	struct message first = {0};
	struct message second = {0};
	struct err err = {0};
	bool is_confined;
	bool is_written;

	json_guard_seed();
	is_confined =
		sandbox_enter_parser(reply_fd, parent, memory_for(input), &err) == 0;
	if (is_confined) {
		parse_settings(input, &parsed);
	} else {
		settings_set_defaults(&parsed.settings);
	}
	/* Out of reach before a stranger's first byte is parsed. */
	message_encode_settings(&parsed, &first);
	is_written = write_all(STDOUT_FILENO, first.data, first.len) == 0;
	if (is_confined) {
		(void)parse_all(input, &parsed, &err);
	}
	message_encode(&parsed, &err, &second);
	is_written = is_written && write_all(STDOUT_FILENO, second.data, second.len) == 0;
	sandbox_exit_parser(is_written ? 0 : 1);
}

/* Says how the child ended, which is better than what its reply lacks. */
static int explain_bad_reply(pid_t child, struct err *err)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR) {
			return -err->code;
		}
	}
	if (WIFSIGNALED(status)) {
		return err_set(
			err, EBADMSG,
			"parse the container's configuration: the parser was killed by "
			"signal %d; see the kernel's log, and report it",
			WTERMSIG(status));
	}
	if (WEXITSTATUS(status) != 0) {
		return err_set(err, EBADMSG,
			       "parse the container's configuration: the parser gave up");
	}
	return -err->code;
}

/* What the caller counts on, whoever wrote the reply. */
static int check_parsed(const struct parser_input *input, struct parsed *parsed,
			struct err *err)
{
	const struct bytes *config = input->config;
	const struct oci_state *state = &parsed->state;
	int r = 0;

	if (input->state && !(state->id && state->bundle)) {
		return err_set(err, EBADMSG,
			       "read the parser's reply: it lacks the state");
	}
	if (input->state) {
		r = oci_state_check(input->state->data, input->state->len, state, err);
	}
	if (r == 0 && config && parsed->has_request) {
		r = oci_config_check_root(config->data, config->len,
					  parsed->config.root_path, err);
	}
	if (r == 0 && parsed->has_edit && input->hook_path) {
		config_edit_check_hook(&parsed->edit, config, input->hook_path);
	}
	return r;
}

static int read_reply(const struct parser_input *input, int fd, pid_t child,
		      struct parsed *ret, struct err *err)
{
	struct bytes reply = {0};
	int r;

	/* A child that takes too long, or says too much, dies with us. */
	r = read_all(fd, "the parser's reply", LIMIT_MESSAGE_BYTES, PARSER_DEADLINE_MS,
		     &reply, err);
	if (r < 0) {
		return r;
	}
	r = message_decode(reply.data, reply.len, input->config, ret, err);
	bytes_clear(&reply);
	if (r == 0) {
		r = check_parsed(input, ret, err);
		if (r < 0) {
			parsed_clear(ret);
		}
	}
	return r == -EBADMSG ? explain_bad_reply(child, err) : r;
}

int parser_run(const struct parser_input *input, struct parsed *ret, struct err *err)
{
	struct err meanwhile_err = {0};
	autoclose int read_fd = -1;
	pid_t parent = getpid();
	pid_t child;
	int fds[2];
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		return err_sys(err, errno, "make a pipe for the parser");
	}
	read_fd = fds[0];
	child = fork();
	if (child == 0) {
		run_child(input, fds[1], parent);
	}
	(void)close(fds[1]);
	if (child < 0) {
		return err_sys(err, errno, "start the parser");
	}
	children_note(child);
	if (input->meanwhile) {
		(void)input->meanwhile(input->context, &meanwhile_err);
	}
	r = read_reply(input, read_fd, child, ret, err);
	if (r == 0 && meanwhile_err.code != 0) {
		*err = meanwhile_err;
		r = -err->code;
	}
	return r;
}
