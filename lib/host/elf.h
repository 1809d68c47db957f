/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * elf.h - what a shared library says of itself
 *
 * Only as much as a loader's cache needs: for which machine it is, and under which name
 * programs ask for it. Everything is bounded, and nothing that the file says is believed
 * further than to read another part of it.
 * Source: System V ABI, gABI 4.1, chapters 4 and 5; Linux <elf.h>.
 */

#include <stdint.h>

/* NAME_MAX, and the NUL. */
#define ELF_NAME_SIZE 256

struct elf_library {
	unsigned int bits; /* 32 or 64 */
	uint16_t machine;  /* EM_X86_64, EM_386, ... */
	/* DT_SONAME; "" if it has none, or one that is no name of a file. */
	char soname[ELF_NAME_SIZE];
};

/* The machine whose programs this build's containers run, and its 32-bit relative;
   EM_NONE where there is none. */
extern const uint16_t elf_machine_64;
extern const uint16_t elf_machine_32;

/**
 * elf_read_library() - Read head, program headers and dynamic section
 * @fd:		borrowed, open for reading; its position is left alone
 *
 * Three to four reads, whatever the file's size.
 *
 * Return: 0; -ENOEXEC: no shared library of this byte order, or a broken one; or what
 * pread() said.
 */
int elf_read_library(int fd, struct elf_library *ret);
