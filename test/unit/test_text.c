/* SPDX-License-Identifier: Apache-2.0 */
/* test_text.c - numbers and names out of text */

#include "base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(text, u32_reads_the_whole_range)
{
	static const struct {
		const char *text;
		uint32_t value;
	} rows[] = {
		{"0", 0}, {"1", 1}, {"10", 10}, {"128", 128}, {"4294967295", 4294967295U},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t value = 77;

		cr_assert_eq(text_to_u32(rows[i].text, strlen(rows[i].text), &value), 0,
			     "%s", rows[i].text);
		cr_assert_eq(value, rows[i].value, "%s", rows[i].text);
	}
}

Test(text, u32_above_the_range_is_erange)
{
	static const char *const rows[] = {
		"4294967296",
		"42949672950",
		"18446744073709551616",
		"99999999999999999999999999999999999999",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t value = 77;

		cr_assert_eq(text_to_u32(rows[i], strlen(rows[i]), &value), -ERANGE, "%s",
			     rows[i]);
		cr_assert_eq(value, 77, "%s", rows[i]);
	}
}

Test(text, u32_has_one_spelling)
{
	static const char *const rows[] = {
		"",    "00",  "01",  "+1",  "-1", " 1", "1 ",
		"1.0", "1e3", "0x1", "1\n", "a",  "1a", "99999999999999999999x",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t value = 77;

		cr_assert_eq(text_to_u32(rows[i], strlen(rows[i]), &value), -EINVAL,
			     "'%s'", rows[i]);
		cr_assert_eq(value, 77, "'%s'", rows[i]);
	}
}

Test(text, u32_reads_only_as_many_bytes_as_told)
{
	uint32_t value = 0;

	cr_assert_eq(text_to_u32("1234x", 4, &value), 0);
	cr_assert_eq(value, 1234);
}

Test(text, u64_reads_the_whole_range_and_no_more)
{
	uint64_t value = 0;

	cr_assert_eq(text_to_u64("0", 1, &value), 0);
	cr_assert_eq(value, 0);
	cr_assert_eq(text_to_u64("18446744073709551615", 20, &value), 0);
	cr_assert_eq(value, UINT64_MAX);
	cr_assert_eq(text_to_u64("18446744073709551616", 20, &value), -ERANGE);
	cr_assert_eq(text_to_u64("100000000000000000000", 21, &value), -ERANGE);
	cr_assert_eq(value, UINT64_MAX);
}

Test(text, u64_has_one_spelling)
{
	static const char *const rows[] = {"", "01", "+1", "-1", " 1", "1 ", "0x1", "1/"};
	uint64_t value = 7;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(text_to_u64(rows[i], strlen(rows[i]), &value), -EINVAL,
			     "'%s'", rows[i]);
	}
	cr_assert_eq(value, 7);
}

Test(text, hex_reads_the_whole_range)
{
	static const struct {
		const char *text;
		uint64_t value;
	} rows[] = {
		{"0", 0},
		{"0x0", 0},
		{"10de", 0x10de},
		{"0x1002", 0x1002},
		{"0X030000", 0x030000},
		{"aBcDeF", 0xabcdef},
		{"ffffffffffffffff", UINT64_MAX},
		{"0x00000000000000000001", 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 77;

		cr_assert_eq(text_hex_to_u64(rows[i].text, &value), 0, "%s",
			     rows[i].text);
		cr_assert_eq(value, rows[i].value, "%s", rows[i].text);
	}
}

Test(text, hex_above_the_range_is_erange)
{
	uint64_t value = 77;

	cr_assert_eq(text_hex_to_u64("0x10000000000000000", &value), -ERANGE);
	cr_assert_eq(value, 77);
}

Test(text, hex_that_is_none_is_einval)
{
	static const char *const rows[] = {"",	 "0x", "x1", "-1", "+1",
					   " 1", "1 ", "g",  "1g", "0x0x1"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 77;

		cr_assert_eq(text_hex_to_u64(rows[i], &value), -EINVAL, "'%s'", rows[i]);
		cr_assert_eq(value, 77, "'%s'", rows[i]);
	}
}

Test(text, equals_compares_all_of_both)
{
	cr_assert(text_equals("amd", "amd"));
	cr_assert(text_equals("", ""));
	cr_assert_not(text_equals("amd", "AMD"));
	cr_assert_not(text_equals("amd", "amdgpu"));
	cr_assert_not(text_equals("amdgpu", "amd"));
}

Test(text, equals_no_case_ignores_the_case_of_ascii_letters_only)
{
	cr_assert(text_equals_no_case("AmD", "aMd"));
	cr_assert(text_equals_no_case("", ""));
	cr_assert_not(text_equals_no_case("amd", "amdgpu"));
	cr_assert_not(text_equals_no_case("amdgpu", "amd"));
	/* '@' and '[' stand beside the letters, 32 below '`' and '{'. */
	cr_assert_not(text_equals_no_case("@", "`"));
	cr_assert_not(text_equals_no_case("[", "{"));
	cr_assert_not(text_equals_no_case("\xc3\x84", "\xc3\xa4"));
}

Test(text, contains_no_case_finds_a_part_anywhere)
{
	cr_assert(text_contains_no_case("NVIDIA A100-SXM4-80GB", "a100"));
	cr_assert(text_contains_no_case("NVIDIA A100", "nvidia"));
	cr_assert(text_contains_no_case("aab", "AB"));
	cr_assert(text_contains_no_case("x", ""));
	cr_assert(text_contains_no_case("", ""));
	cr_assert_not(text_contains_no_case("", "a"));
	cr_assert_not(text_contains_no_case("A10", "A100"));
}

Test(text, starts_with_wants_the_whole_start)
{
	cr_assert(text_starts_with("renderD128", "renderD"));
	cr_assert(text_starts_with("renderD", "renderD"));
	cr_assert(text_starts_with("x", ""));
	cr_assert_not(text_starts_with("render", "renderD"));
	cr_assert_not(text_starts_with("RenderD1", "renderD"));
}

Test(text, almost_is_one_letter_more_less_exchanged_or_swapped)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{"nvidia", true},    {"NVidia", true},	 {"nvdia", true},
		{"vidia", true},     {"nvidi", true},	 {"nvidiaa", true},
		{"nnvidia", true},   {"nvisia", true},	 {"xvidia", true},
		{"nvidix", true},    {"nvdiia", true},	 {"vnidia", true},
		{"nvidai", true},    {"NVIDAI", true},	 {"nvda", false},
		{"nvidiacc", false}, {"nvidi--", false}, {"dnviia", false},
		{"", false},	     {"avidin", false},	 {"xnvida", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(text_is_almost(rows[i].text, "nvidia"), rows[i].want, "%s",
			     rows[i].text);
		cr_assert_eq(text_is_almost("nvidia", rows[i].text), rows[i].want, "%s",
			     rows[i].text);
	}
	cr_assert(text_is_almost("", ""));
	cr_assert(text_is_almost("", "a"));
	cr_assert_not(text_is_almost("", "ab"));
}

Test(text, trim_end_cuts_white_space_at_the_end_only)
{
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
		{"", ""},
		{" \t\r\n", ""},
		{"a", "a"},
		{"0x1002\n", "0x1002"},
		{" a b \r\n", " a b"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[32] = "";

		memcpy(text, rows[i].text, strlen(rows[i].text));
		cr_assert_eq(text_trim_end(text), text);
		cr_assert_str_eq(text, rows[i].want);
	}
}
