/* SPDX-License-Identifier: Apache-2.0 */
/* private_node.c - nodes of the container's own, where its process may
   not open the host's */

#include "backend/apply/private_node.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/xattr.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/syscalls.h"

struct private_nodes {
	const struct ctr_process *process;
	int host_root_fd;
	int fs_fd; /* the tmpfs */
	bool is_attached;
};

static void private_nodes_close(struct private_nodes *nodes)
{
	cleanup_close(&nodes->fs_fd);
}
DEFINE_CLEANUP(struct private_nodes, private_nodes_close)

/* ---- the label --------------------------------------------------------------------- */

/* No call reads an attribute through an O_PATH descriptor but by its name in /proc.
   Return: its length, 0: none, or negative errno. */
static ssize_t read_label(const struct private_nodes *nodes, int node_fd,
			  const char *host_path, char label[static LIMIT_LABEL_BYTES],
			  struct err *err)
{
	char name[32];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "self/fd/%d", node_fd);
	if (fchdir(nodes->process->proc_fd) < 0) {
		return err_sys(err, errno, "enter '/proc'");
	}
	n = getxattr(name, XATTR_NAME_SELINUX, label, LIMIT_LABEL_BYTES);
	if (n < 0 && (errno == ENODATA || errno == EOPNOTSUPP)) {
		return 0;
	}
	return n < 0 ? err_sys(err, errno, "read the SELinux label of host node '%s'",
			       host_path)
		     : n;
}

static int copy_label(const struct private_nodes *nodes, int node_fd, const char *name,
		      const char *host_path, struct err *err)
{
	char label[LIMIT_LABEL_BYTES];
	ssize_t n = read_label(nodes, node_fd, host_path, label, err);

	if (n <= 0) {
		return (int)n;
	}
	if (fchdir(nodes->fs_fd) < 0) {
		return err_sys(err, errno, "enter a tmpfs of our own");
	}
	if (lsetxattr(name, XATTR_NAME_SELINUX, label, (size_t)n, 0) < 0) {
		return err_sys(
			err, errno,
			"give the container's own '%s' the SELinux label '%.*s' of the "
			"host's; set \"access\": \"host\", with the booleans "
			"container_use_devices or container_use_dri_devices on",
			host_path, (int)n, label);
	}
	return 0;
}

/* ---- one node ---------------------------------------------------------------------- */

static int make_node(const struct private_nodes *nodes, const struct plan_node *node,
		     const char *name, struct err *err)
{
	dev_t number = makedev(node->major, node->minor);
	const char *path = node->host.text;

	if (mknodat(nodes->fs_fd, name, S_IFCHR | 0600, number) == 0) {
		return 0;
	}
	if (errno == EPERM) {
		return err_set(err, EPERM,
			       "make the container's own '%s': no permission; the hook "
			       "needs CAP_MKNOD, or set \"access\": \"host\"",
			       path);
	}
	return err_sys(err, errno, "make the container's own '%s'", path);
}

/* Return: an O_PATH descriptor of it, or negative errno. */
static int give_node(const struct private_nodes *nodes, const struct plan_node *node,
		     const char *name, struct err *err)
{
	const char *path = node->host.text;
	uid_t uid;
	gid_t gid;
	int fd;
	int r;

	r = ctr_process_map_ids(nodes->process, node->private_uid, node->private_gid,
				&uid, &gid, err);
	if (r < 0) {
		return r;
	}
	if (fchmodat(nodes->fs_fd, name, node->private_mode, 0) < 0 ||
	    fchownat(nodes->fs_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0) {
		return err_sys(err, errno, "give the container's own '%s' to its process",
			       path);
	}
	fd = sys_openat2(nodes->fs_fd, name, O_PATH | O_NOFOLLOW, 0, 0);
	return fd < 0 ? err_sys(err, errno, "look at the container's own '%s'", path)
		      : fd;
}

/* In a mount namespace that nobody else is in. */
static int attach(struct private_nodes *nodes, struct err *err)
{
	struct mount_attr attr = {.propagation = MS_PRIVATE};

	/* Nothing may reach the host's namespace, of which this is a copy. */
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0 ||
	    move_mount(nodes->fs_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		return err_sys(err, errno, "make a mount namespace of our own");
	}
	nodes->is_attached = true;
	return 0;
}

static int clone_own(struct private_nodes *nodes, const struct plan_node *node, int fd,
		     struct err *err)
{
	int mount_fd = bind_clone_node(node, fd, err);
	int r;

	/* Linux before 6.15. */
	if (mount_fd == -EINVAL && !nodes->is_attached) {
		*err = (struct err){0};
		r = attach(nodes, err);
		mount_fd = r < 0 ? r : bind_clone_node(node, fd, err);
	}
	return mount_fd;
}

static int prepare_node(struct private_nodes *nodes, const struct plan_node *node,
			size_t i, struct err *err)
{
	autoclose int host_fd = -1;
	autoclose int own_fd = -1;
	char name[24];
	int r;

	(void)snprintf(name, sizeof(name), "%zu", i);
	host_fd = bind_open_node(node, nodes->host_root_fd, err);
	if (host_fd < 0) {
		return host_fd;
	}
	r = make_node(nodes, node, name, err);
	/* Mode and label before the owner: then it is still ours. */
	if (r == 0) {
		r = copy_label(nodes, host_fd, name, node->host.text, err);
	}
	if (r < 0) {
		return r;
	}
	own_fd = give_node(nodes, node, name, err);
	return own_fd < 0 ? own_fd : clone_own(nodes, node, own_fd, err);
}

/* ---- all --------------------------------------------------------------------------- */

static int make_tmpfs(size_t n_nodes, struct err *err)
{
	autoclose int fs_fd = -1;
	char inodes[24];
	int mount_fd;

	/* And its root; an attribute takes room that counts as an inode's.
	   Source: Linux mm/shmem.c, shmem_xattr_handler_set(). */
	(void)snprintf(inodes, sizeof(inodes), "%zu", 2 * n_nodes + 1);
	fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs_fd < 0) {
		return errno == ENOSYS ? err_old_kernel(err, "fsopen")
				       : err_sys(err, errno, "make a tmpfs for nodes");
	}
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", "oci-gpu-hook", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return err_sys(err, errno, "make a tmpfs for nodes");
	}
	mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	return mount_fd < 0 ? err_sys(err, errno, "make a tmpfs for nodes") : mount_fd;
}

static size_t count_private(const struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_nodes; i++) {
		n += plan->nodes[i].is_private;
	}
	return n;
}

int private_nodes_prepare(const struct plan *plan, const struct ctr_process *process,
			  int host_root_fd, struct bind_sources *sources, struct err *err)
{
	cleanup(private_nodes_closep) struct private_nodes nodes = {
		.process = process,
		.host_root_fd = host_root_fd,
		.fs_fd = -1,
	};
	size_t n = count_private(plan);

	if (n == 0) {
		return 0;
	}
	nodes.fs_fd = make_tmpfs(n, err);
	if (nodes.fs_fd < 0) {
		return nodes.fs_fd;
	}
	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (!plan->nodes[i].is_private) {
			continue;
		}
		sources->mount_fd[i] = prepare_node(&nodes, &plan->nodes[i], i, err);
		if (sources->mount_fd[i] < 0) {
			return -err->code;
		}
	}
	return 0;
}
