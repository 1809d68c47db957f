/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_places.c - additions go where they belong, and every other byte stays */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "oci/config_places.h"

/* Splices, and compares with the wanted text; "'" stands for a quote in all of
 * them. */
static void expect_spliced(const char *config, enum place_id id, const char *addition,
			   const char *wanted)
{
	autofree char *text = strdup(config);
	autofree char *want = strdup(wanted);
	autofree char *added = strdup(addition);
	const char *additions[PLACE_COUNT] = {NULL};
	struct config_places places = {0};
	struct bytes ret = {0};
	struct err err = {0};
	char *texts[] = {text, want, added};

	for (size_t i = 0; i < 3; i++) {
		for (char *c = texts[i]; *c; c++) {
			*c = *c == '\'' ? '"' : *c;
		}
	}
	additions[id] = added;
	cr_assert_eq(config_places_find(text, strlen(text), &places, &err), 0, "%s",
		     err.msg);
	cr_assert_eq(
		config_places_splice(&places, text, strlen(text), additions, &ret, &err),
		0, "%s", err.msg);
	cr_expect_str_eq(ret.data, want);
	cr_expect_eq(ret.len, strlen(want));
	bytes_clear(&ret);
}

static void expect_refused(const char *text, const char *message)
{
	struct config_places places = {0};
	struct err err = {0};

	cr_expect_eq(config_places_find(text, strlen(text), &places, &err), -EINVAL, "%s",
		     text);
	cr_expect_str_eq(err.msg, message);
}

Test(config_places, an_element_goes_behind_the_last_one)
{
	expect_spliced("{'mounts': [ 1, 2 ] , 'x': 1}", PLACE_MOUNTS, "3",
		       "{'mounts': [ 1, 2,3 ] , 'x': 1}");
	expect_spliced("{'linux':{'devices':[{'a':']}'}]}}", PLACE_DEVICES, "3",
		       "{'linux':{'devices':[{'a':']}'},3]}}");
}

Test(config_places, an_empty_list_gets_its_first)
{
	expect_spliced("{'mounts': [ \n ]}", PLACE_MOUNTS, "3", "{'mounts': [3 \n ]}");
}

Test(config_places, null_gives_way_to_a_list)
{
	expect_spliced("{'mounts': null, 'x': 1}", PLACE_MOUNTS, "3",
		       "{'mounts': [3], 'x': 1}");
	expect_spliced("{'process': null}", PLACE_GIDS, "3",
		       "{'process': {'user':{'additionalGids':[3]}}}");
}

Test(config_places, what_is_absent_is_made)
{
	expect_spliced("{}", PLACE_DEVICE_RULES, "3",
		       "{'linux':{'resources':{'devices':[3]}}}");
	expect_spliced("{'linux': {'x': 1 }}", PLACE_DEVICE_RULES, "3",
		       "{'linux': {'x': 1,'resources':{'devices':[3]} }}");
	expect_spliced("{'hooks': {'poststop': []}}", PLACE_CREATE_RUNTIME, "3",
		       "{'hooks': {'poststop': [],'createRuntime':[3]}}");
}

Test(config_places, a_choice_is_replaced)
{
	expect_spliced(
		"{'annotations': {'io.oci-gpu-hook.chosen': 'a\\\\\\'b', 'c': 'd'}}",
		PLACE_CHOICE, "'v1'",
		"{'annotations': {'io.oci-gpu-hook.chosen': 'v1', 'c': 'd'}}");
	expect_spliced("{'annotations': {}}", PLACE_CHOICE, "'v1'",
		       "{'annotations': {'io.oci-gpu-hook.chosen':'v1'}}");
}

