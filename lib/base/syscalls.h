/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * syscalls.h - system calls for which glibc 2.36 has no function
 *
 * The new mount API (open_tree, move_mount, mount_setattr) is in its <sys/mount.h>,
 * pidfd_open in its <sys/pidfd.h>.
 */

#include <linux/bpf.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * sys_openat2() - openat2(2), Linux 5.6
 * @flags:	O_*; O_CLOEXEC is always added
 * @resolve:	RESOLVE_* of <linux/openat2.h>
 *
 * Return: a descriptor, or -1 with errno set.
 */
int sys_openat2(int dir_fd, const char *path, uint64_t flags, mode_t mode,
		uint64_t resolve);

/**
 * sys_open_in_root() - What a path means where a directory is the root
 * @flags:	as above
 *
 * Absolute links and ".." stay in it; magic links are refused. A rename or
 * a mount anywhere on the machine that comes between the steps of a
 * resolution is tried again over.
 *
 * Return: a descriptor, or -1 with errno set.
 */
int sys_open_in_root(int root_fd, const char *path, uint64_t flags);

/**
 * sys_renameat2() - renameat2(2)
 *
 * glibc's renameat2() without flags calls renameat(2), which a
 * filter has to know as well.
 *
 * Return: 0, or -1 with errno set.
 */
int sys_renameat2(int old_dir_fd, const char *old_path, int new_dir_fd,
		  const char *new_path, unsigned int flags);

/**
 * sys_bpf() - bpf(2)
 * @attr:	zeroed before use. The whole union is passed: kernels 6.17 to 7.1 write
 *		the revision at offset 56 whatever size they are told
 *		(opencontainers/cgroups pull request 69)
 *
 * Return: a descriptor or 0, or -1 with errno set.
 */
int sys_bpf(enum bpf_cmd command, union bpf_attr *attr);
