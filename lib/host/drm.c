/* SPDX-License-Identifier: Apache-2.0 */
/* drm.c - the DRM devices of a host, from /sys/class/drm */

#include "host/drm.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "host/cache.h"

/* Deeper than any bus: a GPU behind five PCI switches is at a depth of 13. */
#define COMPONENTS_MAX 64

#define CLASS_DIR "/sys/class/drm"

enum component_kind {
	COMPONENT_NONE,	    /* no device of a bus: "devices", "platform", "pci0000:00" */
	COMPONENT_PCI,	    /* "0000:c1:00.0" */
	COMPONENT_PLATFORM, /* "fec00000.v3d", "amdgpu_xcp_1" */
	COMPONENT_VIRTIO,   /* "virtio0" */
	COMPONENT_OTHER,    /* of a bus that no GPU's ID_PATH is built from here */
};

struct component {
	const char *start;
	size_t len;
	enum component_kind kind;
};

bool pci_class_is_gpu(uint32_t pci_class)
{
	switch (pci_class >> 8) {
	case 0x0300:
	case 0x0302:
	case 0x0380:
	case 0x1200:
		return true;
	default:
		return false;
	}
}

static void drm_device_clear(struct drm_device *device)
{
	free(device->sysfs_dir);
	free(device->name);
	free(device->driver);
	free(device->pci);
	free(device->id_path);
	free(device->render.name);
	free(device->card.name);
}

void drm_devices_clear(struct drm_devices *list)
{
	for (size_t i = 0; i < list->n; i++) {
		drm_device_clear(&list->device[i]);
	}
	free(list->device);
	*list = (struct drm_devices){0};
}

