/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_spec_short.c - a request in the short form for people */

#include "model/gpu_spec_parse.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* `text` is the whole value of the annotation, so that a position is an offset in it. */
struct scan {
	const char *text;
	size_t pos;
	size_t end;
	struct err *err;
};

/* A value inside the text: offsets. */
struct part {
	size_t start;
	size_t end;
};

#define VENDOR_OR_COUNT_TEXT \
	"all, a number, VENDOR, VENDOR:NUMBER, VENDOR:all or key=value pairs"

/* ---- errors ------------------------------------------------------------------------ */

/* @at: offset of the first character that cannot stand there. */
static int refuse(const struct scan *s, size_t at, const char *reason)
{
	return err_set(s->err, EINVAL, "character %zu: %s", at + 1, reason);
}

/* As refuse(), with the character that stands there, if any. */
static int refuse_char(const struct scan *s, size_t at, const char *allowed)
{
	const char *c = &s->text[at];

	if (at == s->end) {
		return err_set(s->err, EINVAL, "character %zu: the text ends here; %s",
			       at + 1, allowed);
	}
	if (*c == ' ' || *c == '\t' || *c == '\n' || *c == '\r') {
		return err_set(s->err, EINVAL,
			       "character %zu: a blank is not allowed here; %s", at + 1,
			       allowed);
	}
	return err_set(s->err, EINVAL, "character %zu: '%s' is not allowed here; %s",
		       at + 1, gpu_quote(c, 1).text, allowed);
}

/* ---- words and numbers ------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A vendor, a key or a mode: a letter, then letters, digits, '_' and '-'. */
static size_t name_end(const struct scan *s, size_t start)
{
	size_t i = start;

	if (i < s->end && is_letter(s->text[i])) {
		while (i < s->end && (is_letter(s->text[i]) || is_digit(s->text[i]) ||
				      s->text[i] == '_' || s->text[i] == '-')) {
			i++;
		}
	}
	return i;
}

static bool part_is(const struct scan *s, const struct part *part, const char *word)
{
	return gpu_text_is(s->text + part->start, part->end - part->start, word);
}

static int set_count(const struct scan *s, const struct part *part, struct gpu_spec *spec)
{
	size_t i = part->start;

	if (part_is(s, part, "all")) {
		gpu_spec_set_all(spec);
		return 0;
	}
	while (i < part->end && is_digit(s->text[i])) {
		i++;
	}
	if (i < part->end || i == part->start) {
		return refuse_char(s, i, "write all, or " GPU_COUNT_TEXT);
	}
	switch (text_to_u32(s->text + part->start, part->end - part->start,
			    &spec->count)) {
	case 0:
		return 0;
	case -ERANGE:
		return refuse(s, part->start, "the number is above 4294967295");
	default:
		return refuse(s, part->start, "a number does not start with a 0");
	}
}

#define NO_GPU_TEXT \
	"this is no vendor; write 0 to ask for no GPU, or leave the annotation out"
#define SOME_GPU_TEXT "this is no vendor; write a number of GPUs, or VENDOR:NUMBER"
#define PROGRAMS_TEXT                                                                    \
	"this is no vendor, but what programs for its GPUs are written with; write the " \
	"vendor as `oci-gpu-hook list` shows it"
#define SHARING_TEXT \
	"this is no vendor, but a way of sharing; write a pair, as sharing=exclusive"

/* Words that look like a vendor, and would get the fallback for unknown vendors, while
   the writer meant something else. JSON has own values for some of them. */
