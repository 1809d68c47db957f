/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bpf_machine.h - what the kernel does with a device program: its verifier's
 * form, and a run. Pure.
 *
 * As much of eBPF as device programs use: arithmetic, jumps, reading the context. No
 * stack, no memory, no calls. A run keeps the verifier's book: a register that was never
 * written, or arithmetic with the context's address, is a fault and not a value.
 * Source: Linux Documentation/bpf/standardization/instruction-set.rst;
 * kernel/bpf/verifier.c; kernel/bpf/cgroup.c, cgroup_dev_is_valid_access().
 */

#include <stdint.h>

#include "backend/apply/devrules.h"

struct bpf_verdict {
	const char *fault; /* NULL: it ran to an exit */
	uint64_t r0;
};

/**
 * bpf_machine_check_form() - Would the verifier take the program, as far as form goes?
 *
 * Jumps stay inside and lead forward only, each instruction can be reached, none runs
 * over the end, codes and registers are known.
 *
 * Return: NULL, or what is wrong.
 */
const char *bpf_machine_check_form(const struct devrules_program *program);

/**
 * bpf_machine_run() - What the program says of one access
 * @type:	BPF_DEVCG_DEV_*
 * @access:	BPF_DEVCG_ACC_*, any of them
 */
struct bpf_verdict bpf_machine_run(const struct devrules_program *program, uint32_t type,
				   uint32_t access, uint32_t major, uint32_t minor);
