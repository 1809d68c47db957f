/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.c - from a request to a checked plan */

#include "outcome.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/trusted_file.h"
#include "injector/injectors.h"
#include "stage/build_plan.h"
#include "stage/check_access.h"
#include "stage/check_plan.h"
#include "stage/check_policy.h"
#include "stage/check_subset.h"
#include "stage/explain_choice.h"
#include "stage/inspect_container.h"
#include "stage/take_choice.h"

void outcome_clear(struct outcome *outcome)
{
	plan_clear(&outcome->plan);
	verdicts_clear(&outcome->verdicts);
	selection_clear(&outcome->selection);
	inventory_clear(&outcome->inventory);
	lease_close(&outcome->lease);
}

static int look_for_gpus(const struct host *host, const struct gpu_spec *spec,
			 struct outcome *outcome, struct err *err)
{
	int r = injectors_probe(host, spec, &outcome->inventory, err);

	return r < 0 ? err_wrap(err, "look for GPUs") : 0;
}

/* A shortage is looked at again with all that the host has, for the message alone. */
static int explain_shortage(const struct host *host, const struct gpu_spec *spec,
			    const struct select_terms *terms, struct outcome *outcome,
			    struct err *err)
{
	int r;

	/* What is said of it must not keep others waiting: a driver may hang. */
	lease_unlock(&outcome->lease);
	inventory_clear(&outcome->inventory);
	r = injectors_probe(host, NULL, &outcome->inventory, err);
	if (r == 0) {
		r = injectors_add_driverless(host, &outcome->inventory, err);
	}
	if (r == 0) {
		r = select_gpus(spec, &outcome->inventory, terms, &outcome->selection,
				err);
	}
	if (r == 0) {
		return err_set(err, EAGAIN,
			       "GPUs have appeared while they were looked for; start the "
			       "container again");
	}
	return r;
}

static int choose_gpus(const struct host *host, const struct gpu_spec *spec,
		       const struct select_terms *terms, struct outcome *outcome,
		       struct err *err)
{
	int r;

	r = select_gpus(spec, &outcome->inventory, terms, &outcome->selection, err);
	if (r == -ENOENT) {
		r = explain_shortage(host, spec, terms, outcome, err);
	}
	return r < 0 ? err_wrap(err, "select GPUs") : 0;
}

/* Where nobody may lock a GPU and nobody is counted there is nothing to keep, unless
   others, with other settings, keep something there already. */
static bool needs_ledger(const struct settings *settings)
{
	return settings->policy.allows_exclusive || settings->order != GPU_ORDER_FIRST;
}

/* A bundle of an ordinary user's is none that root's hook would take: if it is
   started, then by its owner. A user namespace's root is none of those who own
   a bundle of root's. */
static bool is_of_a_user(const struct request *request)
{
	struct stat st;

	return request->bundle_fd >= 0 &&
	       !request->parsed.config.container.has_user_namespace &&
	       fstat(request->bundle_fd, &st) == 0 && st.st_uid != 0;
}

/* What a container that is there has is free for itself. */
static int look_as_container(const struct request *request, struct lease *lease,
			     struct err *err)
{
	struct lease_holder who = {.pid = request->pid};
	autofree char *bundle = NULL;
	int r = 0;

	if (request->bundle_fd >= 0) {
		r = request_find_bundle(request, &bundle, err);
		who.bundle = bundle;
	}
	if (r == 0 && (who.pid || bundle)) {
		lease_look_as(&who, lease);
	}
	return r;
}

static int open_ledger(const struct request *request, enum purpose purpose,
		       struct outcome *outcome, struct err *err)
{
	const struct settings *settings = &request->parsed.settings;
	const struct lease_holder holder = request_lease_holder(request);
	autofree char *dir = request_find_state_dir(request);
	autofree char *system_dir = request_find_system_state_dir(request);

