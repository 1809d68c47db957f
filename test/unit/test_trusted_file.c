/* SPDX-License-Identifier: Apache-2.0 */
/* test_trusted_file.c - whose files are believed, and how they are opened */

#include "base/trusted_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct trusted_caller root = {.uid = 0, .has_all_ids = true};
static const struct trusted_caller user = {.uid = 1000, .has_all_ids = true};
static const struct trusted_caller rootless = {.uid = 0, .has_all_ids = false};

/* ---- the rule ---------------------------------------------------------------------- */

static void check(const struct trusted_caller *caller, enum trusted_owner owner,
		  uid_t uid, mode_t mode, const char *message)
{
	const struct stat st = {.st_uid = uid, .st_mode = S_IFREG | mode};
	struct err doubt = {0};

	trusted_stat_check(&st, owner, caller, "'f'", &doubt);
	cr_assert_str_eq(doubt.msg, message);
	cr_assert_eq(doubt.code, *message ? EPERM : 0);
}

Test(trusted_file, root_believes_root_alone)
{
	check(&root, TRUSTED_OWNER_SELF, 0, 0644, "");
	check(&root, TRUSTED_OWNER_SELF, 0, 0700, "");
	check(&root, TRUSTED_OWNER_SELF, 1000, 0644,
	      "trust 'f': it belongs to user 1000, not to root; chown it");
	check(&root, TRUSTED_OWNER_SYSTEM, 65534, 0644,
	      "trust 'f': it belongs to user 65534, not to root; chown it");
}

Test(trusted_file, root_believes_nothing_that_others_can_write)
{
	check(&root, TRUSTED_OWNER_SELF, 0, 0664,
	      "trust 'f': its mode is 0664, so others can write it; chmod go-w it");
	check(&root, TRUSTED_OWNER_SELF, 0, 0646,
	      "trust 'f': its mode is 0646, so others can write it; chmod go-w it");
	/* The sticky bit keeps nobody from making a file. */
	check(&root, TRUSTED_OWNER_SELF, 0, 01777,
	      "trust 'f': its mode is 1777, so others can write it; chmod go-w it");
}

Test(trusted_file, a_user_believes_root_and_himself)
{
	check(&user, TRUSTED_OWNER_SELF, 0, 0644, "");
	check(&user, TRUSTED_OWNER_SELF, 1000, 0600, "");
	check(&user, TRUSTED_OWNER_SELF, 1001, 0644,
	      "trust 'f': it belongs to user 1001, neither to root nor to the user who "
	      "runs this; chown it");
	/* nobody is a user like any other where every id is mapped */
	check(&user, TRUSTED_OWNER_SYSTEM, 65534, 0644,
	      "trust 'f': it belongs to user 65534, neither to root nor to the user who "
	      "runs this; chown it");
}

Test(trusted_file, a_user_has_a_group_of_his_own)
{
	check(&user, TRUSTED_OWNER_SELF, 1000, 0664, "");
	check(&rootless, TRUSTED_OWNER_SELF, 0, 0775, "");
	check(&user, TRUSTED_OWNER_SELF, 1000, 0666,
	      "trust 'f': its mode is 0666, so others can write it; chmod o-w it");
	check(&rootless, TRUSTED_OWNER_SELF, 0, 0777,
	      "trust 'f': its mode is 0777, so others can write it; chmod o-w it");
}

Test(trusted_file, in_a_user_namespace_the_systems_file_has_no_owner)
{
	check(&rootless, TRUSTED_OWNER_SYSTEM, 65534, 0644, "");
	check(&rootless, TRUSTED_OWNER_SELF, 65534, 0644,
	      "trust 'f': it belongs to user 65534, neither to root nor to the user who "
	      "runs this; chown it");
	check(&rootless, TRUSTED_OWNER_SYSTEM, 65534, 0646,
	      "trust 'f': its mode is 0646, so others can write it; chmod o-w it");
}

