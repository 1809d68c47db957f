/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * rootfs.h - the plan's places in the container's root
 *
 * A stranger wrote what is in there. Everything is resolved by openat2() below the root's
 * descriptor, one component at a time (ctr_dir.h), and a symbolic link on the way is
 * refused: every path of a plan starts with /dev/, where an image has no reason for one.
 */

#include "backend/apply/ctr_dir.h"
#include "backend/apply/process.h"
#include "backend/apply/undo.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "model/plan.h"

struct rootfs {
	struct ctr_dirs dirs;
	const struct ctr_process *process; /* borrowed */
	struct undo_log *undo;		   /* borrowed */
	size_t n_attached;		   /* nodes that were not there already */
	bool leaves_dev;		   /* the plan has places outside of /dev */
};

void rootfs_close(struct rootfs *rootfs);
DEFINE_CLEANUP(struct rootfs, rootfs_close)

/**
 * rootfs_prepare() - Host side: allocate what the container side needs
 * @process:	borrowed for as long as @ret lives
 * @undo:	likewise; gets room for every change that the plan can make
 */
int rootfs_prepare(const struct plan *plan, const struct ctr_process *process,
		   struct undo_log *undo, struct rootfs *ret, struct err *err);

/**
 * rootfs_look_from_host() - Host side: see what the host has at the root's path
 *
 * Should: come before setns(); rootfs_open() compares with it.
 */
int rootfs_look_from_host(struct rootfs *rootfs, const char *path, struct err *err);

/**
 * rootfs_open() - Open the root, in the container's mount namespace
 * @path:	absolute, as the host sees it: the runtime has not pivoted yet
 * @err:	EINVAL: it is the host's own root, or a directory onto which the
 *		runtime has mounted nothing
 */
int rootfs_open(struct rootfs *rootfs, const char *path, struct err *err);

/**
 * rootfs_attach_node() - Put a detached mount at a node's path
 * @mount_fd:	from bind_prepare(); borrowed
 * @err:	EEXIST: something else is there; EXDEV: the place is shared with the host
 *		or is the host's own /dev; ELOOP: a link is on the way
 *
 * A node with the right number that is there already is left as it is.
 */
int rootfs_attach_node(struct rootfs *rootfs, const struct plan_node *node, int mount_fd,
		       struct err *err);

/**
 * rootfs_make_link() - Make a symbolic link
 * @plan:	whose link it is
 * @err:	as rootfs_attach_node()
 *
 * One with the same target that is there already is left as it is, and so is the node
 * that the link leads to: an engine that binds by-path entries makes nodes of them.
 */
int rootfs_make_link(struct rootfs *rootfs, const struct plan *plan,
		     const struct plan_link *link, struct err *err);