	if (purpose == OUTCOME_TO_APPLY) {
		return lease_begin(dir, &holder, &request->parsed.spec, settings->order,
				   needs_ledger(settings), &outcome->lease, err);
	}
	lease_look(dir, lease_scrutiny(&request->parsed.spec, settings->order),
		   &outcome->lease);
	if (system_dir && !is_of_a_user(request)) {
		lease_look_also(system_dir, &outcome->lease);
	}
	return look_as_container(request, &outcome->lease, err);
}

/* Where it changes what can be said of the choice. */
static void warn_of_absence(const struct request *request, enum purpose purpose,
			    struct outcome *outcome)
{
	const struct err *absence = &outcome->lease.ledger.absence;

	if (absence->code != 0 && (purpose == OUTCOME_TO_SHOW ||
				   request->parsed.settings.order != GPU_ORDER_FIRST)) {
		plan_warn(&outcome->plan, "who has which GPU is not known: %s",
			  absence->msg);
	}
}

/* Under the ledger's lock: choose, may they be given, and write down who has them. */
static int choose_and_keep(const struct host *host, const struct request *request,
			   enum purpose purpose, struct outcome *outcome, struct err *err)
{
	const struct lease_holder holder = request_lease_holder(request);
	const struct settings *settings = &request->parsed.settings;
	const struct choice *choice = &request->parsed.config.choice;
	const struct gpu_spec *spec = &request->parsed.spec;
	struct select_terms terms;
	int r;

	r = open_ledger(request, purpose, outcome, err);
	if (r < 0) {
		return r;
	}
	terms = lease_terms(&outcome->lease, settings->order);
	r = choose_gpus(host, spec, &terms, outcome, err);
	if (r == 0 && choice->n > 0) {
		r = take_choice(choice, spec, &outcome->inventory, &terms,
				&outcome->selection, err);
	}
	if (r == 0) {
		r = check_policy_gpus(&settings->policy, request->file.path, spec,
				      &outcome->selection, err);
	}
	if (r == 0 && purpose == OUTCOME_TO_APPLY) {
		r = lease_take(&outcome->lease, &holder, spec, &outcome->selection, err);
	}
	return r;
}

/* Asked for, or nothing was found on the host for a container that could use it. */
static bool needs_cdi(const struct request *request, const struct outcome *outcome)
{
	const struct driver_files *files = outcome->inventory.files;
	const struct selection *chosen = &outcome->selection;

	if (!injectors_cdi_kind(&request->parsed.spec, chosen->gpus, chosen->n_gpus)) {
		return false;
	}
	switch (request->parsed.settings.driver_source) {
	case DRIVER_SOURCE_CDI:
		return true;
	case DRIVER_SOURCE_AUTO:
		return request->cdi_parser.fd >= 0 && files && files->n_files == 0 &&
		       request->parsed.config.container.library_dir;
	case DRIVER_SOURCE_NATIVE:
	case DRIVER_SOURCE_COUNT:
		break;
	}
	return false;
}

static int use_cdi(const struct host *host, struct request *request,
		   struct outcome *outcome, struct err *err)
{
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	const struct cdi_wish wish = {
		.registry = &registry,
		.spec = &request->parsed.spec,
		.ctr = &request->parsed.config.container,
		.inv = &outcome->inventory,
		.gpus = outcome->selection.gpus,
		.n_gpus = outcome->selection.n_gpus,
	};
	int r = cdi_parser_ask(&request->cdi_parser, host,
			       injectors_cdi_kind(wish.spec, wish.gpus, wish.n_gpus),
			       &registry, err);

	if (r == 0) {
		r = injectors_read_cdi(host, &wish, &outcome->inventory, err);
	}
	if (r == 0 || request->parsed.settings.driver_source == DRIVER_SOURCE_CDI) {
		return r < 0 ? err_wrap(err, "find the driver's files") : 0;
	}
	/* The files that were not found have their warning already. */
	if (r != -ENODATA) {
		driver_files_warn(outcome->inventory.files, "%s", err->msg);
	}
	*err = (struct err){0};
	return 0;
}

