/* SPDX-License-Identifier: Apache-2.0 */
/* config_places.c - where in the text of a config.json something can be added */

#include "oci/config_places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/choice.h"
#include "oci/json_scan.h"

#define WORD_NULL "null"

/* That of CHOICE_ANNOTATION is the longest. */
#define MAX_KEY_BYTES (sizeof(CHOICE_ANNOTATION) - 1)

static const struct {
	const char *key;
	enum place_id parent;
	char open; /* the first and the last byte of the value */
	char close;
} infos[PLACE_COUNT] = {
	[PLACE_TOP] = {NULL, PLACE_COUNT, '{', '}'},
	[PLACE_ANNOTATIONS] = {"annotations", PLACE_TOP, '{', '}'},
	[PLACE_CHOICE] = {CHOICE_ANNOTATION, PLACE_ANNOTATIONS, '"', '"'},
	[PLACE_PROCESS] = {"process", PLACE_TOP, '{', '}'},
	[PLACE_ENV] = {"env", PLACE_PROCESS, '[', ']'},
	[PLACE_USER] = {"user", PLACE_PROCESS, '{', '}'},
	[PLACE_GIDS] = {"additionalGids", PLACE_USER, '[', ']'},
	[PLACE_MOUNTS] = {"mounts", PLACE_TOP, '[', ']'},
	[PLACE_LINUX] = {"linux", PLACE_TOP, '{', '}'},
	[PLACE_DEVICES] = {"devices", PLACE_LINUX, '[', ']'},
	[PLACE_RESOURCES] = {"resources", PLACE_LINUX, '{', '}'},
	[PLACE_DEVICE_RULES] = {"devices", PLACE_RESOURCES, '[', ']'},
	[PLACE_HOOKS] = {"hooks", PLACE_TOP, '{', '}'},
	[PLACE_PRESTART] = {"prestart", PLACE_HOOKS, '[', ']'},
	[PLACE_CREATE_RUNTIME] = {"createRuntime", PLACE_HOOKS, '[', ']'},
	[PLACE_CREATE_CONTAINER] = {"createContainer", PLACE_HOOKS, '[', ']'},
	[PLACE_START_CONTAINER] = {"startContainer", PLACE_HOOKS, '[', ']'},
	[PLACE_POSTSTART] = {"poststart", PLACE_HOOKS, '[', ']'},
	[PLACE_POSTSTOP] = {"poststop", PLACE_HOOKS, '[', ']'},
};

enum place_id config_place_of_stage(const char *stage)
{
	enum place_id id = PLACE_PRESTART;

	while (id < PLACE_COUNT && !text_equals(infos[id].key, stage)) {
		id++;
	}
	return id;
}

/* ---- looking ----------------------------------------------------------------------- */

/* The text has been parsed already, by somebody who may lie. */
struct scanner {
	struct json_scan in;
	struct config_places *places;
};

static int refuse(const struct scanner *scanner, struct err *err)
{
	return err_set(err, EINVAL,
		       "read config.json: byte %zu: not what stands there in a "
		       "config.json",
		       scanner->in.at + 1);
}

static int refuse_type(const struct scanner *scanner, enum place_id id, struct err *err)
{
	const char *wanted = infos[id].open == '{'   ? "an object"
			     : infos[id].open == '[' ? "an array"
						     : "a string";

	if (!infos[id].key) {
		return refuse(scanner, err);
	}
	return err_set(err, EINVAL, "read config.json: byte %zu: '%s' is not %s",
		       scanner->in.at + 1, infos[id].key, wanted);
}

/* Behind the quotes, as it is written. Return: false: there is none. */
static bool read_key(struct scanner *scanner, const char **ret, size_t *ret_len)
{
	size_t start;

	json_scan_blanks(&scanner->in);
	if (!json_scan_is_at(&scanner->in, '"')) {
		return false;
	}
	start = scanner->in.at + 1;
	json_scan_string(&scanner->in);
	if (scanner->in.at > scanner->in.len) {
		return false;
	}
	*ret = scanner->in.text + start;
	*ret_len = scanner->in.at - 1 - start;
	return true;
}

/* Of a field that the specification has: a name of plain letters. Another spelling could
   be one for a runtime that is none here: "l\u0069nux", and Go takes U+017F for an s. */
static bool is_plain(const char *key, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (key[i] == '\\' || key[i] < ' ' || key[i] > '~') {
			return false;
		}
	}
	return true;
}

