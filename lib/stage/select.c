/* SPDX-License-Identifier: Apache-2.0 */
/* select.c - which GPUs of the inventory a request gets */

#include "stage/select.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "injector/injectors.h"

/* What the vendor of the request turned out to mean on this host. */
enum meaning {
	MEANS_VENDOR,	   /* GPUs of that vendor */
	MEANS_ALIAS,	   /* none of that vendor, but GPUs that stand in for it */
	MEANS_DRIVER,	   /* GPUs whose kernel driver has that name */
	MEANS_RENDER_NODE, /* any GPU with a DRI render node */
};

/* More GPUs than this in one message help nobody. */
#define GPUS_IN_A_MESSAGE 8U

/* A message that is put together; what does not fit is cut off, as in err_set(). */
struct line {
	char text[sizeof(((struct err *)NULL)->msg)];
	size_t len;
};

static void say(struct line *line, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct line *line, const char *fmt, ...)
{
	size_t room = sizeof(line->text) - line->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line->text + line->len, room, fmt, ap);
	va_end(ap);
	if (n > 0) {
		line->len += (size_t)n < room ? (size_t)n : room - 1;
	}
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static bool is_usable(const struct gpu *gpu)
{
	return !gpu->unusable_reason;
}

/* "renderD128", or NULL. */
static const char *render_name(const struct gpu *gpu)
{
	const struct device_node *node = gpu_find_node(gpu, DEVICE_RENDER);
	const char *slash = node ? strrchr(node->path, '/') : NULL;

	return slash ? slash + 1 : NULL;
}

/* "amd:0 (0000:c1:00.0, renderD128)" */
static void say_gpu(struct line *line, const struct gpu *gpu)
{
	const char *render = render_name(gpu);

	say(line, "%s:%u", gpu->vendor, gpu->index);
	if (gpu->pci || render) {
		say(line, " (%s%s%s)", gpu->pci ? gpu->pci : "",
		    gpu->pci && render ? ", " : "", render ? render : "");
	}
}

static size_t count_usable(const struct inventory *inv)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		n += is_usable(&inv->gpus[i]);
	}
	return n;
}

/* "; here are amd:0 (...), intel:0 (...) and 3 more" */
static void say_usable(struct line *line, const struct inventory *inv)
{
	size_t n = count_usable(inv);
	size_t n_said = 0;

	if (n == 0) {
		say(line, "; this host has no %sGPU", inv->n_gpus > 0 ? "usable " : "");
		return;
	}
	for (size_t i = 0; i < inv->n_gpus && n_said < GPUS_IN_A_MESSAGE; i++) {
		if (!is_usable(&inv->gpus[i])) {
			continue;
		}
		say(line, n_said > 0 ? ", " : n == 1 ? "; here is " : "; here are ");
		say_gpu(line, &inv->gpus[i]);
		n_said++;
	}
	if (n > n_said) {
		say(line, " and %zu more", n - n_said);
	}
}

/* ---- what the vendor means --------------------------------------------------------- */

static bool has_alias(const struct gpu *gpu, const char *vendor)
{
	return gpu->alias && text_equals_no_case(gpu->alias, vendor);
}

static bool has_driver(const struct gpu *gpu, const char *driver)
{
	/* vgem is a device without a driver: its name stands for one, as in `list`. */
	return text_equals_no_case(gpu->driver ? gpu->driver : gpu->vendor, driver);
}

/* Whether it is usable is not asked here. */
static bool is_meant(const struct gpu *gpu, const char *vendor, enum meaning meaning)
{
	switch (meaning) {
	case MEANS_VENDOR:
		return text_equals_no_case(gpu->vendor, vendor);
	case MEANS_ALIAS:
		return has_alias(gpu, vendor);
	case MEANS_DRIVER:
		return has_driver(gpu, vendor) && render_name(gpu);
	case MEANS_RENDER_NODE:
		return render_name(gpu);
	}
	return false;
}

static bool is_any_meant(const struct inventory *inv, const char *vendor,
			 enum meaning meaning)
{
	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (is_usable(&inv->gpus[i]) &&
		    is_meant(&inv->gpus[i], vendor, meaning)) {
			return true;
		}
	}
	return false;
}

static enum meaning find_meaning(const struct inventory *inv, const char *vendor)
{
	if (injectors_know(vendor)) {
		return !is_any_meant(inv, vendor, MEANS_VENDOR) &&
				       is_any_meant(inv, vendor, MEANS_ALIAS)
			       ? MEANS_ALIAS
			       : MEANS_VENDOR;
	}
	return is_any_meant(inv, vendor, MEANS_DRIVER) ? MEANS_DRIVER : MEANS_RENDER_NODE;
}

