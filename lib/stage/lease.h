/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * lease.h - a container's GPUs, kept from others from the choice on
 *
 * lease_begin() - select_gpus() - lease_take(): under the ledger's lock, so that no two
 * containers choose at once. What comes after the choice happens without the lock; if it
 * fails, lease_give_back().
 */

#include "base/cleanup.h"
#include "base/err.h"
#include "model/gpu_spec.h"
#include "model/policy.h"
#include "stage/ledger.h"
#include "stage/select.h"

/* Whose lease. Borrowed. */
struct lease_holder {
	const char *id;
	const char *bundle;
	pid_t pid;
};

struct lease {
	struct ledger ledger;
	struct process_id init;
	bool is_locked;
	bool is_taken;
};

#define NO_LEASE                     \
	(struct lease)               \
	{                            \
		.ledger = NO_LEDGER, \
	}

/* Unlocks; does not give back. */
void lease_close(struct lease *lease);
DEFINE_CLEANUP(struct lease, lease_close)

/**
 * lease_begin() - Lock the ledger and see who has what
 * @dir:	of the state
 * @may_make:	the state directory, where it is missing; else there is no ledger then
 * @lease:	NO_LEASE
 * @err:	as the ledger's functions; for an exclusive request also: there can be no
 *		ledger
 *
 * Where there can be no ledger a shared request goes on without one: nobody can
 * have a GPU exclusively.
 */
int lease_begin(const char *dir, const struct lease_holder *holder,
		const struct gpu_spec *spec, enum gpu_order order, bool may_make,
		struct lease *lease, struct err *err);

/**
 * lease_look() - See who has what, and take nothing
 *
 * Without the lock: what is seen was so a moment ago. If it cannot be seen the ledger's
 * `absence` says why, and there are no holders; that there is no ledger yet is nothing to
 * say.
 */
void lease_look(const char *dir, enum ledger_scrutiny scrutiny, struct lease *lease);

/* Adds what is seen in another ledger, where it is not known whose
   container it will be. */
void lease_look_also(const char *dir, struct lease *lease);

/* After lease_look(), for a container that is there already: what it has is not in its
   own way. @who: its first process, or where `pid` is 0 its bundle */
void lease_look_as(const struct lease_holder *who, struct lease *lease);

/* How closely a request has to look. */
enum ledger_scrutiny lease_scrutiny(const struct gpu_spec *spec, enum gpu_order order);

/* Nothing is chosen after all: others need not wait for what is still to be said. */
void lease_unlock(struct lease *lease);

/* What select_gpus() must know of it. Valid until lease_take(). */
struct select_terms lease_terms(const struct lease *lease, enum gpu_order order);

/**
 * lease_take() - Write down what was chosen, and unlock
 *
 * What the container has already stays as it is.
 */
int lease_take(struct lease *lease, const struct lease_holder *holder,
	       const struct gpu_spec *spec, const struct selection *selection,
	       struct err *err);

/**
 * lease_give_back() - The container does not start
 * @err:	has the failure that made this necessary; if the lease cannot be given
 *		back that is added to its message
 */
void lease_give_back(struct lease *lease, struct err *err);
