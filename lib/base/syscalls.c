/* SPDX-License-Identifier: Apache-2.0 */
/* syscalls.c - system calls for which glibc 2.36 has no function */

#include "base/syscalls.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

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
