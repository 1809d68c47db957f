/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* filter.h - system call filters, made at build time from filter_rules.h */

#include "base/err.h"

enum filter_phase {
	FILTER_HOST,	  /* from the parsed request on */
	FILTER_CONTAINER, /* after setns() */
	FILTER_COUNT,
};

/**
 * filter_load() - Allow only the system calls of a phase from now on
 *
 * A filter stays, and a later one only narrows.
 *
 * Needs: no_new_privs, see sandbox_start(); a single thread, since no other gets it.
 * Should: come behind the capabilities' change, which the container's filter refuses.
 * Mustn't: be asked for FILTER_HOST behind FILTER_CONTAINER: it would give nothing back.
 */
int filter_load(enum filter_phase phase, struct err *err);
