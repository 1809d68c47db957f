/* SPDX-License-Identifier: Apache-2.0 */
/* made_tree.c - a host's tree out of a manifest that may say anything */

#include "made_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/syscalls.h"
#include "base/text.h"

/* Directories above an entry: more than the code under test looks at. */
#define DEPTH_MAX 80

bool made_tree_enter(void)
{
	int fd = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fd >= 0) {
		return close(fd) == 0;
	}
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
}

int made_tree_new(void)
{
	autoclose int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		perror("make a tmpfs");
		exit(1);
	}
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID);
	if (fd < 0) {
		perror("mount a tmpfs");
		exit(1);
	}
	return fd;
}

void made_tree_clear(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		perror("list a directory of the tree");
		exit(1);
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		autoclose int below_fd = -1;

		if (text_equals(name, ".") || text_equals(name, "..")) {
			continue;
		}
		if (entry->d_type == DT_DIR) {
			below_fd = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
			made_tree_clear(below_fd);
		}
		if (unlinkat(fd, name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0) < 0) {
			perror("empty the tree");
			exit(1);
		}
	}
	(void)closedir(dir);
}

/* ---- entries ----------------------------------------------------------------------- */

/* Opens the directory of an entry, a step at a time and through no link. */
static int make_steps(int root_fd, const char *dir)
{
	autoclose int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);

	for (int depth = 0; fd >= 0 && *dir; depth++) {
		size_t len = strcspn(dir, "/");
		autofree char *step = xstrndup(dir, len);
		int next;

		dir += len;
		dir += *dir == '/';
		if (len == 0 || text_equals(step, ".")) {
			continue;
		}
		if (text_equals(step, "..") || depth == DEPTH_MAX) {
			return -1;
		}
		(void)mkdirat(fd, step, 0755);
		next = openat(fd, step, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	return steal_fd(&fd);
}

/* The directory of an entry, made if need be, and the entry's own name. */
static int open_parent(int root_fd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	autofree char *dir = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (text_equals(*ret_name, "..") || **ret_name == '\0') {
		return -1;
	}
	/* One call where it is there already, as it mostly is. */
	fd = *dir ? sys_openat2(root_fd, dir, O_PATH | O_DIRECTORY, 0,
				RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
		  : -1;
	return fd >= 0 ? fd : make_steps(root_fd, dir);
}

static void undo_escapes(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] && strchr("nt\\", text[1])) {
			text++;
			*to++ = *text == 'n' ? '\n' : *text == 't' ? '\t' : '\\';
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static void make_file(int root_fd, const char *path, const char *text)
{
	const char *name;
	autoclose int dir_fd = open_parent(root_fd, path, &name);
	autoclose int fd = -1;
	autofree char *plain = xasprintf("%s\n", text);

	if (dir_fd < 0) {
		return;
	}
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	undo_escapes(plain);
	if (fd >= 0 && write(fd, plain, strlen(plain)) < 0) {
		perror("write a file");
		exit(1);
	}
}

static void make_link(int root_fd, const char *path, const char *target)
{
	const char *name;
	autoclose int dir_fd = open_parent(root_fd, path, &name);

	if (dir_fd >= 0) {
		(void)symlinkat(target, dir_fd, name);
	}
}

static void make_dir(int root_fd, const char *path)
{
	autoclose int fd = make_steps(root_fd, path);

	(void)fd;
}

/* A device where we may make one, else what is a device to nobody. */
static void make_node(int root_fd, const char *path, const char *rest)
{
	unsigned int major;
	unsigned int minor;
	unsigned int mode;
	unsigned int uid;
	unsigned int gid;
	const char *name;
	autoclose int dir_fd = -1;

	if (sscanf(rest, "%u:%u %o %u:%u", &major, &minor, &mode, &uid, &gid) != 5) {
		return;
	}
	dir_fd = open_parent(root_fd, path, &name);
	if (dir_fd >= 0 &&
	    mknodat(dir_fd, name, S_IFCHR | 0600, makedev(major, minor)) == 0) {
		(void)fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW);
		(void)fchmodat(dir_fd, name, mode & 0777, 0);
	}
}

static void make_fifo(int root_fd, const char *path)
{
	const char *name;
	autoclose int dir_fd = open_parent(root_fd, path, &name);

	if (dir_fd >= 0) {
		(void)mknodat(dir_fd, name, S_IFIFO | 0644, 0);
	}
}

/* ---- what belongs together --------------------------------------------------------- */

static void make_attribute(int root_fd, const char *dir, const char *name,
			   const char *text)
{
	autofree char *path = xasprintf("sys/%s/%s", dir, name);

	if (*text) {
		make_file(root_fd, path, text);
	}
}

static void make_driver(int root_fd, const char *dir, const char *driver)
{
	autofree char *path = xasprintf("sys/%s/driver", dir);
	autofree char *target = xasprintf("../../../bus/any/drivers/%s", driver);

	if (*driver) {
		make_link(root_fd, path, target);
	}
}

static void make_pci(int root_fd, const char *dir, char *rest)
{
	static const char *const names[] = {"vendor", "device", "class"};
	const char *slash = strrchr(dir, '/');
	autofree char *link =
		xasprintf("sys/bus/pci/devices/%s", slash ? slash + 1 : dir);
	autofree char *target = xasprintf("../../../%s", dir);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *word = strsep(&rest, " ");

		make_attribute(root_fd, dir, names[i], word ? word : "");
	}
	make_driver(root_fd, dir, rest ? rest : "");
	make_link(root_fd, link, target);
}

static void make_drm(int root_fd, const char *dir, char *rest)
{
	const char *name = strsep(&rest, " ");
	autofree char *dev = xasprintf("sys/%s/drm/%s/dev", dir, name ? name : "");
	autofree char *link = xasprintf("sys/class/drm/%s", name ? name : "");
	autofree char *target = xasprintf("../../%s/drm/%s", dir, name ? name : "");

	make_file(root_fd, dev, rest ? rest : "");
	make_link(root_fd, link, target);
}

static void make_below(int root_fd, const char *above, const char *middle,
		       const char *below, const char *text)
{
	autofree char *path = xasprintf("%s/%s/%s", above, middle, below);

	make_file(root_fd, path, text);
}

bool made_tree_line(int root_fd, char *line)
{
	char kind = line[0];
	char *rest = kind && line[1] == ' ' ? line + 2 : NULL;
	const char *path = rest ? strsep(&rest, " ") : NULL;
	char nothing[] = "";

	if (!path) {
		return false;
	}
	rest = rest ? rest : nothing;
	switch (kind) {
	case 'f':
		make_file(root_fd, path, rest);
		return true;
	case 'l':
		make_link(root_fd, path, rest);
		return true;
	case 'd':
		make_dir(root_fd, path);
		return true;
	case 'n':
		make_node(root_fd, path, rest);
		return true;
	case 'p':
		make_fifo(root_fd, path);
		return true;
	case 'g':
		make_pci(root_fd, path, rest);
		return true;
	case 'r':
		make_drm(root_fd, path, rest);
		return true;
	case 'b':
		make_driver(root_fd, path, rest);
		return true;
	case 'v':
		make_below(root_fd, "proc/driver/nvidia/gpus", path, "information", rest);
		return true;
	case 'k':
		make_below(root_fd, "sys/class/kfd/kfd/topology/nodes", path,
			   "properties", rest);
		return true;
	default:
		return false;
	}
}
