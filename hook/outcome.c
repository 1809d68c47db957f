/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.c - from a request to a checked plan */

#include "outcome.h"

#include <errno.h>

#include "injector/injectors.h"
#include "stage/build_plan.h"
#include "stage/check_plan.h"
#include "stage/check_policy.h"

void outcome_clear(struct outcome *outcome)
{
	plan_clear(&outcome->plan);
	selection_clear(&outcome->selection);
	inventory_clear(&outcome->inventory);
}
/* A shortage is looked at again with all that the host has, for the message alone. */
static int choose_gpus(const struct host *host, const struct gpu_spec *spec,
		       struct outcome *outcome, struct err *err)
{
	int r;

	r = injectors_probe(host, spec, &outcome->inventory, err);
	if (r < 0) {
		return err_wrap(err, "look for GPUs");
	}
	r = select_gpus(spec, &outcome->inventory, &outcome->selection, err);
	if (r == -ENOENT) {
		inventory_clear(&outcome->inventory);
		r = injectors_probe(host, NULL, &outcome->inventory, err);
		if (r == 0) {
			r = injectors_add_driverless(host, &outcome->inventory, err);
		}
		if (r == 0) {
			r = select_gpus(spec, &outcome->inventory, &outcome->selection,
					err);
		}
	}
	return r < 0 ? err_wrap(err, "select GPUs") : 0;
}

int outcome_plan(const struct host *host, struct request *request,
		 struct outcome *outcome, struct err *err)
{
	const struct policy *policy = &request->parsed.settings.policy;
	const struct container *ctr = &request->parsed.config.container;
	const char *file = request->file.path;
	struct gpu_spec *spec = &request->parsed.spec;
	uint32_t left_out = 0;
	int r;

	r = check_policy_request(policy, file, spec, &left_out, err);
	if (r == 0) {
		r = choose_gpus(host, spec, outcome, err);
	}
	if (r == 0) {
		r = check_policy_gpus(policy, file, &outcome->selection, err);
	}
	if (r < 0) {
		return r;
	}
	r = build_plan(spec, &outcome->selection, ctr, &outcome->plan, err);
	if (r == 0) {
		check_policy_warn(left_out, file, &outcome->plan);
		r = check_plan(&outcome->plan, ctr, err);
	}
	return r < 0 ? err_wrap(err, "plan") : 0;
}

void outcome_report(const struct outcome *outcome, const char *id,
		    const struct report *report)
{
	for (size_t i = 0; i < outcome->plan.n_warnings; i++) {
		report_message(report, LOG_LEVEL_WARNING, "container '%s': %s", id,
			       outcome->plan.warnings[i]);
	}
	for (size_t i = 0; i < outcome->selection.n_gpus; i++) {
		const struct gpu *gpu = outcome->selection.gpus[i];

		report_message(report, LOG_LEVEL_INFO, "container '%s': got %s:%u (%s)",
			       id, gpu->vendor, gpu->index,
			       gpu->pci ? gpu->pci : gpu->model);
	}
}
