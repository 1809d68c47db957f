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
#include "stage/rivals.h"

/* ---- by number --------------------------------------------------------------------- */

/* A GPU that fits, and how it stands. */
struct candidate {
	const struct gpu *gpu;
	struct standing standing;
};

/* Is @a taken before @b, wherever they stand in the inventory? */
static bool comes_before(const struct select_terms *terms, const struct candidate *a,
			 const struct candidate *b)
{
	if (a->standing.is_own != b->standing.is_own) {
		return a->standing.is_own;
	}
	return terms->order == GPU_ORDER_SPREAD &&
	       a->standing.n_holders < b->standing.n_holders;
}

/* Puts it behind those that come before it, or are equal: equals stay
   in inventory order. */
static void insert(const struct select_terms *terms, struct candidate *candidates,
		   size_t n, const struct candidate *candidate)
{
	while (n > 0 && comes_before(terms, candidate, &candidates[n - 1])) {
		candidates[n] = candidates[n - 1];
		n--;
	}
	candidates[n] = *candidate;
}

static int compare_place(const void *a, const void *b)
{
	const struct gpu *const *left = a;
	const struct gpu *const *right = b;

	/* Elements of one array. */
	return *left < *right ? -1 : *left > *right;
}

static int select_by_number(const struct gpu_spec *spec, const struct inventory *inv,
			    const struct select_terms *terms, enum meaning meaning,
			    struct selection *selection, struct err *err)
{
	autofree struct candidate *free_ones = xcalloc(inv->n_gpus, sizeof(*free_ones));
	bool needs_compute = match_must_compute(spec, inv, meaning);
	size_t n_fitting = 0;
	size_t n_free = 0;
	size_t wanted;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		struct candidate candidate = {.gpu = &inv->gpus[i]};

		if (!match_fits(candidate.gpu, spec, meaning, needs_compute)) {
			continue;
		}
		n_fitting++;
		candidate.standing =
			rivals_find_standing(terms, spec->sharing, candidate.gpu);
		if (!candidate.standing.blocker) {
			insert(terms, free_ones, n_free++, &candidate);
		}
	}
	wanted = spec->is_all ? n_fitting : spec->count;
	if (n_fitting < wanted || n_fitting == 0) {
		return explain_too_few(spec, inv, meaning, n_fitting, err);
	}
	if (n_free < wanted) {
		return explain_held(spec, inv, terms, meaning, wanted, n_free, err);
	}
	for (size_t i = 0; i < wanted; i++) {
		selection->gpus[selection->n_gpus++] = free_ones[i].gpu;
	}
	qsort(selection->gpus, selection->n_gpus, sizeof(struct gpu *), compare_place);
	return 0;
}

/* ---- by id ------------------------------------------------------------------------- */

/* "amd:0", as `list` shows it. */
static bool has_vendor_and_index(const struct gpu *gpu, const char *id)
{
	size_t len = strlen(gpu->vendor);
	uint32_t index;

	return strncasecmp(id, gpu->vendor, len) == 0 && id[len] == ':' &&
	       text_to_u32(id + len + 1, strlen(id + len + 1), &index) == 0 &&
	       index == gpu->index;
}

/* "amd:0", "0000:C1:00.0", "c1:00.0", "GPU-...", "0x...", "0:1", "renderD128" */
static bool has_name(const struct gpu *gpu, const char *id)
{
	const char *without_domain = gpu->pci ? strchr(gpu->pci, ':') : NULL;
	const char *render = match_render_name(gpu);

	return has_vendor_and_index(gpu, id) ||
	       (gpu->pci && text_equals_no_case(gpu->pci, id)) ||
	       (without_domain && text_equals_no_case(without_domain + 1, id)) ||
	       (gpu->uuid && text_equals_no_case(gpu->uuid, id)) ||
	       (gpu->partition_name && text_equals(gpu->partition_name, id)) ||
	       (render && text_equals(render, id));
}

/* A part has its GPU's address. Who writes that means the GPU, which says why it is no
   use as a whole, where it is here; in the inventory it comes before its parts. */
static bool is_part_of(const struct gpu *gpu, const struct gpu *whole)
{
	return gpu->partition != NO_PARTITION && whole->partition == NO_PARTITION &&
	       gpu->pci && whole->pci && text_equals(gpu->pci, whole->pci);
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
		if (found < inv->n_gpus && is_part_of(gpu, &inv->gpus[found])) {
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

static int check_by_id(const struct gpu_spec *spec, const struct select_terms *terms,
		       enum meaning meaning, const char *id, const struct gpu *gpu,
		       struct err *err)
{
	const struct holder *blocker;
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
	blocker = rivals_find_standing(terms, spec->sharing, gpu).blocker;
	return blocker ? explain_held_id(spec, id, gpu, blocker, err) : 0;
}

static int select_by_ids(const struct gpu_spec *spec, const struct inventory *inv,
			 const struct select_terms *terms, enum meaning meaning,
			 struct selection *selection, struct err *err)
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
		r = check_by_id(spec, terms, meaning, id, &inv->gpus[n], err);
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

/* ---- both -------------------------------------------------------------------------- */

bool selection_has(const struct selection *selection, const struct gpu *gpu)
{
	for (size_t i = 0; i < selection->n_gpus; i++) {
		if (selection->gpus[i] == gpu) {
			return true;
		}
	}
	return false;
}

void selection_clear(struct selection *selection)
{
	free_texts(selection->warnings, selection->n_warnings);
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
		const struct select_terms *terms, struct selection *ret, struct err *err)
{
	cleanup(selection_clearp) struct selection selection = {0};
	enum meaning meaning = match_find_meaning(inv, spec->vendor);
	int r;

	selection.gpus = xcalloc(inv->n_gpus, sizeof(struct gpu *));
	if (meaning == MEANS_RENDER_NODE) {
		warn_of_fallback(inv, spec->vendor, &selection);
	}
	r = spec->n_devices > 0
		    ? select_by_ids(spec, inv, terms, meaning, &selection, err)
		    : select_by_number(spec, inv, terms, meaning, &selection, err);
	if (r < 0) {
		return r;
	}
	*ret = selection;
	selection = (struct selection){0};
	return 0;
}
