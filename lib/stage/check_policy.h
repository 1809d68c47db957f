/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * check_policy.h - what the operator's policy says of a request. Pure.
 *
 * GPUs are judged by what they are, after they have been chosen, and never by
 * the name that the request has for them: the fallback to any render node would
 * lead around every rule.
 */

#include <stdint.h>

#include "model/gpu_spec.h"
#include "model/plan.h"
#include "model/policy.h"
#include "stage/select.h"

/**
 * check_policy_request() - May this be asked for?
 * @file:	where the policy stands, for the message
 * @spec:	the default capabilities, which nobody named, are
 *		narrowed to the allowed ones
 * @ret_left_out: what they have lost, for check_policy_warn()
 * @err:	EPERM, naming the rule: a capability by name, or exclusive GPUs
 *
 * Should: come before the selection, which looks at capabilities.
 */
int check_policy_request(const struct policy *policy, const char *file,
			 struct gpu_spec *spec, uint32_t *ret_left_out, struct err *err);

/**
 * check_policy_gpus() - May these GPUs be given?
 * @err:	EPERM, naming the first GPU that may not, the rule and the file
 */
int check_policy_gpus(const struct policy *policy, const char *file,
		      const struct gpu_spec *spec, const struct selection *selection,
		      struct err *err);

/* Warns of default capabilities that the policy has left out, if it has any. */
void check_policy_warn(uint32_t left_out, const char *file, struct plan *plan);
