/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_spec_json.c - a request written as a JSON object */

#include "model/gpu_spec_parse.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json_guard.h"
#include "base/mem.h"

typedef int set_field_fn(struct gpu_spec *spec, const json_t *value, struct err *err);

/* jansson's error texts say "near '...'" with text of the user, which it has bounded. */
static int refuse_syntax(const json_error_t *why, struct err *err)
{
	return err_set(
		err, EINVAL,
		"line %d, column %d: %s; write one JSON object with the fields " GPU_FIELDS_TEXT
		", or the short form",
		why->line, why->column, why->text);
}

/* jansson reads -0 as 0 and drops the sign. No number of a request may be negative, and
   no other token of JSON has a '-' outside of a string, except an exponent. */
static int refuse_minus(const char *text, size_t len, struct err *err)
{
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\') {
			i++;
		} else if (text[i] == '"') {
			in_string = !in_string;
		} else if (text[i] == '-' && !in_string) {
			return err_set(
				err, EINVAL,
				"byte %zu: '-' is not allowed outside of a string; a "
				"number here is " GPU_COUNT_TEXT,
				i + 1);
		}
	}
	return 0;
}

static bool is_u32(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 &&
	       json_integer_value(value) <= UINT32_MAX;
}

/* Neither sign, fraction nor exponent, and never a string with digits in it: what another
   program that reads the same annotation would take for something else. */
static int set_count(struct gpu_spec *spec, const json_t *value, struct err *err)
{
	if (is_u32(value)) {
		spec->count = (uint32_t)json_integer_value(value);
		return 0;
	}
	if (json_is_string(value) &&
	    gpu_text_is(json_string_value(value), json_string_length(value), "all")) {
		gpu_spec_set_all(spec);
		return 0;
	}
	return err_set(err, EINVAL,
		       "field \"count\": write " GPU_COUNT_TEXT ", or \"all\"");
}

static int set_vendor(struct gpu_spec *spec, const json_t *value, struct err *err)
{
	if (!json_is_string(value) || json_string_length(value) == 0) {
		return err_set(err, EINVAL,
			       "field \"vendor\": write a vendor's name as a string, or "
			       "leave the field out for \"" GPU_SPEC_DEFAULT_VENDOR "\"");
	}
	gpu_spec_set_vendor(spec, json_string_value(value), json_string_length(value));
	return 0;
}

static int set_mode(struct gpu_spec *spec, const json_t *value, struct err *err)
{
	if (json_is_null(value)) {
		return 0;
	}
	if (!json_is_string(value)) {
		return err_set(err, EINVAL, "field \"mode\": write a string or null");
	}
	spec->mode = xstrdup(json_string_value(value));
	return 0;
}

static const char *add_device(struct gpu_spec *spec, const json_t *value)
{
	char index[sizeof("4294967295")];

	if (json_is_string(value)) {
		return gpu_spec_add_device(spec, json_string_value(value),
					   json_string_length(value));
	}
	if (is_u32(value)) {
		int n = snprintf(index, sizeof(index), "%" PRIu32,
				 (uint32_t)json_integer_value(value));

		return gpu_spec_add_device(spec, index, (size_t)n);
	}
	return "write an id as a string, or an index as " GPU_COUNT_TEXT;
}

static int set_devices(struct gpu_spec *spec, const json_t *value, struct err *err)
{
	const json_t *item;
	size_t i;

	if (json_array_size(value) == 0) {
		return err_set(
			err, EINVAL,
			"field \"devices\": write a list of device ids that is not "
			"empty, or leave the field out");
	}
	json_array_foreach (value, i, item) {
		const char *reason = add_device(spec, item);

		if (reason) {
			return err_set(err, EINVAL, "field \"devices[%zu]\": %s", i,
				       reason);
		}
	}
	return 0;
}

static int set_model(struct gpu_spec *spec, const json_t *value, struct err *err)
{
	const char *reason = "write a string";

	if (json_is_string(value)) {
		reason = gpu_spec_set_model(spec, json_string_value(value),
					    json_string_length(value));
	}
	return reason ? err_set(err, EINVAL, "field \"model\": %s", reason) : 0;
}

static int set_sharing(struct gpu_spec *spec, const json_t *value, struct err *err)
{
	/* Not a string is as wrong as any other string. */
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	const char *reason = gpu_spec_set_sharing(spec, text, strlen(text));

	return reason ? err_set(err, EINVAL, "field \"sharing\": %s", reason) : 0;
}

static int set_capabilities(struct gpu_spec *spec, const json_t *value, struct err *err)
{
	const json_t *item;
	size_t i;

	if (json_array_size(value) == 0) {
		return err_set(
			err, EINVAL,
			"field \"capabilities\": write a list of names that is not "
			"empty, or leave the field out");
	}
	json_array_foreach (value, i, item) {
		const char *text = json_is_string(item) ? json_string_value(item) : "";
		const char *reason = gpu_spec_add_capability(spec, text, strlen(text));

		if (reason) {
			return err_set(err, EINVAL, "field \"capabilities[%zu]\": %s", i,
				       reason);
		}
	}
	return 0;
}

static set_field_fn *const set_field[GPU_FIELD_COUNT] = {
	[GPU_FIELD_COUNT_OF_GPUS] = set_count,
	[GPU_FIELD_VENDOR] = set_vendor,
	[GPU_FIELD_MODE] = set_mode,
	[GPU_FIELD_DEVICES] = set_devices,
	[GPU_FIELD_MODEL] = set_model,
	[GPU_FIELD_SHARING] = set_sharing,
	[GPU_FIELD_CAPABILITIES] = set_capabilities,
};
_Static_assert(GPU_FIELD_COUNT == 7, "a field cannot be set");

/* jansson gives the fields in the order in which they were written. */
static int set_fields(json_t *root, struct gpu_spec *spec, struct err *err)
{
	unsigned int fields = 0;
	const char *reason;
	const char *key;
	json_t *value;

	json_object_foreach (root, key, value) {
		int field =
			gpu_find_name(gpu_field_names, GPU_FIELD_COUNT, key, strlen(key));

		if (field < 0) {
			return err_set(
				err, EINVAL,
				"unknown field \"%s\"; the fields are " GPU_FIELDS_TEXT,
				gpu_quote(key, strlen(key)).text);
		}
		if (set_field[field](spec, value, err) < 0) {
			return -err->code;
		}
		fields |= 1U << field;
	}
	reason = gpu_spec_check_fields(fields);
	return reason ? err_set(err, EINVAL, "%s", reason) : 0;
}

int gpu_spec_parse_json(const char *text, size_t len, struct gpu_spec *spec,
			struct err *err)
{
	cleanup(json_decrefp) json_t *root = NULL;
	json_error_t why = {0};
	int r;

	r = json_guard(text, len, "JSON", err);
	if (r < 0) {
		return r;
	}
	r = refuse_minus(text, len, err);
	if (r < 0) {
		return r;
	}
	/* Two readers of a repeated key could take different values. */
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!root) {
		return refuse_syntax(&why, err);
	}
	return set_fields(root, spec, err);
}
