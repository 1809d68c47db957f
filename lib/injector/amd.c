/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amd.c - AMD GPUs: ROCm through /dev/kfd and the render node
 *
 * Theory of operation. A GPU is a PCI device with a render node. It can compute if KFD's
 * topology has a node with the number of that render node. A GPU in compute partitions
 * (MI300) is its PCI device, which is partition 0, and a platform device per further
 * partition; which GPU a platform device belongs to is told by KFD alone, in location_id
 * and domain. The kernel makes the platform devices for as many partitions as there can
 * be; those that the GPU's mode does not need have no node in KFD, and are no use to
 * anybody. The partition's number is in there too, but in the function bits of some
 * kernels and the top four of others, so it is not used for anything.
 * Source: Linux drivers/gpu/drm/amd/amdkfd/kfd_topology.c, kfd_topology_add_device(),
 * drivers/gpu/drm/amd/amdgpu/amdgpu_xcp.c, amdgpu_xcp_dev_alloc(), and
 * drivers/gpu/drm/amd/amdxcp/amdgpu_xcp_drv.c.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "host/kfd.h"
#include "injector/drm_gpu.h"
#include "injector/injectors.h"

#define PCI_VENDOR_AMD 0x1002

/* radeon drives GPUs too old for KFD. */
static const char *const drivers[] = {"amdgpu", "radeon", NULL};

static bool is_pci_gpu(const struct drm_device *device)
{
	return device->is_pci_function && device->pci_vendor == PCI_VENDOR_AMD &&
	       pci_class_is_gpu(device->pci_class) &&
	       injectors_is_own_driver(&amd_injector, device->driver);
}

/* The kernel has named them both ways; no platform driver is bound to them. */
static bool is_partition(const struct drm_device *device)
{
	return !device->pci && (text_starts_with(device->name, "amdgpu_xcp_") ||
				text_starts_with(device->name, "amdgpu_xcp."));
}

static bool is_any(const struct drm_devices *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (is_pci_gpu(&list->device[i]) || is_partition(&list->device[i])) {
			return true;
		}
	}
	return false;
}

static const struct kfd_node *find_kfd_node(const struct kfd_topology *kfd,
					    const struct drm_device *device)
{
	for (size_t i = 0; device->render.name && i < kfd->n; i++) {
		if (kfd->node[i].render_minor == device->render.minor) {
			return &kfd->node[i];
		}
	}
	return NULL;
}

/* Attribute of the parent device, or NULL: none, or empty. */
static char *read_attribute(const struct host *host, const struct drm_device *device,
			    const char *name)
{
	autofree char *path = xasprintf("/sys/%s/%s", device->sysfs_dir, name);
	char text[LIMIT_ATTRIBUTE_BYTES];

	return host_read(host, path, text, sizeof(text)) > 0 ? xstrdup(text) : NULL;
}

/* One spelling, whether it comes from KFD (decimal) or amdgpu (16 hexadecimal digits). */
static char *find_uuid(const struct host *host, const struct drm_device *device,
		       const struct kfd_node *kfd_node)
{
	uint64_t id = kfd_node ? kfd_node->unique_id : 0;
	autofree char *text = NULL;

	if (id == 0) {
		text = read_attribute(host, device, "unique_id");
	}
	if (text && text_hex_to_u64(text, &id) < 0) {
		id = 0;
	}
	return id ? xasprintf("0x%" PRIx64, id) : NULL;
}

static void copy_node(struct gpu *gpu, const struct device_node *node)
{
	struct device_node copy = *node;

	copy.path = xstrdup(node->path);
	gpu_take_node(gpu, &copy);
}

/* Only an amdgpu device has a KFD node, so radeon cannot compute. */
static void set_compute(struct gpu *gpu, const struct kfd_node *kfd_node,
			const struct device_node *kfd_device)
{
	gpu->can_compute = kfd_node != NULL;
	if (kfd_node) {
		/* Source: Linux amdkfd,
		   kfd_devcgroup_check_permission(); ROCm issue 3144. */
		gpu->trouble_without_cgroup =
			"ROCm sees them, cannot open their render nodes, and may not "
			"start (hsa_init error 0x1008)";
		copy_node(gpu, kfd_device);
	}
}

static int add_pci_gpu(const struct host *host, const struct kfd_topology *kfd,
		       const struct device_node *kfd_device,
		       const struct drm_device *device, struct inventory *inv,
		       struct err *err)
{
	const struct kfd_node *kfd_node = find_kfd_node(kfd, device);
	struct gpu *gpu = drm_gpu_add(host, inv, device, "amd", err);
	char *product;

	if (!gpu) {
		return -err->code;
	}
	product = read_attribute(host, device, "product_name");
	if (product) {
		free(gpu->model);
		gpu->model = product;
	}
	gpu->uuid = find_uuid(host, device, kfd_node);
	set_compute(gpu, kfd_node, kfd_device);
	return 0;
}

/* ---- partitions -------------------------------------------------------------------- */

/* Bits 15 to 8 are the bus, 7 to 3 the device: pci_dev_id() of the kernel. The function
   is left out, since the partition's number may be in its bits. */
static bool is_location(const struct kfd_node *kfd_node, const char *pci)
{
	struct pci_address address;

	return pci && pci_address_parse(pci, &address) &&
	       address.domain == kfd_node->domain &&
	       address.bus == (kfd_node->location_id >> 8 & 0xff) &&
	       address.device == (kfd_node->location_id >> 3 & 0x1f);
}

