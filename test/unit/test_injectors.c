/* SPDX-License-Identifier: Apache-2.0 */
/* test_injectors.c - lib/injector/injectors.c */

#include "injector/injectors.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "made_host.h"

#define AMD    "devices/pci0000:00/0000:03:00.0"
#define INTEL  "devices/pci0000:00/0000:00:02.0"
#define AST    "devices/pci0000:00/0000:02:00.0"
#define VIRTIO "devices/pci0000:00/0000:04:00.0"

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

TestSuite(injectors, .init = start, .fini = stop);

static void make_gpu(const char *dir, unsigned int vendor, const char *driver,
		     const char *render, unsigned int minor)
{
	made_pci(&made, dir, vendor, 0x1234, 0x030000, driver);
	if (render) {
		made_drm(&made, dir, render, minor);
	}
}

/* AMD, Intel, a virtio_gpu, and a card without a render node. */
static void make_mixed(void)
{
	make_gpu(AMD, 0x1002, "amdgpu", "renderD128", 128);
	make_gpu(INTEL, 0x8086, "i915", "renderD129", 129);
	make_gpu(VIRTIO, 0x1af4, "virtio-pci", "renderD130", 130);
	made_driver(&made, VIRTIO "/virtio0", "virtio_gpu");
	make_gpu(AST, 0x1a03, "ast", NULL, 0);
	made_drm(&made, AST, "card0", 0);
}

/* The vendors found for a request, in order, a blank between. NULL: without a request. */
static char *probe(const char *request)
{
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};
	char *text = xstrdup("");

	if (request) {
		cr_assert_eq(gpu_spec_parse(request, strlen(request), &spec, &err), 0);
	}
	cr_assert_eq(injectors_probe(&made.host, request ? &spec : NULL, &inv, &err), 0);
	for (size_t i = 0; i < inv.n_gpus; i++) {
		char *longer =
			xasprintf("%s%s%s", text, i ? " " : "", inv.gpus[i].vendor);

		free(text);
		text = longer;
	}
	inventory_clear(&inv);
	return text;
}

static void assert_probe(const char *request, const char *want)
{
	autofree char *got = probe(request);

	cr_assert_str_eq(got, want, "%s", request);
}

Test(injectors, vendor_is_found_without_case)
{
	cr_assert_eq(injectors_find("nvidia"), &nvidia_injector);
	cr_assert_eq(injectors_find("AMD"), &amd_injector);
	cr_assert_eq(injectors_find("Intel"), &intel_injector);
	cr_assert_eq(injectors_find("apple"), &apple_injector);
}

Test(injectors, any_other_vendor_is_the_fallback)
{
	cr_assert_eq(injectors_find("v3d"), &dri_injector);
	cr_assert_eq(injectors_find("dri"), &dri_injector);
	cr_assert_eq(injectors_find(""), &dri_injector);
	cr_assert(injectors_know("Nvidia"));
	cr_assert_not(injectors_know("dri"));
	cr_assert_not(injectors_know("nvidi"));
}

Test(injectors, list_for_messages_names_exactly_the_known_ones)
{
	autofree char *list = xstrdup(injectors_known_vendors());
	char *rest = list;
	char *vendor;
	unsigned int n = 0;

	while ((vendor = strsep(&rest, ","))) {
		vendor += *vendor == ' ';
		cr_assert(injectors_know(vendor), "'%s'", vendor);
		n++;
	}
	cr_assert_eq(n, 4);
}

Test(injectors, all_vendors_are_looked_for_without_a_request)
{
	make_mixed();
	assert_probe(NULL, "intel ast amd virtio_gpu");
}

Test(injectors, known_vendor_is_looked_for_alone)
{
	make_mixed();
	assert_probe("amd", "amd");
	assert_probe("INTEL:2", "intel");
	assert_probe("apple", "virtio_gpu");
	assert_probe("1", "");
	assert_probe("vendor=amd;devices=renderD129", "amd");
}

Test(injectors, other_requests_need_all)
{
	make_mixed();
	assert_probe("virtio_gpu", "intel ast amd virtio_gpu");
	assert_probe("nonsense", "intel ast amd virtio_gpu");
	assert_probe("devices=renderD129", "intel ast amd virtio_gpu");
}

