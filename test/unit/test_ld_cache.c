/* SPDX-License-Identifier: Apache-2.0 */
/* test_ld_cache.c - reading and merging of what ldconfig writes */

#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/ld_cache.h"

#define X86_64 0x303U

/* A file under construction, written by the layout in glibc's
   dl-cache.h and not by ours. */
struct made {
	_Alignas(8) char bytes[4096];
	size_t len;
};

static void put(struct made *made, const void *bytes, size_t size)
{
	memcpy(made->bytes + made->len, bytes, size);
	made->len += size;
}

static void put_u32(struct made *made, uint32_t value)
{
	put(made, &value, sizeof(value));
}

static const char *const names[][2] = {
	{"libz.so.1", "/lib/x86_64-linux-gnu/libz.so.1"},
	{"libm.so.10", "/lib/x86_64-linux-gnu/libm.so.10"},
	{"libm.so.9", "/lib/x86_64-linux-gnu/libm.so.9"},
	{"liba.so.1", "/usr/lib/i386-linux-gnu/liba.so.1"},
};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static void put_strings(struct made *made)
{
	for (size_t i = 0; i < N_NAMES; i++) {
		put(made, names[i][0], strlen(names[i][0]) + 1);
		put(made, names[i][1], strlen(names[i][1]) + 1);
	}
}

static void put_new(struct made *made, uint8_t byte_order)
{
	const char padding[3] = {0};
	uint32_t at = 48 + 24 * N_NAMES;

	put(made, "glibc-ld.so.cache1.1", 20);
	put_u32(made, N_NAMES);
	put_u32(made, 0);
	put(made, &byte_order, 1);
	put(made, padding, 3);
	for (int i = 0; i < 4; i++) {
		put_u32(made, 0);
	}
	for (size_t i = 0; i < N_NAMES; i++) {
		put_u32(made, i == 3 ? 3 : X86_64);
		put_u32(made, at);
		at += (uint32_t)strlen(names[i][0]) + 1;
		put_u32(made, at);
		at += (uint32_t)strlen(names[i][1]) + 1;
		put_u32(made, 0);
		put_u32(made, 0);
		put_u32(made, 0);
	}
	put_strings(made);
}

static void put_old(struct made *made)
{
	uint32_t at = 0;

	put(made, "ld.so-1.7.0", 12);
	put_u32(made, N_NAMES);
	for (size_t i = 0; i < N_NAMES; i++) {
		put_u32(made, i == 3 ? 3 : X86_64);
		put_u32(made, at);
		at += (uint32_t)strlen(names[i][0]) + 1;
		put_u32(made, at);
		at += (uint32_t)strlen(names[i][1]) + 1;
	}
}

static void expect_names(const struct made *made, bool is_old)
{
	struct ld_cache_entry entry;
	struct err err = {0};
	struct ld_cache cache;

	cr_assert_eq(ld_cache_open(made->bytes, made->len, &cache, &err), 0, "%s",
		     err.msg);
	cr_expect_eq(cache.is_old, is_old);
	cr_assert_eq(cache.n, N_NAMES);
	for (size_t i = 0; i < N_NAMES; i++) {
		cr_assert(ld_cache_get(&cache, i, &entry));
		cr_expect_str_eq(entry.key, names[i][0]);
		cr_expect_str_eq(entry.value, names[i][1]);
		cr_expect_eq(entry.flags, i == 3 ? 3U : X86_64);
	}
	cr_expect_not(ld_cache_get(&cache, N_NAMES, &entry));
}

Test(ld_cache, the_new_format_is_read)
{
	struct made made = {0};

	put_new(&made, 0);
	expect_names(&made, false);
}

Test(ld_cache, the_old_format_is_read)
{
	struct made made = {0};

	put_old(&made);
	put_strings(&made);
	expect_names(&made, true);
}

Test(ld_cache, of_both_formats_in_a_file_the_new_one_counts)
{
	struct made made = {0};

	put_old(&made);
	made.len = (made.len + 7) & ~(size_t)7;
	put_new(&made, 0);
	expect_names(&made, false);
}

