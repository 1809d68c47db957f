/* SPDX-License-Identifier: Apache-2.0 */
/* test_drm.c - lib/host/drm.c */

#include "host/drm.h"

#include <criterion/criterion.h>

#include "made_host.h"

#define GPU_A "devices/pci0000:00/0000:00:01.0/0000:03:00.0"
#define GPU_B "devices/pci0000:40/0000:43:00.0"

static struct made_host made;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	made_host_free(&made);
}

TestSuite(drm, .init = start, .fini = stop);

Test(drm, host_without_drm_has_no_devices)
{
	cr_assert_eq(host_drm(&made.host)->n, 0);
}

Test(drm, nodes_of_one_parent_are_one_device_whatever_their_numbers)
{
	const struct drm_devices *list;

	made_pci(&made, GPU_A, 0x1002, 0x744c, 0x030000, "amdgpu");
	made_pci(&made, GPU_B, 0x8086, 0x56c0, 0x038000, "xe");
	made_drm(&made, GPU_A, "card3", 3);
	made_drm(&made, GPU_A, "renderD129", 129);
	made_drm(&made, GPU_B, "card1", 1);
	made_drm(&made, GPU_B, "renderD131", 131);
	list = host_drm(&made.host);
	cr_assert_eq(list->n, 2);
	cr_assert_str_eq(list->device[0].sysfs_dir, GPU_A);
	cr_assert_str_eq(list->device[0].card.name, "card3");
	cr_assert_str_eq(list->device[0].render.name, "renderD129");
	cr_assert_eq(list->device[0].render.major, 226);
	cr_assert_eq(list->device[0].render.minor, 129);
	cr_assert_str_eq(list->device[1].card.name, "card1");
	cr_assert_str_eq(list->device[1].render.name, "renderD131");
}

Test(drm, number_is_what_the_dev_file_says)
{
	made_drm(&made, GPU_A, "renderD128", 200);
	cr_assert_eq(host_drm(&made.host)->device[0].render.minor, 200);
}

Test(drm, pci_facts_are_read)
{
	const struct drm_device *device;

	made_pci(&made, GPU_A, 0x1002, 0x74a1, 0x120000, "amdgpu");
	made_file(&made, "/sys/" GPU_A "/numa_node", "1\n");
	made_drm(&made, GPU_A, "renderD128", 128);
	device = host_drm(&made.host)->device;
	cr_assert_str_eq(device->name, "0000:03:00.0");
	cr_assert_str_eq(device->pci, "0000:03:00.0");
	cr_assert_str_eq(device->driver, "amdgpu");
	cr_assert_str_eq(device->id_path, "pci-0000:03:00.0");
	cr_assert(device->is_pci_function);
	cr_assert_eq(device->pci_vendor, 0x1002);
	cr_assert_eq(device->pci_device, 0x74a1);
	cr_assert_eq(device->pci_class, 0x120000);
	cr_assert_eq(device->numa_node, 1);
	cr_assert_null(device->card.name);
}

Test(drm, connectors_and_other_entries_are_no_nodes)
{
	made_drm(&made, GPU_A, "card0", 0);
	made_drm(&made, GPU_B, "card0-HDMI-A-1", 9);
	made_file(&made, "/sys/class/drm/version", "drm 1.1.0 20060810\n");
	made_link(&made, "/sys/class/drm/renderD", "../../" GPU_A "/drm/renderD");
	cr_assert_eq(host_drm(&made.host)->n, 1);
	cr_assert_str_eq(host_drm(&made.host)->device[0].card.name, "card0");
}

Test(drm, node_without_a_readable_dev_file_is_left_out)
{
	made_link(&made, "/sys/class/drm/card0", "../../" GPU_A "/drm/card0");
	made_drm(&made, GPU_B, "card1", 1);
	made_file(&made, "/sys/" GPU_B "/drm/card1/dev", "none\n");
	cr_assert_eq(host_drm(&made.host)->n, 0);
}

Test(drm, links_of_another_shape_are_left_out)
{
	made_file(&made, "/sys/class/drm/card0/dev", "226:0\n");
	made_file(&made, "/sys/devices/x/drm/card1/dev", "226:1\n");
	made_file(&made, "/sys/devices/x/drm/card3/dev", "226:3\n");
	made_link(&made, "/sys/class/drm/card1", "/sys/devices/x/drm/card1");
	made_link(&made, "/sys/class/drm/card2", "../../devices/x/drm/card1");
	made_link(&made, "/sys/class/drm/card3", "../../devices/x/../x/drm/card3");
	made_link(&made, "/sys/class/drm/card4", "../../devices/drm/card4");
	cr_assert_eq(host_drm(&made.host)->n, 0);
}

Test(drm, platform_device_has_no_pci)
{
	const struct drm_device *device;

	made_driver(&made, "devices/platform/soc/fec00000.v3d", "v3d");
	made_drm(&made, "devices/platform/soc/fec00000.v3d", "renderD128", 128);
	device = host_drm(&made.host)->device;
	cr_assert_null(device->pci);
	cr_assert_not(device->is_pci_function);
	cr_assert_str_eq(device->name, "fec00000.v3d");
	cr_assert_str_eq(device->driver, "v3d");
	cr_assert_str_eq(device->id_path, "platform-fec00000.v3d");
	cr_assert_eq(device->numa_node, NUMA_NODE_UNKNOWN);
}

Test(drm, partition_without_a_driver_is_a_platform_device)
{
	made_drm(&made, "devices/platform/amdgpu_xcp.29", "renderD157", 157);
	cr_assert_null(host_drm(&made.host)->device[0].driver);
	cr_assert_str_eq(host_drm(&made.host)->device[0].id_path,
			 "platform-amdgpu_xcp.29");
}

