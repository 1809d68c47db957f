/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - the one line of an error, on stderr and in the system's log */

#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

const char *const log_level_names[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
};

static const int syslog_priorities[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_ERROR] = LOG_DAEMON | LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_DAEMON | LOG_WARNING,
	[LOG_LEVEL_INFO] = LOG_DAEMON | LOG_INFO,
};

void report_connect(struct report *report)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX,
					    .sun_path = "/dev/log"};
	int fd;

	if (!report->has_syslog || report->syslog_fd >= 0) {
		return;
	}
	/* Not blocking: a log daemon that hangs must not hang a container's start. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return;
	}
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		(void)close(fd);
		return;
	}
	report->syslog_fd = fd;
}

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
	if (report->syslog_fd >= 0) {
		n = snprintf(line, sizeof(line), "<%d>oci-gpu-hook[%d]: %s",
			     syslog_priorities[level], getpid(), text);
		if (n > 0) {
			(void)!send(report->syslog_fd, line, strnlen(line, sizeof(line)),
				    MSG_NOSIGNAL);
		}
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

	if (level > report->level) {
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(line.msg, sizeof(line.msg), fmt, ap);
	va_end(ap);
	err_make_one_line(&line);
	write_line(report, level, line.msg);
}
