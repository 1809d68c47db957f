/* SPDX-License-Identifier: Apache-2.0 */
/* test_devrules.c - the device program decides as the rules say, for
   every kind of access */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "backend/apply/bpf_machine.h"
#include "backend/apply/devrules.h"
#include "base/limits.h"

/* The program's word on one access; it must be of a form that the kernel takes. */
static uint64_t execute(const struct devrules_program *program, uint32_t type,
			uint32_t access, uint32_t major, uint32_t minor)
{
	struct bpf_verdict verdict = bpf_machine_run(program, type, access, major, minor);

	cr_assert_null(verdict.fault, "%s", verdict.fault);
	return verdict.r0;
}

static void assert_form(const struct devrules_program *program)
{
	const char *why = bpf_machine_check_form(program);

	cr_assert_null(why, "%s", why);
}

/* ---- programs to put rules in front of --------------------------------------------- */

#define MOV_R0(value)                                                           \
	{                                                                       \
		.code = BPF_ALU | BPF_K | BPF_MOV, .dst_reg = 0, .imm = (value) \
	}
#define EXIT                               \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

static struct bpf_insn deny_all[] = {MOV_R0(0), EXIT};

/* As a runtime writes it: allows mknod of everything and 1:3, by the same registers. */
static struct bpf_insn like_runc[] = {
	{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = 0},
	{.code = BPF_ALU | BPF_X | BPF_MOV, .dst_reg = 3, .src_reg = 2},
	{.code = BPF_ALU | BPF_K | BPF_AND, .dst_reg = 2, .imm = 0xffff},
	{.code = BPF_ALU | BPF_K | BPF_RSH, .dst_reg = 3, .imm = 16},
	{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 4, .src_reg = 1, .off = 4},
	{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 5, .src_reg = 1, .off = 8},
	{.code = BPF_JMP | BPF_K | BPF_JNE, .dst_reg = 3, .off = 2, .imm = 1},
	MOV_R0(1),
	EXIT,
	{.code = BPF_JMP | BPF_K | BPF_JNE, .dst_reg = 4, .off = 3, .imm = 1},
	{.code = BPF_JMP | BPF_K | BPF_JNE, .dst_reg = 5, .off = 2, .imm = 3},
	MOV_R0(1),
	EXIT,
	MOV_R0(0),
	EXIT,
};

#define PROGRAM(array) \
	((struct devrules_program){(array), sizeof(array) / sizeof((array)[0])})

static struct plan_node nodes[] = {
	{.major = 226, .minor = 128}, {.major = 226, .minor = 129},
	{.major = 511, .minor = 0},   {.major = 195, .minor = 255},
	{.major = 226, .minor = 3},
};
static const struct plan plan = {.nodes = nodes, .n_nodes = 5};

static bool is_planned(uint32_t major, uint32_t minor)
{
	for (size_t i = 0; i < plan.n_nodes; i++) {
		if (nodes[i].major == major && nodes[i].minor == minor) {
			return true;
		}
	}
	return false;
}

/* Every type, access and number of interest: the new program allows what the old one did,
   and besides that exactly "c MAJOR:MINOR rw" of the plan. */
static void assert_is_old_or_rule(const struct devrules_program *old)
{
	static const uint32_t majors[] = {0, 1, 195, 225, 226, 227, 511, 4095};
	static const uint32_t minors[] = {0, 3, 127, 128, 129, 255, 1048575};
	cleanup(devrules_clearp) struct devrules_program prefix = {0};
	cleanup(devrules_clearp) struct devrules_program edited = {0};

	devrules_prefix(&plan, &prefix);
	cr_assert_eq(devrules_prepend(&prefix, old, &edited), 0);
	assert_form(old);
	assert_form(&edited);
	for (uint32_t type = 0; type <= 3; type++) {
		for (uint32_t access = 0; access <= 7; access++) {
			for (size_t i = 0; i < sizeof(majors) / sizeof(majors[0]); i++) {
				for (size_t j = 0; j < sizeof(minors) / sizeof(minors[0]);
				     j++) {
					uint64_t before = execute(old, type, access,
								  majors[i], minors[j]);
					uint64_t after = execute(&edited, type, access,
								 majors[i], minors[j]);
					bool is_rule =
						type == BPF_DEVCG_DEV_CHAR &&
						(access & BPF_DEVCG_ACC_MKNOD) == 0 &&
						is_planned(majors[i], minors[j]);

					cr_assert_eq(after, is_rule ? 1 : before,
						     "type %u access %u %u:%u", type,
						     access, majors[i], minors[j]);
				}
			}
		}
	}
}

