/* SPDX-License-Identifier: Apache-2.0 */
/* ctr_dir.c - the directories of the container that the plan's entries live in */

#include "backend/apply/ctr_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/apply/mountinfo.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/syscalls.h"
#include "base/text.h"

/* Below a directory of the container: no link, no magic link, no way up. */
#define RESOLVE_CTR (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* Where links are followed, ".." of one gives EAGAIN whenever something is renamed
   anywhere on the machine. Source: openat2(2), RESOLVE_IN_ROOT. */
#define RESOLVE_FOLLOWING (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
#define RESOLVE_TRIES	  64

/* ---- host side: the list ----------------------------------------------------------- */

bool ctr_path_is_in_dev(const char *ctr_path)
{
	return strncmp(ctr_path, "/dev/", 5) == 0;
}

bool ctr_is_of_image(int code)
{
	switch (code) {
	case EROFS:
	case EXDEV:
	case ELOOP:
	case ENOTDIR:
	case EISDIR:
	case EEXIST:
	case EACCES:
	case EPERM:
		return true;
	default:
		return false;
	}
}

static size_t find_dir(const struct ctr_dirs *dirs, const char *path, size_t len,
		       bool follows_links)
{
	for (size_t i = 1; i < dirs->n; i++) {
		if (dirs->dir[i].follows_links == follows_links &&
		    strlen(dirs->dir[i].path) == len &&
		    memcmp(dirs->dir[i].path, path, len) == 0) {
			return i;
		}
	}
	return dirs->n;
}

/* Lists every directory on the way to @path. Few are distinct:
   /dev, /dev/dri, by-path. */
static int add_dirs_of(struct ctr_dirs *dirs, const char *path, bool follows_links,
		       struct err *err)
{
	size_t parent = 0;

	if (path[0] != '/') {
		return err_set(err, EINVAL, "plan '%s': not an absolute path", path);
	}
	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		size_t len = (size_t)(end - path);
		size_t found = find_dir(dirs, path, len, follows_links);

		if (found == dirs->n) {
			struct ctr_dir *dir;

			dirs->dir = xgrow(dirs->dir, dirs->n, sizeof(*dirs->dir));
			dir = &dirs->dir[dirs->n++];
			dir->path = xstrndup(path, len);
			dir->name = strrchr(dir->path, '/') + 1;
			dir->parent = parent;
			dir->fd = -1;
			dir->follows_links = follows_links;
		}
		parent = found;
	}
	return 0;
}

static int look_at_host_dev(struct ctr_dirs *dirs, struct err *err)
{
	struct stat root_st;
	struct stat dev_st;

	if (stat("/", &root_st) < 0 || stat("/dev", &dev_st) < 0) {
		return err_sys(err, errno, "look at '/dev'");
	}
	dirs->host_dev = dev_st.st_dev;
	dirs->host_ino = dev_st.st_ino;
	dirs->host_dev_is_fs = dev_st.st_dev != root_st.st_dev;
	return 0;
}

static int list_dirs(struct ctr_dirs *dirs, const struct plan *plan, struct err *err)
{
	int r = 0;

	dirs->dir = xgrow(NULL, 0, sizeof(*dirs->dir));
	dirs->dir[0] = (struct ctr_dir){.path = xstrdup("/"), .fd = -1};
	dirs->dir[0].name = dirs->dir[0].path + 1;
	dirs->n = 1;
	for (size_t i = 0; i < plan->n_nodes && r == 0; i++) {
		r = add_dirs_of(dirs, plan->nodes[i].ctr.text, false, err);
	}
	for (size_t i = 0; i < plan->n_links && r == 0; i++) {
		const char *path = plan->links[i].ctr.text;

		r = add_dirs_of(dirs, path, !ctr_path_is_in_dev(path), err);
	}
	if (r == 0 && plan->own_dir) {
		r = add_dirs_of(dirs, CTR_LD_CACHE_PATH, true, err);
	}
	if (r == 0 && plan->own_dir) {
		autofree char *inside = xasprintf("%s/", plan->own_dir);

		r = add_dirs_of(dirs, inside, false, err);
	}
	return r;
}

int ctr_dirs_prepare(const struct plan *plan, const struct ctr_process *process,
		     struct ctr_dirs *ret, struct err *err)
{
	struct ctr_dirs dirs = {0};
	int r;

