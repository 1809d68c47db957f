/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - any bytes in the place of config.json */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last two hold characters that JSON has short escapes for, or writes in two bytes. */
static const char *const keys[] = {OCI_DEFAULT_ANNOTATION, "a/b", "\xc3\xa9\"\\\n"};

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

static void check_config(const struct oci_config *config, const char *key)
{
	require(config->root_path && config->root_path[0] != '\0');
	require(!config->request == !config->request_key);
	if (config->request) {
		require(strlen(config->request) == config->request_len);
		require(strncmp(config->request_key, key, strlen(key)) == 0);
	}
	for (size_t i = 0; i < config->container.n_additional_gids; i++) {
		require(config->container.additional_gids[i] != UINT32_MAX);
	}
	require(config->container.uid != UINT32_MAX &&
		config->container.gid != UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		struct oci_config config = {0};
		struct err err = {0};
		bool may_request = oci_config_may_request(text, size, keys[k]);
		int r = oci_config_parse(text, size, keys[k], &config, &err);

		if (r < 0) {
			check_error(&err, r);
			require(!config.root_path && !config.request);
		} else {
			require(r == 0 && err.code == 0);
			check_config(&config, keys[k]);
			/* The quick look never misses what the parser finds. */
			require(may_request || !config.request);
		}
		oci_config_clear(&config);
	}
	return 0;
}
