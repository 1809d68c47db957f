/* SPDX-License-Identifier: Apache-2.0 */
/* json_guard.c - what has to be done before jansson may see a text from outside */

#include "base/json_guard.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/random.h>
#include <time.h>

#include "base/limits.h"

/* jansson's seed belongs to the process, and so does knowing that it is set. */
static bool is_seeded;

/* The seed keeps a hostile text from choosing keys that all fall into one bucket. jansson
   takes the first seed of a process and ignores the others; 0 would mean "find one". */
void json_guard_seed(void)
{
	uint32_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
		/* Early in the boot, or forbidden by a filter: worse than random, and
		   slower parsing is all that can come of it. */
		struct timespec now = {0};

		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		seed = (uint32_t)now.tv_nsec;
	}
	json_object_seed(seed | 1);
	is_seeded = true;
}

/* Brackets need not match here: jansson refuses that, and opens no more levels than this
   counts. */
static int check_depth(const char *text, size_t len, const char *what, struct err *err)
{
	unsigned int depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string && c == '\\') {
			i++; /* whatever is escaped does not end the string */
		} else if (c == '"') {
			in_string = !in_string;
		} else if (in_string) {
			continue;
		} else if (c == '{' || c == '[') {
			if (++depth > LIMIT_JSON_DEPTH) {
				return err_set(
					err, E2BIG,
					"read %s: byte %zu: nested deeper than %u levels",
					what, i + 1, LIMIT_JSON_DEPTH);
			}
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

int json_guard(const char *text, size_t len, const char *what, struct err *err)
{
	if (!is_seeded) {
		json_guard_seed();
	}
	return check_depth(text, len, what, err);
}
