/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - any bytes in the place of config.json */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "oci/config.h"
#include "oci/config_json.h"
#include "oci/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last two hold characters that JSON has short escapes for, or
   writes in two bytes. */
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

/* What is read of the whole text is read without what the sieve leaves out. */
static void check_against_whole(const char *text, size_t size, const char *key, int r,
				const struct oci_config *config)
{
	cleanup(oci_config_clearp) struct oci_config whole = {0};
	struct err err = {0};
	cleanup(json_decrefp) json_t *object =
		json_parse_wide(text, size, CONFIG_WHAT, &err);

	if (!object || config_read(object, key, &whole, &err) < 0) {
		return;
	}
	/* A choice is read behind all of that, and may be wrong. */
	if (r < 0) {
		require(whole.request != NULL);
		return;
	}
	require(strcmp(config->root_path, whole.root_path) == 0);
	/* jansson takes a NUL behind a number as its end: refused then. */
	require(memchr(text, '\0', size) ||
		oci_config_check_root(text, size, config->root_path, &err) == 0);
	require(!config->request == !whole.request);
	require(!whole.request || (config->request_len == whole.request_len &&
				   strcmp(config->request, whole.request) == 0));
	require(config->container.uid == whole.container.uid &&
		config->container.gid == whole.container.gid &&
		config->container.n_additional_gids ==
			whole.container.n_additional_gids &&
		config->container.overrides_modes == whole.container.overrides_modes &&
		config->container.keeps_groups == whole.container.keeps_groups &&
		config->container.has_user_namespace ==
			whole.container.has_user_namespace &&
		config->container.uid_map.n == whole.container.uid_map.n &&
		config->container.gid_map.n == whole.container.gid_map.n &&
		config->container.n_device_rules == whole.container.n_device_rules);
	require(whole.container.n_device_rules == 0 ||
		memcmp(config->container.device_rules, whole.container.device_rules,
		       whole.container.n_device_rules *
			       sizeof(*whole.container.device_rules)) == 0);
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
		check_against_whole(text, size, keys[k], r, &config);
		oci_config_clear(&config);
	}
	return 0;
}
