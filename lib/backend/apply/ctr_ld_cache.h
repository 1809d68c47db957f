/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ctr_ld_cache.h - the container's /etc/ld.so.cache, with the driver's libraries in it
 *
 * dlopen() finds a library in a default directory without a cache. But some programs look
 * for the driver with `ldconfig -p`, and the cache says what is in it. So it is read,
 * merged (ld_cache.h) and written under a temporary name that is renamed: nothing is
 * executed, and the loader sees the old file or the new one. A later ldconfig in the
 * container finds the links in their directories and writes the same again.
 *
 * This comes last of all: once the new file has its name, nothing can fail any more, so
 * the old bytes need no keeping. Where there is no cache, or it cannot be replaced, there
 * is a warning and no more.
 */

#include <stddef.h>

#include "backend/apply/rootfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/ld_cache.h"
#include "model/plan.h"

struct ctr_ld_cache {
	struct ld_cache_entry
		*add; /* names borrowed from the plan; NULL: nothing to add */
	size_t n_add;
	char *old; /* LIMIT_LD_CACHE_BYTES */
	char *new; /* what ld_cache_merge() may need for them */
	struct err warning;
};

/* Host side: allocates what the container side needs. */
void ctr_ld_cache_prepare(const struct plan *plan, struct ctr_ld_cache *ret);
void ctr_ld_cache_clear(struct ctr_ld_cache *cache);
DEFINE_CLEANUP(struct ctr_ld_cache, ctr_ld_cache_clear)

/**
 * ctr_ld_cache_update() - Replace the container's cache
 * @err:	what says that the system fails, such as EIO or ENOSPC
 *
 * Should: be the last change.
 */
int ctr_ld_cache_update(struct ctr_ld_cache *cache, struct rootfs *rootfs,
			struct err *err);
