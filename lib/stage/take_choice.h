/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* take_choice.h - take over GPUs that were chosen before. Pure. */

#include "model/choice.h"
#include "stage/select.h"

/**
 * take_choice() - Give the chosen GPUs instead of the first that fit
 * @choice:	with at least one id
 * @selection:	what the request gets otherwise; changed on success
 * @terms:	as select_gpus()
 * @err:	EPERM: not what the request could have got; EBUSY:
 *		another container has it
 *
 * Whoever could write the annotation is believed nothing: the chosen GPUs must be as many
 * as were asked for, each one that the request could get. Where the request leaves no
 * choice, by ids or for all, they must be exactly its GPUs.
 *
 * Should: be called before the policy is asked about the GPUs.
 */
int take_choice(const struct choice *choice, const struct gpu_spec *spec,
		const struct inventory *inv, const struct select_terms *terms,
		struct selection *selection, struct err *err);
