/* SPDX-License-Identifier: Apache-2.0 */
/* config_sieve.c - a config.json without the values that nobody here reads */

#include "oci/config_sieve.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"

/* What is read of an object; the last one has no key. */
struct member {
	const char *key;
	const struct member *members; /* NULL: all of the value */
};

/* All that lib/oci/config*.c look up for oci_config_parse(). */
static const struct member of_resources[] = {{"devices", NULL}, {0}};
static const struct member of_linux[] = {
	{"namespaces", NULL},
	{"uidMappings", NULL},
	{"gidMappings", NULL},
	{"mountLabel", NULL},
	{"resources", of_resources},
	{"cgroupsPath", NULL},
	{0},
};
static const struct member of_process[] = {{"user", NULL}, {"capabilities", NULL}, {0}};
static const struct member of_config[] = {
	{"root", NULL},
	{"process", of_process},
	{"linux", of_linux},
	{"annotations", NULL},
	{0},
};

struct sieve {
	const char *at;
	const char *end;
	unsigned int depth;
	char *out;
};

/* One bit for each level. */
static_assert(LIMIT_JSON_DEPTH <= 64, "a level without a bit");

static bool is_at(const struct sieve *sieve, char c)
{
	return sieve->at < sieve->end && *sieve->at == c;
}

static void skip_blanks(struct sieve *sieve)
{
	while (is_at(sieve, ' ') || is_at(sieve, '\n') || is_at(sieve, '\t') ||
	       is_at(sieve, '\r')) {
		sieve->at++;
	}
}

static void put(struct sieve *sieve, const char *from, const char *to)
{
	memcpy(sieve->out, from, (size_t)(to - from));
	sieve->out += to - from;
}

static bool take_mark(struct sieve *sieve, char c)
{
	skip_blanks(sieve);
	if (!is_at(sieve, c)) {
		return false;
	}
	*sieve->out++ = *sieve->at++;
	return true;
}

/* From its first quote to behind the one that ends it: before that is an even number of
   backslashes. */
static bool skip_string(struct sieve *sieve)
{
	const char *quote = sieve->at;
	const char *slash;

	do {
		quote++;
		quote = memchr(quote, '"', (size_t)(sieve->end - quote));
		if (!quote) {
			return false;
		}
		slash = quote;
		while (slash[-1] == '\\') {
			slash--;
		}
	} while ((quote - slash) % 2 != 0);
	sieve->at = quote + 1;
	return true;
}

/* Of a number or a word, or between values. crun takes comments, and since its change to
   json-c strings in single quotes: to it a quote or a bracket in there is none. Source:
   yajl's yajl_tree.c, yajl_allow_comments; crun pull request 2088. */
static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr(" \t\r\n,:+-.", c));
}

/* Of any kind: up to the comma or bracket behind it where it has none of its own. */
static bool skip_value(struct sieve *sieve)
{
	const unsigned int outer = sieve->depth;
	const char *start = sieve->at;
	uint64_t objects = 0; /* a bit for each open bracket, the innermost last */

	while (sieve->at < sieve->end) {
		char c = *sieve->at;

		if (c == '"') {
			if (!skip_string(sieve)) {
				return false;
			}
		} else if (c == '{' || c == '[') {
			if (++sieve->depth > LIMIT_JSON_DEPTH) {
				return false;
			}
			objects = objects << 1 | (c == '{');
			sieve->at++;
			continue;
		} else if ((c == '}' || c == ']') && sieve->depth > outer) {
			if ((objects & 1) != (c == '}')) {
				return false;
			}
			objects >>= 1;
			sieve->depth--;
			sieve->at++;
		} else if (sieve->depth == outer && (c == ',' || c == '}' || c == ']')) {
			return sieve->at > start;
		} else if (!is_plain(c)) {
			return false;
		} else {
			sieve->at++;
			continue;
		}
		/* A string or a bracket has ended. */
		if (sieve->depth == outer) {
			return true;
		}
	}
	return false;
}

/* @key: from its first quote. An escape could be of any character, so
   such a key is kept. */
static bool find_member(const struct member *members, const char *key, const char *end,
			const struct member **ret)
{
	static const struct member all = {0};
	size_t len = (size_t)(end - key) - 2;

	*ret = &all;
	if (memchr(key, '\\', len + 1)) {
		return true;
	}
	for (; members->key; members++) {
		if (strlen(members->key) == len &&
		    memcmp(members->key, key + 1, len) == 0) {
			*ret = members;
			return true;
		}
	}
	return false;
}

static bool sieve_object(struct sieve *sieve, const struct member *members);

static bool sieve_value(struct sieve *sieve, const struct member *members)
{
	const char *start = sieve->at;

	if (members && is_at(sieve, '{')) {
		return sieve_object(sieve, members);
	}
	if (!skip_value(sieve)) {
		return false;
	}
	put(sieve, start, sieve->at);
	return true;
}

static bool sieve_member(struct sieve *sieve, const struct member *members)
{
	const struct member *member = NULL;
	const char *key;

	skip_blanks(sieve);
	key = sieve->at;
	if (!is_at(sieve, '"') || !skip_string(sieve)) {
		return false;
	}
	put(sieve, key, sieve->at);
	if (find_member(members, key, sieve->at, &member)) {
		members = member->members;
	} else {
		member = NULL;
	}
	if (!take_mark(sieve, ':')) {
		return false;
	}
	skip_blanks(sieve);
	if (member) {
		return sieve_value(sieve, members);
	}
	if (!skip_value(sieve)) {
		return false;
	}
	*sieve->out++ = '0'; /* no value is shorter */
	return true;
}

/* Not deeper than the table of what is read. */
static bool sieve_object(struct sieve *sieve, const struct member *members)
{
	if (!take_mark(sieve, '{')) {
		return false;
	}
	if (take_mark(sieve, '}')) {
		return true;
	}
	sieve->depth++;
	do {
		if (!sieve_member(sieve, members)) {
			return false;
		}
	} while (take_mark(sieve, ','));
	sieve->depth--;
	return take_mark(sieve, '}');
}

size_t config_sieve(const char *text, size_t len, char *ret)
{
	struct sieve sieve = {.at = text, .end = text + len, .out = ret};

	if (!sieve_object(&sieve, of_config)) {
		return 0;
	}
	skip_blanks(&sieve);
	return sieve.at == sieve.end ? (size_t)(sieve.out - ret) : 0;
}
