/* SPDX-License-Identifier: Apache-2.0 */
/* bind.c - host nodes as detached mounts, ready to be attached in the container */

#include "backend/apply/bind.h"

#include <errno.h>
#include <fcntl.h>
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

/* An O_PATH descriptor: the driver is not called, and what was checked is what is bound. */
static int open_node(const struct plan_node *node, int host_root_fd, struct err *err)
{
	autoclose int fd = -1;
	struct stat st;

	fd = sys_openat2(host_root_fd, node->host.text + 1, O_PATH | O_NOFOLLOW, 0,
			 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd < 0) {
		if (errno == ENOSYS) {
			return err_old_kernel(err, "openat2");
		}
		return err_sys(err, errno, "open host node '%s'", node->host.text);
	}
	if (fstat(fd, &st) < 0) {
		return err_sys(err, errno, "look at host node '%s'", node->host.text);
	}
	if (!S_ISCHR(st.st_mode)) {
		return err_set(err, EINVAL,
			       "look at host node '%s': it is not a character device",
			       node->host.text);
	}
	if (st.st_rdev != makedev(node->major, node->minor)) {
		return err_set(
			err, EINVAL,
			"look at host node '%s': it is device %u:%u, but the driver's is "
			"%u:%u; remove it and let udev or the driver's tool make it anew",
			node->host.text, major(st.st_rdev), minor(st.st_rdev),
			node->major, node->minor);
	}
	return steal_fd(&fd);
}

static int clone_node(const struct plan_node *node, int host_root_fd, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		.propagation = MS_PRIVATE,
	};
	autoclose int node_fd = -1;
	autoclose int mount_fd = -1;

	node_fd = open_node(node, host_root_fd, err);
	if (node_fd < 0) {
		return node_fd;
	}
	mount_fd = open_tree(node_fd, "",
			     AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount_fd < 0) {
		if (errno == ENOSYS) {
			return err_old_kernel(err, "open_tree");
		}
		if (errno == EPERM) {
			return err_set(
				err, EPERM,
				"clone host node '%s': no permission; the hook needs "
				"CAP_SYS_ADMIN, as the runtime that calls it has",
				node->host.text);
		}
		return err_sys(err, errno, "clone host node '%s'", node->host.text);
	}
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		if (errno == ENOSYS) {
			return err_old_kernel(err, "mount_setattr");
		}
		return err_sys(err, errno, "make the mount of '%s' read-only",
			       node->host.text);
	}
	return steal_fd(&mount_fd);
}

int bind_prepare(const struct plan *plan, int host_root_fd, struct bind_sources *ret,
		 struct err *err)
{
	cleanup(bind_sources_closep) struct bind_sources sources = {0};

	sources.mount_fd = xcalloc(plan->n_nodes, sizeof(*sources.mount_fd));
	for (size_t i = 0; i < plan->n_nodes; i++) {
		int fd = clone_node(&plan->nodes[i], host_root_fd, err);

		if (fd < 0) {
			return fd;
		}
		sources.mount_fd[sources.n++] = fd;
	}
	*ret = sources;
	sources = (struct bind_sources){0};
	return 0;
}