static const struct {
	const char *word;
	const char *reason;
} misread_vendors[] = {
	{"none", NO_GPU_TEXT},
	{"null", NO_GPU_TEXT},
	{"no", NO_GPU_TEXT},
	{"off", NO_GPU_TEXT},
	{"false", NO_GPU_TEXT},
	{"yes", SOME_GPU_TEXT},
	{"on", SOME_GPU_TEXT},
	{"true", SOME_GPU_TEXT},
	{"any", SOME_GPU_TEXT},
	{"auto", SOME_GPU_TEXT},
	{"gpu", SOME_GPU_TEXT},
	{"gpus", SOME_GPU_TEXT},
	{"cuda", PROGRAMS_TEXT},
	{"rocm", PROGRAMS_TEXT},
	{"exclusive", SHARING_TEXT},
	{"shared", SHARING_TEXT},
	{"all", "this is no vendor; all, in lower case, is a count: write all, "
		"VENDOR:all or count=all"},
};

static const char *misread_vendor(const char *name)
{
	for (size_t i = 0; i < sizeof(misread_vendors) / sizeof(misread_vendors[0]);
	     i++) {
		if (text_equals_no_case(name, misread_vendors[i].word)) {
			return misread_vendors[i].reason;
		}
	}
	return NULL;
}

static int set_vendor(const struct scan *s, const struct part *part,
		      struct gpu_spec *spec)
{
	autofree char *name = NULL;
	const char *reason;
	size_t end = name_end(s, part->start);

	if (end < part->end || end == part->start) {
		return refuse_char(
			s, end,
			"write a vendor's name: a letter, then letters, digits, '_' "
			"and '-'");
	}
	name = xstrndup(s->text + part->start, part->end - part->start);
	reason = misread_vendor(name);
	if (reason) {
		return refuse(s, part->start, reason);
	}
	gpu_spec_set_vendor(spec, name, strlen(name));
	return 0;
}

/* ---- values of key=value pairs ----------------------------------------------------- */

static int set_mode(const struct scan *s, const struct part *part, struct gpu_spec *spec)
{
	size_t end = name_end(s, part->start);

	if (end < part->end || end == part->start) {
		return refuse_char(
			s, end,
			"write a letter, then letters, digits, '_' and '-'; the JSON "
			"form takes any text");
	}
	spec->mode = xstrndup(s->text + part->start, part->end - part->start);
	return 0;
}

/* The only value with blanks in it: "model=RTX 4090". A '=' most likely means that the
   separator before the next pair was forgotten. */
static int set_model(const struct scan *s, const struct part *part, struct gpu_spec *spec)
{
	static const char allowed[] =
		"write a part of the model's name, in ASCII, without '=' and '\"' and "
		"without blanks around it; the JSON form takes any text";
	const char *reason;

	for (size_t i = part->start; i < part->end; i++) {
		char c = s->text[i];
		bool is_edge = i == part->start || i + 1 == part->end;

		if (c < 0x20 || c > 0x7e || c == '=' || c == '"' ||
		    (c == ' ' && is_edge)) {
			return refuse_char(s, i, allowed);
		}
	}
	reason = gpu_spec_set_model(spec, s->text + part->start, part->end - part->start);
	return reason ? refuse(s, part->start, reason) : 0;
}

static int set_sharing(const struct scan *s, const struct part *part,
		       struct gpu_spec *spec)
{
	const char *reason = gpu_spec_set_sharing(spec, s->text + part->start,
						  part->end - part->start);

	return reason ? refuse(s, part->start, reason) : 0;
}

typedef const char *add_item_fn(struct gpu_spec *spec, const char *text, size_t len);

/* One item of a list, which ends before any character that no item can hold. */
static int add_item(struct scan *s, struct gpu_spec *spec, add_item_fn *add,
		    char separator)
{
	const char *text = s->text + s->pos;
	size_t len = gpu_id_span(text, s->end - s->pos);
	const char *reason;

	/* `list` shows nodes as dri/renderD128: a path is refused as a whole. */
	while (s->pos + len < s->end && text[len] == '/') {
		len += 1 + gpu_id_span(text + len + 1, s->end - s->pos - len - 1);
	}
	if (len == 0) {
		return refuse_char(
			s, s->pos,
			separator == ','
				? "write an item, and ',' between two inside quotes"
				: "write an item, and '+' between two");
	}
	reason = add(spec, text, len);
	if (reason) {
		return refuse(s, s->pos, reason);
	}
	s->pos += len;
	return 0;
}

