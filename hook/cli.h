/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cli.h - the command line: one table of commands, one of options */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/err.h"
#include "report.h"

struct cli;

struct command {
	const char *name;
	const char *help;
	/* Return: 0, or negative errno as in @err. */
	int (*run)(const struct cli *cli, struct report *report, struct err *err);
	bool is_hook;	  /* called by a runtime: state on stdin, errors also to syslog */
	bool has_json;	  /* takes --json */
	bool has_request; /* takes --bundle or --gpu */
};

struct cli {
	const struct command *command; /* NULL with --help and --version */
	bool wants_help;
	bool wants_version;
	bool wants_json;
	const char *bundle;	 /* or NULL */
	const char *gpu;	 /* or NULL */
	pid_t pid;		 /* or 0 */
	const char *host_root;	 /* absolute */
	const char *annotation;	 /* or NULL: as the configuration file says */
	const char *config;	 /* or NULL: the system's, which may be absent */
	const char *config_home; /* $XDG_CONFIG_HOME, or NULL */
	bool has_log_level;	 /* else, in the hook: as the configuration file says */
	enum log_level log_level;
};

/**
 * cli_parse() - Read the arguments
 * @ret:	borrows from @argv
 * @err:	EINVAL, with what is wrong and what is allowed
 */
int cli_parse(int argc, char **argv, struct cli *ret, struct err *err);

/* The help, made from the tables. Return: 0 or negative errno. */
int cli_print_help(FILE *out, struct err *err);
