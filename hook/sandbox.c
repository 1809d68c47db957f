/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - what the program gives up, and when */

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "filter.h"

/* An id that nothing else has, since who has the same one may send a signal: from the
   range that no system gives out. Not nobody's, which containers run as, some of them
   with the host's processes in sight. Source: systemd docs/UIDS-GIDS.md. */
#define PARSER_ID 4294900000U

/* The kernel's default of fs.overflowuid and fs.overflowgid: nobody. A user namespace
   maps it more often than the one above. */
#define OVERFLOW_ID 65534U

#define PARSER_CPU_SECONDS 5U

/* An O_PATH descriptor: read() and write() on it fail with EBADF, and
   no device is opened. */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/", O_PATH | O_DIRECTORY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO) {
		(void)close(fd);
	}
}

/* Linux before 5.9, where `plan` and `list` work as well, has no close_range(). */
static void close_from(int first)
{
	struct rlimit files = {.rlim_cur = 1024};

	if (close_range((unsigned int)first, UINT_MAX, 0) == 0) {
		return;
	}
	(void)getrlimit(RLIMIT_NOFILE, &files);
	for (int fd = first; (rlim_t)fd < files.rlim_cur && fd < INT_MAX; fd++) {
		(void)close(fd);
	}
}

/* Every node of a plan needs a descriptor at the same time. */
static void raise_limits(void)
{
	const struct rlimit no_core = {0};
	struct rlimit files;

	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

void sandbox_start(void)
{
	sigset_t none;

	fill_standard_fds();
	close_from(STDERR_FILENO + 1);
	(void)clearenv();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* A reader of our stderr that has gone away is no reason to die half way. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(022);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	raise_limits();
}

/* Numbers of /dev/null and of terminals: a serial line is none, since what it is
   connected to may do what it is told. Source: Linux
   Documentation/admin-guide/devices.txt. */
static bool is_null_or_screen(dev_t device)
{
	unsigned int major_ = major(device);
	unsigned int minor_ = minor(device);

	return (major_ == 1 && minor_ == 3) ||	 /* null */
	       (major_ == 4 && minor_ < 64) ||	 /* tty0 to tty63 */
	       (major_ == 5 && minor_ < 2) ||	 /* tty, console */
	       (major_ >= 136 && major_ <= 143); /* pts */
}

/* What somebody has made for a caller of ours, not opened by a name: a pipe that is in no
   directory, a socket. "/proc/PID/fd/N" is a name of a pipe as well, but crun opens to
   append, and nobody makes a pipe or starts a terminal so. */
static bool is_harmless_output(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;
	struct statfs fs;

	if (flags < 0 || (flags & O_APPEND) || fstat(fd, &st) < 0) {
		return false;
	}
	switch (st.st_mode & S_IFMT) {
	case S_IFSOCK:
		return true;
	case S_IFIFO:
		return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
	case S_IFCHR:
		return is_null_or_screen(st.st_rdev);
	default:
		return false;
	}
}

bool sandbox_guard_stderr(void)
{
	if (is_harmless_output(STDERR_FILENO)) {
		return true;
	}
	(void)close(STDERR_FILENO);
	fill_standard_fds();
	return false;
}

/* Sets the permitted and effective sets to those of @wanted that are permitted now. */
static int keep_capabilities(const cap_value_t *wanted, size_t n, struct err *err)
{
	cap_t now = cap_get_proc();
	cap_t kept = cap_init();
	int r = 0;

	if (!now || !kept) {
		r = err_sys(err, errno, "read our capabilities");
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (cap_get_flag(now, wanted[i], CAP_PERMITTED, &has) < 0 ||
		    cap_set_flag(kept, CAP_PERMITTED, 1, &wanted[i], has) < 0 ||
		    cap_set_flag(kept, CAP_EFFECTIVE, 1, &wanted[i], has) < 0) {
			r = err_sys(err, errno, "choose our capabilities");
		}
	}
	if (r == 0 && cap_set_proc(kept) < 0) {
		r = err_sys(err, errno, "drop capabilities");
	}
	(void)cap_free(kept);
	(void)cap_free(now);
	return r;
}

/* In strict mode malloc() cannot ask the kernel for memory: it has to have it
   before, in one piece, and must neither give it back nor want a mapping. Untouched
   pages cost nothing. */
static int reserve_memory(size_t bytes, struct err *err)
{
	/* A compiler may leave out an allocation that nobody looks at, and clang does. */
	void *volatile memory;

	(void)mallopt(M_MMAP_MAX, 0);
	(void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
	memory = malloc(bytes);
	if (!memory) {
		return err_sys(err, ENOMEM, "reserve memory for the parser");
	}
	free(memory);
	return 0;
}

/* read, write, exit and sigreturn; anything else kills. Source: seccomp(2). HAS_FILTER:
   the meson option "filter", off only for valgrind and the sanitizers. */
static int enter_strict_mode(struct err *err)
{
	if (HAS_FILTER && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) < 0) {
		return err_sys(err, errno, "confine the parser");
	}
	return 0;
}

static bool set_ids(uid_t id)
{
	return setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0;
}

/* In a user namespace neither id may be mapped, and an ordinary user may not change;
   there the capabilities and the filter are what counts. */
static void give_up_ids(void)
{
	(void)setgroups(0, NULL);
	if (!set_ids(PARSER_ID)) {
		(void)set_ids(OVERFLOW_ID);
	}
}

int sandbox_enter_parser(int reply_fd, pid_t parent, size_t memory_bytes, struct err *err)
{
	const struct rlimit cpu = {.rlim_cur = PARSER_CPU_SECONDS,
				   .rlim_max = PARSER_CPU_SECONDS};
	int r;

	if (dup2(reply_fd, STDOUT_FILENO) < 0) {
		/* An error would be written to what the runtime gave us there. */
		_exit(1);
	}
	(void)close(STDIN_FILENO);
	close_from(STDERR_FILENO);
	give_up_ids();
	r = keep_capabilities(NULL, 0, err);
	if (r < 0) {
		return r;
	}
	r = reserve_memory(memory_bytes, err);
	if (r < 0) {
		return r;
	}
	(void)setrlimit(RLIMIT_CPU, &cpu);
	/* Behind the change of the uid, which takes the setting away; the parent may
	   have died before it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent) {
		_exit(1);
	}
	return enter_strict_mode(err);
}

_Noreturn void sandbox_exit_parser(int status)
{
	for (;;) {
		(void)syscall(SYS_exit, status);
	}
}

int sandbox_enter_host(struct err *err)
{
	static const cap_value_t needed[] = {
		CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SYS_CHROOT,	CAP_SYS_PTRACE,
		CAP_SETUID,    CAP_SETGID,    CAP_DAC_OVERRIDE, CAP_KILL,
		CAP_MKNOD,     CAP_CHOWN,
	};
	int r;

	r = keep_capabilities(needed, sizeof(needed) / sizeof(needed[0]), err);
	return r < 0 ? r : filter_load(FILTER_HOST, err);
}

void sandbox_finish(void)
{
	/* What has worked is not to fail by this. */
	struct err ignored = {0};

	(void)keep_capabilities(NULL, 0, &ignored);
}

int sandbox_enter_container(struct err *err)
{
	static const cap_value_t needed[] = {
		CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SETUID, CAP_SETGID, CAP_DAC_OVERRIDE,
	};
	int r;

	r = keep_capabilities(needed, sizeof(needed) / sizeof(needed[0]), err);
	return r < 0 ? r : filter_load(FILTER_CONTAINER, err);
}
