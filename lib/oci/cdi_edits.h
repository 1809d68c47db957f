/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cdi_edits.h - the containerEdits of a CDI specification */

#include "oci/cdi_document.h"

/* A cdi_reader into a struct cdi_edits, which cdi_edits_clear() clears in any case. */
int cdi_read_edits(const json_t *value, const char *path, struct cdi_document *doc,
		   void *target, struct err *err);
