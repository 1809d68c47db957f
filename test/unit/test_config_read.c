/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_read.c - the bundle, its config.json as bytes, and the
   quick look into them */

#include "oci/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"

#define KEY OCI_DEFAULT_ANNOTATION

/* ---- the bundle -------------------------------------------------------------------- */

static char dir[] = "/tmp/test_config.XXXXXX";

/* An empty working directory; every test is a process of its own. */
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

/* A skipped test does not come to its .fini. */
static void skip(const char *why)
{
	leave_dir();
	cr_skip_test("%s", why);
}

TestSuite(config_bundle, .init = enter_dir, .fini = leave_dir);

static void make_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

static bool is_same_dir(int fd, const char *path)
{
	struct stat a;
	struct stat b;

	cr_assert_eq(fstat(fd, &a), 0);
	cr_assert_eq(stat(path, &b), 0);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void expect_open(const char *bundle, const char *want)
{
	struct err doubt = {0};
	struct err err = {0};
	int fd = oci_config_open_bundle(bundle, &doubt, &err);

	cr_assert_geq(fd, 0, "%s", err.msg);
	cr_assert_eq(doubt.code, 0, "%s", doubt.msg);
	cr_assert(is_same_dir(fd, want), "opened another directory than %s", want);
	cr_assert_eq(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void expect_open_error(const char *bundle, int code, const char *message)
{
	struct err doubt = {0};
	struct err err = {0};

	cr_assert_eq(oci_config_open_bundle(bundle, &doubt, &err), -code);
	cr_assert_eq(err.code, code);
	cr_assert_str_eq(err.msg, message);
}

Test(config_bundle, opens_by_absolute_and_by_relative_path)
{
	cr_assert_eq(mkdir("b", 0755), 0);
	expect_open(dir, dir);
	expect_open("b", "b");
	expect_open(".", dir);
}

Test(config_bundle, that_is_absent_is_enoent_and_says_what_to_give)
{
	expect_open_error(
		"/absent/b", ENOENT,
		"open bundle '/absent/b': no such bundle; give the directory that "
		"holds config.json");
	expect_open_error("", ENOENT,
			  "open bundle '': no such bundle; give the directory "
			  "that holds config.json");
}

Test(config_bundle, that_is_a_file_is_enotdir_and_says_what_to_give)
{
	make_file("config.json", "{}");
	expect_open_error(
		"config.json", ENOTDIR,
		"open bundle 'config.json': not a directory; give the directory "
		"that holds config.json");
}

Test(config_bundle, that_cannot_be_opened_says_why)
{
	cr_assert_eq(symlink("loop", "loop"), 0);
	expect_open_error("loop/b", ELOOP,
			  "open bundle 'loop/b': Too many levels of symbolic links");
}

/* The test's process has threads, and may not enter a user namespace for that.
   Return: the exit status. */
static int open_slash_in_child(const char *want)
{
	struct err doubt = {0};
	struct err err = {0};
	int want_fd = open(want, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat a;
	struct stat b;
	int fd;

	if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0) {
		return 77;
	}
	if (chroot(".") < 0 || chdir("/work") < 0) {
		return 2;
	}
	fd = oci_config_open_bundle("/", &doubt, &err);
	if (fstat(fd, &a) < 0 || fstat(want_fd, &b) < 0) {
		return 3;
	}
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino ? 0 : 1;
}

/* Looks for "/" with @dir as the root directory and @dir/work as
   the working directory. */
static void expect_open_slash(const char *want)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		_exit(open_slash_in_child(want));
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		skip("needs root or user namespaces, for chroot()");
	}
	cr_assert_eq(WEXITSTATUS(status), 0, "opened another directory than %s (%d)",
		     want, WEXITSTATUS(status));
}

Test(config_bundle, slash_without_config_means_the_working_directory_that_has_one)
{
	cr_assert_eq(mkdir("work", 0755), 0);
	make_file("work/config.json", "{}");
	expect_open_slash("work");
}

Test(config_bundle, slash_with_config_is_taken_as_it_is)
{
	cr_assert_eq(mkdir("work", 0755), 0);
	make_file("work/config.json", "{}");
	make_file("config.json", "{}");
	expect_open_slash(".");
}

Test(config_bundle, slash_stays_when_the_working_directory_has_no_config_either)
{
	cr_assert_eq(mkdir("work", 0755), 0);
	expect_open_slash(".");
}

Test(config_bundle, another_directory_without_config_is_taken_as_it_is)
{
	make_file("config.json", "{}");
	cr_assert_eq(mkdir("other", 0755), 0);
	expect_open("other", "other");
}

static int read_config(struct bytes *ret, struct err *err)
{
	int dir_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err doubt = {0};
	int r = oci_config_read(dir_fd, "/b", ret, &doubt, err);

	cr_assert_eq(doubt.code, 0, "%s", doubt.msg);
	close(dir_fd);
	return r;
}

static void expect_read_error(int code, const char *message)
{
	struct bytes bytes = {0};
	struct err err = {0};

	cr_assert_eq(read_config(&bytes, &err), -code);
	cr_assert_eq(err.code, code);
	cr_assert_str_eq(err.msg, message);
	cr_assert_null(bytes.data);
}

Test(config_bundle, config_is_read_whole)
{
	struct bytes bytes = {0};
	struct err err = {0};

	make_file("config.json", "{\"a\": 1}\n");
	cr_assert_eq(read_config(&bytes, &err), 0, "%s", err.msg);
	cr_assert_eq(bytes.len, 9);
	cr_assert_str_eq(bytes.data, "{\"a\": 1}\n");
	bytes_clear(&bytes);
}

Test(config_bundle, without_config_is_enoent)
{
	expect_read_error(ENOENT,
			  "read config.json: bundle '/b' has none; give the directory "
			  "that holds config.json");
}

Test(config_bundle, config_that_is_a_link_is_eloop)
{
	make_file("other.json", "{}");
	cr_assert_eq(symlink("other.json", "config.json"), 0);
	expect_read_error(ELOOP, "read config.json: it is a symbolic link, which is not "
				 "followed; put the file itself there");
}

#define NOT_REGULAR "read config.json: not a regular file"

Test(config_bundle, config_that_is_a_fifo_is_refused_without_hanging, .timeout = 10)
{
	cr_assert_eq(mkfifo("config.json", 0600), 0);
	expect_read_error(EINVAL, NOT_REGULAR);
}

Test(config_bundle, config_that_is_a_directory_is_refused)
{
	cr_assert_eq(mkdir("config.json", 0755), 0);
	expect_read_error(EINVAL, NOT_REGULAR);
}

Test(config_bundle, config_that_is_a_socket_is_refused)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "config.json"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	expect_read_error(EINVAL, NOT_REGULAR);
	close(fd);
}

