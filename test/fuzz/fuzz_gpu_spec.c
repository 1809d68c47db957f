/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_gpu_spec.c - any bytes as the value of the annotation */

#include "model/gpu_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort() and not assert(): must hold in every build. */
static void require(bool is_true)
{
	if (!is_true) {
		abort();
	}
}

static void check_refusal(int r, const struct gpu_spec *spec, const struct err *err)
{
	require(r == -err->code && (err->code == EINVAL || err->code == E2BIG));
	require(memcmp(spec, &(struct gpu_spec){0}, sizeof(*spec)) == 0);
	require(err->msg[0] != '\0');
	for (const char *c = err->msg; *c; c++) {
		require(*c != '\n' && *c != '\x1b');
	}
}

static void check_spec(const struct gpu_spec *spec)
{
	const uint32_t all_capabilities = (1U << GPU_CAPABILITY_COUNT) - 1;

	require(spec->vendor && *spec->vendor);
	require(spec->has_vendor || strcmp(spec->vendor, GPU_SPEC_DEFAULT_VENDOR) == 0);
	require(!spec->is_all || (spec->count == 0 && spec->n_devices == 0));
	require(spec->n_devices == 0 || spec->n_devices == spec->count);
	require(spec->n_devices <= LIMIT_GPUS);
	for (size_t i = 0; i < spec->n_devices; i++) {
		size_t len = strlen(spec->devices[i]);

		require(len >= 1 && len <= 64 && !strchr(spec->devices[i], '/'));
	}
	require(!spec->model || (*spec->model && strlen(spec->model) <= 256));
	require(spec->sharing < GPU_SHARING_COUNT);
	require(spec->capabilities != 0 && (spec->capabilities & ~all_capabilities) == 0);
	require(gpu_spec_is_request(spec) == (spec->is_all || spec->count > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gpu_spec spec = {0};
	struct err err = {0};
	int r = gpu_spec_parse((const char *)data, size, &spec, &err);

	if (r < 0) {
		check_refusal(r, &spec, &err);
		return 0;
	}
	check_spec(&spec);
	gpu_spec_clear(&spec);
	return 0;
}
