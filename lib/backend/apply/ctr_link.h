/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ctr_link.h - symbolic links in the image's own directories
 *
 * They are what makes the driver's files be found: a library's name in the directory
 * where the container's loader looks, a program's in /usr/bin. All lead into our own
 * directory, so that an image which is committed keeps links that lead nowhere (not
 * found, the search goes on), never files that are in the way.
 *
 * What an image has there may be its own driver, of another version than the host's: it
 * cannot work with the host's kernel. A link is replaced, as NVIDIA's create-symlinks
 * hook does; a file stays, since taking it away would change the image for good. A
 * directory where nothing can be changed is no reason to fail: nodes and files are there,
 * and a program can be told where. For each of the three there is a warning.
 */

#include <stddef.h>

#include "backend/apply/rootfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "model/plan.h"

/* A link of the image that was replaced, to put it back. Longer ones stay. */
#define CTR_LINK_OLD_SIZE 256
struct ctr_link_old {
	const struct ctr_process *process; /* borrowed */
	char target[CTR_LINK_OLD_SIZE];
};

/* The first of its kind, and how many there are. */
struct ctr_link_finding {
	struct err first;
	const char *target; /* of the first link; borrowed */
	size_t n;
};

struct ctr_links {
	struct ctr_link_old *old; /* room for one a link of the plan */
	size_t n_old;
	struct ctr_link_finding missing;
	struct ctr_link_finding kept;
	struct ctr_link_finding replaced;
};

/* Host side: allocates what the container side needs. @undo: gets
   room for its changes. */
void ctr_links_prepare(const struct plan *plan, struct undo_log *undo,
		       struct ctr_links *ret);
void ctr_links_clear(struct ctr_links *links);
DEFINE_CLEANUP(struct ctr_links, ctr_links_clear)

/**
 * ctr_link_make() - Make a link of the plan that is not in /dev
 * @plan:	whose link it is
 * @err:	what says that the system fails, such as EIO or ENOSPC
 *
 * What the image or a volume is the reason for ends up in @links.
 */
int ctr_link_make(struct ctr_links *links, const struct plan *plan,
		  const struct plan_link *link, struct rootfs *rootfs, struct err *err);

/* The warnings; an err without a code where there is nothing to say. */
void ctr_links_tell_missing(const struct ctr_links *links, struct err *ret);
void ctr_links_tell_kept(const struct ctr_links *links, struct err *ret);
void ctr_links_tell_replaced(const struct ctr_links *links, struct err *ret);
