/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known_calls.c - what valgrind 3.19 does not know, by calls that it knows; preloaded
 *
 * valgrind answers ENOSYS to a system call that it does not know. The program needs
 * openat2() for all that it reads of a host, and pidfd_open() before it looks at a
 * container. What is lost is where a path may lead to, that a process lives, and the
 * mounts: a clone of a mount is another descriptor of the same file, and attaching it
 * comes to nothing, so that a run fails when it looks for the node in the container, and
 * undoes. Other tests are about all that; here it is about memory and descriptors on the
 * way.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef long syscall_fn(long number, ...);
typedef __typeof__(pidfd_open) pidfd_open_fn;
typedef __typeof__(setns) setns_fn;
typedef __typeof__(open_tree) open_tree_fn;
typedef __typeof__(mount_setattr) mount_setattr_fn;
typedef __typeof__(move_mount) move_mount_fn;

/* In the place of the C library's. */
syscall_fn syscall;

/* Of the one process that the program looks at. */
static pid_t process;

static long open_known(int dir_fd, const char *path, const struct open_how *how)
{
	if (how->resolve & RESOLVE_IN_ROOT) {
		while (*path == '/') {
			path++;
		}
	}
	return openat(dir_fd, *path ? path : ".", (int)how->flags, (mode_t)how->mode);
}

long syscall(long number, ...)
{
	syscall_fn *libc_syscall = (syscall_fn *)dlsym(RTLD_NEXT, "syscall");
	long arg[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++) {
		arg[i] = va_arg(ap, long);
	}
	va_end(ap);
	if (number == SYS_openat2) {
		return open_known((int)arg[0], (const char *)arg[1],
				  (const struct open_how *)arg[2]);
	}
	return libc_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* Was a call refused as valgrind refuses what it does not know? */
static bool is_unknown(int result)
{
	return result < 0 && errno == ENOSYS;
}

/* Never readable: the process lives. */
int pidfd_open(pid_t pid, unsigned int flags)
{
	pidfd_open_fn *libc_pidfd_open = (pidfd_open_fn *)dlsym(RTLD_NEXT, "pidfd_open");
	int fd = libc_pidfd_open(pid, flags);
	char path[32];

	if (!is_unknown(fd)) {
		return fd;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	if (access(path, F_OK) < 0) {
		errno = ESRCH;
		return -1;
	}
	process = pid;
	return eventfd(0, EFD_CLOEXEC);
}

/* Of a process that has no real descriptor: by the namespace's own. */
int setns(int fd, int type)
{
	setns_fn *libc_setns = (setns_fn *)dlsym(RTLD_NEXT, "setns");
	char path[48];
	int ns_fd;
	int r;

	if (process == 0) {
		return libc_setns(fd, type);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", process);
	ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	r = ns_fd < 0 ? -1 : libc_setns(ns_fd, type);
	if (ns_fd >= 0) {
		(void)close(ns_fd);
	}
	return r;
}

int open_tree(int dir_fd, const char *path, unsigned int flags)
{
	open_tree_fn *libc_open_tree = (open_tree_fn *)dlsym(RTLD_NEXT, "open_tree");
	int fd = libc_open_tree(dir_fd, path, flags);

	return is_unknown(fd) ? fcntl(dir_fd, F_DUPFD_CLOEXEC, 0) : fd;
}

int mount_setattr(int dir_fd, const char *path, unsigned int flags,
		  struct mount_attr *attributes, size_t size)
{
	mount_setattr_fn *libc_mount_setattr =
		(mount_setattr_fn *)dlsym(RTLD_NEXT, "mount_setattr");
	int r = libc_mount_setattr(dir_fd, path, flags, attributes, size);

	return is_unknown(r) ? 0 : r;
}

int move_mount(int from_fd, const char *from, int to_fd, const char *to,
	       unsigned int flags)
{
	move_mount_fn *libc_move_mount = (move_mount_fn *)dlsym(RTLD_NEXT, "move_mount");
	int r = libc_move_mount(from_fd, from, to_fd, to, flags);

	return is_unknown(r) ? 0 : r;
}
