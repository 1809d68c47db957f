/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - a container's GPUs, kept from others from the choice on */

#include "stage/lease.h"

#include <errno.h>

#include "base/mem.h"
#include "base/text.h"

/* Holders that a run looks at beyond those that matter, and beyond twice what it adds. */
#define CHECKS_IN_TURN 8

void lease_close(struct lease *lease)
{
	lease_unlock(lease);
	ledger_close(&lease->ledger);
	*lease = NO_LEASE;
}

static bool has_ledger(const struct lease *lease)
{
	return lease->ledger.dir_fd >= 0;
}

enum ledger_scrutiny lease_scrutiny(const struct gpu_spec *spec, enum gpu_order order)
{
	if (order == GPU_ORDER_SPREAD) {
		return LEDGER_CHECK_ALL;
	}
	return spec->sharing == GPU_SHARING_EXCLUSIVE ? LEDGER_CHECK_ONE_A_GPU
						      : LEDGER_CHECK_EXCLUSIVE;
}

int lease_begin(const char *dir, const struct lease_holder *holder,
		const struct gpu_spec *spec, enum gpu_order order, bool may_make,
		struct lease *lease, struct err *err)
{
	bool is_exclusive = spec->sharing == GPU_SHARING_EXCLUSIVE;
	int r = ledger_open(dir, may_make, &lease->ledger, err);

	if (r < 0) {
		return r;
	}
	if (!has_ledger(lease)) {
		return !is_exclusive
			       ? 0
			       : err_set(err, lease->ledger.absence.code,
					 "keep GPUs from others: %.800s; set stateDir in "
					 "the configuration",
					 lease->ledger.absence.msg);
	}
	r = ledger_identify(&lease->ledger, holder->pid, &lease->init, err);
	if (r == 0) {
		r = ledger_lock(&lease->ledger, err);
		lease->is_locked = r == 0;
	}
	if (r == 0) {
		r = ledger_load(&lease->ledger, err);
	}
	if (r < 0) {
		return r;
	}
	ledger_drop_dead(&lease->ledger, lease_scrutiny(spec, order));
	return 0;
}

void lease_look(const char *dir, enum ledger_scrutiny scrutiny, struct lease *lease)
{
	struct err err = {0};

	if (ledger_open(dir, false, &lease->ledger, &err) == 0 && has_ledger(lease) &&
	    ledger_load(&lease->ledger, &err) == 0) {
		ledger_drop_dead(&lease->ledger, scrutiny);
	}
	/* And not what ledger_open() says where there is no ledger:
	   then nobody has any. */
	lease->ledger.absence = err;
}

void lease_look_also(const char *dir, struct lease *lease)
{
	cleanup(lease_closep) struct lease other = NO_LEASE;

	lease_look(dir, LEDGER_CHECK_ALL, &other);
	for (size_t i = 0; i < other.ledger.holders.n; i++) {
		holders_add(&lease->ledger.holders, &other.ledger.holders.holder[i]);
	}
}

void lease_look_as(const struct lease_holder *who, struct lease *lease)
{
	const struct holders *holders = &lease->ledger.holders;
	struct process_id id = {0};
	struct err ignored = {0};

	if (!has_ledger(lease)) {
		return;
	}
	if (who->pid) {
		(void)ledger_identify(&lease->ledger, who->pid, &id, &ignored);
	}
	for (size_t i = 0; i < holders->n; i++) {
		const struct holder *holder = &holders->holder[i];

		if (who->pid ? process_id_equals(&holder->init, &id)
			     : text_equals(holder->bundle, who->bundle)) {
			lease->init = holder->init;
		}
	}
}

void lease_unlock(struct lease *lease)
{
	if (lease->is_locked) {
		ledger_unlock(&lease->ledger);
		lease->is_locked = false;
	}
}

struct select_terms lease_terms(const struct lease *lease, enum gpu_order order)
{
	bool knows = has_ledger(lease) || lease->ledger.holders.n > 0;

	return (struct select_terms){
		.order = order,
		.holders = knows ? &lease->ledger.holders : NULL,
		/* Nobody, pid 0, who only looks. */
		.own = knows ? &lease->init : NULL,
	};
}

static bool has_it_already(const struct lease *lease, const char *key)
{
	const struct holders *holders = &lease->ledger.holders;

	for (size_t i = 0; i < holders->n; i++) {
		if (text_equals(holders->holder[i].gpu, key) &&
		    process_id_equals(&holders->holder[i].init, &lease->init)) {
			return true;
		}
	}
	return false;
}

int lease_take(struct lease *lease, const struct lease_holder *holder,
	       const struct gpu_spec *spec, const struct selection *selection,
	       struct err *err)
{
	bool has_more = false;
	int r = 0;

	if (!has_ledger(lease)) {
		return 0;
	}
	for (size_t i = 0; i < selection->n_gpus; i++) {
		autofree char *key = gpu_key(selection->gpus[i]);
		const struct holder one = {
			.gpu = key,
			.is_exclusive = spec->sharing == GPU_SHARING_EXCLUSIVE,
			.init = lease->init,
			.id = holder->id,
			.bundle = holder->bundle,
		};

		if (!has_it_already(lease, key)) {
			holders_add(&lease->ledger.holders, &one);
			has_more = true;
		}
	}
	if (has_more) {
		ledger_drop_dead_in_turn(&lease->ledger,
					 CHECKS_IN_TURN + 2 * selection->n_gpus);
		r = ledger_save(&lease->ledger, err);
	}
	if (r == -E2BIG) {
		/* Most of them must be dead. */
		*err = (struct err){0};
		ledger_drop_dead(&lease->ledger, LEDGER_CHECK_ALL);
		r = ledger_save(&lease->ledger, err);
	}
	lease->is_taken = r == 0;
	lease_unlock(lease);
	return r;
}

void lease_give_back(struct lease *lease, struct err *err)
{
	const struct err cause = *err;
	struct err failure = {0};

	lease_unlock(lease);
	if (!lease->is_taken) {
		return;
	}
	lease->is_taken = false;
	if (ledger_release(&lease->ledger, &lease->init, &failure) < 0) {
		(void)err_set(err, cause.code,
			      "%.500s; its GPUs are kept until the container's process "
			      "ends, since giving them back failed: %.300s",
			      cause.msg, failure.msg);
	}
}