/* Only for GPUs whose driver has files: neither the root nor the host's libraries are
   looked at for any other. */
static int find_files(const struct host *host, struct request *request,
		      struct outcome *outcome, struct err *err)
{
	enum driver_source source = request->parsed.settings.driver_source;
	struct container *ctr = &request->parsed.config.container;
	const struct selection *chosen = &outcome->selection;
	autofree char *rootfs_path = NULL;
	int r = 0;

	if (!injectors_need_files(&request->parsed.spec, chosen->gpus, chosen->n_gpus)) {
		return 0;
	}
	if (request->bundle_fd >= 0) {
		r = request_find_rootfs(request, &rootfs_path, err);
		if (r < 0) {
			return r;
		}
		inspect_container(rootfs_path, !trusted_caller_look().has_all_ids, ctr);
	} else {
		inspect_no_container(ctr);
	}
	if (source != DRIVER_SOURCE_CDI) {
		r = injectors_find_files(host, &request->parsed.spec, ctr,
					 &outcome->inventory, chosen->gpus,
					 chosen->n_gpus, err);
	}
	return r == 0 && needs_cdi(request, outcome)
		       ? use_cdi(host, request, outcome, err)
		       : r;
}

static int see_to_access(const struct request *request, enum purpose purpose,
			 struct outcome *outcome, struct err *err)
{
	const struct trusted_caller caller = trusted_caller_look();
	bool is_users = purpose == OUTCOME_TO_SHOW && is_of_a_user(request);
	const struct access_terms terms = {
		.setting = request->parsed.settings.access,
		.can_make_nodes = trusted_caller_is_root(&caller),
		.can_add_groups = request->can_add_groups,
		/* root cannot tell what the user may open. */
		.is_rootless = !caller.has_all_ids || (is_users && caller.uid != 0),
		.is_outside = caller.has_all_ids,
	};

	if (terms.is_rootless || is_users) {
		check_subset_warn(&outcome->inventory, &outcome->selection,
				  &outcome->plan);
	}
	return check_access(&outcome->plan, &request->parsed.config.container, &terms,
			    err);
}

int outcome_plan(struct host *host, struct request *request, enum purpose purpose,
		 struct outcome *outcome, struct err *err)
{
	const struct policy *policy = &request->parsed.settings.policy;
	const struct container *ctr = &request->parsed.config.container;
	const char *file = request->file.path;
	struct gpu_spec *spec = &request->parsed.spec;
	uint32_t left_out = 0;
	int r;

	host->driver_root = request->parsed.settings.driver_root;
	r = check_policy_request(policy, file, spec, &left_out, err);
	if (r == 0) {
		r = look_for_gpus(host, spec, outcome, err);
	}
	if (r == 0) {
		r = choose_and_keep(host, request, purpose, outcome, err);
	}
	if (r == 0) {
		r = find_files(host, request, outcome, err);
	}
	if (r < 0) {
		return r;
	}
	r = build_plan(spec, &outcome->selection, ctr, &outcome->plan, err);
	if (r == 0) {
		check_policy_warn(left_out, file, &outcome->plan);
		warn_of_absence(request, purpose, outcome);
		r = check_plan(&outcome->plan, err);
	}
	if (r == 0) {
		r = see_to_access(request, purpose, outcome, err);
	}
	return r < 0 ? err_wrap(err, "plan") : 0;
}

void outcome_explain(const struct request *request, struct outcome *outcome)
{
	const struct select_terms terms =
		lease_terms(&outcome->lease, request->parsed.settings.order);

	explain_choice(&request->parsed.spec, &outcome->inventory, &terms,
		       &outcome->selection, request->parsed.config.choice.n > 0,
		       &outcome->verdicts);
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
