/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apple.c - Apple GPUs as Linux sees them
 *
 * On bare metal that is the driver asahi. In a micro-VM on a Mac it is
 * virtio_gpu, which is the same device in any other VM: so it stays a virtio_gpu
 * that answers to "apple" too.
 */

#include "base/mem.h"
#include "base/text.h"
#include "injector/drm_gpu.h"

static bool has_driver(const struct drm_device *device, const char *driver)
{
	return device->driver && text_equals(device->driver, driver);
}

static bool is_any(const struct drm_devices *list, const char *driver)
{
	for (size_t i = 0; i < list->n; i++) {
		if (has_driver(&list->device[i], driver)) {
			return true;
		}
	}
	return false;
}

static int probe(const struct host *host, struct inventory *inv, struct err *err)
{
	const struct drm_devices *list = host_drm(host);
	bool is_bare_metal = is_any(list, "asahi");
	const char *driver = is_bare_metal ? "asahi" : "virtio_gpu";

	for (size_t i = 0; i < list->n; i++) {
		const struct drm_device *device = &list->device[i];
		struct gpu *gpu;

		if (!has_driver(device, driver) || drm_gpu_is_known(inv, device)) {
			continue;
		}
		gpu = drm_gpu_add(host, inv, device, is_bare_metal ? "apple" : driver,
				  err);
		if (!gpu) {
			return -err->code;
		}
		gpu->alias = is_bare_metal ? NULL : xstrdup("apple");
		gpu->can_compute = true;
	}
	return 0;
}

const struct gpu_injector apple_injector = {
	.vendor = "apple",
	.probe = probe,
	.contribute = drm_gpu_contribute,
};
