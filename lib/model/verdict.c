/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.c - why each GPU of the host is given, or is not */

#include "model/verdict.h"

#include <stdlib.h>

#include "base/mem.h"

void verdicts_clear(struct verdicts *verdicts)
{
	for (size_t i = 0; i < verdicts->n; i++) {
		free(verdicts->verdict[i].reason);
	}
	free(verdicts->verdict);
	*verdicts = (struct verdicts){0};
}

void verdicts_take(struct verdicts *verdicts, const struct gpu *gpu, bool is_given,
		   char *reason)
{
	verdicts->verdict =
		xgrow(verdicts->verdict, verdicts->n, sizeof(*verdicts->verdict));
	verdicts->verdict[verdicts->n++] = (struct verdict){gpu, is_given, reason};
}

const char *verdicts_find_reason(const struct verdicts *verdicts, const struct gpu *gpu)
{
	for (size_t i = 0; i < verdicts->n; i++) {
		if (verdicts->verdict[i].gpu == gpu) {
			return verdicts->verdict[i].reason;
		}
	}
	return NULL;
}
