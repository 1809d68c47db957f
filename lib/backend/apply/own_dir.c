/* SPDX-License-Identifier: Apache-2.0 */
/* own_dir.c - the directory of our own in the container */

#include "backend/apply/own_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backend/apply/mountinfo.h"
#include "base/mem.h"
#include "base/syscalls.h"

/* The tmpfs's name in mountinfo. */
#define SOURCE "oci-gpu-hook"

/* The plan's files: their content is at most some KiB each, and a
   page is the smallest. */
#define SIZE_OF_TMPFS "1m"

void own_dir_close(struct own_dir *dir)
{
	cleanup_close(&dir->fd);
	free(dir->path);
	*dir = OWN_DIR_NONE;
}

void own_dir_file_name(size_t i, char name[static OWN_DIR_FILE_NAME_SIZE])
{
	(void)snprintf(name, OWN_DIR_FILE_NAME_SIZE, ".file-%zu", i);
}

/* Path of a mount in the directory: "lib/libcuda.so.535.54.03". */
static const char *inner_path(const struct own_dir *dir, size_t i)
{
	return dir->plan->mounts[i].ctr.text + strlen(dir->path);
}

/* ---- host side --------------------------------------------------------------------- */

static int make_tmpfs(size_t n_inodes, struct err *err)
{
	autoclose int fs_fd = -1;
	char inodes[24];
	int mount_fd;

	(void)snprintf(inodes, sizeof(inodes), "%zu", n_inodes);
	fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs_fd < 0) {
		return errno == ENOSYS ? err_old_kernel(err, "fsopen")
				       : err_sys(err, errno, "make a tmpfs");
	}
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", SOURCE, 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "size", SIZE_OF_TMPFS, 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return err_sys(err, errno, "make a tmpfs");
	}
	mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC,
			   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return mount_fd < 0 ? err_sys(err, errno, "make a tmpfs") : mount_fd;
}

/*
 * Else it has the label that the policy gives to a tmpfs of the runtime's, below which
 * the container's processes may not look. No mount option: the kernel refuses
 * "context" where there is no SELinux, and a bundle may come with a label all the
 * same. @name: in the directory.
 */
static int give_label(const struct own_dir *dir, const char *name, struct err *err)
{
	if (!dir->mount_label) {
		return 0;
	}
	if (fchdir(dir->fd) < 0) {
		return err_sys(err, errno, "enter '%s'", dir->path);
	}
	/* A kernel without attributes in a tmpfs has no SELinux either. */
	if (lsetxattr(name, XATTR_NAME_SELINUX, dir->mount_label,
		      strlen(dir->mount_label) + 1, 0) < 0 &&
	    errno != EOPNOTSUPP) {
		return err_sys(
			err, errno,
			"give '%s%s' the SELinux label '%s' of config.json's "
			"linux.mountLabel; start the container without labels (podman "
			"--security-opt label=disable), or allow that label in the policy",
			dir->path, name, dir->mount_label);
	}
	return 0;
}

/* At most: each mount with directories of its own, the files, and the root. */
static size_t count_inodes(const struct own_dir *dir)
{
	size_t n = dir->plan->n_files + 1;

	for (size_t i = 0; i < dir->plan->n_mounts; i++) {
		for (const char *at = inner_path(dir, i); at; at = strchr(at + 1, '/')) {
			n++;
		}
	}
	/* An attribute takes room that counts as an inode's.
	   Source: Linux mm/shmem.c, shmem_xattr_handler_set(). */
	return dir->mount_label ? 2 * n : n;
}

