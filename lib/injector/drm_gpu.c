/* SPDX-License-Identifier: Apache-2.0 */
/* drm_gpu.c - what the vendors whose GPUs are DRM devices have in common */

#include "injector/drm_gpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define DRI_DIR "/dev/dri/"

static bool has_node(const struct gpu *gpu, enum device_role role,
		     const struct drm_node *node)
{
	const struct device_node *known = gpu_find_node(gpu, role);

	return node->name && known && text_starts_with(known->path, DRI_DIR) &&
	       text_equals(known->path + strlen(DRI_DIR), node->name);
}

bool drm_gpu_is_known(const struct inventory *inv, const struct drm_device *device)
{
	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (has_node(&inv->gpus[i], DEVICE_RENDER, &device->render) ||
		    has_node(&inv->gpus[i], DEVICE_CARD, &device->card)) {
			return true;
		}
	}
	return false;
}

static void take_drm_node(const struct host *host, struct gpu *gpu,
			  const struct drm_node *node, enum device_role role)
{
	autofree char *path = NULL;
	struct device_node described;

	if (!node->name) {
		return;
	}
	path = xasprintf(DRI_DIR "%s", node->name);
	host_describe_node(host, path, node->major, node->minor, role, &described);
	gpu_take_node(gpu, &described);
}

void drm_gpu_take_nodes(const struct host *host, struct gpu *gpu,
			const struct drm_device *device)
{
	take_drm_node(host, gpu, &device->render, DEVICE_RENDER);
	take_drm_node(host, gpu, &device->card, DEVICE_CARD);
}

static char *name_model(const struct drm_device *device)
{
	if (device->is_pci_function) {
		return xasprintf("%04x:%04x", device->pci_vendor, device->pci_device);
	}
	return xstrdup(device->driver ? device->driver : device->name);
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

struct gpu *drm_gpu_add(const struct host *host, struct inventory *inv,
			const struct drm_device *device, const char *vendor,
			struct err *err)
{
	struct gpu *gpu = inventory_add(inv, err);

	if (!gpu) {
		return NULL;
	}
	gpu->vendor = xstrdup(vendor);
	gpu->pci = copy(device->is_pci_function ? device->pci : NULL);
	gpu->id_path = copy(device->id_path);
	free(gpu->model);
	gpu->model = name_model(device);
	gpu->driver = copy(device->driver);
	gpu->numa_node = device->numa_node;
	drm_gpu_take_nodes(host, gpu, device);
	if (!device->render.name) {
		gpu->unusable_reason = xstrdup("no render node");
	}
	return gpu;
}

int drm_gpu_contribute(const struct gpu *gpu, const struct gpu_spec *spec,
		       const struct container *ctr, struct plan *plan, struct err *err)
{
	int r = gpu_contribute_role(gpu, DEVICE_RENDER, plan, err);

	(void)ctr;
	if (r == 0 && gpu_spec_has_capability(spec, GPU_CAPABILITY_DISPLAY)) {
		r = gpu_contribute_role(gpu, DEVICE_CARD, plan, err);
	}
	return r < 0 ? r : gpu_contribute_by_path(gpu, plan, err);
}

int gpu_contribute_role(const struct gpu *gpu, enum device_role role, struct plan *plan,
			struct err *err)
{
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		int r = 0;

		if (gpu->nodes[i].role == role) {
			r = plan_add_node(plan, &gpu->nodes[i], err);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int gpu_contribute_compute(const struct gpu *gpu, const struct gpu_spec *spec,
			   const char *why_not, struct plan *plan, struct err *err)
{
	if (!gpu_spec_has_capability(spec, GPU_CAPABILITY_COMPUTE)) {
		return 0;
	}
	if (gpu->can_compute) {
		return gpu_contribute_role(gpu, DEVICE_COMPUTE, plan, err);
	}
	if (spec->has_capabilities) {
		return err_set(err, ENODEV, "no compute: %s", why_not);
	}
	plan_warn(plan, "%s gpu '%s': no compute: %s", gpu->vendor,
		  gpu->pci ? gpu->pci : gpu->model, why_not);
	return 0;
}

static int add_link(const struct gpu *gpu, const struct device_node *node,
		    const char *suffix, struct plan *plan, struct err *err)
{
	autofree char *path = xasprintf(DRI_DIR "by-path/%s-%s", gpu->id_path, suffix);
	autofree char *target = xasprintf("../%s", strrchr(node->path, '/') + 1);

	return plan_add_link(plan, path, target, err);
}

int gpu_contribute_by_path(const struct gpu *gpu, struct plan *plan, struct err *err)
{
	for (size_t i = 0; gpu->id_path && i < gpu->n_nodes; i++) {
		const struct device_node *node = &gpu->nodes[i];
		int r = 0;

		if (node->role == DEVICE_RENDER && plan_find_node(plan, node->path)) {
			r = add_link(gpu, node, "render", plan, err);
		} else if (node->role == DEVICE_CARD &&
			   plan_find_node(plan, node->path)) {
			r = add_link(gpu, node, "card", plan, err);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}
