/* SPDX-License-Identifier: Apache-2.0 */
/* test_choice.c - GPUs by name, written and read again */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "model/choice.h"

static char pci[] = "0000:c1:00.0";
static char vendor[] = "amd";
static char render_path[] = "/dev/dri/renderD129";
static struct device_node render = {.path = render_path, .role = DEVICE_RENDER};

static void expect_id(const struct gpu *gpu, const char *wanted)
{
	autofree char *id = choice_id_of(gpu);

	cr_expect_str_eq(id, wanted);
}

Test(choice, the_id_is_the_pci_address)
{
	const struct gpu gpu = {
		.pci = pci, .partition = NO_PARTITION, .nodes = &render, .n_nodes = 1};

	expect_id(&gpu, "0000:c1:00.0");
}

Test(choice, a_partition_shares_its_address_so_its_node_counts)
{
	const struct gpu gpu = {
		.pci = pci, .partition = 0, .nodes = &render, .n_nodes = 1};

	expect_id(&gpu, "renderD129");
}

Test(choice, without_an_address_the_node_counts_and_then_the_index)
{
	const struct gpu with_node = {
		.partition = NO_PARTITION, .nodes = &render, .n_nodes = 1};
	const struct gpu bare = {.vendor = vendor, .index = 3, .partition = NO_PARTITION};

	expect_id(&with_node, "renderD129");
	expect_id(&bare, "amd:3");
}

Test(choice, what_is_written_can_be_read)
{
	const struct gpu first = {.pci = pci, .partition = NO_PARTITION};
	const struct gpu second = {
		.partition = NO_PARTITION, .nodes = &render, .n_nodes = 1};
	const struct gpu *const gpus[] = {&first, &second};
	autofree char *text = choice_format(gpus, 2);
	cleanup(choice_clearp) struct choice choice = {0};
	struct err err = {0};

	cr_assert_str_eq(text, "v1 0000:c1:00.0 renderD129");
	cr_assert_eq(choice_parse(text, strlen(text), &choice, &err), 0, "%s", err.msg);
	cr_assert_eq(choice.n, 2);
	cr_expect_str_eq(choice.ids[0], "0000:c1:00.0");
	cr_expect_str_eq(choice.ids[1], "renderD129");
}

Test(choice, anything_else_is_refused)
{
	static const char *const texts[] = {
		"",	   "v1",	 "v1 ",		  "v2 renderD129", " v1 a",
		"v1 a ",   "v1  a",	 "v1 a\tb",	  "v1 a,b",	   "v1 ../a",
		"v1 \xff", "renderD129", "V1 renderD129", "v1renderD129",  "amd:1",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct choice choice = {0};
		struct err err = {0};

		cr_expect_eq(choice_parse(texts[i], strlen(texts[i]), &choice, &err),
			     -EINVAL, "'%s'", texts[i]);
		cr_expect_null(choice.ids);
	}
}

Test(choice, the_error_says_who_writes_it)
{
	struct choice choice = {0};
	struct err err = {0};

	cr_expect_eq(choice_parse("v2 a", 4, &choice, &err), -EINVAL);
	cr_expect_str_eq(err.msg,
			 "'v2 a' is not what precreate writes, 'v1 ID...'; remove it");
}

Test(choice, the_error_shows_what_was_given_and_no_byte_behind_it)
{
	static const char text[] = "v2 a and what is behind";
	struct choice choice = {0};
	struct err err = {0};
	char *exact = malloc(4); /* so that a sanitizer sees the first byte beyond */

	cr_expect_eq(choice_parse(text, 4, &choice, &err), -EINVAL);
	cr_expect_str_eq(err.msg,
			 "'v2 a' is not what precreate writes, 'v1 ID...'; remove it");
	memcpy(exact, text, 4);
	cr_expect_eq(choice_parse(exact, 4, &choice, &err), -EINVAL);
	cr_expect_str_eq(err.msg,
			 "'v2 a' is not what precreate writes, 'v1 ID...'; remove it");
	free(exact);
}

Test(choice, the_error_shows_the_beginning_of_a_long_text)
{
	char text[200];
	char wanted[102 + sizeof(" is not what")] = "";
	struct choice choice = {0};
	struct err err = {0};

	memset(text, 'x', sizeof(text));
	(void)snprintf(wanted, sizeof(wanted), "'%.100s' is not what", text);
	cr_expect_eq(choice_parse(text, sizeof(text), &choice, &err), -EINVAL);
	cr_expect_eq(strncmp(err.msg, wanted, strlen(wanted)), 0, "%s", err.msg);
}

Test(choice, an_id_and_their_number_are_bounded)
{
	char text[4 * (LIMIT_GPUS + 1) + 3] = "v1";
	char long_id[3 + 65 + 1] = "v1 ";
	struct choice choice = {0};
	struct err err = {0};

	for (size_t i = 0; i <= LIMIT_GPUS; i++) {
		memcpy(text + 2 + 2 * i, " a", 2);
	}
	cr_expect_eq(choice_parse(text, 2 + 2 * (LIMIT_GPUS + 1), &choice, &err), -E2BIG);
	cr_expect_str_eq(err.msg, "more than 256 GPUs");
	cr_assert_eq(choice_parse(text, 2 + 2 * LIMIT_GPUS, &choice, &err), 0);
	cr_expect_eq(choice.n, LIMIT_GPUS);
	choice_clear(&choice);
	memset(long_id + 3, 'a', 65);
	cr_expect_eq(choice_parse(long_id, 3 + 65, &choice, &err), -EINVAL);
	cr_assert_eq(choice_parse(long_id, 3 + 64, &choice, &err), 0);
	choice_clear(&choice);
}
