/* SPDX-License-Identifier: Apache-2.0 */
/* test_cdi_parser.c - hook/cdi_parser.c: the directories, and a child that
   does not do its work */

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "cdi_parser.h"
#include "made_host.h"
#include "oci/cdi_message.h"

#define KIND "example.com/dev"
#define SPEC(name)                                                                       \
	"{\"cdiVersion\":\"0.6.0\",\"kind\":\"" KIND "\",\"devices\":[{\"name\":\"" name \
	"\",\"containerEdits\":{\"env\":[\"A=b\"]}}]}"

static struct made_host made;
static struct cdi_parser parser;
static struct cdi_registry registry;
static char wish[] = "{\"nvidia\":{\"source\":\"cdi\"}}";
static const struct bytes settings = {wish, sizeof(wish) - 1};

static void start(void)
{
	made_host_new(&made);
	parser = NO_CDI_PARSER;
	/* As sandbox_start() does. */
	(void)signal(SIGPIPE, SIG_IGN);
}

static void stop(void)
{
	cdi_parser_close(&parser);
	cdi_registry_clear(&registry);
	made_host_free(&made);
}

TestSuite(cdi_parser, .init = start, .fini = stop);

/* Starts a child and asks it. */
static void ask(void)
{
	struct err err = {0};

	cr_assert_eq(cdi_parser_start(&parser, &made.host, &settings, &err), 0, "%s",
		     err.msg);
	cr_assert_geq(parser.fd, 0);
	cr_assert_eq(cdi_parser_ask(&parser, &made.host, KIND, &registry, &err), 0, "%s",
		     err.msg);
}

static void expect_problem(size_t number, const char *want)
{
	cr_assert_lt(number, registry.n_problems, "%s", want);
	cr_expect_str_eq(registry.problems[number], want);
}

/* What to do about it depends on who runs us. */
static void expect_distrust(size_t number, const char *what)
{
	autofree char *start_text =
		xasprintf("trust %s, so others can write it; chmod ", what);

	cr_assert_lt(number, registry.n_problems, "%s", what);
	cr_expect(text_starts_with(registry.problems[number], start_text), "%s",
		  registry.problems[number]);
}

static void change_mode(const char *path, mode_t mode)
{
	autofree char *full = xasprintf("%s%s", made.root, path);

	cr_assert_eq(chmod(full, mode), 0);
}

/* ---- whether it is started --------------------------------------------------------- */

static void expect_start(const char *text, bool want)
{
	autofree char *copy = xstrdup(text);
	const struct bytes bytes = {copy, strlen(copy)};
	struct err err = {0};

	cr_assert_eq(cdi_parser_start(&parser, &made.host, &bytes, &err), 0, "%s",
		     err.msg);
	cr_expect_eq(parser.fd >= 0, want, "%s", text);
	cdi_parser_close(&parser);
}

Test(cdi_parser, is_started_only_where_it_may_be_asked)
{
	struct err err = {0};

	expect_start(wish, false);
	made_dir(&made, "/var/run/cdi");
	expect_start(wish, true);
	expect_start("{\"nvidia\":{\"driverRoot\":\"/a\"}}", true);
	expect_start("{\"nvidia\":{\"s\\u006fource\":\"cdi\"}}", true);
	expect_start("{}", false);
	cr_expect_eq(cdi_parser_start(&parser, &made.host, NULL, &err), 0);
	cr_expect_eq(parser.fd, -1);
}

/* ---- the files --------------------------------------------------------------------- */

Test(cdi_parser, both_directories_are_read_and_the_later_one_is_told_apart)
{
	made_file(&made, "/etc/cdi/a.json", SPEC("a"));
	made_file(&made, "/etc/cdi/b.yaml", SPEC("b"));
	made_file(&made, "/etc/cdi/c.yml", "no specification by its name");
	made_file(&made, "/var/run/cdi/a.json", SPEC("c"));
	ask();
	cr_assert_eq(registry.n_specs, 3);
	cr_expect_str_eq(registry.specs[0].file, "/etc/cdi/a.json");
	cr_expect_str_eq(registry.specs[1].devices[0].name, "b");
	cr_expect_eq(registry.specs[1].dir, 0);
	cr_expect_str_eq(registry.specs[2].file, "/var/run/cdi/a.json");
	cr_expect_eq(registry.specs[2].dir, 1);
	/* It is asked once. */
	cr_expect_eq(parser.fd, -1);
	cr_expect_eq(registry.n_problems, 0);
}