Test(config_places, several_places_at_once)
{
	const char *text = "{\"linux\":{\"devices\":[1]},\"mounts\":null}";
	const char *additions[PLACE_COUNT] = {
		[PLACE_DEVICES] = "2,3", [PLACE_DEVICE_RULES] = "4", [PLACE_MOUNTS] = "5",
		[PLACE_ENV] = "6",	 [PLACE_GIDS] = "7",
	};
	struct config_places places = {0};
	struct bytes ret = {0};
	struct err err = {0};

	cr_assert_eq(config_places_find(text, strlen(text), &places, &err), 0);
	cr_assert_eq(
		config_places_splice(&places, text, strlen(text), additions, &ret, &err),
		0);
	cr_expect_str_eq(
		ret.data,
		"{\"linux\":{\"devices\":[1,2,3],\"resources\":{\"devices\":[4]}},"
		"\"mounts\":[5],\"process\":{\"user\":{\"additionalGids\":[7]},"
		"\"env\":[6]}}");
	bytes_clear(&ret);
}

Test(config_places, names_count_at_their_own_level_alone)
{
	expect_spliced("{'x': {'mounts': [1]}, 'y': 'mounts', 'mounts': [2]}",
		       PLACE_MOUNTS, "3",
		       "{'x': {'mounts': [1]}, 'y': 'mounts', 'mounts': [2,3]}");
}

/* Nobody writes them so, and Go takes the last for "mounts". */
Test(config_places, a_name_in_other_letters_is_refused)
{
#define NOT_PLAIN \
	"the name of this member has an escape or no ASCII; write it in plain letters"
	expect_refused("{\"mo\\u0075nts\": [2]}", "read config.json: byte 2: " NOT_PLAIN);
	expect_refused("{\"linux\": {\"\\u0064evices\": []}}",
		       "read config.json: byte 12: " NOT_PLAIN);
	expect_refused("{\"mount\xc5\xbf\": [2]}",
		       "read config.json: byte 2: " NOT_PLAIN);
	/* Where names are free they are what they are, and in what is not looked into. */
	expect_spliced("{'annotations': {'a\\'\xc3\xa4': 'x'}, 'x': {'\\u0061': 1}}",
		       PLACE_CHOICE, "'v1'",
		       "{'annotations': {'a\\'\xc3\xa4': "
		       "'x','io.oci-gpu-hook.chosen':'v1'}, 'x': {'\\u0061': 1}}");
}

Test(config_places, a_member_that_is_there_twice_is_refused)
{
	expect_refused("{\"mounts\": [], \"mounts\": []}",
		       "read config.json: byte 25: not what stands there in a "
		       "config.json");
	expect_refused("{\"mounts\": null, \"mounts\": []}",
		       "read config.json: byte 27: not what stands there in a "
		       "config.json");
}

Test(config_places, what_follows_the_object_is_refused)
{
	expect_spliced(" { } \n", PLACE_MOUNTS, "3", " {'mounts':[3] } \n");
	expect_refused("{} {}", "read config.json: byte 4: not what stands there in a "
				"config.json");
	expect_refused("null", "read config.json: byte 1: not what stands there in a "
			       "config.json");
	expect_refused("{\"mounts\": nil}",
		       "read config.json: byte 12: not what stands there in a "
		       "config.json");
}

Test(config_places, another_case_is_refused)
{
	expect_refused(
		"{\"Linux\": {}}",
		"read config.json: member 'Linux': it is spelled 'linux', and some "
		"runtimes take both for the same");
	/* Keys of a map are what they are. */
	expect_spliced("{'annotations': {'IO.oci-gpu-hook.chosen': 'x'}}", PLACE_CHOICE,
		       "'v1'",
		       "{'annotations': {'IO.oci-gpu-hook.chosen': "
		       "'x','io.oci-gpu-hook.chosen':'v1'}}");
}

Test(config_places, another_type_is_refused)
{
	expect_refused("{\"mounts\": {}}",
		       "read config.json: byte 12: 'mounts' is not an array");
	expect_refused("{\"linux\": 5}",
		       "read config.json: byte 11: 'linux' is not an object");
	expect_refused("{\"annotations\": {\"io.oci-gpu-hook.chosen\": 5}}",
		       "read config.json: byte 44: 'io.oci-gpu-hook.chosen' is not a "
		       "string");
}