/* a+b, or "a,b". */
static int take_list(struct scan *s, struct gpu_spec *spec, add_item_fn *add)
{
	bool is_quoted = s->pos < s->end && s->text[s->pos] == '"';
	char separator = is_quoted ? ',' : '+';
	int r;

	s->pos += is_quoted;
	for (;;) {
		r = add_item(s, spec, add, separator);
		if (r < 0) {
			return r;
		}
		if (s->pos == s->end || s->text[s->pos] != separator) {
			break;
		}
		s->pos++;
	}
	if (is_quoted && (s->pos == s->end || s->text[s->pos] != '"')) {
		return refuse_char(s, s->pos,
				   "write ',' and the next item, or the closing '\"'");
	}
	s->pos += is_quoted;
	return 0;
}

/* ---- key=value pairs --------------------------------------------------------------- */

typedef int set_value_fn(const struct scan *s, const struct part *part,
			 struct gpu_spec *spec);

/* A value that is no list goes up to the next separator, whatever is in it. */
static int take_scalar(struct scan *s, struct gpu_spec *spec, set_value_fn *set)
{
	struct part part = {.start = s->pos, .end = s->pos};

	while (part.end < s->end && s->text[part.end] != ';' &&
	       s->text[part.end] != ',') {
		part.end++;
	}
	s->pos = part.end;
	return set(s, &part, spec);
}

/* Each field has one of the two. */
static const struct {
	set_value_fn *set;
	add_item_fn *add;
} value_takers[GPU_FIELD_COUNT] = {
	[GPU_FIELD_COUNT_OF_GPUS] = {.set = set_count},
	[GPU_FIELD_VENDOR] = {.set = set_vendor},
	[GPU_FIELD_MODE] = {.set = set_mode},
	[GPU_FIELD_DEVICES] = {.add = gpu_spec_add_device},
	[GPU_FIELD_MODEL] = {.set = set_model},
	[GPU_FIELD_SHARING] = {.set = set_sharing},
	[GPU_FIELD_CAPABILITIES] = {.add = gpu_spec_add_capability},
};
_Static_assert(GPU_FIELD_COUNT == 7, "a field cannot be set");

static int take_value(struct scan *s, enum gpu_field field, struct gpu_spec *spec)
{
	if (value_takers[field].add) {
		return take_list(s, spec, value_takers[field].add);
	}
	return take_scalar(s, spec, value_takers[field].set);
}

/* Reads "key=" and checks the key against those before it, a bit each in @fields. */
static int take_key(struct scan *s, unsigned int *fields, enum gpu_field *ret)
{
	size_t start = s->pos;
	size_t end = name_end(s, start);
	const char *reason;
	int field;

	if (start == s->end) {
		return refuse_char(s, end,
				   s->text[end - 1] == ';' ? "leave out the last ';'"
							   : "leave out the last ','");
	}
	if (end == start || end == s->end || s->text[end] != '=') {
		return refuse_char(
			s, end,
			"write a key=value pair; the items of a list are joined by '+'");
	}
	field = gpu_find_name(gpu_field_names, GPU_FIELD_COUNT, s->text + start,
			      end - start);
	if (field < 0) {
		return err_set(
			s->err, EINVAL,
			"character %zu: unknown key '%s'; the keys are " GPU_FIELDS_TEXT,
			start + 1, gpu_quote(s->text + start, end - start).text);
	}
	if (*fields & 1U << field) {
		return err_set(s->err, EINVAL, "character %zu: the key %s is given twice",
			       start + 1, gpu_field_names[field]);
	}
	*fields |= 1U << field;
	reason = gpu_spec_check_fields(*fields);
	if (reason) {
		return refuse(s, start, reason);
	}
	s->pos = end + 1;
	*ret = (enum gpu_field)field;
	return 0;
}

