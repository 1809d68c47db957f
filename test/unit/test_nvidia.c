/* SPDX-License-Identifier: Apache-2.0 */
/* test_nvidia.c - lib/injector/nvidia.c */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "made_host.h"

#define GPU_DIR "devices/pci0000:00/0000:01:00.0"
#define GPU_PCI "0000:01:00.0"
#define INFO	"/proc/driver/nvidia/gpus/"

/* Blanks and tabs as the driver prints them. */
#define MODEL "Model: \t\t NVIDIA L40S\n"
#define UUID  "GPU UUID: \t GPU-c0ffee00-1234-5678-9abc-def012345678\n"

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

TestSuite(nvidia, .init = start, .fini = stop);

static void make_majors(const char *lines)
{
	made_file(&made, "/proc/devices",
		  "Character devices:\n  1 mem\n%s\nBlock devices:\n", lines);
}

static void make_gpu(const char *pci, unsigned int minor)
{
	autofree char *path = xasprintf(INFO "%s/information", pci);

	made_file(&made, path,
		  MODEL "IRQ:   \t\t 100\n" UUID "Bus Location: \t %s\n"
			"Device Minor: \t %u\nGPU Excluded:\t No\n",
		  pci, minor);
}

/* A GPU with minor 3, UVM, and DRM nodes. */
static const struct gpu *probe_usual(void)
{
	make_majors("195 nvidia\n195 nvidia-modeset\n195 nvidiactl\n507 nvidia-uvm\n");
	make_gpu(GPU_PCI, 3);
	made_pci(&made, GPU_DIR, 0x10de, 0x26b9, 0x030200, "nvidia");
	made_file(&made, "/sys/" GPU_DIR "/numa_node", "1\n");
	made_drm(&made, GPU_DIR, "card1", 1);
	made_drm(&made, GPU_DIR, "renderD128", 128);
	cr_assert_eq(nvidia_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, 1);
	return inv.gpus;
}

static const struct gpu *probe_one(void)
{
	cr_assert_eq(nvidia_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, 1);
	return inv.gpus;
}

static const struct device_node *find(const struct gpu *gpu, const char *path)
{
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		if (strcmp(gpu->nodes[i].path, path) == 0) {
			return &gpu->nodes[i];
		}
	}
	return NULL;
}

static void assert_node(const struct gpu *gpu, const char *path, uint32_t major,
			uint32_t minor, enum device_role role)
{
	const struct device_node *node = find(gpu, path);

	cr_assert_not_null(node, "%s", path);
	cr_assert_eq(node->major, major, "%s", path);
	cr_assert_eq(node->minor, minor, "%s", path);
	cr_assert_eq(node->role, role, "%s", path);
}

Test(nvidia, host_without_the_driver_has_no_gpus)
{
	cr_assert_eq(nvidia_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, 0);
}

Test(nvidia, facts_are_what_the_driver_says)
{
	const struct gpu *gpu = probe_usual();

	cr_assert_str_eq(gpu->vendor, "nvidia");
	cr_assert_str_eq(gpu->pci, GPU_PCI);
	cr_assert_str_eq(gpu->id_path, "pci-" GPU_PCI);
	cr_assert_str_eq(gpu->model, "NVIDIA L40S");
	cr_assert_str_eq(gpu->uuid, "GPU-c0ffee00-1234-5678-9abc-def012345678");
	cr_assert_str_eq(gpu->driver, "nvidia");
	cr_assert_eq(gpu->numa_node, 1);
	cr_assert(gpu->can_compute);
	cr_assert_null(gpu->unusable_reason);
}

Test(nvidia, nodes_have_the_drivers_numbers)
{
	const struct gpu *gpu = probe_usual();

	assert_node(gpu, "/dev/nvidia3", 195, 3, DEVICE_GPU);
	assert_node(gpu, "/dev/nvidiactl", 195, 255, DEVICE_CONTROL);
	assert_node(gpu, "/dev/nvidia-modeset", 195, 254, DEVICE_MODESET);
	assert_node(gpu, "/dev/nvidia-uvm", 507, 0, DEVICE_COMPUTE);
	assert_node(gpu, "/dev/nvidia-uvm-tools", 507, 1, DEVICE_COMPUTE);
	assert_node(gpu, "/dev/dri/card1", 226, 1, DEVICE_CARD);
	assert_node(gpu, "/dev/dri/renderD128", 226, 128, DEVICE_RENDER);
	cr_assert_eq(gpu->n_nodes, 7);
}

Test(nvidia, device_minor_names_the_node_not_the_order)
{
	make_majors("195 nvidia\n");
	make_gpu("0000:01:00.0", 1);
	make_gpu("0000:02:00.0", 0);
	cr_assert_eq(nvidia_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, 2);
	cr_assert_str_eq(inv.gpus[0].pci, "0000:01:00.0");
	cr_assert_str_eq(gpu_find_node(&inv.gpus[0], DEVICE_GPU)->path, "/dev/nvidia1");
	cr_assert_str_eq(gpu_find_node(&inv.gpus[1], DEVICE_GPU)->path, "/dev/nvidia0");
}

