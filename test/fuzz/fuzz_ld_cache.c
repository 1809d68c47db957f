/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ld_cache.c - an ld.so.cache of an image, read and merged */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ld_cache.h"
#include "base/mem.h"

#define N_ADDED 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const struct ld_cache *cache, const struct ld_cache_entry *wanted)
{
	size_t n = 0;

	for (size_t i = 0; i < cache->n; i++) {
		struct ld_cache_entry entry;

		n += ld_cache_get(cache, i, &entry) && entry.flags == wanted->flags &&
		     strcmp(entry.key, wanted->key) == 0 &&
		     strcmp(entry.value, wanted->value) == 0;
	}
	return n;
}

/* Every whole entry of the old file must be in the new one, or have been replaced. */
static void check_kept(const struct ld_cache *cache, const struct ld_cache *merged,
		       const struct ld_cache_entry *add)
{
	struct ld_cache_entry first;

	if (cache->n > 64 || !ld_cache_get(cache, 0, &first) || !*first.key) {
		return;
	}
	if (strcmp(first.key, add[0].key) != 0 && strcmp(first.key, add[1].key) != 0 &&
	    count(merged, &first) > count(cache, &first)) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ld_cache_entry add[N_ADDED] = {
		{.flags = 0x303, .key = "libcuda.so", .value = "/usr/lib/x/libcuda.so"},
		{.flags = 0x303, .key = "libcuda.so.1", .value = "/lib/x/libcuda.so.1"},
	};
	/* In memory of its own size, so that a byte too many is seen. */
	char *file = xcalloc(size, 1);
	struct ld_cache merged;
	struct ld_cache cache;
	struct err err = {0};
	size_t len = 0;
	char *out;

	memcpy(file, data, size);
	if (ld_cache_open(file, size, &cache, &err) < 0) {
		if (err.code == 0) {
			abort();
		}
		free(file);
		return 0;
	}
	(void)ld_cache_flags_of(&cache, "/usr/lib", 8);
	ld_cache_sort(add, N_ADDED);
	out = xcalloc(ld_cache_merge_room(size, add, N_ADDED), 1);
	if (ld_cache_merge(&cache, add, N_ADDED, out, &len, &err) == 0 && len > 0) {
		if (ld_cache_open(out, len, &merged, &err) < 0 ||
		    count(&merged, &add[0]) != 1 || count(&merged, &add[1]) != 1) {
			abort();
		}
		check_kept(&cache, &merged, add);
		/* Done twice is done once. */
		if (ld_cache_merge(&merged, add, N_ADDED, out, &len, &err) < 0 ||
		    len != 0) {
			abort();
		}
	}
	free(out);
	free(file);
	return 0;
}
