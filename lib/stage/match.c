/* SPDX-License-Identifier: Apache-2.0 */
/* match.c - does a GPU fit a request? */

#include "stage/match.h"

#include <string.h>

#include "base/text.h"
#include "injector/injectors.h"

bool match_is_usable(const struct gpu *gpu)
{
	return !gpu->unusable_reason;
}

const char *match_render_name(const struct gpu *gpu)
{
	const struct device_node *node = gpu_find_node(gpu, DEVICE_RENDER);
	const char *slash = node ? strrchr(node->path, '/') : NULL;

	return slash ? slash + 1 : NULL;
}

static bool has_alias(const struct gpu *gpu, const char *vendor)
{
	return gpu->alias && text_equals_no_case(gpu->alias, vendor);
}

bool match_has_driver(const struct gpu *gpu, const char *driver)
{
	return text_equals_no_case(gpu->driver ? gpu->driver : gpu->vendor, driver);
}

bool match_is_meant(const struct gpu *gpu, const char *vendor, enum meaning meaning)
{
	switch (meaning) {
	case MEANS_VENDOR:
		return text_equals_no_case(gpu->vendor, vendor);
	case MEANS_ALIAS:
		return has_alias(gpu, vendor);
	case MEANS_DRIVER:
		return match_has_driver(gpu, vendor) && match_render_name(gpu);
	case MEANS_RENDER_NODE:
		return match_render_name(gpu);
	}
	return false;
}

static bool is_any_meant(const struct inventory *inv, const char *vendor,
			 enum meaning meaning)
{
	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (match_is_usable(&inv->gpus[i]) &&
		    match_is_meant(&inv->gpus[i], vendor, meaning)) {
			return true;
		}
	}
	return false;
}

enum meaning match_find_meaning(const struct inventory *inv, const char *vendor)
{
	if (injectors_know(vendor)) {
		return !is_any_meant(inv, vendor, MEANS_VENDOR) &&
				       is_any_meant(inv, vendor, MEANS_ALIAS)
			       ? MEANS_ALIAS
			       : MEANS_VENDOR;
	}
	return is_any_meant(inv, vendor, MEANS_DRIVER) ? MEANS_DRIVER : MEANS_RENDER_NODE;
}

bool match_has_model(const struct gpu *gpu, const struct gpu_spec *spec)
{
	return !spec->model || text_contains_no_case(gpu->model, spec->model);
}

/* Capabilities say nothing of what a render node alone gives: compute is asked for by
   default, and which GPUs have it is known for the known vendors only. */
bool match_must_compute(const struct gpu_spec *spec, const struct inventory *inv,
			enum meaning meaning)
{
	if (!gpu_spec_has_capability(spec, GPU_CAPABILITY_COMPUTE) ||
	    meaning == MEANS_DRIVER || meaning == MEANS_RENDER_NODE) {
		return false;
	}
	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (match_is_usable(gpu) && gpu->can_compute &&
		    match_has_model(gpu, spec) &&
		    match_is_meant(gpu, spec->vendor, meaning)) {
			return true;
		}
	}
	return false;
}

bool match_fits(const struct gpu *gpu, const struct gpu_spec *spec, enum meaning meaning,
		bool needs_compute)
{
	return match_is_usable(gpu) && match_is_meant(gpu, spec->vendor, meaning) &&
	       match_has_model(gpu, spec) && (gpu->can_compute || !needs_compute);
}

bool match_is_candidate(const struct gpu *gpu, const struct gpu_spec *spec,
			const struct inventory *inv)
{
	enum meaning meaning = match_find_meaning(inv, spec->vendor);

	return match_fits(gpu, spec, meaning, match_must_compute(spec, inv, meaning));
}

bool match_is_index(const char *id, uint32_t *ret)
{
	return text_to_u32(id, strlen(id), ret) == 0;
}
