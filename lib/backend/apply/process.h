/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* process.h - the container's init, held so that its number cannot become another's */

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/id_map.h"

#define CTR_PROCESS_NONE                                 \
	(struct ctr_process)                             \
	{                                                \
		.proc_fd = -1, .pidfd = -1, .dir_fd = -1 \
	}

struct ctr_process {
	pid_t pid;
	int proc_fd; /* a verified procfs */
	int pidfd;
	int dir_fd; /* its /proc/PID */

	/* Who must create files for the container's root to own them: its host ids with a
	   user namespace, else 0. */
	uid_t root_uid;
	gid_t root_gid;

	/* Of its user namespace, to the ids of ours; empty where it is the same one. */
	struct id_map uid_map;
	struct id_map gid_map;

	/* We run in a user namespace ourselves: rootless. Not the same as geteuid() != 0,
	   since a rootless engine's hook is uid 0 too. */
	bool is_rootless;
};

void ctr_process_close(struct ctr_process *process);
DEFINE_CLEANUP(struct ctr_process, ctr_process_close)

/**
 * ctr_process_open() - Take hold of a container's init
 * @pid:	from the state
 * @err:	ESRCH: gone; EINVAL: 0, 1, our parent, or a process in our own mount
 *		namespace, none of which can be a container at createRuntime; EPERM
 *
 * Needs: CAP_SYS_PTRACE over the process, or to be its equal.
 */
int ctr_process_open(pid_t pid, struct ctr_process *ret, struct err *err);

/**
 * ctr_process_look() - Take hold of any process, to look at it
 * @ret:	without the ids and `is_rootless`
 * @err:	ESRCH: there is none
 */
int ctr_process_look(pid_t pid, struct ctr_process *ret, struct err *err);

/* ESRCH if the process has ended; whatever was opened below dir_fd
   before a 0 is its own. */
int ctr_process_check_alive(const struct ctr_process *process, struct err *err);

/**
 * ctr_process_map_ids() - What are ids of its user namespace in ours?
 * @err:	EINVAL: they are not mapped
 */
int ctr_process_map_ids(const struct ctr_process *process, uid_t uid, gid_t gid,
			uid_t *ret_uid, gid_t *ret_gid, struct err *err);

/**
 * ctr_process_read() - Read a small file of /proc/PID
 * @name:	"uid_map", "cgroup", "mountinfo"
 * @max:	bytes
 * @ret:	NUL-terminated text to free()
 */
int ctr_process_read(const struct ctr_process *process, const char *name, size_t max,
		     char **ret, struct err *err);

/* As ctr_process_read(), of the process that we are. */
int ctr_process_read_own(const struct ctr_process *process, const char *name, size_t max,
			 char **ret, struct err *err);

/**
 * ctr_process_enter_mount_ns() - Become part of the container's mount namespace
 *
 * Needs: CAP_SYS_ADMIN in the user namespace that owns it and CAP_SYS_CHROOT in ours; a
 * single thread.
 * Should: come after everything that needs a path of the host.
 * Mustn't: be called with host directories open for anything but their own undo.
 */
int ctr_process_enter_mount_ns(const struct ctr_process *process, struct err *err);
