/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * inspect_container.h - what kind of system is in the container's root
 *
 * Theory of operation. The root is a stranger's: from the host's side it is looked at
 * below one descriptor, with openat2(RESOLVE_IN_ROOT), by O_PATH and fstat() alone, at a
 * fixed list of names. Nothing is opened, listed or read, so neither a FIFO nor a
 * directory with a million entries does anything. What is found chooses among fixed lists
 * of directories and never becomes a path itself. A wrong answer can only put the links
 * where no loader looks.
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/container.h"
#include "model/plan.h"
#include "oci/config_edit.h"

/**
 * inspect_container() - Find the library directories of a root
 * @rootfs_path: as the host sees it
 * @is_rootless: the maps of the container's user namespace are to
 *		ids of an ordinary user's
 * @ctr:	gets library_dir and library_dir_32, or no_library_reason
 *
 * None are looked for where the container's user namespace has the host's root: it could
 * make our mounts writable, and the files are the host's.
 */
void inspect_container(const char *rootfs_path, bool is_rootless, struct container *ctr);

/**
 * inspect_volumes() - Is each volume where its name says?
 * @rootfs_path: as for inspect_container()
 * @mounts:	of config.json; those with content of their own are volumes
 * @plan:	whose nodes are not to be made in one
 *
 * A link of the image may lead a volume anywhere in the root, below /dev for instance,
 * where nobody would look for it by its name; a volume may have such links for one
 * that is mounted below it; and /dev itself may be a link to a volume.
 *
 * Return: false: not sure, also where there is a volume and the root's path is
 * relative or cannot be opened.
 */
bool inspect_volumes(const char *rootfs_path, const struct config_mount *mounts, size_t n,
		     const struct plan *plan);

/* For a request without a container: what is most common, Debian's. */
void inspect_no_container(struct container *ctr);