Test(devrules, deny_all_with_rules_allows_the_rules_alone)
{
	struct devrules_program old = PROGRAM(deny_all);

	assert_is_old_or_rule(&old);
}

Test(devrules, a_runtimes_program_with_rules_keeps_its_own_decisions)
{
	struct devrules_program old = PROGRAM(like_runc);

	assert_is_old_or_rule(&old);
}

Test(devrules, the_largest_plan_stays_within_the_range_of_a_jump)
{
	cleanup(devrules_clearp) struct devrules_program prefix = {0};
	cleanup(devrules_clearp) struct devrules_program edited = {0};
	struct devrules_program old = PROGRAM(deny_all);
	struct plan many = {.n_nodes = LIMIT_PLAN_ENTRIES};

	many.nodes = calloc(many.n_nodes, sizeof(*many.nodes));
	for (size_t i = 0; i < many.n_nodes; i++) {
		many.nodes[i].major = 226;
		many.nodes[i].minor = (uint32_t)i;
	}
	devrules_prefix(&many, &prefix);
	cr_assert_eq(devrules_prepend(&prefix, &old, &edited), 0);
	assert_form(&edited);
	cr_expect_eq(execute(&edited, 2, 6, 226, LIMIT_PLAN_ENTRIES - 1), 1);
	cr_expect_eq(execute(&edited, 2, 6, 226, LIMIT_PLAN_ENTRIES), 0);
	cr_expect_eq(execute(&edited, 1, 6, 226, 1), 0, "a block device");
	cr_expect_eq(execute(&edited, 2, 1, 226, 1), 0, "mknod");
	free(many.nodes);
}

Test(devrules, a_program_with_the_rules_is_recognised)
{
	cleanup(devrules_clearp) struct devrules_program prefix = {0};
	cleanup(devrules_clearp) struct devrules_program edited = {0};
	struct devrules_program old = PROGRAM(like_runc);

	devrules_prefix(&plan, &prefix);
	cr_assert_eq(devrules_prepend(&prefix, &old, &edited), 0);
	cr_expect_not(devrules_has_prefix(&old, &prefix));
	cr_expect(devrules_has_prefix(&edited, &prefix));
	edited.insns[prefix.n - 2].imm = 0; /* the value that is returned */
	cr_expect_not(devrules_has_prefix(&edited, &prefix));
	cr_expect_not(devrules_has_prefix(&prefix, &prefix), "nothing behind the rules");
}

/* ---- a list ------------------------------------------------------------------------ */

static const struct plan no_plan;

static const struct device_rule list_rules[] = {
	{.allows = true,
	 .is_for_chars = true,
	 .major = 10,
	 .minor = 229,
	 .reads = true,
	 .writes = true,
	 .makes = true},
	{.allows = true,
	 .is_for_blocks = true,
	 .major = 8,
	 .minor = DEVICE_RULE_ANY,
	 .reads = true},
	{.allows = true,
	 .is_for_chars = true,
	 .major = DEVICE_RULE_ANY,
	 .minor = 77,
	 .writes = true},
	{.allows = true,
	 .is_for_chars = true,
	 .is_for_blocks = true,
	 .major = DEVICE_RULE_ANY,
	 .minor = DEVICE_RULE_ANY,
	 .makes = true},
	/* For no type: nothing. */
	{.allows = true,
	 .major = DEVICE_RULE_ANY,
	 .minor = DEVICE_RULE_ANY,
	 .reads = true,
	 .writes = true,
	 .makes = true},
};

/* In words of its own: is the access one that a rule of the list is for? */
static bool is_listed(uint32_t type, uint32_t access, uint32_t major, uint32_t minor)
{
	bool is_char = type == BPF_DEVCG_DEV_CHAR;
	bool is_block = type == BPF_DEVCG_DEV_BLOCK;

	if (is_char && major == 10 && minor == 229) {
		return true;
	}
	if (is_block && major == 8 && (access & ~BPF_DEVCG_ACC_READ) == 0) {
		return true;
	}
	if (is_char && minor == 77 && (access & ~BPF_DEVCG_ACC_WRITE) == 0) {
		return true;
	}
	return (access & ~BPF_DEVCG_ACC_MKNOD) == 0;
}

