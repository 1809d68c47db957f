/* SPDX-License-Identifier: Apache-2.0 */
/* test_amd.c - lib/injector/amd.c */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "made_host.h"

#define GPU_A "devices/pci0000:00/0000:05:00.0"
#define GPU_B "devices/pci0001:00/0001:05:00.0"

static struct made_host made;
static struct inventory inv;
static struct err err;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	inventory_clear(&inv);
	made_host_free(&made);
}

TestSuite(amd, .init = start, .fini = stop);

static void make_kfd(void)
{
	made_file(&made, "/sys/class/kfd/kfd/dev", "511:0\n");
	made_kfd_node(&made, 0, 0, 0, 0, 0);
}

static void make_gpu(const char *dir, const char *card, unsigned int card_minor,
		     const char *render, unsigned int render_minor)
{
	made_pci(&made, dir, 0x1002, 0x744c, 0x030000, "amdgpu");
	made_drm(&made, dir, card, card_minor);
	made_drm(&made, dir, render, render_minor);
}

static void probe(size_t want)
{
	cr_assert_eq(amd_injector.probe(&made.host, &inv, &err), 0, "%s", err.msg);
	cr_assert_eq(inv.n_gpus, want);
	inventory_number(&inv);
}

/* One GPU that computes. */
static const struct gpu *probe_usual(void)
{
	make_gpu(GPU_A, "card1", 1, "renderD128", 128);
	make_kfd();
	made_kfd_node(&made, 1, 128, 0x0500, 0, 0x8a1f3c5d7e9b2046ULL);
	probe(1);
	return inv.gpus;
}

static void assert_plan(const struct gpu *gpu, const char *request, const char *want)
{
	autofree char *got = made_plan(&amd_injector, gpu, request, &err);

	cr_assert_str_eq(got, want);
}

Test(amd, host_without_drm_has_no_gpus)
{
	make_kfd();
	probe(0);
}

Test(amd, gpu_in_kfds_topology_can_compute)
{
	const struct gpu *gpu = probe_usual();
	const struct device_node *kfd = gpu_find_node(gpu, DEVICE_COMPUTE);

	cr_assert_str_eq(gpu->vendor, "amd");
	cr_assert_str_eq(gpu->pci, "0000:05:00.0");
	cr_assert_str_eq(gpu->driver, "amdgpu");
	cr_assert_str_eq(gpu->model, "1002:744c");
	cr_assert_str_eq(gpu->uuid, "0x8a1f3c5d7e9b2046");
	cr_assert_eq(gpu->partition, NO_PARTITION);
	cr_assert(gpu->can_compute);
	cr_assert_str_eq(kfd->path, "/dev/kfd");
	cr_assert_eq(kfd->major, 511);
	cr_assert_eq(kfd->minor, 0);
}

Test(amd, product_name_is_the_model_unless_it_is_empty)
{
	make_gpu(GPU_A, "card0", 0, "renderD128", 128);
	make_gpu(GPU_B, "card1", 1, "renderD129", 129);
	made_file(&made, "/sys/" GPU_A "/product_name", "AMD Instinct MI210\n");
	made_file(&made, "/sys/" GPU_B "/product_name", "\n");
	probe(2);
	cr_assert_str_eq(inv.gpus[0].model, "AMD Instinct MI210");
	cr_assert_str_eq(inv.gpus[1].model, "1002:744c");
}

Test(amd, without_kfd_a_gpu_is_usable_but_does_not_compute)
{
	make_gpu(GPU_A, "card0", 0, "renderD128", 128);
	made_file(&made, "/sys/" GPU_A "/unique_id", "00a1b2c3d4e5f607\n");
	probe(1);
	cr_assert_not(inv.gpus[0].can_compute);
	cr_assert_null(inv.gpus[0].unusable_reason);
	cr_assert_null(gpu_find_node(inv.gpus, DEVICE_COMPUTE));
	cr_assert_str_eq(inv.gpus[0].uuid, "0xa1b2c3d4e5f607");
}

