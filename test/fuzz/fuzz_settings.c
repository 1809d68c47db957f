/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_settings.c - any bytes as the configuration file */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "model/gpu_spec.h"
#include "oci/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort() and not assert(): must hold in every build. */
static void require(bool is_true)
{
	if (!is_true) {
		abort();
	}
}

static void check_refusal(const struct settings *settings, const struct err *err, int r)
{
	require(err->code > 0 && r == -err->code && err->msg[0] != '\0');
	require(memcmp(settings, &(struct settings){0}, sizeof(*settings)) == 0);
	for (const char *c = err->msg; *c; c++) {
		require((unsigned char)*c >= 0x20 && *c != 0x7f);
	}
}

static void check_policy(const struct policy *policy)
{
	require(policy->capabilities < 1U << GPU_CAPABILITY_COUNT);
	require(policy->n_vendors <= LIMIT_GPUS);
	for (size_t i = 0; i < policy->n_vendors; i++) {
		const struct policy_vendor *vendor = &policy->vendors[i];

		require(vendor->name[0] != '\0' && vendor->n_devices <= LIMIT_GPUS);
		require(vendor->has_devices || vendor->n_devices == 0);
		/* The first of a name is the one that counts: there is no second. */
		require(policy_find_vendor(policy, vendor->name) == vendor);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct settings settings = {0};
	struct err err = {0};
	char *key = NULL;
	bool is_found = settings_find_annotation(text, size, &key);
	int r = settings_parse(text, size, "c.json", &settings, &err);

	require(is_found == (key && *key));
	if (r < 0) {
		check_refusal(&settings, &err, r);
	} else {
		require(err.code == 0 && settings.annotation[0] != '\0');
		/* The glance and the parser see the same. */
		require(!is_found || strcmp(key, settings.annotation) == 0);
		require(settings.watchdog_seconds >= 1 &&
			settings.watchdog_seconds <= SETTINGS_MAX_WATCHDOG_SECONDS);
		require(settings.log_target == LOG_TARGET_FILE
				? settings.log_path[0] == '/'
				: !settings.log_path);
		check_policy(&settings.policy);
	}
	settings_clear(&settings);
	free(key);
	return 0;
}
