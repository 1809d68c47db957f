/* SPDX-License-Identifier: Apache-2.0 */
/* bind.c - host nodes and files as detached mounts, ready to be
   attached in the container */

#include "backend/apply/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "base/syscalls.h"

void bind_sources_close(struct bind_sources *sources)
{
	for (size_t i = 0; i < sources->n; i++) {
		cleanup_close(&sources->mount_fd[i]);
	}
	free(sources->mount_fd);
	*sources = (struct bind_sources){0};
}

/* An O_PATH descriptor: no driver is called, and what was checked is what is bound. */
static int open_host_path(const char *what, const char *path, int host_root_fd,
			  uint64_t resolve, struct stat *ret_st, struct err *err)
{
	autoclose int fd = -1;

	fd = sys_openat2(host_root_fd, path + 1, O_PATH | O_NOFOLLOW, 0,
			 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve);
	if (fd < 0) {
		if (errno == ENOSYS) {
			return err_old_kernel(err, "openat2");
		}
		return err_sys(err, errno, "open host %s '%s'", what, path);
	}
	if (fstat(fd, ret_st) < 0) {
		return err_sys(err, errno, "look at host %s '%s'", what, path);
	}
	return steal_fd(&fd);
}

static int check_node(const struct plan_node *node, const struct stat *st,
		      struct err *err)
{
	if (!S_ISCHR(st->st_mode)) {
		return err_set(err, EINVAL,
			       "look at host node '%s': it is not a character device",
			       node->host.text);
	}
	if (st->st_rdev != makedev(node->major, node->minor)) {
		return err_set(
			err, EINVAL,
			"look at host node '%s': it is device %u:%u, but the driver's is "
			"%u:%u; remove it and let udev or the driver's tool make it anew",
			node->host.text, major(st->st_rdev), minor(st->st_rdev),
			node->major, node->minor);
	}
	return 0;
}

/* @path: of the host, for messages */
static int clone_mount(const char *what, const char *path, int source_fd,
		       struct mount_attr *attr, struct err *err)
{
	autoclose int mount_fd = -1;

	mount_fd = open_tree(source_fd, "",
			     AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount_fd < 0) {
		if (errno == ENOSYS) {
			return err_old_kernel(err, "open_tree");
		}
		if (errno == EPERM) {
			return err_set(err, EPERM,
				       "clone host %s '%s': no permission; the hook "
				       "needs CAP_SYS_ADMIN, as the runtime that calls "
				       "it has",
				       what, path);
		}
		return err_sys(err, errno, "clone host %s '%s'", what, path);
	}
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, attr, sizeof(*attr)) < 0) {
		if (errno == ENOSYS) {
			return err_old_kernel(err, "mount_setattr");
		}
		return err_sys(err, errno, "make the mount of '%s' read-only", path);
	}
	return steal_fd(&mount_fd);
}

int bind_open_node(const struct plan_node *node, int host_root_fd, struct err *err)
{
	autoclose int node_fd = -1;
	struct stat st;
	int r;

	node_fd = open_host_path("node", node->host.text, host_root_fd, 0, &st, err);
	if (node_fd < 0) {
		return node_fd;
	}
	r = check_node(node, &st, err);
	return r < 0 ? r : steal_fd(&node_fd);
}

int bind_clone_node(const struct plan_node *node, int node_fd, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		.propagation = MS_PRIVATE,
	};

	return clone_mount("node", node->host.text, node_fd, &attr, err);
}

static int clone_host_node(const struct plan_node *node, int host_root_fd,
			   struct err *err)
{
	autoclose int node_fd = bind_open_node(node, host_root_fd, err);

	return node_fd < 0 ? node_fd : bind_clone_node(node, node_fd, err);
}

/*
 * Our mounts are not locked in a user namespace that was there before them: its root can
 * make them writable, and is stopped by nothing if the file's owner is one of its users,
 * or whoever may write it. To write to a socket is what it is there for. Of a namespace
 * that config.json makes the plan knows; one that is joined is seen here alone.
 */
static int check_writers(const struct plan_mount *mount,
			 const struct ctr_process *process, const struct stat *st,
			 struct err *err)
{
	if (process->is_rootless || process->uid_map.n == 0) {
		return 0;
	}
	if (id_map_has_outside(&process->uid_map, st->st_uid)) {
		return err_set(
			err, EPERM,
			"clone host file '%s': the container's user namespace has the "
			"host's user %u, who owns it, so that its root could change "
			"it; map other ids (podman --userns auto)",
			mount->host.text, st->st_uid);
	}
	if (!S_ISREG(st->st_mode)) {
		return 0;
	}
	if ((st->st_mode & S_IWGRP) &&
	    id_map_has_outside(&process->gid_map, st->st_gid)) {
		return err_set(
			err, EPERM,
			"clone host file '%s': the container's user namespace has the "
			"host's group %u, which may write it; chmod g-w it",
			mount->host.text, st->st_gid);
	}
	if (st->st_mode & S_IWOTH) {
		return err_set(err, EPERM,
			       "clone host file '%s': everybody may write it, and the "
			       "container's user namespace could; chmod o-w it",
			       mount->host.text);
	}
	return 0;
}

/* A file of the driver, or the socket of its daemon. */
static int clone_file(const struct plan_mount *mount, const struct ctr_process *process,
		      int host_root_fd, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		.propagation = MS_PRIVATE,
	};
	bool is_socket = mount->kind == MOUNT_SOCKET;
	autoclose int fd = -1;
	struct stat st;

	/* It is a real path: a link on the way is new. */
	fd = open_host_path("file", mount->host.text, host_root_fd, RESOLVE_NO_SYMLINKS,
			    &st, err);
	if (fd < 0) {
		return fd;
	}
	if (check_writers(mount, process, &st, err) < 0) {
		return -err->code;
	}
	if (is_socket ? !S_ISSOCK(st.st_mode) : !S_ISREG(st.st_mode)) {
		return err_set(err, EINVAL, "look at host file '%s': it is not a %s",
			       mount->host.text, is_socket ? "socket" : "regular file");
	}
	if (is_socket) {
		/* connect() asks for no writable mount, and chmod() does. */
		attr.attr_set |= MOUNT_ATTR_NOEXEC;
	}
	return clone_mount("file", mount->host.text, fd, &attr, err);
}

int bind_prepare(const struct plan *plan, const struct ctr_process *process,
		 int host_root_fd, struct bind_sources *ret, struct err *err)
{
	cleanup(bind_sources_closep) struct bind_sources sources = {0};
	size_t n = plan->n_nodes + plan->n_mounts;

	sources.mount_fd = xcalloc(n, sizeof(*sources.mount_fd));
	sources.file_fd = sources.mount_fd + plan->n_nodes;
	for (; sources.n < n; sources.n++) {
		size_t i = sources.n;
		int fd = -1;

		if (i >= plan->n_nodes) {
			fd = clone_file(&plan->mounts[i - plan->n_nodes], process,
					host_root_fd, err);
		} else if (!plan->nodes[i].is_private) {
			fd = clone_host_node(&plan->nodes[i], host_root_fd, err);
		} else {
			sources.mount_fd[i] = -1;
			continue;
		}
		if (fd < 0) {
			return fd;
		}
		sources.mount_fd[i] = fd;
	}
	*ret = sources;
	sources = (struct bind_sources){0};
	return 0;
}
