/* SPDX-License-Identifier: Apache-2.0 */
/* test_inventory.c - lib/model/inventory.c */

#include "model/inventory.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "base/limits.h"
#include "base/mem.h"

static struct inventory inv;

static void stop(void)
{
	inventory_clear(&inv);
}

TestSuite(inventory, .fini = stop);

static void add(const char *vendor, const char *pci, int partition, const char *id_path,
		const char *reason)
{
	struct err err;
	struct gpu *gpu = inventory_add(&inv, &err);

	gpu->vendor = xstrdup(vendor);
	gpu->pci = pci ? xstrdup(pci) : NULL;
	gpu->partition = partition;
	gpu->id_path = id_path ? xstrdup(id_path) : NULL;
	gpu->unusable_reason = reason ? xstrdup(reason) : NULL;
}

Test(inventory, pci_addresses_are_read_as_the_kernel_prints_them)
{
	struct pci_address address = {0};

	cr_assert(pci_address_parse("10000:c1:1f.7", &address));
	cr_assert_eq(address.domain, 0x10000);
	cr_assert_eq(address.bus, 0xc1);
	cr_assert_eq(address.device, 0x1f);
	cr_assert_eq(address.function, 7);
	cr_assert(pci_address_parse("ffffffff:00:00.0", &address));
}

Test(inventory, other_texts_are_no_pci_addresses)
{
	static const char *const bad[] = {
		"",
		"c1:00.0",
		"000:c1:00.0",
		"0000:c1:00",
		"0000:c1:00.",
		"0000:c1:00.8",
		"0000:c1:20.0",
		"0000:C1:00.0",
		"0000:c1:00.0 ",
		" 0000:c1:00.0",
		"0000:c1:00.00",
		"100000000:c1:00.0",
		"0000:1:00.0",
		"0000-c1-00-0",
		"0000:c1:0.0",
		"virtio0",
	};
	struct pci_address address = {.domain = 77};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_not(pci_address_parse(bad[i], &address), "'%s'", bad[i]);
	}
	cr_assert_eq(address.domain, 77, "filled in spite of an error");
}

Test(inventory, new_gpu_is_empty)
{
	struct err err;
	const struct gpu *gpu = inventory_add(&inv, &err);

	cr_assert_str_eq(gpu->model, "");
	cr_assert_eq(gpu->partition, NO_PARTITION);
	cr_assert_eq(gpu->numa_node, NUMA_NODE_UNKNOWN);
	cr_assert_null(gpu->vendor);
	cr_assert_eq(gpu->n_nodes, 0);
}

Test(inventory, one_gpu_too_many_is_e2big)
{
	struct err err = {0};

	for (unsigned int i = 0; i < LIMIT_GPUS; i++) {
		cr_assert_not_null(inventory_add(&inv, &err));
	}
	cr_assert_null(inventory_add(&inv, &err));
	cr_assert_eq(err.code, E2BIG);
	cr_assert_eq(inv.n_gpus, LIMIT_GPUS);
}

Test(inventory, node_is_taken_and_found_by_role)
{
	struct device_node node = {.path = xstrdup("/dev/kfd"), .role = DEVICE_COMPUTE};
	struct gpu *gpu;

	add("amd", NULL, NO_PARTITION, NULL, NULL);
	gpu = &inv.gpus[0];
	gpu_take_node(gpu, &node);
	cr_assert_null(node.path);
	cr_assert_str_eq(gpu_find_node(gpu, DEVICE_COMPUTE)->path, "/dev/kfd");
	cr_assert_null(gpu_find_node(gpu, DEVICE_RENDER));
}

Test(inventory, order_is_pci_then_partition_then_path)
{
	add("amd", NULL, NO_PARTITION, "platform-b", NULL);
	add("amd", "10000:01:00.0", NO_PARTITION, NULL, NULL);
	add("amd", NULL, NO_PARTITION, "platform-a", NULL);
	add("amd", "0000:05:00.0", 1, NULL, NULL);
	add("amd", "2000:01:00.0", NO_PARTITION, NULL, NULL);
	add("amd", "0000:05:00.0", 0, NULL, NULL);
	add("amd", "0000:04:00.1", NO_PARTITION, NULL, NULL);
	add("amd", "0000:04:00.0", NO_PARTITION, NULL, NULL);
	inventory_number(&inv);
	cr_assert_str_eq(inv.gpus[0].pci, "0000:04:00.0");
	cr_assert_str_eq(inv.gpus[1].pci, "0000:04:00.1");
	cr_assert_str_eq(inv.gpus[2].pci, "0000:05:00.0");
	cr_assert_eq(inv.gpus[2].partition, 0);
	cr_assert_eq(inv.gpus[3].partition, 1);
	cr_assert_str_eq(inv.gpus[4].pci, "2000:01:00.0");
	cr_assert_str_eq(inv.gpus[5].pci, "10000:01:00.0");
	cr_assert_str_eq(inv.gpus[6].id_path, "platform-a");
	cr_assert_str_eq(inv.gpus[7].id_path, "platform-b");
	cr_assert_eq(inv.gpus[7].index, 7);
}

Test(inventory, each_vendor_counts_from_zero)
{
	add("nvidia", "0000:03:00.0", NO_PARTITION, NULL, NULL);
	add("amd", "0000:02:00.0", NO_PARTITION, NULL, NULL);
	add("nvidia", "0000:01:00.0", NO_PARTITION, NULL, NULL);
	inventory_number(&inv);
	cr_assert_eq(inv.gpus[0].index, 0);
	cr_assert_eq(inv.gpus[1].index, 0);
	cr_assert_eq(inv.gpus[2].index, 1);
}

Test(inventory, unusable_gpu_does_not_shift_the_others)
{
	add("nvidia", "0000:01:00.0", NO_PARTITION, NULL, "excluded");
	add("nvidia", "0000:02:00.0", NO_PARTITION, NULL, NULL);
	add("nvidia", "0000:03:00.0", NO_PARTITION, NULL, NULL);
	inventory_number(&inv);
	cr_assert_str_eq(inv.gpus[0].pci, "0000:01:00.0");
	cr_assert_eq(inv.gpus[0].index, 2);
	cr_assert_eq(inv.gpus[1].index, 0);
	cr_assert_eq(inv.gpus[2].index, 1);
}

Test(inventory, empty_inventory_can_be_numbered)
{
	inventory_number(&inv);
	cr_assert_eq(inv.n_gpus, 0);
}

Test(inventory, every_role_has_its_name)
{
	cr_assert_str_eq(device_role_names[DEVICE_GPU], "gpu");
	cr_assert_str_eq(device_role_names[DEVICE_CONTROL], "control");
	cr_assert_str_eq(device_role_names[DEVICE_COMPUTE], "compute");
	cr_assert_str_eq(device_role_names[DEVICE_MODESET], "modeset");
	cr_assert_str_eq(device_role_names[DEVICE_RENDER], "render");
	cr_assert_str_eq(device_role_names[DEVICE_CARD], "card");
}