	r = list_dirs(&dirs, plan, err);
	if (r == 0) {
		r = look_at_host_dev(&dirs, err);
	}
	if (r == 0) {
		r = ctr_process_read(process, "mountinfo", LIMIT_MOUNTINFO_BYTES,
				     &dirs.mountinfo, err);
	}
	if (r < 0) {
		ctr_dirs_close(&dirs);
		return r;
	}
	*ret = dirs;
	return 0;
}

void ctr_dirs_close(struct ctr_dirs *dirs)
{
	for (size_t i = 0; i < dirs->n; i++) {
		cleanup_close(&dirs->dir[i].fd);
		free(dirs->dir[i].path);
	}
	free(dirs->dir);
	free(dirs->mountinfo);
	free(dirs->host_mountinfo);
	*dirs = (struct ctr_dirs){0};
}

/* ---- who creates ------------------------------------------------------------------- */

/* Mostly the container's root is ours, and there is nothing to change. */
static bool is_other_root(const struct ctr_process *process)
{
	return process->root_uid != 0 || process->root_gid != 0;
}

void ctr_create_begin(const struct ctr_process *process)
{
	if (is_other_root(process)) {
		(void)setfsgid(process->root_gid);
		(void)setfsuid(process->root_uid);
	}
}

void ctr_create_end(const struct ctr_process *process)
{
	int saved = errno;

	if (is_other_root(process)) {
		(void)setfsuid(geteuid());
		(void)setfsgid(getegid());
	}
	errno = saved;
}

/* ---- may something be made here? --------------------------------------------------- */

/* A mount that is made below a shared one appears at every peer, the host's included. */
static int check_not_shared(const struct ctr_dirs *dirs, const struct ctr_dir *dir,
			    struct err *err)
{
	if (mountinfo_is_shared(dirs->mountinfo, dir->mount_id)) {
		return err_set(
			err, EXDEV,
			"change '%s' in the container: it is on a shared mount, so the "
			"host would see the change; do not ask for shared propagation "
			"there",
			dir->path);
	}
	return 0;
}

/*
 * A volume shows a directory of the host, where a change would stay for good; the host
 * has its file system mounted itself. What the runtime mounted for this container alone,
 * such as a tmpfs on /run, nobody else has.
 */
static int check_not_volume(const struct ctr_dirs *dirs, const struct ctr_dir *dir,
			    struct err *err)
{
	if (dir->mount_id == dirs->dir[0].mount_id ||
	    (dirs->host_mountinfo &&
	     !mountinfo_has_file_system_of(dirs->host_mountinfo, dirs->mountinfo,
					   dir->mount_id))) {
		return 0;
	}
	return err_set(err, EXDEV,
		       "change '%s' in the container: a directory of the host is mounted "
		       "there; do not mount a volume at that place",
		       dir->path);
}

int ctr_dir_check_may_change(struct ctr_dirs *dirs, struct ctr_dir *dir, struct err *err)
{
	struct stat st;
	int r;

	if (dir->may_change) {
		return 0;
	}
	if (fstat(dir->fd, &st) < 0) {
		return err_sys(err, errno, "look at '%s' in the container", dir->path);
	}
	if (st.st_dev == dirs->host_dev &&
	    (dirs->host_dev_is_fs || st.st_ino == dirs->host_ino)) {
		return err_set(
			err, EXDEV,
			"change '%s' in the container: it is the host's own /dev; do not "
			"mount the host's /dev into the container",
			dir->path);
	}
	r = check_not_shared(dirs, dir, err);
	if (r == 0 && !text_equals(dir->path, "/dev") && !ctr_path_is_in_dev(dir->path)) {
		r = check_not_volume(dirs, dir, err);
	}
	if (r < 0) {
		return r;
	}
	dir->may_change = true;
	return 0;
}

/* ---- container side: opening ------------------------------------------------------- */

int ctr_mount_id(int fd, const char *path, uint64_t *ret, struct err *err)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0) {
		return err_sys(err, errno, "look at '%s' in the container", path);
	}
	if (!(stx.stx_mask & STATX_MNT_ID)) {
		return err_old_kernel(err, "statx with a mount id");
	}
	*ret = stx.stx_mnt_id;
	return 0;
}

static int make_dir(struct ctr_dirs *dirs, struct ctr_dir *parent,
		    const struct ctr_dir *dir, const struct ctr_process *process,
		    struct undo_log *undo, struct err *err)
{
	const struct undo_record record = {
		.revert = undo_revert_dir,
		.fd = parent->fd,
		.name = dir->name,
	};
	int r;

