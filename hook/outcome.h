/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * outcome.h - from a request to a checked plan
 *
 * The second half of the way: GpuSpec -> inventory -> selection -> plan. The same for every
 * command that asks what a container gets, whatever is done with the plan then.
 */

#include "base/cleanup.h"
#include "base/err.h"
#include "host/host.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "report.h"
#include "request.h"
#include "stage/select.h"

/* From a GpuSpec to a checked plan; selection and inventory are what the plan stands on. */
struct outcome {
	struct inventory inventory;
	struct selection selection;
	struct plan plan;
};

void outcome_clear(struct outcome *outcome);
DEFINE_CLEANUP(struct outcome, outcome_clear)

/**
 * outcome_plan() - Look for GPUs, choose, plan and check
 * @request:	asking for GPUs, see request_is_asking(); its default capabilities are
 *		narrowed to those that the policy allows
 * @outcome:	zeroed; outcome_clear() it in any case
 * @err:	what the request, the policy or the host has against it
 */
int outcome_plan(const struct host *host, struct request *request,
		 struct outcome *outcome, struct err *err);

/**
 * outcome_report() - The plan's warnings, and which GPUs it gives
 * @id:		of the container, for the message
 */
void outcome_report(const struct outcome *outcome, const char *id,
		    const struct report *report);
