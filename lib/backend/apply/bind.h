/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* bind.h - host nodes and files as detached mounts, ready to be
   attached in the container */

#include <stddef.h>

#include "backend/apply/process.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "model/plan.h"

/* One mount fd a node of the plan, then one a mount of the plan, in the plan's order. A
   private node's is -1 until private_nodes_prepare(). */
struct bind_sources {
	int *mount_fd;
	const int *file_fd; /* the plan's mounts, in `mount_fd` */
	size_t n;
};

void bind_sources_close(struct bind_sources *sources);
DEFINE_CLEANUP(struct bind_sources, bind_sources_close)

/**
 * bind_open_node() - Open a node of the host, and check that it is the plan's device
 *
 * Return: an O_PATH descriptor to close, or negative errno as of bind_prepare().
 */
int bind_open_node(const struct plan_node *node, int host_root_fd, struct err *err);

/* The mount of a node: read-only, nosuid, noexec, private. Return: a
   descriptor to close. */
int bind_clone_node(const struct plan_node *node, int node_fd, struct err *err);

/**
 * bind_prepare() - Clone every node and file of the plan into a mount that is nowhere yet
 * @process:	whose user namespace may not have the owner of a file
 * @host_root_fd: where the plan's host paths start; borrowed
 * @err:	ENOENT, EINVAL (no character device, or another number than the plan says;
 *		no file), EOPNOTSUPP (Linux < 5.12), EPERM
 *
 * Each clone is private. A node's is read-only, nosuid and noexec: the container opens it
 * for reading and writing, but cannot chmod or chown the host's inode. The other kinds of
 * mounts are as plan.h says.
 *
 * Needs: CAP_SYS_ADMIN in the user namespace of our mount namespace. Must run in the
 * host's mount namespace: open_tree() refuses a mount of another one.
 */
int bind_prepare(const struct plan *plan, const struct ctr_process *process,
		 int host_root_fd, struct bind_sources *ret, struct err *err);
