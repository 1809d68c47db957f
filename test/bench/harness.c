/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness.c - time whole runs of a program, in turns with one that does nothing
 *
 *	bench-harness RUNS ROOTFS V1_GROUP V2_GROUP NOOP SCENARIO...
 *
 * V1_GROUP, V2_GROUP: directories of control groups, where the containers get theirs. A
 * scenario is "BUNDLE|FILTER|ROOT|PROGRAM|ARGUMENT...". FILTER says what device filter
 * its container has: "none", "v1" or "v2". ROOT is the directory of an image, with a
 * /dev, or "-" for the empty one at ROOTFS.
 *
 * Theory of operation. Each run gets a fresh container, which stands where a runtime's
 * does at createRuntime: a process in a mount namespace of its own with a new tmpfs at
 * ROOTFS, or an overlay of ROOT, and another on its /dev, and a new control group that
 * denies every device. The state is in a pipe before the clock starts. Measured is the
 * time from vfork() until waitpid() has the program's end; containers are made and taken
 * down outside of it. In every turn each scenario runs once, right after NOOP in a
 * container of the same kind, so that whatever else the machine does hits all of them
 * alike.
 *
 * Before that, one run of each is traced, for its system calls and its memory; those of
 * processes that it starts count as well. With 0 RUNS each program runs once and that is
 * all, for programs that trace others themselves.
 *
 * Prints two lines for each scenario, first for NOOP and then for the program: p50 and
 * p99 in ns, peak memory in KiB, system calls, page faults.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGUMENTS 16U

/* What a stop at a system call looks like. Source: ptrace(2), PTRACE_O_TRACESYSGOOD. */
#define SYSCALL_STOP (SIGTRAP | 0x80)

enum filter {
	FILTER_NONE,
	FILTER_V1,
	FILTER_V2,
	FILTER_COUNT,
};

static const char *const filter_names[FILTER_COUNT] = {
	[FILTER_NONE] = "none",
	[FILTER_V1] = "v1",
	[FILTER_V2] = "v2",
};

/* What is known of one program in one scenario. */
struct figures {
	uint64_t *times_ns;
	unsigned long peak_kib;
	unsigned long n_calls;
	unsigned long n_faults;
};

struct scenario {
	const char *bundle;
	enum filter filter;
	const char *image;	       /* NULL: an empty one */
	char *argv[MAX_ARGUMENTS + 1]; /* argv[0]: the program */

	struct figures noop;
	struct figures program;
};

struct setup {
	size_t runs;
	const char *rootfs;
	char group[FILTER_COUNT][4096];
	char *noop_argv[2];
	int null_fd;	  /* where programs print to */
	int deny_program; /* a device program that refuses everything */
};

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
	int code = errno;
	va_list args;

	(void)fputs("bench-harness: ", stderr);
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fprintf(stderr, ": %s\n", strerror(code));
	exit(1);
}

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[4200];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		die("write '%s' to '%s'", text, path);
	}
	(void)close(fd);
}

/* ---- the container ----------------------------------------------------------------- */

static int load_deny_program(void)
{
	/* r0 = 0; exit */
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = sizeof(code) / sizeof(code[0]);
	attr.license = (uintptr_t) "Apache-2.0";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0) {
		die("load a device program");
	}
	return fd;
}

static void attach_deny_program(const struct setup *setup, const char *group)
{
	union bpf_attr attr;
	int fd;

	fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		die("open '%s'", group);
	}
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)fd;
	attr.attach_bpf_fd = (uint32_t)setup->deny_program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0) {
		die("attach a device program to '%s'", group);
	}
	(void)close(fd);
}

/* A new group that denies every device: a run must find no rule of the run before. */
static void make_group(const struct setup *setup, enum filter filter)
{
	const char *group = setup->group[filter];

	if (filter == FILTER_NONE) {
		return;
	}
	if (mkdir(group, 0755) < 0) {
		die("make '%s'", group);
	}
	if (filter == FILTER_V1) {
		write_file(group, "devices.deny", "a");
	} else {
		attach_deny_program(setup, group);
	}
}

