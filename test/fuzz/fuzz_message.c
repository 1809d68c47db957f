/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_message.c - a parsing child that has been taken over says anything */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is taken over must go out again as the same bytes: so nothing is half read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(parsed_clearp) struct parsed parsed = {0};
	cleanup(message_clearp) struct message again = {0};
	struct err err = {0};

	if (message_decode((const char *)data, size, &parsed, &err) < 0) {
		if (err.code == 0) {
			abort();
		}
		return 0;
	}
	message_encode(&parsed, &err, &again);
	if (again.len != size || memcmp(again.data, data, size) != 0) {
		abort();
	}
	return 0;
}
