/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cache.h - what a host is read for once only. For the files of lib/host. */

#include <stdbool.h>

#include "host/drm.h"
#include "host/host.h"

struct host_cache {
	bool has_drm_nodes;   /* nodes and paths of `drm` are filled */
	bool has_drm_parents; /* so is the rest */
	struct drm_devices drm;
	char *proc_devices; /* text of /proc/devices, or NULL: not read yet */
	/* Of the host's root as the kernel names it, "" for "/"; or
	   NULL: not asked yet. */
	char *root_path;
};

/**
 * host_open_below() - Open what a path means below the host's root
 * @flags:	O_*; O_CLOEXEC is always added
 *
 * Return: a descriptor, or negative errno.
 */
int host_open_below(const struct host *host, const char *path, uint64_t flags);

/* The same for reading a regular file; -EINVAL: it is none. */
int host_open_regular(const struct host *host, const char *path);

/**
 * host_readlink_at() - As host_readlink(), of a link that needs no way
 * @fd:		of the directory that the link is in, or of the link itself
 * @name:	an entry of that directory, or ""
 */
int host_readlink_at(int fd, const char *name, char **ret);

/**
 * names_read() - The entries of a directory
 * @fd:		of the directory, for reading; taken
 * @keep:	chooses the names to keep; NULL: all
 */
int names_read(int fd, bool (*keep)(const char *name, const void *context),
	       const void *context, struct names *ret);