/* As an engine does it: what is written goes elsewhere, here to the tmpfs. */
static int mount_image(const struct setup *setup, const char *image)
{
	char upper[4200];
	char work[4200];
	char options[16384];

	(void)snprintf(upper, sizeof(upper), "%s/upper", setup->rootfs);
	(void)snprintf(work, sizeof(work), "%s/work", setup->rootfs);
	(void)snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		       image, upper, work);
	if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0) {
		return -1;
	}
	return mount("overlay", image, "overlay", 0, options);
}

/* The life of the container's process; says so when all is ready. */
static void live(const struct setup *setup, const struct scenario *scenario, int ready_fd)
{
	char dev[4200];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (scenario->filter != FILTER_NONE) {
		write_file(setup->group[scenario->filter], "cgroup.procs", "0");
	}
	(void)snprintf(dev, sizeof(dev), "%s/dev",
		       scenario->image ? scenario->image : setup->rootfs);
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", setup->rootfs, "tmpfs", MS_NOSUID, "mode=755") < 0 ||
	    (scenario->image ? mount_image(setup, scenario->image) : mkdir(dev, 0755)) <
		    0 ||
	    mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755") < 0 ||
	    write(ready_fd, "", 1) != 1) {
		die("make the container at '%s'", setup->rootfs);
	}
	for (;;) {
		(void)pause();
	}
}

static pid_t start_container(const struct setup *setup, const struct scenario *scenario)
{
	int pipe_fd[2];
	char byte;
	pid_t pid;

	make_group(setup, scenario->filter);
	if (pipe2(pipe_fd, O_CLOEXEC) < 0) {
		die("make a pipe");
	}
	pid = fork();
	if (pid < 0) {
		die("fork");
	}
	if (pid == 0) {
		(void)close(pipe_fd[0]);
		live(setup, scenario, pipe_fd[1]);
	}
	(void)close(pipe_fd[1]);
	if (read(pipe_fd[0], &byte, 1) != 1) {
		die("start the container");
	}
	(void)close(pipe_fd[0]);
	return pid;
}

static void end_container(const struct setup *setup, enum filter filter, pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	if (filter != FILTER_NONE && rmdir(setup->group[filter]) < 0) {
		die("remove '%s'", setup->group[filter]);
	}
}

/* Return: the read end of a pipe that holds the state. */
static int make_state(const struct scenario *scenario, pid_t pid)
{
	char text[8192];
	int pipe_fd[2];
	int len;

	len = snprintf(
		text, sizeof(text),
		"{\"ociVersion\":\"1.0.2\",\"id\":\"bench\",\"status\":\"creating\","
		"\"pid\":%d,\"bundle\":\"%s\"}",
		(int)pid, scenario->bundle);
	if (pipe2(pipe_fd, O_CLOEXEC) < 0 ||
	    write(pipe_fd[1], text, (size_t)len) != len) {
		die("make the state");
	}
	(void)close(pipe_fd[1]);
	return pipe_fd[0];
}

static void check_status(const char *program, int status)
{
	if (status != 0) {
		errno = ECANCELED;
		die("run '%s': wait status %d", program, status);
	}
}

/* ---- one run, by the clock --------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* In the child. A warning on a terminal or in a pipe would be waited for: it is shown
   once, by the run that is traced. */
static void run_program(char *const *argv, int state_fd, int null_fd, int err_fd)
{
	if (dup2(state_fd, STDIN_FILENO) >= 0 && dup2(null_fd, STDOUT_FILENO) >= 0 &&
	    dup2(err_fd, STDERR_FILENO) >= 0) {
		(void)execv(argv[0], argv);
	}
	_exit(127);
}

static uint64_t time_program(char *const *argv, int state_fd, int null_fd)
{
	uint64_t start = now_ns();
	uint64_t end;
	int status;
	pid_t pid;

	pid = vfork();
	if (pid == 0) {
		run_program(argv, state_fd, null_fd, null_fd);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		die("run '%s'", argv[0]);
	}
	end = now_ns();
	check_status(argv[0], status);
	return end - start;
}

