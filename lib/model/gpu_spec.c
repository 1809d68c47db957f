/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_spec.c - what a container asks for */

#include "model/gpu_spec.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/gpu_spec_parse.h"

const char *const gpu_sharing_names[GPU_SHARING_COUNT] = {
	[GPU_SHARING_SHARED] = "shared",
	[GPU_SHARING_EXCLUSIVE] = "exclusive",
};
_Static_assert(GPU_SHARING_COUNT == 2, "a way of sharing has no name");

const char *const gpu_capability_names[GPU_CAPABILITY_COUNT] = {
	[GPU_CAPABILITY_COMPUTE] = "compute", [GPU_CAPABILITY_UTILITY] = "utility",
	[GPU_CAPABILITY_VIDEO] = "video",     [GPU_CAPABILITY_GRAPHICS] = "graphics",
	[GPU_CAPABILITY_DISPLAY] = "display",
};
_Static_assert(GPU_CAPABILITY_COUNT == 5, "a capability has no name");

const char *const gpu_field_names[GPU_FIELD_COUNT] = {
	[GPU_FIELD_COUNT_OF_GPUS] = "count",
	[GPU_FIELD_VENDOR] = "vendor",
	[GPU_FIELD_MODE] = "mode",
	[GPU_FIELD_DEVICES] = "devices",
	[GPU_FIELD_MODEL] = "model",
	[GPU_FIELD_SHARING] = "sharing",
	[GPU_FIELD_CAPABILITIES] = "capabilities",
};
_Static_assert(GPU_FIELD_COUNT == 7, "a field has no name");

/* ---- life cycle -------------------------------------------------------------------- */

static void set_defaults(struct gpu_spec *spec)
{
	*spec = (struct gpu_spec){
		.count = 1,
		.vendor = xstrdup(GPU_SPEC_DEFAULT_VENDOR),
		.sharing = GPU_SHARING_SHARED,
		.capabilities =
			1U << GPU_CAPABILITY_COMPUTE | 1U << GPU_CAPABILITY_UTILITY,
	};
}

void gpu_spec_clear(struct gpu_spec *spec)
{
	free_texts(spec->devices, spec->n_devices);
	free(spec->vendor);
	free(spec->mode);
	free(spec->model);
	*spec = (struct gpu_spec){0};
}

bool gpu_spec_is_request(const struct gpu_spec *spec)
{
	return spec->is_all || spec->count > 0;
}

char *gpu_spec_describe_zero(const struct gpu_spec *spec)
{
	return spec->has_vendor
		       ? xasprintf("0 are asked for; the GPU that `list` calls %s:0 is "
				   "devices=%s:0",
				   spec->vendor, spec->vendor)
		       : xstrdup("0 are asked for");
}

bool gpu_spec_has_capability(const struct gpu_spec *spec, enum gpu_capability capability)
{
	return (spec->capabilities & 1U << capability) != 0;
}

/* ---- what a value may be ----------------------------------------------------------- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct gpu_quote gpu_quote(const char *text, size_t len)
{
	struct gpu_quote quote = {{0}};
	const size_t max = 40;
	size_t n = len < max ? len : max;

	for (size_t i = 0; i < n; i++) {
		quote.text[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	}
	if (len > max) {
		memcpy(quote.text + max, "...", sizeof("..."));
	}
	return quote;
}

bool gpu_text_is(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

int gpu_find_name(const char *const *names, int n, const char *text, size_t len)
{
	for (int i = 0; i < n; i++) {
		if (gpu_text_is(text, len, names[i])) {
			return i;
		}
	}
	return -1;
}

const char *gpu_spec_field(size_t i)
{
	return i < GPU_FIELD_COUNT ? gpu_field_names[i] : NULL;
}

size_t gpu_id_span(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (is_alnum(text[n]) || (text[n] && strchr(":._-", text[n])))) {
		n++;
	}
	return n;
}

/* Lower case, so that whoever compares vendors later need not think of it. A text that
   cannot be a driver's name is kept, for the warning that will quote it. */
void gpu_spec_set_vendor(struct gpu_spec *spec, const char *text, size_t len)
{
	char *vendor = xstrndup(text, len);
	bool is_name = true;

	for (const char *c = vendor; *c; c++) {
		is_name = is_name && (is_alnum(*c) || *c == '_' || *c == '-');
	}
	for (char *c = vendor; is_name && *c; c++) {
		if (*c >= 'A' && *c <= 'Z') {
			*c = (char)(*c - 'A' + 'a');
		}
	}
	free(spec->vendor);
	spec->vendor = vendor;
	spec->has_vendor = true;
}

void gpu_spec_set_all(struct gpu_spec *spec)
{
	spec->is_all = true;
	spec->count = 0;
}

const char *gpu_spec_set_model(struct gpu_spec *spec, const char *text, size_t len)
{
	if (len == 0) {
		return "it is empty; write a part of the model's name, or leave it out";
	}
	if (len > GPU_MODEL_MAX_BYTES) {
		return "it has more than 256 bytes";
	}
	spec->model = xstrndup(text, len);
	return NULL;
}
_Static_assert(GPU_MODEL_MAX_BYTES == 256, "a message says 256");

