/* SPDX-License-Identifier: Apache-2.0 */
/* devrules.c - device rules as a BPF program, built as data */

#include "backend/apply/devrules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* struct bpf_cgroup_dev_ctx: the low half of access_type is the type, the high half the
   access. */
#define CTX_ACCESS_TYPE (int)offsetof(struct bpf_cgroup_dev_ctx, access_type)
#define CTX_MAJOR	(int)offsetof(struct bpf_cgroup_dev_ctx, major)
#define CTX_MINOR	(int)offsetof(struct bpf_cgroup_dev_ctx, minor)

#define ACCESS_READ_WRITE (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)

/* Type and access as one word: a character device, and no access but these two. */
#define OTHER_THAN_READ_WRITE (~((uint32_t)ACCESS_READ_WRITE << 16))

/* At most, of the prefix: what comes first, each node, and what allows. */
#define HEADER_INSNS 5U
#define NODE_INSNS   2U
#define ALLOW_INSNS  3U

/* The first jump of the prefix, which goes to its end. */
#define TYPE_JUMP 2U

#define JUMP_IF	    (BPF_JMP | BPF_K | BPF_JEQ)
#define JUMP_UNLESS (BPF_JMP | BPF_K | BPF_JNE)

/* At most, of a rule of a list, and of what comes before and behind all of them. */
#define LIST_RULE_INSNS	 8U
#define LIST_FRAME_INSNS 8U

enum {
	REG_RESULT = BPF_REG_0,
	REG_CTX = BPF_REG_1,
	REG_TYPE = BPF_REG_2,
	REG_ACCESS = BPF_REG_3,
	REG_MAJOR = BPF_REG_4,
	REG_MINOR = BPF_REG_5,
};

static struct bpf_insn load_u32(unsigned int dst, int offset)
{
	return (struct bpf_insn){
		.code = BPF_LDX | BPF_MEM | BPF_W,
		.dst_reg = dst & 0xf,
		.src_reg = REG_CTX,
		.off = (short)offset,
	};
}

static struct bpf_insn alu(unsigned int op, unsigned int dst, int value)
{
	return (struct bpf_insn){
		.code = (unsigned char)(BPF_ALU | BPF_K | op),
		.dst_reg = dst & 0xf,
		.imm = value,
	};
}

static struct bpf_insn copy(unsigned int dst, unsigned int src)
{
	return (struct bpf_insn){
		.code = BPF_ALU | BPF_X | BPF_MOV,
		.dst_reg = dst & 0xf,
		.src_reg = src & 0xf,
	};
}

static struct bpf_insn result(int value)
{
	return (struct bpf_insn){
		.code = BPF_ALU | BPF_K | BPF_MOV,
		.dst_reg = REG_RESULT,
		.imm = value,
	};
}

