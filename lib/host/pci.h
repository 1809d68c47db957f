/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* pci.h - PCI devices that look like GPUs, whether or not a driver drives them */

#include "host/host.h"

struct pci_device {
	char *address; /* "0000:c1:00.0" */
	uint32_t vendor;
	uint32_t device;
	uint32_t pci_class; /* 24 bits */
	char *driver;	    /* or NULL: none is bound */
};

struct pci_devices {
	struct pci_device *device;
	size_t n;
};

void pci_devices_clear(struct pci_devices *list);
DEFINE_CLEANUP(struct pci_devices, pci_devices_clear)

/**
 * host_pci_gpus() - PCI devices of a GPU's class, in the order of their addresses
 *
 * Reads one file for every PCI device of the host, some hundreds: for `list` and for the
 * text of an error, not for the hook's straight way.
 *
 * Return: 0, or negative errno; no PCI bus is an empty list.
 */
int host_pci_gpus(const struct host *host, struct pci_devices *ret);