static bool is_word_and_number(const char *text, const char *word)
{
	if (!text_starts_with(text, word)) {
		return false;
	}
	text += strlen(word);
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* "card0", not its connector "card0-HDMI-A-1" and not "version". */
static bool is_card_name(const char *name)
{
	return is_word_and_number(name, "card");
}

static bool is_render_name(const char *name)
{
	return is_word_and_number(name, "renderD");
}

/* ---- the path of the parent -------------------------------------------------------- */

static enum component_kind kind_of(const char *name, size_t index,
				   enum component_kind last, bool is_platform)
{
	struct pci_address address;

	if (index == 0 || (index == 1 && text_equals(name, "platform"))) {
		return COMPONENT_NONE;
	}
	if (pci_address_parse(name, &address)) {
		return COMPONENT_PCI;
	}
	if (text_starts_with(name, "pci") && isxdigit((unsigned char)name[3])) {
		/* A host bridge, at the root or below a platform or (VMD) PCI device. */
		return COMPONENT_NONE;
	}
	if (is_word_and_number(name, "virtio")) {
		return COMPONENT_VIRTIO;
	}
	return is_platform && (last == COMPONENT_NONE || last == COMPONENT_PLATFORM)
		       ? COMPONENT_PLATFORM
		       : COMPONENT_OTHER;
}

/* Return: the number of components, 0 if there are too many. */
static size_t split_components(const char *dir, struct component *component)
{
	bool is_platform = text_starts_with(dir, "devices/platform/");
	enum component_kind last = COMPONENT_NONE;
	size_t n = 0;

	while (*dir) {
		size_t len = strcspn(dir, "/");
		autofree char *name = xstrndup(dir, len);

		if (n == COMPONENTS_MAX) {
			return 0;
		}
		last = kind_of(name, n, last, is_platform);
		component[n++] = (struct component){dir, len, last};
		dir += len;
		dir += *dir == '/';
	}
	return n;
}

/*
 * As udev's path_id builtin does it: from the device up to the root, of each row of
 * neighbours on one bus the first one is named, all of them are joined, and virtio is not
 * named. So a GPU behind Intel's VMD is "pci-0000:00:0e.0-pci-10000:01:00.0".
 * Source: systemd src/udev/udev-builtin-path_id.c.
 */
static char *build_id_path(const struct component *component, size_t n)
{
	autofree char *path = NULL;
	enum component_kind below = COMPONENT_NONE;

	for (size_t i = n; i-- > 0;) {
		const struct component *c = &component[i];
		char *longer;

		if (c->kind == COMPONENT_OTHER) {
			return NULL;
		}
		if ((c->kind == COMPONENT_PCI || c->kind == COMPONENT_PLATFORM) &&
		    c->kind != below) {
			longer = xasprintf("%s-%.*s%s%s",
					   c->kind == COMPONENT_PCI ? "pci" : "platform",
					   (int)c->len, c->start, path ? "-" : "",
					   path ? path : "");
			free(path);
			path = longer;
		}
		below = c->kind;
	}
	return steal_ptr(&path);
}

/* ---- the parent device ------------------------------------------------------------- */

static uint32_t read_u32(const struct host *host, const char *dir, const char *name)
{
	autofree char *path = xasprintf("/sys/%s/%s", dir, name);
	uint64_t value = 0;

	return host_read_u64(host, path, &value) == 0 && value <= UINT32_MAX
		       ? (uint32_t)value
		       : 0;
}

static int read_numa_node(const struct host *host, const char *dir)
{
	autofree char *path = xasprintf("/sys/%s/numa_node", dir);

	return host_read_numa_node(host, path);
}

static char *read_driver(const struct host *host, const char *dir)
{
	autofree char *path = xasprintf("/sys/%s/driver", dir);
	char *driver = NULL;

	return host_readlink_name(host, path, &driver) == 0 ? driver : NULL;
}

/* The driver of the first virtioN below a device, or NULL. */
static char *read_virtio_driver(const struct host *host, const char *dir)
{
	autofree char *path = xasprintf("/sys/%s", dir);
	cleanup(names_clearp) struct names names = {0};

	if (host_list(host, path, &names) < 0) {
		return NULL;
	}
	for (size_t i = 0; i < names.n; i++) {
		if (is_word_and_number(names.name[i], "virtio")) {
			autofree char *child = xasprintf("%s/%s", dir, names.name[i]);

			return read_driver(host, child);
		}
	}
	return NULL;
}

/*
 * Since Linux 6.0 the parent of a virtio_gpu's nodes is the device that carries the
 * virtio one, whose driver is virtio-pci or virtio-mmio; before it was the virtioN
 * itself. The faux bus (Linux 6.14: vgem, vkms) has one driver for all, so the device's
 * name tells more there.
 */
static char *find_driver(const struct host *host, const struct drm_device *device)
{
	autofree char *driver = read_driver(host, device->sysfs_dir);

	if (driver && text_starts_with(driver, "virtio-")) {
		char *below = read_virtio_driver(host, device->sysfs_dir);

		return below ? below : steal_ptr(&driver);
	}
	if (driver && text_equals(driver, "faux_driver")) {
		return xstrdup(device->name);
	}
	return steal_ptr(&driver);
}

/* What the path alone tells. */
static void read_path(struct drm_device *device)
{
	struct component component[COMPONENTS_MAX];
	size_t n = split_components(device->sysfs_dir, component);
	size_t at = n;

	device->id_path = build_id_path(component, n);
	while (at > 0 && component[at - 1].kind != COMPONENT_PCI) {
		at--;
	}
	if (at == 0) {
		return;
	}
	device->pci = xstrndup(component[at - 1].start, component[at - 1].len);
	device->is_pci_function =
		at == n || (at == n - 1 && component[n - 1].kind == COMPONENT_VIRTIO);
}

static void read_parent(const struct host *host, struct drm_device *device)
{
	autofree char *pci_dir = NULL;

	device->driver = find_driver(host, device);
	if (!device->pci) {
		device->numa_node = read_numa_node(host, device->sysfs_dir);
		return;
	}
	pci_dir = xasprintf("bus/pci/devices/%s", device->pci);
	device->pci_vendor = read_u32(host, pci_dir, "vendor");
	device->pci_device = read_u32(host, pci_dir, "device");
	device->pci_class = read_u32(host, pci_dir, "class");
	device->numa_node = read_numa_node(host, pci_dir);
}

/* ---- the list ---------------------------------------------------------------------- */

/* "../../devices/.../drm/card0" -> "devices/...", to free(); NULL: another shape. */
static char *parent_of_link(const char *target, const char *name)
{
	autofree char *tail = xasprintf("/drm/%s", name);
	size_t len;

	if (!text_starts_with(target, "../../devices/") ||
	    strlen(target) <= strlen("../../devices/") + strlen(tail)) {
		return NULL;
	}
	target += strlen("../../");
	len = strlen(target) - strlen(tail);
	if (!text_equals(target + len, tail) || strstr(target, "/../")) {
		return NULL;
	}
	return xstrndup(target, len);
}

/* The device with this directory, a new one if there is none yet. */
static struct drm_device *find_or_add(struct drm_devices *list, char **sysfs_dir)
{
	struct drm_device *device;

	for (size_t i = list->n; i-- > 0;) {
		if (text_equals(list->device[i].sysfs_dir, *sysfs_dir)) {
			return &list->device[i];
		}
	}
	list->device = xgrow(list->device, list->n, sizeof(*list->device));
	device = &list->device[list->n++];
	device->sysfs_dir = steal_ptr(sysfs_dir);
	device->name = xstrdup(strrchr(device->sysfs_dir, '/') + 1);
	device->numa_node = NUMA_NODE_UNKNOWN;
	return device;
}

/* @name: of an entry of the directory @dir_fd */
static void add_node(const struct host *host, struct drm_devices *list, int dir_fd,
		     const char *name)
{
	autofree char *target = NULL;
	autofree char *dir = NULL;
	autofree char *dev = NULL;
	struct drm_node node = {0};
	struct drm_device *device;

	if (host_readlink_at(dir_fd, name, &target) < 0) {
		return;
	}
	dir = parent_of_link(target, name);
	/* A directory whose name is empty would be a device without one. */
	if (!dir || !*dir || dir[strlen(dir) - 1] == '/') {
		return;
	}
	dev = xasprintf("/sys/%s/drm/%s/dev", dir, name);
	if (host_read_dev(host, dev, &node.major, &node.minor) < 0) {
		return;
	}
	device = find_or_add(list, &dir);
	node.name = xstrdup(name);
	/* A device has one node of each kind; were there two, the first one counts. */
	if (is_render_name(name) && !device->render.name) {
		device->render = node;
	} else if (is_card_name(name) && !device->card.name) {
		device->card = node;
	} else {
		free(node.name);
	}
}

static int compare_devices(const void *a, const void *b)
{
	return strcmp(((const struct drm_device *)a)->sysfs_dir,
		      ((const struct drm_device *)b)->sysfs_dir);
}

/* Nodes and paths, without the parents' attributes. */
static struct drm_devices *scan(const struct host *host)
{
	struct drm_devices *list = &host->cache->drm;
	cleanup(names_clearp) struct names names = {0};
	autoclose int dir_fd = -1;

	if (host->cache->has_drm_nodes) {
		return list;
	}
	host->cache->has_drm_nodes = true;
	if (host_list(host, CLASS_DIR, &names) < 0 || names.n == 0) {
		return list;
	}
	dir_fd = host_open_below(host, CLASS_DIR, O_PATH | O_DIRECTORY);
	if (dir_fd < 0) {
		return list;
	}
	for (size_t i = 0; i < names.n; i++) {
		if (is_card_name(names.name[i]) || is_render_name(names.name[i])) {
			add_node(host, list, dir_fd, names.name[i]);
		}
	}
	for (size_t i = 0; i < list->n; i++) {
		read_path(&list->device[i]);
	}
	if (list->n > 0) {
		qsort(list->device, list->n, sizeof(*list->device), compare_devices);
	}
	return list;
}

void host_drm_prefetch(const struct host *host)
{
	(void)scan(host);
}

const struct drm_devices *host_drm(const struct host *host)
{
	struct drm_devices *list = scan(host);

	if (!host->cache->has_drm_parents) {
		host->cache->has_drm_parents = true;
		for (size_t i = 0; i < list->n; i++) {
			read_parent(host, &list->device[i]);
		}
	}
	return list;
}

const struct drm_device *host_drm_of_pci(const struct host *host, const char *pci)
{
	const struct drm_devices *list = scan(host);

	for (size_t i = 0; i < list->n; i++) {
		if (list->device[i].is_pci_function &&
		    text_equals(list->device[i].pci, pci)) {
			return &list->device[i];
		}
	}
	return NULL;
}
