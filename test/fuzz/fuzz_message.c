/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_message.c - a parsing child that has been taken over says anything */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Both parts, one behind the other, as the child writes them. */
static void encode(const struct parsed *parsed, struct message *ret)
{
	const struct err none = {0};
	cleanup(message_clearp) struct message second = {0};

	message_encode_settings(parsed, ret);
	message_encode(parsed, &none, &second);
	ret->data = realloc(ret->data, ret->len + second.len);
	if (!ret->data) {
		abort();
	}
	memcpy(ret->data + ret->len, second.data, second.len);
	ret->len += second.len;
}

/* Whatever is taken over must go out again as the same bytes: so nothing is half read. An
   error's text is made one line, which changes it once. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(parsed_clearp) struct parsed parsed = {0};
	cleanup(parsed_clearp) struct parsed same = {0};
	cleanup(message_clearp) struct message again = {0};
	struct err err = {0};

	if (message_decode((const char *)data, size, NULL, &parsed, &err) < 0) {
		if (err.code == 0) {
			abort();
		}
		return 0;
	}
	encode(&parsed, &again);
	if (parsed.settings_err.code != 0) {
		if (message_decode(again.data, again.len, NULL, &same, &err) < 0) {
			abort();
		}
	} else if (again.len != size || memcmp(again.data, data, size) != 0) {
		abort();
	}
	return 0;
}
