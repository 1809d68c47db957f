/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - why a request gets no GPU, and what is there instead */

#include "stage/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "injector/injectors.h"
#include "stage/rivals.h"

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

/* "amd:0 (0000:c1:00.0, renderD128)"; a part by its own name, where it has one: its
   address is the whole GPU's. */
static void say_gpu(struct line *line, const struct gpu *gpu)
{
	const char *name = gpu->partition_name ? gpu->partition_name : gpu->pci;
	const char *render = match_render_name(gpu);

	say(line, "%s:%u", gpu->vendor, gpu->index);
	if (name || render) {
		say(line, " (%s%s%s)", name ? name : "", name && render ? ", " : "",
		    render ? render : "");
	}
}

static size_t count_usable(const struct inventory *inv)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		n += match_is_usable(&inv->gpus[i]);
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
		if (!match_is_usable(&inv->gpus[i])) {
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

/* "nvidia, amd, intel, apple; did you mean nvidia" */
static void say_known_vendors(struct line *line, const char *vendor, const char *end)
{
	const char *meant = injectors_find_almost(vendor);

	say(line, "%s%s", injectors_known_vendors(), end);
	if (meant) {
		say(line, "; did you mean %s", meant);
	}
}

char *explain_fallback(const struct inventory *inv, const char *vendor)
{
	struct line line = {0};
	bool is_driver = false;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		is_driver |= match_has_driver(&inv->gpus[i], vendor);
	}
	if (is_driver) {
		say(&line,
		    "no GPU of the driver '%s' has a render node that can be used, "
		    "taking any DRI render node",
		    vendor);
	} else {
		say(&line,
		    "unknown vendor '%s', taking any DRI render node; known vendors: ",
		    vendor);
		say_known_vendors(&line, vendor, "");
	}
	return xstrdup(line.text);
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
		n += match_is_usable(&inv->gpus[i]) &&
		     text_equals(inv->gpus[i].vendor, vendor);
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
		if (match_is_usable(&inv->gpus[i]) &&
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

		if (!match_is_usable(gpu) || !is_first_of_vendor(inv, i)) {
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
	return meaning == MEANS_RENDER_NODE || match_is_meant(gpu, spec->vendor, meaning);
}

/* GPUs that may be meant do not all count. */
static bool is_rejected(const struct gpu *gpu, const struct gpu_spec *spec,
			enum meaning meaning, bool needs_compute)
{
	return may_be_meant(gpu, spec, meaning) &&
	       (!match_is_usable(gpu) || !match_has_model(gpu, spec) ||
		(needs_compute && !gpu->can_compute));
}

/* Both are rejected. */
static bool is_same_reason(const struct gpu *a, const struct gpu *b,
			   const struct gpu_spec *spec)
{
	if (!match_is_usable(a) || !match_is_usable(b)) {
		return !match_is_usable(a) && !match_is_usable(b) &&
		       text_equals(a->unusable_reason, b->unusable_reason);
	}
	return (match_has_model(a, spec) && match_has_model(b, spec)) ||
	       text_equals(a->model, b->model);
}

static void say_reason(struct line *line, const struct gpu *gpu,
		       const struct gpu_spec *spec, bool is_one)
{
	const char *verb = is_one ? "is" : "are";

	if (!match_is_usable(gpu)) {
		say(line, " %s not usable: %s", verb, gpu->unusable_reason);
	} else if (!match_has_model(gpu, spec)) {
		say(line, " %s '%s'", verb, gpu->model);
	} else {
		say(line, " cannot compute");
	}
}

/* "amd:1, amd:2 and 5 more": those from @first on that are rejected for its reason. A
   single one with all its names. */
static void say_alike(struct line *line, const struct gpu_spec *spec,
		      const struct gpu *const *gpus, size_t first, size_t n)
{
	size_t n_alike = 0;

	for (size_t i = first; i < n; i++) {
		n_alike += is_same_reason(gpus[first], gpus[i], spec);
	}
	if (n_alike == 1) {
		say_gpu(line, gpus[first]);
	} else {
		size_t n_said = 0;

		for (size_t i = first; i < n && n_said < GPUS_IN_A_MESSAGE; i++) {
			if (is_same_reason(gpus[first], gpus[i], spec)) {
				say(line, "%s%s:%u", n_said > 0 ? ", " : "",
				    gpus[i]->vendor, gpus[i]->index);
				n_said++;
			}
		}
		if (n_alike > n_said) {
			say(line, " and %zu more", n_alike - n_said);
		}
	}
	say_reason(line, gpus[first], spec, n_alike == 1);
}

/* Why the GPUs that may be meant do not all count, each reason once. Return: is there
   any? */
static bool say_rejected(struct line *line, const struct gpu_spec *spec,
			 const struct inventory *inv, enum meaning meaning)
{
	autofree const struct gpu **gpus = xcalloc(inv->n_gpus, sizeof(struct gpu *));
	bool needs_compute = match_must_compute(spec, inv, meaning);
	size_t n_reasons = 0;
	size_t n = 0;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (is_rejected(&inv->gpus[i], spec, meaning, needs_compute)) {
			gpus[n++] = &inv->gpus[i];
		}
	}
	for (size_t i = 0; i < n && n_reasons < GPUS_IN_A_MESSAGE; i++) {
		bool is_new = true;

		for (size_t k = 0; k < i && is_new; k++) {
			is_new = !is_same_reason(gpus[k], gpus[i], spec);
		}
		if (is_new) {
			say(line, "; ");
			say_alike(line, spec, gpus, i, n);
			n_reasons++;
		}
	}
	return n > 0;
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
		if (match_is_usable(gpu) || gpu->driver) {
			return false;
		}
		is_any = true;
	}
	return is_any;
}

