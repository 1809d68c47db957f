/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * explain.h - why a request gets no GPU, and what is there instead. Pure, private to
 * lib/stage.
 */

#include "base/err.h"
#include "stage/match.h"
#include "stage/select.h"

/* A warning that any render node is taken, to free(). */
char *explain_fallback(const struct inventory *inv, const char *vendor);

/* @found: GPUs that would do. @err: ENODEV if what is meant is there without a
   driver, else ENOENT. */
int explain_too_few(const struct gpu_spec *spec, const struct inventory *inv,
		    enum meaning meaning, size_t found, struct err *err);

/* ENOENT: no GPU has this id. */
int explain_absent_id(const struct gpu_spec *spec, const struct inventory *inv,
		      const char *id, struct err *err);

/* EINVAL: both GPUs have this id. */
int explain_ambiguous_id(const char *id, const struct gpu *first,
			 const struct gpu *second, struct err *err);

/* "container 'web' (process 4711) has it exclusively", to free(). */
char *explain_holder(const struct holder *holder);

/* EBUSY: enough GPUs fit, but other containers have them. @n_free:
   those that they do not. */
int explain_held(const struct gpu_spec *spec, const struct inventory *inv,
		 const struct select_terms *terms, enum meaning meaning, size_t wanted,
		 size_t n_free, struct err *err);

/* EBUSY: the one that was named. */
int explain_held_id(const struct gpu_spec *spec, const char *id, const struct gpu *gpu,
		    const struct holder *blocker, struct err *err);
