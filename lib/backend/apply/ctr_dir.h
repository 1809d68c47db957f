/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ctr_dir.h - the directories of the container that the plan's entries live in
 *
 * The list is made from the plan's paths on the host side. In the container each
 * directory is opened at most once, from its parent's descriptor, and made where it is
 * missing; after that only the descriptor is used.
 *
 * In /dev and on the way to the plan's own directory a symbolic link is refused: an image
 * has no reason for one there. The directories of other links are the image's, which has
 * /lib -> usr/lib: there links are followed, by the kernel and with the container's root
 * as "/", so that none leads out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend/apply/process.h"
#include "backend/apply/undo.h"
#include "base/err.h"
#include "model/plan.h"

struct ctr_dir {
	char *path;	  /* "/dev/dri"; "/" for the root */
	const char *name; /* last component, in `path` */
	size_t parent;	  /* index in the list; the root is its own */
	int fd;		  /* O_PATH, or -1: not opened yet */
	uint64_t mount_id;
	bool follows_links; /* of the image, on the way to it */
	bool may_change;    /* has been checked by ctr_dir_check_may_change() */
};

struct ctr_dirs {
	struct ctr_dir *dir; /* [0] is the root; a parent comes before its children */
	size_t n;
	dev_t host_dev; /* the host's /dev: file system and inode */
	ino_t host_ino;
	bool host_dev_is_fs; /* it is a file system of its own, not a directory of "/" */
	/* The container's /proc/PID/mountinfo, read before the first change. */
	char *mountinfo;
	/* Ours, read before setns(); NULL: nothing needs it. */
	char *host_mountinfo;
};

/* A place of its own among the directories: the loader's cache. */
#define CTR_LD_CACHE_PATH "/etc/ld.so.cache"

/* Is it the image or a volume that a failure in the container is about,
   and not the system? */
bool ctr_is_of_image(int code);

/* Is the path in /dev, where links of the image are refused? */
bool ctr_path_is_in_dev(const char *ctr_path);

/**
 * ctr_dirs_prepare() - Host side: list the directories
 * @err:	EINVAL: a path that is not absolute
 */
int ctr_dirs_prepare(const struct plan *plan, const struct ctr_process *process,
		     struct ctr_dirs *ret, struct err *err);
void ctr_dirs_close(struct ctr_dirs *dirs);

/**
 * ctr_dirs_open_parent() - The directory of an entry, opened
 * @ctr_path:	the entry's path, one of the plan's
 * @follows_links: as it was listed: links that are not in /dev
 * @undo:	gets a record for every directory that is made
 * @ret_name:	last component of @ctr_path, in @ctr_path
 * @err:	ELOOP: a link or a file stands in for a directory; EXDEV: a directory is
 *		missing where nothing may be changed
 *
 * Return: the directory, or NULL.
 */
struct ctr_dir *ctr_dirs_open_parent(struct ctr_dirs *dirs, const char *ctr_path,
				     bool follows_links,
				     const struct ctr_process *process,
				     struct undo_log *undo, const char **ret_name,
				     struct err *err);

/* As ctr_dirs_open_parent() of a directory where links are followed, but none is made. */
struct ctr_dir *ctr_dirs_find_parent(struct ctr_dirs *dirs, const char *ctr_path,
				     struct err *err);

/**
 * ctr_dir_check_may_change() - May we put something into this directory?
 * @err:	EXDEV: it is on a shared mount, so that the host would see the
 *		change; or it is the host's own devtmpfs; or, out of /dev, a volume:
 *		a mount that is neither the container's root nor of a file system
 *		that the host does not have
 */
int ctr_dir_check_may_change(struct ctr_dirs *dirs, struct ctr_dir *dir, struct err *err);

/**
 * ctr_dir_open_entry() - openat2() of one name in a directory, without following a link
 * @flags:	O_*; O_NOFOLLOW and O_CLOEXEC are added. With O_PATH
 *		a link is opened itself
 *
 * Return: a descriptor, or negative errno.
 */
int ctr_dir_open_entry(const struct ctr_dir *dir, const char *name, int flags,
		       mode_t mode);

/* The id of the mount that @fd is on. @path: in the container, for messages. */
int ctr_mount_id(int fd, const char *path, uint64_t *ret, struct err *err);

/**
 * ctr_create_begin() - Create files as the container's root until ctr_create_end()
 *
 * A file system that was mounted in a user namespace takes only owners that it maps. The
 * change also takes the file system capabilities away, so it lasts for the creating call
 * alone. Source: user_namespaces(7), setfsuid(2).
 *
 * Needs: CAP_SETUID and CAP_SETGID where the container's root is not ours.
 * Should: be followed by ctr_create_end() on every path.
 * Mustn't: enclose anything but one mkdirat(), openat() or symlinkat().
 */
void ctr_create_begin(const struct ctr_process *process);
void ctr_create_end(const struct ctr_process *process);