Test(drm, virtio_driver_is_found_below_the_pci_parent)
{
	const struct drm_device *device;

	made_pci(&made, GPU_A, 0x1af4, 0x1050, 0x038000, "virtio-pci");
	made_driver(&made, GPU_A "/virtio0", "virtio_gpu");
	made_drm(&made, GPU_A, "renderD128", 128);
	device = host_drm(&made.host)->device;
	cr_assert_str_eq(device->driver, "virtio_gpu");
	cr_assert_str_eq(device->id_path, "pci-0000:03:00.0");
	cr_assert(device->is_pci_function);
}

Test(drm, virtio_driver_is_found_below_an_mmio_parent)
{
	made_driver(&made, "devices/platform/a003e00.virtio_mmio", "virtio-mmio");
	made_driver(&made, "devices/platform/a003e00.virtio_mmio/virtio3", "virtio_gpu");
	made_drm(&made, "devices/platform/a003e00.virtio_mmio", "renderD128", 128);
	cr_assert_str_eq(host_drm(&made.host)->device[0].driver, "virtio_gpu");
	cr_assert_str_eq(host_drm(&made.host)->device[0].id_path,
			 "platform-a003e00.virtio_mmio");
}

Test(drm, virtio_device_that_is_the_parent_itself_keeps_its_driver)
{
	const struct drm_device *device;

	made_pci(&made, GPU_A, 0x1af4, 0x1050, 0x038000, "virtio-pci");
	made_driver(&made, GPU_A "/virtio0", "virtio_gpu");
	made_drm(&made, GPU_A "/virtio0", "renderD128", 128);
	device = host_drm(&made.host)->device;
	cr_assert_str_eq(device->name, "virtio0");
	cr_assert_str_eq(device->driver, "virtio_gpu");
	cr_assert_str_eq(device->pci, "0000:03:00.0");
	cr_assert_eq(device->pci_vendor, 0x1af4);
	cr_assert_str_eq(device->id_path, "pci-0000:03:00.0");
	cr_assert(device->is_pci_function);
}

Test(drm, framebuffer_below_a_gpu_is_not_the_gpu)
{
	const struct drm_devices *list;

	made_pci(&made, GPU_A, 0x8086, 0x46a6, 0x030000, "i915");
	made_driver(&made, GPU_A "/simple-framebuffer.0", "simple-framebuffer");
	made_drm(&made, GPU_A "/simple-framebuffer.0", "card0", 0);
	made_drm(&made, GPU_A, "card1", 1);
	list = host_drm(&made.host);
	cr_assert_eq(list->n, 2);
	cr_assert_str_eq(list->device[0].card.name, "card1");
	cr_assert_str_eq(list->device[1].card.name, "card0");
	cr_assert_str_eq(list->device[1].driver, "simple-framebuffer");
	cr_assert_not(list->device[1].is_pci_function);
	cr_assert_null(list->device[1].id_path);
}

/* Names as systemd gives them on such machines. */
Test(drm, id_path_joins_what_udev_joins)
{
	made_drm(
		&made,
		"devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0",
		"card0", 0);
	made_drm(
		&made,
		"devices/platform/soc/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0",
		"card1", 1);
	cr_assert_str_eq(host_drm(&made.host)->device[0].id_path,
			 "pci-0000:00:0e.0-pci-10000:e1:00.0");
	cr_assert_str_eq(host_drm(&made.host)->device[0].pci, "10000:e1:00.0");
	cr_assert_str_eq(host_drm(&made.host)->device[1].id_path,
			 "platform-fd500000.pcie-pci-0000:01:00.0");
}

Test(drm, device_of_the_faux_bus_is_named_by_itself)
{
	made_driver(&made, "devices/faux/vgem", "faux_driver");
	made_drm(&made, "devices/faux/vgem", "renderD128", 128);
	cr_assert_str_eq(host_drm(&made.host)->device[0].driver, "vgem");
	cr_assert_null(host_drm(&made.host)->device[0].id_path);
}

Test(drm, host_is_read_once)
{
	made_drm(&made, GPU_A, "card0", 0);
	cr_assert_eq(host_drm(&made.host)->n, 1);
	made_drm(&made, GPU_B, "card1", 1);
	cr_assert_eq(host_drm(&made.host)->n, 1);
}

Test(drm, device_of_a_pci_address_is_found_before_and_after_the_list)
{
	made_pci(&made, GPU_A, 0x10de, 0x2330, 0x030200, "nvidia");
	made_drm(&made, GPU_A, "renderD128", 128);
	cr_assert_str_eq(host_drm_of_pci(&made.host, "0000:03:00.0")->render.name,
			 "renderD128");
	cr_assert_null(host_drm_of_pci(&made.host, "0000:43:00.0"));
	cr_assert_str_eq(host_drm(&made.host)->device[0].driver, "nvidia");
	cr_assert_str_eq(host_drm_of_pci(&made.host, "0000:03:00.0")->driver, "nvidia");
}

Test(drm, four_pci_classes_are_gpus)
{
	cr_assert(pci_class_is_gpu(0x030000));
	cr_assert(pci_class_is_gpu(0x030200));
	cr_assert(pci_class_is_gpu(0x038000));
	cr_assert(pci_class_is_gpu(0x120000));
	cr_assert_not(pci_class_is_gpu(0x030100));
	cr_assert_not(pci_class_is_gpu(0x040300));
	cr_assert_not(pci_class_is_gpu(0x060400));
	cr_assert_not(pci_class_is_gpu(0x000300));
}
