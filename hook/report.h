/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * report.h - the one line of an error, on stderr and in the log
 *
 * crun throws a hook's stderr away, so the line also goes to /dev/log, through a socket
 * of our own: libc's syslog() would open files (time zone, locale) at a time when the
 * paths may be the container's. The configuration file names another log.
 */

#include <stdbool.h>

#include "base/err.h"
#include "oci/settings.h"

struct report {
	enum log_level level;
	bool has_stderr;	/* else what is written there comes to nobody */
	bool has_log;		/* messages also go to a log: in the hook */
	bool was_connected;	/* to the system's log, if there is one: once is enough */
	enum log_target target; /* of log_fd */
	int log_fd;		/* or -1: not open */
	char time[48];		/* of a file's lines: when it was opened, in UTC */
};

/**
 * report_connect() - Connect to the system's log, before anybody
 * knows whether it is wanted
 *
 * What the settings say comes from the parser, when the first filter is in force.
 *
 * Should: come before the filters of sandbox.h.
 */
void report_connect(struct report *report);

/**
 * report_open_log() - Open the log that the settings name, or keep the one that is open
 * @settings:	zeroed where there are none yet: the system's log. It is that too where
 *		they say stderr, and there is none
 * @err:	a file that cannot be opened, or is not a regular file of ours; the
 *		log is the system's then
 *
 * Mustn't: be called in the container's mount namespace, where /dev/log is a stranger's.
 * Where the system has no log, nothing happens.
 */
int report_open_log(struct report *report, const struct settings *settings,
		    struct err *err);

/* Closes the log, if it is open. */
void report_close_log(struct report *report);

/* "oci-gpu-hook: MESSAGE" to stderr, and to the log if it is open. */
void report_error(const struct report *report, const struct err *err);

/* The same, if the level asks for it, and the log's target is not "none". */
void report_message(const struct report *report, enum log_level level, const char *fmt,
		    ...) __attribute__((format(printf, 3, 4)));
