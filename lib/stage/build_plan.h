/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* build_plan.h - chosen GPUs to a plan, through the vendors' injectors. Pure. */

#include "model/container.h"
#include "model/gpu_spec.h"
#include "model/plan.h"
#include "stage/select.h"

/**
 * build_plan() - Let the injector of each chosen GPU contribute
 * @err:	what an injector said, with the GPU's name before it
 *
 * A request for a vendor is served by that vendor's injector, whatever the GPU; a request
 * by device id alone by the GPU's own.
 */
int build_plan(const struct gpu_spec *spec, const struct selection *selection,
	       const struct container *ctr, struct plan *ret, struct err *err);
