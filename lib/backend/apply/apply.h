/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * apply.h - carry a plan out in a running container
 *
 * Theory of operation. Two halves, with setns() between them:
 *
 *   host side     process  pidfd, procfs, mount namespace, user namespace maps
 *                 bind     an O_PATH fd of each source, checked, cloned by open_tree()
 *                 own_dir  a detached tmpfs
 *                 private  nodes of the container's own, as detached mounts
 *                 cgroup   the device controller's rules
 *   setns
 *   container     rootfs   the root's fd; targets below it through openat2() only
 *                 nodes    move_mount() fd to fd, and the links in /dev
 *                 own_dir  the tmpfs with the driver's files
 *                 files    content of our own over files of /proc
 *                 links    in the image's directories, into own_dir
 *                 cache    the loader's; last, since it is not undone
 *
 * Nothing is visible before the cgroup step, and most failures happen before it. Each
 * change pushes an undo record at once; a failure undoes them in reverse, and so does a
 * lack of memory: only device programs that appear meanwhile need some then. (The message
 * to systemd comes before all changes of our own.)
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/container.h"
#include "model/plan.h"

/* What the user should know of a plan that was applied. */
enum apply_warning {
	APPLY_WARNING_CGROUP,	/* the device rules may not last */
	APPLY_WARNING_MISSING,	/* links that could not be made */
	APPLY_WARNING_KEPT,	/* the image's own files at the places of links */
	APPLY_WARNING_REPLACED, /* the image's own links */
	APPLY_WARNING_FILE,	/* a file of /proc that is not there */
	APPLY_WARNING_CACHE,	/* the loader's cache was not replaced */
	APPLY_WARNING_COUNT,
};

struct apply_target {
	pid_t pid;		 /* the container's init */
	const char *id;		 /* the container's id; names its cgroup */
	const char *rootfs_path; /* absolute */
	int host_root_fd;	 /* where the plan's host paths are; borrowed */

	/* The runtime was told to allow every node of the plan, so its device filter, and
	   what systemd knows, have them: they are not looked at. */
	bool has_device_rules;

	/* Its device rules and mount label are looked at; borrowed. NULL:
	   nothing is known of them. */
	const struct container *container;

	/* Called right after setns(), to give up what is of no use in the container;
	   its failure undoes all. NULL: nothing. */
	int (*entered)(struct err *err);

	/* APPLY_WARNING_COUNT of them; those that have something to say are filled.
	   Borrowed. */
	struct err *warnings;

	/* What may not last is a failure, and no warning. */
	bool must_last;
};

/**
 * apply_plan() - All of the plan, or nothing
 * @err:	ESRCH: the process is gone; EOPNOTSUPP: the kernel is too old; EPERM;
 *		EEXIST: something else is at a target; EXDEV: a target leaves the rootfs
 *
 * Doing it twice is doing it once.
 *
 * Needs: CAP_SYS_ADMIN in the user namespace that owns the container's mount
 * namespace and in our own, CAP_SYS_PTRACE over the container's init,
 * CAP_SYS_CHROOT; a single thread.
 * Should: be the last thing the program does: it ends in the container's mount namespace.
 * Mustn't: be called in a thread, or with a descriptor open that the container's mount
 * namespace must not reach.
 */
int apply_plan(const struct plan *plan, const struct apply_target *target,
	       struct err *err);
