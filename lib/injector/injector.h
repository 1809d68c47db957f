/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * injector.h - what a vendor has to say: which GPUs are there, what a
 * container needs of one
 *
 * A vendor is one file with one `const struct gpu_injector`, and one row in injectors.c.
 * Nothing outside this folder knows a vendor's name.
 */

#include "base/err.h"
#include "host/host.h"
#include "model/cdi.h"
#include "model/container.h"
#include "model/gpu_spec.h"
#include "model/inventory.h"
#include "model/plan.h"

/* Chosen GPUs, and what specifications of the Container Device
   Interface say. All borrowed. */
struct cdi_wish {
	const struct cdi_registry *registry;
	const struct gpu_spec *spec;
	const struct container *ctr;
	const struct inventory *inv;
	const struct gpu *const *gpus; /* of @inv */
	size_t n_gpus;
};

struct gpu_injector {
	const char *vendor;
	/* To say which driver is missing: PCI vendor, or 0: none, and the two below are
	   NULL. */
	uint32_t pci_vendor;
	/* Kernel drivers, up to NULL: one of them is bound to a GPU that the probe can
	   find. */
	const char *const *drivers;
	/* "modprobe amdgpu": what binds one. */
	const char *load_advice;
	/* A bit (1 << enum gpu_capability): the one that a container gets the render
	   nodes of the vendor's GPUs for; 0: it always gets them. */
	uint32_t render_capability;

	/* Looks at the host, appends GPUs. Driver not there = no GPUs, not an error.
	   Never opens a GPU node. A DRM device that @inv has already is left alone. */
	int (*probe)(const struct host *host, struct inventory *inv, struct err *err);

	/* Looks for the files of the driver that go with a chosen GPU into the container;
	   NULL: the vendor's GPUs need none. For every GPU that is chosen once, and never
	   for `list`. No file there = a warning in @ret, not an error. */
	int (*find_files)(const struct host *host, const struct gpu_spec *spec,
			  const struct container *ctr, struct driver_files *ret,
			  struct err *err);

	/* What its devices are called in specifications; NULL: none are read, and the two
	   below are NULL as well. */
	const char *cdi_kind;

	/* A cheap look: is its driver loaded, and are its files not
	   where they mostly are? */
	bool (*may_need_cdi)(const struct host *host);

	/* Instead of find_files: those that the specifications list for the chosen GPUs.
	   An error means that they cannot be used. */
	int (*read_cdi)(const struct host *host, const struct cdi_wish *wish,
			struct driver_files *ret, struct err *err);

	/* Pure: facts of one chosen GPU, the files of its driver and the container ->
	   entries of the plan. No system calls. Identical entries merge; one path with
	   different content is an error. */
	int (*contribute)(const struct gpu *gpu, const struct gpu_spec *spec,
			  const struct container *ctr, struct plan *plan,
			  struct err *err);
};

extern const struct gpu_injector nvidia_injector;
extern const struct gpu_injector amd_injector;
extern const struct gpu_injector intel_injector;
extern const struct gpu_injector apple_injector;
extern const struct gpu_injector dri_injector;
