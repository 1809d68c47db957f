/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * trusted_file.h - could a stranger have written this file?
 *
 * The bundle, its config.json and the configuration file decide what a privileged program
 * does. So each must belong to root or to the user who runs us, and nobody else may be
 * able to write it. Only the file itself is looked at: it is open, and a change of a
 * directory above it cannot exchange it any more.
 *
 * A directory that state is kept in is used again and again, by its path, so there each
 * directory above it counts as well.
 *
 * What fails this look is a doubt and no error: a container that asks for nothing, and a
 * dry run, need no trust. Whoever uses privilege must refuse on a doubt.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

/* The kernel's default of fs.overflowuid: the owner of files whose own is not mapped into
   our user namespace, the real root's among them. */
#define OVERFLOW_UID 65534U

enum trusted_owner {
	TRUSTED_OWNER_SELF,   /* root, or the user who runs us */
	TRUSTED_OWNER_SYSTEM, /* in a user namespace also one that it does not map */
	TRUSTED_OWNER_ANY,    /* only what the mode says */
};

/* Who runs us. */
struct trusted_caller {
	uid_t uid;
	bool has_all_ids; /* the user namespace is the initial one, it seems */
	/* Without all ids: what the namespace's first id is outside of it. A rootless
	   engine maps its user there. */
	uid_t host_uid;
};

/**
 * trusted_caller_look() - Who runs us?
 *
 * Where /proc/self/uid_map cannot be read, the strictest is assumed: all ids. It is read
 * by the first call; a process that enters another user namespace must not have made one.
 */
struct trusted_caller trusted_caller_look(void);

/* Is it the real root? Then nobody in a group is trusted either. */
bool trusted_caller_is_root(const struct trusted_caller *caller);

/**
 * trusted_stat_check() - The rule, for a file's owner and mode. Pure.
 * @what:	for the message: "bundle '/run/b'"
 * @doubt:	EPERM and what to do, if there is a doubt. One that is there already stays
 *
 * Root: owned by root, writable for nobody else. Others: owned by root or themselves, not
 * writable for the world; a group may be the user's own (umask 002).
 */
void trusted_stat_check(const struct stat *st, enum trusted_owner owner,
			const struct trusted_caller *caller, const char *what,
			struct err *doubt);

/**
 * trusted_fd_check() - The same for an open file, O_PATH included
 *
 * /proc/self/uid_map is read only where the strictest rule does not hold.
 */
void trusted_fd_check(int fd, enum trusted_owner owner, const char *what,
		      struct err *doubt);

/**
 * trusted_file_open() - Open a regular file for reading, and check it
 * @dir_fd:	or AT_FDCWD
 * @doubt:	as above
 * @err:	ELOOP: the last component is a link; EINVAL: not a regular file (a FIFO is
 *		not waited for, a device not opened for good); or what open() said
 *
 * Return: a descriptor to close, or negative errno as in @err.
 */
int trusted_file_open(int dir_fd, const char *path, enum trusted_owner owner,
		      const char *what, struct err *doubt, struct err *err);

/**
 * trusted_dir_open() - Open a directory that holds state, if no stranger can change it
 * @path:	absolute
 * @mode:	the last component is made with this mode where it is
 *		not there; 0: it is not
 * @what:	for the message: "state directory '/run/x'"
 * @err:	EPERM: a stranger could write in the directory, or exchange one above it;
 *		ENOTDIR: a link, which could lead elsewhere next, or no directory; ENOENT,
 *		or what else open() or mkdir() said
 *
 * The directory must be root's or our user's and writable for nobody else, by the rule of
 * trusted_stat_check(). So must those above it, but that there the sticky bit is enough,
 * and that a user namespace need not map the owner.
 *
 * Return: a descriptor to close, open for reading, or negative errno as in @err.
 */
int trusted_dir_open(const char *path, mode_t mode, const char *what, struct err *err);
