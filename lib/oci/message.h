/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * message.h - what the parsing child tells its parent
 *
 * JSON of strangers is parsed in a child that may do nothing but compute and write (see
 * hook/parser.h). If a parser has a hole, what comes out of the child is the attacker's:
 * so the parent reads only this form and believes none of it. Numbers are 32 bits in the
 * machine's order, a string is its length and its bytes; every length, count and enum is
 * checked, and nothing of the input itself is passed on.
 *
 * Two parts. The first is the operator's configuration file; the child parses it
 * and sends it off before it looks at the first byte of a stranger. What is in
 * the pipe cannot be changed any more, so whoever takes over the child later
 * comes too late for the policy.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/gpu_spec.h"
#include "oci/config.h"
#include "oci/config_edit.h"
#include "oci/settings.h"
#include "oci/state.h"

/* A reply is at most: 64 Ki groups, 256 devices, a policy, 4,096 rules, some paths and
   names; for precreate also the paths of some thousand mounts and devices. */
#define LIMIT_MESSAGE_BYTES (1024U * 1024U)

/* What the configuration file, a bundle and its state say, as far as the rest
   of the program asks. */
struct parsed {
	struct settings settings; /* the defaults if there is no file, or it is broken */
	struct err settings_err;  /* what is wrong with the file, if `code` is not 0 */
	struct oci_state state;	  /* its strings are NULL if no state was parsed */
	struct oci_config
		config;	      /* `request` is not passed on, only whether there is one */
	struct gpu_spec spec; /* of the request */
	bool has_request;
	struct config_edit edit; /* if config.json is to be added to; `places` fit it */
	bool has_edit;
};

void parsed_clear(struct parsed *parsed);
DEFINE_CLEANUP(struct parsed, parsed_clear)

struct message {
	char *data;
	size_t len;
};

void message_clear(struct message *message);
DEFINE_CLEANUP(struct message, message_clear)

/* Writes the first part of a reply: the settings, or settings_err. */
void message_encode_settings(const struct parsed *parsed, struct message *ret);

/* Writes the second part: the rest of @parsed if @err->code is 0, else the error. */
void message_encode(const struct parsed *parsed, const struct err *err,
		    struct message *ret);

/**
 * message_decode() - Read a reply, both parts
 * @config:	the text that the child has parsed, for which the places of `edit` are;
 *		NULL: none, a reply with them is bad
 * @ret:	filled on success; after an error of the child's own, its first part
 *		alone. parsed_clear() it
 * @err:	the child's own error, made one line; or EBADMSG: the message is not what
 *		message_encode_settings() and message_encode() write
 */
int message_decode(const char *data, size_t len, const struct bytes *config,
		   struct parsed *ret, struct err *err);
