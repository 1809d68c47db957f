/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mem.h - allocation that cannot fail
 *
 * Out of memory ends the program with a fixed message. That is safe everywhere before the
 * plan is applied, since nothing has been changed by then. From the first change on
 * lib/backend/apply calls none of the x functions: the little that it needs then it asks
 * for by calloc(), try_calloc() and try_grow(), whose failure is one like any other and
 * undoes. See test/lint/check_memory.py.
 */

#include <stddef.h>

void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An array of @n texts, and the texts; both may be NULL. */
void free_texts(char **texts, size_t n);

/**
 * xgrow() - Make room for one more element at the end of an array
 * @array:	from an earlier xgrow(), or NULL; taken
 * @n:		elements in use
 * @size:	bytes of an element
 *
 * The room doubles whenever @n is a power of two, so that no capacity needs to be kept.
 *
 * Return: the array with room for at least @n + 1 elements; the new ones are zeroed.
 */
void *xgrow(void *array, size_t n, size_t size);

/* The same as above, but NULL if there is no memory; @array is then as it was. */
void *try_calloc(size_t n, size_t size);
void *try_grow(void *array, size_t n, size_t size);