Test(ld_cache, the_other_byte_order_is_refused)
{
	struct made made = {0};
	struct ld_cache cache;
	struct err err = {0};

	put_new(&made, __BYTE_ORDER == __LITTLE_ENDIAN ? 2 : 3);
	expect_names(&made, false);
	made = (struct made){0};
	put_new(&made, __BYTE_ORDER == __LITTLE_ENDIAN ? 3 : 2);
	cr_expect_eq(ld_cache_open(made.bytes, made.len, &cache, &err), -EINVAL);
	cr_expect_str_eq(err.msg,
			 "it is no cache of ldconfig's, or of another byte order");
}

Test(ld_cache, a_file_that_ends_early_is_refused_or_lacks_entries)
{
	struct made made = {0};

	put_new(&made, 0);
	for (size_t len = 0; len < made.len; len++) {
		struct ld_cache_entry entry;
		struct ld_cache cache;
		struct err err = {0};

		if (ld_cache_open(made.bytes, len, &cache, &err) < 0) {
			cr_expect_lt(len, 48 + 24 * N_NAMES);
			continue;
		}
		cr_expect_geq(len, 48 + 24 * N_NAMES);
		cr_expect_not(ld_cache_get(&cache, N_NAMES - 1, &entry), "%zu bytes",
			      len);
	}
}

Test(ld_cache, numbers_in_names_count_as_numbers)
{
	cr_expect_gt(ld_cache_compare("libm.so.10", "libm.so.9"), 0);
	cr_expect_lt(ld_cache_compare("libm.so.9", "libm.so.10"), 0);
	cr_expect_eq(ld_cache_compare("libm.so.10", "libm.so.10"), 0);
	cr_expect_eq(ld_cache_compare("a007b", "a7b"), 0);
	cr_expect_gt(ld_cache_compare("lib1", "liba"), 0, "a digit comes last");
	cr_expect_lt(ld_cache_compare("lib", "lib.so"), 0);
	cr_expect_gt(ld_cache_compare("lib.so", "lib"), 0);
	cr_expect_lt(ld_cache_compare("a99999999999999999999", "a100000000000000000000"),
		     0, "numbers have no end");
}

Test(ld_cache, a_directory_is_the_same_with_usr_and_without)
{
	struct made made = {0};
	struct ld_cache cache;
	struct err err = {0};

	put_new(&made, 0);
	cr_assert_eq(ld_cache_open(made.bytes, made.len, &cache, &err), 0);
	cr_expect_eq(ld_cache_flags_of(&cache, "/usr/lib/x86_64-linux-gnu", 25), X86_64);
	cr_expect_eq(ld_cache_flags_of(&cache, "/lib/x86_64-linux-gnu", 21), X86_64);
	cr_expect_eq(ld_cache_flags_of(&cache, "/lib/i386-linux-gnu", 19), 3);
	cr_expect_eq(ld_cache_flags_of(&cache, "/lib", 4), 0, "not that of a part of it");
	cr_expect_eq(ld_cache_flags_of(&cache, "/lib/x86_64-linux-gnu/vdpau", 27), 0);
}

static void merge(const struct made *made, struct ld_cache_entry *add, size_t n,
		  struct made *ret)
{
	struct ld_cache cache;
	struct err err = {0};

	cr_assert_eq(ld_cache_open(made->bytes, made->len, &cache, &err), 0);
	cr_assert_leq(ld_cache_merge_room(made->len, add, n), sizeof(ret->bytes));
	ld_cache_sort(add, n);
	cr_assert_eq(ld_cache_merge(&cache, add, n, ret->bytes, &ret->len, &err), 0);
}

static void expect_entry(const struct ld_cache *cache, size_t i, const char *key,
			 const char *value)
{
	struct ld_cache_entry entry;

	cr_assert(ld_cache_get(cache, i, &entry), "%zu", i);
	cr_expect_str_eq(entry.key, key);
	cr_expect_str_eq(entry.value, value);
}