/* jansson has refused such a text before; here it must only do no harm. */
Test(config_places, a_text_that_is_cut_off_is_refused)
{
	const char *text =
		"{\"linux\": {\"devices\": [{\"path\": \"/dev/\\\"a\"}, null], "
		"\"resources\": {}}, \"annotations\": "
		"{\"io.oci-gpu-hook.chosen\": \"v1\"}}";
	struct config_places places = {0};
	struct err err = {0};

	for (size_t len = 0; len < strlen(text); len++) {
		autofree char *part = malloc(len + 1);

		memcpy(part, text, len);
		cr_expect_eq(config_places_find(part, len, &places, &err), -EINVAL,
			     "%zu bytes", len);
	}
}

/* ---- places of somebody who lies
 * ------------------------------------------------------ */

static const char text[] =
	"{\"annotations\":{\"io.oci-gpu-hook.chosen\":\"v1\",\"b\":\"c\"},"
	"\"mounts\":[1],\"linux\":{\"devices\":null}}";

static struct config_places find(void)
{
	struct config_places places = {0};
	struct err err = {0};

	cr_assert_eq(config_places_find(text, strlen(text), &places, &err), 0);
	return places;
}

#define EXPECT_MISFIT(change)                                                  \
	do {                                                                   \
		struct config_places places = find();                          \
		struct place *place = places.place;                            \
		cr_assert(config_places_fit(&places, text, strlen(text)));     \
		change;                                                        \
		cr_expect_not(config_places_fit(&places, text, strlen(text))); \
	} while (0)

Test(config_places, offsets_that_do_not_fit_are_seen)
{
	EXPECT_MISFIT(place[PLACE_TOP].state = PLACE_ABSENT);
	EXPECT_MISFIT(place[PLACE_TOP].end++);
	EXPECT_MISFIT(place[PLACE_TOP].end = UINT32_MAX);
	EXPECT_MISFIT(place[PLACE_TOP].start++);
	EXPECT_MISFIT(place[PLACE_TOP].last_end = 0);
	EXPECT_MISFIT(place[PLACE_TOP].last_end = 1);
	EXPECT_MISFIT(place[PLACE_TOP].last_end++);
	EXPECT_MISFIT(place[PLACE_TOP].state = PLACE_EMPTY);
	EXPECT_MISFIT(place[PLACE_MOUNTS].start = place[PLACE_MOUNTS].end);
	EXPECT_MISFIT(place[PLACE_MOUNTS].state = PLACE_NULL);
	EXPECT_MISFIT(place[PLACE_MOUNTS].end = place[PLACE_TOP].end);
	EXPECT_MISFIT(place[PLACE_DEVICES].state = PLACE_FILLED);
	EXPECT_MISFIT(place[PLACE_DEVICES].end++);
	EXPECT_MISFIT(place[PLACE_LINUX].state = PLACE_ABSENT);
	EXPECT_MISFIT(place[PLACE_LINUX].state = PLACE_EMPTY);
}

/* From the choice's first quote to the last quote of another annotation. */
Test(config_places, a_choice_is_one_string)
{
	EXPECT_MISFIT(place[PLACE_CHOICE].end =
			      (uint32_t)(strstr(text, "\"c\"") - text + 3));
	EXPECT_MISFIT(place[PLACE_CHOICE].start++);
}

/* A config.json with what somebody who lies would like to change. */
static const char victim[] =
	"{\"x\":{\"mounts\":[1],\"annotations\":{}},"
	"\"mounts\":[{\"options\":[\"ro\"]}],"
	"\"annotations\":{\"a\":\"io.oci-gpu-hook.chosen\",\"b\":\"c\"},"
	"\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\"},\"intelRdt\":null,"
	"\"resources\":{\"devices\":[{\"allow\":false}]}},"
	"\"hooks\":{\"createRuntime\":[{\"path\":\"/a\"}]}}";

