/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * private_node.h - nodes of the container's own, where its process
 * may not open the host's
 *
 * Theory of operation. A tmpfs is made, detached: nobody can reach it by a path. In it
 * are made nodes of the devices that the host's nodes were checked to be, owned by the
 * container's process. Each is cloned into a mount of its own, with the flags of a host
 * node's, and is attached in the container like one. The tmpfs itself is attached
 * nowhere, so from a node nothing leads to its neighbours.
 *
 * The tmpfs belongs to the user namespace that the hook runs in, the initial one. So its
 * nodes open as devices also where the container has a user namespace of its own, whose
 * filesystems hold none (Linux fs/super.c, SB_I_NODEV).
 *
 * Before Linux 6.15 only what is attached can be cloned. There the process first takes a
 * mount namespace of its own, in which the tmpfs is attached: it is the host's in nobody
 * else's eyes, and goes with the process.
 */

#include "backend/apply/bind.h"
#include "backend/apply/process.h"
#include "base/err.h"
#include "model/plan.h"

/**
 * private_nodes_prepare() - Make them, as detached mounts
 * @sources:	of the plan, from bind_prepare(); gets the mounts of its private nodes
 * @err:	as bind_prepare(); EINVAL: the container's user
 *		namespace does not map an owner
 *
 * The label of SELinux is the host node's, where there is one.
 *
 * Needs: CAP_SYS_ADMIN, CAP_MKNOD and CAP_CHOWN in the initial user namespace; a single
 * thread.
 * Should: come after all that compares mounts of the host with the container's: from then
 * on this process may be in a copy of the host's mount namespace.
 * Mustn't: be called where somebody else needs this process in the
 * host's mount namespace.
 */
int private_nodes_prepare(const struct plan *plan, const struct ctr_process *process,
			  int host_root_fd, struct bind_sources *sources,
			  struct err *err);
