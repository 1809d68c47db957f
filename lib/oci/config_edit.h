/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config_edit.h - what has to be known of a config.json before it is added to */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "oci/config.h"
#include "oci/config_places.h"

/* One entry of linux.devices. */
struct config_device {
	char *path;
	char type;	/* 'b', 'c', 'p', 'u' */
	uint32_t major; /* UINT32_MAX: none, of a FIFO */
	uint32_t minor;
};

struct config_mount {
	char *destination;
	char *source; /* "": none */
	bool is_bind;
	bool has_content; /* it neither begins empty nor is the kernel's own */
};

struct config_edit {
	struct config_places places;
	struct config_device *devices;
	size_t n_devices;
	struct config_mount *mounts;
	size_t n_mounts;
	bool has_hook; /* ours is registered at createRuntime or prestart */
};

void config_edit_clear(struct config_edit *edit);
DEFINE_CLEANUP(struct config_edit, config_edit_clear)

/**
 * config_edit_parse() - As oci_config_parse(), for a config.json that will be added to
 * @hook_path:	our own program, as the entry of a hook would name it
 * @ret_edit:	filled where there is a request; config_edit_clear() it
 * @err:	E2BIG: more than LIMIT_CONFIG_ENTRIES devices or mounts
 *
 * A choice that stands in there is not looked at: it is replaced.
 */
int config_edit_parse(const char *text, size_t len, const char *key,
		      const char *hook_path, struct oci_config *ret_config,
		      struct config_edit *ret_edit, struct err *err);

/**
 * config_edit_check_hook() - Believe has_hook only if the text has the hook's path
 * @edit:	whose places fit @text
 *
 * For the parent, whose child may lie: without its entry the hook would not run. A path
 * with an escape is not found, and then the hook is registered a second time, which does
 * nothing more.
 */
void config_edit_check_hook(struct config_edit *edit, const struct bytes *text,
			    const char *hook_path);
