/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * report.h - the one line of an error, on stderr and in the system's log
 *
 * crun throws a hook's stderr away, so the line also goes to /dev/log, through a socket of
 * our own: libc's syslog() would open files (time zone, locale) at a time when the paths
 * may be the container's.
 */

#include <stdbool.h>

#include "base/err.h"

enum log_level {
	LOG_LEVEL_ERROR, /* default */
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_COUNT,
};

extern const char *const log_level_names[LOG_LEVEL_COUNT];

struct report {
	enum log_level level;
	bool has_syslog; /* messages also go to the system's log */
	int syslog_fd;	 /* or -1: not connected */
};

/**
 * report_connect() - Connect to the system's log
 *
 * Mustn't: be called in the container's mount namespace, where /dev/log is a stranger's.
 * Where there is no log, nothing happens.
 */
void report_connect(struct report *report);

/* "oci-gpu-hook: MESSAGE" to stderr, and to the log if it is connected. */
void report_error(const struct report *report, const struct err *err);

/* The same, if the level asks for it. */
void report_message(const struct report *report, enum log_level level, const char *fmt,
		    ...) __attribute__((format(printf, 3, 4)));