/* What the vendor's driver is there for, if for no GPU. */
static void say_notes(struct line *line, const char *vendor, const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_notes; i++) {
		if (text_equals(inv->notes[i].vendor, vendor)) {
			say(line, "; %s", inv->notes[i].text);
		}
	}
}

int explain_too_few(const struct gpu_spec *spec, const struct inventory *inv,
		    enum meaning meaning, size_t found, struct err *err)
{
	struct line line = {0};
	bool is_elsewhere = found == 0 && !spec->model && injectors_know(spec->vendor) &&
			    say_others(&line, spec, inv);
	bool is_any_rejected;

	if (!is_elsewhere) {
		say_asked(&line, spec, found);
	}
	if (meaning == MEANS_RENDER_NODE) {
		say(&line, "; it is no known vendor (");
		say_known_vendors(&line, spec->vendor,
				  "), so any DRI render node would do");
	}
	is_any_rejected = say_rejected(&line, spec, inv, meaning);
	if (found == 0 && !is_any_rejected && !is_elsewhere) {
		say_usable(&line, inv);
	}
	say_notes(&line, spec->vendor, inv);
	return err_set(err, is_driver_missing(spec, inv, meaning) ? ENODEV : ENOENT, "%s",
		       line.text);
}

static bool has_node(const struct gpu *gpu, const char *name)
{
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		const char *slash = strrchr(gpu->nodes[i].path, '/');

		if (slash && text_equals(slash + 1, name)) {
			return true;
		}
	}
	return false;
}

/* `list` shows nodes beside ids: "; it is a node of amd:0; write amd:0". Return: is
   it one? */
static bool say_node(struct line *line, const struct inventory *inv, const char *id)
{
	const struct gpu *gpu = NULL;
	size_t n = 0;

	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (has_node(&inv->gpus[i], id)) {
			gpu = &inv->gpus[i];
			n++;
		}
	}
	if (n == 1) {
		say(line, "; it is a node of %s:%u; write %s:%u", gpu->vendor, gpu->index,
		    gpu->vendor, gpu->index);
	} else if (n > 1) {
		say(line,
		    "; it is a node of %zu GPUs; write the INDEX of one, as `list` shows "
		    "it",
		    n);
	}
	return n > 0;
}

