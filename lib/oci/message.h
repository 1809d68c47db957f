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
 */

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/gpu_spec.h"
#include "oci/config.h"
#include "oci/state.h"

/* A reply is at most: 64 Ki groups, 256 devices, some paths and names. */
#define LIMIT_MESSAGE_BYTES (1024U * 1024U)

/* What a bundle and its state say, as far as the rest of the program asks. */
struct parsed {
	struct oci_state state; /* its strings are NULL if no state was parsed */
	struct oci_config
		config;	      /* `request` is not passed on, only whether there is one */
	struct gpu_spec spec; /* of the request */
	bool has_request;
};

void parsed_clear(struct parsed *parsed);
DEFINE_CLEANUP(struct parsed, parsed_clear)

struct message {
	char *data;
	size_t len;
};

void message_clear(struct message *message);
DEFINE_CLEANUP(struct message, message_clear)

/* Writes a reply: @parsed if @err->code is 0, else the error. */
void message_encode(const struct parsed *parsed, const struct err *err,
		    struct message *ret);

/**
 * message_decode() - Read a reply
 * @ret:	filled on success only; parsed_clear() it
 * @err:	the child's own error, made one line; or EBADMSG: the message is not what
 *		message_encode() writes
 */
int message_decode(const char *data, size_t len, struct parsed *ret, struct err *err);
