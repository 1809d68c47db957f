/* SPDX-License-Identifier: Apache-2.0 */
/* test_holder.c - names of GPUs in the ledger, and lists of holders */

#include <criterion/criterion.h>

#include "base/mem.h"
#include "model/holder.h"

static void expect_key(const struct gpu *gpu, const char *wanted)
{
	autofree char *key = gpu_key(gpu);

	cr_expect_str_eq(key, wanted);
}

Test(holder, key_is_the_address_and_the_partition)
{
	char pci[] = "0000:c1:00.0";
	char key[] = "gi11/ci0";
	struct gpu gpu = {.pci = pci, .partition = NO_PARTITION};

	expect_key(&gpu, "0000:c1:00.0");
	gpu.partition = 0;
	expect_key(&gpu, "0000:c1:00.0/0");
	gpu.partition = 12;
	expect_key(&gpu, "0000:c1:00.0/12");
	gpu.partition_key = key;
	expect_key(&gpu, "0000:c1:00.0/gi11/ci0");
	cr_expect(gpu_key_overlaps("0000:c1:00.0", "0000:c1:00.0/gi11/ci0"));
}

Test(holder, key_without_an_address_is_the_path_else_the_node)
{
	char id_path[] = "platform-soc-gpu";
	char path[] = "/dev/dri/renderD128";
	struct device_node node = {.path = path};
	struct gpu gpu = {.id_path = id_path,
			  .nodes = &node,
			  .n_nodes = 1,
			  .partition = NO_PARTITION};

	expect_key(&gpu, "platform-soc-gpu");
	gpu.id_path = NULL;
	expect_key(&gpu, "/dev/dri/renderD128");
}

Test(holder, keys_overlap_if_they_are_equal_or_one_is_a_part_of_the_other)
{
	cr_expect(gpu_key_overlaps("0000:c1:00.0", "0000:c1:00.0"));
	cr_expect(gpu_key_overlaps("0000:c1:00.0", "0000:c1:00.0/1"));
	cr_expect(gpu_key_overlaps("0000:c1:00.0/1", "0000:c1:00.0"));
	cr_expect_not(gpu_key_overlaps("0000:c1:00.0/1", "0000:c1:00.0/2"));
	cr_expect_not(gpu_key_overlaps("0000:c1:00.0/1", "0000:c1:00.0/12"));
	cr_expect_not(gpu_key_overlaps("0000:c1:00.0", "0000:c1:00.1"));
}

Test(holder, one_process_is_its_number_its_start_and_its_namespace)
{
	struct process_id a = {.pid = 1, .start_time = 2, .pid_ns = 3};
	struct process_id b = a;

	cr_expect(process_id_equals(&a, &b));
	b.start_time++;
	cr_expect_not(process_id_equals(&a, &b));
	b = a;
	b.pid++;
	cr_expect_not(process_id_equals(&a, &b));
	b = a;
	b.pid_ns++;
	cr_expect_not(process_id_equals(&a, &b));
}

Test(holder, removing_keeps_the_others_in_order)
{
	cleanup(holders_clearp) struct holders holders = {0};
	char text[] = "in the list's own text";

	for (char id = 'a'; id <= 'c'; id++) {
		const char name[] = {id, '\0'};
		const struct holder holder = {.gpu = "g", .id = name};

		/* A copy: `name` is gone when it is looked at. */
		holders_add(&holders, &holder);
	}
	cr_expect_null(holders.holder[0].bundle);
	holders_take_text(&holders, xstrdup(text));
	holders_append(&holders, &(struct holder){.gpu = holders.texts[6]});
	cr_expect_str_eq(holders.holder[3].gpu, text);
	holders_remove(&holders, 3);
	holders_remove(&holders, 1);
	cr_assert_eq(holders.n, 2);
	cr_expect_str_eq(holders.holder[0].id, "a");
	cr_expect_str_eq(holders.holder[1].id, "c");
	holders_remove(&holders, 1);
	holders_remove(&holders, 0);
	cr_expect_eq(holders.n, 0);
}
