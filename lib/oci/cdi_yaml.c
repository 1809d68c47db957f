/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_yaml.c - as much of YAML as specifications of devices are written in
 *
 * libyaml gives events, which become jansson's values, so that one reader serves both
 * formats. Its parser does not recurse, and neither does what is below: open containers
 * are on a stack of LIMIT_JSON_DEPTH.
 */

#include "oci/cdi_yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/json_guard.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

/* A container whose end has not come yet. */
struct open_container {
	json_t *value; /* borrowed: the one around it holds it */
	char *key;     /* of a mapping: waits for its value; NULL: a key comes next */
};

struct builder {
	const char *what;
	json_t *root;
	struct open_container open[LIMIT_JSON_DEPTH];
	size_t n_open;
};

static void builder_clear(struct builder *builder)
{
	while (builder->n_open > 0) {
		free(builder->open[--builder->n_open].key);
	}
	json_decref(builder->root);
	builder->root = NULL;
}
DEFINE_CLEANUP(struct builder, builder_clear)

/* libyaml counts from 0. */
static int refuse(const struct builder *builder, const yaml_mark_t *mark, const char *why,
		  struct err *err)
{
	return err_set(err, EINVAL, "read %s: line %zu, column %zu: %s", builder->what,
		       mark->line + 1, mark->column + 1, why);
}

/* ---- scalars ----------------------------------------------------------------------- */

/* The forms of YAML 1.1 that a program writes: 195, -1, 0x1b6, 0666, 0o666. More than 15
   digits are no number of a device. */
static bool is_integer(const char *text, json_int_t *ret)
{
	bool is_negative = *text == '-';
	const char *digits = text + is_negative;
	int base = 10;
	char *end;

	if (digits[0] == '0' && digits[1] == 'x') {
		base = 16;
		digits += 2;
	} else if (digits[0] == '0' && digits[1] != '\0') {
		base = 8;
		digits += digits[1] == 'o' ? 2 : 1;
	}
	if (*digits == '\0' || strlen(digits) > 15 ||
	    strspn(digits, "0123456789abcdefABCDEF") != strlen(digits)) {
		return false;
	}
	*ret = (json_int_t)strtoll(digits, &end, base);
	if (is_negative) {
		*ret = -*ret;
	}
	return *end == '\0';
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (text_equals(text, *words)) {
			return true;
		}
	}
	return false;
}

static json_t *plain_scalar(const char *text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	json_int_t number;

	if (is_one_of(text, nulls)) {
		return json_null();
	}
	if (is_one_of(text, trues)) {
		return json_true();
	}
	if (is_one_of(text, falses)) {
		return json_false();
	}
	return is_integer(text, &number) ? json_integer(number) : json_string(text);
}

/* ---- the tree ---------------------------------------------------------------------- */

/* Puts a value, which is taken, where it belongs. */
static int add_value(struct builder *builder, json_t *value, const yaml_mark_t *mark,
		     struct err *err)
{
	struct open_container *top =
		builder->n_open ? &builder->open[builder->n_open - 1] : NULL;
	autofree char *key = NULL;
	int r = 0;

	if (!value) {
		return refuse(builder, mark, "no text in UTF-8, or out of memory", err);
	}
	if (!top) {
		builder->root = value;
		return 0;
	}
	if (json_is_array(top->value)) {
		r = json_array_append_new(top->value, value);
	} else {
		key = steal_ptr(&top->key);
		r = json_object_set_new(top->value, key, value);
	}
	return r < 0 ? refuse(builder, mark, "no text in UTF-8, or out of memory", err)
		     : 0;
}

/* The top of a mapping that waits for a key, or NULL. */
static struct open_container *wants_key(struct builder *builder)
{
	struct open_container *top =
		builder->n_open ? &builder->open[builder->n_open - 1] : NULL;

	return top && json_is_object(top->value) && !top->key ? top : NULL;
}

