/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_devrules.c - the rewritten device program against the old one and the rules
 *
 * The input is a plan and an old program: as runc, crun or systemd write it, made of any
 * instructions, or verbatim. If the old one has the form that the verifier asks for, so
 * has the new one, and for both types, every access and all numbers of interest the new
 * one says what the old one said, or yes where a node of the plan is read or written.
 */

#include <string.h>

#include "backend/apply/bpf_machine.h"
#include "base/mem.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES_MAX 4U
#define RULES_MAX 4U
#define INSNS_MAX 96U
/* Of each number its two neighbours as well, and the ends of the range. */
#define NUMBERS_MAX (3 * (NODES_MAX + RULES_MAX) + 3)

/* Linux include/linux/kdev_t.h: 12 bits of major, 20 of minor. */
#define MAJOR_MASK 0xfffU
#define MINOR_MASK 0xfffffU

/* A rule of config.json's linux.resources.devices, or of systemd's DeviceAllow. */
struct rule {
	uint32_t type;	 /* BPF_DEVCG_DEV_*, or 0: both */
	uint32_t access; /* BPF_DEVCG_ACC_*, 7: all */
	bool has_major;
	bool has_minor;
	bool is_allow;
	uint32_t major;
	uint32_t minor;
};

struct program {
	struct bpf_insn insns[INSNS_MAX];
	size_t n;
};

struct numbers {
	uint32_t value[NUMBERS_MAX];
	size_t n;
};

/* ---- the input --------------------------------------------------------------------- */

/* Mostly a number that others in the input are likely to have as well. */
static uint32_t take_number(struct input *in, uint32_t mask)
{
	uint8_t first = take_byte(in);

	return first < 0xf0 ? first : take_u32(in) & mask;
}

static void take_plan(struct input *in, struct plan_node *nodes, struct plan *plan)
{
	plan->nodes = nodes;
	plan->n_nodes = take_byte(in) % (NODES_MAX + 1);
	for (size_t i = 0; i < plan->n_nodes; i++) {
		nodes[i] = (struct plan_node){
			.major = take_number(in, MAJOR_MASK),
			.minor = take_number(in, MINOR_MASK),
		};
	}
}

static size_t take_rules(struct input *in, struct rule *rules)
{
	size_t n = take_byte(in) % (RULES_MAX + 1);

	for (size_t i = 0; i < n; i++) {
		uint8_t bits = take_byte(in);

		rules[i] = (struct rule){
			.type = bits % 3,
			.access = take_byte(in) & 7,
			.has_major = bits & 0x10,
			.has_minor = bits & 0x20,
			.is_allow = bits & 0x40,
			.major = take_number(in, MAJOR_MASK),
			.minor = take_number(in, MINOR_MASK),
		};
	}
	return n;
}

/* ---- programs of others ------------------------------------------------------------ */

static void put(struct program *p, unsigned int code, unsigned int dst, unsigned int src,
		int off, uint32_t imm)
{
	require(p->n < INSNS_MAX);
	p->insns[p->n++] = (struct bpf_insn){
		.code = (unsigned char)code,
		.dst_reg = dst & 0xf,
		.src_reg = src & 0xf,
		.off = (short)off,
		.imm = (int)imm,
	};
}

/* Type in r2, access in r3, major in r4, minor in r5: all three of them do it so. runc
   reads the type as half a word. */
