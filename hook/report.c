/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - the one line of an error, on stderr and in the log */

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static const int syslog_priorities[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_ERROR] = LOG_DAEMON | LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_DAEMON | LOG_WARNING,
	[LOG_LEVEL_INFO] = LOG_DAEMON | LOG_INFO,
};

/* ---- opening ----------------------------------------------------------------------- */

void report_connect(struct report *report)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX,
					    .sun_path = "/dev/log"};
	autoclose int fd = -1;

	if (!report->has_log || report->was_connected) {
		return;
	}
	report->was_connected = true;
	/* Not blocking: a log daemon that hangs must not hang a container's start. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		report->log_fd = steal_fd(&fd);
	}
}

static bool is_leap_year(unsigned int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned int days_of_month(unsigned int year, unsigned int month)
{
	static const unsigned int days[] = {31, 28, 31, 30, 31, 30,
					    31, 31, 30, 31, 30, 31};

	return days[month] + (month == 1 && is_leap_year(year));
}

/* Not gmtime_r(): glibc's opens the file of the local time zone even for UTC. */
static void note_time(struct report *report)
{
	struct timespec now = {0};
	unsigned int year = 1970;
	unsigned int month = 0;
	unsigned int day;
	unsigned int second;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	day = (unsigned int)(now.tv_sec / 86400);
	second = (unsigned int)(now.tv_sec % 86400);
	for (; day >= 365U + is_leap_year(year); year++) {
		day -= 365U + is_leap_year(year);
	}
	for (; day >= days_of_month(year, month); month++) {
		day -= days_of_month(year, month);
	}
	(void)snprintf(report->time, sizeof(report->time),
		       "%04u-%02u-%02uT%02u:%02u:%02uZ", year, month + 1, day + 1,
		       second / 3600, second / 60 % 60, second % 60);
}

void report_close_log(struct report *report)
{
	cleanup_close(&report->log_fd);
	report->log_fd = -1;
}

static int open_file(struct report *report, const char *path, struct err *err)
{
	/* O_NONBLOCK: a FIFO that nobody reads must not hang us. */
	autoclose int fd = open(path,
				O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
					O_NOCTTY | O_CLOEXEC,
				0600);
	struct stat st;

	if (fd < 0) {
		return err_sys(err, errno, "open log '%s'", path);
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		return err_set(err, EINVAL,
			       "open log '%s': not a regular file; name another one",
			       path);
	}
	if (st.st_uid != geteuid()) {
		return err_set(
			err, EPERM,
			"open log '%s': it belongs to user %u, not to the user who "
			"runs this; chown it, or name another one",
			path, st.st_uid);
	}
	report_close_log(report);
	report->log_fd = steal_fd(&fd);
	note_time(report);
	return 0;
}

int report_open_log(struct report *report, const struct settings *settings,
		    struct err *err)
{
	int r = 0;

	if (!report->has_log) {
		return 0;
	}
	report->target = settings->log_target;
	if (report->target == LOG_TARGET_FILE) {
		r = open_file(report, settings->log_path, err);
	}
	if (r < 0 || (report->target == LOG_TARGET_STDERR && !report->has_stderr)) {
		report->target = LOG_TARGET_SYSLOG;
	}
	if (report->target == LOG_TARGET_SYSLOG) {
		report_connect(report);
	} else if (report->target != LOG_TARGET_FILE) {
		report_close_log(report);
	}
	return r;
}

/* ---- writing ----------------------------------------------------------------------- */

/* What cannot be written cannot be reported either, so results are not looked at. */
static void write_line(const struct report *report, enum log_level level,
		       const char *text)
{
	char line[sizeof(((struct err *)NULL)->msg) + 64];
	int n;

	n = snprintf(line, sizeof(line), "oci-gpu-hook: %s\n", text);
	if (n > 0) {
		(void)!write(STDERR_FILENO, line, strnlen(line, sizeof(line)));
	}
	if (report->log_fd < 0) {
		return;
	}
	if (report->target == LOG_TARGET_FILE) {
		n = snprintf(line, sizeof(line), "%s oci-gpu-hook[%d]: %s\n",
			     report->time, getpid(), text);
		if (n > 0) {
			(void)!write(report->log_fd, line, strnlen(line, sizeof(line)));
		}
		return;
	}
	n = snprintf(line, sizeof(line), "<%d>oci-gpu-hook[%d]: %s",
		     syslog_priorities[level], getpid(), text);
	if (n > 0) {
		(void)!send(report->log_fd, line, strnlen(line, sizeof(line)),
			    MSG_NOSIGNAL);
	}
}

void report_error(const struct report *report, const struct err *err)
{
	write_line(report, LOG_LEVEL_ERROR, err->msg);
}

void report_message(const struct report *report, enum log_level level, const char *fmt,
		    ...)
{
	struct err line = {0};
	va_list ap;

	if (level > report->level || report->target == LOG_TARGET_NONE) {
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(line.msg, sizeof(line.msg), fmt, ap);
	va_end(ap);
	err_make_one_line(&line);
	write_line(report, level, line.msg);
}
