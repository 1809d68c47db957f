/* SPDX-License-Identifier: Apache-2.0 */
/* trusted_file.c - could a stranger have written this file? */

#include "base/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

/* What the initial user namespace has: all ids, each mapped to itself.
   Source: user_namespaces(7). */
static bool is_initial_map(const char *map)
{
	static const char *const words[] = {"0", "0", "4294967295"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		map += strspn(map, " ");
		if (!text_starts_with(map, words[i])) {
			return false;
		}
		map += strlen(words[i]);
	}
	return text_equals(map, "\n");
}

/* Of "inside outside count". */
static uid_t first_outside_id(const char *map)
{
	char *outside = NULL;

	(void)strtoul(map, &outside, 10);
	return (uid_t)strtoul(outside, NULL, 10);
}

static struct trusted_caller look_at_ids(void)
{
	struct trusted_caller caller = {.has_all_ids = true};
	autoclose int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	struct bytes map = {0};
	struct err ignored = {0};

	if (fd >= 0 &&
	    read_all(fd, "uid_map", LIMIT_PROC_FILE_BYTES, -1, &map, &ignored) == 0) {
		caller.has_all_ids = is_initial_map(map.data);
		caller.host_uid = first_outside_id(map.data);
	}
	bytes_clear(&map);
	return caller;
}

/* A process that stays in its user namespace has one map for life: it is written once. So
   it is read once. Source: user_namespaces(7). */
struct trusted_caller trusted_caller_look(void)
{
	static struct trusted_caller caller;
	static bool has_looked;

	if (!has_looked) {
		caller = look_at_ids();
		has_looked = true;
	}
	caller.uid = geteuid();
	return caller;
}

bool trusted_caller_is_root(const struct trusted_caller *caller)
{
	return caller->uid == 0 && caller->has_all_ids;
}

static bool is_trusted_owner(uid_t uid, enum trusted_owner owner,
			     const struct trusted_caller *caller)
{
	return uid == 0 || uid == caller->uid || owner == TRUSTED_OWNER_ANY ||
	       (owner == TRUSTED_OWNER_SYSTEM && !caller->has_all_ids &&
		uid == OVERFLOW_UID);
}

void trusted_stat_check(const struct stat *st, enum trusted_owner owner,
			const struct trusted_caller *caller, const char *what,
			struct err *doubt)
{
	bool is_root = trusted_caller_is_root(caller);
	unsigned int mode = st->st_mode & 07777U;

	if (doubt->code != 0) {
		return;
	}
	if (!is_trusted_owner(st->st_uid, owner, caller)) {
		(void)err_set(doubt, EPERM,
			      "trust %s: it belongs to user %u, %s; chown it", what,
			      st->st_uid,
			      is_root ? "not to root"
				      : "neither to root nor to the user who runs this");
	} else if (mode & (is_root ? S_IWGRP | S_IWOTH : S_IWOTH)) {
		(void)err_set(doubt, EPERM,
			      "trust %s: its mode is %04o, so others can write it; "
			      "chmod %s it",
			      what, mode, is_root ? "go-w" : "o-w");
	}
}

void trusted_fd_check(int fd, enum trusted_owner owner, const char *what,
		      struct err *doubt)
{
	/* Whoever else runs us: what root may trust is fine for all. */
	struct trusted_caller caller = {.uid = geteuid(), .has_all_ids = true};
	struct err strict = {0};
	struct stat st;

	if (fstat(fd, &st) < 0) {
		(void)err_sys(doubt, errno, "trust %s", what);
		return;
	}
	trusted_stat_check(&st, owner, &caller, what, &strict);
	if (strict.code != 0) {
		caller = trusted_caller_look();
		trusted_stat_check(&st, owner, &caller, what, doubt);
	}
}

int trusted_file_open(int dir_fd, const char *path, enum trusted_owner owner,
		      const char *what, struct err *doubt, struct err *err)
{
	/* O_NONBLOCK: a FIFO in the place of the file must not hang us; O_NOCTTY: nor may
	   a terminal become ours. */
	autoclose int fd = openat(
		dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ELOOP) {
		return err_set(
			err, ELOOP,
			"read %s: it is a symbolic link, which is not followed; put the "
			"file itself there",
			what);
	}
	/* ENXIO is what open() says of a socket. */
	if (fd < 0 && errno != ENXIO) {
		return err_sys(err, errno, "read %s", what);
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		return err_set(err, EINVAL, "read %s: not a regular file", what);
	}
	trusted_fd_check(fd, owner, what, doubt);
	return steal_fd(&fd);
}

/* Copies the next component of *path, and moves behind it. Return: 0 at the end. */
static size_t next_component(const char **path, char *name, size_t size)
{
	size_t len;

	*path += strspn(*path, "/");
	len = strcspn(*path, "/");
	(void)snprintf(name, size, "%.*s", (int)len, *path);
	*path += len;
	return len;
}

/* Whoever can write a directory can exchange what is in it, but for what is not his own
   where the sticky bit is set. */
static int check_above(int fd, const char *path, int len,
		       const struct trusted_caller *caller, const char *what,
		       struct err *err)
{
	autofree char *above =
		xasprintf("'%.*s', above %s", len > 0 ? len : 1, path, what);
	struct err doubt = {0};
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return err_sys(err, errno, "trust %s", above);
	}
	if (st.st_mode & S_ISVTX) {
		st.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
	}
	trusted_stat_check(&st, TRUSTED_OWNER_SYSTEM, caller, above, &doubt);
	if (doubt.code != 0) {
		*err = doubt;
	}
	return -doubt.code;
}

static int open_component(int dir_fd, const char *name, bool is_last, mode_t mode)
{
	int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | (is_last ? O_RDONLY : O_PATH);
	int fd = openat(dir_fd, name, flags);

	/* EEXIST: another run was faster. */
	if (fd < 0 && errno == ENOENT && is_last && mode != 0 &&
	    (mkdirat(dir_fd, name, mode) == 0 || errno == EEXIST)) {
		fd = openat(dir_fd, name, flags);
	}
	return fd;
}

int trusted_dir_open(const char *path, mode_t mode, const char *what, struct err *err)
{
	const struct trusted_caller caller = trusted_caller_look();
	autoclose int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *at = path;
	char name[NAME_MAX + 1];
	struct err doubt = {0};
	struct stat st;
	size_t len;

	while (fd >= 0 && (len = next_component(&at, name, sizeof(name))) > 0) {
		bool is_last = at[strspn(at, "/")] == '\0';
		int above_len = (int)(at - path) - (int)len - 1;
		int next_fd;

		if (len > NAME_MAX) {
			return err_sys(err, ENAMETOOLONG, "open %s", what);
		}
		if (check_above(fd, path, above_len, &caller, what, err) < 0) {
			return -err->code;
		}
		next_fd = open_component(fd, name, is_last, mode);
		close_keep_errno(fd);
		fd = next_fd;
	}
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
		return err_set(err, ENOTDIR,
			       "open %s: '%.*s' is a link or no directory; name the "
			       "directory itself",
			       what, (int)(at - path), path);
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		return err_sys(err, errno, "open %s", what);
	}
	trusted_stat_check(&st, TRUSTED_OWNER_SELF, &caller, what, &doubt);
	if (doubt.code != 0) {
		*err = doubt;
		return -err->code;
	}
	return steal_fd(&fd);
}