Test(config_bundle, config_that_is_a_device_is_refused)
{
	/* 1:5 is /dev/zero, which would never end. */
	if (mknod("config.json", S_IFCHR | 0600, makedev(1, 5)) < 0) {
		skip("needs root, for mknod()");
	}
	expect_read_error(EINVAL, NOT_REGULAR);
}

Test(config_bundle, config_up_to_the_limit_is_read_and_one_byte_more_is_e2big)
{
	struct bytes bytes = {0};
	struct err err = {0};

	make_file("config.json", "");
	cr_assert_eq(truncate("config.json", LIMIT_CONFIG_BYTES), 0);
	cr_assert_eq(read_config(&bytes, &err), 0, "%s", err.msg);
	cr_assert_eq(bytes.len, LIMIT_CONFIG_BYTES);
	bytes_clear(&bytes);
	cr_assert_eq(truncate("config.json", LIMIT_CONFIG_BYTES + 1), 0);
	expect_read_error(E2BIG, "read config.json: larger than 16777216 bytes");
}

Test(config_bundle, config_that_cannot_be_opened_says_why)
{
	struct bytes bytes = {0};
	struct err doubt = {0};
	struct err err = {0};

	cr_assert_eq(oci_config_read(-1, "/b", &bytes, &doubt, &err), -EBADF);
	cr_assert_str_eq(err.msg, "read config.json: Bad file descriptor");
}

/* ---- doubts ------------------------------------------------------------------------ */

/* A bundle in "b" that nothing is wrong with. */
static void make_bundle(void)
{
	cr_assert_eq(mkdir("b", 0755), 0);
	make_file("b/config.json", "{}");
	cr_assert_eq(chmod("b/config.json", 0644), 0);
}

