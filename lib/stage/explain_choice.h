/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* explain_choice.h - why a request gets these GPUs, and not the others. Pure. */

#include <stdbool.h>

#include "model/verdict.h"
#include "stage/select.h"

/**
 * explain_choice() - A reason for every GPU of the inventory
 * @inv:	as select_gpus() had it: of one vendor alone where the
 *		request can mean no other
 * @terms:	likewise
 * @selection:	what came of it
 * @is_taken_over: it was not select_gpus() that chose, see take_choice()
 * @ret:	empty; verdicts_clear() it while @inv is still there
 *
 * For people, so of several reasons the first that they could do something about.
 */
void explain_choice(const struct gpu_spec *spec, const struct inventory *inv,
		    const struct select_terms *terms, const struct selection *selection,
		    bool is_taken_over, struct verdicts *ret);
