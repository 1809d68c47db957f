/* SPDX-License-Identifier: Apache-2.0 */
/* take_choice.c - take over GPUs that were chosen before */

#include "stage/take_choice.h"

#include <errno.h>

#include "base/mem.h"
#include "base/text.h"
#include "stage/match.h"
#include "stage/rivals.h"

static int refuse(const char *id, const char *why, struct err *err)
{
	return err_set(err, EPERM,
		       "take over '%s' of annotation '" CHOICE_ANNOTATION
		       "': %s; remove the annotation",
		       id, why);
}

/* Return: the GPU with this id, or NULL. Two that have it would be a choice of none. */
static const struct gpu *find_gpu(const struct inventory *inv, const char *id)
{
	const struct gpu *found = NULL;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		autofree char *name = choice_id_of(&inv->gpus[i]);

		if (text_equals(name, id)) {
			if (found) {
				return NULL;
			}
			found = &inv->gpus[i];
		}
	}
	return found;
}

/* Could this GPU stand in the selection? */
static bool could_be_selected(const struct gpu_spec *spec, const struct inventory *inv,
			      const struct selection *selection, const struct gpu *gpu)
{
	if (spec->n_devices > 0 || spec->is_all) {
		return selection_has(selection, gpu);
	}
	return match_is_candidate(gpu, spec, inv);
}

static const struct holder *find_blocker(const struct select_terms *terms,
					 const struct gpu_spec *spec,
					 const struct gpu *gpu)
{
	return rivals_find_standing(terms, spec->sharing, gpu).blocker;
}

int take_choice(const struct choice *choice, const struct gpu_spec *spec,
		const struct inventory *inv, const struct select_terms *terms,
		struct selection *selection, struct err *err)
{
	struct selection chosen = {0};
	int r = 0;

	if (choice->n != selection->n_gpus) {
		return err_set(
			err, EPERM,
			"take over annotation '" CHOICE_ANNOTATION
			"': it names %zu GPUs and the request gets %zu; remove the "
			"annotation",
			choice->n, selection->n_gpus);
	}
	chosen.gpus = xcalloc(inv->n_gpus, sizeof(struct gpu *));
	for (size_t i = 0; i < choice->n && r == 0; i++) {
		const struct gpu *gpu = find_gpu(inv, choice->ids[i]);

		if (!gpu || !could_be_selected(spec, inv, selection, gpu)) {
			r = refuse(choice->ids[i],
				   "it is no GPU here that the request could get", err);
		} else if (selection_has(&chosen, gpu)) {
			r = refuse(choice->ids[i], "it is named twice", err);
		} else if (find_blocker(terms, spec, gpu)) {
			r = err_set(err, EBUSY,
				    "take over '%s' of annotation '" CHOICE_ANNOTATION
				    "': container '%s' has it by now; start this one "
				    "again",
				    choice->ids[i], find_blocker(terms, spec, gpu)->id);
		} else {
			chosen.gpus[chosen.n_gpus++] = gpu;
		}
	}
	/* In inventory order, as every selection. */
	for (size_t i = 0, n = 0; i < inv->n_gpus && r == 0; i++) {
		if (selection_has(&chosen, &inv->gpus[i])) {
			selection->gpus[n++] = &inv->gpus[i];
		}
	}
	selection_clear(&chosen);
	return r;
}
