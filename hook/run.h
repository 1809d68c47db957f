/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* run.h - the commands */

#include "base/err.h"
#include "cli.h"
#include "report.h"

int run_hook(const struct cli *cli, struct report *report, struct err *err);
int run_poststop(const struct cli *cli, struct report *report, struct err *err);
int run_plan(const struct cli *cli, struct report *report, struct err *err);
int run_list(const struct cli *cli, struct report *report, struct err *err);
int run_precreate(const struct cli *cli, struct report *report, struct err *err);
