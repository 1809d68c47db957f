/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_poststop.c - the command that gives back what a stopped container held
 *
 * Nothing depends on it: a dead container holds nothing, and the next run sees that. It
 * keeps the ledger short, and `list` quick.
 */

#include "base/deadline.h"
#include "request.h"
#include "run.h"

static int give_back(const struct request *request, struct err *err)
{
	const struct oci_state *state = &request->parsed.state;
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	autofree char *dir = request_find_state_dir(request);
	int r = ledger_open(dir, false, &ledger, err);

	return r < 0 || ledger.dir_fd < 0
		       ? r
		       : ledger_release_container(&ledger, state->id, state->bundle, err);
}

int run_poststop(const struct cli *cli, struct report *report, struct err *err)
{
	cleanup(request_clearp) struct request request = NO_REQUEST;
	int r;

	request.host_root = cli->host_root;
	request.report = report;
	deadline_start(SETTINGS_WATCHDOG_SECONDS, REQUEST_GRACE_SECONDS);
	r = request_read_stopped(cli, &request, err);
	if (r == 0) {
		r = request_follow_settings(cli, &request, report, err);
	}
	if (r == 0) {
		r = request_check_settings(&request, err);
	}
	if (r == 0) {
		r = give_back(&request, err);
	}
	return r < 0 ? err_wrap(err, "give back GPUs") : 0;
}
