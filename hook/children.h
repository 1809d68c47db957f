/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * children.h - the children that have parsed, so that none is left behind
 */

#include <sys/types.h>

/* To be waited for: one that sandbox_enter_parser() confines. */
void children_note(pid_t child);

/**
 * children_reap() - Wait for those that were noted
 *
 * A PID 1 that does not care keeps every zombie, and a machine has 32,768 numbers. They
 * have ended, or do so at once, since nobody listens to them any more; one that somebody
 * has taken over may use up its five seconds of processor time. Other children are let
 * be: a shell that became this program may have left it a reader of its own output.
 *
 * Should: come last, behind every message.
 */
void children_reap(void);
