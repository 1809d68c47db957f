/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* injectors.h - the table of vendors */

#include "injector/injector.h"

/**
 * injectors_find() - The injector of a vendor
 * @vendor:	compared without case
 *
 * Return: never NULL; the DRI fallback for any vendor that has no row of its own.
 */
const struct gpu_injector *injectors_find(const char *vendor);

/* Has @vendor a row of its own? */
bool injectors_know(const char *vendor);

/* Is @driver, which may be NULL, one of the vendor's? */
bool injectors_is_own_driver(const struct gpu_injector *injector, const char *driver);

/* "nvidia, amd, intel, apple", for messages. */
const char *injectors_known_vendors(void);

/* The known vendor that @vendor is almost, for messages; NULL: none. */
const char *injectors_find_almost(const char *vendor);

/**
 * injectors_probe() - Look for the GPUs that a request can mean
 * @spec:	a vendor with a row is probed alone; any other request, or a request by
 *		device id without a vendor, needs all. NULL: all
 * @ret:	numbered (inventory_number()); inventory_clear() it
 * @err:	E2BIG over LIMIT_GPUS, or what a probe said
 */
int injectors_probe(const struct host *host, const struct gpu_spec *spec,
		    struct inventory *ret, struct err *err);

/* Does the driver of any of these GPUs bring files along, for this request? */
bool injectors_need_files(const struct gpu_spec *spec, const struct gpu *const *gpus,
			  size_t n);

/**
 * injectors_find_serving() - Who contributes a chosen GPU to the plan
 *
 * What the user named decides: a GPU that stands in for another vendor's, or that was
 * taken for its render node alone, is treated as what was asked for.
 *
 * Return: never NULL.
 */
const struct gpu_injector *injectors_find_serving(const struct gpu_spec *spec,
						  const struct gpu *gpu);

/**
 * injectors_find_evaded() - What a request by another name would give unasked
 *
 * By a name that is no vendor's a container gets any GPU's render node.
 *
 * Return: the capability, as a bit, that the GPU's own vendor gives its render node for;
 * 0: none is needed, or it is the vendor that serves it.
 */
uint32_t injectors_find_evaded(const struct gpu_spec *spec, const struct gpu *gpu);

/**
 * injectors_find_files() - Look for the files of the drivers of GPUs
 * @inv:	owns what is found; its GPUs of that driver get it
 * @gpus:	the chosen ones, of @inv
 * @err:	what an injector said
 */
int injectors_find_files(const struct host *host, const struct gpu_spec *spec,
			 const struct container *ctr, struct inventory *inv,
			 const struct gpu *const *gpus, size_t n, struct err *err);

/* What the specifications of the Container Device Interface call the GPUs of the chosen
   ones' driver; NULL: it has no files, or nobody reads their specifications. */
const char *injectors_cdi_kind(const struct gpu_spec *spec, const struct gpu *const *gpus,
			       size_t n);

/**
 * injectors_may_need_cdi() - A cheap look, before anything is known of the request
 *
 * Return: true: a driver of this host is loaded, and its files are not
 * where they mostly are.
 */
bool injectors_may_need_cdi(const struct host *host);

/**
 * injectors_read_cdi() - The files of the drivers of GPUs, as specifications list them
 * @wish:	whose `inv` is @inv
 * @inv:	on success, gets what was read instead of what was found
 * @err:	why it cannot be used; ENODATA: there is no specification of this kind
 */
int injectors_read_cdi(const struct host *host, const struct cdi_wish *wish,
		       struct inventory *inv, struct err *err);

/**
 * injectors_add_driverless() - Append PCI GPUs that no probe found, each with a reason
 *
 * "no driver is bound; load it: modprobe amdgpu", "bound to
 * vfio-pci". Numbers @inv again.
 */
int injectors_add_driverless(const struct host *host, struct inventory *inv,
			     struct err *err);
