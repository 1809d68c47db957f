/* SPDX-License-Identifier: Apache-2.0 */
/* dri.c - the fallback: the render node of any DRM device, named by its kernel driver */

#include "injector/drm_gpu.h"

static int probe(const struct host *host, struct inventory *inv, struct err *err)
{
	const struct drm_devices *list = host_drm(host);

	for (size_t i = 0; i < list->n; i++) {
		const struct drm_device *device = &list->device[i];
		const char *vendor = device->driver ? device->driver : device->name;
		struct gpu *gpu;

		if (drm_gpu_is_known(inv, device)) {
			continue;
		}
		gpu = drm_gpu_add(host, inv, device, vendor, err);
		if (!gpu) {
			return -err->code;
		}
		/* Nothing but the render node is needed, as far as anybody can tell. */
		gpu->can_compute = true;
	}
	return 0;
}

/* Also contributes for a GPU of a vendor with an injector of its own, when the request
   names none of them: it gets the DRM nodes and nothing more. */
const struct gpu_injector dri_injector = {
	.vendor = "dri",
	.probe = probe,
	.contribute = drm_gpu_contribute,
};
