/* SPDX-License-Identifier: Apache-2.0 */
/* test_ledger.c - the ledger on disk: lock, dead holders, crashes, full disks */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/mem.h"
#include "base/procfs.h"
#include "stage/lease.h"

static char dir[64];
static char file[80];

static void make_dir(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_ledger.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/ledger", dir);
}

static void remove_dir(void)
{
	static const char *const names[] = {"ledger", "ledger.new", "lock"};

	for (size_t i = 0; i < 3; i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

TestSuite(ledger, .init = make_dir, .fini = remove_dir);

static void open_ledger(struct ledger *ledger)
{
	struct err err = {0};

	cr_assert_eq(ledger_open(dir, true, ledger, &err), 0, "%s", err.msg);
}

/* A process that waits to be killed. */
static pid_t start_process(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	cr_assert_gt(pid, 0);
	return pid;
}

static void end_process(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void hold(struct ledger *ledger, const char *gpu, bool is_exclusive, pid_t pid)
{
	struct err err = {0};
	struct holder holder = {
		.gpu = gpu, .is_exclusive = is_exclusive, .id = "c", .bundle = "/b"};

	cr_assert_eq(ledger_identify(ledger, pid, &holder.init, &err), 0, "%s", err.msg);
	holders_add(&ledger->holders, &holder);
}

static size_t count_on_disk(void)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	struct err err = {0};

	open_ledger(&ledger);
	cr_assert_eq(ledger_load(&ledger, &err), 0, "%s", err.msg);
	return ledger.holders.n;
}

Test(ledger, holders_are_there_for_the_next_who_opens_it)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	struct err err = {0};

	open_ledger(&ledger);
	cr_assert_eq(ledger_lock(&ledger, &err), 0, "%s", err.msg);
	cr_assert_eq(ledger_load(&ledger, &err), 0, "%s", err.msg);
	cr_expect_eq(ledger.holders.n, 0);
	hold(&ledger, "g", true, getpid());
	cr_assert_eq(ledger_save(&ledger, &err), 0, "%s", err.msg);
	ledger_unlock(&ledger);
	cr_expect_eq(count_on_disk(), 1);
}

Test(ledger, directory_is_made_if_only_it_is_missing)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	struct err err = {0};
	struct stat st;

	cr_assert_eq(rmdir(dir), 0);
	open_ledger(&ledger);
	cr_expect_geq(ledger.dir_fd, 0);
	cr_assert_eq(stat(dir, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0755);
	ledger_close(&ledger);
	cr_assert_eq(ledger_open("/tmp/not-there/either", true, &ledger, &err), 0, "%s",
		     err.msg);
	cr_expect_eq(ledger.dir_fd, -1);
	cr_expect_eq(ledger.absence.code, ENOENT);
	ledger_close(&ledger);
	cr_assert_eq(ledger_open("/tmp/not-there", false, &ledger, &err), 0, "%s",
		     err.msg);
	cr_expect_eq(ledger.absence.code, ENOENT);
	cr_expect_eq(access("/tmp/not-there", F_OK), -1);
}

/* For root, by another id: its own may look everywhere. */
static void close_dir_to_us(mode_t mode)
{
	cr_assert_eq(chmod(dir, mode), 0);
	if (geteuid() == 0) {
		cr_assert_eq(seteuid(65534), 0);
	}
}

Test(ledger, directory_that_may_not_be_made_is_an_absence)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *below = xasprintf("%s/below", dir);
	struct err err = {0};

	close_dir_to_us(0555);
	cr_expect_eq(ledger_open(below, true, &ledger, &err), 0, "%s", err.msg);
	cr_expect_eq(ledger.dir_fd, -1);
	cr_expect_eq(ledger.absence.code, EACCES);
	cr_assert_eq(seteuid(getuid()), 0);
}

Test(ledger, directory_that_may_not_be_looked_into_is_no_absence)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	struct err err = {0};

	close_dir_to_us(0);
	cr_expect_eq(ledger_open(dir, true, &ledger, &err), -EACCES);
	cr_expect_eq(ledger_open(dir, false, &ledger, &err), -EACCES);
	cr_assert_eq(seteuid(getuid()), 0);
}

