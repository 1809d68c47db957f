/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - start, one error line, exit status */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "children.h"
#include "cli.h"
#include "report.h"
#include "sandbox.h"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static int print_version(struct err *err)
{
	(void)printf("oci-gpu-hook %s\n", PROGRAM_VERSION);
	return fflush(stdout) != 0 ? err_sys(err, errno, "write the version") : 0;
}

static int run(const struct cli *cli, struct report *report, struct err *err)
{
	if (cli->wants_help) {
		return cli_print_help(stdout, err);
	}
	if (cli->wants_version) {
		return print_version(err);
	}
	return cli->command->run(cli, report, err);
}

int main(int argc, char **argv)
{
	/* All that is taken from the environment, which is emptied next. */
	const char *config_home = getenv("XDG_CONFIG_HOME");
	struct report report = {.has_stderr = true, .log_fd = -1};
	struct cli cli = {0};
	struct err err = {0};
	int status = EXIT_DONE;

	sandbox_start();
	if (cli_parse(argc, argv, &cli, &err) < 0) {
		report_error(&report, &err);
		return EXIT_USAGE;
	}
	if (cli.command && cli.command->is_hook) {
		report.has_stderr = sandbox_guard_stderr();
	}
	cli.config_home = config_home;
	report.level = cli.log_level;
	report.has_log = cli.command && cli.command->is_hook;
	if (run(&cli, &report, &err) < 0) {
		report_error(&report, &err);
		status = EXIT_FAILED;
	}
	report_close_log(&report);
	/* Of one that takes too long our death is the end. */
	if (err.code != ETIMEDOUT) {
		children_reap();
	}
	return status;
}
