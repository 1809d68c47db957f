/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cdi_parser.h - read CDI specifications, in a child that can do nothing else
 *
 * Theory of operation. Whether a specification is needed is known only when the host has
 * been looked at, and by then nothing can be forked any more (sandbox_enter_host()). So
 * where one may be needed, by a cheap look, a child is started before: confined like the
 * one of parser.h, it waits for the bytes of the files. It is another one than that,
 * which parses what strangers wrote, and could lie about what the operator mounts. Parent
 * and child speak over a pair of sockets, in the forms of oci/cdi_message.h. Without a
 * question the child ends when its parent does, or closes.
 */

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "host/host.h"
#include "model/cdi.h"

struct cdi_parser {
	int fd; /* -1: not started */
};

#define NO_CDI_PARSER       \
	(struct cdi_parser) \
	{                   \
		.fd = -1    \
	}

void cdi_parser_close(struct cdi_parser *parser);

/**
 * cdi_parser_start() - Start the child, where specifications may be needed
 * @host:	or one that is not open: nothing is started
 * @settings:	the configuration file, or NULL. It is not parsed yet: whatever it says of
 *		a driver counts as a wish for specifications
 * @err:	what pipe or fork said
 *
 * Should: come before sandbox_enter_host().
 */
int cdi_parser_start(struct cdi_parser *parser, const struct host *host,
		     const struct bytes *settings, struct err *err);

/**
 * cdi_parser_ask() - What the specifications of the host say, once
 * @kind:	of the devices that are wanted: "vendor.com/class"
 * @ret:	cdi_registry_clear() it. A file that says nothing, or that a stranger
 *		could have written, is one of its problems
 * @err:	EBADMSG: the child was killed, or its answer is none; ETIMEDOUT; EAGAIN:
 *		files have appeared since cdi_parser_start()
 */
int cdi_parser_ask(struct cdi_parser *parser, const struct host *host, const char *kind,
		   struct cdi_registry *ret, struct err *err);