Test(ld_cache, added_entries_stand_in_order_and_take_the_place_of_old_ones)
{
	struct ld_cache_entry add[] = {
		{X86_64, 0, "libcuda.so", "/usr/lib/libcuda.so"},
		{X86_64, 0, "libzz.so", "/usr/lib/libzz.so"},
		{X86_64, 0, "libm.so.9", "/ours/libm.so.9"},
		{X86_64, 0, "liba.so.1", "/usr/lib/liba.so.1"},
		{X86_64, 0, "lib", "/usr/lib/lib"},
	};
	struct made made = {0};
	struct made merged = {0};
	struct made again = {0};
	struct ld_cache cache;
	struct err err = {0};

	put_new(&made, 0);
	merge(&made, add, 5, &merged);
	cr_assert_eq(ld_cache_open(merged.bytes, merged.len, &cache, &err), 0);
	cr_assert_eq(cache.n, N_NAMES + 4, "libm.so.9 is one");
	expect_entry(&cache, 0, "libzz.so", "/usr/lib/libzz.so");
	expect_entry(&cache, 1, names[0][0], names[0][1]);
	expect_entry(&cache, 2, names[1][0], names[1][1]);
	expect_entry(&cache, 3, "libm.so.9", "/ours/libm.so.9");
	expect_entry(&cache, 4, "libcuda.so", "/usr/lib/libcuda.so");
	expect_entry(&cache, 5, names[3][0], names[3][1]);
	expect_entry(&cache, 6, "liba.so.1", "/usr/lib/liba.so.1");
	expect_entry(&cache, 7, "lib", "/usr/lib/lib");
	merge(&merged, add, 5, &again);
	cr_expect_eq(again.len, 0, "all is there");
}

Test(ld_cache, an_entry_that_points_out_of_the_file_is_left_out)
{
	struct ld_cache_entry add[] = {{X86_64, 0, "libb.so", "/b"}};
	const uint32_t wrong[] = {0xffffffffU, 4096, 0, 48};
	struct made merged = {0};
	struct ld_cache cache;
	struct err err = {0};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct made made = {0};

		put_new(&made, 0);
		memcpy(made.bytes + 48 + 24 + 4, &wrong[i], sizeof(wrong[i]));
		merge(&made, add, 1, &merged);
		cr_assert_eq(ld_cache_open(merged.bytes, merged.len, &cache, &err), 0);
		cr_expect_eq(cache.n, N_NAMES, "%#x", wrong[i]);
		expect_entry(&cache, 0, names[0][0], names[0][1]);
		expect_entry(&cache, 1, names[2][0], names[2][1]);
	}
}

/* A file of the new format with a section of names of hwcaps directories.
   Return: where the names begin. Source: glibc's elf/cache.c and dl-cache.h. */
static size_t put_hwcaps(struct made *made, const uint32_t *names_at, uint32_t n)
{
	uint32_t at;

	put_new(made, 0);
	while (made->len % 4 != 0) {
		put(made, "", 1);
	}
	at = (uint32_t)made->len;
	memcpy(made->bytes + 32, &at, sizeof(at));
	put_u32(made, 0xeaa42174U);
	put_u32(made, 1);
	put_u32(made, 1); /* the tag of hwcaps */
	put_u32(made, 0);
	put_u32(made, at + 24);
	put_u32(made, n * 4);
	for (uint32_t i = 0; i < n; i++) {
		put_u32(made, names_at[i]);
	}
	return at + 24;
}

static uint32_t get_u32(const struct made *made, size_t at)
{
	uint32_t value;

	cr_assert_leq(at + sizeof(value), made->len);
	memcpy(&value, made->bytes + at, sizeof(value));
	return value;
}