static int add_scalar(struct builder *builder, const yaml_event_t *event, struct err *err)
{
	const char *text = (const char *)event->data.scalar.value;
	const yaml_mark_t *mark = &event->start_mark;
	struct open_container *mapping = wants_key(builder);
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (event->data.scalar.anchor || event->data.scalar.tag) {
		return refuse(builder, mark, "anchors and tags are not allowed here",
			      err);
	}
	if (strlen(text) != event->data.scalar.length) {
		return refuse(builder, mark, "a NUL in a text", err);
	}
	if (!mapping) {
		return add_value(builder,
				 is_plain ? plain_scalar(text) : json_string(text), mark,
				 err);
	}
	if (json_object_get(mapping->value, text)) {
		return refuse(builder, mark, "this key is there already", err);
	}
	mapping->key = xstrdup(text);
	return 0;
}

static int open_container(struct builder *builder, json_t *value, const char *anchor,
			  const char *tag, const yaml_mark_t *mark, struct err *err)
{
	int r = 0;

	if (anchor || tag) {
		r = refuse(builder, mark, "anchors and tags are not allowed here", err);
	} else if (wants_key(builder)) {
		r = refuse(builder, mark, "a key must be text", err);
	} else if (builder->n_open == LIMIT_JSON_DEPTH) {
		r = err_set(err, E2BIG, "read %s: line %zu: nested deeper than %u",
			    builder->what, mark->line + 1, LIMIT_JSON_DEPTH);
	}
	if (r < 0) {
		json_decref(value);
		return r;
	}
	r = add_value(builder, value, mark, err);
	if (r == 0) {
		builder->open[builder->n_open++] =
			(struct open_container){.value = value};
	}
	return r;
}

static int add_event(struct builder *builder, const yaml_event_t *event, struct err *err)
{
	const yaml_mark_t *mark = &event->start_mark;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return add_scalar(builder, event, err);
	case YAML_MAPPING_START_EVENT:
		return open_container(builder, json_object(),
				      (const char *)event->data.mapping_start.anchor,
				      (const char *)event->data.mapping_start.tag, mark,
				      err);
	case YAML_SEQUENCE_START_EVENT:
		return open_container(builder, json_array(),
				      (const char *)event->data.sequence_start.anchor,
				      (const char *)event->data.sequence_start.tag, mark,
				      err);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		builder->n_open--;
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(builder, mark, "aliases are not allowed here", err);
	case YAML_DOCUMENT_START_EVENT:
		return builder->root ? refuse(builder, mark, "a second document", err)
				     : 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

/* ---- all --------------------------------------------------------------------------- */

static int build(yaml_parser_t *parser, struct builder *builder, struct err *err)
{
	bool is_at_end = false;

	while (!is_at_end) {
		yaml_event_t event;
		int r;

		if (!yaml_parser_parse(parser, &event)) {
			return refuse(builder, &parser->problem_mark,
				      parser->problem ? parser->problem : "out of memory",
				      err);
		}
		is_at_end = event.type == YAML_STREAM_END_EVENT;
		r = add_event(builder, &event, err);
		yaml_event_delete(&event);
		if (r < 0) {
			return r;
		}
	}
	if (!builder->root || !json_is_object(builder->root)) {
		return err_set(err, EINVAL, "read %s: expected a mapping at the top",
			       builder->what);
	}
	return 0;
}

json_t *cdi_yaml_parse(const char *text, size_t len, const char *what, struct err *err)
{
	cleanup(builder_clearp) struct builder builder = {.what = what};
	yaml_parser_t parser;
	int r;

	/* libyaml does not recurse; for the hash tables' seed. */
	(void)json_guard("", 0, what, err);
	if (!yaml_parser_initialize(&parser)) {
		(void)err_set(err, ENOMEM, "read %s: out of memory", what);
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	r = build(&parser, &builder, err);
	yaml_parser_delete(&parser);
	return r < 0 ? NULL : steal_ptr(&builder.root);
}
