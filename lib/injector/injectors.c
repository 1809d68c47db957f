/* SPDX-License-Identifier: Apache-2.0 */
/* injectors.c - the table of vendors */

#include "injector/injectors.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "host/pci.h"

/* In the order of probing: the fallback takes what the others left. */
static const struct gpu_injector *const table[] = {
	&nvidia_injector, &amd_injector, &intel_injector, &apple_injector, &dri_injector,
};

#define TABLE_LEN (sizeof(table) / sizeof(table[0]))

/* The fallback's own name is not a vendor. */
#define VENDORS_LEN (TABLE_LEN - 1)

static const struct gpu_injector *find_row(const char *vendor)
{
	for (size_t i = 0; i < VENDORS_LEN; i++) {
		if (text_equals_no_case(table[i]->vendor, vendor)) {
			return table[i];
		}
	}
	return NULL;
}

const struct gpu_injector *injectors_find(const char *vendor)
{
	const struct gpu_injector *injector = find_row(vendor);

	return injector ? injector : &dri_injector;
}

bool injectors_know(const char *vendor)
{
	return find_row(vendor) != NULL;
}

bool injectors_is_own_driver(const struct gpu_injector *injector, const char *driver)
{
	for (size_t i = 0; driver && injector->drivers && injector->drivers[i]; i++) {
		if (text_equals(injector->drivers[i], driver)) {
			return true;
		}
	}
	return false;
}

const char *injectors_known_vendors(void)
{
	return "nvidia, amd, intel, apple";
}

const char *injectors_find_almost(const char *vendor)
{
	for (size_t i = 0; i < VENDORS_LEN; i++) {
		if (text_is_almost(table[i]->vendor, vendor)) {
			return table[i]->vendor;
		}
	}
	return NULL;
}

/* The one vendor that the request can mean, or NULL: any. */
static const struct gpu_injector *find_only(const struct gpu_spec *spec)
{
	if (!spec || (spec->n_devices > 0 && !spec->has_vendor)) {
		return NULL;
	}
	return find_row(spec->vendor);
}

int injectors_probe(const struct host *host, const struct gpu_spec *spec,
		    struct inventory *ret, struct err *err)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	const struct gpu_injector *only = find_only(spec);

	for (size_t i = 0; i < TABLE_LEN; i++) {
		int r = 0;

		if (!only || only == table[i]) {
			r = table[i]->probe(host, &inv, err);
		}
		if (r < 0) {
			return r;
		}
	}
	inventory_number(&inv);
	*ret = inv;
	inv = (struct inventory){0};
	return 0;
}

/* ---- the drivers' files ------------------------------------------------------------ */

const struct gpu_injector *injectors_find_serving(const struct gpu_spec *spec,
						  const struct gpu *gpu)
{
	bool is_by_id_alone = spec->n_devices > 0 && !spec->has_vendor;

	return injectors_find(is_by_id_alone ? gpu->vendor : spec->vendor);
}

uint32_t injectors_find_evaded(const struct gpu_spec *spec, const struct gpu *gpu)
{
	const struct gpu_injector *own = injectors_find(gpu->vendor);

	return injectors_find_serving(spec, gpu) == own ? 0 : own->render_capability;
}

/* One vendor at most has files: an inventory holds one driver's. */
static const struct gpu_injector *find_with_files(const struct gpu_spec *spec,
						  const struct gpu *const *gpus, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct gpu_injector *injector =
			injectors_find_serving(spec, gpus[i]);

		if (injector->find_files) {
			return injector;
		}
	}
	return NULL;
}

bool injectors_need_files(const struct gpu_spec *spec, const struct gpu *const *gpus,
			  size_t n)
{
	return find_with_files(spec, gpus, n) != NULL;
}

/* Each GPU of the driver gets @files, which are taken. */
static void hand_out_files(const struct gpu_injector *injector,
			   struct driver_files *files, struct inventory *inv)
{
	if (inv->files) {
		driver_files_clear(inv->files);
		free(inv->files);
	}
	inv->files = files;
	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (text_equals_no_case(inv->gpus[i].vendor, injector->vendor)) {
			inv->gpus[i].files = inv->files;
		}
	}
}

