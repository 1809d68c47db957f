/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* input.h - the fuzzer's bytes, taken one after the other; behind their end come zeros */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct input {
	const uint8_t *at;
	const uint8_t *end;
};

static inline uint8_t take_byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint32_t take_u32(struct input *in)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		value = value << 8 | take_byte(in);
	}
	return value;
}

/* abort() and not assert(): must hold in every build. */
static inline void require(bool is_true)
{
	if (!is_true) {
		abort();
	}
}
