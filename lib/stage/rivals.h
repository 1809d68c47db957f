/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* rivals.h - which GPUs other containers have, for a request. Pure,
   private to lib/stage. */

#include "model/gpu_spec.h"
#include "model/holder.h"
#include "stage/select.h"

/* How a GPU stands with the other containers. */
struct standing {
	const struct holder *blocker; /* who keeps it from this request; NULL: nobody */
	size_t n_holders;	      /* other containers that have it, or a part of it */
	bool is_own;		      /* this container has it already */
};

/**
 * rivals_find_standing() - Look a GPU up in the ledger's list
 * @terms:	may have no holders: then every GPU is free
 *
 * An exclusive request is blocked by any holder, a shared one by an exclusive holder; a
 * GPU and its partitions block each other.
 */
struct standing rivals_find_standing(const struct select_terms *terms,
				     enum gpu_sharing sharing, const struct gpu *gpu);
