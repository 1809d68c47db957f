/* SPDX-License-Identifier: Apache-2.0 */
/* explain_choice.c - why a request gets these GPUs, and not the others */

#include "stage/explain_choice.h"

#include "base/mem.h"
#include "stage/explain.h"
#include "stage/match.h"
#include "stage/rivals.h"

/* All that the reasons depend on. */
struct choosing {
	const struct gpu_spec *spec;
	const struct select_terms *terms;
	const struct selection *selection;
	enum meaning meaning;
	bool needs_compute;
	bool is_taken_over;
};

static size_t count_holders(const struct choosing *choosing, const struct gpu *gpu)
{
	return rivals_find_standing(choosing->terms, choosing->spec->sharing, gpu)
		.n_holders;
}

/* "no container has it", "2 containers have it" */
static char *say_holders(size_t n, const char *comparison)
{
	return n == 0 ? xstrdup("no container has it")
		      : xasprintf("%zu container%s %s it%s", n, n == 1 ? "" : "s",
				  n == 1 ? "has" : "have", comparison);
}

/* @place: in the selection, which is in inventory order. */
static char *why_given(const struct choosing *choosing, const struct gpu *gpu,
		       size_t place)
{
	if (choosing->spec->n_devices > 0) {
		return xstrdup("asked for by its id");
	}
	if (choosing->is_taken_over) {
		return xstrdup("chosen by precreate");
	}
	if (choosing->spec->is_all) {
		return xstrdup("all are asked for");
	}
	if (choosing->terms->order == GPU_ORDER_SPREAD) {
		return say_holders(count_holders(choosing, gpu), ", none has fewer");
	}
	return xstrdup(place == 0 ? "first that fits" : "next that fits");
}

/* It could have been given. */
static char *why_left_over(const struct choosing *choosing, const struct gpu *gpu)
{
	size_t n = count_holders(choosing, gpu);
	size_t most = 0;

	if (choosing->is_taken_over) {
		return xstrdup("not chosen by precreate");
	}
	for (size_t i = 0; i < choosing->selection->n_gpus; i++) {
		size_t its = count_holders(choosing, choosing->selection->gpus[i]);

		most = its > most ? its : most;
	}
	if (choosing->terms->order == GPU_ORDER_SPREAD && n > most) {
		return say_holders(n, ", those given fewer");
	}
	return xasprintf("fits, but comes later, and %u %s asked", choosing->spec->count,
			 choosing->spec->count == 1 ? "is" : "are");
}

static char *why_not_meant(const struct choosing *choosing, const struct gpu *gpu)
{
	const char *vendor = choosing->spec->vendor;

	switch (choosing->meaning) {
	case MEANS_VENDOR:
	case MEANS_ALIAS:
		break;
	case MEANS_DRIVER:
		if (!match_has_driver(gpu, vendor)) {
			return xasprintf("its driver is not '%s'", vendor);
		}
		return xstrdup("no render node");
	case MEANS_RENDER_NODE:
		return xstrdup("no render node");
	}
	return xasprintf("no GPU of '%s'", vendor);
}

static char *why_not(const struct choosing *choosing, const struct gpu *gpu)
{
	const struct gpu_spec *spec = choosing->spec;
	const struct holder *blocker;

	if (spec->n_devices > 0) {
		return xstrdup("not among the ids asked for");
	}
	if (!match_is_usable(gpu)) {
		return xasprintf("not usable: %s", gpu->unusable_reason);
	}
	if (!match_is_meant(gpu, spec->vendor, choosing->meaning)) {
		return why_not_meant(choosing, gpu);
	}
	if (!match_has_model(gpu, spec)) {
		return xasprintf("is '%s', not of model '%s'", gpu->model, spec->model);
	}
	if (choosing->needs_compute && !gpu->can_compute) {
		return xstrdup("cannot compute");
	}
	blocker = rivals_find_standing(choosing->terms, spec->sharing, gpu).blocker;
	return blocker ? explain_holder(blocker) : why_left_over(choosing, gpu);
}

void explain_choice(const struct gpu_spec *spec, const struct inventory *inv,
		    const struct select_terms *terms, const struct selection *selection,
		    bool is_taken_over, struct verdicts *ret)
{
	struct choosing choosing = {
		.spec = spec,
		.terms = terms,
		.selection = selection,
		.meaning = match_find_meaning(inv, spec->vendor),
		.is_taken_over = is_taken_over,
	};
	size_t place = 0;

	choosing.needs_compute = match_must_compute(spec, inv, choosing.meaning);
	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (place < selection->n_gpus && selection->gpus[place] == gpu) {
			verdicts_take(ret, gpu, true, why_given(&choosing, gpu, place));
			place++;
		} else {
			verdicts_take(ret, gpu, false, why_not(&choosing, gpu));
		}
	}
}