Test(amd, gpu_that_kfd_does_not_know_does_not_compute)
{
	make_gpu(GPU_A, "card0", 0, "renderD128", 128);
	make_gpu(GPU_B, "card1", 1, "renderD129", 129);
	make_kfd();
	made_kfd_node(&made, 1, 129, 0x0500, 1, 0);
	probe(2);
	cr_assert_not(inv.gpus[0].can_compute);
	cr_assert(inv.gpus[1].can_compute);
	cr_assert_null(inv.gpus[1].uuid, "a unique id of 0 is none");
}

Test(amd, radeon_is_listed_and_does_not_compute)
{
	made_pci(&made, GPU_A, 0x1002, 0x6779, 0x030000, "radeon");
	made_drm(&made, GPU_A, "renderD128", 128);
	make_kfd();
	probe(1);
	cr_assert_str_eq(inv.gpus[0].driver, "radeon");
	cr_assert_not(inv.gpus[0].can_compute);
}

Test(amd, other_devices_are_left_alone)
{
	made_pci(&made, GPU_A, 0x10de, 0x744c, 0x030000, "nouveau");
	made_drm(&made, GPU_A, "renderD128", 128);
	made_pci(&made, GPU_B, 0x1002, 0x744c, 0x030000, "vfio-pci");
	made_drm(&made, GPU_B, "renderD129", 129);
	made_driver(&made, "devices/platform/amdgpu", "amdgpu");
	made_drm(&made, "devices/platform/amdgpu", "renderD130", 130);
	probe(0);
}

/* Kernels put the partition's number into the function bits, or into the top four. */
static void make_partitions(const char *separator, unsigned int shift)
{
	make_gpu(GPU_A, "card1", 1, "renderD128", 128);
	made_file(&made, "/sys/" GPU_A "/product_name", "MI300X\n");
	made_file(&made, "/sys/" GPU_A "/numa_node", "1\n");
	make_gpu(GPU_B, "card9", 9, "renderD136", 136);
	make_kfd();
	for (unsigned int i = 0; i < 4; i++) {
		autofree char *dir =
			xasprintf("devices/platform/amdgpu_xcp%s%u", separator, 20 - i);
		autofree char *render = xasprintf("renderD%u", 128 + i);

		if (i > 0) {
			made_drm(&made, dir, render, 128 + i);
		}
		made_kfd_node(&made, 2 + i, 128 + i, 0x0500 | i << shift, 0, 0xabc);
	}
	made_kfd_node(&made, 9, 136, 0x0500, 1, 0xdef);
}

static void assert_partitions(void)
{
	probe(5);
	for (unsigned int i = 0; i < 4; i++) {
		autofree char *render = xasprintf("/dev/dri/renderD%u", 128 + i);
		const struct gpu *gpu = &inv.gpus[i];

		cr_assert_str_eq(gpu->pci, "0000:05:00.0");
		cr_assert_eq(gpu->partition, (int)i);
		cr_assert_eq(gpu->index, i);
		cr_assert_str_eq(gpu_find_node(gpu, DEVICE_RENDER)->path, render);
		cr_assert_str_eq(gpu->model, "MI300X");
		cr_assert_str_eq(gpu->driver, "amdgpu");
		cr_assert_str_eq(gpu->uuid, "0xabc");
		cr_assert_eq(gpu->numa_node, 1);
		cr_assert(gpu->can_compute);
		cr_assert_null(gpu->unusable_reason);
	}
	cr_assert_str_eq(inv.gpus[4].pci, "0001:05:00.0");
	cr_assert_eq(inv.gpus[4].partition, NO_PARTITION);
}

Test(amd, partitions_belong_to_the_gpu_that_kfd_names)
{
	make_partitions("_", 0);
	assert_partitions();
}

Test(amd, partitions_of_newer_kernels_too)
{
	make_partitions(".", 28);
	assert_partitions();
}

Test(amd, domain_tells_two_gpus_of_one_bus_number_apart)
{
	make_gpu(GPU_A, "card0", 0, "renderD128", 128);
	make_gpu(GPU_B, "card8", 8, "renderD136", 136);
	made_drm(&made, "devices/platform/amdgpu_xcp_7", "renderD137", 137);
	make_kfd();
	made_kfd_node(&made, 1, 128, 0x0500, 0, 1);
	made_kfd_node(&made, 2, 136, 0x0500, 1, 2);
	made_kfd_node(&made, 3, 137, 0x0501, 1, 2);
	probe(3);
	cr_assert_str_eq(inv.gpus[2].pci, "0001:05:00.0");
	cr_assert_eq(inv.gpus[2].partition, 1);
	cr_assert_eq(inv.gpus[1].partition, 0);
	cr_assert_eq(inv.gpus[0].partition, NO_PARTITION);
}

