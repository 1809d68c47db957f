/* SPDX-License-Identifier: Apache-2.0 */
/* build_plan.c - chosen GPUs to a plan, through the vendors' injectors */

#include "stage/build_plan.h"

#include "injector/injectors.h"

int build_plan(const struct gpu_spec *spec, const struct selection *selection,
	       const struct container *ctr, struct plan *ret, struct err *err)
{
	cleanup(plan_clearp) struct plan plan = {0};

	for (size_t i = 0; i < selection->n_warnings; i++) {
		plan_warn(&plan, "%s", selection->warnings[i]);
	}
	for (size_t i = 0; i < selection->n_gpus; i++) {
		const struct gpu *gpu = selection->gpus[i];
		int r = injectors_find_serving(spec, gpu)->contribute(gpu, spec, ctr,
								      &plan, err);

		if (r < 0) {
			return err_wrap(err, "%s:%u", gpu->vendor, gpu->index);
		}
	}
	*ret = plan;
	plan = (struct plan){0};
	return 0;
}