/* The place that is the member @key of @parent, or PLACE_COUNT. */
static int find_member(const struct scanner *scanner, enum place_id parent,
		       const char *key, size_t len, enum place_id *ret, struct err *err)
{
	char name[MAX_KEY_BYTES + 1] = "";

	*ret = PLACE_COUNT;
	if (parent != PLACE_ANNOTATIONS && !is_plain(key, len)) {
		return err_set(err, EINVAL,
			       "read config.json: byte %zu: the name of this member has "
			       "an escape or no ASCII; write it in plain letters",
			       (size_t)(key - scanner->in.text));
	}
	if (len > MAX_KEY_BYTES) {
		return 0;
	}
	memcpy(name, key, len);
	for (enum place_id id = PLACE_TOP; id < PLACE_COUNT; id++) {
		if (id == PLACE_TOP || infos[id].parent != parent) {
			continue;
		}
		if (text_equals(name, infos[id].key)) {
			*ret = id;
		} else if (parent != PLACE_ANNOTATIONS &&
			   text_equals_no_case(name, infos[id].key)) {
			return err_set(err, EINVAL,
				       "read config.json: member '%s': it is spelled "
				       "'%s', and some runtimes take both for the same",
				       name, infos[id].key);
		}
	}
	return 0;
}

static int scan_members(struct scanner *scanner, enum place_id id, struct err *err);

/* From @start to where the scanner is. */
static bool is_word_null(const struct scanner *scanner, size_t start)
{
	return scanner->in.at <= scanner->in.len &&
	       scanner->in.at - start == strlen(WORD_NULL) &&
	       memcmp(scanner->in.text + start, WORD_NULL, strlen(WORD_NULL)) == 0;
}

static int scan_value(struct scanner *scanner, enum place_id id, struct err *err)
{
	struct place *place = &scanner->places->place[id];
	int r = 0;

	json_scan_blanks(&scanner->in);
	place->start = (uint32_t)scanner->in.at;
	if (json_scan_is_at(&scanner->in, 'n')) {
		place->state = PLACE_NULL;
		json_scan_value(&scanner->in);
		if (id == PLACE_TOP || !is_word_null(scanner, place->start)) {
			scanner->in.at = place->start;
			r = refuse(scanner, err);
		}
	} else if (!json_scan_is_at(&scanner->in, infos[id].open)) {
		return refuse_type(scanner, id, err);
	} else if (infos[id].open == '"') {
		place->state = PLACE_FILLED;
		json_scan_string(&scanner->in);
		place->last_end = (uint32_t)scanner->in.at - 1;
	} else {
		r = scan_members(scanner, id, err);
	}
	place->end = (uint32_t)scanner->in.at;
	return r;
}

/* Of an object the value of one member, of an array one element. */
static int scan_member(struct scanner *scanner, enum place_id id, struct err *err)
{
	enum place_id member = PLACE_COUNT;

	if (infos[id].open == '{') {
		const char *key = NULL;
		size_t len = 0;

		if (!read_key(scanner, &key, &len) ||
		    !json_scan_mark(&scanner->in, ':')) {
			return refuse(scanner, err);
		}
		if (find_member(scanner, id, key, len, &member, err) < 0) {
			return -err->code;
		}
	}
	if (member == PLACE_COUNT) {
		json_scan_value(&scanner->in);
		return 0;
	}
	/* Twice: some runtimes take the first, some the last, some both. */
	if (scanner->places->place[member].state != PLACE_ABSENT) {
		return refuse(scanner, err);
	}
	return scan_value(scanner, member, err);
}

static int scan_members(struct scanner *scanner, enum place_id id, struct err *err)
{
	struct place *place = &scanner->places->place[id];

	place->state = PLACE_EMPTY;
	scanner->in.at++;
	if (json_scan_mark(&scanner->in, infos[id].close)) {
		return 0;
	}
	place->state = PLACE_FILLED;
	do {
		if (scan_member(scanner, id, err) < 0) {
			return -err->code;
		}
		place->last_end = (uint32_t)scanner->in.at;
	} while (json_scan_mark(&scanner->in, ','));
	return json_scan_mark(&scanner->in, infos[id].close) ? 0 : refuse(scanner, err);
}

int config_places_find(const char *text, size_t len, struct config_places *ret,
		       struct err *err)
{
	struct config_places places = {0};
	struct scanner scanner = {.in = {.text = text, .len = len}, .places = &places};
	int r = scan_value(&scanner, PLACE_TOP, err);

