/* SPDX-License-Identifier: Apache-2.0 */
/* inspect_container.c - what kind of system is in the container's root */

#include "stage/inspect_container.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/syscalls.h"

/*
 * A C library: its loader's place, which is part of the ABI, and the directories that the
 * loader looks into by itself, in pairs that a merged /usr makes one.
 * Source: glibc sysdeps/unix/sysv/linux/x86_64/shlib-versions, Debian's
 * submitted-slibdir-paths, LSB; musl ldso/dynlink.c.
 */
struct directory {
	const char *usr; /* what is taken, if it is a directory */
	const char *root;
};

struct system {
	const char *loader;
	const char *musl_loader;
	struct directory dirs[4];
};

#if defined(__aarch64__)
static const struct system native = {
	.loader = "/lib/ld-linux-aarch64.so.1",
	.musl_loader = "/lib/ld-musl-aarch64.so.1",
	.dirs = {{"/usr/lib/aarch64-linux-gnu", "/lib/aarch64-linux-gnu"},
		 {"/usr/lib64", "/lib64"},
		 {"/usr/lib", "/lib"}},
};
static const struct system compat = {
	.loader = "/lib/ld-linux-armhf.so.3",
	.dirs = {{"/usr/lib/arm-linux-gnueabihf", "/lib/arm-linux-gnueabihf"}},
};
#else
static const struct system native = {
	.loader = "/lib64/ld-linux-x86-64.so.2",
	.musl_loader = "/lib/ld-musl-x86_64.so.1",
	.dirs = {{"/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"},
		 {"/usr/lib64", "/lib64"},
		 {"/usr/lib", "/lib"}},
};
static const struct system compat = {
	.loader = "/lib/ld-linux.so.2",
	.dirs = {{"/usr/lib/i386-linux-gnu", "/lib/i386-linux-gnu"},
		 {"/usr/lib32", "/lib32"},
		 {"/usr/lib", "/lib"}},
};
#endif

/* Is something of this type there, through links that stay in the root? */
static bool is_there(int root_fd, const char *path, mode_t type)
{
	autoclose int fd = sys_open_in_root(root_fd, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

static bool has_libc(int root_fd, const char *dir)
{
	char path[64];

	return snprintf(path, sizeof(path), "%s/libc.so.6", dir) < (int)sizeof(path) &&
	       is_there(root_fd, path, S_IFREG);
}

/* Where the C library is, there its loader looks; both of a pair are among its places. */
static const char *find_dir(int root_fd, const struct system *system, const char *except)
{
	for (const struct directory *dir = system->dirs; dir->usr; dir++) {
		if ((except && strcmp(dir->usr, except) == 0) ||
		    !(has_libc(root_fd, dir->usr) || has_libc(root_fd, dir->root))) {
			continue;
		}
		return is_there(root_fd, dir->usr, S_IFDIR) ? dir->usr : dir->root;
	}
	return NULL;
}

static void inspect(int root_fd, struct container *ctr)
{
	if (is_there(root_fd, native.loader, S_IFREG)) {
		ctr->library_dir = find_dir(root_fd, &native, NULL);
	}
	if (!ctr->library_dir) {
		ctr->no_library_reason =
			is_there(root_fd, native.musl_loader, S_IFREG)
				? "its C library is musl"
				: "it has no glibc where a loader looks for it";
		return;
	}
	if (is_there(root_fd, compat.loader, S_IFREG)) {
		ctr->library_dir_32 = find_dir(root_fd, &compat, ctr->library_dir);
	}
}

void inspect_container(const char *rootfs_path, bool is_rootless, struct container *ctr)
{
	autoclose int root_fd = -1;

	if (!is_rootless && ctr->has_user_namespace &&
	    id_map_has_outside(&ctr->uid_map, 0)) {
		ctr->no_library_reason =
			"its user namespace has the host's root, who could write the "
			"host's files; map other ids (podman --userns auto)";
		return;
	}
	root_fd = sys_openat2(AT_FDCWD, rootfs_path, O_PATH | O_DIRECTORY, 0, 0);
	if (root_fd < 0) {
		ctr->no_library_reason = "its root cannot be looked into from here";
		return;
	}
	inspect(root_fd, ctr);
}

/* Nothing there is fine: the runtime makes what is missing. */
static bool is_without_links(int root_fd, const char *path)
{
	autoclose int fd = -1;

	path += strspn(path, "/");
	fd = sys_openat2(root_fd, *path ? path : ".", O_PATH, 0,
			 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	return fd >= 0 || errno == ENOENT;
}

static bool is_below_another(const struct config_mount *mounts, size_t n, size_t index)
{
	for (size_t i = 0; i < n; i++) {
		if (mounts[i].has_content &&
		    path_relate(mounts[i].destination, mounts[index].destination) ==
			    PATH_ABOVE) {
			return true;
		}
	}
	return false;
}

static bool are_nodes_without_links(int root_fd, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		const char *path = plan->nodes[i].ctr.text;
		const char *slash = strrchr(path, '/');
		autofree char *dir = xstrndup(path, (size_t)(slash - path));

		if (!is_without_links(root_fd, dir)) {
			return false;
		}
	}
	return true;
}

bool inspect_volumes(const char *rootfs_path, const struct config_mount *mounts, size_t n,
		     const struct plan *plan)
{
	autoclose int root_fd = -1;
	bool has_volume = false;

	if (rootfs_path[0] == '/') {
		root_fd = sys_openat2(AT_FDCWD, rootfs_path, O_PATH | O_DIRECTORY, 0, 0);
	}
	for (size_t i = 0; i < n; i++) {
		has_volume |= mounts[i].has_content;
		if (mounts[i].has_content &&
		    (root_fd < 0 || path_has_parent(mounts[i].destination) ||
		     is_below_another(mounts, n, i) ||
		     !is_without_links(root_fd, mounts[i].destination))) {
			return false;
		}
	}
	return !has_volume || are_nodes_without_links(root_fd, plan);
}

void inspect_no_container(struct container *ctr)
{
	ctr->library_dir = native.dirs[0].usr;
}