Test(devrules, a_list_allows_what_one_of_its_rules_allows)
{
	static const uint32_t majors[] = {0, 8, 9, 10, 226, 4095};
	static const uint32_t minors[] = {0, 77, 228, 229, 230, 1048575};
	cleanup(devrules_clearp) struct devrules_program list = {0};

	devrules_list(&no_plan, list_rules, sizeof(list_rules) / sizeof(list_rules[0]),
		      &list);
	assert_form(&list);
	for (uint32_t i = 0; i < 2U * 8 * 6 * 6; i++) {
		uint32_t type = 1 + i % 2;
		uint32_t access = i / 2 % 8;
		uint32_t major = majors[i / 16 % 6];
		uint32_t minor = minors[i / 96];

		cr_assert_eq(execute(&list, type, access, major, minor),
			     is_listed(type, access, major, minor),
			     "type %u access %u %u:%u", type, access, major, minor);
	}
}

Test(devrules, an_empty_list_allows_nothing)
{
	cleanup(devrules_clearp) struct devrules_program list = {0};

	devrules_list(&no_plan, NULL, 0, &list);
	assert_form(&list);
	cr_expect_eq(execute(&list, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 1, 3), 0);
	cr_expect_eq(execute(&list, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_MKNOD, 8, 0), 0);
}

/* ---- what can be edited ------------------------------------------------------------ */

static const char *why_not(struct bpf_insn *insns, size_t n)
{
	struct devrules_program program = {insns, n};
	const char *why = NULL;

	cr_assert_not(devrules_check_editable(&program, &why));
	return why;
}

Test(devrules, a_readable_program_can_be_edited)
{
	struct devrules_program program = PROGRAM(like_runc);
	const char *why = NULL;

	cr_expect(devrules_check_editable(&program, &why), "%s", why);
}

Test(devrules, a_dump_of_zeros_cannot_be_edited)
{
	struct bpf_insn zeros[3] = {0};

	cr_expect_str_eq(why_not(zeros, 3),
			 "the kernel hides its code (net.core.bpf_jit_harden=2)");
}

Test(devrules, blinded_code_cannot_be_edited)
{
	struct bpf_insn insns[] = {
		{.code = BPF_ALU | BPF_K | BPF_MOV, .dst_reg = 11, .imm = 7},
		EXIT,
	};

	cr_expect_str_eq(why_not(insns, 2),
			 "the kernel shows it blinded (net.core.bpf_jit_harden=2)");
}

Test(devrules, a_call_cannot_be_taken_over)
{
	struct bpf_insn insns[] = {{.code = BPF_JMP | BPF_CALL}, EXIT};

	cr_expect_str_eq(why_not(insns, 2), "it calls kernel functions");
}

Test(devrules, a_map_cannot_be_taken_over)
{
	struct bpf_insn insns[] = {{.code = BPF_LD | BPF_IMM | BPF_DW}, MOV_R0(1), EXIT};

	cr_expect_str_eq(why_not(insns, 3), "it refers to a map");
}

Test(devrules, code_without_an_exit_cannot_be_edited)
{
	struct bpf_insn insns[] = {MOV_R0(1)};

	cr_expect_str_eq(why_not(insns, 1), "it does not end in an exit");
	cr_expect_str_eq(why_not(insns, 0), "it does not end in an exit");
}

Test(devrules, without_memory_there_is_an_error_and_no_program)
{
	cleanup(devrules_clearp) struct devrules_program prefix = {0};
	struct devrules_program edited = {0};
	/* Volatile: the compiler refuses a size that it can see is impossible. */
	volatile size_t impossible = SIZE_MAX / sizeof(struct bpf_insn);
	struct devrules_program old = PROGRAM(like_runc);

	devrules_prefix(&plan, &prefix);
	old.n = impossible;
	cr_expect_eq(devrules_prepend(&prefix, &old, &edited), -ENOMEM);
	cr_expect_null(edited.insns);
}