static void warn_of_fallback(const struct inventory *inv, const char *vendor,
			     struct selection *selection)
{
	struct line line = {0};
	bool is_driver = false;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		is_driver |= has_driver(&inv->gpus[i], vendor);
	}
	if (is_driver) {
		say(&line,
		    "no GPU of the driver '%s' has a render node that can be used, "
		    "taking any DRI render node",
		    vendor);
	} else {
		say(&line,
		    "unknown vendor '%s', taking any DRI render node; known vendors: %s",
		    vendor, injectors_known_vendors());
	}
	selection->warnings = xgrow(selection->warnings, selection->n_warnings,
				    sizeof(*selection->warnings));
	selection->warnings[selection->n_warnings++] = xstrdup(line.text);
}

/* ---- by number --------------------------------------------------------------------- */

static bool has_model(const struct gpu *gpu, const struct gpu_spec *spec)
{
	return !spec->model || text_contains_no_case(gpu->model, spec->model);
}

/* Capabilities say nothing of what a render node alone gives: compute is asked for by
   default, and which GPUs have it is known for the known vendors only. */
static bool must_compute(const struct gpu_spec *spec, const struct inventory *inv,
			 enum meaning meaning)
{
	if (!gpu_spec_has_capability(spec, GPU_CAPABILITY_COMPUTE) ||
	    meaning == MEANS_DRIVER || meaning == MEANS_RENDER_NODE) {
		return false;
	}
	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (is_usable(gpu) && gpu->can_compute && has_model(gpu, spec) &&
		    is_meant(gpu, spec->vendor, meaning)) {
			return true;
		}
	}
	return false;
}

/* "2 amd GPUs of model 'navi' asked, 1 found" */
static void say_asked(struct line *line, const struct gpu_spec *spec, size_t found)
{
	const char *quote = injectors_know(spec->vendor) ? "" : "'";

	if (spec->is_all) {
		say(line, "all ");
	} else {
		say(line, "%u ", spec->count);
	}
	say(line, "%s%s%s GPU%s", quote, spec->vendor, quote,
	    spec->is_all ? "s" : plural(spec->count));
	if (spec->model) {
		say(line, " of model '%s'", spec->model);
	}
	say(line, " asked, %zu found", found);
}

/* Usable GPUs of @vendor. */
static size_t count_vendor(const struct inventory *inv, const char *vendor)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		n += is_usable(&inv->gpus[i]) && text_equals(inv->gpus[i].vendor, vendor);
	}
	return n;
}

/* Usable or not. */
static bool is_here(const struct inventory *inv, const char *vendor)
{
	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (text_equals(inv->gpus[i].vendor, vendor)) {
			return true;
		}
	}
	return false;
}

static bool is_first_of_vendor(const struct inventory *inv, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (is_usable(&inv->gpus[i]) &&
		    text_equals(inv->gpus[i].vendor, inv->gpus[index].vendor)) {
			return false;
		}
	}
	return true;
}

/* "0 nvidia GPUs here, 1 amd; try amd:1". Return: is there anything of another vendor? */
static bool say_others(struct line *line, const struct gpu_spec *spec,
		       const struct inventory *inv)
{
	const char *first = NULL;
	size_t wanted;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (!is_usable(gpu) || !is_first_of_vendor(inv, i)) {
			continue;
		}
		if (!first) {
			first = gpu->vendor;
			say(line, "0 %s%s GPUs here",
			    is_here(inv, spec->vendor) ? "usable " : "", spec->vendor);
		}
		say(line, ", %zu %s", count_vendor(inv, gpu->vendor), gpu->vendor);
	}
	if (!first) {
		return false;
	}
	wanted = count_vendor(inv, first);
	if (!spec->is_all && spec->count < wanted) {
		wanted = spec->count;
	}
	say(line, "; try %s:%zu", first, wanted);
	return true;
}

/* Everything that the user may have meant: for any render node, every GPU. */
static bool may_be_meant(const struct gpu *gpu, const struct gpu_spec *spec,
			 enum meaning meaning)
{
	return meaning == MEANS_RENDER_NODE || is_meant(gpu, spec->vendor, meaning);
}

/* Why the GPUs that may be meant do not all count. Return: how many were said. */
static size_t say_rejected(struct line *line, const struct gpu_spec *spec,
			   const struct inventory *inv, enum meaning meaning)
{
	bool needs_compute = must_compute(spec, inv, meaning);
	size_t n_said = 0;

	for (size_t i = 0; i < inv->n_gpus && n_said < GPUS_IN_A_MESSAGE; i++) {
		const struct gpu *gpu = &inv->gpus[i];
		const char *why = gpu->unusable_reason;

		if (!may_be_meant(gpu, spec, meaning)) {
			continue;
		}
		if (!why && has_model(gpu, spec) &&
		    (gpu->can_compute || !needs_compute)) {
			continue;
		}
		say(line, "; ");
		say_gpu(line, gpu);
		if (why) {
			say(line, " is not usable: %s", why);
		} else if (!has_model(gpu, spec)) {
			say(line, " is '%s'", gpu->model);
		} else {
			say(line, " cannot compute");
		}
		n_said++;
	}
	return n_said;
}

