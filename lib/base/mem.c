/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c - allocation that cannot fail */

#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void die_out_of_memory(void)
{
	static const char text[] = "oci-gpu-hook: allocate memory: out of memory\n";

	/* Nothing is left to do if even this cannot be written. */
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p) {
		die_out_of_memory();
	}
	return p;
}

static char *copy_bytes(const char *text, size_t len)
{
	char *copy = xcalloc(len + 1, 1);

	memcpy(copy, text, len);
	return copy;
}

char *xstrndup(const char *text, size_t len)
{
	return copy_bytes(text, strnlen(text, len));
}

char *xstrdup(const char *text)
{
	return copy_bytes(text, strlen(text));
}

void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(texts[i]);
	}
	free(texts);
}

char *xasprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		die_out_of_memory();
	}
	return text;
}

void *xrealloc(void *p, size_t size)
{
	void *grown = realloc(p, size ? size : 1);

	if (!grown) {
		die_out_of_memory();
	}
	return grown;
}

void *try_calloc(size_t n, size_t size)
{
	return calloc(n, size);
}

void *try_grow(void *array, size_t n, size_t size)
{
	size_t room = n ? n * 2 : 1;
	char *grown;

	if (n & (n - 1)) {
		/* Not 0 and not a power of two: the last doubling left room. */
		return array;
	}
	if (n > SIZE_MAX / 2 / size) {
		return NULL;
	}
	grown = realloc(array, room * size);
	if (grown) {
		memset(grown + n * size, 0, (room - n) * size);
	}
	return grown;
}

void *xgrow(void *array, size_t n, size_t size)
{
	void *grown = try_grow(array, n, size);

	if (!grown) {
		die_out_of_memory();
	}
	return grown;
}
