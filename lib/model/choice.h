/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * choice.h - GPUs that were chosen before, by name
 *
 * precreate writes them into an annotation, so that createRuntime, which runs later for
 * the same container, does not choose others. Who writes annotations may forge it: it is
 * no more than a wish, see stage/take_choice.h.
 */

#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/inventory.h"

#define CHOICE_ANNOTATION "io.oci-gpu-hook.chosen"

struct choice {
	char **ids; /* "0000:c1:00.0", "renderD129", "nvidia:0" */
	size_t n;
};

void choice_clear(struct choice *choice);
DEFINE_CLEANUP(struct choice, choice_clear)

/* The name of one GPU in a choice: its PCI address; for a partition, which
   shares that with others, and for a GPU without one, its render node; else
   vendor and index. free() it. */
char *choice_id_of(const struct gpu *gpu);

/* "v1 0000:c1:00.0 renderD129", to free(). */
char *choice_format(const struct gpu *const *gpus, size_t n);

/**
 * choice_parse() - Read what choice_format() writes, and nothing else
 * @text:	@len bytes; borrowed
 * @err:	EINVAL, E2BIG over LIMIT_GPUS
 */
int choice_parse(const char *text, size_t len, struct choice *ret, struct err *err);
