/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * state.h - the container's state as a runtime gives it to a hook
 *
 * Source: OCI runtime spec 1.2, runtime.md, "State"; what runc, crun and youki really
 * write: specs/sources.md.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

struct oci_state {
	char *id;     /* never NULL; "" if the runtime gave none */
	char *bundle; /* absolute path */
	pid_t pid;    /* in our PID namespace; 0: none was given (crun createContainer) */
};

void oci_state_clear(struct oci_state *state);
DEFINE_CLEANUP(struct oci_state, oci_state_clear)

/**
 * oci_state_parse() - Read the state
 * @ret:	filled on success only
 * @err:	EINVAL: no JSON object, no "bundle", a relative bundle, a wrong type, a
 *		pid that is negative, fractional or above INT_MAX; E2BIG: nested too deep
 *
 * Other keys are ignored: "status", crun's "root", youki's own. null counts as absent.
 */
int oci_state_parse(const char *text, size_t len, struct oci_state *ret, struct err *err);

/**
 * oci_state_find_bundle() - The bundle, without parsing
 * @ret:	room for @size bytes
 *
 * For the container that asks for nothing, whose state is not parsed: finds the one place
 * where the key "bundle" can be, and only a path without escapes.
 *
 * Return: false where that is not so plain; then oci_state_parse() is needed. A true is a
 * guess until oci_state_parse() says the same.
 */
bool oci_state_find_bundle(const char *text, size_t len, char *ret, size_t size);

/**
 * oci_state_check() - Is this what stands in the text?
 * @state:	what a parser that may lie says that it has read; no NULL in it
 * @err:	EBADMSG: it is not
 *
 * Another pid or bundle is another container, another id somebody else's lease.
 */
int oci_state_check(const char *text, size_t len, const struct oci_state *state,
		    struct err *err);