	r = ctr_dir_check_may_change(dirs, parent, err);
	if (r < 0) {
		return r;
	}
	ctr_create_begin(process);
	r = mkdirat(parent->fd, dir->name, 0755);
	ctr_create_end(process);
	if (r < 0) {
		return err_sys(err, errno, "make directory '%s' in the container",
			       dir->path);
	}
	undo_log_push(undo, &record);
	return 0;
}

int ctr_dir_open_entry(const struct ctr_dir *dir, const char *name, int flags,
		       mode_t mode)
{
	int fd = sys_openat2(dir->fd, name, (uint64_t)flags | O_NOFOLLOW, mode,
			     RESOLVE_CTR);

	return fd < 0 ? -errno : fd;
}

static int open_following(const struct ctr_dirs *dirs, const struct ctr_dir *dir)
{
	int fd;

	for (int try = 0; try < RESOLVE_TRIES; try++) {
		fd = sys_openat2(dirs->dir[0].fd, dir->path, O_PATH | O_DIRECTORY, 0,
				 RESOLVE_FOLLOWING);
		if (fd >= 0 || errno != EAGAIN) {
			break;
		}
	}
	return fd < 0 ? -errno : fd;
}

static int open_dir(const struct ctr_dirs *dirs, struct ctr_dir *dir)
{
	int fd = dir->follows_links
			 ? open_following(dirs, dir)
			 : ctr_dir_open_entry(&dirs->dir[dir->parent], dir->name,
					      O_PATH | O_DIRECTORY, 0);

	if (fd < 0) {
		return fd;
	}
	dir->fd = fd;
	return 0;
}

static int open_or_make_dir(struct ctr_dirs *dirs, struct ctr_dir *dir,
			    const struct ctr_process *process, struct undo_log *undo,
			    struct err *err)
{
	struct ctr_dir *parent = &dirs->dir[dir->parent];
	int r;

	r = open_dir(dirs, dir);
	if (r == -ENOENT) {
		r = make_dir(dirs, parent, dir, process, undo, err);
		if (r < 0) {
			return r;
		}
		r = open_dir(dirs, dir);
	}
	if (r == -ELOOP || r == -ENOTDIR) {
		return err_set(
			err, ELOOP,
			"open directory '%s' in the container: a link or a file is there; "
			"use an image that has none at that place",
			dir->path);
	}
	if (r < 0) {
		return err_sys(err, -r, "open directory '%s' in the container",
			       dir->path);
	}
	return ctr_mount_id(dir->fd, dir->path, &dir->mount_id, err);
}

struct ctr_dir *ctr_dirs_find_parent(struct ctr_dirs *dirs, const char *ctr_path,
				     struct err *err)
{
	size_t len = (size_t)(strrchr(ctr_path, '/') - ctr_path);
	struct ctr_dir *dir = &dirs->dir[find_dir(dirs, ctr_path, len, true)];
	int r;

	if (dir->fd >= 0) {
		return dir;
	}
	r = open_dir(dirs, dir);
	if (r < 0) {
		(void)err_sys(err, -r, "open directory '%s' in the container", dir->path);
		return NULL;
	}
	if (ctr_mount_id(dir->fd, dir->path, &dir->mount_id, err) < 0) {
		cleanup_close(&dir->fd);
		dir->fd = -1;
		return NULL;
	}
	return dir;
}

struct ctr_dir *ctr_dirs_open_parent(struct ctr_dirs *dirs, const char *ctr_path,
				     bool follows_links,
				     const struct ctr_process *process,
				     struct undo_log *undo, const char **ret_name,
				     struct err *err)
{
	const char *name = strrchr(ctr_path, '/') + 1;
	size_t len = (size_t)(name - 1 - ctr_path);
	size_t at = 0;

	*ret_name = name;
	if (follows_links && len > 0) {
		struct ctr_dir *dir = ctr_dirs_find_parent(dirs, ctr_path, err);

		/* Mostly it is there, so that those above it need not be opened. */
		if (dir || err->code != ENOENT) {
			return dir;
		}
		*err = (struct err){0};
	}
	/* A parent stands before its children, so one pass from the front opens them in
	   order. */
	for (size_t i = 1; i < dirs->n; i++) {
		struct ctr_dir *dir = &dirs->dir[i];
		size_t dir_len = strlen(dir->path);

		if (dir->follows_links != follows_links || dir_len > len ||
		    memcmp(ctr_path, dir->path, dir_len) != 0 ||
		    ctr_path[dir_len] != '/') {
			continue;
		}
		if (dir->fd < 0 && open_or_make_dir(dirs, dir, process, undo, err) < 0) {
			return NULL;
		}
		at = i;
	}
	return &dirs->dir[at];
}
