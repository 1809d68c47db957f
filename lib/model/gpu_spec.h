/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * gpu_spec.h - what a container asks for
 *
 * The value of the GPU annotation, parsed. Two spellings give the same struct: a JSON
 * object, and a short form for people ("amd:2", "vendor=amd;devices=0+2"). The grammar
 * and the table of inputs: specs/annotation.md.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

enum gpu_sharing {
	GPU_SHARING_SHARED, /* default */
	GPU_SHARING_EXCLUSIVE,
	GPU_SHARING_COUNT,
};

/* Which driver files and extra nodes come along with a GPU. */
enum gpu_capability {
	GPU_CAPABILITY_COMPUTE,
	GPU_CAPABILITY_UTILITY,
	GPU_CAPABILITY_VIDEO,
	GPU_CAPABILITY_GRAPHICS,
	GPU_CAPABILITY_DISPLAY,
	GPU_CAPABILITY_COUNT,
};

struct gpu_spec {
	uint32_t count; /* 0: nothing is asked for; with `devices`: their number */
	bool is_all;	/* "all"; `count` is 0 then and means nothing */

	/* In lower case if it is letters, digits, '_' and '-' only, as every
	   driver's name is; else as it was written, in JSON any text that is
	   not empty. Never NULL. */
	char *vendor;
	bool has_vendor; /* false: nobody wrote a vendor, `vendor` is the default */

	char *mode; /* as written, or NULL; ignored on Linux */

	/* Ids as written: "amd:0", index, PCI address, UUID or render node name. None
	   stands twice, compared without case; that two mean one GPU is found later. */
	char **devices;
	size_t n_devices;

	char *model; /* part of the model name, or NULL */
	enum gpu_sharing sharing;
	uint32_t capabilities; /* bit (1 << enum gpu_capability) */
	bool has_capabilities; /* asked for by name */
};

extern const char *const gpu_sharing_names[GPU_SHARING_COUNT];
extern const char *const gpu_capability_names[GPU_CAPABILITY_COUNT];

#define GPU_SPEC_DEFAULT_VENDOR "nvidia"

void gpu_spec_clear(struct gpu_spec *spec);
DEFINE_CLEANUP(struct gpu_spec, gpu_spec_clear)

/**
 * gpu_spec_parse() - Read the value of the GPU annotation
 * @text:	the value, @len bytes; borrowed. Blanks around it are ignored
 * @ret:	filled on success only; gpu_spec_clear() it
 * @err:	EINVAL, with the position (1 is the first character) or the JSON field,
 *		and what is allowed there; E2BIG over LIMIT_ANNOTATION_BYTES or nested
 *		deeper than LIMIT_JSON_DEPTH
 *
 * Pure. Does not look at the host: an id or a vendor that nothing
 * here has is found later.
 *
 * Return: 0, or negative errno as in @err.
 */
int gpu_spec_parse(const char *text, size_t len, struct gpu_spec *ret, struct err *err);

/* The names of the fields of a request, "count", "sharing", ...; NULL behind the last. */
const char *gpu_spec_field(size_t i);

/* Does @spec ask for anything? False for "0", "amd:0" and {"count": 0}. */
bool gpu_spec_is_request(const struct gpu_spec *spec);

/* Why one that is no request brings nothing, and what to write for a GPU: "amd:0" is what
   `list` calls one. To free(). */
char *gpu_spec_describe_zero(const struct gpu_spec *spec);

bool gpu_spec_has_capability(const struct gpu_spec *spec, enum gpu_capability capability);
