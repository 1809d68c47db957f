/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* procfs.h - /proc, and that it is ours */

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Nothing of /proc that is mounted over, and no link, is trusted. */
#define RESOLVE_PROC (RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS)

/**
 * procfs_open() - Open /proc
 * @err:	EINVAL: what is there is no procfs, or one of another PID namespace, in
 *		which our numbers would name other processes
 *
 * Return: a descriptor (O_PATH) to close, or negative errno as in @err.
 */
int procfs_open(struct err *err);

/**
 * procfs_start_time() - When did a process start?
 * @proc_fd:	from procfs_open()
 * @ret:	clock ticks since boot: with the number it is one process and no later one
 *
 * Return: 0; -ESRCH: there is no such process, or only what is left of it (a zombie
 * without threads); else negative errno.
 * Source: proc(5), /proc/PID/stat, fields 3, 20 and 22.
 */
int procfs_start_time(int proc_fd, pid_t pid, uint64_t *ret);