Test(cdi_parser, what_is_wrong_with_one_file_does_not_concern_the_others)
{
	made_file(&made, "/etc/cdi/a.json", SPEC("a"));
	made_file(&made, "/etc/cdi/b.json", "{");
	made_dir(&made, "/etc/cdi/c.json");
	made_link(&made, "/etc/cdi/d.json", "/nowhere");
	made_link(&made, "/etc/cdi/e.json", "e.json");
	made_file(&made, "/etc/cdi/f.json", SPEC("f"));
	change_mode("/etc/cdi/f.json", 0646);
	made_file(&made, "/srv/linked", SPEC("g"));
	made_link(&made, "/etc/cdi/g.json", "/srv/linked");
	ask();
	cr_assert_eq(registry.n_specs, 2);
	cr_expect_str_eq(registry.specs[0].devices[0].name, "a");
	cr_expect_str_eq(registry.specs[1].devices[0].name, "g");
	cr_expect_str_eq(registry.specs[1].file, "/etc/cdi/g.json");
	/* The child's, then ours. */
	cr_assert_eq(registry.n_problems, 5);
	expect_problem(
		0,
		"read CDI specification '/etc/cdi/b.json': line 1, column 1: string or '}' "
		"expected near end of file");
	expect_problem(1, "read CDI specification '/etc/cdi/c.json': not a regular file");
	expect_problem(2, "read CDI specification '/etc/cdi/d.json': No such file or "
			  "directory");
	expect_problem(3, "read CDI specification '/etc/cdi/e.json': Too many levels of "
			  "symbolic links");
	expect_distrust(4, "CDI specification '/etc/cdi/f.json': its mode is 0646");
}

Test(cdi_parser, a_directory_that_others_can_write_says_nothing)
{
	made_file(&made, "/etc/cdi/a.json", SPEC("a"));
	made_file(&made, "/var/run/cdi/b.json", SPEC("b"));
	change_mode("/etc/cdi", 01757);
	ask();
	cr_assert_eq(registry.n_specs, 1);
	cr_expect_str_eq(registry.specs[0].file, "/var/run/cdi/b.json");
	expect_distrust(0, "directory '/etc/cdi': its mode is 1757");
}

Test(cdi_parser, a_file_in_the_place_of_a_directory)
{
	made_file(&made, "/etc/cdi", "file");
	ask();
	expect_problem(0, "read directory '/etc/cdi': Not a directory");
}

Test(cdi_parser, files_of_a_directory_have_a_limit)
{
	for (unsigned int i = 0; i <= LIMIT_CDI_FILES; i++) {
		autofree char *path = xasprintf("/etc/cdi/%u.json", i);

		made_file(&made, path, SPEC("a"));
	}
	ask();
	cr_expect_eq(registry.n_specs, 0);
	expect_problem(0, "read directory '/etc/cdi': more than 64 specifications");
}

Test(cdi_parser, bytes_of_all_files_have_a_limit)
{
	autofree char *blanks = xcalloc(LIMIT_CDI_BYTES / 2 + 1, 1);

	memset(blanks, ' ', LIMIT_CDI_BYTES / 2);
	made_file(&made, "/etc/cdi/a.json", SPEC("a") "%s", blanks);
	made_file(&made, "/etc/cdi/b.json", SPEC("b") "%s", blanks);
	made_file(&made, "/etc/cdi/c.json", SPEC("c"));
	ask();
	cr_assert_eq(registry.n_specs, 2);
	cr_expect_str_eq(registry.specs[0].devices[0].name, "a");
	cr_expect_str_eq(registry.specs[1].devices[0].name, "c");
	expect_problem(
		0, "read CDI specification '/etc/cdi/b.json': with it, there are more "
		   "than 1048576 bytes of specifications");
}

/* ---- a child that is not there, or does not do its work ---------------------------- */

static void expect_refused(int code, const char *want)
{
	struct err err = {0};

	cr_expect_eq(cdi_parser_ask(&parser, &made.host, KIND, &registry, &err), -code);
	cr_expect_eq(err.code, code);
	cr_expect_str_eq(err.msg, want);
	cr_expect_eq(registry.n_specs, 0);
}

Test(cdi_parser, files_that_appear_after_the_start)
{
	made_file(&made, "/etc/cdi/a.json", SPEC("a"));
	expect_refused(EAGAIN,
		       "read CDI specifications: they have appeared while the host was "
		       "looked at; start the container again");
}

