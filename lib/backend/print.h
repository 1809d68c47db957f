/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* print.h - the inventory and the plan for people and for programs */

#include <stdio.h>

#include "backend/apply/access.h"
#include "base/err.h"
#include "model/gpu_spec.h"
#include "model/holder.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "model/verdict.h"

/* What `plan` has to tell; @spec NULL: no request. */
struct plan_report {
	const struct gpu_spec *spec; /* NULL: no GPU is asked for */
	const char *key; /* the annotation that was looked for; NULL: none was */
	const struct gpu *const *gpus;
	size_t n_gpus;
	const struct verdicts *verdicts; /* of these GPUs and of the others */
	const struct plan *plan;
	const struct access *access; /* of the plan's nodes; NULL: nobody asked */
};

/* Each returns 0, or negative errno with @err set when @out does not take it all. */
int print_plan_json(FILE *out, const struct plan_report *report, struct err *err);
int print_plan_text(FILE *out, const struct plan_report *report, struct err *err);

/* @holders: who has which GPU; all of them alive */
int print_list_json(FILE *out, const struct inventory *inv, const struct holders *holders,
		    struct err *err);
int print_list_text(FILE *out, const struct inventory *inv, const struct holders *holders,
		    struct err *err);