const char *gpu_spec_set_sharing(struct gpu_spec *spec, const char *text, size_t len)
{
	int found = gpu_find_name(gpu_sharing_names, GPU_SHARING_COUNT, text, len);

	if (found < 0) {
		return "write shared or exclusive";
	}
	spec->sharing = (enum gpu_sharing)found;
	return NULL;
}

/* What looks like an id and can be none, or what people take for one. */
static const char *misread_id(const char *id)
{
	static const char digits[] = "0123456789";
	size_t first = strspn(id, digits);
	size_t second = id[first] == '-' ? strspn(id + first + 1, digits) : 0;

	if (strchr(id, '/')) {
		return "a device id is no path; write its last part, as renderD129";
	}
	if (text_equals_no_case(id, "all")) {
		return "this is no device; write all, VENDOR:all or count=all instead of "
		       "devices";
	}
	if (first > 0 && second > 0 && !id[first + 1 + second]) {
		return "there are no ranges; list each device: devices=0+1, in JSON "
		       "[0, 1]";
	}
	return NULL;
}

const char *gpu_spec_add_device(struct gpu_spec *spec, const char *text, size_t len)
{
	autofree char *id = xstrndup(text, len);
	const char *reason = misread_id(id);

	if (len == 0 || len > GPU_ID_MAX_BYTES) {
		return "a device id has 1 to 64 characters";
	}
	if (reason) {
		return reason;
	}
	if (gpu_id_span(text, len) < len) {
		return "a device id is an index, a PCI address, a UUID or a render node's "
		       "name: letters, digits and : . _ - only";
	}
	if (spec->n_devices == LIMIT_GPUS) {
		return "more than 256 devices are listed";
	}
	for (size_t i = 0; i < spec->n_devices; i++) {
		/* Hexadecimal digits of an address or a UUID come in both cases. */
		if (text_equals_no_case(spec->devices[i], id)) {
			return "this device is listed twice";
		}
	}
	spec->devices = xgrow(spec->devices, spec->n_devices, sizeof(*spec->devices));
	spec->devices[spec->n_devices++] = steal_ptr(&id);
	spec->count = (uint32_t)spec->n_devices;
	return NULL;
}
_Static_assert(GPU_ID_MAX_BYTES == 64 && LIMIT_GPUS == 256, "messages say 64 and 256");

const char *gpu_spec_add_capability(struct gpu_spec *spec, const char *text, size_t len)
{
	int found = gpu_find_name(gpu_capability_names, GPU_CAPABILITY_COUNT, text, len);

	if (found < 0) {
		return "a capability is one of compute, utility, video, graphics, display";
	}
	if (!spec->has_capabilities) {
		spec->capabilities = 0;
		spec->has_capabilities = true;
	}
	if (gpu_spec_has_capability(spec, (enum gpu_capability)found)) {
		return "this capability is listed twice";
	}
	spec->capabilities |= 1U << found;
	return NULL;
}

const char *gpu_spec_check_fields(unsigned int fields)
{
	const unsigned int both = 1U << GPU_FIELD_DEVICES | 1U << GPU_FIELD_COUNT_OF_GPUS;

	if ((fields & both) == both) {
		return "devices and count exclude each other; leave one of them out";
	}
	return NULL;
}

/* ---- dispatch ---------------------------------------------------------------------- */

/* The blanks of JSON, so that trimming means the same in both spellings. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int parse(const char *text, size_t len, struct gpu_spec *spec, struct err *err)
{
	const char *nul = memchr(text, '\0', len);
	size_t start = 0;
	size_t end = len;

	if (nul) {
		return err_set(err, EINVAL, "character %zu: a NUL is not allowed",
			       (size_t)(nul - text) + 1);
	}
	while (start < end && is_blank(text[start])) {
		start++;
	}
	while (start < end && is_blank(text[end - 1])) {
		end--;
	}
	if (start == end) {
		return err_set(
			err, EINVAL,
			"the value is empty; write 0 to ask for no GPU, or leave the "
			"annotation out");
	}
	if (text[start] == '{') {
		return gpu_spec_parse_json(text, len, spec, err);
	}
	return gpu_spec_parse_short(text, start, end, spec, err);
}

int gpu_spec_parse(const char *text, size_t len, struct gpu_spec *ret, struct err *err)
{
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};

	if (len > LIMIT_ANNOTATION_BYTES) {
		return err_set(err, E2BIG, "parse '%s': %zu bytes, and %u are allowed",
			       gpu_quote(text, len).text, len, LIMIT_ANNOTATION_BYTES);
	}
	set_defaults(&spec);
	if (parse(text, len, &spec, err) < 0) {
		return err_wrap(err, "parse '%s'", gpu_quote(text, len).text);
	}
	*ret = spec;
	spec = (struct gpu_spec){0};
	return 0;
}
