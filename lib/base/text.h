/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* text.h - numbers and names out of text, without locale and without surprises */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * text_to_u32() - Read a decimal number that fills the text
 *
 * Only digits, no sign, no blank, no leading zero (except "0" itself): one number has one
 * spelling.
 *
 * Return: 0; -EINVAL if it is no such number; -ERANGE if it is above UINT32_MAX.
 */
int text_to_u32(const char *text, size_t len, uint32_t *ret);

/* The same up to UINT64_MAX. */
int text_to_u64(const char *text, size_t len, uint64_t *ret);

/**
 * text_hex_to_u64() - Read a hexadecimal number, with or without
 * "0x", that fills the text
 *
 * Return: 0; -EINVAL; -ERANGE above UINT64_MAX.
 */
int text_hex_to_u64(const char *text, uint64_t *ret);

/* For qsort() and the like: below, equal to or above 0. */
int compare_numbers(uint32_t a, uint32_t b);

bool text_equals(const char *a, const char *b);

/* ASCII only: vendors and models are compared without case in every locale. */
bool text_equals_no_case(const char *a, const char *b);
bool text_contains_no_case(const char *text, const char *part);
bool text_starts_with(const char *text, const char *start);

/* Is one, without case, the other with at most one letter more, less, exchanged, or
   swapped with the next? For "did you mean". */
bool text_is_almost(const char *a, const char *b);

/* Is a byte of ASCII's control characters in it? */
bool text_has_control_character(const char *text);

/* Cuts blanks, tabs and line ends off the end, in place. Return: @text. */
char *text_trim_end(char *text);
