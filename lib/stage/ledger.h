/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ledger.h - who holds which GPU, kept between runs
 *
 * Theory of operation. One small file in the state directory lists every GPU that a
 * container got (ledger_text.h). Whoever changes it locks the file "lock" beside it,
 * reads the list, writes a new one and renames it over the old: a reader without the lock
 * sees the one or the other, and a crash between any two steps leaves the old one whole.
 *
 * A holder counts for as long as its container's first process lives, which is known by
 * number, start time and PID namespace. So nothing has to be cleaned up for the ledger to
 * be right: not after a crash, a kill or a failed create. `poststop` gives back at once
 * what the next run would find dead anyway. Looking at a process costs some ten
 * microseconds, so only holders that matter for the request are looked at, and a few more
 * in turn, so that the dead ones go in time.
 *
 * It rules among the containers of one ledger: root's, or one user's.
 */

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/gpu_spec.h"
#include "model/holder.h"

struct ledger {
	char *dir; /* its path, for messages */
	int dir_fd;
	int lock_fd;
	int proc_fd;
	char *boot_id;
	struct holders holders; /* after ledger_load() */
	/* Why who has what is not known. From ledger_open(), with `dir_fd` -1: there is
	   no state directory, and none was to be or could be made. From lease_look(),
	   whatever `dir_fd` is: there is a ledger, and it cannot be read. */
	struct err absence;
};

#define NO_LEDGER                                           \
	(struct ledger)                                     \
	{                                                   \
		.dir_fd = -1, .lock_fd = -1, .proc_fd = -1, \
	}

void ledger_close(struct ledger *ledger);
DEFINE_CLEANUP(struct ledger, ledger_close)

/**
 * ledger_default_dir() - Where the ledger is if the settings name no place; free() it
 *
 * LEDGER_SYSTEM_DIR; for who is not the real root, in a user namespace or not,
 * /run/user/UID/oci-gpu-hook, UID being the host's.
 */
char *ledger_default_dir(void);

#define LEDGER_SYSTEM_DIR "/run/oci-gpu-hook"

/**
 * ledger_open() - Open the state directory
 * @dir:	absolute
 * @may_make:	make it where it is missing
 * @ret:	NO_LEDGER; ledger_close() it. Where the directory is missing and is not or
 *		cannot be made, that is no error: nobody can hold anything there, see
 *		`absence`
 * @err:	EPERM: somebody else could have written what is in there; EACCES: it is
 *		there and may not be looked into; EINVAL, ENOENT and the like: /proc is
 *		not whole, so that who holds what cannot be known; what open() said
 */
int ledger_open(const char *dir, bool may_make, struct ledger *ret, struct err *err);

/**
 * ledger_lock() - Keep others from changing it, until ledger_unlock()
 * @err:	ETIMEDOUT after LEDGER_LOCK_SECONDS, or at the run's deadline
 */
int ledger_lock(struct ledger *ledger, struct err *err);
void ledger_unlock(struct ledger *ledger);

#define LEDGER_LOCK_SECONDS 5

/**
 * ledger_load() - Read the holders
 * @err:	EINVAL: the file is broken, and who holds what cannot be known
 */
int ledger_load(struct ledger *ledger, struct err *err);

/* Which dead holders a request must not be kept from a GPU by. */
enum ledger_scrutiny {
	LEDGER_CHECK_EXCLUSIVE, /* for a shared request: exclusive ones */
	LEDGER_CHECK_ONE_A_GPU, /* for an exclusive one: until a live one is found */
	LEDGER_CHECK_ALL,	/* to count them */
};

/* Removes dead holders from the list: those that matter. */
void ledger_drop_dead(struct ledger *ledger, enum ledger_scrutiny scrutiny);

/**
 * ledger_drop_dead_in_turn() - Look at the next ones in turn
 * @n:		how many
 *
 * Should: be called with twice the number of what is added, so that the dead ones become
 * fewer with every run.
 */
void ledger_drop_dead_in_turn(struct ledger *ledger, size_t n);

/**
 * ledger_identify() - The process that a container's holders live as long as
 * @err:	ESRCH: it has ended
 */
int ledger_identify(struct ledger *ledger, pid_t pid, struct process_id *ret,
		    struct err *err);

/**
 * ledger_save() - Write the list as it is now
 * @err:	ENOSPC, EROFS and the like: the old file stays as it was
 *
 * Should: be called under the lock.
 */
int ledger_save(struct ledger *ledger, struct err *err);

/**
 * ledger_release() - Remove what a process holds; a whole turn, with lock and save
 *
 * Also in the container's mount namespace: what it needs is open.
 */
int ledger_release(struct ledger *ledger, const struct process_id *init, struct err *err);

/* The same for a container that has stopped: of its holders those whose process is gone,
   or of another PID namespace, in which that cannot be seen. */
int ledger_release_container(struct ledger *ledger, const char *id, const char *bundle,
			     struct err *err);
