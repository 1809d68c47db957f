/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - the container's init, held so that its number cannot become another's */

#include "backend/apply/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/procfs.h"
#include "base/syscalls.h"
#include "base/text.h"

/* For the name of a namespace: its type and an inode's number. */
#define NAMESPACE_BYTES 64U

void ctr_process_close(struct ctr_process *process)
{
	cleanup_close(&process->dir_fd);
	cleanup_close(&process->pidfd);
	cleanup_close(&process->proc_fd);
	id_map_clear(&process->uid_map);
	id_map_clear(&process->gid_map);
	*process = CTR_PROCESS_NONE;
}

static int read_text(int dir_fd, const char *name, size_t max, char **ret,
		     struct err *err)
{
	struct bytes text = {0};
	autoclose int fd = -1;
	int r;

	fd = sys_openat2(dir_fd, name, O_RDONLY, 0, RESOLVE_PROC);
	if (fd < 0) {
		return err_sys(err, errno, "open '%s' of the container's process", name);
	}
	r = read_all(fd, name, max, -1, &text, err);
	if (r < 0) {
		return r;
	}
	*ret = text.data;
	return 0;
}

int ctr_process_read(const struct ctr_process *process, const char *name, size_t max,
		     char **ret, struct err *err)
{
	return read_text(process->dir_fd, name, max, ret, err);
}

int ctr_process_read_own(const struct ctr_process *process, const char *name, size_t max,
			 char **ret, struct err *err)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%d/%s", getpid(), name);
	return read_text(process->proc_fd, path, max, ret, err);
}

int ctr_process_check_alive(const struct ctr_process *process, struct err *err)
{
	struct pollfd pfd = {.fd = process->pidfd, .events = POLLIN};
	int n = poll(&pfd, 1, 0);

	if (n < 0) {
		return err_sys(err, errno, "look at process %d", process->pid);
	}
	if (n > 0) {
		return err_set(
			err, ESRCH,
			"look at process %d: it has ended; the runtime gave up on the "
			"container",
			process->pid);
	}
	return 0;
}

/* "mnt:[4026531832]". Return: 0, or negative errno. */
static int read_namespace(int dir_fd, const char *path, char *buf, size_t size)
{
	ssize_t n = readlinkat(dir_fd, path, buf, size);

	if (n < 0) {
		return -errno;
	}
	if (n == 0 || (size_t)n == size) {
		return -EBADMSG;
	}
	buf[n] = '\0';
	return 0;
}

/* The text of the magic link names the namespace; following it says no more. */
static int is_same_namespace(const struct ctr_process *process, const char *name,
			     bool *ret, struct err *err)
{
	char own[NAMESPACE_BYTES];
	char its[NAMESPACE_BYTES];
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "self/%s", name);
	r = read_namespace(process->proc_fd, path, own, sizeof(own));
	if (r < 0) {
		return err_sys(err, -r, "look at '/proc/%s'", path);
	}
	r = read_namespace(process->dir_fd, name, its, sizeof(its));
	if (r < 0) {
		if (r == -EACCES || r == -EPERM) {
			return err_set(
				err, EPERM,
				"look at '/proc/%d/%s': no permission; the hook must run "
				"as the user who runs the runtime, with its capabilities",
				process->pid, name);
		}
		return err_sys(err, -r, "look at '/proc/%d/%s'", process->pid, name);
	}
	*ret = text_equals(own, its);
	return 0;
}

/* Not sscanf(): its code is half a megabyte away from all else that a run needs. */
static bool read_range(const char *line, uint32_t *inside, uint32_t *outside,
		       uint32_t *count)
{
	uint32_t *const fields[] = {inside, outside, count};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t len;

		line += strspn(line, " ");
		len = strcspn(line, " \n");
		if (text_to_u32(line, len, fields[i]) < 0) {
			return false;
		}
		line += len;
	}
	return true;
}

/* Source: user_namespaces(7), lines "inside outside count". */
static int read_map(const struct ctr_process *process, const char *name,
		    struct id_map *map, struct err *err)
{
	autofree char *text = NULL;
	const char *line;
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
	int r;

	r = ctr_process_read(process, name, LIMIT_PROC_FILE_BYTES, &text, err);
	if (r < 0) {
		return r;
	}
	for (line = text; line; line = strchr(line, '\n')) {
		if (read_range(line, &inside, &outside, &count)) {
			id_map_add(map, inside, outside, count);
		}
		line += *line == '\n';
	}
	if (map->n == 0) {
		return err_set(err, EINVAL,
			       "look at process %d: its user namespace maps no ids",
			       process->pid);
	}
	return 0;
}

/* Of the container's root, else of the first id there is. */
static uint32_t outside_id_of_root(const struct id_map *map)
{
	uint32_t id = map->ranges[0].outside;

	(void)id_map_to_outside(map, 0, &id);
	return id;
}