/* In a mount namespace of the test's own. */
static void mount_in_ours(const char *source, const char *target, const char *type,
			  unsigned long flags, const char *options)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(source, target, type, flags, options) < 0) {
		cr_skip_test("needs root, and Linux 5.8: %s", strerror(errno));
	}
}

/* What is there of the ledger cannot be read then, and somebody may hold a GPU. */
Test(ledger, proc_that_is_not_whole_is_no_absence)
{
	cleanup(lease_closep) struct lease lease = NO_LEASE;
	const struct lease_holder holder = {"c", "/b", getpid()};
	const struct gpu_spec spec = {.count = 1};
	struct err err = {0};

	mount_in_ours("proc", "/proc", "proc", 0, "subset=pid");
	cr_expect_eq(
		lease_begin(dir, &holder, &spec, GPU_ORDER_FIRST, true, &lease, &err),
		-ENOENT);
	cr_expect_str_eq(err.msg, "open '/proc/sys/kernel/random/boot_id': "
				  "No such file or directory");
	lease_look(dir, LEDGER_CHECK_ALL, &lease);
	cr_expect_eq(lease.ledger.absence.code, ENOENT);
}

Test(ledger, directory_that_others_can_write_is_not_believed)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	struct err err = {0};

	cr_assert_eq(chmod(dir, 0777), 0);
	cr_expect_eq(ledger_open(dir, true, &ledger, &err), -EPERM);
	cr_expect(strstr(err.msg, dir), "%s", err.msg);
}

/* What podman and docker do in a container; the hook runs in one where an engine does. */
Test(ledger, proc_sys_that_is_bound_onto_itself_is_fine)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;

	mount_in_ours("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL);
	open_ledger(&ledger);
	cr_expect_eq(strlen(ledger.boot_id), 36);
}

/* As LXC and systemd-nspawn do it. */
Test(ledger, boot_id_may_be_a_file_of_roots_alone)
{
	static const char id[] = "0f0e0d0c-0b0a-4009-8807-060504030201\n";
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autoclose int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	struct err err = {0};

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, id, strlen(id)), (ssize_t)strlen(id));
	mount_in_ours(file, "/proc/sys/kernel/random/boot_id", NULL, MS_BIND, NULL);
	open_ledger(&ledger);
	cr_expect_eq(strlen(ledger.boot_id), 36);
	cr_expect_eq(memcmp(ledger.boot_id, id, 36), 0);
	ledger_close(&ledger);

	cr_assert_eq(fchmod(fd, 0666), 0);
	cr_expect_eq(ledger_open(dir, true, &ledger, &err), -EPERM);
	cr_expect(strstr(err.msg, "'/proc/sys/kernel/random/boot_id'"), "%s", err.msg);
}

Test(ledger, dead_holders_go_and_live_ones_stay)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	pid_t dead = start_process();
	pid_t alive = start_process();

	open_ledger(&ledger);
	hold(&ledger, "a", true, dead);
	hold(&ledger, "b", true, alive);
	hold(&ledger, "c", false, dead);
	end_process(dead);
	ledger_drop_dead(&ledger, LEDGER_CHECK_ALL);
	end_process(alive);
	cr_assert_eq(ledger.holders.n, 1);
	cr_expect_str_eq(ledger.holders.holder[0].gpu, "b");
}

Test(ledger, a_zombie_holds_nothing)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	pid_t pid = start_process();
	siginfo_t info;

	open_ledger(&ledger);
	hold(&ledger, "a", true, pid);
	(void)kill(pid, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ledger_drop_dead(&ledger, LEDGER_CHECK_EXCLUSIVE);
	(void)waitpid(pid, NULL, 0);
	cr_expect_eq(ledger.holders.n, 0);
}

static void *wait_for_ever(void *unused)
{
	(void)pause();
	return unused;
}

