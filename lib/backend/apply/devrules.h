/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * devrules.h - device rules as a BPF program, built as data. Pure.
 *
 * A BPF_PROG_TYPE_CGROUP_DEVICE program gets a struct bpf_cgroup_dev_ctx in r1 and
 * returns 1 to allow. Every program on a cgroup and on its ancestors must allow,
 * so a rule cannot be added beside a program that denies: it is put in front of
 * that program's own code.
 * Source: Linux include/uapi/linux/bpf.h; kernel/bpf/cgroup.c.
 */

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/container.h"
#include "model/plan.h"

struct devrules_program {
	struct bpf_insn *insns;
	size_t n;
};

void devrules_clear(struct devrules_program *program);
DEFINE_CLEANUP(struct devrules_program, devrules_clear)

/**
 * devrules_prefix() - Code that allows the plan's nodes and else falls through
 *
 * Exactly "c MAJOR:MINOR rw" for each: a request with any other bit (mknod), of another
 * type, or of another number goes on to what follows. Keeps r1, uses r0 and r2 to r5.
 */
void devrules_prefix(const struct plan *plan, struct devrules_program *ret);

/* Does @program start with @prefix? Then the rules are there already. */
bool devrules_has_prefix(const struct devrules_program *program,
			 const struct devrules_program *prefix);

/* @prefix and behind it @program. Jumps are relative, so @program stays as it is.
   Return: 0, or -ENOMEM: by then there may be something to undo. */
int devrules_prepend(const struct devrules_program *prefix,
		     const struct devrules_program *program,
		     struct devrules_program *ret);

/**
 * devrules_list() - A whole program: the prefix, and behind it what the rules allow
 * @rules:	that allow; there is no order among them
 *
 * Nothing else is allowed. A request for several kinds of access must be covered by one
 * rule, as runtimes do it.
 */
void devrules_list(const struct plan *plan, const struct device_rule *rules,
		   size_t n_rules, struct devrules_program *ret);

/**
 * devrules_check_editable() - Can this dump of a program be loaded again?
 * @why:	set on failure: what is in the way, for a message
 *
 * With net.core.bpf_jit_harden=2 the kernel hands out zeros or blinded code; a call or a
 * map reference cannot be taken over. Source: libnvidia-container issue 176.
 */
bool devrules_check_editable(const struct devrules_program *program, const char **why);
