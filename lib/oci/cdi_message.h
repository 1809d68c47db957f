/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cdi_message.h - CDI specifications on their way to the parsing child and back
 *
 * The child gets the files' bytes, and sends back what they say, in the form of
 * message.h. The files are the operator's; the parent checks the form all the same, and
 * every path and number against the host.
 */

#include <stddef.h>

#include "base/err.h"
#include "base/io.h"
#include "model/cdi.h"
#include "oci/cdi_read.h"
#include "oci/message.h"

/* What a child is asked, and what it answers, in bytes: 4 times what a generator writes
   for 8 GPUs of 7 partitions each. */
#define LIMIT_CDI_MESSAGE_BYTES (4U * 1024U * 1024U)

/* A specification file as it was read. */
struct cdi_file {
	char *path;
	unsigned int dir;
	enum cdi_format format;
	struct bytes text;
};

void cdi_file_clear(struct cdi_file *file);

/* Writes the question: the files, and the kind that is wanted. */
void cdi_message_ask(const struct cdi_file *files, size_t n, const char *kind,
		     struct message *ret);

/**
 * cdi_message_answer() - In the child: parse the files of a question
 * @ret:	what of that kind they say, and what is wrong with others
 * @err:	EBADMSG: no question
 */
int cdi_message_answer(const char *question, size_t len, struct message *ret,
		       struct err *err);

/**
 * cdi_message_decode() - Read an answer
 * @ret:	filled on success only; cdi_registry_clear() it
 * @err:	EBADMSG
 */
int cdi_message_decode(const char *answer, size_t len, struct cdi_registry *ret,
		       struct err *err);
