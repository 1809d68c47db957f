/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ledger_text.h - the ledger's file: its form. No system calls; private to lib/stage.
 *
 *	oci-gpu-hook ledger 1 BOOT-ID
 *	GPU <tab> exclusive|shared <tab> PID <tab> START <tab> PIDNS <tab> ID <tab> BUNDLE
 *
 * One line a GPU of a container. In a field, a byte that is not printable ASCII, and '%',
 * is written as %XX. The boot's id tells that all of it is from before a reboot.
 */

#include <stdio.h>

#include "base/err.h"
#include "base/io.h"
#include "model/holder.h"

/* Containers of one host and their GPUs: 1,000 of some 150 bytes are usual at most. */
#define LIMIT_LEDGER_BYTES   (4U * 1024U * 1024U)
#define LIMIT_LEDGER_ENTRIES 16384U

/**
 * ledger_text_read() - Read the file's text
 * @text:	taken, and its fields ended in place; emptied
 * @boot_id:	of this boot; if the text is of another, there are no holders any more
 * @ret:	filled on success only; holders_clear() it
 * @err:	EINVAL with the line: it is not of this form, nothing of it can be
 *		believed; EPROTONOSUPPORT: another version wrote it
 *
 * An empty text is an empty ledger.
 */
int ledger_text_read(struct bytes *text, const char *boot_id, struct holders *ret,
		     struct err *err);

/**
 * ledger_text_write() - Write it to a stream
 * @out:	what it has, if this fails, is no ledger; whether all of it was written is
 *		the caller's to see when it closes the stream
 * @err:	E2BIG over the limits
 */
int ledger_text_write(const struct holders *holders, const char *boot_id, FILE *out,
		      struct err *err);