Test(amd, missing_domain_is_domain_0_for_partitions_too)
{
	make_gpu(GPU_A, "card0", 0, "renderD128", 128);
	made_drm(&made, "devices/platform/amdgpu_xcp_0", "renderD129", 129);
	make_kfd();
	made_kfd_node(&made, 1, 129, 0x0501, -1, 1);
	probe(2);
	cr_assert_str_eq(inv.gpus[1].pci, "0000:05:00.0");
}

Test(amd, partition_that_kfd_does_not_know_is_unusable)
{
	make_gpu(GPU_A, "card0", 0, "renderD128", 128);
	made_drm(&made, "devices/platform/amdgpu_xcp_0", "renderD129", 129);
	probe(2);
	cr_assert_null(inv.gpus[1].pci);
	cr_assert_str_eq(inv.gpus[1].unusable_reason,
			 "KFD does not tell which GPU it is a partition of");
	cr_assert_eq(inv.gpus[1].partition, NO_PARTITION);
	cr_assert_eq(inv.gpus[0].partition, NO_PARTITION);
}

/* The kernel makes platform devices for as many partitions as there can be. */
Test(amd, node_that_no_partition_uses_says_so)
{
	make_gpu(GPU_A, "card0", 0, "renderD128", 128);
	made_drm(&made, "devices/platform/amdgpu_xcp_0", "renderD129", 129);
	make_kfd();
	made_kfd_node(&made, 1, 128, 0x0500, 0, 1);
	probe(2);
	cr_assert(inv.gpus[0].can_compute);
	cr_assert_eq(inv.gpus[0].partition, NO_PARTITION);
	cr_assert_str_eq(inv.gpus[1].unusable_reason,
			 "no partition uses this node: its GPU is in fewer parts");
}

Test(amd, nothing_is_said_of_a_node_whose_place_in_kfd_may_not_be_read)
{
	make_gpu(GPU_A, "card0", 0, "renderD128", 128);
	made_drm(&made, "devices/platform/amdgpu_xcp_0", "renderD129", 129);
	make_kfd();
	made_kfd_node(&made, 1, 128, 0x0500, 0, 1);
	made_dir(&made, "/sys/class/kfd/kfd/topology/nodes/2/properties");
	probe(2);
	cr_assert_str_eq(inv.gpus[1].unusable_reason,
			 "KFD does not tell which GPU it is a partition of");
}

Test(amd, default_request_gets_kfd_render_node_and_its_link)
{
	assert_plan(probe_usual(), "amd:1",
		    "/dev/kfd /dev/dri/renderD128 "
		    "/dev/dri/by-path/pci-0000:05:00.0-render>../renderD128");
}

Test(amd, without_compute_there_is_no_kfd)
{
	assert_plan(probe_usual(), "vendor=amd;capabilities=graphics",
		    "/dev/dri/renderD128 "
		    "/dev/dri/by-path/pci-0000:05:00.0-render>../renderD128");
}

Test(amd, display_gets_the_card)
{
	assert_plan(probe_usual(), "vendor=amd;capabilities=display",
		    "/dev/dri/renderD128 /dev/dri/card1 "
		    "/dev/dri/by-path/pci-0000:05:00.0-render>../renderD128 "
		    "/dev/dri/by-path/pci-0000:05:00.0-card>../card1");
}

Test(amd, gpu_that_cannot_compute_is_a_warning_or_an_error_if_asked_by_name)
{
	make_gpu(GPU_A, "card1", 1, "renderD128", 128);
	probe(1);
	assert_plan(inv.gpus, "amd",
		    "/dev/dri/renderD128 "
		    "/dev/dri/by-path/pci-0000:05:00.0-render>../renderD128 !");
	assert_plan(inv.gpus, "vendor=amd;capabilities=compute", "error");
	cr_assert_eq(err.code, ENODEV);
	cr_assert_str_eq(err.msg,
			 "no compute: KFD does not know this GPU, so ROCm cannot "
			 "use it");
}