Test(cdi_parser, no_files_at_all_need_no_child)
{
	struct err err = {0};

	made_dir(&made, "/etc/cdi");
	cr_expect_eq(cdi_parser_ask(&parser, &made.host, KIND, &registry, &err), 0);
	cr_expect_eq(registry.n_specs + registry.n_problems, 0);
}

/* A child in the place of the parser: reads the question if @reads, and
   answers as many zeros. */
static void stand_in(bool reads, size_t n_zeros)
{
	static const char zeros[65536];
	char buf[4096];
	uint32_t len = 0;
	int fds[2];

	made_file(&made, "/etc/cdi/a.json", SPEC("a"));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	parser.fd = fds[0];
	if (reads && fork() == 0) {
		(void)close(fds[0]);
		/* All of it: else our end could fail to write the rest. */
		(void)!recv(fds[1], &len, sizeof(len), MSG_WAITALL);
		(void)!recv(fds[1], buf, len < sizeof(buf) ? len : sizeof(buf),
			    MSG_WAITALL);
		while (n_zeros > 0) {
			size_t n = n_zeros < sizeof(zeros) ? n_zeros : sizeof(zeros);

			n_zeros -= write(fds[1], zeros, n) < 0 ? n_zeros : n;
		}
		_exit(0);
	}
	(void)close(fds[1]);
}

Test(cdi_parser, a_child_that_has_ended)
{
	stand_in(false, 0);
	expect_refused(EBADMSG, "read CDI specifications: the parser has ended; see the "
				"kernel's log");
}

Test(cdi_parser, a_child_that_is_killed_at_its_work)
{
	stand_in(true, 0);
	expect_refused(EBADMSG,
		       "read CDI specifications: read the parser's reply: no CDI "
		       "specifications");
}

Test(cdi_parser, a_child_that_says_nonsense)
{
	stand_in(true, 100);
	expect_refused(EBADMSG,
		       "read CDI specifications: read the parser's reply: no CDI "
		       "specifications");
}

Test(cdi_parser, a_child_that_says_too_much)
{
	stand_in(true, LIMIT_CDI_MESSAGE_BYTES + 1U);
	expect_refused(E2BIG,
		       "read CDI specifications: read the parser's answer: larger than "
		       "4194304 bytes");
}

Test(cdi_parser, a_child_that_says_nothing_is_not_waited_for_without_end)
{
	int fds[2];

	made_file(&made, "/etc/cdi/a.json", SPEC("a"));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	parser.fd = fds[0];
	expect_refused(ETIMEDOUT, "read CDI specifications: read the parser's answer: "
				  "Connection timed out");
}

static void expect_no_start(int code, const char *want)
{
	struct err err = {0};

	cr_expect_eq(cdi_parser_start(&parser, &made.host, &settings, &err), -code);
	cr_expect_str_eq(err.msg, want);
}

Test(cdi_parser, no_descriptor_for_the_sockets)
{
	struct rlimit old;
	struct rlimit limit;
	int lowest = dup(STDIN_FILENO);

	made_dir(&made, "/etc/cdi");
	(void)close(lowest);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = (struct rlimit){.rlim_cur = (rlim_t)lowest + 1, .rlim_max = old.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect_no_start(EMFILE, "make sockets for the parser: Too many open files");
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* Root may fork without limits: the real user is another one, who
   files do not care about. */
Test(cdi_parser, no_process_for_the_parser)
{
	static const cap_value_t unlimited[] = {CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
	struct rlimit limit;
	cap_t caps = cap_get_proc();

	made_dir(&made, "/etc/cdi");
	if (getuid() == 0 && setresuid(65534, (uid_t)-1, (uid_t)-1) < 0) {
		(void)cap_free(caps);
		made_host_free(&made);
		cr_skip_test("no other user is mapped into this user namespace");
	}
	cr_assert_eq(cap_set_flag(caps, CAP_EFFECTIVE, 2, unlimited, CAP_CLEAR), 0);
	cr_assert_eq(cap_set_proc(caps), 0);
	(void)cap_free(caps);
	cr_assert_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
	limit.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
	expect_no_start(EAGAIN, "start the parser: Resource temporarily unavailable");
	/* A sanitizer looks for leaks in a process of its own that traces this one. */
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
	cr_assert_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}
