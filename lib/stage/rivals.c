/* SPDX-License-Identifier: Apache-2.0 */
/* rivals.c - which GPUs other containers have, for a request */

#include "stage/rivals.h"

#include "base/cleanup.h"
#include "base/text.h"

struct standing rivals_find_standing(const struct select_terms *terms,
				     enum gpu_sharing sharing, const struct gpu *gpu)
{
	struct standing standing = {0};
	autofree char *key = NULL;

	if (!terms->holders || terms->holders->n == 0) {
		return standing;
	}
	key = gpu_key(gpu);
	for (size_t i = 0; i < terms->holders->n; i++) {
		const struct holder *holder = &terms->holders->holder[i];

		if (!gpu_key_overlaps(holder->gpu, key)) {
			continue;
		}
		if (terms->own && process_id_equals(&holder->init, terms->own)) {
			standing.is_own |= text_equals(holder->gpu, key);
			continue;
		}
		standing.n_holders++;
		if (!standing.blocker &&
		    (sharing == GPU_SHARING_EXCLUSIVE || holder->is_exclusive)) {
			standing.blocker = holder;
		}
	}
	return standing;
}
