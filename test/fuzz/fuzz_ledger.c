/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ledger.c - the ledger's file says anything */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "stage/ledger_text.h"

#define BOOT_ID "01234567-89ab-cdef-0123-456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_holder(const struct holder *holder)
{
	if (!*holder->gpu || holder->init.pid <= 0) {
		abort();
	}
}

static int write_text(const struct holders *holders, struct bytes *ret, struct err *err)
{
	FILE *out = open_memstream(&ret->data, &ret->len);
	int r;

	if (!out) {
		abort();
	}
	r = ledger_text_write(holders, BOOT_ID, out, err);
	if (fclose(out) != 0) {
		abort();
	}
	return r;
}

/* What is read is written and read again as the same: so no field is half understood. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(holders_clearp) struct holders first = {0};
	cleanup(holders_clearp) struct holders second = {0};
	struct bytes text = {.data = xcalloc(size, 1), .len = size};
	struct err err = {0};

	memcpy(text.data, data, size);
	if (ledger_text_read(&text, BOOT_ID, &first, &err) < 0) {
		if (err.code == 0 || !*err.msg || first.n > 0) {
			abort();
		}
		return 0;
	}
	if (write_text(&first, &text, &err) < 0 ||
	    ledger_text_read(&text, BOOT_ID, &second, &err) < 0 || first.n != second.n) {
		abort();
	}
	for (size_t i = 0; i < first.n; i++) {
		const struct holder *a = &first.holder[i];
		const struct holder *b = &second.holder[i];

		check_holder(a);
		if (!text_equals(a->gpu, b->gpu) || !text_equals(a->id, b->id) ||
		    !text_equals(a->bundle, b->bundle) ||
		    a->is_exclusive != b->is_exclusive ||
		    !process_id_equals(&a->init, &b->init)) {
			abort();
		}
	}
	return 0;
}
