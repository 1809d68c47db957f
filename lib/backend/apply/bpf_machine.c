/* SPDX-License-Identifier: Apache-2.0 */
/* bpf_machine.c - what the kernel does with a device program: its
   verifier's form, and a run */

#include "backend/apply/bpf_machine.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define REGISTERS 11

/* A privileged loader's limit: Linux include/linux/bpf.h, BPF_COMPLEXITY_LIMIT_INSNS. */
#define MAX_STEPS 1000000U

enum kind {
	UNWRITTEN,
	NUMBER,
	CONTEXT,
};

struct machine {
	uint64_t reg[REGISTERS];
	enum kind kind[REGISTERS];
	const struct bpf_cgroup_dev_ctx *ctx;
	const char *fault;
};

/* ---- form -------------------------------------------------------------------------- */

static bool is_jump(const struct bpf_insn *insn)
{
	int class = BPF_CLASS(insn->code);

	return class == BPF_JMP || class == BPF_JMP32;
}

static bool is_exit(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_EXIT);
}

static bool is_always(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_JA);
}

static const char *check_jump(const struct devrules_program *program, size_t at)
{
	const struct bpf_insn *insn = &program->insns[at];

	if (is_exit(insn)) {
		return NULL;
	}
	if (BPF_OP(insn->code) == BPF_CALL || BPF_OP(insn->code) == BPF_EXIT ||
	    BPF_OP(insn->code) > BPF_JSLE) {
		return "a jump that is none";
	}
	if (BPF_OP(insn->code) == BPF_JA && !is_always(insn)) {
		return "a jump that is none";
	}
	if (insn->off < 0) {
		return "a jump back";
	}
	if (at + 1 + (size_t)insn->off >= program->n) {
		return "a jump over the end";
	}
	return NULL;
}

static const char *check_insn(const struct devrules_program *program, size_t at)
{
	const struct bpf_insn *insn = &program->insns[at];

	if (insn->dst_reg >= REGISTERS || insn->src_reg >= REGISTERS) {
		return "a register that there is not";
	}
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		if (insn->dst_reg == BPF_REG_10) {
			return "the frame pointer is written";
		}
		return BPF_OP(insn->code) > BPF_ARSH ? "an unknown operation" : NULL;
	case BPF_LDX:
		if (insn->dst_reg == BPF_REG_10) {
			return "the frame pointer is written";
		}
		return BPF_MODE(insn->code) == BPF_MEM ? NULL : "an unknown load";
	case BPF_JMP:
	case BPF_JMP32:
		return check_jump(program, at);
	default:
		return "an unknown class";
	}
}

const char *bpf_machine_check_form(const struct devrules_program *program)
{
	/* Which instructions can be reached; jumps lead forward, so
	   one pass finds all. */
	autofree bool *is_reached = xcalloc(program->n + 1, sizeof(*is_reached));

	if (program->n == 0 || program->n > MAX_STEPS) {
		return "an impossible length";
	}
	is_reached[0] = true;
	for (size_t at = 0; at < program->n; at++) {
		const struct bpf_insn *insn = &program->insns[at];
		const char *why = check_insn(program, at);

		if (why) {
			return why;
		}
		if (!is_reached[at]) {
			return "an instruction that cannot be reached";
		}
		if (is_exit(insn)) {
			continue;
		}
		if (is_jump(insn)) {
			is_reached[at + 1 + (size_t)insn->off] = true;
		}
		if (!is_always(insn)) {
			is_reached[at + 1] = true;
		}
	}
	return is_reached[program->n] ? "it runs over the end" : NULL;
}

/* ---- a run ------------------------------------------------------------------------- */

static void set_fault(struct machine *m, const char *fault)
{
	if (!m->fault) {
		m->fault = fault;
	}
}

static uint64_t read_number(struct machine *m, unsigned int reg)
{
	if (m->kind[reg] != NUMBER) {
		set_fault(m, m->kind[reg] == CONTEXT ? "an address is used as a number"
						     : "a register was never written");
	}
	return m->reg[reg];
}

static void write_number(struct machine *m, unsigned int reg, uint64_t value)
{
	m->reg[reg] = value;
	m->kind[reg] = NUMBER;
}

