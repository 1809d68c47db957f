/* SPDX-License-Identifier: Apache-2.0 */
/* procfs.c - /proc, and that it is ours */

#include "base/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/syscalls.h"

/* The root directory of every procfs. Source: Linux
   include/linux/proc_fs.h, PROC_ROOT_INO. */
#define PROC_ROOT_INODE 1U

/* Fields of /proc/PID/stat, counted from the one behind the name, which is 0. */
#define FIELD_N_THREADS 17
#define FIELD_START	19

/* The numbers in /proc must be ours: another PID namespace's would
   name other processes. */
static int check_is_ours(int proc_fd, struct err *err)
{
	char self[16] = "";

	if (readlinkat(proc_fd, "self", self, sizeof(self) - 1) < 0) {
		return err_sys(err, errno, "look at '/proc/self'");
	}
	if (strtol(self, NULL, 10) != getpid()) {
		return err_set(
			err, EINVAL,
			"look at '/proc/self': '/proc' shows another PID namespace; run "
			"the hook where the runtime runs");
	}
	return 0;
}

/* A mount over /proc could show another process under our number. */
int procfs_open(struct err *err)
{
	autoclose int fd = -1;
	struct statfs fs;
	struct stat st;

	fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return err_sys(err, errno, "open '/proc'");
	}
	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0) {
		return err_sys(err, errno, "look at '/proc'");
	}
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INODE) {
		return err_set(err, EINVAL, "look at '/proc': it is not a procfs");
	}
	if (check_is_ours(fd, err) < 0) {
		return -err->code;
	}
	return steal_fd(&fd);
}

static int read_field(const char *fields, int field, uint64_t *ret)
{
	char *end;

	for (int i = 0; i < field; i++) {
		fields = strchr(fields, ' ');
		if (!fields) {
			return -EBADMSG;
		}
		fields++;
	}
	errno = 0;
	*ret = strtoull(fields, &end, 10);
	return end == fields || errno != 0 ? -EBADMSG : 0;
}

/*
 * "1234 (a name) S 1 ... 22: start": the name may hold anything, so the last ')' counts.
 * A process whose first thread has ended is a zombie to look at, and lives on in its
 * other threads: so it is their number that says whether anything is left.
 */
static int find_start_time(const char *stat, uint64_t *ret)
{
	const char *at = strrchr(stat, ')');
	uint64_t n_threads;
	int r;

	if (!at || at[1] != ' ') {
		return -EBADMSG;
	}
	at += 2;
	r = read_field(at, FIELD_N_THREADS, &n_threads);
	if (r < 0) {
		return r;
	}
	if ((*at == 'Z' || *at == 'X') && n_threads <= 1) {
		return -ESRCH;
	}
	return read_field(at, FIELD_START, ret);
}

int procfs_start_time(int proc_fd, pid_t pid, uint64_t *ret)
{
	char stat[1024];
	char path[32];
	autoclose int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/stat", pid);
	fd = sys_openat2(proc_fd, path, O_RDONLY, 0, RESOLVE_PROC);
	if (fd < 0) {
		return errno == ENOENT ? -ESRCH : -errno;
	}
	n = read(fd, stat, sizeof(stat) - 1);
	if (n < 0) {
		return -errno;
	}
	stat[n] = '\0';
	return find_start_time(stat, ret);
}