static int read_maps(struct ctr_process *process, struct err *err)
{
	int r = read_map(process, "uid_map", &process->uid_map, err);

	if (r == 0) {
		r = read_map(process, "gid_map", &process->gid_map, err);
	}
	if (r == 0) {
		process->root_uid = outside_id_of_root(&process->uid_map);
		process->root_gid = outside_id_of_root(&process->gid_map);
	}
	return r;
}

int ctr_process_map_ids(const struct ctr_process *process, uid_t uid, gid_t gid,
			uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	*ret_uid = uid;
	*ret_gid = gid;
	if (process->uid_map.n == 0) {
		return 0;
	}
	if (!id_map_to_outside(&process->uid_map, uid, ret_uid) ||
	    !id_map_to_outside(&process->gid_map, gid, ret_gid)) {
		return err_set(err, EINVAL,
			       "look at process %d: its user namespace does not map the "
			       "ids %u:%u of config.json's process.user",
			       process->pid, uid, gid);
	}
	return 0;
}

static int read_is_rootless(struct ctr_process *process, struct err *err)
{
	autofree char *map = NULL;
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
	int r;

	r = ctr_process_read_own(process, "uid_map", LIMIT_PROC_FILE_BYTES, &map, err);
	if (r < 0) {
		return r;
	}
	/* The initial map is one line, everything onto itself. */
	process->is_rootless = !read_range(map, &inside, &outside, &count) ||
			       inside != 0 || outside != 0 || count != UINT32_MAX;
	return 0;
}

static int check_pid(pid_t pid, struct err *err)
{
	if (pid == 0) {
		return err_set(
			err, EINVAL,
			"take pid from the state: there is none; register the hook at "
			"createRuntime or prestart");
	}
	if (pid == 1 || pid == getpid() || pid == getppid()) {
		return err_set(err, EINVAL,
			       "take pid from the state: %d is not a container's process",
			       pid);
	}
	return 0;
}

/* A process with our mount namespace would have the host's mounts changed. */
static int check_own_mount_ns(const struct ctr_process *process, struct err *err)
{
	bool is_same = true;
	int r;

	r = is_same_namespace(process, "ns/mnt", &is_same, err);
	if (r < 0) {
		return r;
	}
	if (is_same) {
		return err_set(
			err, EINVAL,
			"look at process %d: it is in our own mount namespace, so its "
			"mounts would be the host's; register the hook at createRuntime "
			"or prestart",
			process->pid);
	}
	return 0;
}

static int find_ids(struct ctr_process *process, struct err *err)
{
	bool is_same = true;
	int r;

	r = is_same_namespace(process, "ns/user", &is_same, err);
	if (r == 0 && !is_same) {
		r = read_maps(process, err);
	}
	if (r == 0) {
		r = read_is_rootless(process, err);
	}
	return r;
}

int ctr_process_look(pid_t pid, struct ctr_process *ret, struct err *err)
{
	cleanup(ctr_process_closep) struct ctr_process process = CTR_PROCESS_NONE;
	char name[16];

	process.pid = pid;
	process.proc_fd = procfs_open(err);
	if (process.proc_fd < 0) {
		return -err->code;
	}
	process.pidfd = pidfd_open(pid, 0);
	if (process.pidfd < 0) {
		return err_sys(err, errno, "open process %d", pid);
	}
	(void)snprintf(name, sizeof(name), "%d", pid);
	process.dir_fd =
		sys_openat2(process.proc_fd, name, O_PATH | O_DIRECTORY, 0, RESOLVE_PROC);
	if (process.dir_fd < 0) {
		if (errno == ENOSYS) {
			return err_old_kernel(err, "openat2");
		}
		return err_sys(err, errno, "open '/proc/%d'", pid);
	}
	*ret = process;
	process = CTR_PROCESS_NONE;
	return 0;
}

int ctr_process_open(pid_t pid, struct ctr_process *ret, struct err *err)
{
	cleanup(ctr_process_closep) struct ctr_process process = CTR_PROCESS_NONE;
	int r;

	r = check_pid(pid, err);
	if (r == 0) {
		r = ctr_process_look(pid, &process, err);
	}
	if (r < 0) {
		return r;
	}
	r = check_own_mount_ns(&process, err);
	if (r == 0) {
		r = find_ids(&process, err);
	}
	/* Alive now, so all of the above was its own and not of a later process. */
	if (r == 0) {
		r = ctr_process_check_alive(&process, err);
	}
	if (r < 0) {
		return r;
	}
	*ret = process;
	process = CTR_PROCESS_NONE;
	return 0;
}

int ctr_process_enter_mount_ns(const struct ctr_process *process, struct err *err)
{
	if (setns(process->pidfd, CLONE_NEWNS) < 0) {
		return err_sys(err, errno, "enter the mount namespace of process %d",
			       process->pid);
	}
	return 0;
}
