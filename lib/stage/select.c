/* SPDX-License-Identifier: Apache-2.0 */
/* select.c - which GPUs of the inventory a request gets */

#include "stage/select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "stage/explain.h"
#include "stage/match.h"

/* ---- by number ------------------------------------------------------------------------ */

static int select_by_number(const struct gpu_spec *spec, const struct inventory *inv,
			    enum meaning meaning, struct selection *selection,
			    struct err *err)
{
	bool needs_compute = match_must_compute(spec, inv, meaning);

	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (!spec->is_all && selection->n_gpus == spec->count) {
			break;
		}
		if (match_is_usable(gpu) && match_is_meant(gpu, spec->vendor, meaning) &&
		    match_has_model(gpu, spec) && (gpu->can_compute || !needs_compute)) {
			selection->gpus[selection->n_gpus++] = gpu;
		}
	}
	if (spec->is_all ? selection->n_gpus == 0 : selection->n_gpus < spec->count) {
		return explain_too_few(spec, inv, meaning, selection->n_gpus, err);
	}
	return 0;
}

/* ---- by id ---------------------------------------------------------------------------- */

/* "amd:0", as `list` shows it. */
static bool has_vendor_and_index(const struct gpu *gpu, const char *id)
{
	size_t len = strlen(gpu->vendor);
	uint32_t index;

	return strncasecmp(id, gpu->vendor, len) == 0 && id[len] == ':' &&
	       text_to_u32(id + len + 1, strlen(id + len + 1), &index) == 0 &&
	       index == gpu->index;
}

/* "amd:0", "0000:C1:00.0", "c1:00.0", "GPU-...", "0x...", "renderD128" */
static bool has_name(const struct gpu *gpu, const char *id)
{
	const char *without_domain = gpu->pci ? strchr(gpu->pci, ':') : NULL;
	const char *render = match_render_name(gpu);

	return has_vendor_and_index(gpu, id) ||
	       (gpu->pci && text_equals_no_case(gpu->pci, id)) ||
	       (without_domain && text_equals_no_case(without_domain + 1, id)) ||
	       (gpu->uuid && text_equals_no_case(gpu->uuid, id)) ||
	       (render && text_equals(render, id));
}

static int find_by_id(const struct gpu_spec *spec, const struct inventory *inv,
		      enum meaning meaning, const char *id, size_t *ret, struct err *err)
{
	size_t found = inv->n_gpus;
	uint32_t index = 0;
	bool by_index = match_is_index(id, &index);

	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (by_index ? gpu->index != index ||
				       !match_is_meant(gpu, spec->vendor, meaning)
			     : !has_name(gpu, id)) {
			continue;
		}
		if (found < inv->n_gpus) {
			return explain_ambiguous_id(id, &inv->gpus[found], gpu, err);
		}
		found = i;
	}
	if (found == inv->n_gpus) {
		return explain_absent_id(spec, inv, id, err);
	}
	*ret = found;
	return 0;
}

static int check_by_id(const struct gpu_spec *spec, enum meaning meaning, const char *id,
		       const struct gpu *gpu, struct err *err)
{
	uint32_t index;
	bool needs_vendor = spec->has_vendor || match_is_index(id, &index);

	if (needs_vendor && !match_is_meant(gpu, spec->vendor, meaning)) {
		if (meaning == MEANS_RENDER_NODE) {
			return err_set(err, EINVAL,
				       "device '%s': is %s:%u, which has no render node; "
				       "ask for vendor '%s'",
				       id, gpu->vendor, gpu->index, gpu->vendor);
		}
		return err_set(
			err, EINVAL,
			"device '%s': is %s:%u, not a GPU of '%s'; leave the vendor "
			"out or ask for '%s'",
			id, gpu->vendor, gpu->index, spec->vendor, gpu->vendor);
	}
	if (!match_is_usable(gpu)) {
		return err_set(err, gpu->driver ? ENOENT : ENODEV,
			       "device '%s': %s:%u is not usable: %s", id, gpu->vendor,
			       gpu->index, gpu->unusable_reason);
	}
	if (!match_has_model(gpu, spec)) {
		return err_set(err, ENOENT,
			       "device '%s': %s:%u is '%s', not of model '%s'", id,
			       gpu->vendor, gpu->index, gpu->model, spec->model);
	}
	return 0;
}

static int select_by_ids(const struct gpu_spec *spec, const struct inventory *inv,
			 enum meaning meaning, struct selection *selection,
			 struct err *err)
{
	/* The id that chose each GPU, or NULL. */
	autofree const char **chosen_by = xcalloc(inv->n_gpus, sizeof(*chosen_by));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < spec->n_devices; i++) {
		const char *id = spec->devices[i];

		r = find_by_id(spec, inv, meaning, id, &n, err);
		if (r < 0) {
			return r;
		}
		r = check_by_id(spec, meaning, id, &inv->gpus[n], err);
		if (r < 0) {
			return r;
		}
		if (chosen_by[n]) {
			return err_set(err, EINVAL,
				       "device '%s': is the same GPU as '%s', %s:%u", id,
				       chosen_by[n], inv->gpus[n].vendor,
				       inv->gpus[n].index);
		}
		chosen_by[n] = id;
	}
	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (chosen_by[i]) {
			selection->gpus[selection->n_gpus++] = &inv->gpus[i];
		}
	}
	return 0;
}

/* ---- both ----------------------------------------------------------------------------- */

void selection_clear(struct selection *selection)
{
	for (size_t i = 0; i < selection->n_warnings; i++) {
		free(selection->warnings[i]);
	}
	free(selection->warnings);
	free(selection->gpus);
	*selection = (struct selection){0};
}

static void warn_of_fallback(const struct inventory *inv, const char *vendor,
			     struct selection *selection)
{
	selection->warnings = xgrow(selection->warnings, selection->n_warnings,
				    sizeof(*selection->warnings));
	selection->warnings[selection->n_warnings++] = explain_fallback(inv, vendor);
}

int select_gpus(const struct gpu_spec *spec, const struct inventory *inv,
		struct selection *ret, struct err *err)
{
	cleanup(selection_clearp) struct selection selection = {0};
	enum meaning meaning = match_find_meaning(inv, spec->vendor);
	int r;

	if (spec->sharing == GPU_SHARING_EXCLUSIVE) {
		return err_set(err, EOPNOTSUPP,
			       "sharing 'exclusive': exclusive GPUs are not supported by "
			       "this version; use 'shared'");
	}
	selection.gpus = xcalloc(inv->n_gpus, sizeof(struct gpu *));
	if (meaning == MEANS_RENDER_NODE) {
		warn_of_fallback(inv, spec->vendor, &selection);
	}
	r = spec->n_devices > 0 ? select_by_ids(spec, inv, meaning, &selection, err)
				: select_by_number(spec, inv, meaning, &selection, err);
	if (r < 0) {
		return r;
	}
	*ret = selection;
	selection = (struct selection){0};
	return 0;
}
