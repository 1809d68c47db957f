/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * json_scan.h - where in a JSON text something stands, without parsing it
 *
 * For the parent of the child that parses, which may lie: strings are skipped, brackets
 * counted, and what was parsed compared with the text. No memory is asked for. Within the
 * bounds of any text; in valid JSON what a parser finds. What is made of other texts is
 * of no use to anybody, since the runtime refuses them.
 */

#include <stdbool.h>
#include <stddef.h>

struct json_scan {
	const char *text;
	size_t len;
	size_t at; /* above @len: a string had no end */
};

bool json_scan_is_at(const struct json_scan *scan, char c);

/* Skips blanks, and @c if it is next. Return: was it? */
bool json_scan_mark(struct json_scan *scan, char c);
void json_scan_blanks(struct json_scan *scan);

/* From a string's first quote to behind its second. */
void json_scan_string(struct json_scan *scan);

/* Of any kind. */
void json_scan_value(struct json_scan *scan);

/**
 * json_scan_member() - The value of an object's member
 * @text:	an object, blanks around it
 * @key:	as it reads; in the text it may have escapes
 * @ret:	into @text, as it is written; @ret_len 0: no such member, or @text is no
 *		object
 *
 * Return: false if there are several.
 */
bool json_scan_member(const char *text, size_t len, const char *key, const char **ret,
		      size_t *ret_len);

/**
 * json_scan_is_string() - Is a value the string that reads like @wanted?
 * @value:	with its quotes
 *
 * Escapes are read, those of surrogates as well.
 */
bool json_scan_is_string(const char *value, size_t len, const char *wanted);