static const struct gpu *find_parent(const struct inventory *inv, size_t first,
				     size_t end, const struct kfd_node *kfd_node)
{
	for (size_t i = first; kfd_node && i < end; i++) {
		if (is_location(kfd_node, inv->gpus[i].pci)) {
			return &inv->gpus[i];
		}
	}
	return NULL;
}

/* What cannot be used must stay in the inventory: the fallback would offer it. */
static const char *why_no_parent(const struct kfd_topology *kfd,
				 const struct kfd_node *kfd_node)
{
	/* A node that may not be read could be this device's. */
	return !kfd_node && kfd->n > 0 && !kfd->is_incomplete
		       ? "no partition uses this node: its GPU is in fewer parts"
		       : "KFD does not tell which GPU it is a partition of";
}

/* @first to @end are the PCI GPUs of this probe. */
static int add_partition(const struct host *host, const struct kfd_topology *kfd,
			 const struct device_node *kfd_device,
			 const struct drm_device *device, size_t first, size_t end,
			 struct inventory *inv, struct err *err)
{
	const struct kfd_node *kfd_node = find_kfd_node(kfd, device);
	struct gpu *gpu = drm_gpu_add(host, inv, device, "amd", err);
	const struct gpu *parent;

	if (!gpu) {
		return -err->code;
	}
	gpu->driver = gpu->driver ? gpu->driver : xstrdup("amdgpu");
	parent = find_parent(inv, first, end, kfd_node);
	if (!parent) {
		free(gpu->unusable_reason);
		gpu->unusable_reason = xstrdup(why_no_parent(kfd, kfd_node));
		return 0;
	}
	gpu->pci = xstrdup(parent->pci);
	free(gpu->model);
	gpu->model = xstrdup(parent->model);
	gpu->numa_node = parent->numa_node;
	gpu->uuid = find_uuid(host, device, kfd_node);
	set_compute(gpu, kfd_node, kfd_device);
	return 0;
}

/* 0: none. The kernel gives no GPU render node 0. */
static uint32_t render_minor(const struct gpu *gpu)
{
	const struct device_node *node = gpu_find_node(gpu, DEVICE_RENDER);

	return node ? node->minor : 0;
}

/* Partition 0 is the PCI device, the others count on in the order of
   their render nodes. */
static void number_partitions(struct inventory *inv, size_t first, size_t end)
{
	for (size_t i = end; i < inv->n_gpus; i++) {
		struct gpu *gpu = &inv->gpus[i];

		gpu->partition = gpu->pci ? 1 : NO_PARTITION;
		for (size_t k = end; gpu->pci && k < inv->n_gpus; k++) {
			const struct gpu *other = &inv->gpus[k];

			gpu->partition += other->pci &&
					  text_equals(other->pci, gpu->pci) &&
					  render_minor(other) < render_minor(gpu);
		}
		for (size_t k = first; gpu->pci && k < end; k++) {
			if (text_equals(inv->gpus[k].pci, gpu->pci)) {
				inv->gpus[k].partition = 0;
			}
		}
	}
}

static int add_all(const struct host *host, const struct kfd_topology *kfd,
		   const struct device_node *kfd_device, struct inventory *inv,
		   struct err *err)
{
	const struct drm_devices *list = host_drm(host);
	size_t first = inv->n_gpus;
	size_t end;
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		if (is_pci_gpu(&list->device[i]) &&
		    !drm_gpu_is_known(inv, &list->device[i])) {
			r = add_pci_gpu(host, kfd, kfd_device, &list->device[i], inv,
					err);
		}
	}
	end = inv->n_gpus;
	for (size_t i = 0; r == 0 && i < list->n; i++) {
		if (is_partition(&list->device[i]) &&
		    !drm_gpu_is_known(inv, &list->device[i])) {
			r = add_partition(host, kfd, kfd_device, &list->device[i], first,
					  end, inv, err);
		}
	}
	number_partitions(inv, first, end);
	return r;
}

static int probe(const struct host *host, struct inventory *inv, struct err *err)
{
	cleanup(kfd_topology_clearp) struct kfd_topology kfd = {0};
	cleanup(device_node_clearp) struct device_node kfd_device = {0};
	bool has_kfd = host_kfd(host, &kfd) == 0;

	if (!is_any(host_drm(host))) {
		if (has_kfd && kfd.n == 0) {
			/* amdgpu makes /dev/kfd as soon as it is loaded. */
			inventory_add_note(inv, amd_injector.vendor,
					   "/dev/kfd is there, but KFD's topology has "
					   "no GPU");
		}
		return 0;
	}
	if (has_kfd) {
		host_describe_node(host, "/dev/kfd", kfd.major, kfd.minor, DEVICE_COMPUTE,
				   &kfd_device);
	}
	return add_all(host, &kfd, &kfd_device, inv, err);
}

static int contribute(const struct gpu *gpu, const struct gpu_spec *spec,
		      const struct container *ctr, struct plan *plan, struct err *err)
{
	int r = gpu_contribute_compute(
		gpu, spec, "KFD does not know this GPU, so ROCm cannot use it", plan,
		err);

	return r < 0 ? r : drm_gpu_contribute(gpu, spec, ctr, plan, err);
}

const struct gpu_injector amd_injector = {
	.vendor = "amd",
	.pci_vendor = PCI_VENDOR_AMD,
	.drivers = drivers,
	.load_advice = "modprobe amdgpu",
	.probe = probe,
	.contribute = contribute,
};
