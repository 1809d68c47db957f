/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* verdict.h - why each GPU of the host is given, or is not */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "model/inventory.h"

struct verdict {
	const struct gpu *gpu; /* borrowed from the inventory */
	bool is_given;
	char *reason; /* "first that fits", "cannot compute" */
};

/* One for each GPU that was looked at, in inventory order. */
struct verdicts {
	struct verdict *verdict;
	size_t n;
};

void verdicts_clear(struct verdicts *verdicts);
DEFINE_CLEANUP(struct verdicts, verdicts_clear)

/* Appends one; @reason is taken. */
void verdicts_take(struct verdicts *verdicts, const struct gpu *gpu, bool is_given,
		   char *reason);

/* Why @gpu is given, or is not; NULL: nobody has said. */
const char *verdicts_find_reason(const struct verdicts *verdicts, const struct gpu *gpu);
