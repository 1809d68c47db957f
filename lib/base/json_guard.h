/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* json_guard.h - what has to be done before jansson may see a text from outside */

#include <stddef.h>

#include "base/err.h"

/**
 * json_guard() - Make ready to parse a JSON text with jansson
 * @text:	@len bytes, valid JSON or not; borrowed
 * @what:	for the message: "config.json"
 * @err:	E2BIG, with the byte (1 is the first): nested deeper than LIMIT_JSON_DEPTH
 *
 * Two things, both for the first jansson call as for any later one: jansson recurses
 * once per level, so the depth is looked at beforehand; and its hash tables get a
 * random seed from getrandom(), since jansson itself would open /dev/urandom, which a
 * confined process cannot.
 *
 * Return: 0, or negative errno as in @err.
 */
int json_guard(const char *text, size_t len, const char *what, struct err *err);

/* The seed alone, for a process that may not ask for random bytes later. */
void json_guard_seed(void);
