/* SPDX-License-Identifier: Apache-2.0 */
/* nvidia_mig.c - the MIG devices that a GPU is split into */

#include "injector/nvidia_mig.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#define CAPABILITIES "/proc/driver/nvidia/capabilities"

void nvidia_mig_devices_clear(struct nvidia_mig_devices *list)
{
	free(list->device);
	*list = (struct nvidia_mig_devices){0};
}

/* "gi3" with the word "gi". */
static bool read_instance(const char *name, const char *word, uint32_t *ret)
{
	size_t len = strlen(word);

	return text_starts_with(name, word) &&
	       text_to_u32(name + len, strlen(name + len), ret) == 0;
}

/* The line "DeviceFileMinor: 12" of an instance's access file. */
static bool read_minor(const struct host *host, const char *dir, uint32_t *ret)
{
	static const char field[] = "DeviceFileMinor:";
	autofree char *path = xasprintf("%s/access", dir);
	char text[LIMIT_ATTRIBUTE_BYTES];
	const char *value;

	if (host_read(host, path, text, sizeof(text)) < 0) {
		return false;
	}
	value = strstr(text, field);
	if (!value || (value > text && value[-1] != '\n')) {
		return false;
	}
	value += strlen(field);
	value += strspn(value, " \t");
	return text_to_u32(value, strcspn(value, " \t\n"), ret) == 0;
}

/* What goes away between two reads, or has no minor, cannot be used: it is left out. */
static void list_compute_instances(const struct host *host, const char *dir,
				   const struct nvidia_mig_device *parent,
				   struct nvidia_mig_devices *list)
{
	cleanup(names_clearp) struct names names = {0};

	if (host_list(host, dir, &names) < 0) {
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		autofree char *inner = xasprintf("%s/%s", dir, names.name[i]);
		struct nvidia_mig_device device = *parent;

		if (list->n < LIMIT_GPUS &&
		    read_instance(names.name[i], "ci", &device.compute_instance) &&
		    read_minor(host, inner, &device.compute_instance_minor)) {
			list->device = xgrow(list->device, list->n, sizeof(device));
			list->device[list->n++] = device;
		}
	}
}

static int compare_devices(const void *a_device, const void *b_device)
{
	const struct nvidia_mig_device *a = a_device;
	const struct nvidia_mig_device *b = b_device;
	int r = compare_numbers(a->gpu_instance, b->gpu_instance);

	return r ? r : compare_numbers(a->compute_instance, b->compute_instance);
}

void nvidia_mig_list(const struct host *host, uint32_t minor,
		     struct nvidia_mig_devices *ret)
{
	cleanup(names_clearp) struct names names = {0};
	autofree char *dir = xasprintf(CAPABILITIES "/gpu%u/mig", minor);

	if (host_list(host, dir, &names) < 0) {
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		autofree char *inner = xasprintf("%s/%s", dir, names.name[i]);
		struct nvidia_mig_device device = {0};

		if (read_instance(names.name[i], "gi", &device.gpu_instance) &&
		    read_minor(host, inner, &device.gpu_instance_minor)) {
			list_compute_instances(host, inner, &device, ret);
		}
	}
	if (ret->n > 0) {
		qsort(ret->device, ret->n, sizeof(*ret->device), compare_devices);
	}
}
