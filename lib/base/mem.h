/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mem.h - allocation that cannot fail
 *
 * Out of memory ends the program with a fixed message. That is safe everywhere before the
 * plan is applied, since nothing has been changed by then; lib/backend/apply allocates
 * nothing after its first change.
 */

#include <stddef.h>

void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

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
