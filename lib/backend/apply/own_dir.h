/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * own_dir.h - the directory of our own in the container: a small tmpfs
 * with the driver's files
 *
 * Theory of operation. On the host side the tmpfs is made, detached: nobody else can
 * reach it. It gets its directories, an empty file for every mount of the plan, and the
 * plan's files with their content; then it is made read-only, nosuid, nodev and noexec.
 * In the container it is attached, and each host file is moved onto its empty one: the
 * tmpfs has to be attached first, since only Linux 6.15 mounts onto what is detached.
 * Mounting needs no writable tree, so that nobody in the container could have put
 * anything in the way.
 *
 * Nothing of this is in the image: it goes with the container's mount namespace. What an
 * image that is committed keeps is the empty directory.
 */

#include "backend/apply/bind.h"
#include "backend/apply/ctr_dir.h"
#include "backend/apply/rootfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "model/plan.h"

struct own_dir {
	const struct plan *plan; /* borrowed */
	const char *mount_label; /* borrowed, or NULL */
	int fd;			 /* the tmpfs; -1: the plan has no directory of its own */
	char *path;		 /* of the plan, with a '/' at the end */
};

#define OWN_DIR_NONE     \
	(struct own_dir) \
	{                \
		.fd = -1 \
	}

void own_dir_close(struct own_dir *dir);
DEFINE_CLEANUP(struct own_dir, own_dir_close)

/**
 * own_dir_prepare() - Host side: make it, detached
 * @plan:	borrowed for as long as @ret lives
 * @mount_label: of SELinux, for all that is made in it, or NULL: what its policy gives
 * @undo:	gets room for what own_dir_attach() changes
 * @err:	EOPNOTSUPP: a mount of the plan is not below its directory; EINVAL: it has
 *		files and no directory; or what the mount API says
 *
 * Needs: CAP_SYS_ADMIN in the user namespace of our mount namespace.
 */
int own_dir_prepare(const struct plan *plan, const char *mount_label,
		    struct undo_log *undo, struct own_dir *ret, struct err *err);

/**
 * own_dir_attach() - Container side: attach it, and the plan's mounts in it
 * @sources:	of the plan; borrowed
 * @err:	EEXIST: another mount is there; ELOOP, EXDEV as ctr_dirs_open_parent() and
 *		ctr_dir_check_may_change()
 *
 * One of ours that is there already with the same files is taken, and the rest of the run
 * is on it; what a run that was killed has left out is made up for.
 */
int own_dir_attach(struct own_dir *dir, const struct bind_sources *sources,
		   struct rootfs *rootfs, struct err *err);

/* The name in it of the plan's file number @i. */
#define OWN_DIR_FILE_NAME_SIZE 32
void own_dir_file_name(size_t i, char name[static OWN_DIR_FILE_NAME_SIZE]);
