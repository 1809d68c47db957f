/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* sandbox.h - what the program gives up, and when */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/**
 * sandbox_start() - Leave behind what the caller's environment brought along
 *
 * Descriptors above 2 are closed and missing ones up to 2 are filled with one that can be
 * neither read nor written; the environment is emptied; all signals are unblocked (crun
 * blocks every one) and the deadline's is at its default; the umask is 022 (crun's is 0);
 * no new privileges, no core dump, not traceable by others.
 *
 * Should: be the first call of main(), but for looking into the environment.
 * Mustn't: come behind anything that opens a file or keeps a variable of the environment.
 */
void sandbox_start(void);

/**
 * sandbox_guard_stderr() - Write no line into a file that an image has chosen
 *
 * For every hook crun opens the file that the annotation run.oci.hooks.stderr names, as
 * root, on the host, and makes it our standard error; podman lets an image set
 * annotations, and our messages have words of the image in them. So only what cannot have
 * been opened like that stays: a pipe, a socket, a terminal or /dev/null that is not open
 * to append. Anything else is exchanged for a descriptor that cannot be written; the line
 * is in the log all the same.
 *
 * Should: come before the first word of anybody but our caller is read.
 *
 * Return: false: it was exchanged.
 * Source: crun src/libcrun/container.c, do_hooks().
 */
bool sandbox_guard_stderr(void);

/**
 * sandbox_enter_parser() - Become the child that parses
 * @reply_fd:	becomes standard output; every other descriptor is closed
 * @parent:	whoever forked us
 * @memory_bytes: what malloc() can give out from now on, in all
 *
 * No capability, an uid of its own, in a user namespace nobody's, where we may
 * change to it, a limit of time, death with @parent, and seccomp's strict mode:
 * read, write and exit are all that is left. End with sandbox_exit_parser(), since
 * exit() and _exit() are not.
 *
 * Should: come right behind the fork, with all that is to be parsed read into memory.
 * Mustn't: be called in the process that goes on.
 */
int sandbox_enter_parser(int reply_fd, pid_t parent, size_t memory_bytes,
			 struct err *err);

/* The system call "exit", which strict mode knows; nothing is flushed. */
_Noreturn void sandbox_exit_parser(int status);

/**
 * sandbox_enter_host() - Give up what finding GPUs and applying a plan do not need
 *
 * Capabilities kept, where we have them: CAP_SYS_ADMIN (mounts, setns, device programs),
 * CAP_NET_ADMIN (Linux 6.1, of Debian 12, lists and attaches device programs for nobody
 * else; the filter allows no socket but AF_UNIX), CAP_SYS_CHROOT (setns), CAP_SYS_PTRACE
 * (namespaces of a process with more capabilities than ours), CAP_SETUID and CAP_SETGID
 * (file system ids of a mapped root), CAP_DAC_OVERRIDE (the container's directories),
 * CAP_MKNOD and CAP_CHOWN (nodes of the container's own, private_node.h), CAP_KILL (not
 * for kill(), which the filter refuses: without it the parser, which has another uid,
 * would not die with us). No other can come back: the bounding set does not matter, since
 * nothing can be executed any more.
 *
 * Should: come before the host or the container is looked at; while the parser works,
 * since loading the filter takes its time.
 * Mustn't: come before the bundle has been read and the parser has been started.
 */
int sandbox_enter_host(struct err *err);

/**
 * sandbox_enter_container() - Give up what is of no use in the
 * container's mount namespace
 *
 * What is left: CAP_SYS_ADMIN, CAP_NET_ADMIN (to put a device program back),
 * CAP_SETUID, CAP_SETGID, CAP_DAC_OVERRIDE, and the container's filter, which knows no
 * path but through openat2().
 *
 * Needs: sandbox_enter_host() before, whose filter allows this.
 * Should: be the first thing after setns().
 * Mustn't: be called while a path of the host is still to be opened,
 * or a mount of it cloned.
 */
int sandbox_enter_container(struct err *err);

/**
 * sandbox_finish() - Give up every capability
 *
 * Should: come as soon as the plan is applied, or undone: what is left is to say so, with
 * words of the image in it, and to give a lease back, whose files are our user's.
 * Mustn't: come before the last step that may have to be undone.
 */
void sandbox_finish(void);
