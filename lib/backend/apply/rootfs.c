/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs.c - the plan's places in the container's root */

#include "backend/apply/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backend/apply/mountinfo.h"
#include "base/limits.h"
#include "base/syscalls.h"
#include "base/text.h"

/* Changes that one entry can make besides its directories: a placeholder and a mount. */
#define CHANGES_OF_AN_ENTRY 2U

void rootfs_close(struct rootfs *rootfs)
{
	ctr_dirs_close(&rootfs->dirs);
	*rootfs = (struct rootfs){0};
}

int rootfs_prepare(const struct plan *plan, const struct ctr_process *process,
		   struct undo_log *undo, struct rootfs *ret, struct err *err)
{
	struct rootfs rootfs = {
		.process = process,
		.undo = undo,
		.leaves_dev = plan->own_dir,
	};
	int r;

	r = ctr_dirs_prepare(plan, process, &rootfs.dirs, err);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < plan->n_links; i++) {
		rootfs.leaves_dev |= !ctr_path_is_in_dev(plan->links[i].ctr.text);
	}
	undo_log_reserve(undo, rootfs.dirs.n + CHANGES_OF_AN_ENTRY *
						       (plan->n_nodes + plan->n_links));
	*ret = rootfs;
	return 0;
}

/* Is the directory the root of a mount? */
static bool is_mount_root(int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) == 0 &&
	       (stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
	       (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int rootfs_look_from_host(struct rootfs *rootfs, const char *path, struct err *err)
{
	autoclose int fd = -1;

	fd = sys_openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS);
	/* A runtime may have mounted the root in the container's namespace alone. Whoever
	   works outside of /dev must know volumes. */
	if (!rootfs->leaves_dev && (fd < 0 || !is_mount_root(fd))) {
		return 0;
	}
	return ctr_process_read_own(rootfs->process, "mountinfo", LIMIT_MOUNTINFO_BYTES,
				    &rootfs->dirs.host_mountinfo, err);
}

/*
 * Every runtime mounts the root onto its own path in the container's namespace. So there
 * is one mount more than on the host, or config.json names a directory that is none of
 * the container's: what is made in there would appear on the host.
 */
static int check_is_container_root(const struct rootfs *rootfs, const char *path,
				   struct err *err)
{
	const struct ctr_dir *root = &rootfs->dirs.dir[0];
	const char *host = rootfs->dirs.host_mountinfo;
	size_t n_host = 0;
	size_t len = 0;
	const char *point =
		mountinfo_point_of(rootfs->dirs.mountinfo, root->mount_id, &len);

	if (point && host) {
		n_host = mountinfo_count_at(host, point, len);
	}
	if (!point || !is_mount_root(root->fd) ||
	    mountinfo_count_at(rootfs->dirs.mountinfo, point, len) <= n_host) {
		return err_set(
			err, EINVAL,
			"open container root '%s': the runtime has mounted nothing there; "
			"root.path of config.json must be the container's",
			path);
	}
	return 0;
}

int rootfs_open(struct rootfs *rootfs, const char *path, struct err *err)
{
	struct ctr_dir *root = &rootfs->dirs.dir[0];
	autoclose int top_fd = -1;
	struct stat top_st;
	struct stat root_st;
	int r;

	top_fd = sys_openat2(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0, 0);
	if (top_fd < 0) {
		return err_sys(err, errno, "open '/' of the container's mount namespace");
	}
	/* Not RESOLVE_IN_ROOT: nothing is above "/", and with it a ".." gives EAGAIN
	   whenever something is renamed anywhere on the machine. */
	root->fd =
		sys_openat2(top_fd, path, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS);
	if (root->fd < 0) {
		return err_sys(err, errno, "open container root '%s'", path);
	}
	if (fstat(top_fd, &top_st) < 0 || fstat(root->fd, &root_st) < 0) {
		return err_sys(err, errno, "look at container root '%s'", path);
	}
	if (top_st.st_dev == root_st.st_dev && top_st.st_ino == root_st.st_ino) {
		return err_set(err, EINVAL,
			       "open container root '%s': it is the root of the host",
			       path);
	}
	r = ctr_mount_id(root->fd, "/", &root->mount_id, err);
	return r < 0 ? r : check_is_container_root(rootfs, path, err);
}

/* What stands at a place of the container, in words. */
static const char *file_type_name(mode_t mode)
{
	if (S_ISLNK(mode)) {
		return "a symbolic link";
	}
	if (S_ISDIR(mode)) {
		return "a directory";
	}
	if (S_ISREG(mode)) {
		return "a file";
	}
	if (S_ISCHR(mode)) {
		return "another character device";
	}
	if (S_ISBLK(mode)) {
		return "a block device";
	}
	return "a FIFO or a socket";
}

/* What is there is a fact of the image or of the engine, and stays. */
static int refuse_existing(const char *ctr_path, mode_t mode, struct err *err)
{
	return err_set(
		err, EEXIST,
		"place '%s' in the container: %s is there; use an image that has nothing "
		"at that place, or do not let the engine put it there",
		ctr_path, file_type_name(mode));
}

static bool is_node(const struct stat *st, const struct plan_node *node)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(node->major, node->minor);
}