/* A zombie to look at, with a thread that can use the GPU as before. */
Test(ledger, a_process_whose_first_thread_has_ended_holds_on)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *path = NULL;
	char state = '?';
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		(void)pthread_create(&thread, NULL, wait_for_ever, NULL);
		(void)syscall(SYS_exit, 0);
	}
	open_ledger(&ledger);
	hold(&ledger, "a", true, pid);
	path = xasprintf("/proc/%d/stat", pid);
	for (int i = 0; i < 1000 && state != 'Z'; i++) {
		FILE *stream = fopen(path, "re");

		cr_assert_not_null(stream);
		cr_assert_eq(fscanf(stream, "%*d (%*[^)]) %c", &state), 1);
		(void)fclose(stream);
		(void)usleep(1000);
	}
	cr_assert_eq(state, 'Z');
	ledger_drop_dead(&ledger, LEDGER_CHECK_ALL);
	end_process(pid);
	cr_expect_eq(ledger.holders.n, 1);
}

Test(ledger, a_number_that_another_process_has_now_holds_nothing)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;

	open_ledger(&ledger);
	hold(&ledger, "a", true, getpid());
	ledger.holders.holder[0].init.start_time--;
	ledger_drop_dead(&ledger, LEDGER_CHECK_EXCLUSIVE);
	cr_expect_eq(ledger.holders.n, 0);
}

Test(ledger, of_another_pid_namespace_nothing_is_known_so_it_counts)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;

	open_ledger(&ledger);
	hold(&ledger, "a", true, getpid());
	ledger.holders.holder[0].init.pid = 2147483647;
	ledger.holders.holder[0].init.pid_ns++;
	ledger_drop_dead(&ledger, LEDGER_CHECK_ALL);
	cr_expect_eq(ledger.holders.n, 1);
}

Test(ledger, the_dead_that_do_not_matter_go_in_turn)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	pid_t pid = start_process();

	open_ledger(&ledger);
	for (int i = 0; i < 20; i++) {
		hold(&ledger, "a", false, i % 2 ? getpid() : pid);
	}
	end_process(pid);
	ledger_drop_dead(&ledger, LEDGER_CHECK_EXCLUSIVE);
	cr_expect_eq(ledger.holders.n, 20);
	ledger_drop_dead_in_turn(&ledger, 8);
	cr_expect_eq(ledger.holders.n, 16);
	ledger_drop_dead_in_turn(&ledger, 8);
	ledger_drop_dead_in_turn(&ledger, 100);
	cr_expect_eq(ledger.holders.n, 10);
}

/* A request for many GPUs, whose container ends at once, again and again. */
Test(ledger, a_crash_loop_does_not_fill_it)
{
	const struct gpu_spec spec = {.is_all = true};
	const struct gpu *gpus[64];
	struct gpu gpu[64] = {0};
	const struct selection selection = {.gpus = gpus, .n_gpus = 64};
	struct err err = {0};

	for (size_t i = 0; i < 64; i++) {
		gpu[i].pci = xasprintf("0000:%02zx:00.0", i);
		gpu[i].partition = NO_PARTITION;
		gpus[i] = &gpu[i];
	}
	for (int run = 0; run < 20; run++) {
		cleanup(lease_closep) struct lease lease = NO_LEASE;
		pid_t pid = start_process();
		const struct lease_holder holder = {"c", "/b", pid};

		cr_assert_eq(lease_begin(dir, &holder, &spec, GPU_ORDER_FIRST, true,
					 &lease, &err),
			     0, "%s", err.msg);
		cr_assert_eq(lease_take(&lease, &holder, &spec, &selection, &err), 0,
			     "%s", err.msg);
		end_process(pid);
	}
	cr_expect_leq(count_on_disk(), 128, "%zu", count_on_disk());
	for (size_t i = 0; i < 64; i++) {
		free(gpu[i].pci);
	}
}

Test(ledger, a_full_one_of_the_dead_has_room)
{
	cleanup(lease_closep) struct lease lease = NO_LEASE;
	const struct lease_holder holder = {"c", "/b", getpid()};
	const struct gpu_spec spec = {.count = 1};
	char pci[] = "0000:c1:00.0";
	const struct gpu gpu = {.pci = pci, .partition = NO_PARTITION};
	const struct gpu *gpus[] = {&gpu};
	const struct selection selection = {.gpus = gpus, .n_gpus = 1};
	pid_t pid = start_process();
	struct err err = {0};

	cr_assert_eq(
		lease_begin(dir, &holder, &spec, GPU_ORDER_FIRST, true, &lease, &err), 0,
		"%s", err.msg);
	/* 16,384 is the limit. */
	for (int i = 0; i < 16400; i++) {
		hold(&lease.ledger, "a", false, pid);
	}
	end_process(pid);
	cr_expect_eq(lease_take(&lease, &holder, &spec, &selection, &err), 0, "%s",
		     err.msg);
	cr_expect_eq(count_on_disk(), 1);
}

