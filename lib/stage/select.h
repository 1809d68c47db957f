/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* select.h - which GPUs of the inventory a request gets. Pure. */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/gpu_spec.h"
#include "model/holder.h"
#include "model/inventory.h"
#include "model/policy.h"

struct selection {
	const struct gpu **gpus; /* borrowed from the inventory, in inventory order */
	size_t n_gpus;
	char **warnings; /* "unknown vendor 'nvdia': ..." */
	size_t n_warnings;
};

/* What the host's other containers and its operator have to do with it. */
struct select_terms {
	enum gpu_order order;
	const struct holders *holders; /* of all containers; NULL: nobody keeps count */
	/* This container, which may have chosen before, at another
	   stage; NULL: it has not. */
	const struct process_id *own;
};

bool selection_has(const struct selection *selection, const struct gpu *gpu);

void selection_clear(struct selection *selection);
DEFINE_CLEANUP(struct selection, selection_clear)

/**
 * select_gpus() - Choose
 * @inv:	numbered; for a shortage of a known vendor's GPUs the caller probes all
 *		vendors and calls again, so that the message can say what is there instead
 * @terms:	borrowed
 * @err:	EBUSY: enough GPUs, but other containers have them; ENOENT: too few GPUs
 *		(asked and found, and what is there), or no GPU with an id; ENODEV: the
 *		GPU is there, its driver is not; EINVAL: two ids of one GPU
 *
 * What this container has already is taken first: both stages of the hook choose the
 * same. By vendor, or by the DRM driver's name, or any render node (specs/annotation.md).
 * With compute asked for, GPUs that cannot compute do not count, unless none can.
 */
int select_gpus(const struct gpu_spec *spec, const struct inventory *inv,
		const struct select_terms *terms, struct selection *ret, struct err *err);