/* A file that is a mount of its own (a volume) may be shared with the host, whatever its
   directory is. */
static int check_same_mount(const struct ctr_dir *dir, int fd, const char *ctr_path,
			    struct err *err)
{
	uint64_t mount_id = 0;
	int r;

	r = ctr_mount_id(fd, ctr_path, &mount_id, err);
	if (r == 0 && mount_id != dir->mount_id) {
		r = err_set(
			err, EXDEV,
			"place '%s' in the container: a volume is mounted there; do not "
			"mount one at the place of a node",
			ctr_path);
	}
	return r;
}

/*
 * Finds or makes the file that the node is mounted over. An empty file that is there
 * already serves: it is the placeholder of a run that was killed, or of the image.
 *
 * Return: a descriptor of it; -EALREADY without a message if the node itself is there;
 * else negative errno as in @err.
 */
static int open_placeholder(struct rootfs *rootfs, struct ctr_dir *dir,
			    const struct plan_node *node, const char *name,
			    struct err *err)
{
	autoclose int fd = -1;
	struct stat st;
	int r;

	fd = ctr_dir_open_entry(dir, name, O_PATH, 0);
	if (fd < 0 && fd != -ENOENT) {
		return err_sys(err, -fd, "look at '%s' in the container", node->ctr.text);
	}
	if (fd >= 0) {
		if (fstat(fd, &st) < 0) {
			return err_sys(err, errno, "look at '%s' in the container",
				       node->ctr.text);
		}
		if (is_node(&st, node)) {
			return -EALREADY;
		}
		if (!S_ISREG(st.st_mode) || st.st_size != 0) {
			return refuse_existing(node->ctr.text, st.st_mode, err);
		}
		r = check_same_mount(dir, fd, node->ctr.text, err);
		if (r < 0) {
			return r;
		}
	}
	r = ctr_dir_check_may_change(&rootfs->dirs, dir, err);
	if (r < 0) {
		return r;
	}
	if (fd < 0) {
		const struct undo_record record = {
			.revert = undo_revert_file,
			.fd = dir->fd,
			.name = name,
		};

		ctr_create_begin(rootfs->process);
		fd = ctr_dir_open_entry(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0);
		ctr_create_end(rootfs->process);
		if (fd < 0) {
			return err_sys(err, -fd, "make '%s' in the container",
				       node->ctr.text);
		}
		undo_log_push(rootfs->undo, &record);
	}
	return steal_fd(&fd);
}

/* What the container will see under the name must be the node,
   whatever happened between. */
