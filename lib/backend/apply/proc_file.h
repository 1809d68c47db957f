/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proc_file.h - content of our own over files of the container's procfs
 *
 * The content lies in our own directory (own_dir.h); it is bound, read-only, onto
 * the file. A file system that an image or a volume put at /proc could lead such a
 * mount anywhere, so the target has to be on the very procfs that is mounted at
 * /proc, and no link is followed.
 */

#include "backend/apply/own_dir.h"
#include "backend/apply/rootfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "model/plan.h"

struct proc_files {
	int *dir_fd; /* of each file of the plan, or -1 */
	size_t n;
	struct err warning; /* the first file that is not there */
};

/* Host side: allocates what the container side needs. @undo: gets
   room for its changes. */
void proc_files_prepare(const struct plan *plan, struct undo_log *undo,
			struct proc_files *ret);
void proc_files_close(struct proc_files *files);
DEFINE_CLEANUP(struct proc_files, proc_files_close)

/**
 * proc_files_attach() - Container side: bind every file of the plan
 * @dir:	attached; borrowed
 * @err:	EINVAL: a file of the plan is not in /proc; EXDEV: its place is shared
 *		with the host, or is no procfs
 *
 * A file that is not there, because the container has no /proc or the engine hides a part
 * of it, is a warning in @files: nobody in the container can read it, then.
 */
int proc_files_attach(struct proc_files *files, const struct own_dir *dir,
		      struct rootfs *rootfs, struct err *err);
