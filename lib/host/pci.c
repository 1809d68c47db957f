/* SPDX-License-Identifier: Apache-2.0 */
/* pci.c - PCI devices that look like GPUs, whether or not a driver drives them */

#include "host/pci.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "host/drm.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

void pci_devices_clear(struct pci_devices *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->device[i].address);
		free(list->device[i].driver);
	}
	free(list->device);
	*list = (struct pci_devices){0};
}

static int read_number(const struct host *host, const char *address, const char *name,
		       uint32_t *ret)
{
	autofree char *path = xasprintf(PCI_DEVICES "/%s/%s", address, name);
	uint64_t value;
	int r = host_read_u64(host, path, &value);

	if (r < 0) {
		return r;
	}
	if (value > UINT32_MAX) {
		return -ERANGE;
	}
	*ret = (uint32_t)value;
	return 0;
}

/* A device that goes away between two reads is left out. */
static void add_device(const struct host *host, const char *address,
		       struct pci_devices *list)
{
	struct pci_device device = {0};
	struct pci_address parsed;
	autofree char *link = NULL;

	if (!pci_address_parse(address, &parsed) ||
	    read_number(host, address, "class", &device.pci_class) < 0 ||
	    !pci_class_is_gpu(device.pci_class) ||
	    read_number(host, address, "vendor", &device.vendor) < 0 ||
	    read_number(host, address, "device", &device.device) < 0) {
		return;
	}
	link = xasprintf(PCI_DEVICES "/%s/driver", address);
	if (host_readlink_name(host, link, &device.driver) < 0) {
		device.driver = NULL;
	}
	device.address = xstrdup(address);
	list->device = xgrow(list->device, list->n, sizeof(*list->device));
	list->device[list->n++] = device;
}

/* By number: as texts, domain 10000 would come before 2000. */
static int compare_devices(const void *a, const void *b)
{
	return pci_address_compare_texts(((const struct pci_device *)a)->address,
					 ((const struct pci_device *)b)->address);
}

int host_pci_gpus(const struct host *host, struct pci_devices *ret)
{
	cleanup(names_clearp) struct names names = {0};
	struct pci_devices list = {0};
	int r = host_list(host, PCI_DEVICES, &names);

	if (r < 0 && r != -ENOENT) {
		return r;
	}
	for (size_t i = 0; i < names.n; i++) {
		add_device(host, names.name[i], &list);
	}
	if (list.n > 0) {
		qsort(list.device, list.n, sizeof(*list.device), compare_devices);
	}
	*ret = list;
	return 0;
}