Test(trusted_file, where_the_owner_does_not_matter_the_mode_does)
{
	check(&root, TRUSTED_OWNER_ANY, 1000, 0755, "");
	check(&root, TRUSTED_OWNER_ANY, 1000, 0775,
	      "trust 'f': its mode is 0775, so others can write it; chmod go-w it");
}

Test(trusted_file, the_first_doubt_stays)
{
	const struct stat st = {.st_uid = 5, .st_mode = S_IFREG | 0644};
	struct err doubt = {.code = EPERM, .msg = "first"};

	trusted_stat_check(&st, TRUSTED_OWNER_SELF, &root, "'f'", &doubt);
	cr_expect_str_eq(doubt.msg, "first");
}

/* ---- who runs us ------------------------------------------------------------------- */

Test(trusted_file, only_all_ids_make_root)
{
	cr_expect(trusted_caller_is_root(&root));
	cr_expect_not(trusted_caller_is_root(&user));
	cr_expect_not(trusted_caller_is_root(&rootless));
}

/* The test's process may have threads, and may not enter a user namespace for that.
   Return: the exit status of @function, in a child in a new one. */
static int run_in_namespace(int (*function)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		_exit(unshare(CLONE_NEWUSER) < 0 ? 77 : function());
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int look(void)
{
	struct trusted_caller caller = trusted_caller_look();

	return caller.has_all_ids || caller.uid != geteuid();
}

Test(trusted_file, a_user_namespace_does_not_have_all_ids)
{
	int status = run_in_namespace(look);

	if (status == 77) {
		cr_skip_test("no user namespaces here");
	}
	cr_assert_eq(status, 0);
}

Test(trusted_file, the_caller_is_who_runs_this)
{
	struct trusted_caller caller = trusted_caller_look();

	cr_assert_eq(caller.uid, geteuid());
}

/* ---- opening ----------------------------------------------------------------------- */

static char dir[] = "/tmp/test_trusted.XXXXXX";

static void enter_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void leave_dir(void)
{
	char command[PATH_MAX];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	(void)!system(command);
}

TestSuite(trusted_file_open, .init = enter_dir, .fini = leave_dir);

static void make_file(mode_t mode)
{
	int fd = open("f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static int open_file(struct err *doubt, struct err *err)
{
	return trusted_file_open(AT_FDCWD, "f", TRUSTED_OWNER_SELF, "'f'", doubt, err);
}

static void expect_error(int code, const char *message)
{
	struct err doubt = {0};
	struct err err = {0};

	cr_assert_eq(open_file(&doubt, &err), -code);
	cr_assert_str_eq(err.msg, message);
	cr_assert_eq(doubt.code, 0);
}

Test(trusted_file_open, our_own_file_opens_for_reading_without_a_doubt)
{
	struct err doubt = {0};
	struct err err = {0};
	char c = 0;
	int fd;

	make_file(0600);
	fd = open_file(&doubt, &err);
	cr_assert_geq(fd, 0, "%s", err.msg);
	cr_expect_eq(doubt.code, 0, "%s", doubt.msg);
	cr_expect_eq(read(fd, &c, 1), 1);
	cr_expect_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

Test(trusted_file_open, a_file_that_the_world_can_write_opens_with_a_doubt)
{
	struct err doubt = {0};
	struct err err = {0};
	int fd;

	make_file(0606);
	fd = open_file(&doubt, &err);
	cr_assert_geq(fd, 0, "%s", err.msg);
	cr_expect_eq(doubt.code, EPERM);
	cr_expect_not_null(strstr(doubt.msg, "trust 'f': its mode is 0606"), "%s",
			   doubt.msg);
	close(fd);
}

Test(trusted_file_open, a_strangers_file_opens_with_a_doubt)
{
	struct err doubt = {0};
	struct err err = {0};
	int fd;

	if (geteuid() != 0) {
		cr_skip_test("needs root, for chown()");
	}
	make_file(0644);
	cr_assert_eq(chown("f", 1000, 1000), 0);
	fd = open_file(&doubt, &err);
	cr_assert_geq(fd, 0, "%s", err.msg);
	cr_expect_str_eq(doubt.msg,
			 "trust 'f': it belongs to user 1000, not to root; chown it");
	close(fd);
}

Test(trusted_file_open, an_ordinary_user_may_have_it_writable_for_his_group)
{
	int status = 0;
	pid_t child;

	make_file(0664);
	cr_assert_eq(chmod(".", 0755), 0);
	child = fork();
	if (child == 0) {
		struct err doubt = {0};
		struct err err = {0};

		/* Root's file, looked at by somebody else. */
		if (geteuid() == 0 && setuid(1000) < 0) {
			_exit(2);
		}
		_exit(open_file(&doubt, &err) < 0 || doubt.code != 0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 0);
}

Test(trusted_file_open, a_link_is_not_followed)
{
	cr_assert_eq(symlink("/dev/null", "f"), 0);
	expect_error(ELOOP, "read 'f': it is a symbolic link, which is not followed; put "
			    "the file itself there");
}

Test(trusted_file_open, what_is_absent_is_enoent)
{
	expect_error(ENOENT, "read 'f': No such file or directory");
}

Test(trusted_file_open, a_fifo_is_refused_without_hanging, .timeout = 10)
{
	cr_assert_eq(mkfifo("f", 0600), 0);
	expect_error(EINVAL, "read 'f': not a regular file");
}

Test(trusted_file_open, a_directory_is_refused)
{
	cr_assert_eq(mkdir("f", 0700), 0);
	expect_error(EINVAL, "read 'f': not a regular file");
}

Test(trusted_file_open, a_descriptor_that_is_none_is_a_doubt)
{
	struct err doubt = {0};

	trusted_fd_check(-1, TRUSTED_OWNER_SELF, "'f'", &doubt);
	cr_expect_eq(doubt.code, EBADF);
	cr_expect_str_eq(doubt.msg, "trust 'f': Bad file descriptor");
}

/* ---- directories of state ---------------------------------------------------------- */

TestSuite(trusted_dir_open, .init = enter_dir, .fini = leave_dir);

/* Opens @name below the test's directory. Return: as trusted_dir_open(). */
static int open_dir(const char *name, mode_t mode, struct err *err)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return trusted_dir_open(path, mode, "state directory", err);
}

static void expect_dir(const char *name, mode_t mode)
{
	struct err err = {0};
	struct stat wanted;
	struct stat st;
	int fd = open_dir(name, mode, &err);

	cr_assert_geq(fd, 0, "%s", err.msg);
	cr_expect_eq(stat(name, &wanted), 0);
	cr_expect_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_ino, wanted.st_ino);
	cr_expect_eq(st.st_dev, wanted.st_dev);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

/* @end: of the message, behind the test's directory where that is named */
static void refuse_dir(const char *name, int code, const char *end)
{
	struct err err = {0};

	cr_assert_eq(open_dir(name, 0, &err), -code, "%s", err.msg);
	cr_assert_geq(strlen(err.msg), strlen(end), "%s", err.msg);
	cr_expect_str_eq(err.msg + strlen(err.msg) - strlen(end), end);
}

Test(trusted_dir_open, our_own_directory_opens_below_a_sticky_one)
{
	/* /tmp is writable for all, and sticky. */
	cr_assert_eq(mkdir("d", 0700), 0);
	expect_dir("d", 0);
	expect_dir("./d//", 0);
}

Test(trusted_dir_open, it_is_made_if_that_is_wanted)
{
	struct stat st;

	refuse_dir("d", ENOENT, "open state directory: No such file or directory");
	(void)umask(022);
	expect_dir("d", 0755);
	cr_expect_eq(stat("d", &st), 0);
	cr_expect_eq(st.st_mode, S_IFDIR | 0755);
	/* Once more: as it is. */
	expect_dir("d", 0700);
	cr_expect_eq(stat("d", &st), 0);
	cr_expect_eq(st.st_mode, S_IFDIR | 0755);
}

Test(trusted_dir_open, only_the_last_component_is_made)
{
	struct err err = {0};

	cr_expect_eq(open_dir("a/b", 0755, &err), -ENOENT);
	cr_expect_eq(access("a", F_OK), -1);
}

Test(trusted_dir_open, a_link_is_refused_wherever_it_is)
{
	cr_assert_eq(mkdir("d", 0700), 0);
	cr_assert_eq(mkdir("d/e", 0700), 0);
	cr_assert_eq(symlink("d", "l"), 0);
	cr_assert_eq(symlink("gone", "m"), 0);
	refuse_dir("l", ENOTDIR,
		   "/l' is a link or no directory; name the directory itself");
	refuse_dir("l/e", ENOTDIR,
		   "/l' is a link or no directory; name the directory itself");
	refuse_dir("m", ENOTDIR,
		   "/m' is a link or no directory; name the directory itself");
}

Test(trusted_dir_open, a_file_is_no_directory)
{
	make_file(0600);
	refuse_dir("f", ENOTDIR,
		   "/f' is a link or no directory; name the directory itself");
	refuse_dir("f/d", ENOTDIR,
		   "/f' is a link or no directory; name the directory itself");
}

Test(trusted_dir_open, one_that_others_can_write_is_refused_even_if_it_is_sticky)
{
	cr_assert_eq(mkdir("d", 0700), 0);
	cr_assert_eq(chmod("d", 01777), 0);
	refuse_dir("d", EPERM,
		   geteuid() == 0 ? "trust state directory: its mode is 1777, so others "
				    "can write it; chmod go-w it"
				  : "trust state directory: its mode is 1777, so others "
				    "can write it; chmod o-w it");
}

Test(trusted_dir_open, one_that_others_could_exchange_is_refused)
{
	cr_assert_eq(mkdir("d", 0700), 0);
	cr_assert_eq(mkdir("d/e", 0700), 0);
	cr_assert_eq(chmod("d", 0777), 0);
	refuse_dir("d/e", EPERM,
		   geteuid() == 0 ? "/d', above state directory: its mode is 0777, so "
				    "others can write it; chmod go-w it"
				  : "/d', above state directory: its mode is 0777, so "
				    "others can write it; chmod o-w it");
	cr_assert_eq(chmod("d", 01777), 0);
	expect_dir("d/e", 0);
}

Test(trusted_dir_open, a_strangers_directory_is_refused_at_the_end_and_above)
{
	if (geteuid() != 0) {
		cr_skip_test("needs root, for chown()");
	}
	cr_assert_eq(mkdir("d", 0755), 0);
	cr_assert_eq(mkdir("d/e", 0755), 0);
	cr_assert_eq(chown("d", 1000, 1000), 0);
	refuse_dir(
		"d", EPERM,
		"trust state directory: it belongs to user 1000, not to root; chown it");
	/* He can exchange what is in it, whoever that belongs to. */
	refuse_dir("d/e", EPERM,
		   "/d', above state directory: it belongs to user 1000, not to root; "
		   "chown it");
	/* Nor does the sticky bit keep its owner from that. */
	cr_assert_eq(chmod("d", 01755), 0);
	refuse_dir("d/e", EPERM,
		   "/d', above state directory: it belongs to user 1000, not to root; "
		   "chown it");
}

Test(trusted_dir_open, a_component_may_be_as_long_as_a_name)
{
	char name[NAME_MAX + 2];

	memset(name, 'x', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	refuse_dir(name, ENAMETOOLONG, "open state directory: File name too long");
	name[NAME_MAX] = '\0';
	expect_dir(name, 0700);
}

static int open_users_dir(void)
{
	struct err err = {0};
	int fd = open_dir("d", 0700, &err);

	return fd >= 0 ? 0 : 1;
}

Test(trusted_dir_open, in_a_user_namespace_it_opens_too)
{
	int status = run_in_namespace(open_users_dir);

	if (status == 77) {
		cr_skip_test("no user namespaces here");
	}
	cr_expect_eq(status, 0);
}
