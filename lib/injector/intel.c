/* SPDX-License-Identifier: Apache-2.0 */
/* intel.c - Intel GPUs: VAAPI, OpenCL and Level Zero through the render node */

#include "base/text.h"
#include "injector/drm_gpu.h"

#define PCI_VENDOR_INTEL 0x8086

/* A data center GPU has class 0x0380, so the class alone decides nothing. */
static bool is_intel(const struct drm_device *device)
{
	return device->is_pci_function && device->pci_vendor == PCI_VENDOR_INTEL &&
	       pci_class_is_gpu(device->pci_class) && device->driver &&
	       (text_equals(device->driver, "i915") || text_equals(device->driver, "xe"));
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
	.kernel_module = "i915",
	.probe = probe,
	.contribute = drm_gpu_contribute,
};
