/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * parser.h - parse what strangers wrote, in a child that can do nothing else
 *
 * Theory of operation. The parent reads the bytes (bounded) and forks. The child has no
 * capability, another uid where there is one, no descriptor but its end of a pipe, and
 * seccomp's strict mode: it can compute, write and exit. It parses, writes one message
 * (oci/message.h) and exits. The parent reads at most LIMIT_MESSAGE_BYTES and checks
 * every field. The configuration file is the operator's, so it comes first, see
 * oci/message.h. One fork costs about 0.1 ms, which is why a container without a request
 * is found by a search in the bytes alone and needs none.
 */

#include "base/err.h"
#include "base/io.h"
#include "oci/message.h"

struct parser_input {
	const struct bytes *settings; /* or NULL: the defaults */
	const char *settings_path;    /* with `settings`, for messages */
	const struct bytes *state;    /* or NULL: none, as for `plan` */
	const struct bytes *config;   /* or NULL */
	const char *key;	      /* of the annotation; with `config` */
	const char *hook_path; /* our program, to add to `config`; or NULL: not to */

	/* Called in the parent while the child works, to use that time; its failure is
	   parser_run()'s. NULL: nothing. */
	int (*meanwhile)(void *context, struct err *err);
	void *context;
};

/**
 * parser_run() - Parse in a child
 * @ret:	filled on success; where the parser found an error in state or config, it
 *		has the settings alone. What is wrong with the settings is in there and no
 *		error. parsed_clear() it
 * @err:	what the parser found; EBADMSG: the child was killed, or its
 *		reply is none; ETIMEDOUT
 */
int parser_run(const struct parser_input *input, struct parsed *ret, struct err *err);