static int verify_node(const struct ctr_dir *dir, const struct plan_node *node,
		       const char *name, struct err *err)
{
	autoclose int fd = -1;
	struct stat st;

	fd = ctr_dir_open_entry(dir, name, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0) {
		return err_sys(err, fd < 0 ? -fd : errno, "look at '%s' in the container",
			       node->ctr.text);
	}
	if (!is_node(&st, node)) {
		return err_set(
			err, EEXIST,
			"verify '%s' in the container: it is not the node that was put "
			"there; something else changes the container's /dev",
			node->ctr.text);
	}
	return 0;
}

int rootfs_attach_node(struct rootfs *rootfs, const struct plan_node *node, int mount_fd,
		       struct err *err)
{
	struct undo_record record = {.revert = undo_revert_mount};
	autoclose int target_fd = -1;
	struct ctr_dir *dir;

	dir = ctr_dirs_open_parent(&rootfs->dirs, node->ctr.text, false, rootfs->process,
				   rootfs->undo, &record.name, err);
	if (!dir) {
		return -err->code;
	}
	record.fd = dir->fd;
	target_fd = open_placeholder(rootfs, dir, node, record.name, err);
	if (target_fd == -EALREADY) {
		return 0;
	}
	if (target_fd < 0) {
		return target_fd;
	}
	if (move_mount(mount_fd, "", target_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
		return err_sys(err, errno, "mount '%s' in the container", node->ctr.text);
	}
	undo_log_push(rootfs->undo, &record);
	rootfs->n_attached++;
	return verify_node(dir, node, record.name, err);
}

/* Is it the node that the link leads to? An engine that binds by-path entries
   makes nodes of them. */
static bool is_target(const struct stat *st, const struct plan *plan,
		      const struct plan_link *link)
{
	const char *name = strrchr(link->target, '/');

	for (size_t i = 0; name && i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];

		if (text_equals(strrchr(node->ctr.text, '/'), name) &&
		    is_node(st, node)) {
			return true;
		}
	}
	return false;
}

/* Return: 1 if what is there serves, 0 if nothing is there, or negative errno. */
static int look_at_link(const struct ctr_dir *dir, const struct plan *plan,
			const struct plan_link *link, const char *name, struct err *err)
{
	char target[PATH_MAX];
	autoclose int fd = -1;
	struct stat st;
	ssize_t n;

	fd = ctr_dir_open_entry(dir, name, O_PATH, 0);
	if (fd < 0) {
		return fd == -ENOENT ? 0
				     : err_sys(err, -fd, "look at '%s' in the container",
					       link->ctr.text);
	}
	if (fstat(fd, &st) < 0) {
		return err_sys(err, errno, "look at '%s' in the container",
			       link->ctr.text);
	}
	if (is_target(&st, plan, link)) {
		return 1;
	}
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(fd, "", target, sizeof(target) - 1);
		if (n >= 0) {
			target[n] = '\0';
			if (text_equals(target, link->target)) {
				return 1;
			}
		}
	}
	return refuse_existing(link->ctr.text, st.st_mode, err);
}

int rootfs_make_link(struct rootfs *rootfs, const struct plan *plan,
		     const struct plan_link *link, struct err *err)
{
	struct undo_record record = {.revert = undo_revert_file};
	struct ctr_dir *dir;
	int r;

	dir = ctr_dirs_open_parent(&rootfs->dirs, link->ctr.text, false, rootfs->process,
				   rootfs->undo, &record.name, err);
	if (!dir) {
		return -err->code;
	}
	record.fd = dir->fd;
	r = look_at_link(dir, plan, link, record.name, err);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = ctr_dir_check_may_change(&rootfs->dirs, dir, err);
	if (r < 0) {
		return r;
	}
	ctr_create_begin(rootfs->process);
	r = symlinkat(link->target, dir->fd, record.name);
	ctr_create_end(rootfs->process);
	if (r < 0) {
		return err_sys(err, errno, "link '%s' in the container", link->ctr.text);
	}
	undo_log_push(rootfs->undo, &record);
	return 0;
}