/* Is @id refused as the value that begins where @from does in the text, with @n bytes? */
static void expect_not_at(enum place_id id, enum place_state state, const char *from,
			  size_t n)
{
	struct config_places places = {0};
	struct place *place = &places.place[id];
	struct err err = {0};
	const char *at = strstr(victim, from);

	cr_assert_not_null(at);
	cr_assert_eq(config_places_find(victim, strlen(victim), &places, &err), 0, "%s",
		     err.msg);
	cr_assert(config_places_fit(&places, victim, strlen(victim)));
	place->state = state;
	place->start = (uint32_t)(at - victim);
	place->end = (uint32_t)(place->start + n);
	place->last_end = place->end - 1;
	cr_expect_not(config_places_fit(&places, victim, strlen(victim)), "%s", from);
}

/* "seccomp" would be replaced by a name that no runtime knows. */
Test(config_places, a_choice_is_no_key)
{
	struct config_places places = {0};
	struct place *place = places.place;
	struct err err = {0};

	expect_not_at(PLACE_CHOICE, PLACE_FILLED, "\"b\":", 3);
	cr_assert_eq(config_places_find(victim, strlen(victim), &places, &err), 0);
	place[PLACE_ANNOTATIONS] = place[PLACE_LINUX];
	place[PLACE_CHOICE].state = PLACE_FILLED;
	place[PLACE_CHOICE].start = (uint32_t)(strstr(victim, "\"seccomp\"") - victim);
	place[PLACE_CHOICE].end = place[PLACE_CHOICE].start + 9;
	place[PLACE_CHOICE].last_end = place[PLACE_CHOICE].end - 1;
	cr_expect_not(config_places_fit(&places, victim, strlen(victim)));
}

Test(config_places, a_place_is_no_value_of_another_member)
{
	expect_not_at(PLACE_CHOICE, PLACE_FILLED, "\"io.oci-gpu-hook.chosen\",", 24);
	expect_not_at(PLACE_CHOICE, PLACE_FILLED, "\"c\"", 3);
	expect_not_at(PLACE_MOUNTS, PLACE_FILLED, "[\"ro\"]", 6);
	expect_not_at(PLACE_ANNOTATIONS, PLACE_FILLED, "{\"defaultAction\"", 34);
	expect_not_at(PLACE_DEVICES, PLACE_FILLED, "[{\"allow\"", 17);
}

Test(config_places, a_place_is_not_deeper_under_the_same_name)
{
	expect_not_at(PLACE_MOUNTS, PLACE_FILLED, "[1]", 3);
	expect_not_at(PLACE_ANNOTATIONS, PLACE_EMPTY, "{}", 2);
}

Test(config_places, a_null_is_not_that_of_another)
{
	expect_not_at(PLACE_DEVICES, PLACE_NULL, "null", 4);
}

/* A second list of that name would take the place of the first. */
Test(config_places, what_is_there_is_not_absent)
{
	static const enum place_id ids[] = {PLACE_MOUNTS, PLACE_ANNOTATIONS,
					    PLACE_DEVICE_RULES, PLACE_CREATE_RUNTIME};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct config_places places = {0};
		struct err err = {0};

		cr_assert_eq(config_places_find(victim, strlen(victim), &places, &err),
			     0);
		places.place[ids[i]] = (struct place){0};
		cr_expect_not(config_places_fit(&places, victim, strlen(victim)), "%d",
			      (int)ids[i]);
	}
}

Test(config_places, overlapping_places_are_refused)
{
	struct config_places places = find();
	const char *additions[PLACE_COUNT] = {
		[PLACE_DEVICES] = "1", [PLACE_CHOICE] = "\"\""};
	struct bytes ret = {0};
	struct err err = {0};

	places.place[PLACE_DEVICES] = places.place[PLACE_CHOICE];
	places.place[PLACE_DEVICES].state = PLACE_NULL;
	cr_expect_eq(
		config_places_splice(&places, text, strlen(text), additions, &ret, &err),
		-EBADMSG);
	cr_expect_str_eq(err.msg, "edit config.json: two places overlap");
	cr_expect_null(ret.data);
}