int explain_absent_id(const struct gpu_spec *spec, const struct inventory *inv,
		      const char *id, struct err *err)
{
	struct line line = {0};
	uint32_t index;

	if (match_is_index(id, &index)) {
		say(&line, "device '%s': no such %s GPU", id, spec->vendor);
		if (!spec->has_vendor) {
			say(&line, " (an index without a vendor means %s)", spec->vendor);
		}
	} else {
		say(&line, "device '%s': no such GPU", id);
	}
	if (text_starts_with(id, "MIG-")) {
		say(&line, "; UUIDs of MIG devices are known to the driver's library "
			   "alone: write a name as 0:1");
	}
	if (!say_node(&line, inv, id)) {
		say_usable(&line, inv);
	}
	return err_set(err, ENOENT, "%s", line.text);
}

/* "; name it by its PCI address, its render node or its vendor and index": what tells
   these two apart. */
static void say_ways_to_name(struct line *line, const struct gpu *first,
			     const struct gpu *second)
{
	const char *ways[] = {
		first->pci && second->pci && !text_equals(first->pci, second->pci)
			? "PCI address"
			: NULL,
		first->partition_name && second->partition_name ? "partition name" : NULL,
		match_render_name(first) && match_render_name(second) ? "render node"
								      : NULL,
	};
	const char *before = "; name it by its ";
	bool is_any = false;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (ways[i]) {
			say(line, "%s%s", before, ways[i]);
			before = ", its ";
			is_any = true;
		}
	}
	say(line, "%svendor and index", is_any ? " or its " : before);
}

/* One id that several GPUs answer to: partitions of one GPU share its UUID and address,
   and an address without its domain may be there twice. */
int explain_ambiguous_id(const char *id, const struct gpu *first,
			 const struct gpu *second, struct err *err)
{
	struct line line = {0};

	say(&line, "device '%s': is ", id);
	say_gpu(&line, first);
	say(&line, " as well as ");
	say_gpu(&line, second);
	say_ways_to_name(&line, first, second);
	return err_set(err, EINVAL, "%s", line.text);
}

/* "container 'web' (process 4711) has it exclusively" */
static void say_holder(struct line *line, const struct holder *holder)
{
	say(line, "container '%s' (process %d) has it%s", holder->id, holder->init.pid,
	    holder->is_exclusive ? " exclusively" : "");
}

char *explain_holder(const struct holder *holder)
{
	struct line line = {0};

	say_holder(&line, holder);
	return xstrdup(line.text);
}

/* Everything that fits and is held. */
static void say_held(struct line *line, const struct gpu_spec *spec,
		     const struct inventory *inv, const struct select_terms *terms,
		     enum meaning meaning)
{
	bool needs_compute = match_must_compute(spec, inv, meaning);
	size_t n_said = 0;

	for (size_t i = 0; i < inv->n_gpus && n_said < GPUS_IN_A_MESSAGE; i++) {
		const struct gpu *gpu = &inv->gpus[i];
		const struct holder *blocker;

		if (!match_fits(gpu, spec, meaning, needs_compute)) {
			continue;
		}
		blocker = rivals_find_standing(terms, spec->sharing, gpu).blocker;
		if (blocker) {
			say(line, "; %s:%u: ", gpu->vendor, gpu->index);
			say_holder(line, blocker);
			n_said++;
		}
	}
}

int explain_held(const struct gpu_spec *spec, const struct inventory *inv,
		 const struct select_terms *terms, enum meaning meaning, size_t wanted,
		 size_t n_free, struct err *err)
{
	struct line line = {0};

	say(&line, "%zu %s GPU%s asked%s, %zu free", wanted, spec->vendor, plural(wanted),
	    spec->sharing == GPU_SHARING_EXCLUSIVE ? " exclusively" : "", n_free);
	say_held(&line, spec, inv, terms, meaning);
	return err_set(err, EBUSY, "%s", line.text);
}

int explain_held_id(const struct gpu_spec *spec, const char *id, const struct gpu *gpu,
		    const struct holder *blocker, struct err *err)
{
	struct line line = {0};

	say(&line, "device '%s': %s:%u is asked%s, but ", id, gpu->vendor, gpu->index,
	    spec->sharing == GPU_SHARING_EXCLUSIVE ? " exclusively" : " for sharing");
	say_holder(&line, blocker);
	return err_set(err, EBUSY, "%s", line.text);
}
