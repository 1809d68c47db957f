/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * gpu_spec_parse.h - what the two spellings of a request share
 *
 * Private to lib/model/gpu_spec*.c. A spelling finds a field's value and says where in
 * the text it stands; whether a value of its type is allowed is decided here, once for
 * both. So the gpu_spec_set_...() and gpu_spec_add_...() functions give back the reason
 * for a refusal, a constant string, or NULL when they took the value. What the short form
 * alone refuses, gpu_spec_short.c decides: words that somebody wrote as a vendor and
 * meant otherwise, and characters of a vendor, mode or model that it has a use for
 * itself; JSON takes any text.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/gpu_spec.h"

enum gpu_field {
	GPU_FIELD_COUNT_OF_GPUS, /* "count" */
	GPU_FIELD_VENDOR,
	GPU_FIELD_MODE,
	GPU_FIELD_DEVICES,
	GPU_FIELD_MODEL,
	GPU_FIELD_SHARING,
	GPU_FIELD_CAPABILITIES,
	GPU_FIELD_COUNT,
};

extern const char *const gpu_field_names[GPU_FIELD_COUNT];

/* gpu_field_names, for messages. */
#define GPU_FIELDS_TEXT "count, vendor, mode, devices, model, sharing and capabilities"
#define GPU_COUNT_TEXT	"a whole number from 0 to 4294967295"

/* Longest device id; a UUID has 40 bytes. */
#define GPU_ID_MAX_BYTES 64U
/* Longest `model`; the longest name in the driver's tables has some 60 bytes. */
#define GPU_MODEL_MAX_BYTES 256U

/* Text of a user, made fit for a message. */
struct gpu_quote {
	char text[48];
};

/* At most 40 bytes of @text, then "..."; anything but printable ASCII becomes '?'. */
struct gpu_quote gpu_quote(const char *text, size_t len);

/* Are the @len bytes at @text exactly @word? */
bool gpu_text_is(const char *text, size_t len, const char *word);

/* Index of the @len bytes at @text in @names, or -1. */
int gpu_find_name(const char *const *names, int n, const char *text, size_t len);

/* Number of bytes at the start of @text that may stand in a device id. */
size_t gpu_id_span(const char *text, size_t len);

void gpu_spec_set_vendor(struct gpu_spec *spec, const char *text, size_t len);
void gpu_spec_set_all(struct gpu_spec *spec);
const char *gpu_spec_set_model(struct gpu_spec *spec, const char *text, size_t len);
const char *gpu_spec_set_sharing(struct gpu_spec *spec, const char *text, size_t len);
const char *gpu_spec_add_device(struct gpu_spec *spec, const char *text, size_t len);
const char *gpu_spec_add_capability(struct gpu_spec *spec, const char *text, size_t len);

/**
 * gpu_spec_check_fields() - Refuse fields that exclude each other
 * @fields:	those that were given, bit (1 << enum gpu_field)
 *
 * Return: the reason, or NULL.
 */
const char *gpu_spec_check_fields(unsigned int fields);

/**
 * gpu_spec_parse_json() - Read a request that starts with '{'
 * @text:	the whole value, blanks around it included, so that positions are right
 * @spec:	holds the defaults; half filled on error
 */
int gpu_spec_parse_json(const char *text, size_t len, struct gpu_spec *spec,
			struct err *err);

/**
 * gpu_spec_parse_short() - Read a request in the short form
 * @text:	the whole value
 * @start:	of the request in @text, blanks trimmed; before @end
 * @end:	of the request in @text, blanks trimmed
 * @spec:	holds the defaults; half filled on error
 */
int gpu_spec_parse_short(const char *text, size_t start, size_t end,
			 struct gpu_spec *spec, struct err *err);
