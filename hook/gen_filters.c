/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gen_filters.c - writes filters.inc: the tables of filter_rules.h as seccomp programs
 *
 * Runs on the machine that builds. Usage: gen-filters ARCH, as meson names it.
 *
 * What it costs to load a filter grows with its length, and with the way through it: the
 * kernel runs it once for each system call number, to remember which are always allowed. So
 * a program begins with the set of those calls, 32 to a word. All else falls through to what
 * libseccomp makes of the rules that look at arguments, which has the last word on every
 * other number and architecture. test/lint/check_filters.py runs the whole.
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter_rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define WORD_BITS 32U
/* Enough for the numbers that Linux has given away by 2026, but for arm's own. */
#define N_WORDS 16U

/* The calls that are allowed whatever their arguments. */
struct call_set {
	uint32_t word[N_WORDS];
};

/* Return: the number on @arch; negative if there is none, or if arguments count. */
static int plain_number(uint32_t arch, const struct filter_rule *rule)
{
	char *name;
	int number;

	if (rule->n_args > 0) {
		return -1;
	}
	name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), rule->syscall);
	number = name ? seccomp_syscall_resolve_name_arch(arch, name) : -1;
	free(name);
	return number < (int)(N_WORDS * WORD_BITS) ? number : -1;
}

/* To the set where that is possible, else to the filter. */
static int add_rules(scmp_filter_ctx filter, uint32_t arch,
		     const struct filter_rule *rules, size_t n, struct call_set *set)
{
	for (size_t i = 0; i < n; i++) {
		int number = plain_number(arch, &rules[i]);
		int r;

		if (number >= 0) {
			set->word[(unsigned int)number / WORD_BITS] |=
				1U << (unsigned int)number % WORD_BITS;
			continue;
		}
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].syscall,
					   rules[i].n_args, rules[i].args);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/*
 * libseccomp writes a program in the byte order of its architecture, and we print numbers.
 * Every program starts by loading the architecture, with this code.
 */
static void to_our_order(struct sock_filter *insn, bool is_first, bool *is_swapped)
{
	if (is_first) {
		*is_swapped = insn->code != (BPF_LD | BPF_W | BPF_ABS);
	}
	if (*is_swapped) {
		insn->code = __builtin_bswap16(insn->code);
		insn->k = __builtin_bswap32(insn->k);
	}
}

static void print_insn(uint16_t code, unsigned int jt, unsigned int jf, uint32_t k)
{
	(void)printf("\t{0x%02x, %u, %u, 0x%08x},\n", code, jt, jf, k);
}

/*
 * On some architectures one call stands for all that make and use sockets, with arguments in
 * memory that no filter sees: there libseccomp lets a rule for AF_UNIX through for every
 * family. The direct calls, which are as old as Linux 4.3, are enough. (glibc for s390x takes
 * the old one: no log and no systemd there.)
 */
static void print_no_socketcall(uint32_t arch)
{
	int number = seccomp_syscall_resolve_name_arch(arch, "socketcall");

	if (number < 0) {
		return;
	}
	print_insn(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	print_insn(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, arch);
	print_insn(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	print_insn(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)number);
	print_insn(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM);
}

static unsigned int count_words(const struct call_set *set)
{
	unsigned int n = 0;

	for (size_t i = 0; i < N_WORDS; i++) {
		n += set->word[i] != 0;
	}
	return n;
}

/*
 *	if another architecture's: go on behind
 *	X = number % 32; A = number / 32
 *	for each word: if A is its place: A = the word, go to test
 *	go on behind
 * test: if not A >> X & 1: go on behind
 *	allow
 */
static void print_set(uint32_t arch, const struct call_set *set)
{
	const uint16_t load = BPF_LD | BPF_W | BPF_ABS;
	/* Instructions from the one behind the next jump up to `test`. */
	unsigned int left = 6U + 3U * count_words(set);

	print_insn(load, 0, 0, offsetof(struct seccomp_data, arch));
	print_insn(BPF_JMP | BPF_JEQ | BPF_K, 0, left + 3U, arch);
	print_insn(load, 0, 0, offsetof(struct seccomp_data, nr));
	print_insn(BPF_ALU | BPF_AND | BPF_K, 0, 0, WORD_BITS - 1U);
	print_insn(BPF_MISC | BPF_TAX, 0, 0, 0);
	print_insn(load, 0, 0, offsetof(struct seccomp_data, nr));
	print_insn(BPF_ALU | BPF_DIV | BPF_K, 0, 0, WORD_BITS);
	left -= 5U;
	for (uint32_t i = 0; i < N_WORDS; i++) {
		if (set->word[i] != 0) {
			left -= 3U;
			print_insn(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, i);
			print_insn(BPF_LD | BPF_IMM, 0, 0, set->word[i]);
			print_insn(BPF_JMP | BPF_JA, 0, 0, left);
		}
	}
	print_insn(BPF_JMP | BPF_JA, 0, 0, 3);
	print_insn(BPF_ALU | BPF_RSH | BPF_X, 0, 0, 0);
	print_insn(BPF_JMP | BPF_JSET | BPF_K, 0, 1, 1);
	print_insn(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

static int print_program(const char *name, uint32_t arch, const struct call_set *set,
			 FILE *program)
{
	bool is_swapped = false;
	struct sock_filter insn;

	(void)printf("static struct sock_filter %s_filter[] = {\n", name);
	print_no_socketcall(arch);
	print_set(arch, set);
	rewind(program);
	for (size_t n = 0; fread(&insn, sizeof(insn), 1, program) == 1; n++) {
		to_our_order(&insn, n == 0, &is_swapped);
		print_insn(insn.code, insn.jt, insn.jf, insn.k);
	}
	(void)printf("};\n\n");
	return ferror(program) ? -EIO : 0;
}

/* Optimisation 2 is a binary tree. As a list, which would be shorter, libseccomp 2.5 forgets
   to load the number where its first rule has an argument, on all but x86. */
static int generate(const char *name, uint32_t arch, const struct filter_rule *rules,
		    size_t n)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	FILE *program = tmpfile();
	struct call_set set = {0};
	int r = filter && program ? 0 : -ENOMEM;

	/* In this order: a filter has one byte order at a time. */
	if (r == 0 && arch != seccomp_arch_native()) {
		r = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
		if (r == 0) {
			r = seccomp_arch_add(filter, arch);
		}
	}
	if (r == 0) {
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	}
	if (r == 0) {
		r = add_rules(filter, arch, rules, n, &set);
	}
	if (r == 0) {
		r = seccomp_export_bpf(filter, fileno(program));
	}
	if (r == 0) {
		r = print_program(name, arch, &set, program);
	}
	if (r < 0) {
		(void)fprintf(stderr, "gen-filters: filter '%s': %s\n", name,
			      strerror(-r));
	}
	seccomp_release(filter);
	if (program) {
		(void)fclose(program);
	}
	return r;
}

int main(int argc, char **argv)
{
	uint32_t arch = argc == 2 ? seccomp_arch_resolve_name(argv[1]) : 0;

	if (arch == 0) {
		(void)fprintf(stderr, "gen-filters: no such architecture\n");
		return 1;
	}
	(void)printf("/* Made by gen_filters.c from filter_rules.h. */\n\n");
	if (generate("host", arch, host_rules, COUNT(host_rules)) < 0 ||
	    generate("container", arch, container_rules, COUNT(container_rules)) < 0) {
		return 1;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
