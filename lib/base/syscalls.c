/* SPDX-License-Identifier: Apache-2.0 */
/* syscalls.c - system calls for which glibc 2.36 has no function */

#include "base/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2() gives EAGAIN when a rename or a mount anywhere on the machine came between
   its steps while it resolved ".."; each new try is one system call. */
#define OPEN_TRIES 64

int sys_openat2(int dir_fd, const char *path, uint64_t flags, mode_t mode,
		uint64_t resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = resolve,
	};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

int sys_open_in_root(int root_fd, const char *path, uint64_t flags)
{
	int fd = -1;

	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = sys_openat2(root_fd, path, flags, 0,
				 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || errno != EAGAIN) {
			break;
		}
	}
	return fd;
}

int sys_renameat2(int old_dir_fd, const char *old_path, int new_dir_fd,
		  const char *new_path, unsigned int flags)
{
	return (int)syscall(SYS_renameat2, old_dir_fd, old_path, new_dir_fd, new_path,
			    flags);
}

int sys_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}