Test(ledger, one_live_holder_of_a_gpu_is_enough_to_know)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	pid_t pid = start_process();

	open_ledger(&ledger);
	hold(&ledger, "a", false, pid);
	hold(&ledger, "a", false, getpid());
	hold(&ledger, "b", false, pid);
	end_process(pid);
	ledger_drop_dead(&ledger, LEDGER_CHECK_ONE_A_GPU);
	cr_assert_eq(ledger.holders.n, 1);
	cr_expect_str_eq(ledger.holders.holder[0].gpu, "a");
}

Test(ledger, release_removes_what_one_process_holds)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	struct process_id init;
	pid_t pid = start_process();
	struct err err = {0};

	open_ledger(&ledger);
	hold(&ledger, "a", false, getpid());
	hold(&ledger, "b", true, pid);
	hold(&ledger, "c", true, pid);
	init = ledger.holders.holder[1].init;
	cr_assert_eq(ledger_save(&ledger, &err), 0, "%s", err.msg);
	cr_assert_eq(ledger_release(&ledger, &init, &err), 0, "%s", err.msg);
	end_process(pid);
	cr_expect_eq(count_on_disk(), 1);
	cr_assert_eq(ledger_release_container(&ledger, "c", "/other", &err), 0);
	cr_expect_eq(count_on_disk(), 1);
	/* It lives, whatever its runtime says. */
	cr_assert_eq(ledger_release_container(&ledger, "c", "/b", &err), 0);
	cr_expect_eq(count_on_disk(), 1);
}

Test(ledger, release_of_a_container_that_has_ended)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	pid_t pid = start_process();
	struct err err = {0};

	open_ledger(&ledger);
	hold(&ledger, "a", true, pid);
	hold(&ledger, "b", false, getpid());
	cr_assert_eq(ledger_save(&ledger, &err), 0, "%s", err.msg);
	end_process(pid);
	cr_assert_eq(ledger_release_container(&ledger, "c", "/b", &err), 0, "%s",
		     err.msg);
	cr_expect_eq(count_on_disk(), 1);
}

Test(ledger, lock_is_waited_for_and_not_for_ever, .timeout = 20)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *path = xasprintf("%s/lock", dir);
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct err err = {0};

	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	open_ledger(&ledger);
	cr_expect_eq(ledger_lock(&ledger, &err), -ETIMEDOUT);
	cr_expect(strstr(err.msg, "another process has it for 5 s"), "%s", err.msg);
	lock.l_type = F_UNLCK;
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	cr_expect_eq(ledger_lock(&ledger, &err), 0);
}

Test(ledger, at_the_deadline_too_it_is_the_lock_that_was_waited_for, .timeout = 20)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *path = xasprintf("%s/lock", dir);
	autofree char *wanted = xasprintf("lock '%s': another process has it for 1 s; "
					  "find it: fuser '%s'",
					  path, path);
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct err err = {0};

	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	open_ledger(&ledger);
	deadline_start(1, 100);
	cr_expect_eq(ledger_lock(&ledger, &err), -ETIMEDOUT);
	cr_expect_str_eq(err.msg, wanted);
}

/* A container that sees the host's /run, read-only, can open and flock() the file. */
Test(ledger, who_can_only_read_the_lock_keeps_nobody_waiting)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *path = xasprintf("%s/lock", dir);
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	autoclose int fd = -1;
	struct err err = {0};

	open_ledger(&ledger);
	cr_assert_eq(ledger_lock(&ledger, &err), 0, "%s", err.msg);
	ledger_unlock(&ledger);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
	cr_expect_eq(ledger_lock(&ledger, &err), 0, "%s", err.msg);
	ledger_unlock(&ledger);
	lock.l_type = F_WRLCK;
	cr_expect_eq(fcntl(fd, F_OFD_SETLK, &lock), -1);
}