Test(ld_cache, names_of_hwcaps_directories_move_with_the_strings)
{
	struct ld_cache_entry add[] = {{X86_64, 0, "libb.so", "/b"}};
	const uint32_t first = 48 + 24 * N_NAMES; /* names[0][0] */
	const uint32_t names_at[] = {first, first + (uint32_t)strlen(names[0][0]) + 1};
	struct made made = {0};
	struct made merged = {0};
	uint32_t at;

	(void)put_hwcaps(&made, names_at, 2);
	merge(&made, add, 1, &merged);
	at = get_u32(&merged, 32);
	cr_assert_neq(at, 0);
	cr_expect_eq(at % 4, 0);
	cr_expect_eq(get_u32(&merged, at), 0xeaa42174U);
	cr_expect_eq(get_u32(&merged, at + 4), 1);
	cr_expect_eq(get_u32(&merged, at + 8), 1);
	cr_expect_eq(get_u32(&merged, at + 20), 8);
	at = get_u32(&merged, at + 16);
	cr_expect_eq(at + 8, merged.len, "they end the file");
	for (size_t i = 0; i < 2; i++) {
		uint32_t name = get_u32(&merged, at + 4 * i);

		cr_assert_lt(name, merged.len);
		cr_expect_str_eq(merged.bytes + name, names[0][i]);
	}
}

/* The loader would read them. */
Test(ld_cache, hwcaps_that_are_no_strings_of_the_file_are_left_out)
{
	struct ld_cache_entry add[] = {{X86_64, 0, "libb.so", "/b"}};
	const uint32_t first = 48 + 24 * N_NAMES;
	const uint32_t wrong[] = {0xffffffffU, 4096, 0, first - 1};
	struct made merged = {0};
	struct ld_cache cache;
	struct err err = {0};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const uint32_t names_at[] = {first, wrong[i]};
		struct made made = {0};

		(void)put_hwcaps(&made, names_at, 2);
		merge(&made, add, 1, &merged);
		cr_expect_eq(get_u32(&merged, 32), 0, "%#x", wrong[i]);
		cr_assert_eq(ld_cache_open(merged.bytes, merged.len, &cache, &err), 0);
		cr_expect_eq(cache.n, N_NAMES + 1);
	}
}

/* The room for the output is for 64. */
Test(ld_cache, more_hwcaps_than_any_machine_has_are_left_out)
{
	struct ld_cache_entry add[] = {{X86_64, 0, "libb.so", "/b"}};
	uint32_t names_at[65];

	for (size_t i = 0; i < 65; i++) {
		names_at[i] = 48 + 24 * N_NAMES;
	}
	for (uint32_t n = 64; n <= 65; n++) {
		struct made made = {0};
		struct made merged = {0};

		(void)put_hwcaps(&made, names_at, n);
		merge(&made, add, 1, &merged);
		cr_expect_eq(get_u32(&merged, 32) != 0, n == 64, "%u", n);
	}
}

/* A section that says it is longer than the file, or than any is. */
Test(ld_cache, hwcaps_without_an_end_are_left_out)
{
	struct ld_cache_entry add[] = {{X86_64, 0, "libb.so", "/b"}};
	const uint32_t first = 48 + 24 * N_NAMES;
	const uint32_t wrong[] = {8, 0xfffffffcU};
	struct made merged = {0};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct made made = {0};
		size_t names_at = put_hwcaps(&made, &first, 1);

		memcpy(made.bytes + names_at - 4, &wrong[i], sizeof(wrong[i]));
		merge(&made, add, 1, &merged);
		cr_expect_eq(get_u32(&merged, 32), 0, "%#x", wrong[i]);
	}
}

Test(ld_cache, the_old_format_alone_is_not_merged)
{
	const struct ld_cache_entry add = {X86_64, 0, "libb.so", "/b"};
	struct made made = {0};
	struct ld_cache cache;
	struct err err = {0};
	char out[4096];
	size_t len = 7;

	put_old(&made);
	put_strings(&made);
	cr_assert_eq(ld_cache_open(made.bytes, made.len, &cache, &err), 0);
	cr_expect_eq(ld_cache_merge(&cache, &add, 1, out, &len, &err), -EINVAL);
	cr_expect_str_eq(err.msg, "it is of the format before glibc 2.2");
	cr_expect_eq(len, 7, "nothing is written");
}
