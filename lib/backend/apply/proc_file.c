/* SPDX-License-Identifier: Apache-2.0 */
/* proc_file.c - content of our own over files of the container's procfs */

#include "backend/apply/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "backend/apply/mountinfo.h"
#include "base/mem.h"
#include "base/syscalls.h"
#include "base/text.h"

#define PROC_DIR "/proc/"

#define RESOLVE_CTR (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

void proc_files_prepare(const struct plan *plan, struct undo_log *undo,
			struct proc_files *ret)
{
	ret->n = plan->n_files;
	ret->dir_fd = xcalloc(ret->n, sizeof(*ret->dir_fd));
	for (size_t i = 0; i < ret->n; i++) {
		ret->dir_fd[i] = -1;
	}
	undo_log_reserve(undo, ret->n);
}

void proc_files_close(struct proc_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		cleanup_close(&files->dir_fd[i]);
	}
	free(files->dir_fd);
	*files = (struct proc_files){0};
}

static void warn(struct proc_files *files, const char *path, const char *why)
{
	if (files->warning.code == 0) {
		(void)err_set(&files->warning, ENOENT,
			      "file '%s' in the container: %s, so it is left as it is",
			      path, why);
	}
}

/* Opens the directory of the file and the file. Return: a
   descriptor or negative errno. */
static int open_target(const struct rootfs *rootfs, const char *path, int *dir_fd)
{
	const char *name = strrchr(path, '/') + 1;
	size_t len = (size_t)(name - 1 - (path + 1));
	char dir[256];
	int fd;

	if (len >= sizeof(dir)) {
		return -ENAMETOOLONG;
	}
	memcpy(dir, path + 1, len);
	dir[len] = '\0';
	*dir_fd = sys_openat2(rootfs->dirs.dir[0].fd, dir, O_PATH | O_DIRECTORY, 0,
			      RESOLVE_CTR);
	if (*dir_fd < 0) {
		return -errno;
	}
	fd = sys_openat2(*dir_fd, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_CTR);
	return fd < 0 ? -errno : fd;
}

/* Return: 1 if the file is on the container's procfs, else 0; or negative errno. */
static int is_on_procfs(const struct rootfs *rootfs, int fd, const struct stat *st)
{
	autoclose int proc_fd = -1;
	struct stat proc_st;
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0) {
		return -errno;
	}
	proc_fd = sys_openat2(rootfs->dirs.dir[0].fd, "proc",
			      O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_CTR);
	if (proc_fd < 0 || fstat(proc_fd, &proc_st) < 0) {
		return -errno;
	}
	return fs.f_type == PROC_SUPER_MAGIC && S_ISREG(st->st_mode) &&
	       st->st_dev == proc_st.st_dev;
}

static int check_not_shared(const struct rootfs *rootfs, int fd, const char *path,
			    struct err *err)
{
	uint64_t mount_id = 0;
	int r;

	r = ctr_mount_id(fd, path, &mount_id, err);
	if (r == 0 && mountinfo_is_shared(rootfs->dirs.mountinfo, mount_id)) {
		r = err_set(
			err, EXDEV,
			"change '%s' in the container: it is on a shared mount, so the "
			"host would see the change; do not ask for shared propagation "
			"there",
			path);
	}
	return r;
}

static int bind_file(int source_fd, int target_fd, const char *path, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOEXEC,
		.propagation = MS_PRIVATE,
	};
	autoclose int mount_fd = -1;

	mount_fd = open_tree(source_fd, "",
			     AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount_fd < 0 ||
	    mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
	    move_mount(mount_fd, "", target_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
		return err_sys(err, errno, "mount '%s' in the container", path);
	}
	return 0;
}

/*
 * Opens the content of the file @i. What somebody mounted over it since we made it, or
 * put into a directory that is not ours, is none: it would speak for the kernel.
 */
static int open_source(const struct own_dir *dir, size_t i, struct stat *st,
		       struct err *err)
{
	char name[OWN_DIR_FILE_NAME_SIZE];
	autoclose int fd = -1;
	struct stat dir_st;

	own_dir_file_name(i, name);
	fd = sys_openat2(dir->fd, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_CTR);
	if (fd < 0 || fstat(fd, st) < 0 || fstat(dir->fd, &dir_st) < 0) {
		return err_sys(err, errno, "look at '%s%s' in the container", dir->path,
			       name);
	}
	if (!S_ISREG(st->st_mode) || st->st_dev != dir_st.st_dev) {
		return err_set(err, EEXIST,
			       "look at '%s%s' in the container: it is not the file that "
			       "the hook made; do not mount anything at that place",
			       dir->path, name);
	}
	return steal_fd(&fd);
}

static int attach(struct proc_files *files, size_t i, const struct own_dir *dir,
		  struct rootfs *rootfs, struct err *err)
{
	const char *path = dir->plan->files[i].ctr.text;
	struct undo_record record = {
		.revert = undo_revert_mount,
		.name = strrchr(path, '/') + 1,
	};
	autoclose int source_fd = -1;
	autoclose int target_fd = -1;
	struct stat source_st;
	struct stat st;
	int r;

	target_fd = open_target(rootfs, path, &files->dir_fd[i]);
	if (target_fd == -ENOENT) {
		warn(files, path, "it is not there");
		return 0;
	}
	if (target_fd < 0 || fstat(target_fd, &st) < 0) {
		return err_sys(err, target_fd < 0 ? -target_fd : errno,
			       "look at '%s' in the container", path);
	}
	source_fd = open_source(dir, i, &source_st, err);
	if (source_fd < 0) {
		return source_fd;
	}
	if (st.st_dev == source_st.st_dev && st.st_ino == source_st.st_ino) {
		return 0;
	}
	r = is_on_procfs(rootfs, target_fd, &st);
	if (r == 0) {
		warn(files, path, "something else is mounted there");
		return 0;
	}
	if (r < 0) {
		return err_sys(err, -r, "look at '%s' in the container", path);
	}
	r = check_not_shared(rootfs, target_fd, path, err);
	if (r == 0) {
		r = bind_file(source_fd, target_fd, path, err);
	}
	if (r == 0) {
		record.fd = files->dir_fd[i];
		undo_log_push(rootfs->undo, &record);
	}
	return r;
}

int proc_files_attach(struct proc_files *files, const struct own_dir *dir,
		      struct rootfs *rootfs, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < files->n && r == 0; i++) {
		const char *path = dir->plan->files[i].ctr.text;

		if (!text_starts_with(path, PROC_DIR)) {
			return err_set(err, EINVAL, "plan '%s': it is not in /proc",
				       path);
		}
		r = attach(files, i, dir, rootfs, err);
	}
	return r;
}