Test(ledger, broken_file_stops_everybody_and_says_what_to_do)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autoclose int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct err err = {0};
	autofree char *wanted =
		xasprintf("read ledger '%s': line 1 is not one of a ledger; stop the "
			  "containers with GPUs, then remove it",
			  file);

	cr_assert_eq(write(fd, "what?\n", 6), 6);
	open_ledger(&ledger);
	cr_expect_eq(ledger_load(&ledger, &err), -EINVAL);
	cr_expect_str_eq(err.msg, wanted);
}

Test(ledger, what_a_crash_left_half_written_is_written_over)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *path = xasprintf("%s/ledger.new", dir);
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct err err = {0};

	cr_assert_eq(write(fd, "oci-gpu-hook ledger 1 x\n0000:c1", 31), 31);
	open_ledger(&ledger);
	cr_assert_eq(ledger_load(&ledger, &err), 0, "%s", err.msg);
	hold(&ledger, "g", true, getpid());
	cr_assert_eq(ledger_save(&ledger, &err), 0, "%s", err.msg);
	cr_expect_eq(access(path, F_OK), -1);
	cr_expect_eq(count_on_disk(), 1);
}

Test(ledger, full_disk_keeps_the_old_file)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	const struct rlimit limit = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
	struct err err = {0};
	autofree char *wanted = xasprintf("write ledger '%s': File too large", file);

	open_ledger(&ledger);
	cr_assert_eq(ledger_save(&ledger, &err), 0, "%s", err.msg);
	hold(&ledger, "0000:c1:00.0", true, getpid());
	hold(&ledger, "0000:c2:00.0", true, getpid());
	/* A limit on the size stands in for a disk that is full after some bytes. */
	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(ledger_save(&ledger, &err), -EFBIG);
	cr_expect_str_eq(err.msg, wanted);
	cr_expect_eq(count_on_disk(), 0);
}

/* It is written in pieces, of which the first are written. */
Test(ledger, disk_that_fills_up_meanwhile_keeps_the_old_file)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	const struct rlimit limit = {.rlim_cur = 30000, .rlim_max = RLIM_INFINITY};
	struct err err = {0};
	autofree char *wanted = xasprintf("write ledger '%s': File too large", file);
	autofree char *new_file = xasprintf("%s.new", file);

	open_ledger(&ledger);
	cr_assert_eq(ledger_save(&ledger, &err), 0, "%s", err.msg);
	for (int i = 0; i < 1000; i++) {
		hold(&ledger, "0000:c1:00.0", false, getpid());
	}
	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(ledger_save(&ledger, &err), -EFBIG);
	cr_expect_str_eq(err.msg, wanted);
	cr_expect_eq(access(new_file, F_OK), -1);
	cr_expect_eq(count_on_disk(), 0);
}

/* In a process of its own: a program with threads cannot leave its user namespace. */
static bool is_default_dir_of(unsigned int uid, bool in_user_namespace,
			      const char *wanted)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		autofree char *map = xasprintf("0 %u 1\n", uid);
		autofree char *found = NULL;
		ssize_t n = -1;
		autoclose int fd = -1;

		if (!in_user_namespace) {
			n = setresuid(uid, uid, uid) == 0 ? (ssize_t)strlen(map) : -1;
		} else if (unshare(CLONE_NEWUSER) == 0) {
			fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
			n = write(fd, map, strlen(map));
		}
		found = ledger_default_dir();
		_exit(n == (ssize_t)strlen(map) && strcmp(found, wanted) == 0 ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return status == 0;
}

Test(ledger, default_directory_is_the_systems_or_the_users)
{
	autofree char *of_user = xasprintf("/run/user/%u/oci-gpu-hook", geteuid());
	autofree char *of_system = NULL;

	/* First, since a process looks at its user namespace once. */
	cr_expect(is_default_dir_of(geteuid(), true, of_user));
	/* He who looks from outside sees what his containers have. */
	cr_expect(is_default_dir_of(1234, false, "/run/user/1234/oci-gpu-hook"));
	of_system = ledger_default_dir();
	cr_expect_str_eq(of_system, "/run/oci-gpu-hook");
}

/* ---- leases ------------------------------------------------------------------------ */

