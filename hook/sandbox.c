/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - what the program gives up, and when */

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* 10 s for the run and 2 s more to undo and report. */
#define HARD_LIMIT_SECONDS 12U

/* An O_PATH descriptor: read() and write() on it fail with EBADF, and no device is opened. */
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
	(void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	(void)clearenv();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGALRM, SIG_DFL);
	/* A reader of our stderr that has gone away is no reason to die half way. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(022);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	raise_limits();
}

void sandbox_set_deadline(void)
{
	(void)alarm(HARD_LIMIT_SECONDS);
}

int sandbox_keep_capabilities(struct err *err)
{
	static const cap_value_t needed[] = {
		CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SYS_PTRACE,
		CAP_SETUID,    CAP_SETGID,     CAP_DAC_OVERRIDE,
	};
	cap_t now = cap_get_proc();
	cap_t kept = cap_init();
	int r = 0;

	if (!now || !kept) {
		r = err_sys(err, errno, "read our capabilities");
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && r == 0; i++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (cap_get_flag(now, needed[i], CAP_PERMITTED, &has) < 0 ||
		    cap_set_flag(kept, CAP_PERMITTED, 1, &needed[i], has) < 0 ||
		    cap_set_flag(kept, CAP_EFFECTIVE, 1, &needed[i], has) < 0) {
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
