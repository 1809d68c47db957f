/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * outcome.h - from a request to a checked plan
 *
 * The second half of the way: GpuSpec -> inventory -> selection -> plan. The same for
 * every command that asks what a container gets, whatever is done with the plan then.
 */

#include "base/cleanup.h"
#include "base/err.h"
#include "host/host.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "model/verdict.h"
#include "report.h"
#include "request.h"
#include "stage/lease.h"
#include "stage/select.h"

/* From a GpuSpec to a checked plan; selection and inventory are what
   the plan stands on. */
struct outcome {
	struct inventory inventory;
	struct selection selection;
	struct verdicts verdicts; /* see outcome_explain() */
	struct plan plan;
	struct lease lease; /* the container's, with OUTCOME_TO_APPLY */
};

#define NO_OUTCOME                 \
	(struct outcome)           \
	{                          \
		.lease = NO_LEASE, \
	}

/* What will be done with the plan. */
enum purpose {
	OUTCOME_TO_SHOW,  /* who has which GPU is looked at */
	OUTCOME_TO_APPLY, /* the container is written down as a holder of what it gets */
};

void outcome_clear(struct outcome *outcome);
DEFINE_CLEANUP(struct outcome, outcome_clear)

/**
 * outcome_plan() - Look for GPUs, choose, plan and check
 * @host:	gets the settings' driver_root, which @request owns
 * @request:	asking for GPUs, see request_is_asking(); its default capabilities are
 *		narrowed to those that the policy allows
 * @outcome:	NO_OUTCOME; outcome_clear() it in any case, and where the container does
 *		not start after all lease_give_back() its lease before
 * @err:	what the request, the policy or the host has against it
 */
int outcome_plan(struct host *host, struct request *request, enum purpose purpose,
		 struct outcome *outcome, struct err *err);

/* Why these GPUs, and not the others: after outcome_plan() with OUTCOME_TO_SHOW. */
void outcome_explain(const struct request *request, struct outcome *outcome);

/**
 * outcome_report() - The plan's warnings, and which GPUs it gives
 * @id:		of the container, for the message
 */
void outcome_report(const struct outcome *outcome, const char *id,
		    const struct report *report);
