/* SPDX-License-Identifier: Apache-2.0 */
/* intel.c - Intel GPUs: VAAPI, OpenCL and Level Zero through the render node */

#include "injector/drm_gpu.h"
#include "injector/injectors.h"

#define PCI_VENDOR_INTEL 0x8086

/* xe drives by itself what i915 does not know; what came before only where it is told to.
   Source: Linux drivers/gpu/drm/i915/i915_pci.c, pciidlist, and
   drivers/gpu/drm/xe/xe_pci.c, pciidlist and require_force_probe. */
static const char *const drivers[] = {"i915", "xe", NULL};

/* A data center GPU has class 0x0380, so the class alone decides nothing. */
static bool is_intel(const struct drm_device *device)
{
	return device->is_pci_function && device->pci_vendor == PCI_VENDOR_INTEL &&
	       pci_class_is_gpu(device->pci_class) &&
	       injectors_is_own_driver(&intel_injector, device->driver);
}

static int probe(const struct host *host, struct inventory *inv, struct err *err)
{
	const struct drm_devices *list = host_drm(host);

	for (size_t i = 0; i < list->n; i++) {
		const struct drm_device *device = &list->device[i];
		struct gpu *gpu;

		if (!is_intel(device) || drm_gpu_is_known(inv, device)) {
			continue;
		}
		gpu = drm_gpu_add(host, inv, device, "intel", err);
		if (!gpu) {
			return -err->code;
		}
		gpu->can_compute = true;
	}
	return 0;
}

const struct gpu_injector intel_injector = {
	.vendor = "intel",
	.pci_vendor = PCI_VENDOR_INTEL,
	.drivers = drivers,
	.load_advice = "modprobe i915, or for Lunar Lake, Battlemage and what is newer: "
		       "modprobe xe",
	.probe = probe,
	.contribute = drm_gpu_contribute,
};