/* It opens all the same, since a container that asks for nothing needs no trust. */
static void expect_doubt(const char *bundle, const char *start)
{
	struct bytes bytes = {0};
	struct err doubt = {0};
	struct err err = {0};
	int fd = oci_config_open_bundle(bundle, &doubt, &err);

	cr_assert_geq(fd, 0, "%s", err.msg);
	cr_assert_eq(oci_config_read(fd, "/b", &bytes, &doubt, &err), 0, "%s", err.msg);
	cr_assert_str_eq(bytes.data, "{}");
	cr_assert_eq(doubt.code, EPERM);
	cr_assert_eq(strncmp(doubt.msg, start, strlen(start)), 0, "%s", doubt.msg);
	bytes_clear(&bytes);
	close(fd);
}

static void check_owner(bool has_user_namespace, struct err *doubt)
{
	const struct container ctr = {.has_user_namespace = has_user_namespace};
	int fd = open("b", O_PATH | O_DIRECTORY | O_CLOEXEC);

	oci_config_check_owner(fd, "b", &ctr, doubt);
	close(fd);
}

Test(config_bundle, r14_a_bundle_that_the_world_can_write_is_doubted)
{
	make_bundle();
	cr_assert_eq(chmod("b", 0757), 0);
	expect_doubt("b", "trust bundle 'b': its mode is 0757, so others can write it");
}

Test(config_bundle, r14_a_config_that_the_world_can_write_is_doubted)
{
	make_bundle();
	cr_assert_eq(chmod("b/config.json", 0646), 0);
	expect_doubt("b", "trust config.json: its mode is 0646, so others can write it");
}

Test(config_bundle, r14_a_config_of_another_user_is_doubted)
{
	make_bundle();
	if (chown("b/config.json", 1000, 1000) < 0) {
		skip("needs root, for chown()");
	}
	expect_doubt("b", "trust config.json: it belongs to user 1000, not to root");
}

Test(config_bundle, r14_a_bundle_of_another_user_is_doubted)
{
	struct err doubt = {0};

	make_bundle();
	check_owner(false, &doubt);
	cr_assert_eq(doubt.code, 0, "%s", doubt.msg);
	if (chown("b", 1000, 1000) < 0) {
		skip("needs root, for chown()");
	}
	check_owner(false, &doubt);
	cr_expect_eq(doubt.code, EPERM);
	cr_expect_str_eq(doubt.msg, "trust bundle 'b': it belongs to user 1000, not to "
				    "root; chown it");
}

Test(config_bundle, a_bundle_may_belong_to_the_root_of_its_user_namespace)
{
	struct err doubt = {0};

	make_bundle();
	if (chown("b", 100000, 100000) < 0) {
		skip("needs root, for chown()");
	}
	check_owner(true, &doubt);
	cr_expect_eq(doubt.code, 0, "%s", doubt.msg);
}

Test(config_bundle, r14_a_link_to_a_bundle_is_doubted)
{
	make_bundle();
	cr_assert_eq(symlink("b", "link"), 0);
	expect_doubt("link", "trust bundle 'link': it is a symbolic link, which could "
			     "lead elsewhere next; give the directory itself");
}

Test(config_bundle, a_link_above_the_bundle_is_followed)
{
	make_bundle();
	cr_assert_eq(symlink(".", "here"), 0);
	expect_open("here/b", "b");
}

/* ---- the quick look ---------------------------------------------------------------- */

/* From a copy of exactly @len bytes, so that a sanitizer sees the
   first byte read beyond. */
static bool may_request(const char *text, size_t len, const char *key)
{
	char *copy = malloc(len);
	bool may;

	memcpy(copy, text, len);
	may = oci_config_may_request(copy, len, key);
	free(copy);
	return may;
}

static bool may_request_str(const char *text, const char *key)
{
	return may_request(text, strlen(text), key);
}

Test(config_may_request, finds_the_key_and_the_key_of_one_container)
{
	cr_assert(may_request_str("{\"annotations\":{\"" KEY "\":\"1\"}}", KEY));
	cr_assert(may_request_str("{\"annotations\":{\"" KEY "/container.x\":\"1\"}}",
				  KEY));
	cr_assert(may_request_str(KEY, KEY));
}

Test(config_may_request, is_false_without_the_key)
{
	cr_assert_not(oci_config_may_request("", 0, KEY));
	cr_assert_not(
		may_request_str("{\"annotations\":{\"io.oci-gpu-hook.gp\":\"1\"}}", KEY));
	cr_assert_not(may_request_str("{\"annotations\":{\"Io.oci-gpu-hook.gpu\":\"1\"}}",
				      KEY));
}