static void put_header(struct program *p, bool is_half)
{
	put(p, BPF_LDX | BPF_MEM | (is_half ? BPF_H : BPF_W), 2, 1, 0, 0);
	if (!is_half) {
		put(p, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	}
	put(p, BPF_LDX | BPF_MEM | BPF_W, 3, 1, 0, 0);
	put(p, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
	put(p, BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
	put(p, BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
}

/* The conditions of a rule; each jumps over the rest of them and @n_body instructions.
   Return: their number of instructions */
static size_t put_conditions(struct program *p, const struct rule *rule, int n_body)
{
	size_t start = p->n;
	size_t n = 3 * (rule->access != 7) + (rule->type != 0) + rule->has_major +
		   rule->has_minor;
	size_t end = start + n + (size_t)n_body;

#define REST ((int)(end - p->n - 1))
	if (rule->access != 7) {
		put(p, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		put(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, rule->access);
		put(p, BPF_JMP | BPF_JNE | BPF_X, 1, 3, REST, 0);
	}
	if (rule->type != 0) {
		put(p, BPF_JMP | BPF_JNE | BPF_K, 2, 0, REST, rule->type);
	}
	if (rule->has_major) {
		put(p, BPF_JMP | BPF_JNE | BPF_K, 4, 0, REST, rule->major);
	}
	if (rule->has_minor) {
		put(p, BPF_JMP | BPF_JNE | BPF_K, 5, 0, REST, rule->minor);
	}
#undef REST
	return n;
}

/* Source: opencontainers/cgroups devices/devicefilter.go; crun src/libcrun/ebpf.c. The
   one loads the verdict into 32 bits, the other into 64. */
static void put_like_runtime(struct program *p, const struct rule *rules, size_t n,
			     bool is_runc)
{
	unsigned int mov = (is_runc ? BPF_ALU : BPF_ALU64) | BPF_MOV | BPF_K;

	put_header(p, is_runc);
	for (size_t i = 0; i < n; i++) {
		size_t n_conditions = put_conditions(p, &rules[i], 2);

		put(p, mov, 0, 0, 0, rules[i].is_allow);
		put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
		if (n_conditions == 0) {
			return;
		}
	}
	put(p, mov, 0, 0, 0, 0);
	put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Every rule allows, by a jump to the end. Source: systemd src/core/bpf-devices.c. */
static void put_like_systemd(struct program *p, const struct rule *rules, size_t n)
{
	size_t to_pass[RULES_MAX];
	size_t n_rules = 0;

	put_header(p, false);
	while (n_rules < n) {
		size_t n_conditions = put_conditions(p, &rules[n_rules], 1);

		to_pass[n_rules++] = p->n;
		put(p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
		if (n_conditions == 0) {
			break;
		}
	}
	if (n_rules == 0 || rules[n_rules - 1].access != 7 ||
	    rules[n_rules - 1].type != 0 || rules[n_rules - 1].has_major ||
	    rules[n_rules - 1].has_minor) {
		put(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
		put(p, BPF_JMP | BPF_JA, 0, 0, 1, 0);
	}
	for (size_t i = 0; i < n_rules; i++) {
		p->insns[to_pass[i]].off = (short)(p->n - to_pass[i] - 1);
	}
	put(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
	put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Any operations on registers and the context, any jumps ahead. */
static void put_any(struct program *p, struct input *in)
{
	static const uint8_t classes[] = {BPF_LDX, BPF_ALU, BPF_ALU64, BPF_JMP,
					  BPF_JMP32};
	size_t n;

	if (take_byte(in) & 1) {
		for (unsigned int reg = 0; reg < 10; reg += reg ? 1 : 2) {
			put(p, BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, reg);
		}
	}
	n = p->n + 1 + take_byte(in) % 40;
	while (p->n < n) {
		uint8_t class = classes[take_byte(in) % sizeof(classes)];
		unsigned int code = class | (take_byte(in) & 0xf8);
		uint8_t regs = take_byte(in);
		uint8_t off = take_byte(in);
		uint32_t imm = take_number(in, UINT32_MAX);

		if (class == BPF_LDX) {
			code = BPF_LDX | BPF_MEM | (code & 0x18);
			off %= 12;
		} else if (class == BPF_JMP || class == BPF_JMP32) {
			off = (uint8_t)(off % (n - p->n));
		} else {
			off = 0;
		}
		put(p, code, (regs & 0xf) % 10, (regs >> 4) % 10, off, imm);
	}
	put(p, BPF_ALU | BPF_MOV | BPF_K, 0, 0, 0, take_byte(in) & 1);
	put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void put_verbatim(struct program *p, struct input *in)
{
	size_t n = (size_t)(in->end - in->at) / sizeof(struct bpf_insn);

	p->n = n < INSNS_MAX ? n : INSNS_MAX;
	if (p->n > 0) {
		memcpy(p->insns, in->at, p->n * sizeof(struct bpf_insn));
	}
}

/* ---- the comparison ---------------------------------------------------------------- */

static void add_number(struct numbers *numbers, uint32_t value)
{
	for (size_t i = 0; i < numbers->n; i++) {
		if (numbers->value[i] == value) {
			return;
		}
	}
	require(numbers->n < NUMBERS_MAX);
	numbers->value[numbers->n++] = value;
}

static void add_neighbours(struct numbers *numbers, uint32_t value)
{
	add_number(numbers, value - 1);
	add_number(numbers, value);
	add_number(numbers, value + 1);
}

static bool is_planned(const struct plan *plan, uint32_t major, uint32_t minor)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (plan->nodes[i].major == major && plan->nodes[i].minor == minor) {
			return true;
		}
	}
	return false;
}

static void compare(const struct devrules_program *old,
		    const struct devrules_program *edited, const struct plan *plan,
		    uint32_t major, uint32_t minor)
{
	for (uint32_t type = BPF_DEVCG_DEV_BLOCK; type <= BPF_DEVCG_DEV_CHAR; type++) {
		for (uint32_t access = 0; access <= 7; access++) {
			struct bpf_verdict before =
				bpf_machine_run(old, type, access, major, minor);
			struct bpf_verdict after =
				bpf_machine_run(edited, type, access, major, minor);
			bool is_rule = type == BPF_DEVCG_DEV_CHAR &&
				       (access & BPF_DEVCG_ACC_MKNOD) == 0 &&
				       is_planned(plan, major, minor);

			/* Such a program the kernel would never have loaded. */
			if (before.fault) {
				continue;
			}
			require(!after.fault);
			require(after.r0 == (is_rule ? 1 : before.r0));
		}
	}
}

static void compare_all(const struct devrules_program *old,
			const struct devrules_program *edited, const struct plan *plan,
			const struct rule *rules, size_t n_rules)
{
	struct numbers majors = {.value = {0, MAJOR_MASK, UINT32_MAX}, .n = 3};
	struct numbers minors = {.value = {0, MINOR_MASK, UINT32_MAX}, .n = 3};

	for (size_t i = 0; i < plan->n_nodes; i++) {
		add_neighbours(&majors, plan->nodes[i].major);
		add_neighbours(&minors, plan->nodes[i].minor);
	}
	for (size_t i = 0; i < n_rules; i++) {
		add_neighbours(&majors, rules[i].major);
		add_neighbours(&minors, rules[i].minor);
	}
	for (size_t i = 0; i < majors.n; i++) {
		for (size_t j = 0; j < minors.n; j++) {
			compare(old, edited, plan, majors.value[i], minors.value[j]);
		}
	}
}

static void check(const struct devrules_program *old, const struct plan *plan,
		  const struct rule *rules, size_t n_rules)
{
	cleanup(devrules_clearp) struct devrules_program prefix = {0};
	cleanup(devrules_clearp) struct devrules_program edited = {0};
	const char *why = NULL;
	bool is_editable = devrules_check_editable(old, &why);

	require(is_editable == !why);
	if (bpf_machine_check_form(old)) {
		return;
	}
	/* The machine takes less than the kernel does: no calls, no maps. */
	require(is_editable);
	devrules_prefix(plan, &prefix);
	require(!devrules_has_prefix(&prefix, &prefix));
	require(devrules_prepend(&prefix, old, &edited) == 0);
	require(devrules_has_prefix(&edited, &prefix));
	require(!bpf_machine_check_form(&edited));
	compare_all(old, &edited, plan, rules, n_rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	struct plan_node nodes[NODES_MAX];
	struct rule rules[RULES_MAX];
	struct program p = {.n = 0};
	struct plan plan = {0};
	size_t n_rules;
	uint8_t shape = take_byte(&in) % 5;

	take_plan(&in, nodes, &plan);
	n_rules = take_rules(&in, rules);
	switch (shape) {
	case 0:
	case 1:
		put_like_runtime(&p, rules, n_rules, shape == 0);
		break;
	case 2:
		put_like_systemd(&p, rules, n_rules);
		break;
	case 3:
		put_any(&p, &in);
		break;
	default:
		put_verbatim(&p, &in);
		break;
	}
	check(&(struct devrules_program){p.insns, p.n}, &plan, rules, n_rules);
	return 0;
}
