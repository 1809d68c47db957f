/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - which functions a program and its children call, for order.py
 *
 *	bench-calls FUNCTIONS OUTPUT PROGRAM ARGUMENT...
 *
 * FUNCTIONS has the offset of a function in PROGRAM a line, in hexadecimal. Adds a line
 * to OUTPUT for each that was called: its offset, and 1 if a child has called it, else 0.
 *
 * Theory of operation. Each function begins with a breakpoint, which is taken away when
 * it is met for the first time, so that a run is little slower than by itself; it has
 * deadlines. A child is a copy in which some are missing, so all are put there again.
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

#define MAX_FUNCTIONS 16384U
#define BREAKPOINT    0xccU /* int3 */

struct function {
	uint64_t offset;
	uint8_t first_byte;
	bool is_called;
	bool is_called_by_child;
};

static struct function functions[MAX_FUNCTIONS];
static size_t n_functions;

static void die(const char *what)
{
	(void)fprintf(stderr, "bench-calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int compare_offsets(const void *a, const void *b)
{
	uint64_t left = ((const struct function *)a)->offset;
	uint64_t right = ((const struct function *)b)->offset;

	return (left > right) - (left < right);
}

static void read_functions(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[32];

	while (file && fgets(line, sizeof(line), file)) {
		if (n_functions == MAX_FUNCTIONS) {
			errno = E2BIG;
			die(path);
		}
		functions[n_functions++].offset = strtoull(line, NULL, 16);
	}
	if (!file) {
		die(path);
	}
	(void)fclose(file);
	qsort(functions, n_functions, sizeof(functions[0]), compare_offsets);
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

/* Return: the byte that was there */
static uint8_t put_byte(pid_t pid, uint64_t address, uint8_t byte)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, (void *)address, NULL);
	if (errno != 0 || ptrace(PTRACE_POKETEXT, pid, (void *)address,
				 (void *)(((unsigned long)word & ~0xffUL) | byte)) < 0) {
		die("write a breakpoint");
	}
	return (uint8_t)word;
}

/* Where one is already, as in a child, what is below it is known. */
static void put_breakpoints(pid_t pid, uint64_t base)
{
	for (size_t i = 0; i < n_functions; i++) {
		uint8_t byte = put_byte(pid, base + functions[i].offset, BREAKPOINT);

		if (byte != BREAKPOINT) {
			functions[i].first_byte = byte;
		}
	}
}

/* Return: false if the process did not stop at one of ours */
static bool take_breakpoint(pid_t pid, uint64_t base, bool is_child)
{
	struct user_regs_struct registers;
	struct function *met;
	struct function key;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0) {
		return false;
	}
	registers.rip--;
	key.offset = registers.rip - base;
	met = bsearch(&key, functions, n_functions, sizeof(key), compare_offsets);
	if (!met) {
		return false;
	}
	met->is_called = true;
	met->is_called_by_child |= is_child;
	(void)put_byte(pid, registers.rip, met->first_byte);
	return ptrace(PTRACE_SETREGS, pid, NULL, &registers) == 0;
}

/* Return: how the first process ended */
static int follow_all(pid_t first, uint64_t base)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int signal_number = 0;

		if (!WIFSTOPPED(status)) {
			if (pid == first) {
				return status;
			}
			continue;
		}
		if (WSTOPSIG(status) == SIGSTOP && pid != first) {
			put_breakpoints(pid, base);
		} else if (status >> 16 == 0 &&
			   !(WSTOPSIG(status) == SIGTRAP &&
			     take_breakpoint(pid, base, pid != first))) {
			signal_number = WSTOPSIG(status);
		}
		if (ptrace(PTRACE_CONT, pid, NULL, (long)signal_number) < 0) {
			break;
		}
	}
	die("ptrace");
	return -1;
}

static void print_calls(const char *path)
{
	FILE *file = fopen(path, "ae");

	if (!file) {
		die(path);
	}
	for (size_t i = 0; i < n_functions; i++) {
		if (functions[i].is_called) {
			(void)fprintf(file, "%llx %d\n",
				      (unsigned long long)functions[i].offset,
				      functions[i].is_called_by_child);
		}
	}
	if (fclose(file) != 0) {
		die(path);
	}
}

int main(int argc, char **argv)
{
	const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	uint64_t base;
	int status;
	pid_t pid;

	if (argc < 4) {
		(void)fputs("usage: bench-calls FUNCTIONS OUTPUT PROGRAM ARGUMENT...\n",
			    stderr);
		return 2;
	}
	read_functions(argv[1]);
	pid = fork();
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)execv(argv[3], argv + 3);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0) {
		die(argv[3]);
	}
	base = find_base(pid);
	put_breakpoints(pid, base);
	if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0) {
		die(argv[3]);
	}
	status = follow_all(pid, base);
	print_calls(argv[2]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
