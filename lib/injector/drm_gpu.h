/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* drm_gpu.h - what the vendors whose GPUs are DRM devices have in common */

#include "host/drm.h"
#include "injector/injector.h"

/* Is the device in @inv already, by its render node's or its card node's path? */
bool drm_gpu_is_known(const struct inventory *inv, const struct drm_device *device);

/**
 * drm_gpu_add() - Append a DRM device as a GPU, with its card and render nodes
 * @vendor:	borrowed
 *
 * Fills everything but uuid, can_compute and what only the vendor knows. Without a render
 * node the GPU is unusable, with that reason.
 *
 * Return: the GPU, or NULL with @err set.
 */
struct gpu *drm_gpu_add(const struct host *host, struct inventory *inv,
			const struct drm_device *device, const char *vendor,
			struct err *err);

/* Appends the card and render nodes of a DRM device to a GPU of any injector. */
void drm_gpu_take_nodes(const struct host *host, struct gpu *gpu,
			const struct drm_device *device);

/**
 * drm_gpu_contribute() - Render node, card node if `display` is asked for, by-path links
 *
 * Only links to nodes that are in the plan. A gpu_injector's contribute(): for most
 * vendors this is all that there is.
 */
int drm_gpu_contribute(const struct gpu *gpu, const struct gpu_spec *spec,
		       const struct container *ctr, struct plan *plan, struct err *err);

/* Adds the GPU's nodes of @role, all of them; none is not an error. */
int gpu_contribute_role(const struct gpu *gpu, enum device_role role, struct plan *plan,
			struct err *err);

/**
 * gpu_contribute_compute() - The compute nodes, if compute is asked for
 * @why_not:	for a GPU that cannot compute: why, and what to do
 * @err:	ENODEV: it cannot, and compute was asked for by name;
 *		else that is a warning
 */
int gpu_contribute_compute(const struct gpu *gpu, const struct gpu_spec *spec,
			   const char *why_not, struct plan *plan, struct err *err);

/* /dev/dri/by-path/ links for those of the GPU's DRM nodes that are in @plan. */
int gpu_contribute_by_path(const struct gpu *gpu, struct plan *plan, struct err *err);
