/* SPDX-License-Identifier: Apache-2.0 */
/* test_settings_file.c - which configuration file holds, and what is wrong with it */

#include "oci/settings_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"

static char dir[] = "/tmp/test_settings.XXXXXX";

static void enter_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
	cr_assert_eq(chmod(".", 0755), 0);
}

static void leave_dir(void)
{
	char command[PATH_MAX];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	(void)!system(command);
}

TestSuite(settings_file, .init = enter_dir, .fini = leave_dir);

static void make_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(path, 0644), 0);
}

/* Where this machine has a file of its own, nothing else is looked for. */
static void skip_if_system_has_one(void)
{
	if (access(SETTINGS_SYSTEM_FILE, F_OK) == 0) {
		leave_dir();
		cr_skip_test("this machine has " SETTINGS_SYSTEM_FILE);
	}
}

Test(settings_file, the_named_file_is_read)
{
	cleanup(settings_file_clearp) struct settings_file file = {0};

	make_file("c.json", "{}\n");
	settings_file_read("c.json", NULL, &file);
	cr_expect_eq(file.problem.code, 0, "%s", file.problem.msg);
	cr_expect_eq(file.doubt.code, 0, "%s", file.doubt.msg);
	cr_expect_str_eq(file.path, "c.json");
	cr_expect_str_eq(file.text.data, "{}\n");
}

static void expect_problem(const char *path, int code, const char *message)
{
	cleanup(settings_file_clearp) struct settings_file file = {0};

	settings_file_read(path, NULL, &file);
	cr_assert_eq(file.problem.code, code);
	cr_assert_str_eq(file.problem.msg, message);
	cr_assert_str_eq(file.path, path);
	cr_assert_null(file.text.data);
}

Test(settings_file, the_named_file_must_be_there)
{
	expect_problem("/absent/c.json", ENOENT,
		       "read configuration '/absent/c.json': No such file or directory");
}

Test(settings_file, a_link_is_not_followed)
{
	make_file("real.json", "{}");
	cr_assert_eq(symlink("real.json", "c.json"), 0);
	expect_problem("c.json", ELOOP,
		       "read configuration 'c.json': it is a symbolic link, which is not "
		       "followed; put the file itself there");
}

Test(settings_file, a_fifo_is_refused_without_hanging, .timeout = 10)
{
	cr_assert_eq(mkfifo("c.json", 0644), 0);
	expect_problem("c.json", EINVAL,
		       "read configuration 'c.json': not a regular file");
}

Test(settings_file, up_to_the_limit_is_read_and_one_byte_more_is_e2big)
{
	cleanup(settings_file_clearp) struct settings_file file = {0};

	make_file("c.json", "");
	cr_assert_eq(truncate("c.json", LIMIT_SETTINGS_BYTES), 0);
	settings_file_read("c.json", NULL, &file);
	cr_assert_eq(file.text.len, LIMIT_SETTINGS_BYTES);
	cr_assert_eq(truncate("c.json", LIMIT_SETTINGS_BYTES + 1), 0);
	expect_problem("c.json", E2BIG,
		       "read configuration 'c.json': larger than 65536 bytes");
}

Test(settings_file, one_that_the_world_can_write_has_a_doubt)
{
	cleanup(settings_file_clearp) struct settings_file file = {0};

	make_file("c.json", "{}");
	cr_assert_eq(chmod("c.json", 0646), 0);
	settings_file_read("c.json", NULL, &file);
	cr_expect_eq(file.problem.code, 0);
	cr_expect_eq(file.doubt.code, EPERM);
	cr_expect_not_null(strstr(file.doubt.msg, "trust configuration 'c.json': its "
						  "mode is 0646"),
			   "%s", file.doubt.msg);
	cr_expect_str_eq(file.text.data, "{}", "a dry run goes on with it");
}

Test(settings_file, the_systems_may_be_absent)
{
	cleanup(settings_file_clearp) struct settings_file file = {0};

	skip_if_system_has_one();
	settings_file_read(NULL, NULL, &file);
	cr_expect_null(file.path);
	cr_expect_null(file.text.data);
	cr_expect_eq(file.problem.code, 0, "%s", file.problem.msg);
}

/* As an ordinary user, or as the root that runs the tests. Return: 0 if the file below
   @config_home was taken, 1 if none was, else 2. */
static int read_own(const char *config_home, bool is_root)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		struct settings_file file = {0};

		if (!is_root && geteuid() == 0 && setuid(1000) < 0) {
			_exit(3);
		}
		settings_file_read(NULL, config_home, &file);
		if (file.problem.code != 0) {
			_exit(2);
		}
		_exit(!file.text.data || strcmp(file.text.data, "{\"own\": 1}") != 0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void make_own(void)
{
	skip_if_system_has_one();
	cr_assert_eq(mkdir("oci-gpu-hook", 0755), 0);
	make_file("oci-gpu-hook/config.json", "{\"own\": 1}");
}

Test(settings_file, a_user_may_have_one_of_his_own)
{
	make_own();
	cr_expect_eq(read_own(dir, false), 0);
}

Test(settings_file, a_user_need_not_have_one_of_his_own)
{
	skip_if_system_has_one();
	cr_expect_eq(read_own(dir, false), 1);
	cr_expect_eq(read_own(NULL, false), 1);
}

Test(settings_file, a_relative_config_home_does_not_count)
{
	make_own();
	cr_expect_eq(read_own(".", false), 1);
	cr_expect_eq(read_own("", false), 1);
}

Test(settings_file, the_real_root_obeys_no_environment)
{
	if (geteuid() != 0) {
		leave_dir();
		cr_skip_test("needs root");
	}
	make_own();
	cr_expect_eq(read_own(dir, true), 1);
}
