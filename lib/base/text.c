/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - numbers and names out of text, without locale and without surprises */

#include "base/text.h"

#include <errno.h>
#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int text_to_u64(const char *text, size_t len, uint64_t *ret)
{
	uint64_t value = 0;

	if (len == 0 || (text[0] == '0' && len > 1)) {
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < len; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (value > (UINT64_MAX - digit) / 10) {
			return -ERANGE;
		}
		value = value * 10 + digit;
	}
	*ret = value;
	return 0;
}

int text_to_u32(const char *text, size_t len, uint32_t *ret)
{
	uint64_t value;
	int r = text_to_u64(text, len, &value);

	if (r < 0) {
		return r;
	}
	if (value > UINT32_MAX) {
		return -ERANGE;
	}
	*ret = (uint32_t)value;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int text_hex_to_u64(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (text[0] == '0' && lower(text[1]) == 'x') {
		text += 2;
	}
	if (!*text) {
		return -EINVAL;
	}
	for (; *text; text++) {
		int digit = hex_digit(*text);

		if (digit < 0) {
			return -EINVAL;
		}
		if (value >> 60) {
			return -ERANGE;
		}
		value = value << 4 | (uint64_t)digit;
	}
	*ret = value;
	return 0;
}

int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

bool text_equals(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool starts_with_no_case(const char *text, const char *start)
{
	for (; *start; text++, start++) {
		if (lower(*text) != lower(*start)) {
			return false;
		}
	}
	return true;
}

bool text_equals_no_case(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && starts_with_no_case(a, b);
}

bool text_contains_no_case(const char *text, const char *part)
{
	for (; *text; text++) {
		if (starts_with_no_case(text, part)) {
			return true;
		}
	}
	return !*part;
}

bool text_starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

bool text_is_almost(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	if (!*a || !*b) {
		return strlen(a) + strlen(b) <= 1;
	}
	return text_equals_no_case(a + 1, b) || text_equals_no_case(a, b + 1) ||
	       text_equals_no_case(a + 1, b + 1) ||
	       (lower(a[0]) == lower(b[1]) && lower(a[1]) == lower(b[0]) &&
		text_equals_no_case(a + 2, b + 2));
}

bool text_has_control_character(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			return true;
		}
	}
	return false;
}

char *text_trim_end(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && strchr(" \t\r\n", text[len - 1])) {
		text[--len] = '\0';
	}
	return text;
}