int injectors_find_files(const struct host *host, const struct gpu_spec *spec,
			 const struct container *ctr, struct inventory *inv,
			 const struct gpu *const *gpus, size_t n, struct err *err)
{
	const struct gpu_injector *injector = find_with_files(spec, gpus, n);
	struct driver_files *files;

	if (!injector) {
		return 0;
	}
	files = xcalloc(1, sizeof(*files));
	hand_out_files(injector, files, inv);
	return injector->find_files(host, spec, ctr, files, err);
}

const char *injectors_cdi_kind(const struct gpu_spec *spec, const struct gpu *const *gpus,
			       size_t n)
{
	const struct gpu_injector *injector = find_with_files(spec, gpus, n);

	return injector ? injector->cdi_kind : NULL;
}

bool injectors_may_need_cdi(const struct host *host)
{
	for (size_t i = 0; i < TABLE_LEN; i++) {
		if (table[i]->cdi_kind && table[i]->may_need_cdi(host)) {
			return true;
		}
	}
	return false;
}

int injectors_read_cdi(const struct host *host, const struct cdi_wish *wish,
		       struct inventory *inv, struct err *err)
{
	const struct gpu_injector *injector =
		find_with_files(wish->spec, wish->gpus, wish->n_gpus);
	struct driver_files *files;
	int r;

	if (!injector || !injector->read_cdi) {
		return 0;
	}
	files = xcalloc(1, sizeof(*files));
	r = injector->read_cdi(host, wish, files, err);
	if (r < 0) {
		driver_files_clear(files);
		free(files);
		return r;
	}
	hand_out_files(injector, files, inv);
	return 0;
}

/* ---- GPUs without a driver --------------------------------------------------------- */

static const struct gpu_injector *find_pci_vendor(uint32_t pci_vendor)
{
	for (size_t i = 0; i < VENDORS_LEN; i++) {
		/* 0 is a row without one. */
		if (pci_vendor != 0 && table[i]->pci_vendor == pci_vendor) {
			return table[i];
		}
	}
	return NULL;
}

static bool has_pci(const struct inventory *inv, const char *address)
{
	for (size_t i = 0; i < inv->n_gpus; i++) {
		if (inv->gpus[i].pci && text_equals(inv->gpus[i].pci, address)) {
			return true;
		}
	}
	return false;
}

static char *explain(const struct gpu_injector *injector, const struct pci_device *device)
{
	if (!device->driver) {
		return xasprintf("no driver is bound; load it: %s",
				 injector->load_advice);
	}
	if (injectors_is_own_driver(injector, device->driver)) {
		return xasprintf(
			"%s is bound but did not set it up; see the kernel's log",
			device->driver);
	}
	return xasprintf("bound to %s", device->driver);
}

/* GPUs of vendors without a row are left out: there is no driver to advise, and the most
   common one is a server's management controller. */
int injectors_add_driverless(const struct host *host, struct inventory *inv,
			     struct err *err)
{
	cleanup(pci_devices_clearp) struct pci_devices list = {0};

	/* No more than a longer answer is lost if the bus cannot be read. */
	if (host_pci_gpus(host, &list) < 0) {
		return 0;
	}
	for (size_t i = 0; i < list.n; i++) {
		const struct pci_device *device = &list.device[i];
		const struct gpu_injector *injector = find_pci_vendor(device->vendor);
		struct gpu *gpu;

		if (!injector || has_pci(inv, device->address)) {
			continue;
		}
		gpu = inventory_add(inv, err);
		if (!gpu) {
			return -err->code;
		}
		gpu->vendor = xstrdup(injector->vendor);
		gpu->pci = xstrdup(device->address);
		free(gpu->model);
		gpu->model = xasprintf("%04x:%04x", device->vendor, device->device);
		gpu->driver = device->driver ? xstrdup(device->driver) : NULL;
		gpu->unusable_reason = explain(injector, device);
	}
	inventory_number(inv);
	return 0;
}
