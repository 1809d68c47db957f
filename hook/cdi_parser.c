/* SPDX-License-Identifier: Apache-2.0 */
/* cdi_parser.c - read CDI specifications, in a child that can do nothing else */

#include "cdi_parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json_guard.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/trusted_file.h"
#include "children.h"
#include "host/files.h"
#include "injector/injectors.h"
#include "oci/cdi_message.h"
#include "sandbox.h"

/* From the lowest precedence to the highest. Source: Container Device Interface,
   pkg/cdi/cache.go, DefaultSpecDirs. */
static const char *const dirs[] = {"/etc/cdi", "/var/run/cdi"};

#define DIRS_LEN (sizeof(dirs) / sizeof(dirs[0]))

/* YAML and JSON take up to 80 times their size in jansson; see parser.c. */
#define MEMORY_BYTES (100U * LIMIT_CDI_BYTES + 4U * LIMIT_CDI_MESSAGE_BYTES)

#define ANSWER_DEADLINE_MS 5000

/* ---- the child --------------------------------------------------------------------- */

static bool read_exactly(int fd, void *buf, size_t len)
{
	char *at = buf;

	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n <= 0) {
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static _Noreturn void run_child(int fd, pid_t parent)
{
	struct message answer = {0};
	struct err err = {0};
	char *question;
	uint32_t len;
	bool is_answered;

	json_guard_seed();
	if (sandbox_enter_parser(fd, parent, MEMORY_BYTES, &err) < 0) {
		_exit(1);
	}
	if (!read_exactly(STDOUT_FILENO, &len, sizeof(len)) ||
	    len > LIMIT_CDI_MESSAGE_BYTES) {
		sandbox_exit_parser(1);
	}
	question = xrealloc(NULL, len);
	is_answered = read_exactly(STDOUT_FILENO, question, len) &&
		      cdi_message_answer(question, len, &answer, &err) == 0 &&
		      write_all(STDOUT_FILENO, answer.data, answer.len) == 0;
	free(question);
	message_clear(&answer);
	sandbox_exit_parser(is_answered ? 0 : 1);
}

/* ---- starting ---------------------------------------------------------------------- */

static bool is_there(const struct host *host)
{
	for (size_t i = 0; i < DIRS_LEN; i++) {
		if (host_exists(host, dirs[i])) {
			return true;
		}
	}
	return false;
}

/* A backslash can stand for any letter. */
static bool may_name_source(const struct bytes *settings)
{
	return settings && settings->data &&
	       (memmem(settings->data, settings->len, "\"source\"", 8) ||
		memmem(settings->data, settings->len, "\"driverRoot\"", 12) ||
		memchr(settings->data, '\\', settings->len));
}

int cdi_parser_start(struct cdi_parser *parser, const struct host *host,
		     const struct bytes *settings, struct err *err)
{
	pid_t parent = getpid();
	pid_t child;
	int fds[2];

	if (host->root_fd < 0 ||
	    !(may_name_source(settings) || injectors_may_need_cdi(host)) ||
	    !is_there(host)) {
		return 0;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		return err_sys(err, errno, "make sockets for the parser");
	}
	child = fork();
	if (child == 0) {
		run_child(fds[1], parent);
	}
	(void)close(fds[1]);
	parser->fd = fds[0];
	if (child < 0) {
		return err_sys(err, errno, "start the parser");
	}
	children_note(child);
	return 0;
}

void cdi_parser_close(struct cdi_parser *parser)
{
	cleanup_close(&parser->fd);
	*parser = NO_CDI_PARSER;
}

/* ---- the files --------------------------------------------------------------------- */

struct cdi_files {
	struct cdi_file *file;
	size_t n;
	size_t bytes;
};

static void cdi_files_clear(struct cdi_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		cdi_file_clear(&files->file[i]);
	}
	free(files->file);
}
DEFINE_CLEANUP(struct cdi_files, cdi_files_clear)

static bool is_specification(const char *name, const void *context)
{
	enum cdi_format format;

	(void)context;
	return cdi_format_of(name, &format);
}