/* ---- one run, traced --------------------------------------------------------------- */

/*
 * Of the process itself, when it is about to end but has its memory still. Not ru_maxrss
 * of wait4(): execve() counts the memory from before it, which after vfork() is ours.
 */
static unsigned long read_peak_kib(pid_t pid)
{
	static const char key[] = "VmHWM:";
	unsigned long peak = 0;
	char path[32];
	char line[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, sizeof(key) - 1) == 0) {
			peak = strtoul(line + sizeof(key) - 1, NULL, 10);
		}
	}
	if (!file || peak == 0) {
		die("read '%s'", path);
	}
	(void)fclose(file);
	return peak;
}

static pid_t start_traced(char *const *argv, int state_fd, int null_fd)
{
	const long options = PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD |
			     PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		run_program(argv, state_fd, null_fd, STDERR_FILENO);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0) {
		die("trace '%s'", argv[0]);
	}
	return pid;
}

/*
 * Takes note of why a process has stopped. A call stops it twice, when it begins and when
 * it ends; only the last call of a process, which ends it, stops it once.
 *
 * Return: the signal that it is to get.
 */
static int note_stop(pid_t pid, int status, unsigned long *n_stops,
		     struct figures *figures)
{
	int event = status >> 16;
	unsigned long peak_kib;

	if (event == PTRACE_EVENT_EXIT) {
		peak_kib = read_peak_kib(pid);
		if (peak_kib > figures->peak_kib) {
			figures->peak_kib = peak_kib;
		}
		/* The second stop of its last call. */
		(*n_stops)++;
		return 0;
	}
	if (WSTOPSIG(status) == SYSCALL_STOP) {
		(*n_stops)++;
		return 0;
	}
	/* Each process that it starts begins with a SIGSTOP. */
	return event || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
}

/* The program and every process that it starts: all calls, and the largest of them. */
static void trace_program(char *const *argv, int state_fd, int null_fd,
			  struct figures *figures)
{
	pid_t first = start_traced(argv, state_fd, null_fd);
	pid_t pid = first;
	unsigned long n_stops = 0;
	int signal_number = 0;
	struct rusage usage;
	int status = 0;

	while (ptrace(PTRACE_SYSCALL, pid, NULL, (long)signal_number) == 0 ||
	       errno == ESRCH) {
		do {
			pid = wait4(-1, &status, __WALL, &usage);
		} while (pid > 0 && pid != first && !WIFSTOPPED(status));
		if (pid < 0) {
			break;
		}
		if (!WIFSTOPPED(status)) {
			check_status(argv[0], status);
			/* And the execve() that began it. */
			figures->n_calls = n_stops / 2 + 1;
			/* Those of the children that it waited for are in it. */
			figures->n_faults = (unsigned long)usage.ru_minflt;
			return;
		}
		signal_number = note_stop(pid, status, &n_stops, figures);
	}
	die("trace '%s'", argv[0]);
}

/* ---- all of them ------------------------------------------------------------------- */

/* @time_ns: NULL to trace instead */
static void run_once(const struct setup *setup, const struct scenario *scenario,
		     char *const *argv, struct figures *figures, uint64_t *time_ns)
{
	pid_t container = start_container(setup, scenario);
	int state_fd = make_state(scenario, container);

	if (time_ns) {
		*time_ns = time_program(argv, state_fd, setup->null_fd);
	} else {
		trace_program(argv, state_fd, setup->null_fd, figures);
	}
	(void)close(state_fd);
	end_container(setup, scenario->filter, container);
}

static void run_all(const struct setup *setup, struct scenario *scenarios, size_t n)
{
	for (size_t i = 0; i < n && setup->runs > 0; i++) {
		struct scenario *scenario = &scenarios[i];

		run_once(setup, scenario, setup->noop_argv, &scenario->noop, NULL);
		run_once(setup, scenario, scenario->argv, &scenario->program, NULL);
	}
	for (size_t turn = 0; turn < setup->runs; turn++) {
		for (size_t i = 0; i < n; i++) {
			struct scenario *scenario = &scenarios[i];

			run_once(setup, scenario, setup->noop_argv, &scenario->noop,
				 &scenario->noop.times_ns[turn]);
			run_once(setup, scenario, scenario->argv, &scenario->program,
				 &scenario->program.times_ns[turn]);
		}
	}
}

