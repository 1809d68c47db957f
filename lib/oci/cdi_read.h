/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cdi_read.h - a specification file of the Container Device Interface
 *
 * As strict as CDI's own library: an unknown field, a field that the declared
 * version does not have, a name that is none, a device without edits make the whole
 * file say nothing. Only what is in netDevices and intelRdt is not looked at: they
 * are nothing for a GPU.
 * Source: Container Device Interface, SPEC.md 1.1.0; specs-go/version.go (which field
 * needs which version); pkg/parser/parser.go (names).
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/cdi.h"

enum cdi_format { CDI_JSON, CDI_YAML, CDI_FORMAT_COUNT };

/* By the end of its name, as CDI does: ".json" or ".yaml", nothing else. Return: false:
   it is no specification. */
bool cdi_format_of(const char *name, enum cdi_format *ret);

/**
 * cdi_read() - Read a specification
 * @text:	@len bytes; borrowed
 * @file:	its path, for messages and for `ret->file`
 * @ret:	filled on success only; cdi_spec_clear() it. Its `dir` is the caller's
 * @err:	EINVAL with file and place in it; E2BIG nested too deep, or over
 *		LIMIT_PLAN_ENTRIES of anything
 */
int cdi_read(const char *text, size_t len, enum cdi_format format, const char *file,
	     struct cdi_spec *ret, struct err *err);