Test(injectors, probed_gpus_are_numbered)
{
	make_gpu(AMD, 0x1002, "amdgpu", "renderD128", 128);
	make_gpu("devices/pci0000:00/0000:01:00.0", 0x1002, "amdgpu", "renderD129", 129);
	cr_assert_eq(injectors_probe(&made.host, NULL, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, 2);
	cr_assert_str_eq(inv.gpus[1].pci, "0000:03:00.0");
	cr_assert_eq(inv.gpus[1].index, 1);
}

Test(injectors, too_many_gpus_is_an_error)
{
	for (unsigned int i = 0; i <= LIMIT_GPUS; i++) {
		autofree char *dir = xasprintf("devices/platform/gpu.%u", i);
		autofree char *name = xasprintf("renderD%u", 1000 + i);

		made_drm(&made, dir, name, 1000 + i);
	}
	cr_assert_eq(injectors_probe(&made.host, NULL, &inv, &err), -E2BIG);
	cr_assert_eq(inv.n_gpus, 0);
}

static void probe_driverless(size_t want)
{
	cr_assert_eq(injectors_probe(&made.host, NULL, &inv, &err), 0);
	cr_assert_eq(injectors_add_driverless(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, want);
}

/* Nor is it Apple's, whose GPUs are on no PCI bus. */
Test(injectors, gpu_of_no_vendor_is_left_out)
{
	made_pci(&made, AMD, 0, 0x744c, 0x030000, "amdgpu");
	made_pci(&made, INTEL, 0, 0x744c, 0x030000, NULL);
	probe_driverless(0);
}

Test(injectors, gpu_without_a_driver_is_listed_with_advice)
{
	make_gpu(AMD, 0x1002, NULL, NULL, 0);
	probe_driverless(1);
	cr_assert_str_eq(inv.gpus[0].vendor, "amd");
	cr_assert_str_eq(inv.gpus[0].pci, "0000:03:00.0");
	cr_assert_str_eq(inv.gpus[0].model, "1002:1234");
	cr_assert_null(inv.gpus[0].driver);
	cr_assert_str_eq(inv.gpus[0].unusable_reason,
			 "no driver is bound; load it: modprobe amdgpu");
}

/* i915 does not know Battlemage, and xe leaves older ones to i915. */
Test(injectors, intel_gpu_without_a_driver_is_told_of_both)
{
	made_pci(&made, INTEL, 0x8086, 0xe20b, 0x030000, NULL);
	probe_driverless(1);
	cr_assert_str_eq(inv.gpus[0].unusable_reason,
			 "no driver is bound; load it: modprobe i915, or for Lunar Lake, "
			 "Battlemage and what is newer: modprobe xe");
}

Test(injectors, gpu_that_its_second_driver_did_not_set_up_is_not_said_to_be_taken)
{
	make_gpu(INTEL, 0x8086, "xe", NULL, 0);
	make_gpu(AMD, 0x1002, "radeon", NULL, 0);
	probe_driverless(2);
	cr_assert_str_eq(inv.gpus[0].unusable_reason,
			 "xe is bound but did not set it up; see the kernel's log");
	cr_assert_str_eq(inv.gpus[1].unusable_reason,
			 "radeon is bound but did not set it up; see the kernel's log");
}

Test(injectors, gpu_with_another_driver_is_listed_with_its_name)
{
	make_gpu(AMD, 0x10de, "vfio-pci", NULL, 0);
	make_gpu(INTEL, 0x8086, "i915", NULL, 0);
	probe_driverless(2);
	cr_assert_str_eq(inv.gpus[0].unusable_reason,
			 "i915 is bound but did not set it up; see the kernel's log");
	cr_assert_str_eq(inv.gpus[1].vendor, "nvidia");
	cr_assert_str_eq(inv.gpus[1].driver, "vfio-pci");
	cr_assert_str_eq(inv.gpus[1].unusable_reason, "bound to vfio-pci");
}

Test(injectors, gpu_that_a_probe_found_is_not_added_again)
{
	make_mixed();
	make_gpu("devices/pci0000:00/0000:05:00.0", 0x1002, NULL, NULL, 0);
	probe_driverless(5);
	cr_assert_str_eq(inv.gpus[4].pci, "0000:05:00.0");
	cr_assert_eq(inv.gpus[4].index, 1);
}

Test(injectors, driverless_device_of_an_unknown_vendor_is_left_out)
{
	make_gpu(AST, 0x1a03, NULL, NULL, 0);
	probe_driverless(0);
}
