/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_hierarchy.c - the root that the paths in /proc/PID/cgroup start at */

#include "backend/apply/cgroup_hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>

#include "backend/apply/mountinfo.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/syscalls.h"

#define RESOLVE_CGROUP (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)

struct hierarchy {
	const char *fs_type;
	long magic;
	/* Where systemd and others mount it; NULL ends them. */
	const char *usual_places[3];
	/* A file that each of its cgroups but the root has. */
	const char *own_file;
};

static const struct hierarchy hierarchies[CGROUP_VERSION_COUNT] = {
	[CGROUP_V1_DEVICES] = {"cgroup",
			       CGROUP_SUPER_MAGIC,
			       {"/sys/fs/cgroup/devices"},
			       "devices.allow"},
	/* On a hybrid machine v2 is at the second. */
	[CGROUP_V2] = {"cgroup2",
		       CGROUP2_SUPER_MAGIC,
		       {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"},
		       "cgroup.events"},
};

int cgroup_hierarchy_open_level(int root_fd, const char *path, struct err *err)
{
	int fd =
		sys_openat2(root_fd, path + 1, O_RDONLY | O_DIRECTORY, 0, RESOLVE_CGROUP);

	if (fd < 0) {
		return err_sys(err, errno, "open cgroup '%s'", path);
	}
	return fd;
}

/* Is @pid a line of the cgroup's cgroup.procs? What cannot be read is a no. */
static bool has_process(int cgroup_fd, pid_t pid)
{
	struct bytes procs = {0};
	struct err ignored = {0};
	autoclose int fd = -1;
	bool is_found = false;

	fd = openat(cgroup_fd, "cgroup.procs", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || read_all(fd, "cgroup.procs", LIMIT_PROC_FILE_BYTES, -1, &procs,
			       &ignored) < 0) {
		return false;
	}
	for (const char *line = procs.data; *line && !is_found;) {
		is_found = strtol(line, NULL, 10) == pid;
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
	bytes_clear(&procs);
	return is_found;
}

static bool has_file(int cgroup_fd, const char *name)
{
	autoclose int fd = openat(cgroup_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0;
}

/* Return: a descriptor, or -1: it is not there. */
static int try_place(const struct hierarchy *hierarchy, const char *place,
		     const char *path, pid_t pid)
{
	autoclose int root_fd = -1;
	autoclose int cgroup_fd = -1;
	struct err ignored = {0};
	struct statfs fs;

	root_fd = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root_fd < 0 || fstatfs(root_fd, &fs) < 0 || fs.f_type != hierarchy->magic) {
		return -1;
	}
	cgroup_fd = cgroup_hierarchy_open_level(root_fd, path, &ignored);
	if (cgroup_fd < 0 || !has_file(cgroup_fd, hierarchy->own_file) ||
	    !has_process(cgroup_fd, pid)) {
		return -1;
	}
	return steal_fd(&root_fd);
}

static int try_mountinfo(const struct hierarchy *hierarchy, const char *path,
			 const struct ctr_process *process, struct err *err)
{
	autofree char *mountinfo = NULL;
	int r;

	r = ctr_process_read_own(process, "mountinfo", LIMIT_MOUNTINFO_BYTES, &mountinfo,
				 err);
	if (r < 0) {
		return r;
	}
	for (const char *line = mountinfo; *line;) {
		autofree char *place = mountinfo_point_of_type(line, hierarchy->fs_type);
		int fd = place ? try_place(hierarchy, place, path, process->pid) : -1;

		if (fd >= 0) {
			return fd;
		}
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
	return err_set(
		err, ENOENT,
		"find cgroup '%s': no %s mount here leads to it; mount the hierarchy, or "
		"run the hook where the runtime runs",
		path, hierarchy->fs_type);
}

int cgroup_hierarchy_open(enum cgroup_version version, const char *path,
			  const struct ctr_process *process, struct err *err)
{
	const struct hierarchy *hierarchy = &hierarchies[version];

	for (size_t i = 0; hierarchy->usual_places[i]; i++) {
		int fd = try_place(hierarchy, hierarchy->usual_places[i], path,
				   process->pid);

		if (fd >= 0) {
			return fd;
		}
	}
	return try_mountinfo(hierarchy, path, process, err);
}
