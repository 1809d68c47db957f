/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config_places.h - where in the text of a config.json something can be added
 *
 * A config.json that is parsed and written anew is not the same any more: numbers over 64
 * bits, fields that a parser keeps in another order, escapes. So additions are spliced
 * into the text, and every other byte stays.
 *
 * The places are found by the child that parses (hook/parser.h), and used by the parent,
 * which believes the child nothing: config_places_fit() looks for them itself.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io.h"

/* A parent comes before its members. */
enum place_id {
	PLACE_TOP,
	PLACE_ANNOTATIONS,
	PLACE_CHOICE, /* the annotation CHOICE_ANNOTATION: replaced, not added to */
	PLACE_PROCESS,
	PLACE_ENV,
	PLACE_USER,
	PLACE_GIDS,
	PLACE_MOUNTS,
	PLACE_LINUX,
	PLACE_DEVICES,
	PLACE_RESOURCES,
	PLACE_DEVICE_RULES,
	PLACE_HOOKS,
	PLACE_PRESTART, /* the stages, in the runtime specification's order */
	PLACE_CREATE_RUNTIME,
	PLACE_CREATE_CONTAINER,
	PLACE_START_CONTAINER,
	PLACE_POSTSTART,
	PLACE_POSTSTOP,
	PLACE_COUNT,
};

enum place_state {
	PLACE_ABSENT,
	PLACE_NULL, /* the word null, which counts as absent */
	PLACE_EMPTY,
	PLACE_FILLED,
	PLACE_STATE_COUNT,
};

/* Offsets into the text. */
struct place {
	enum place_state state;
	uint32_t start;	   /* of the value */
	uint32_t end;	   /* behind its last byte */
	uint32_t last_end; /* PLACE_FILLED: behind the last member */
};

struct config_places {
	struct place place[PLACE_COUNT];
};

/**
 * config_places_find() - Look for the places
 * @text:	valid JSON, as jansson has found
 * @err:	EINVAL: a member has the right name in another case, which a runtime
 *		written in Go takes for the same, or one with escapes; one is there twice;
 *		or the text is no JSON
 *
 * Brackets are counted and strings skipped, once from the first byte to the last: no
 * memory is asked for, and nothing is decoded.
 */
int config_places_find(const char *text, size_t len, struct config_places *ret,
		       struct err *err);

/* The array of a stage's hooks, PLACE_COUNT: there is no such stage. */
enum place_id config_place_of_stage(const char *stage);

/* Are these the places of the text, each of them, and those that are absent as well? */
bool config_places_fit(const struct config_places *places, const char *text, size_t len);

/**
 * config_places_splice() - The text with additions
 * @places:	that fit
 * @additions:	for each place JSON values (of an object: members) with commas between;
 *		for PLACE_CHOICE its value. NULL: none
 * @ret:	bytes_clear() it
 * @err:	EBADMSG: two places overlap
 *
 * Objects and arrays that are absent are made where something is added to them.
 */
int config_places_splice(const struct config_places *places, const char *text, size_t len,
			 const char *const additions[PLACE_COUNT], struct bytes *ret,
			 struct err *err);
