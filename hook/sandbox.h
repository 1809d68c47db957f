/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* sandbox.h - what the program gives up, and when */

#include "base/err.h"

/**
 * sandbox_start() - Leave behind what the caller's environment brought along
 *
 * Descriptors above 2 are closed and missing ones up to 2 are filled with one that can be
 * neither read nor written; the environment is emptied; all signals are unblocked (crun
 * blocks every one) and the deadline's is at its default; the umask is 022 (crun's is 0);
 * no new privileges, no core dump, not traceable by others.
 *
 * Should: be the first call of main().
 */
void sandbox_start(void);

/**
 * sandbox_set_deadline() - End the program if it takes too long
 *
 * The hooks.d file gives the hook 15 seconds, and a runtime may give it for ever. What is
 * read from a pipe has a limit of its own below this one; so this is for a kernel that
 * does not answer.
 */
void sandbox_set_deadline(void);

/**
 * sandbox_keep_capabilities() - Give up every capability that applying a plan does not need
 *
 * Kept, where we have them: CAP_SYS_ADMIN (mounts, setns, device programs), CAP_SYS_CHROOT
 * (setns), CAP_SYS_PTRACE (namespaces of a process with more capabilities than ours),
 * CAP_SETUID and CAP_SETGID (file system ids of a mapped root), CAP_DAC_OVERRIDE (the
 * container's directories).
 *
 * Mustn't: be called before the bundle has been read: a rootless engine's files may need
 * more.
 */
int sandbox_keep_capabilities(struct err *err);
