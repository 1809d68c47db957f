/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gen_filters.c - writes filters.inc: the tables of filter_rules.h as seccomp programs
 *
 * Runs on the machine that builds. Usage: gen-filters ARCH, as meson names it.
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "filter_rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int add_rules(scmp_filter_ctx filter, const struct filter_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].syscall,
					       rules[i].n_args, rules[i].args);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/*
 * libseccomp writes a program in the byte order of its architecture, and we print
 * numbers. Every program starts by loading the architecture, with this code.
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
 * On some architectures one call stands for all that make and use sockets, with arguments
 * in memory that no filter sees: there libseccomp lets a rule for AF_UNIX through for
 * every family. The direct calls, which are as old as Linux 4.3, are enough. (glibc for
 * s390x takes the old one: no log and no systemd there.)
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

/*
 * Since Linux 5.11 the kernel runs a new filter for each of some 450 numbers, to remember
 * which it always allows: 20 us for our two, while running them for a call takes some 20
 * ns more, and a run makes 300 calls. It gives up at an instruction that it does not
 * know, such as this one, which changes nothing. Source: Linux kernel/seccomp.c,
 * seccomp_is_const_allow().
 */
static void print_no_cache(void)
{
	print_insn(BPF_MISC | BPF_TAX, 0, 0, 0);
}

static int print_program(const char *name, uint32_t arch, FILE *program)
{
	bool is_swapped = false;
	struct sock_filter insn;

	(void)printf("static struct sock_filter %s_filter[] = {\n", name);
	print_no_cache();
	print_no_socketcall(arch);
	rewind(program);
	for (size_t n = 0; fread(&insn, sizeof(insn), 1, program) == 1; n++) {
		to_our_order(&insn, n == 0, &is_swapped);
		print_insn(insn.code, insn.jt, insn.jf, insn.k);
	}
	(void)printf("};\n\n");
	return ferror(program) ? -EIO : 0;
}

/* Optimisation 2 is a binary tree instead of a list of 60 comparisons. */
static int generate(const char *name, uint32_t arch, const struct filter_rule *rules,
		    size_t n)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	FILE *program = tmpfile();
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
		r = add_rules(filter, rules, n);
	}
	if (r == 0) {
		r = seccomp_export_bpf(filter, fileno(program));
	}
	if (r == 0) {
		r = print_program(name, arch, program);
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
