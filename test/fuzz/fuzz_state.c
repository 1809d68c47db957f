/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_state.c - any bytes in the place of the state */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void check_error(const struct err *err, int r)
{
	require(err->code > 0 && r == -err->code);
	require(err->msg[0] != '\0' && memchr(err->msg, '\0', sizeof(err->msg)) != NULL);
	for (const char *c = err->msg; *c; c++) {
		require((unsigned char)*c >= 0x20 && *c != 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_state state = {0};
	struct err err = {0};
	int r = oci_state_parse((const char *)data, size, &state, &err);

	if (r < 0) {
		check_error(&err, r);
		require(!state.id && !state.bundle && state.pid == 0);
	} else {
		require(r == 0 && err.code == 0);
		require(state.id && state.bundle[0] == '/');
		require(state.pid >= 0);
		/* jansson takes a NUL behind a number as its end: refused then. */
		require(memchr(data, '\0', size) ||
			oci_state_check((const char *)data, size, &state, &err) == 0);
	}
	oci_state_clear(&state);
	return 0;
}