#define MIG "/proc/driver/nvidia/capabilities/gpu0/mig/"

static void make_mig_device(unsigned int gpu_minor)
{
	autofree char *dir =
		xasprintf("/proc/driver/nvidia/capabilities/gpu%u/mig/gi1", gpu_minor);
	autofree char *instance = xasprintf("%s/access", dir);
	autofree char *compute = xasprintf("%s/ci0/access", dir);

	made_file(&made, instance, "DeviceFileMinor: 12\n");
	made_file(&made, compute, "DeviceFileMinor: 13\n");
}

/* As texts, domain 10000 comes before 2000, and 0003 has no driver that works. */
Test(nvidia, mig_devices_are_numbered_in_the_order_of_the_bus)
{
	make_majors("195 nvidia\n507 nvidia-caps\n");
	make_gpu("2000:01:00.0", 0);
	make_gpu("10000:01:00.0", 1);
	made_file(&made, INFO "0003:01:00.0/information", MODEL UUID);
	make_mig_device(0);
	make_mig_device(1);
	cr_assert_eq(nvidia_injector.probe(&made.host, &inv, &err), 0);
	inventory_number(&inv);
	cr_assert_eq(inv.n_gpus, 5);
	cr_assert_str_eq(inv.gpus[0].pci, "0003:01:00.0");
	cr_assert_str_eq(inv.gpus[2].pci, "2000:01:00.0");
	cr_assert_str_eq(inv.gpus[2].partition_name, "0:0");
	cr_assert_str_eq(inv.gpus[1].unusable_reason,
			 "split into MIG devices; ask for devices=0:0 and on");
	cr_assert_str_eq(inv.gpus[4].pci, "10000:01:00.0");
	cr_assert_str_eq(inv.gpus[4].partition_name, "1:0");
}

static void expect_partition(const struct gpu *gpu, const char *name, const char *key)
{
	cr_assert_not_null(gpu->partition_name);
	cr_expect_str_eq(gpu->partition_name, name);
	cr_expect_str_eq(gpu->partition_key, key);
}

/* Its number changes when an instance before it goes, and whoever holds it goes on. */
Test(nvidia, mig_device_is_kept_by_its_instances)
{
	made_file(&made, MIG "gi1/access", "DeviceFileMinor: 12\n");
	made_file(&made, MIG "gi1/ci0/access", "DeviceFileMinor: 13\n");
	made_file(&made, MIG "gi11/access", "DeviceFileMinor: 102\n");
	made_file(&made, MIG "gi11/ci2/access", "DeviceFileMinor: 105\n");
	make_majors("195 nvidia\n507 nvidia-caps\n");
	make_gpu(GPU_PCI, 0);
	cr_assert_eq(nvidia_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, 3);
	expect_partition(&inv.gpus[1], "0:0", "gi1/ci0");
	expect_partition(&inv.gpus[2], "0:1", "gi11/ci2");
}

Test(nvidia, older_driver_is_named_nvidia_frontend)
{
	make_majors("196 nvidia-frontend\n");
	make_gpu(GPU_PCI, 0);
	assert_node(probe_one(), "/dev/nvidia0", 196, 0, DEVICE_GPU);
}

Test(nvidia, without_a_major_the_gpu_is_unusable)
{
	make_majors("");
	make_gpu(GPU_PCI, 0);
	cr_assert_str_eq(probe_one()->unusable_reason,
			 "/proc/devices has no major for the driver nvidia");
	cr_assert_null(gpu_find_node(inv.gpus, DEVICE_GPU));
}

Test(nvidia, without_uvm_the_gpu_cannot_compute)
{
	make_majors("195 nvidia\n");
	make_gpu(GPU_PCI, 0);
	cr_assert_not(probe_one()->can_compute);
	cr_assert_null(gpu_find_node(inv.gpus, DEVICE_COMPUTE));
	cr_assert_null(inv.gpus->unusable_reason);
}

Test(nvidia, uvm_nodes_that_are_not_made_yet_are_absent)
{
	make_majors("195 nvidia\n507 nvidia-uvm\n");
	make_gpu(GPU_PCI, 0);
	cr_assert(probe_one()->can_compute);
	cr_assert_eq(gpu_find_node(inv.gpus, DEVICE_COMPUTE)->state, DEVICE_ABSENT);
}

Test(nvidia, modeset_counts_only_where_its_module_is)
{
	make_majors("195 nvidia-frontend\n");
	make_gpu(GPU_PCI, 0);
	cr_assert_null(gpu_find_node(probe_one(), DEVICE_MODESET));
}

Test(nvidia, loaded_modeset_module_is_enough)
{
	make_majors("195 nvidia-frontend\n");
	make_gpu(GPU_PCI, 0);
	made_dir(&made, "/sys");
	made_dir(&made, "/sys/module");
	made_dir(&made, "/sys/module/nvidia_modeset");
	assert_node(probe_one(), "/dev/nvidia-modeset", 195, 254, DEVICE_MODESET);
}

