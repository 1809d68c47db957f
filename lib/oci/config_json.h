/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config_json.h - parts of a parsed config.json. Private to lib/oci. */

#include <jansson.h>

#include "base/err.h"
#include "model/container.h"
#include "oci/config.h"

/* The document, in messages. */
#define CONFIG_WHAT "config.json"

/* Members that may be absent: *ret is NULL then. @path: for the message. */
int config_read_object(const json_t *parent, const char *key, const char *path,
		       const json_t **ret, struct err *err);
int config_read_array(const json_t *parent, const char *key, const char *path,
		      const json_t **ret, struct err *err);

/* process.user and process.capabilities, and the user namespace with its maps. */
int config_read_process(const json_t *config, struct container *ctr, struct err *err);

/* linux.resources.devices. @err: E2BIG over LIMIT_CONFIG_ENTRIES. */
int config_read_device_rules(const json_t *config, struct container *ctr,
			     struct err *err);

/* Number @major or minor of an entry, or DEVICE_RULE_ANY where there is none, or -1. */
int config_read_device_number(const json_t *entry, const char *key, const char *path,
			      uint32_t *ret, struct err *err);

/* All but the choice that may have been made before. */
int config_read(const json_t *object, const char *key, struct oci_config *ret,
		struct err *err);
