/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cdi_yaml.h - as much of YAML as specifications of devices are written in */

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

/**
 * cdi_yaml_parse() - Read a YAML document whose top is a mapping
 * @text:	@len bytes; borrowed
 * @what:	for the message: "CDI specification '/etc/cdi/nvidia.yaml'"
 * @err:	EINVAL with line and column; E2BIG nested deeper than LIMIT_JSON_DEPTH
 *
 * Anchors, aliases and tags are errors: nobody needs them here, and with aliases a few
 * bytes stand for any number. So are a repeated key, a key that is no scalar and a
 * second document. What is plain and looks like a whole number, true, false or null is
 * that; all else is text.
 *
 * Return: an object as json_parse() would give it (json_decref() it), or NULL.
 */
json_t *cdi_yaml_parse(const char *text, size_t len, const char *what, struct err *err);