	if (r < 0) {
		return r;
	}
	json_scan_blanks(&scanner.in);
	if (scanner.in.at != len) {
		return refuse(&scanner, err);
	}
	*ret = places;
	return 0;
}

bool config_places_fit(const struct config_places *places, const char *text, size_t len)
{
	struct config_places own = {0};
	struct err ignored = {0};

	if (config_places_find(text, len, &own, &ignored) < 0) {
		return false;
	}
	for (int id = 0; id < PLACE_COUNT; id++) {
		const struct place *its = &places->place[id];
		const struct place *found = &own.place[id];

		if (its->state != found->state || its->start != found->start ||
		    its->end != found->end || its->last_end != found->last_end) {
			return false;
		}
	}
	return true;
}

/* ---- changing ---------------------------------------------------------------------- */

/* At @at, @n bytes give way to @text. */
struct edit {
	size_t at;
	size_t n;
	char *text; /* owned; NULL: nothing is done */
};

static void append(char **list, const char *text)
{
	autofree char *old = *list;

	*list = old ? xasprintf("%s,%s", old, text) : xstrdup(text);
}

/* What is to be added to a place becomes an edit, or, where the place is absent,
   something to be added to its parent. */
static void make_edit(const struct place *place, enum place_id id,
		      char *added[PLACE_COUNT], struct edit *ret)
{
	autofree char *text = steal_ptr(&added[id]);
	bool is_string = infos[id].open == '"';
	autofree char *whole = NULL;
	autofree char *member = NULL;

	if (!text) {
		return;
	}
	whole = is_string ? xstrdup(text)
			  : xasprintf("%c%s%c", infos[id].open, text, infos[id].close);
	if (place->state == PLACE_ABSENT) {
		member = xasprintf("\"%s\":%s", infos[id].key, whole);
		append(&added[infos[id].parent], member);
	} else if (place->state == PLACE_NULL || is_string) {
		*ret = (struct edit){place->start, place->end - place->start,
				     steal_ptr(&whole)};
	} else if (place->state == PLACE_EMPTY) {
		*ret = (struct edit){place->start + 1, 0, steal_ptr(&text)};
	} else {
		*ret = (struct edit){place->last_end, 0, xasprintf(",%s", text)};
	}
}

/* Those that do nothing come first. */
static int compare_edits(const void *a, const void *b)
{
	const struct edit *left = a;
	const struct edit *right = b;

	return (left->at > right->at) - (left->at < right->at);
}

static int join(const char *text, size_t len, const struct edit edits[PLACE_COUNT],
		struct bytes *ret, struct err *err)
{
	size_t room = len + 1;
	size_t from = 0;
	char *to;

	for (size_t i = 0; i < PLACE_COUNT; i++) {
		room += edits[i].text ? strlen(edits[i].text) : 0;
	}
	ret->data = xcalloc(room, 1);
	to = ret->data;
	for (size_t i = 0; i < PLACE_COUNT; i++) {
		const struct edit *edit = &edits[i];

		if (!edit->text) {
			continue;
		}
		if (edit->at < from) {
			bytes_clear(ret);
			return err_set(err, EBADMSG,
				       "edit config.json: two places overlap");
		}
		to = mempcpy(to, text + from, edit->at - from);
		to = mempcpy(to, edit->text, strlen(edit->text));
		from = edit->at + edit->n;
	}
	to = mempcpy(to, text + from, len - from);
	ret->len = (size_t)(to - ret->data);
	return 0;
}

int config_places_splice(const struct config_places *places, const char *text, size_t len,
			 const char *const additions[PLACE_COUNT], struct bytes *ret,
			 struct err *err)
{
	struct edit edits[PLACE_COUNT] = {0};
	char *added[PLACE_COUNT] = {NULL};
	int r;

	for (int id = 0; id < PLACE_COUNT; id++) {
		added[id] = additions[id] ? xstrdup(additions[id]) : NULL;
	}
	/* Members before their parents. */
	for (int id = PLACE_COUNT - 1; id >= 0; id--) {
		make_edit(&places->place[id], (enum place_id)id, added, &edits[id]);
	}
	qsort(edits, PLACE_COUNT, sizeof(edits[0]), compare_edits);
	r = join(text, len, edits, ret, err);
	for (int id = 0; id < PLACE_COUNT; id++) {
		free(edits[id].text);
	}
	return r;
}