static int parse_pairs(struct scan *s, struct gpu_spec *spec)
{
	unsigned int fields = 0;

	for (;;) {
		enum gpu_field field = GPU_FIELD_COUNT;
		int r = take_key(s, &fields, &field);

		if (r < 0) {
			return r;
		}
		r = take_value(s, field, spec);
		if (r < 0) {
			return r;
		}
		if (s->pos == s->end) {
			return 0;
		}
		if (s->text[s->pos] != ';' && s->text[s->pos] != ',') {
			return refuse_char(s, s->pos,
					   "write ';' or ',' and the next pair");
		}
		s->pos++;
	}
}

/* ---- the bare forms ---------------------------------------------------------------- */

/* all | VENDOR | VENDOR:N | VENDOR:all, whose first name ends at @end. */
static int parse_vendor(struct scan *s, size_t end, struct gpu_spec *spec)
{
	struct part name = {.start = s->pos, .end = end};
	struct part count = {.start = end + 1, .end = s->end};
	int r;

	if (part_is(s, &name, "all")) {
		if (end < s->end) {
			return refuse_char(s, end, "write all alone, or VENDOR:all");
		}
		gpu_spec_set_all(spec);
		return 0;
	}
	r = set_vendor(s, &name, spec);
	if (r < 0 || end == s->end) {
		return r;
	}
	if (s->text[end] != ':') {
		return refuse_char(
			s, end,
			"write VENDOR, VENDOR:NUMBER or VENDOR:all, or key=value "
			"pairs: vendor=VENDOR;count=NUMBER");
	}
	return set_count(s, &count, spec);
}

static bool is_count(const struct scan *s, const struct part *part)
{
	size_t i = part->start;

	while (i < part->end && is_digit(s->text[i])) {
		i++;
	}
	return part_is(s, part, "all") || (i > part->start && i == part->end);
}

/* "amd:1;model=x", whose first name ends at @vendor_end: people take a bare form for the
   first of the pairs. What is wrong in another way is left to those who come next. */
static int check_not_mixed(const struct scan *s, size_t vendor_end)
{
	bool has_vendor =
		vendor_end > s->pos && vendor_end < s->end && s->text[vendor_end] == ':';
	struct part count = {.start = has_vendor ? vendor_end + 1 : s->pos,
			     .end = s->end};
	struct gpu_quote vendor = gpu_quote(s->text + s->pos, vendor_end - s->pos);
	size_t key_end;

	for (size_t i = count.start; i < count.end; i++) {
		if (s->text[i] == ';' || s->text[i] == ',') {
			count.end = i;
		}
	}
	if (count.end == s->end || !is_count(s, &count)) {
		return 0;
	}
	key_end = name_end(s, count.end + 1);
	if (key_end == s->end || s->text[key_end] != '=') {
		return 0;
	}
	return err_set(
		s->err, EINVAL,
		"character %zu: '%c' is not allowed here; write %s%s%scount=%s;...",
		count.end + 1, s->text[count.end], has_vendor ? "vendor=" : "",
		has_vendor ? vendor.text : "", has_vendor ? ";" : "",
		gpu_quote(s->text + count.start, count.end - count.start).text);
}

int gpu_spec_parse_short(const char *text, size_t start, size_t end,
			 struct gpu_spec *spec, struct err *err)
{
	struct scan s = {.text = text, .pos = start, .end = end, .err = err};
	size_t first_end = name_end(&s, start);
	int r = check_not_mixed(&s, first_end);

	if (r < 0) {
		return r;
	}
	if (is_digit(text[start]) || text[start] == '+' || text[start] == '-') {
		struct part count = {.start = start, .end = end};

		return set_count(&s, &count, spec);
	}
	if (first_end == start) {
		return refuse_char(&s, start,
				   "write " VENDOR_OR_COUNT_TEXT ", or a JSON object");
	}
	if (first_end < end && text[first_end] == '=') {
		return parse_pairs(&s, spec);
	}
	return parse_vendor(&s, first_end, spec);
}