/* access_type may be read in parts, the others only whole. */
static void load(struct machine *m, const struct bpf_insn *insn)
{
	static const size_t sizes[] = {
		[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8};
	size_t size = sizes[BPF_SIZE(insn->code) >> 3];
	uint64_t value = 0;

	if (m->kind[insn->src_reg] != CONTEXT) {
		set_fault(m, "other memory than the context is read");
		return;
	}
	if (insn->off < 0 || (size_t)insn->off + size > sizeof(*m->ctx) ||
	    (size_t)insn->off % size != 0 || size == 8 || (insn->off >= 4 && size != 4)) {
		set_fault(m, "the context is read where it has no field");
		return;
	}
	/* The kernel's byte order is ours. */
	if (size == 4) {
		uint32_t word;

		memcpy(&word, (const char *)m->ctx + insn->off, sizeof(word));
		value = word;
	} else if (size == 2) {
		uint16_t half;

		memcpy(&half, (const char *)m->ctx + insn->off, sizeof(half));
		value = half;
	} else {
		value = ((const unsigned char *)m->ctx)[insn->off];
	}
	write_number(m, insn->dst_reg, value);
}

static uint64_t operate(unsigned int op, uint64_t dst, uint64_t src, unsigned int bits)
{
	uint64_t shift = src & (bits - 1);

	switch (op) {
	case BPF_ADD:
		return dst + src;
	case BPF_SUB:
		return dst - src;
	case BPF_MUL:
		return dst * src;
	case BPF_DIV:
		return src ? dst / src : 0;
	case BPF_MOD:
		return src ? dst % src : dst;
	case BPF_OR:
		return dst | src;
	case BPF_AND:
		return dst & src;
	case BPF_XOR:
		return dst ^ src;
	case BPF_LSH:
		return dst << shift;
	case BPF_RSH:
		return dst >> shift;
	case BPF_ARSH:
		return bits == 64 ? (uint64_t)((int64_t)dst >> shift)
				  : (uint64_t)((int32_t)dst >> shift);
	case BPF_NEG:
		return -dst;
	default:
		return src; /* BPF_MOV */
	}
}

static void calculate(struct machine *m, const struct bpf_insn *insn)
{
	bool is_wide = BPF_CLASS(insn->code) == BPF_ALU64;
	unsigned int op = BPF_OP(insn->code);
	uint64_t src = (uint64_t)(int64_t)insn->imm;
	uint64_t dst = 0;

	if (op == BPF_MOV && is_wide && BPF_SRC(insn->code) == BPF_X) {
		/* The only operation that may copy an address. */
		if (m->kind[insn->src_reg] == UNWRITTEN) {
			set_fault(m, "a register was never written");
		}
		m->reg[insn->dst_reg] = m->reg[insn->src_reg];
		m->kind[insn->dst_reg] = m->kind[insn->src_reg];
		return;
	}
	if (BPF_SRC(insn->code) == BPF_X && op != BPF_NEG) {
		src = read_number(m, insn->src_reg);
	} else if (!is_wide && op != BPF_NEG && (uint32_t)insn->imm >= 32 &&
		   (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)) {
		set_fault(m, "a shift by more than there is");
	} else if (insn->imm == 0 && (op == BPF_DIV || op == BPF_MOD)) {
		set_fault(m, "a division by zero");
	}
	if (op != BPF_MOV) {
		dst = read_number(m, insn->dst_reg);
	}
	if (is_wide) {
		write_number(m, insn->dst_reg, operate(op, dst, src, 64));
	} else {
		write_number(m, insn->dst_reg,
			     (uint32_t)operate(op, (uint32_t)dst, (uint32_t)src, 32));
	}
}

static bool compare(unsigned int op, uint64_t dst, uint64_t src, int64_t s_dst,
		    int64_t s_src)
{
	switch (op) {
	case BPF_JEQ:
		return dst == src;
	case BPF_JNE:
		return dst != src;
	case BPF_JGT:
		return dst > src;
	case BPF_JGE:
		return dst >= src;
	case BPF_JLT:
		return dst < src;
	case BPF_JLE:
		return dst <= src;
	case BPF_JSET:
		return (dst & src) != 0;
	case BPF_JSGT:
		return s_dst > s_src;
	case BPF_JSGE:
		return s_dst >= s_src;
	case BPF_JSLT:
		return s_dst < s_src;
	case BPF_JSLE:
		return s_dst <= s_src;
	default:
		return true; /* BPF_JA */
	}
}

static bool decide(struct machine *m, const struct bpf_insn *insn)
{
	uint64_t src = (uint64_t)(int64_t)insn->imm;
	uint64_t dst;

	if (is_always(insn)) {
		return true;
	}
	dst = read_number(m, insn->dst_reg);
	if (BPF_SRC(insn->code) == BPF_X) {
		src = read_number(m, insn->src_reg);
	}
	if (BPF_CLASS(insn->code) == BPF_JMP32) {
		return compare(BPF_OP(insn->code), (uint32_t)dst, (uint32_t)src,
			       (int32_t)dst, (int32_t)src);
	}
	return compare(BPF_OP(insn->code), dst, src, (int64_t)dst, (int64_t)src);
}

static void step(struct machine *m, const struct bpf_insn *insn, size_t *pc)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		load(m, insn);
		break;
	case BPF_ALU:
	case BPF_ALU64:
		calculate(m, insn);
		break;
	case BPF_JMP:
	case BPF_JMP32:
		*pc += decide(m, insn) ? (size_t)insn->off : 0;
		break;
	default:
		set_fault(m, "an unknown instruction");
	}
}

struct bpf_verdict bpf_machine_run(const struct devrules_program *program, uint32_t type,
				   uint32_t access, uint32_t major, uint32_t minor)
{
	const struct bpf_cgroup_dev_ctx ctx = {
		.access_type = access << 16 | type,
		.major = major,
		.minor = minor,
	};
	struct machine m = {.ctx = &ctx, .kind = {[BPF_REG_1] = CONTEXT}};
	size_t pc = 0;

	for (unsigned int steps = 0; steps < MAX_STEPS; steps++) {
		const struct bpf_insn *insn;

		if (pc >= program->n) {
			return (struct bpf_verdict){.fault = "it runs over the end"};
		}
		insn = &program->insns[pc++];
		if (insn->dst_reg >= REGISTERS || insn->src_reg >= REGISTERS) {
			return (struct bpf_verdict){
				.fault = "a register that there is not"};
		}
		if (is_exit(insn)) {
			uint64_t r0 = read_number(&m, BPF_REG_0);

			return (struct bpf_verdict){.fault = m.fault, .r0 = r0};
		}
		step(&m, insn, &pc);
		if (m.fault) {
			return (struct bpf_verdict){.fault = m.fault};
		}
	}
	return (struct bpf_verdict){.fault = "it does not end"};
}