static int read_file(const struct host_dir *dir, const char *name, const char *path,
		     const struct cdi_files *files, struct bytes *ret, struct err *err)
{
	autofree char *what = xasprintf("CDI specification '%s'", path);
	autofree char *real_path = NULL;
	autoclose int fd = host_dir_open_file(dir, name, &real_path);
	int r;

	if (fd < 0) {
		return fd == -EINVAL
			       ? err_set(err, EINVAL, "read %s: not a regular file", what)
			       : err_sys(err, -fd, "read %s", what);
	}
	trusted_fd_check(fd, TRUSTED_OWNER_SYSTEM, what, err);
	if (err->code != 0) {
		return -err->code;
	}
	r = read_all(fd, what, LIMIT_CDI_BYTES - files->bytes, -1, ret, err);
	return r == -E2BIG ? err_set(err, E2BIG,
				     "read %s: with it, there are more than %u bytes of "
				     "specifications",
				     what, LIMIT_CDI_BYTES)
			   : r;
}

/* What is wrong with one file, or one directory, does not concern the others. */
static void read_dir(const struct host *host, unsigned int number,
		     struct cdi_files *files, struct cdi_registry *problems)
{
	cleanup(host_dir_closep) struct host_dir dir = {.fd = -1};
	cleanup(names_clearp) struct names names = {0};
	autofree char *what = xasprintf("directory '%s'", dirs[number]);
	struct err err = {0};
	int r = host_dir_open(host, dirs[number], &dir);

	if (r == 0) {
		trusted_fd_check(dir.fd, TRUSTED_OWNER_SYSTEM, what, &err);
		r = err.code == 0 ? host_dir_list(&dir, is_specification, NULL, &names)
				  : 0;
	}
	if (r < 0 && r != -ENOENT) {
		(void)err_sys(&err, -r, "read %s", what);
	}
	if (names.n > LIMIT_CDI_FILES) {
		(void)err_set(&err, E2BIG, "read %s: more than %u specifications", what,
			      LIMIT_CDI_FILES);
	}
	if (err.code != 0) {
		cdi_registry_add_problem(problems, err.msg);
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		struct cdi_file file = {.dir = number};
		struct err file_err = {0};

		file.path = xasprintf("%s/%s", dirs[number], names.name[i]);
		(void)cdi_format_of(names.name[i], &file.format);
		if (read_file(&dir, names.name[i], file.path, files, &file.text,
			      &file_err) < 0) {
			cdi_registry_add_problem(problems, file_err.msg);
			cdi_file_clear(&file);
			continue;
		}
		files->bytes += file.text.len;
		files->file = xgrow(files->file, files->n, sizeof(*files->file));
		files->file[files->n++] = file;
	}
}

/* ---- asking ------------------------------------------------------------------------ */

static int ask(const struct cdi_parser *parser, const struct cdi_files *files,
	       const char *kind, struct cdi_registry *ret, struct err *err)
{
	struct message question = {0};
	struct bytes answer = {0};
	uint32_t len;
	bool is_asked;
	int r;

	cdi_message_ask(files->file, files->n, kind, &question);
	len = (uint32_t)question.len;
	is_asked = write_all(parser->fd, &len, sizeof(len)) == 0 &&
		   write_all(parser->fd, question.data, question.len) == 0;
	message_clear(&question);
	if (!is_asked) {
		return err_set(err, EBADMSG,
			       "the parser has ended; see the kernel's log");
	}
	/* A child that takes too long, or says too much, dies with us. */
	r = read_all(parser->fd, "the parser's answer", LIMIT_CDI_MESSAGE_BYTES,
		     ANSWER_DEADLINE_MS, &answer, err);
	if (r == 0) {
		r = cdi_message_decode(answer.data, answer.len, ret, err);
	}
	bytes_clear(&answer);
	return r;
}

int cdi_parser_ask(struct cdi_parser *parser, const struct host *host, const char *kind,
		   struct cdi_registry *ret, struct err *err)
{
	cleanup(cdi_files_clearp) struct cdi_files files = {0};
	cleanup(cdi_registry_clearp) struct cdi_registry problems = {0};
	int r = 0;

	for (unsigned int i = 0; i < DIRS_LEN; i++) {
		read_dir(host, i, &files, &problems);
	}
	if (files.n > 0 && parser->fd < 0) {
		return err_set(err, EAGAIN,
			       "read CDI specifications: they have appeared while the "
			       "host was looked at; start the container again");
	}
	if (files.n > 0) {
		r = ask(parser, &files, kind, ret, err);
		cdi_parser_close(parser);
	}
	if (r < 0) {
		return err_wrap(err, "read CDI specifications");
	}
	for (size_t i = 0; i < problems.n_problems; i++) {
		cdi_registry_add_problem(ret, problems.problems[i]);
	}
	return 0;
}
