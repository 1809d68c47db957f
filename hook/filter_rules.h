/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * filter_rules.h - which system calls each phase may make
 *
 * Read by gen_filters.c, which turns the tables into BPF with libseccomp when the program
 * is built: making a filter at run time would cost more than all of the hook's own work.
 * What is not listed fails with EPERM: a message and an undo follow. A phase's filter
 * stays in force below the next one's, so each later table is a part of the earlier
 * one's. (The parser needs none: it is in seccomp's strict mode.)
 *
 * A call that an architecture does not have is passed over by libseccomp: those whose
 * names end in 2, 32 or 64, and sigreturn, are what C libraries call where a word has 32
 * bits. What came out is checked for each architecture by test/lint/check_filters.py.
 */

#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct filter_rule {
	int syscall;
	unsigned int n_args; /* conditions that must all hold; 0: any arguments */
	struct scmp_arg_cmp args[1];
};

#define ANY(name)                  \
	{                          \
		SCMP_SYS(name), 0, \
		{                  \
			{          \
				0  \
			}          \
		}                  \
	}
#define WHEN(name, arg, value)                                 \
	{                                                      \
		SCMP_SYS(name), 1,                             \
		{                                              \
			{                                      \
				(arg), SCMP_CMP_EQ, (value), 0 \
			}                                      \
		}                                              \
	}
/* All bits of @mask are off. */
#define UNLESS(name, arg, mask)                                      \
	{                                                            \
		SCMP_SYS(name), 1,                                   \
		{                                                    \
			{                                            \
				(arg), SCMP_CMP_MASKED_EQ, (mask), 0 \
			}                                            \
		}                                                    \
	}

/* Memory of malloc(): never executable. */
#define MEMORY_RULES                                                                    \
	ANY(brk), UNLESS(mmap, 2, PROT_EXEC), UNLESS(mmap2, 2, PROT_EXEC), ANY(munmap), \
		ANY(mremap), ANY(madvise)

#define END_RULES                                                      \
	ANY(exit_group), ANY(exit), ANY(rt_sigreturn), ANY(sigreturn), \
		ANY(restart_syscall)

/* What mknodat() may make: an empty file of own_dir.c, and a node of private_node.c. No
   block device, no FIFO, and no mode that lets others in. */
#define PLACEHOLDER_MODE  (S_IFREG | 0444)
#define PRIVATE_NODE_MODE (S_IFCHR | 0600)

/* The peer of a socket is chosen by connect(), on the host's side, or not at all. */
#define NO_ADDRESS 0

/* What takes a mount back follows no link. */
#define UNDO_UMOUNT (MNT_DETACH | UMOUNT_NOFOLLOW)

/* Giving a lease back: with descriptors of the state directory, which is open. */
/* glibc's poll() is ppoll where there is no poll, as on arm64. */
#define LEDGER_RULES                                                           \
	WHEN(fcntl, 1, F_OFD_SETLK), WHEN(fcntl64, 1, F_OFD_SETLK), ANY(read), \
		ANY(renameat2), ANY(poll), ANY(ppoll), ANY(clock_gettime),     \
		ANY(ppoll_time64), ANY(clock_gettime64)

/* What is undone, and how it is reported, in the container's mount namespace. */
#define CONTAINER_RULES                                                                  \
	ANY(openat2), ANY(fstat), ANY(newfstatat), ANY(statx), ANY(readlinkat),          \
		ANY(mkdirat), ANY(symlinkat), ANY(unlinkat), ANY(move_mount),            \
		WHEN(umount2, 1, UNDO_UMOUNT), ANY(fchdir), ANY(close), ANY(write),      \
		WHEN(sendto, 4, NO_ADDRESS), ANY(setfsuid), ANY(setfsgid), ANY(geteuid), \
		ANY(getegid), ANY(getpid), ANY(wait4), ANY(open_tree),                   \
		ANY(mount_setattr), ANY(fstatfs), WHEN(bpf, 0, BPF_PROG_ATTACH),         \
		ANY(capget), ANY(capset), ANY(fstat64), ANY(fstatat64), ANY(fstatfs64),  \
		ANY(setfsuid32), ANY(setfsgid32), ANY(geteuid32), ANY(getegid32),        \
		LEDGER_RULES

/* After setns(): only what is below a descriptor that openat2() resolves. */
static const struct filter_rule container_rules[] = {
	MEMORY_RULES,
	END_RULES,
	CONTAINER_RULES,
};

/* While the parser works, and from then on: read its reply, open the log, find
   GPUs, prepare mounts and rules, enter. No execve, no fork, no ptrace, no kill,
   nothing of the network. */
static const struct filter_rule host_rules[] = {
	MEMORY_RULES,
	END_RULES,
	CONTAINER_RULES,
	ANY(openat),
	/* The heads of the driver's libraries. */
	ANY(pread64),
	/* The log's level and the deadline may be others than the defaults. */
	ANY(rt_sigaction),
	ANY(setitimer),
	ANY(lseek),
	ANY(getdents64),
	WHEN(fcntl, 1, F_GETFL),
	WHEN(fcntl, 1, F_SETFD),
	ANY(getcwd),
	ANY(getppid),
	ANY(pidfd_open),
	/* A tmpfs of our own, and the empty files in it. */
	ANY(fsopen),
	ANY(fsconfig),
	ANY(fsmount),
	WHEN(mknodat, 2, PLACEHOLDER_MODE),
	/* Nodes of the container's own, with the host's SELinux label; before Linux 6.15
	   in a mount namespace of ours. */
	WHEN(mknodat, 2, PRIVATE_NODE_MODE),
	ANY(fchmodat),
	ANY(fchownat),
	ANY(getxattr),
	ANY(lsetxattr),
	WHEN(unshare, 0, CLONE_NEWNS),
	/* May whoever runs us open a node? */
	ANY(faccessat),
	ANY(faccessat2),
	/* systemd over D-Bus, only where it has to be told: so not before the filter. A
	   socket to the outside of the machine cannot be made. */
	WHEN(socket, 0, AF_UNIX),
	ANY(connect),
	WHEN(setns, 1, CLONE_NEWNS),
	WHEN(bpf, 0, BPF_PROG_LOAD),
	WHEN(bpf, 0, BPF_PROG_QUERY),
	WHEN(bpf, 0, BPF_PROG_GET_FD_BY_ID),
	WHEN(bpf, 0, BPF_OBJ_GET_INFO_BY_FD),
	/* The pinned program of a unit. glibc's renameat() is renameat2, which is allowed
	   anyway, where there is no renameat, as on riscv64. */
	WHEN(bpf, 0, BPF_OBJ_GET),
	WHEN(bpf, 0, BPF_OBJ_PIN),
	ANY(renameat),
	ANY(seccomp),
	ANY(_llseek),
	WHEN(fcntl64, 1, F_GETFL),
	WHEN(fcntl64, 1, F_SETFD),
};