static int compare_times(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void print_figures(struct figures *figures, size_t runs)
{
	qsort(figures->times_ns, runs, sizeof(*figures->times_ns), compare_times);
	(void)printf("%llu %llu %lu %lu %lu\n",
		     (unsigned long long)figures->times_ns[runs / 2],
		     (unsigned long long)figures->times_ns[runs * 99 / 100],
		     figures->peak_kib, figures->n_calls, figures->n_faults);
}

static uint64_t *new_times(size_t runs)
{
	uint64_t *times_ns = calloc(runs, sizeof(*times_ns));

	if (!times_ns) {
		die("begin");
	}
	return times_ns;
}

static enum filter parse_filter(const char *name)
{
	for (int i = 0; name && i < FILTER_COUNT; i++) {
		if (strcmp(name, filter_names[i]) == 0) {
			return (enum filter)i;
		}
	}
	errno = EINVAL;
	die("read filter '%s'", name ? name : "");
}

static void run_each(const struct setup *setup, struct scenario *scenarios, size_t n)
{
	uint64_t ignored_ns;

	for (size_t i = 0; i < n; i++) {
		run_once(setup, &scenarios[i], scenarios[i].argv, &scenarios[i].program,
			 &ignored_ns);
	}
}

/* Takes the text apart in place. */
static void parse_scenario(char *text, size_t runs, struct scenario *ret)
{
	size_t n = 0;

	ret->bundle = strsep(&text, "|");
	ret->filter = parse_filter(strsep(&text, "|"));
	ret->image = strsep(&text, "|");
	if (ret->image && strcmp(ret->image, "-") == 0) {
		ret->image = NULL;
	}
	while (text && n < MAX_ARGUMENTS) {
		ret->argv[n++] = strsep(&text, "|");
	}
	if (n == 0 || text) {
		errno = EINVAL;
		die("read the scenario of '%s'", ret->bundle);
	}
	ret->noop.times_ns = new_times(runs);
	ret->program.times_ns = new_times(runs);
}

int main(int argc, char **argv)
{
	struct setup setup = {0};
	struct scenario *scenarios;
	size_t n;

	if (argc < 7) {
		(void)fputs(
			"usage: bench-harness RUNS ROOTFS V1_GROUP V2_GROUP NOOP SCENARIO...\n",
			stderr);
		return 2;
	}
	setup.runs = strtoul(argv[1], NULL, 10);
	setup.rootfs = argv[2];
	(void)snprintf(setup.group[FILTER_V1], sizeof(setup.group[0]), "%s/bench",
		       argv[3]);
	(void)snprintf(setup.group[FILTER_V2], sizeof(setup.group[0]), "%s/bench",
		       argv[4]);
	setup.noop_argv[0] = argv[5];
	setup.null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	setup.deny_program = load_deny_program();
	n = (size_t)argc - 6;
	scenarios = calloc(n, sizeof(*scenarios));
	if (setup.null_fd < 0 || !scenarios) {
		die("begin");
	}
	for (size_t i = 0; i < n; i++) {
		parse_scenario(argv[6 + i], setup.runs, &scenarios[i]);
	}
	if (setup.runs == 0) {
		run_each(&setup, scenarios, n);
	} else {
		run_all(&setup, scenarios, n);
	}
	for (size_t i = 0; i < n && setup.runs > 0; i++) {
		print_figures(&scenarios[i].noop, setup.runs);
		print_figures(&scenarios[i].program, setup.runs);
	}
	for (size_t i = 0; i < n; i++) {
		free(scenarios[i].noop.times_ns);
		free(scenarios[i].program.times_ns);
	}
	free(scenarios);
	return 0;
}