static struct bpf_insn leave(void)
{
	return (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
}

/* Each jumps over @skip instructions: always, if the register has the
   value, unless it has. */
static struct bpf_insn jump(size_t skip)
{
	return (struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = (short)skip};
}

static struct bpf_insn compare(unsigned char code, unsigned int reg, uint32_t value,
			       size_t skip)
{
	return (struct bpf_insn){
		.code = code,
		.dst_reg = reg & 0xf,
		.off = (short)skip,
		.imm = (int)value,
	};
}

static struct bpf_insn jump_if(unsigned int reg, uint32_t value, size_t skip)
{
	return compare(JUMP_IF, reg, value, skip);
}

static struct bpf_insn jump_unless(unsigned int reg, uint32_t value, size_t skip)
{
	return compare(JUMP_UNLESS, reg, value, skip);
}

/* From the instruction @at to the instruction @to, as a jump counts it. */
static short distance(size_t at, size_t to)
{
	return (short)(to - at - 1);
}

static size_t count_same_major(const struct plan_node *nodes, size_t max)
{
	size_t n = 1;

	while (n < max && nodes[n].major == nodes[0].major) {
		n++;
	}
	return n;
}

void devrules_clear(struct devrules_program *program)
{
	free(program->insns);
	*program = (struct devrules_program){0};
}

/*
 *	if (the access is not one to a character device, or more than read and write) goto
 *	end for each major, for each of its minors: if (it is both) goto allow goto end
 * allow: return 1
 * end:
 *
 * One way to allow, and a major that is looked at once: the kernel follows
 * every way through a program when it is loaded, which takes longer than
 * anything else that is done with it.
 */
void devrules_prefix(const struct plan *plan, struct devrules_program *ret)
{
	const struct plan_node *nodes = plan->nodes;
	struct bpf_insn *insn = xcalloc(
		HEADER_INSNS + plan->n_nodes * NODE_INSNS + ALLOW_INSNS, sizeof(*insn));
	size_t at = 0;
	size_t allow;

	/* The kernel refuses code that nothing leads to. */
	if (plan->n_nodes == 0) {
		*ret = (struct devrules_program){.insns = insn};
		return;
	}
	insn[at++] = load_u32(REG_TYPE, CTX_ACCESS_TYPE);
	insn[at++] = alu(BPF_AND, REG_TYPE, (int)OTHER_THAN_READ_WRITE);
	insn[at++] = jump_unless(REG_TYPE, BPF_DEVCG_DEV_CHAR, 0);
	insn[at++] = load_u32(REG_MAJOR, CTX_MAJOR);
	insn[at++] = load_u32(REG_MINOR, CTX_MINOR);
	for (size_t i = 0; i < plan->n_nodes;) {
		size_t n = count_same_major(nodes + i, plan->n_nodes - i);

		insn[at++] = jump_unless(REG_MAJOR, nodes[i].major, n);
		for (size_t end = i + n; i < end; i++) {
			insn[at++] = jump_if(REG_MINOR, nodes[i].minor, 0);
		}
	}
	insn[at++] = jump(ALLOW_INSNS - 1);
	allow = at;
	insn[at++] = result(1);
	insn[at++] = leave();

	insn[TYPE_JUMP].off = distance(TYPE_JUMP, at);
	for (size_t i = HEADER_INSNS; i < allow; i++) {
		if (insn[i].code == JUMP_IF) {
			insn[i].off = distance(i, allow);
		}
	}
	*ret = (struct devrules_program){.insns = insn, .n = at};
}

/* Return: the bits of BPF_DEVCG_ACC_* that the rule does not allow. */
static uint32_t other_access(const struct device_rule *rule)
{
	uint32_t access = 0;

	access |= rule->reads ? BPF_DEVCG_ACC_READ : 0U;
	access |= rule->writes ? BPF_DEVCG_ACC_WRITE : 0U;
	access |= rule->makes ? BPF_DEVCG_ACC_MKNOD : 0U;
	return ~access;
}

/*
 * Jumps out of the rule get their distance when its length is known.
 *
 * Return: how many instructions were written.
 */
static size_t put_rule(const struct device_rule *rule, struct bpf_insn *insn)
{
	size_t at = 0;

	if (!rule->is_for_chars || !rule->is_for_blocks) {
		insn[at++] = jump_unless(
			REG_TYPE,
			rule->is_for_chars ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK, 0);
	}
	insn[at++] = copy(REG_RESULT, REG_ACCESS);
	insn[at++] = alu(BPF_AND, REG_RESULT, (int)other_access(rule));
	insn[at++] = jump_unless(REG_RESULT, 0, 0);
	if (rule->major != DEVICE_RULE_ANY) {
		insn[at++] = jump_unless(REG_MAJOR, rule->major, 0);
	}
	if (rule->minor != DEVICE_RULE_ANY) {
		insn[at++] = jump_unless(REG_MINOR, rule->minor, 0);
	}
	insn[at++] = result(1);
	insn[at++] = leave();
	for (size_t i = 0; i < at; i++) {
		if (insn[i].code == JUMP_UNLESS) {
			insn[i].off = distance(i, at);
		}
	}
	return at;
}

void devrules_list(const struct plan *plan, const struct device_rule *rules,
		   size_t n_rules, struct devrules_program *ret)
{
	cleanup(devrules_clearp) struct devrules_program prefix = {0};
	struct bpf_insn *insn;
	size_t at;

	devrules_prefix(plan, &prefix);
	insn = xcalloc(prefix.n + LIST_FRAME_INSNS + n_rules * LIST_RULE_INSNS,
		       sizeof(*insn));
	memcpy(insn, prefix.insns, prefix.n * sizeof(*insn));
	at = prefix.n;

	insn[at++] = load_u32(REG_TYPE, CTX_ACCESS_TYPE);
	insn[at++] = copy(REG_ACCESS, REG_TYPE);
	insn[at++] = alu(BPF_RSH, REG_ACCESS, 16);
	insn[at++] = alu(BPF_AND, REG_TYPE, 0xffff);
	insn[at++] = load_u32(REG_MAJOR, CTX_MAJOR);
	insn[at++] = load_u32(REG_MINOR, CTX_MINOR);
	for (size_t i = 0; i < n_rules; i++) {
		/* One for no type, as an unknown word is kept, allows nothing. */
		if (rules[i].is_for_chars || rules[i].is_for_blocks) {
			at += put_rule(&rules[i], insn + at);
		}
	}
	insn[at++] = result(0);
	insn[at++] = leave();
	*ret = (struct devrules_program){.insns = insn, .n = at};
}

bool devrules_has_prefix(const struct devrules_program *program,
			 const struct devrules_program *prefix)
{
	return program->n > prefix->n && memcmp(program->insns, prefix->insns,
						prefix->n * sizeof(*prefix->insns)) == 0;
}

int devrules_prepend(const struct devrules_program *prefix,
		     const struct devrules_program *program, struct devrules_program *ret)
{
	size_t n = prefix->n + program->n;
	struct bpf_insn *insns = calloc(n, sizeof(*insns));

	if (!insns) {
		return -ENOMEM;
	}
	memcpy(insns, prefix->insns, prefix->n * sizeof(*insns));
	memcpy(insns + prefix->n, program->insns, program->n * sizeof(*insns));
	*ret = (struct devrules_program){.insns = insns, .n = n};
	return 0;
}

bool devrules_check_editable(const struct devrules_program *program, const char **why)
{
	for (size_t i = 0; i < program->n; i++) {
		const struct bpf_insn *insn = &program->insns[i];

		if (insn->code == 0) {
			*why = "the kernel hides its code (net.core.bpf_jit_harden=2)";
			return false;
		}
		/* BPF_REG_AX, which only blinding uses. */
		if (insn->dst_reg > BPF_REG_10 || insn->src_reg > BPF_REG_10) {
			*why = "the kernel shows it blinded (net.core.bpf_jit_harden=2)";
			return false;
		}
		if (insn->code == (BPF_JMP | BPF_CALL)) {
			*why = "it calls kernel functions";
			return false;
		}
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			*why = "it refers to a map";
			return false;
		}
	}
	if (program->n == 0 ||
	    program->insns[program->n - 1].code != (BPF_JMP | BPF_EXIT)) {
		*why = "it does not end in an exit";
		return false;
	}
	return true;
}