Test(config_may_request, ignores_what_stands_behind_the_text)
{
	cr_assert_not(oci_config_may_request("{}" KEY, 2, KEY));
	cr_assert_not(oci_config_may_request(KEY, strlen(KEY) - 1, KEY));
	/* The digits of an escape, too. */
	cr_assert_not(oci_config_may_request("\\u0069", 1, KEY));
	cr_assert_not(oci_config_may_request("\\u0069", 2, KEY));
}

/* What Go, crun and others write into every config.json. */
Test(config_may_request, is_not_misled_by_the_usual_escapes)
{
	static const char text[] = "\"a\\u003cb\\u003e\\u0026\\u2028\\u00e9\\ud83d\\ude00"
				   "\\n\\t\\r\\b\\f\\\"\\\\\\/\\u0000\\u001B\"";

	cr_assert_not(may_request(text, sizeof(text) - 1, KEY));
}

/* The key with its character at @i written as an escape. */
static void expect_escape_is_seen(size_t i, bool is_upper_case)
{
	static const char key[] = KEY;
	struct oci_config config = {0};
	struct err err = {0};
	char escape[8];
	char text[200];

	(void)snprintf(escape, sizeof(escape), is_upper_case ? "\\u%04X" : "\\u%04x",
		       (unsigned int)key[i]);
	(void)snprintf(text, sizeof(text),
		       "{\"root\":{\"path\":\"r\"},\"annotations\":{\"%.*s%s%s\":\"2\"}}",
		       (int)i, key, escape, &key[i + 1]);
	cr_assert(may_request_str(text, KEY), "%s", text);
	/* And it really is the annotation. */
	cr_assert_eq(oci_config_parse(text, strlen(text), KEY, &config, &err), 0, "%s",
		     err.msg);
	cr_assert_str_eq(config.request, "2");
	oci_config_clear(&config);
}

Test(config_may_request, sees_every_character_of_the_key_as_an_escape)
{
	for (size_t i = 0; i < strlen(KEY); i++) {
		expect_escape_is_seen(i, false);
		expect_escape_is_seen(i, true);
	}
}

Test(config_may_request, sees_short_escapes_of_odd_keys)
{
	cr_assert(may_request_str("{\"example.com\\/gpu\":\"1\"}", "example.com/gpu"));
	cr_assert_not(
		may_request_str("{\"example.com\\/gpu\":\"1\"}", "example.com-gpu"));
	cr_assert(may_request_str("\"a\\\"b\"", "a\"b"));
	cr_assert(may_request_str("\"a\\\\b\"", "a\\b"));
	cr_assert(may_request_str("\"a\\tb\"", "a\tb"));
	cr_assert(may_request_str("\"a\\nb\"", "a\nb"));
	cr_assert(may_request_str("\"a\\rb\"", "a\rb"));
	cr_assert(may_request_str("\"a\\bb\"", "a\bb"));
	cr_assert(may_request_str("\"a\\fb\"", "a\fb"));
	/* "n" in the key is not the line break that \n is. */
	cr_assert_not(may_request_str("\"a\\nb\"", "an"));
	/* U+00E9 and U+1F600 */
	cr_assert(may_request_str("\"\\u00e9\"", "\xc3\xa9"));
	cr_assert(may_request_str("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"));
	cr_assert_not(may_request_str("\"\\u0080\"", "e"));
}

Test(config_may_request, does_not_take_an_escaped_backslash_for_an_escape)
{
	/* A backslash, then the letters u0069. */
	cr_assert_not(may_request_str("\"\\\\u0069\"", KEY));
	/* Two of them, then \u0069, which is 'i'. */
	cr_assert(may_request_str("\"\\\\\\u0069\"", KEY));
}

Test(config_may_request, takes_time_in_proportion_to_the_text, .timeout = 60)
{
	static const char *const patterns[] = {"\\\\", "\\u00e9", "io.oci-gpu-hook.gp",
					       "i"};
	size_t len = LIMIT_CONFIG_BYTES;
	char *text = malloc(len);

	for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
		size_t step = strlen(patterns[p]);

		for (size_t i = 0; i < len; i++) {
			text[i] = patterns[p][i % step];
		}
		cr_assert_not(oci_config_may_request(text, len, KEY), "%s", patterns[p]);
	}
	free(text);
}