/* Are there GPUs that may be meant, and what all of them lack is a driver? */
static bool is_driver_missing(const struct gpu_spec *spec, const struct inventory *inv,
			      enum meaning meaning)
{
	bool is_any = false;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (!may_be_meant(gpu, spec, meaning)) {
			continue;
		}
		if (is_usable(gpu) || gpu->driver) {
			return false;
		}
		is_any = true;
	}
	return is_any;
}

static int too_few(const struct gpu_spec *spec, const struct inventory *inv,
		   enum meaning meaning, size_t found, struct err *err)
{
	struct line line = {0};
	bool is_elsewhere = found == 0 && !spec->model && injectors_know(spec->vendor) &&
			    say_others(&line, spec, inv);
	size_t n_rejected;

	if (!is_elsewhere) {
		say_asked(&line, spec, found);
	}
	if (meaning == MEANS_RENDER_NODE) {
		say(&line,
		    "; it is no known vendor (%s), so any DRI render node would do",
		    injectors_known_vendors());
	}
	n_rejected = say_rejected(&line, spec, inv, meaning);
	if (found == 0 && n_rejected == 0 && !is_elsewhere) {
		say_usable(&line, inv);
	}
	return err_set(err, is_driver_missing(spec, inv, meaning) ? ENODEV : ENOENT, "%s",
		       line.text);
}

static int select_by_number(const struct gpu_spec *spec, const struct inventory *inv,
			    enum meaning meaning, struct selection *selection,
			    struct err *err)
{
	bool needs_compute = must_compute(spec, inv, meaning);

	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (!spec->is_all && selection->n_gpus == spec->count) {
			break;
		}
		if (is_usable(gpu) && is_meant(gpu, spec->vendor, meaning) &&
		    has_model(gpu, spec) && (gpu->can_compute || !needs_compute)) {
			selection->gpus[selection->n_gpus++] = gpu;
		}
	}
	if (spec->is_all ? selection->n_gpus == 0 : selection->n_gpus < spec->count) {
		return too_few(spec, inv, meaning, selection->n_gpus, err);
	}
	return 0;
}

/* ---- by id ------------------------------------------------------------------------- */

/* "amd:0", as `list` shows it. */
static bool has_vendor_and_index(const struct gpu *gpu, const char *id)
{
	size_t len = strlen(gpu->vendor);
	uint32_t index;

	return strncasecmp(id, gpu->vendor, len) == 0 && id[len] == ':' &&
	       text_to_u32(id + len + 1, strlen(id + len + 1), &index) == 0 &&
	       index == gpu->index;
}

/* "amd:0", "0000:C1:00.0", "c1:00.0", "GPU-...", "0x...", "renderD128" */
static bool has_name(const struct gpu *gpu, const char *id)
{
	const char *without_domain = gpu->pci ? strchr(gpu->pci, ':') : NULL;
	const char *render = render_name(gpu);

	return has_vendor_and_index(gpu, id) ||
	       (gpu->pci && text_equals_no_case(gpu->pci, id)) ||
	       (without_domain && text_equals_no_case(without_domain + 1, id)) ||
	       (gpu->uuid && text_equals_no_case(gpu->uuid, id)) ||
	       (render && text_equals(render, id));
}

static bool is_index(const char *id, uint32_t *ret)
{
	return text_to_u32(id, strlen(id), ret) == 0;
}

static int absent_id(const struct gpu_spec *spec, const struct inventory *inv,
		     const char *id, struct err *err)
{
	struct line line = {0};
	uint32_t index;

	if (is_index(id, &index)) {
		say(&line, "device '%s': no such %s GPU", id, spec->vendor);
		if (!spec->has_vendor) {
			say(&line, " (an index without a vendor means %s)", spec->vendor);
		}
	} else {
		say(&line, "device '%s': no such GPU", id);
	}
	say_usable(&line, inv);
	return err_set(err, ENOENT, "%s", line.text);
}

/* One id that several GPUs answer to: partitions of one GPU share its UUID and address,
   and an address without its domain may be there twice. */
static int ambiguous_id(const char *id, const struct gpu *first, const struct gpu *second,
			struct err *err)
{
	struct line line = {0};