Test(ledger, exclusive_needs_a_place_for_the_ledger_and_shared_does_not)
{
	cleanup(lease_closep) struct lease lease = NO_LEASE;
	const struct lease_holder holder = {"c", "/b", getpid()};
	struct gpu_spec spec = {.count = 1};
	struct selection none = {0};
	struct select_terms terms;
	struct err err = {0};

	cr_assert_eq(lease_begin("/tmp/not-there/either", &holder, &spec, GPU_ORDER_FIRST,
				 true, &lease, &err),
		     0, "%s", err.msg);
	terms = lease_terms(&lease, GPU_ORDER_SPREAD);
	cr_expect_null(terms.holders);
	cr_expect_eq(terms.order, GPU_ORDER_SPREAD);
	cr_expect_eq(lease_take(&lease, &holder, &spec, &none, &err), 0);
	lease_close(&lease);
	spec.sharing = GPU_SHARING_EXCLUSIVE;
	cr_expect_eq(lease_begin("/tmp/not-there/either", &holder, &spec, GPU_ORDER_FIRST,
				 true, &lease, &err),
		     -ENOENT);
	cr_expect(strstr(err.msg, "keep GPUs from others: ") == err.msg, "%s", err.msg);
	cr_expect(strstr(err.msg, "set stateDir in the configuration"), "%s", err.msg);
}

Test(ledger, lease_is_written_once_and_given_back)
{
	cleanup(lease_closep) struct lease lease = NO_LEASE;
	const struct lease_holder holder = {"c", "/b", getpid()};
	const struct gpu_spec spec = {.count = 1, .sharing = GPU_SHARING_EXCLUSIVE};
	char pci[] = "0000:c1:00.0";
	const struct gpu gpu = {.pci = pci, .partition = NO_PARTITION};
	const struct gpu *gpus[] = {&gpu};
	const struct selection selection = {.gpus = gpus, .n_gpus = 1};
	struct err err = {0};

	for (int stage = 0; stage < 2; stage++) {
		lease_close(&lease);
		cr_assert_eq(lease_begin(dir, &holder, &spec, GPU_ORDER_FIRST, true,
					 &lease, &err),
			     0, "%s", err.msg);
		cr_assert_eq(lease_take(&lease, &holder, &spec, &selection, &err), 0,
			     "%s", err.msg);
		cr_expect_eq(count_on_disk(), 1);
	}
	(void)err_set(&err, EIO, "something failed");
	lease_give_back(&lease, &err);
	cr_expect_str_eq(err.msg, "something failed");
	cr_expect_eq(count_on_disk(), 0);
}

Test(ledger, lease_that_cannot_be_given_back_is_said_beside_the_failure)
{
	cleanup(lease_closep) struct lease lease = NO_LEASE;
	const struct lease_holder holder = {"c", "/b", getpid()};
	const struct gpu_spec spec = {.count = 1};
	const struct selection none = {0};
	struct err err = {0};
	autoclose int fd = -1;

	cr_assert_eq(
		lease_begin(dir, &holder, &spec, GPU_ORDER_FIRST, true, &lease, &err), 0);
	cr_assert_eq(lease_take(&lease, &holder, &spec, &none, &err), 0, "%s", err.msg);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, "x\n", 2), 2);
	(void)err_set(&err, EIO, "something failed");
	lease_give_back(&lease, &err);
	cr_expect_eq(err.code, EIO);
	cr_expect(strstr(err.msg,
			 "something failed; its GPUs are kept until the "
			 "container's process ends, since giving them back failed: "
			 "read ledger"),
		  "%s", err.msg);
}

Test(ledger, who_looks_learns_why_nothing_can_be_seen)
{
	cleanup(lease_closep) struct lease lease = NO_LEASE;
	autoclose int fd = -1;

	lease_look(dir, LEDGER_CHECK_ALL, &lease);
	cr_expect_eq(lease.ledger.absence.code, 0, "there is no ledger yet");
	lease_close(&lease);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, "what?\n", 6), 6);
	lease_look(dir, LEDGER_CHECK_ALL, &lease);
	cr_expect_eq(lease.ledger.absence.code, EINVAL);
	cr_expect(strstr(lease.ledger.absence.msg, "read ledger"), "%s",
		  lease.ledger.absence.msg);
	cr_expect_geq(lease.ledger.dir_fd, 0);
	cr_expect_eq(lease.ledger.holders.n, 0);
}

