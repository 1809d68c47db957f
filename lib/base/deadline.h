/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * deadline.h - one deadline for the whole run
 *
 * At the deadline SIGALRM interrupts a call that waits, and every later deadline_check()
 * fails, so that what has been done is undone and reported. If the program is still
 * there after the grace, for instance in a call of the kernel that does not end, the
 * next SIGALRM kills it.
 */

#include <stdbool.h>

#include "base/err.h"

/**
 * deadline_start() - Start the clock
 * @seconds:	until the run is given up
 * @grace_seconds: for undoing and reporting
 *
 * Needs: SIGALRM unblocked.
 */
void deadline_start(unsigned int seconds, unsigned int grace_seconds);

/* For a caller that knows better than deadline_check() what is waited for. */
bool deadline_has_passed(void);

/**
 * deadline_check() - Fail if it has passed
 * @doing:	for the message, what has taken so long: "apply the plan"; borrowed
 * @err:	ETIMEDOUT: it has passed
 */
int deadline_check(const char *doing, struct err *err);

/* Milliseconds of a clock that never goes back; for a step that has
   less time than the run. */
long long deadline_clock_ms(void);
