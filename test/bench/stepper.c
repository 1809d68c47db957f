/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepper.c - which instructions a program and its children execute, for order.py
 *
 *	bench-stepper OUTPUT PROGRAM ARGUMENT...
 *
 * Runs PROGRAM one instruction at a time and adds a line to OUTPUT for each that was
 * executed: its offset in PROGRAM in hexadecimal, and 1 if a child has executed it, else 0.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program's text is no larger. */
#define MAX_OFFSET (4U * 1024U * 1024U)

static bool is_of_first[MAX_OFFSET];
static bool is_of_child[MAX_OFFSET];

static void die(const char *what)
{
	(void)fprintf(stderr, "bench-stepper: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Of the files that are mapped the program is the only one, since it is static. */
static uint64_t find_base(pid_t pid)
{
	char path[32];
	char line[4200];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strchr(line, '/')) {
			(void)fclose(file);
			return strtoull(line, NULL, 16);
		}
	}
	die(path);
	return 0;
}

static void note_step(pid_t pid, uint64_t base, bool *is_executed)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) == 0 &&
	    registers.rip - base < MAX_OFFSET) {
		is_executed[registers.rip - base] = true;
	}
}

/*
 * While a child runs, whoever has started it is left where it stands: both have deadlines, and
 * this is slow.
 *
 * Return: how the first process ended.
 */
static int step_all(pid_t first, uint64_t base)
{
	pid_t pid = first;
	int status = 0;

	while (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 || errno == ESRCH) {
		if (waitpid(pid, &status, __WALL) != pid) {
			break;
		}
		if (!WIFSTOPPED(status) && pid == first) {
			return status;
		}
		if (!WIFSTOPPED(status)) {
			pid = first;
		} else if (status >> 16 == PTRACE_EVENT_FORK ||
			   status >> 16 == PTRACE_EVENT_CLONE) {
			unsigned long child;

			(void)ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child);
			pid = (pid_t)child;
			(void)waitpid(pid, &status, __WALL);
		} else if (WSTOPSIG(status) == SIGTRAP) {
			note_step(pid, base, pid == first ? is_of_first : is_of_child);
		}
	}
	die("ptrace");
	return -1;
}

static void print_steps(const char *path)
{
	FILE *file = fopen(path, "ae");

	if (!file) {
		die(path);
	}
	for (size_t i = 0; i < MAX_OFFSET; i++) {
		if (is_of_first[i] || is_of_child[i]) {
			(void)fprintf(file, "%zx %d\n", i, is_of_child[i]);
		}
	}
	if (fclose(file) != 0) {
		die(path);
	}
}

int main(int argc, char **argv)
{
	const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int status;
	pid_t pid;

	if (argc < 3) {
		(void)fputs("usage: bench-stepper OUTPUT PROGRAM ARGUMENT...\n", stderr);
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)execv(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0) {
		die(argv[2]);
	}
	status = step_all(pid, find_base(pid));
	print_steps(argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
