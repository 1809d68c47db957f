/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan.c - where in a JSON text something stands, without parsing it */

#include "oci/json_scan.h"

#include <stdint.h>
#include <string.h>

bool json_scan_is_at(const struct json_scan *scan, char c)
{
	return scan->at < scan->len && scan->text[scan->at] == c;
}

void json_scan_blanks(struct json_scan *scan)
{
	while (json_scan_is_at(scan, ' ') || json_scan_is_at(scan, '\t') ||
	       json_scan_is_at(scan, '\r') || json_scan_is_at(scan, '\n')) {
		scan->at++;
	}
}

bool json_scan_mark(struct json_scan *scan, char c)
{
	json_scan_blanks(scan);
	if (!json_scan_is_at(scan, c)) {
		return false;
	}
	scan->at++;
	return true;
}

void json_scan_string(struct json_scan *scan)
{
	for (scan->at++; scan->at < scan->len && !json_scan_is_at(scan, '"');
	     scan->at++) {
		if (json_scan_is_at(scan, '\\')) {
			scan->at++;
		}
	}
	scan->at++;
}

/* Inside, brackets need only be counted. */
void json_scan_value(struct json_scan *scan)
{
	size_t depth = 0;

	json_scan_blanks(scan);
	while (scan->at < scan->len) {
		char c = scan->text[scan->at];

		if (c == '"') {
			json_scan_string(scan);
		} else if (c == '{' || c == '[') {
			depth++;
			scan->at++;
		} else if (depth > 0) {
			depth -= c == '}' || c == ']';
			scan->at++;
		} else if (memchr(",}] \t\r\n", c, 7)) {
			return;
		} else {
			scan->at++; /* of a number or a word */
			continue;
		}
		if (depth == 0) {
			return;
		}
	}
}

/* ---- members ----------------------------------------------------------------------- */

bool json_scan_member(const char *text, size_t len, const char *key, const char **ret,
		      size_t *ret_len)
{
	struct json_scan scan = {.text = text, .len = len};

	*ret = text;
	*ret_len = 0;
	if (!json_scan_mark(&scan, '{')) {
		return true;
	}
	do {
		size_t name;
		size_t value;
		bool is_it;

		json_scan_blanks(&scan);
		if (!json_scan_is_at(&scan, '"')) {
			return true;
		}
		name = scan.at;
		json_scan_string(&scan);
		is_it = scan.at <= len &&
			json_scan_is_string(text + name, scan.at - name, key);
		if (!json_scan_mark(&scan, ':')) {
			return true;
		}
		json_scan_blanks(&scan);
		value = scan.at;
		json_scan_value(&scan);
		if (!is_it || scan.at > len) {
			continue;
		}
		if (*ret_len > 0) {
			return false;
		}
		*ret = text + value;
		*ret_len = scan.at - value;
	} while (json_scan_mark(&scan, ','));
	return true;
}

/* ---- strings ----------------------------------------------------------------------- */

/* Four hexadecimal digits. Return: UINT32_MAX: they are none. */
static uint32_t read_unit(const char *at, const char *end)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t unit = 0;

	if (end - at < 4) {
		return UINT32_MAX;
	}
	for (size_t i = 0; i < 4; i++) {
		char c = at[i];
		const char *digit;

		if (c >= 'A' && c <= 'F') {
			c = (char)(c - 'A' + 'a');
		}
		digit = memchr(digits, c, 16);
		if (!digit) {
			return UINT32_MAX;
		}
		unit = unit * 16 + (uint32_t)(digit - digits);
	}
	return unit;
}

/* Source: RFC 3629, section 3. Return: how many bytes. */
static size_t put_utf8(uint32_t code, char ret[4])
{
	static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = n; i > 1; i--) {
		ret[i - 1] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	ret[0] = (char)(n == 1 ? code : marks[n] | code);
	return n;
}

/* Behind "\u". Source: RFC 8259, section 7. Return: how many bytes, 0: it is none. */
static size_t read_code(const char **at, const char *end, char ret[4])
{
	uint32_t code = read_unit(*at, end);

	if (code == UINT32_MAX) {
		return 0;
	}
	*at += 4;
	if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' &&
	    (*at)[1] == 'u') {
		uint32_t low = read_unit(*at + 2, end);

		if (low >= 0xdc00 && low < 0xe000) {
			*at += 6;
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return put_utf8(code, ret);
}

/* One character, or a byte of it. Return: how many bytes, 0: it is none. */
static size_t read_character(const char **at, const char *end, char ret[4])
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meant[] = "\"\\/\b\f\n\r\t";
	const char *letter;

	ret[0] = *(*at)++;
	if (ret[0] != '\\') {
		return 1;
	}
	if (*at == end) {
		return 0;
	}
	if (**at == 'u') {
		(*at)++;
		return read_code(at, end, ret);
	}
	letter = memchr(letters, *(*at)++, sizeof(letters) - 1);
	if (!letter) {
		return 0;
	}
	ret[0] = meant[letter - letters];
	return 1;
}

bool json_scan_is_string(const char *value, size_t len, const char *wanted)
{
	size_t left = strlen(wanted);
	const char *at;
	const char *end;

	if (len < 2 || value[0] != '"' || value[len - 1] != '"') {
		return false;
	}
	at = value + 1;
	end = value + len - 1;
	while (at < end) {
		char bytes[4];
		size_t n = read_character(&at, end, bytes);

		if (n == 0 || n > left || memcmp(bytes, wanted, n) != 0) {
			return false;
		}
		wanted += n;
		left -= n;
	}
	return left == 0;
}
