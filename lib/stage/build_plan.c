/* SPDX-License-Identifier: Apache-2.0 */
/* build_plan.c - chosen GPUs to a plan, through the vendors' injectors */

#include "stage/build_plan.h"

#include "injector/injectors.h"

/* What the user named decides: a GPU that stands in for another vendor's, or that was
   taken for its render node alone, is treated as what was asked for. */
static const struct gpu_injector *find_injector(const struct gpu_spec *spec,
						const struct gpu *gpu)
{
	bool is_by_id_alone = spec->n_devices > 0 && !spec->has_vendor;

	return injectors_find(is_by_id_alone ? gpu->vendor : spec->vendor);
}

int build_plan(const struct gpu_spec *spec, const struct selection *selection,
	       const struct container *ctr, struct plan *ret, struct err *err)
{
	cleanup(plan_clearp) struct plan plan = {0};

	for (size_t i = 0; i < selection->n_warnings; i++) {
		plan_warn(&plan, "%s", selection->warnings[i]);
	}
	for (size_t i = 0; i < selection->n_gpus; i++) {
		const struct gpu *gpu = selection->gpus[i];
		int r = find_injector(spec, gpu)->contribute(gpu, spec, ctr, &plan, err);

		if (r < 0) {
			return err_wrap(err, "%s:%u", gpu->vendor, gpu->index);
		}
	}
	*ret = plan;
	plan = (struct plan){0};
	return 0;
}
