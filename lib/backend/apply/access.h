/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * access.h - would a plan's nodes open in a container that runs, and if not, who denies?
 *
 * Nothing is changed and no node is opened, since opening one may start its driver. What
 * open(2) would look at is looked at in its order: the path and its node, the
 * permissions, the device cgroup. The kernel itself judges the permissions, for a child
 * that takes on the ids, groups and capabilities of the container's process; a v1
 * cgroup's list is read, and a v2 cgroup's programs are run by bpf_machine.h. Not looked
 * at: security modules (SELinux).
 */

#include <stddef.h>
#include <sys/types.h>

#include "backend/apply/process.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "model/plan.h"

enum access_level {
	ACCESS_OPENS,
	ACCESS_NODE, /* it is not there, or is another, or devices do not open there */
	ACCESS_PERMISSION, /* owner, group, mode, access list, capabilities */
	ACCESS_CGROUP,
	ACCESS_UNSEEN, /* it could not be found out */
	ACCESS_LEVEL_COUNT,
};

struct node_access {
	enum access_level level;
	char *why; /* NULL: it opens */
};

struct access {
	pid_t pid;
	struct node_access *nodes; /* one for each of the plan's, in its order */
	size_t n_nodes;
};

void access_clear(struct access *access);
DEFINE_CLEANUP(struct access, access_clear)

/**
 * access_look() - Would each node open in a process now?
 * @pid:	any process of the container
 * @ret:	filled on success; access_clear() it
 * @err:	ESRCH: there is no such process; EPERM, EACCES: it is not ours to look at
 *
 * Needs: CAP_SYS_PTRACE over the process, or to be its equal; for the permissions
 * CAP_SETUID, CAP_SETGID and, with a user namespace, CAP_SYS_ADMIN in it; for
 * programs of cgroups CAP_SYS_ADMIN in the initial user namespace. Without the latter
 * two nodes are ACCESS_UNSEEN.
 * Should: be called under a deadline: a file system of the container's may never answer.
 * Mustn't: be called by the hook: a child of it takes the process's ids, user namespace
 * and capabilities, to ask the kernel as that process would.
 */
int access_look(const struct plan *plan, pid_t pid, struct access *ret, struct err *err);

/**
 * access_note() - What one level says of a node
 * @fmt:	why; for ACCESS_OPENS not used
 *
 * The first level that denies stays. That one level cannot be seen matters only
 * if no other one denies.
 */
void access_note(struct node_access *node, enum access_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The steps of access_look(). Each notes what it finds for the nodes of @access. */
int access_look_at_nodes(const struct plan *plan, const struct ctr_process *process,
			 struct access *access, struct err *err);
int access_look_at_cgroups(const struct plan *plan, const struct ctr_process *process,
			   struct access *access, struct err *err);