/* The directories of @inner, whose siblings may have been there before. */
static int make_dirs(const struct own_dir *dir, const char *inner, struct err *err)
{
	for (const char *end = strchr(inner, '/'); end; end = strchr(end + 1, '/')) {
		autofree char *path = xstrndup(inner, (size_t)(end - inner));

		if (mkdirat(dir->fd, path, 0755) < 0) {
			if (errno == EEXIST) {
				continue;
			}
			return err_sys(err, errno, "make directory '%s%s'", dir->path,
				       path);
		}
		if (give_label(dir, path, err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

/* Up to the last '/' it is the same. */
static bool has_same_parent(const char *one, const char *other)
{
	size_t len = (size_t)(strrchr(one, '/') - one);

	return strncmp(one, other, len + 1) == 0 && !strchr(other + len + 1, '/');
}

static int make_placeholders(const struct own_dir *dir, struct err *err)
{
	const struct plan *plan = dir->plan;
	int r = 0;

	for (size_t i = 0; i < plan->n_mounts && r == 0; i++) {
		const char *path = plan->mounts[i].ctr.text;

		if (i == 0 || !has_same_parent(plan->mounts[i - 1].ctr.text, path)) {
			r = make_dirs(dir, inner_path(dir, i), err);
		}
		if (r == 0 &&
		    mknodat(dir->fd, inner_path(dir, i), S_IFREG | 0444, 0) < 0) {
			r = err_sys(err, errno, "make '%s'", path);
		}
	}
	return r;
}

static int make_file(const struct own_dir *dir, size_t i, struct err *err)
{
	const struct plan_file *file = &dir->plan->files[i];
	size_t len = strlen(file->content);
	char name[OWN_DIR_FILE_NAME_SIZE];
	autoclose int fd = -1;
	ssize_t n;

	own_dir_file_name(i, name);
	fd = sys_openat2(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL, 0444, 0);
	if (fd < 0) {
		return err_sys(err, errno, "make a file for '%s'", file->ctr.text);
	}
	n = write(fd, file->content, len);
	if (n < 0 || (size_t)n != len) {
		return err_sys(err, n < 0 ? errno : ENOSPC, "make a file for '%s'",
			       file->ctr.text);
	}
	return give_label(dir, name, err);
}

static int fill(struct own_dir *dir, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY,
		.propagation = MS_PRIVATE,
	};
	int r;

	r = give_label(dir, ".", err);
	if (r == 0) {
		r = make_placeholders(dir, err);
	}
	for (size_t i = 0; i < dir->plan->n_files && r == 0; i++) {
		r = make_file(dir, i, err);
	}
	if (r == 0 &&
	    mount_setattr(dir->fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		r = errno == ENOSYS
			    ? err_old_kernel(err, "mount_setattr")
			    : err_sys(err, errno, "make '%s' read-only", dir->path);
	}
	return r;
}

static int check_places(const struct plan *plan, struct err *err)
{
	size_t len = plan->own_dir ? strlen(plan->own_dir) : 0;

	for (size_t i = 0; i < plan->n_mounts; i++) {
		const char *path = plan->mounts[i].ctr.text;

		if (len == 0 || strncmp(path, plan->own_dir, len) != 0 ||
		    path[len] != '/') {
			return err_set(err, EOPNOTSUPP,
				       "mount '%s': it is not in a directory of our own",
				       path);
		}
	}
	if (len == 0 && plan->n_files > 0) {
		return err_set(err, EOPNOTSUPP,
			       "file '%s': there is no directory of our own for it",
			       plan->files[0].ctr.text);
	}
	return 0;
}

int own_dir_prepare(const struct plan *plan, const char *mount_label,
		    struct undo_log *undo, struct own_dir *ret, struct err *err)
{
	cleanup(own_dir_closep) struct own_dir dir = OWN_DIR_NONE;
	int r;

	r = check_places(plan, err);
	if (r < 0 || !plan->own_dir) {
		return r;
	}
	dir.plan = plan;
	dir.mount_label = mount_label;
	dir.path = xasprintf("%s/", plan->own_dir);
	dir.fd = make_tmpfs(count_inodes(&dir), err);
	r = dir.fd < 0 ? dir.fd : fill(&dir, err);
	if (r < 0) {
		return r;
	}
	undo_log_reserve(undo, 1 + plan->n_mounts);
	*ret = dir;
	dir = OWN_DIR_NONE;
	return 0;
}

/* ---- container side ---------------------------------------------------------------- */

static int refuse_other_mount(const struct own_dir *dir, const char *what,
			      struct err *err)
{
	return err_set(
		err, EEXIST,
		"place '%s' in the container: another mount is there (%s); do not mount "
		"anything at that place",
		dir->plan->own_dir, what);
}

/*
 * A volume or a tmpfs of the engine's can have files of the same names, empty or with any
 * content. Ours nobody else can make: no image and no option of an engine chooses a
 * tmpfs's source, and it was made read-only before anybody could reach it.
 *
 * Return: NULL, or why it is none of ours.
 */
static const char *why_not_ours(const struct ctr_dirs *dirs, const struct ctr_dir *there,
				int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0) {
		return "it cannot be looked at";
	}
	if (fs.f_type != TMPFS_MAGIC) {
		return "it is no tmpfs, so maybe a volume";
	}
	if (!mountinfo_is_of(dirs->mountinfo, there->mount_id, "tmpfs", SOURCE)) {
		return "it is a tmpfs of somebody else";
	}
	if (!(fs.f_flags & ST_RDONLY)) {
		return "it is writable";
	}
	if (mountinfo_is_shared(dirs->mountinfo, there->mount_id)) {
		return "it is shared";
	}
	if (dirs->host_mountinfo &&
	    mountinfo_has_file_system_of(dirs->host_mountinfo, dirs->mountinfo,
					 there->mount_id)) {
		return "the host has it as well";
	}
	return NULL;
}

static int attach_file(const struct own_dir *dir, int mount_fd, size_t i, struct err *err)
{
	if (move_mount(mount_fd, "", dir->fd, inner_path(dir, i),
		       MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		return err_sys(err, errno, "mount '%s' in the container",
			       dir->plan->mounts[i].ctr.text);
	}
	return 0;
}

/*
 * Is the plan's mount number @i there already, with the same file of the host?
 *
 * Return: 1, or 0 for an empty file of the tmpfs (a run that was killed came no further),
 * or -EEXIST without a message for something else.
 */
static int look_at_mount(const struct own_dir *dir, const struct stat *root_st,
			 int mount_fd, size_t i)
{
	autoclose int fd = -1;
	struct stat wanted;
	struct stat found;

	fd = sys_openat2(dir->fd, inner_path(dir, i), O_PATH | O_NOFOLLOW, 0,
			 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd < 0 || fstat(fd, &found) < 0 || fstat(mount_fd, &wanted) < 0) {
		return -EEXIST;
	}
	if (found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino) {
		return 1;
	}
	return found.st_dev == root_st->st_dev && S_ISREG(found.st_mode) &&
			       found.st_size == 0
		       ? 0
		       : -EEXIST;
}

/* Of both stages this is the second, or an earlier run was killed: from now on it is the
   one that was attached then. */
static int take_attached(struct own_dir *dir, const struct bind_sources *sources,
			 const struct ctr_dir *there, struct rootfs *rootfs,
			 struct err *err)
{
	const char *why;
	struct stat st;
	int fd;

	fd = sys_openat2(there->fd, ".", O_PATH | O_DIRECTORY, 0, 0);
	if (fd < 0) {
		return err_sys(err, errno, "look at '%s' in the container",
			       dir->plan->own_dir);
	}
	cleanup_close(&dir->fd);
	dir->fd = fd;
	if (fstat(fd, &st) < 0) {
		return err_sys(err, errno, "look at '%s' in the container",
			       dir->plan->own_dir);
	}
	why = why_not_ours(&rootfs->dirs, there, dir->fd);
	if (why) {
		return refuse_other_mount(dir, why, err);
	}
	for (size_t i = 0; i < dir->plan->n_mounts; i++) {
		const struct undo_record record = {
			.revert = undo_revert_mount,
			.fd = dir->fd,
			.name = inner_path(dir, i),
		};
		int r = look_at_mount(dir, &st, sources->file_fd[i], i);

		if (r < 0) {
			return refuse_other_mount(dir, "other files are in it", err);
		}
		if (r == 0) {
			r = attach_file(dir, sources->file_fd[i], i, err);
			if (r < 0) {
				return r;
			}
			undo_log_push(rootfs->undo, &record);
		}
	}
	return 0;
}

int own_dir_attach(struct own_dir *dir, const struct bind_sources *sources,
		   struct rootfs *rootfs, struct err *err)
{
	struct undo_record record = {.revert = undo_revert_mount};
	const struct ctr_dir *parent;
	struct ctr_dir *target;
	int r;

	if (dir->fd < 0) {
		return 0;
	}
	/* The directory is the parent of what would stand behind the path's last '/'. */
	target = ctr_dirs_open_parent(&rootfs->dirs, dir->path, false, rootfs->process,
				      rootfs->undo, &record.name, err);
	if (!target) {
		return -err->code;
	}
	parent = &rootfs->dirs.dir[target->parent];
	if (target->mount_id != parent->mount_id) {
		return take_attached(dir, sources, target, rootfs, err);
	}
	r = ctr_dir_check_may_change(&rootfs->dirs, target, err);
	if (r < 0) {
		return r;
	}
	if (move_mount(dir->fd, "", target->fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
		return err_sys(err, errno, "mount '%s' in the container",
			       dir->plan->own_dir);
	}
	record.fd = parent->fd;
	record.name = target->name;
	undo_log_push(rootfs->undo, &record);
	/* They go with the tmpfs if that is taken back. */
	for (size_t i = 0; i < dir->plan->n_mounts; i++) {
		r = attach_file(dir, sources->file_fd[i], i, err);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}