Test(nvidia, excluded_gpu_is_unusable)
{
	make_majors("195 nvidia\n");
	made_file(&made, INFO GPU_PCI "/information",
		  MODEL "Device Minor: \t 2\nGPU Excluded:\t Yes\n");
	cr_assert_str_eq(probe_one()->unusable_reason,
			 "excluded by the driver's option NVreg_ExcludedGpus");
}

Test(nvidia, unknown_uuid_is_none)
{
	make_majors("195 nvidia\n");
	made_file(&made, INFO GPU_PCI "/information",
		  MODEL "GPU UUID: \t GPU-????????"
			"-????"
			"-????"
			"-????"
			"-????????????\n"
			"Device Minor: \t 0\n");
	cr_assert_null(probe_one()->uuid);
	cr_assert_null(inv.gpus->unusable_reason);
}

/* The driver prints nothing when it cannot wake the GPU. */
Test(nvidia, gpu_without_information_is_unusable)
{
	make_majors("195 nvidia\n");
	made_file(&made, INFO GPU_PCI "/information", "%s", "");
	cr_assert_str_eq(
		probe_one()->unusable_reason,
		"the driver gives no device minor for it; see the kernel's log for "
		"NVRM");
	cr_assert_str_eq(inv.gpus->model, "");
}

Test(nvidia, device_minor_out_of_range_is_unusable)
{
	static const char *const bad[] = {"248", "255", "-1", "1x", "", "4294967296"};

	make_majors("195 nvidia\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		made_file(&made, INFO GPU_PCI "/information", "Device Minor: \t %s\n",
			  bad[i]);
		cr_assert_not_null(probe_one()->unusable_reason, "'%s'", bad[i]);
		inventory_clear(&inv);
	}
}

Test(nvidia, entries_that_are_no_pci_address_are_left_out)
{
	make_majors("195 nvidia\n");
	made_file(&made, INFO "0/information", MODEL "Device Minor: \t 0\n");
	cr_assert_eq(nvidia_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, 0);
}

Test(nvidia, host_without_nvidia_drm_has_usable_gpus)
{
	make_majors("195 nvidia\n507 nvidia-uvm\n");
	make_gpu(GPU_PCI, 0);
	made_pci(&made, GPU_DIR, 0x10de, 0x26b9, 0x030200, "nvidia");
	made_file(&made, "/sys/" GPU_DIR "/numa_node", "2\n");
	cr_assert_null(probe_one()->unusable_reason);
	cr_assert_null(gpu_find_node(inv.gpus, DEVICE_RENDER));
	cr_assert_eq(inv.gpus->numa_node, 2);
}

static void assert_plan(const struct gpu *gpu, const char *request, const char *want)
{
	autofree char *got = made_plan(&nvidia_injector, gpu, request, &err);

	cr_assert_str_eq(got, want);
}

Test(nvidia, default_request_gets_compute_and_no_drm_node)
{
	assert_plan(probe_usual(), "nvidia:1",
		    "/dev/nvidiactl /dev/nvidia3 /dev/nvidia-uvm /dev/nvidia-uvm-tools");
}

Test(nvidia, utility_alone_gets_no_uvm)
{
	assert_plan(probe_usual(), "capabilities=utility", "/dev/nvidiactl /dev/nvidia3");
}

Test(nvidia, graphics_gets_render_node_and_modeset)
{
	assert_plan(probe_usual(), "capabilities=graphics",
		    "/dev/nvidiactl /dev/nvidia3 /dev/dri/renderD128 /dev/nvidia-modeset "
		    "/dev/dri/by-path/pci-0000:01:00.0-render>../renderD128");
}

Test(nvidia, display_gets_card_and_modeset)
{
	assert_plan(probe_usual(), "capabilities=display",
		    "/dev/nvidiactl /dev/nvidia3 /dev/dri/card1 /dev/nvidia-modeset "
		    "/dev/dri/by-path/pci-0000:01:00.0-card>../card1");
}

Test(nvidia, missing_uvm_is_an_error_when_compute_was_asked_for_by_name)
{
	make_majors("195 nvidia\n");
	make_gpu(GPU_PCI, 0);
	assert_plan(probe_one(), "nvidia", "/dev/nvidiactl /dev/nvidia0 !");
	assert_plan(inv.gpus, "capabilities=compute", "error");
	cr_assert_eq(err.code, ENODEV);
	cr_assert_str_eq(err.msg,
			 "no compute: the module nvidia-uvm is not loaded; load it: "
			 "modprobe nvidia-uvm");
}

Test(nvidia, gpu_that_only_drm_knows_is_an_error)
{
	struct gpu *gpu = inventory_add(&inv, &err);

	gpu->vendor = xstrdup("nvidia");
	assert_plan(gpu, "nvidia", "error");
	cr_assert_eq(err.code, ENODEV);
}