	say(&line, "device '%s': is ", id);
	say_gpu(&line, first);
	say(&line, " as well as ");
	say_gpu(&line, second);
	say(&line, "; name it by its render node or by its vendor and index");
	return err_set(err, EINVAL, "%s", line.text);
}

static int find_by_id(const struct gpu_spec *spec, const struct inventory *inv,
		      enum meaning meaning, const char *id, size_t *ret, struct err *err)
{
	size_t found = inv->n_gpus;
	uint32_t index = 0;
	bool by_index = is_index(id, &index);

	for (size_t i = 0; i < inv->n_gpus; i++) {
		const struct gpu *gpu = &inv->gpus[i];

		if (by_index
			    ? gpu->index != index || !is_meant(gpu, spec->vendor, meaning)
			    : !has_name(gpu, id)) {
			continue;
		}
		if (found < inv->n_gpus) {
			return ambiguous_id(id, &inv->gpus[found], gpu, err);
		}
		found = i;
	}
	if (found == inv->n_gpus) {
		return absent_id(spec, inv, id, err);
	}
	*ret = found;
	return 0;
}

static int check_by_id(const struct gpu_spec *spec, enum meaning meaning, const char *id,
		       const struct gpu *gpu, struct err *err)
{
	uint32_t index;
	bool needs_vendor = spec->has_vendor || is_index(id, &index);

	if (needs_vendor && !is_meant(gpu, spec->vendor, meaning)) {
		if (meaning == MEANS_RENDER_NODE) {
			return err_set(err, EINVAL,
				       "device '%s': is %s:%u, which has no render node; "
				       "ask for vendor '%s'",
				       id, gpu->vendor, gpu->index, gpu->vendor);
		}
		return err_set(
			err, EINVAL,
			"device '%s': is %s:%u, not a GPU of '%s'; leave the vendor "
			"out or ask for '%s'",
			id, gpu->vendor, gpu->index, spec->vendor, gpu->vendor);
	}
	if (!is_usable(gpu)) {
		return err_set(err, gpu->driver ? ENOENT : ENODEV,
			       "device '%s': %s:%u is not usable: %s", id, gpu->vendor,
			       gpu->index, gpu->unusable_reason);
	}
	if (!has_model(gpu, spec)) {
		return err_set(err, ENOENT,
			       "device '%s': %s:%u is '%s', not of model '%s'", id,
			       gpu->vendor, gpu->index, gpu->model, spec->model);
	}
	return 0;
}

static int select_by_ids(const struct gpu_spec *spec, const struct inventory *inv,
			 enum meaning meaning, struct selection *selection,
			 struct err *err)
{
	/* The id that chose each GPU, or NULL. */
	autofree const char **chosen_by = xcalloc(inv->n_gpus, sizeof(*chosen_by));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < spec->n_devices; i++) {
		const char *id = spec->devices[i];

		r = find_by_id(spec, inv, meaning, id, &n, err);
		if (r < 0) {
			return r;
		}
		r = check_by_id(spec, meaning, id, &inv->gpus[n], err);
		if (r < 0) {
			return r;
		}
		if (chosen_by[n]) {
			return err_set(err, EINVAL,
				       "device '%s': is the same GPU as '%s', %s:%u", id,
				       chosen_by[n], inv->gpus[n].vendor,
				       inv->gpus[n].index);
		}
		chosen_by[n] = id;
	}
	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (chosen_by[i]) {
			selection->gpus[selection->n_gpus++] = &inv->gpus[i];
		}
	}
	return 0;
}

/* ---- both -------------------------------------------------------------------------- */

void selection_clear(struct selection *selection)
{
	for (size_t i = 0; i < selection->n_warnings; i++) {
		free(selection->warnings[i]);
	}
	free(selection->warnings);
	free(selection->gpus);
	*selection = (struct selection){0};
}

int select_gpus(const struct gpu_spec *spec, const struct inventory *inv,
		struct selection *ret, struct err *err)
{
	cleanup(selection_clearp) struct selection selection = {0};
	enum meaning meaning = find_meaning(inv, spec->vendor);
	int r;

	if (spec->sharing == GPU_SHARING_EXCLUSIVE) {
		return err_set(err, EOPNOTSUPP,
			       "sharing 'exclusive': exclusive GPUs are not supported by "
			       "this version; use 'shared'");
	}
	selection.gpus = xcalloc(inv->n_gpus, sizeof(struct gpu *));
	if (meaning == MEANS_RENDER_NODE) {
		warn_of_fallback(inv, spec->vendor, &selection);
	}
	r = spec->n_devices > 0 ? select_by_ids(spec, inv, meaning, &selection, err)
				: select_by_number(spec, inv, meaning, &selection, err);
	if (r < 0) {
		return r;
	}
	*ret = selection;
	selection = (struct selection){0};
	return 0;
}
