/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * state.h - the container's state as a runtime gives it to a hook
 *
 * Source: OCI runtime spec 1.2, runtime.md, "State"; what runc, crun and youki really
 * write: specs/sources.md.
 */

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

struct oci_state {
	char *id;     /* never NULL; "" if the runtime gave none */
	char *status; /* "creating" (runc, youki), "created" (crun) */
	char *bundle; /* absolute path */
	pid_t pid; /* in our PID namespace; 0: the runtime gave none (crun createContainer) */
};

void oci_state_clear(struct oci_state *state);
DEFINE_CLEANUP(struct oci_state, oci_state_clear)

/**
 * oci_state_parse() - Read the state
 * @ret:	filled on success only
 * @err:	EINVAL: no JSON object, no "bundle", a relative bundle, a wrong type, a pid that
 *		is negative, fractional or above INT_MAX; E2BIG: nested too deep
 *
 * Unknown keys are ignored: crun adds "root", youki its own. null counts as absent.
 */
int oci_state_parse(const char *text, size_t len, struct oci_state *ret, struct err *err);
