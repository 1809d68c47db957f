/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_sieve.c - what is left of a config.json before it is parsed */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/mem.h"
#include "oci/config.h"
#include "oci/config_sieve.h"

/* From a block of its own size, so that a sanitizer sees every byte too many. Return: to
   free(); "" where the sieve wants the whole text to be parsed */
static char *sieved(const char *text)
{
	size_t len = strlen(text);
	char *from = malloc(len);
	char *to = malloc(len);
	char *copy;

	memcpy(from, text, len);
	copy = xstrndup(to, config_sieve(from, len, to));
	free(from);
	free(to);
	return copy;
}

static void check_sieved(const char *text, const char *wanted)
{
	autofree char *found = sieved(text);

	cr_expect_str_eq(found, wanted, "%s gives %s", text, found);
}

Test(config_sieve, keeps_what_is_read_and_the_keys_of_the_rest)
{
	check_sieved("{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"},\n"
		     " \"process\": {\"env\": [\"A=1\"], \"user\": {\"uid\": 5},\n"
		     "  \"capabilities\": {\"bounding\": []}, \"args\": [\"sh\"]},\n"
		     " \"mounts\": [{\"destination\": \"/proc\"}],\n"
		     " \"linux\": {\"seccomp\": {\"a\": [{}]}, \"namespaces\": [1],\n"
		     "  \"uidMappings\": [2], \"gidMappings\": [3],\n"
		     "  \"resources\": {\"memory\": {\"limit\": 1}, \"devices\": [4]}},\n"
		     " \"annotations\": {\"k\": \"v\"} }\n",
		     "{\"ociVersion\":0,\"root\":{\"path\": \"rootfs\"},"
		     "\"process\":{\"env\":0,\"user\":{\"uid\": 5},"
		     "\"capabilities\":{\"bounding\": []},\"args\":0},"
		     "\"mounts\":0,"
		     "\"linux\":{\"seccomp\":0,\"namespaces\":[1],"
		     "\"uidMappings\":[2],\"gidMappings\":[3],"
		     "\"resources\":{\"memory\":0,\"devices\":[4]}},"
		     "\"annotations\":{\"k\": \"v\"}}");
}

Test(config_sieve, values_of_every_kind_are_left_out_whole)
{
	check_sieved(
		"{\"a\":1 , \"b\":-1.5e3,\"c\":true,\"d\":null,\"e\":\"\",\"f\":[],\"g\":{}}",
		"{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0}");
	check_sieved("{}", "{}");
}

Test(config_sieve, brackets_and_quotes_in_strings_do_not_count)
{
	check_sieved(
		"{\"a\":[\"]}\",\"\\\"]\",\"\\\\\",\"\\\\\\\"}\"],\"root\":\"}\\\"{\"}",
		"{\"a\":0,\"root\":\"}\\\"{\"}");
	/* A value that looks like a member that is read is none. */
	check_sieved(
		"{\"a\":\",\\\"root\\\":\\\"/\\\"\",\"b\":{\"root\":{\"path\":\"/\"}}}",
		"{\"a\":0,\"b\":0}");
}

Test(config_sieve, repeated_and_escaped_keys_are_left_to_jansson)
{
	check_sieved("{\"root\":{\"path\":\"/a\"},\"root\":{\"path\":\"/b\"}}",
		     "{\"root\":{\"path\":\"/a\"},\"root\":{\"path\":\"/b\"}}");
	check_sieved("{\"mounts\":[1],\"mounts\":[2]}", "{\"mounts\":0,\"mounts\":0}");
	check_sieved(
		"{\"r\\u006fot\":{\"path\":\"/a\"},\"process\":{\"us\\u0065r\":[1]}}",
		"{\"r\\u006fot\":{\"path\":\"/a\"},\"process\":{\"us\\u0065r\":[1]}}");
}

Test(config_sieve, a_wrong_type_is_kept_for_the_message)
{
	check_sieved("{\"process\":[1],\"linux\":\"text\",\"root\":7}",
		     "{\"process\":[1],\"linux\":\"text\",\"root\":7}");
	check_sieved("{\"linux\":{\"resources\":null,\"namespaces\":{}}}",
		     "{\"linux\":{\"resources\":null,\"namespaces\":{}}}");
}

Test(config_sieve, what_is_no_object_is_parsed_whole)
{
	const char *const texts[] = {
		"",
		" ",
		"[]",
		"7",
		"\xef\xbb\xbf{}",
		"{",
		"{\"a\"",
		"{\"a\":",
		"{\"a\":}",
		"{\"a\":,\"b\":1}",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,}",
		"{\"a\" 1}",
		"{a:1}",
		"{\"a\":1}}",
		"{\"a\":1} x",
		"{\"a\":\"}",
		"{\"a\":\"\\\"}",
		"{\"a\":[1}",
		"{\"a\":[{]}]}",
		"{\"a\":{]}",
		"{\"root\":{\"path\":[}}",
		"{\"linux\":{\"resources\":{\"devices\":[}}}",
		"{\"a\":1\\}",
		"{\"a\":[#]}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		check_sieved(texts[i], "");
	}
}

/* Here crun sees no request, and the sieve would see one. */
Test(config_sieve, what_only_some_runtimes_take_for_json_is_refused)
{
	const char *const texts[] = {
		"{\"root\":{\"path\":\"r\"},\"a\":1 /* \"\","
		"\"annotations\":{\"k\":\"1\"},\"b\":1 */}",
		"{\"root\":{\"path\":\"r\"},\"a\":1 // \"\","
		"\"annotations\":{\"k\":\"1\"},\"b\":\n1}",
		"{\"root\":{\"path\":\"r\"},\"a\":['\"', \"'],"
		"\"annotations\":{\"k\":\"1\"},\"b\":['\"]}",
		"{\"root\":{\"path\":\"r\"},\"a\":'\"\","
		"\"annotations\":{\"k\":\"1\"},\"b\":1'}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cleanup(oci_config_clearp) struct oci_config config = {0};
		struct err err = {0};

		check_sieved(texts[i], "");
		cr_expect_eq(
			oci_config_parse(texts[i], strlen(texts[i]), "k", &config, &err),
			-EINVAL, "%s", texts[i]);
	}
}

/* @text: room for 3 * LIMIT_JSON_DEPTH bytes */
static void nest(char *text, unsigned int depth)
{
	char *at = text + sprintf(text, "{\"a\":");

	memset(at, '[', depth - 1);
	memset(at + depth - 1, ']', depth - 1);
	(void)strcpy(at + 2 * (depth - 1), "}");
}

Test(config_sieve, depth_is_limited_in_what_is_left_out)
{
	char text[3 * LIMIT_JSON_DEPTH];

	nest(text, LIMIT_JSON_DEPTH);
	check_sieved(text, "{\"a\":0}");
	nest(text, LIMIT_JSON_DEPTH + 1);
	check_sieved(text, "");
}

/* An engine's file is parsed without most of it, so what is in
   there need not be right. */
Test(config_sieve, what_is_left_out_is_not_parsed)
{
	const char text[] = "{\"root\":{\"path\":\"r\"},\"mounts\":[nonsense]}";
	cleanup(oci_config_clearp) struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(oci_config_parse(text, strlen(text), "k", &config, &err), 0);
	cr_expect_str_eq(config.root_path, "r");
}
