/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ld_cache.h - the file that ldconfig writes for the dynamic loader. Pure.
 *
 * Theory of operation. Two formats, both in the machine's byte order:
 *
 *   old	"ld.so-1.7.0", padding, the number of entries; entries {flags, key,
 *		value}; strings, from whose start key and value count
 *   new	"glibc-ld.so.cache" "1.1", the number of entries, bytes of strings, the
 *		byte order, the extensions' offset; entries {flags, key, value, OS
 *		version, hwcap}; strings. Key and value count from the header's start
 *
 * One file may have both: the new one then stands behind the entries of the old one, at a
 * multiple of 8 bytes. Key is a library's name, value its path. Entries are sorted by
 * key, downwards, since the loader searches by halves. Extensions, if any, are a table of
 * sections {tag, flags, offset, size}, at offsets from the file's start: the generator's
 * name, and the names of hwcaps directories, as offsets of strings.
 *
 * Whoever wrote a file may have lied in every field.
 * Source: glibc, sysdeps/generic/dl-cache.h (the layout) and elf/dl-cache.c (the search).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ld_cache {
	const char *file; /* borrowed */
	size_t len;
	size_t start; /* of the new format's header, or of the old format's strings */
	size_t entries;
	size_t n;
	size_t strings_end; /* behind the file's last '\0': each string ends before */
	bool is_old;	    /* there is the old format alone */
};

struct ld_cache_entry {
	uint32_t flags; /* 3: ELF for glibc; | 0x300: x86-64; | 0xa00: AArch64 */
	uint64_t hwcap; /* 0: for every processor */
	const char *key;
	const char *value;
};

/**
 * ld_cache_open() - Find a file's entries
 * @file:	all of it; borrowed for as long as @ret lives
 * @err:	EINVAL: it is no such file, or of another byte order
 */
int ld_cache_open(const char *file, size_t len, struct ld_cache *ret, struct err *err);

/* The entry @i. Return: false if it points out of the file, or if its key is longer than
   a file's name can be. Its value has no such limit. */
bool ld_cache_get(const struct ld_cache *cache, size_t i, struct ld_cache_entry *ret);

/* Order of two names, as the loader has it: numbers count as numbers. */
int ld_cache_compare(const char *one, const char *other);

/**
 * ld_cache_flags_of() - The flags of the libraries in a directory
 * @dir:	without a '/' at the end; with or without "/usr" it is the same
 *
 * An architecture has directories of its own, so those of any library in there will do.
 *
 * Return: the flags, or 0: no library is in there.
 */
uint32_t ld_cache_flags_of(const struct ld_cache *cache, const char *dir, size_t len);

/**
 * ld_cache_merge() - Write a file in the new format with some entries more
 * @add:	sorted by ld_cache_sort(); one with a key and flags that @cache has
 *		takes its entry's place
 * @out:	room for ld_cache_merge_room() bytes
 * @ret_len:	bytes that were written; 0: @cache has all of them already
 * @err:	EINVAL: @cache is of the old format alone
 */
int ld_cache_merge(const struct ld_cache *cache, const struct ld_cache_entry *add,
		   size_t n_add, char *out, size_t *ret_len, struct err *err);

/* In the order of the file, for ld_cache_merge(). May allocate. */
void ld_cache_sort(struct ld_cache_entry *add, size_t n);

/* Bytes that ld_cache_merge() needs at most, for a file of @len bytes. */
size_t ld_cache_merge_room(size_t len, const struct ld_cache_entry *add, size_t n_add);