Test(ledger, what_a_container_has_is_free_for_itself)
{
	cleanup(lease_closep) struct lease lease = NO_LEASE;
	const struct lease_holder by_pid = {.pid = getpid()};
	const struct lease_holder by_bundle = {.bundle = "/run/b"};
	const struct lease_holder other = {.bundle = "/run/other"};
	struct holder holder = {
		.gpu = "g", .is_exclusive = true, .id = "c", .bundle = "/run/b"};
	struct ledger ledger = NO_LEDGER;
	struct err err = {0};

	open_ledger(&ledger);
	cr_assert_eq(ledger_identify(&ledger, getpid(), &holder.init, &err), 0);
	holders_add(&ledger.holders, &holder);
	cr_assert_eq(ledger_save(&ledger, &err), 0, "%s", err.msg);
	ledger_close(&ledger);

	lease_look(dir, LEDGER_CHECK_ALL, &lease);
	cr_assert_eq(lease.ledger.holders.n, 1);
	lease_look_as(&other, &lease);
	cr_expect_eq(lease.init.pid, 0);
	lease_look_as(&by_bundle, &lease);
	cr_expect_eq(lease.init.pid, getpid());
	lease.init.pid = 0;
	lease_look_as(&by_pid, &lease);
	cr_expect_eq(lease.init.pid, getpid());

	lease_look_also(dir, &lease);
	cr_expect_eq(lease.ledger.holders.n, 2);
	lease_look_also("/nowhere", &lease);
	cr_expect_eq(lease.ledger.holders.n, 2);
}

/* ---- processes --------------------------------------------------------------------- */

Test(ledger, process_that_has_ended_cannot_hold)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	pid_t pid = start_process();
	struct process_id init;
	struct err err = {0};

	open_ledger(&ledger);
	cr_assert_eq(ledger_identify(&ledger, getpid(), &init, &err), 0, "%s", err.msg);
	cr_expect_gt(init.start_time, 0);
	cr_expect_neq(init.pid_ns, 0);
	end_process(pid);
	cr_expect_eq(ledger_identify(&ledger, pid, &init, &err), -ESRCH);
	cr_expect(strstr(err.msg, "it has ended"), "%s", err.msg);
}

/* Who may read the file could lock it for reading, which is in the way of our lock. */
Test(ledger, the_lock_may_not_be_read)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *lock = xasprintf("%s/lock", dir);
	struct err err = {0};
	struct stat st;

	open_ledger(&ledger);
	cr_assert_eq(ledger_lock(&ledger, &err), 0, "%s", err.msg);
	cr_assert_eq(stat(lock, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0200);
}

/* A container's root that sees the file may take one, and give it back when it likes. */
Test(ledger, a_lease_is_not_waited_for)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *wanted =
		xasprintf("open ledger '%s': a process has a lease on it; find it: fuser "
			  "'%s'",
			  file, file);
	struct err err = {0};
	autoclose int fd = -1;

	open_ledger(&ledger);
	cr_assert_eq(ledger_save(&ledger, &err), 0, "%s", err.msg);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	/* It tells its holder by SIGIO, which would kill. */
	(void)signal(SIGIO, SIG_IGN);
	cr_assert_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	cr_expect_eq(ledger_load(&ledger, &err), -EAGAIN);
	cr_expect_str_eq(err.msg, wanted);
}

/* Nor one on the lock, but for as long as a lock. */
Test(ledger, a_lease_on_the_lock_is_as_a_lock)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *lock = xasprintf("%s/lock", dir);
	const long long begin = deadline_clock_ms();
	struct err err = {0};
	autoclose int fd = -1;

	open_ledger(&ledger);
	fd = open(lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	(void)signal(SIGIO, SIG_IGN);
	cr_assert_eq(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
	cr_expect_eq(ledger_lock(&ledger, &err), -ETIMEDOUT);
	cr_expect(strstr(err.msg, "another process has it for 5 s; find it: fuser"), "%s",
		  err.msg);
	cr_expect_lt(deadline_clock_ms() - begin, 8000);
	cr_assert_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	cr_expect_eq(ledger_lock(&ledger, &err), 0, "%s", err.msg);
}
