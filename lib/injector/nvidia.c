/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia.c - NVIDIA GPUs under NVIDIA's own kernel driver
 *
 * Theory of operation. The driver lists its GPUs under /proc/driver/nvidia/gpus, one
 * directory a PCI address; the node /dev/nvidiaN has the "Device Minor" that is said
 * there, which is not the GPU's place in any order. Majors are in /proc/devices. Render
 * and card nodes exist only where nvidia-drm is loaded; compute does not need them.
 * Source: NVIDIA open-gpu-kernel-modules, kernel-open/nvidia/nv-procfs.c (the fields) and
 * kernel-open/common/inc/nv-chardev-numbers.h (the minors).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "injector/drm_gpu.h"
#include "injector/nvidia_cdi.h"
#include "injector/nvidia_files.h"
#include "injector/nvidia_mig.h"

#define PCI_VENDOR_NVIDIA 0x10de
#define PROC_GPUS	  "/proc/driver/nvidia/gpus"

#define MINOR_GPU_MAX	247
#define MINOR_MODESET	254
#define MINOR_CONTROL	255
#define MINOR_UVM	0
#define MINOR_UVM_TOOLS 1

/* Common nodes: control, modeset, UVM and UVM tools. */
#define COMMON_NODES_MAX 4

/* What all GPUs of the driver share, looked up once. */
struct driver {
	bool has_major;
	uint32_t major;
	bool has_uvm;
	bool has_caps_major;
	uint32_t caps_major;
	struct device_node common[COMMON_NODES_MAX];
	size_t n_common;
};

static void driver_clear(struct driver *driver)
{
	for (size_t i = 0; i < driver->n_common; i++) {
		device_node_clear(&driver->common[i]);
	}
}
DEFINE_CLEANUP(struct driver, driver_clear)

/* A driver container may have its nodes in a /dev of its own. */
static void describe_node(const struct host *host, const char *path, uint32_t major,
			  uint32_t minor, enum device_role role, struct device_node *ret)
{
	autofree char *other_path = NULL;
	struct device_node other;

	host_describe_node(host, path, major, minor, role, ret);
	if (ret->state != DEVICE_ABSENT || !host->driver_root) {
		return;
	}
	other_path = xasprintf("%s%s", host->driver_root, path);
	host_describe_node(host, other_path, major, minor, role, &other);
	if (other.state != DEVICE_PRESENT) {
		device_node_clear(&other);
		return;
	}
	other.host_path = other.path;
	other.path = xstrdup(path);
	device_node_clear(ret);
	*ret = other;
}

/* A node that all GPUs of the driver share. Source of the commands:
   nvidia-modprobe(1). */
struct common_node {
	const char *path;
	uint32_t minor;
	enum device_role role;
	const char *setup;
};

static const struct common_node control = {"/dev/nvidiactl", MINOR_CONTROL,
					   DEVICE_CONTROL, "nvidia-modprobe -c 0"};
static const struct common_node modeset = {"/dev/nvidia-modeset", MINOR_MODESET,
					   DEVICE_MODESET, "nvidia-modprobe -m"};
static const struct common_node uvm = {"/dev/nvidia-uvm", MINOR_UVM, DEVICE_COMPUTE,
				       "nvidia-modprobe -c 0 -u"};
static const struct common_node uvm_tools = {"/dev/nvidia-uvm-tools", MINOR_UVM_TOOLS,
					     DEVICE_COMPUTE, "nvidia-modprobe -c 0 -u"};

static void add_common(const struct host *host, const struct common_node *common,
		       uint32_t major, struct driver *driver)
{
	struct device_node *node = &driver->common[driver->n_common++];

	describe_node(host, common->path, major, common->minor, common->role, node);
	node->setup = xstrdup(common->setup);
}

/* The major says nothing of nvidia-modeset: it is the GPUs' own. A node that is not there
   counts only where the module is loaded; drivers before 5xx do not name it in
   /proc/devices. */
static void add_modeset(const struct host *host, struct driver *driver)
{
	uint32_t unused;

	add_common(host, &modeset, driver->major, driver);
	if (driver->common[driver->n_common - 1].state == DEVICE_ABSENT &&
	    host_char_major(host, "nvidia-modeset", &unused) < 0 &&
	    !host_exists(host, "/sys/module/nvidia_modeset")) {
		device_node_clear(&driver->common[--driver->n_common]);
	}
}

static void read_driver(const struct host *host, struct driver *driver)
{
	uint32_t uvm_major;

	driver->has_major = host_char_major(host, "nvidia", &driver->major) == 0 ||
			    host_char_major(host, "nvidia-frontend", &driver->major) == 0;
	driver->has_caps_major =
		host_char_major(host, "nvidia-caps", &driver->caps_major) == 0;
	if (driver->has_major) {
		add_common(host, &control, driver->major, driver);
		add_modeset(host, driver);
	}
	driver->has_uvm = host_char_major(host, "nvidia-uvm", &uvm_major) == 0;
	if (driver->has_uvm) {
		add_common(host, &uvm, uvm_major, driver);
		add_common(host, &uvm_tools, uvm_major, driver);
	}
}

/* ---- one GPU ----------------------------------------------------------------------- */

/* The value of a line "Model: \t\t NVIDIA L40S", to free(); NULL: no such line. */
static char *find_field(const char *text, const char *name)
{
	size_t len = strlen(name);

	while (*text) {
		size_t line_len = strcspn(text, "\n");

		if (line_len > len && strncmp(text, name, len) == 0 && text[len] == ':') {
			size_t blanks = strspn(text + len + 1, " \t");
			const char *value = text + len + 1 + blanks;

			return text_trim_end(xstrndup(value, strcspn(value, "\n")));
		}
		text += line_len;
		text += *text == '\n';
	}
	return NULL;
}

/* The driver writes question marks for what it does not know before
   the GPU's first use. */
static char *find_uuid(const char *text)
{
	char *uuid = find_field(text, "GPU UUID");

	if (uuid && (!*uuid || strchr(uuid, '?'))) {
		free(uuid);
		return NULL;
	}
	return uuid;
}

static int find_minor(const char *text, uint32_t *ret)
{
	autofree char *value = find_field(text, "Device Minor");
	uint32_t minor;

	if (!value || text_to_u32(value, strlen(value), &minor) < 0 ||
	    minor > MINOR_GPU_MAX) {
		return -1;
	}
	*ret = minor;
	return 0;
}

static bool is_excluded(const char *text)
{
	autofree char *value = find_field(text, "GPU Excluded");

	return value && text_equals(value, "Yes");
}

static void add_gpu_node(const struct host *host, const struct driver *driver,
			 const char *text, struct gpu *gpu)
{
	autofree char *path = NULL;
	struct device_node node;
	uint32_t minor;

	if (find_minor(text, &minor) < 0) {
		gpu->unusable_reason = xstrdup("the driver gives no device minor for it; "
					       "see the kernel's log for NVRM");
		return;
	}
	if (!driver->has_major) {
		gpu->unusable_reason =
			xstrdup("/proc/devices has no major for the driver nvidia");
		return;
	}
	path = xasprintf("/dev/nvidia%u", minor);
	describe_node(host, path, driver->major, minor, DEVICE_GPU, &node);
	node.setup = xasprintf("nvidia-modprobe -c %u", minor);
	gpu_take_node(gpu, &node);
}

static void add_common_nodes(const struct driver *driver, struct gpu *gpu)
{
	for (size_t i = 0; i < driver->n_common; i++) {
		struct device_node node = driver->common[i];

		node.path = xstrdup(node.path);
		node.host_path = node.host_path ? xstrdup(node.host_path) : NULL;
		node.setup = xstrdup(node.setup);
		gpu_take_node(gpu, &node);
	}
}

static int read_gpu_numa_node(const struct host *host, const char *pci)
{
	autofree char *path = xasprintf("/sys/bus/pci/devices/%s/numa_node", pci);

	return host_read_numa_node(host, path);
}

static void fill_gpu(const struct host *host, const struct driver *driver,
		     const char *pci, const char *text, struct gpu *gpu)
{
	const struct drm_device *drm = host_drm_of_pci(host, pci);
	char *model = find_field(text, "Model");

	gpu->vendor = xstrdup("nvidia");
	gpu->pci = xstrdup(pci);
	gpu->driver = xstrdup("nvidia");
	gpu->uuid = find_uuid(text);
	if (model) {
		free(gpu->model);
		gpu->model = model;
	}
	gpu->can_compute = driver->has_uvm;
	add_gpu_node(host, driver, text, gpu);
	add_common_nodes(driver, gpu);
	gpu->numa_node = read_gpu_numa_node(host, pci);
	if (drm) {
		gpu->id_path = drm->id_path ? xstrdup(drm->id_path) : NULL;
		drm_gpu_take_nodes(host, gpu, drm);
	}
	if (!gpu->unusable_reason && is_excluded(text)) {
		gpu->unusable_reason = xstrdup("excluded by the driver's option "
					       "NVreg_ExcludedGpus");
	}
}

/* ---- MIG --------------------------------------------------------------------------- */

static void add_access_node(const struct host *host, const struct driver *driver,
			    uint32_t minor, struct gpu *gpu)
{
	autofree char *path = xasprintf("/dev/nvidia-caps/nvidia-cap%u", minor);
	struct device_node node;

	describe_node(host, path, driver->caps_major, minor, DEVICE_GPU, &node);
	/* Mode 0444: to open it is the right that it stands for. */
	node.is_for_reading = true;
	gpu_take_node(gpu, &node);
}

static void fill_mig_device(const struct host *host, const struct driver *driver,
			    const struct gpu *parent, const char *text,
			    const struct nvidia_mig_device *device, struct gpu *gpu)
{
	gpu->vendor = xstrdup(parent->vendor);
	gpu->pci = xstrdup(parent->pci);
	gpu->driver = xstrdup(parent->driver);
	free(gpu->model);
	gpu->model = xasprintf("%s MIG %s", parent->model, gpu->partition_name);
	gpu->can_compute = parent->can_compute;
	gpu->numa_node = parent->numa_node;
	add_gpu_node(host, driver, text, gpu);
	if (!driver->has_caps_major) {
		gpu->unusable_reason =
			xstrdup("/proc/devices has no major for nvidia-caps");
		return;
	}
	add_access_node(host, driver, device->gpu_instance_minor, gpu);
	add_access_node(host, driver, device->compute_instance_minor, gpu);
	add_common_nodes(driver, gpu);
}

/* A GPU that is split is no use as a whole: a program gets one of its parts. @number
   counts as the vendor's tools do. */
static int add_mig_devices(const struct host *host, const struct driver *driver,
			   const char *text, unsigned int number, struct inventory *inv,
			   struct err *err)
{
	cleanup(nvidia_mig_devices_clearp) struct nvidia_mig_devices list = {0};
	size_t parent = inv->n_gpus - 1;
	uint32_t minor;

	if (find_minor(text, &minor) < 0) {
		return 0;
	}
	nvidia_mig_list(host, minor, &list);
	for (size_t i = 0; i < list.n; i++) {
		struct gpu *gpu = inventory_add(inv, err);

		if (!gpu) {
			return -err->code;
		}
		gpu->partition = (int)i;
		gpu->partition_name = xasprintf("%u:%zu", number, i);
		gpu->partition_key = xasprintf("gi%u/ci%u", list.device[i].gpu_instance,
					       list.device[i].compute_instance);
		fill_mig_device(host, driver, &inv->gpus[parent], text, &list.device[i],
				gpu);
	}
	if (list.n > 0) {
		inv->gpus[parent].unusable_reason = xasprintf(
			"split into MIG devices; ask for devices=%u:0 and on", number);
	}
	return 0;
}

/* ---- all --------------------------------------------------------------------------- */

static int compare_addresses(const void *a, const void *b)
{
	return pci_address_compare_texts(*(char *const *)a, *(char *const *)b);
}

static int probe(const struct host *host, struct inventory *inv, struct err *err)
{
	cleanup(names_clearp) struct names names = {0};
	cleanup(driver_clearp) struct driver driver = {0};
	unsigned int number = 0;

	if (host_list(host, PROC_GPUS, &names) < 0 || names.n == 0) {
		return 0;
	}
	/* Numbers follow the bus: as texts, domain 10000 would come before 2000. */
	qsort(names.name, names.n, sizeof(*names.name), compare_addresses);
	read_driver(host, &driver);
	for (size_t i = 0; i < names.n; i++) {
		autofree char *path =
			xasprintf(PROC_GPUS "/%s/information", names.name[i]);
		char text[LIMIT_ATTRIBUTE_BYTES];
		struct pci_address address;
		struct gpu *gpu;

		if (!pci_address_parse(names.name[i], &address)) {
			continue;
		}
		if (host_read(host, path, text, sizeof(text)) < 0) {
			text[0] = '\0';
		}
		gpu = inventory_add(inv, err);
		if (!gpu) {
			return -err->code;
		}
		fill_gpu(host, &driver, names.name[i], text, gpu);
		if (gpu->unusable_reason) {
			/* The vendor's tools do not see it, so it has no number. */
			continue;
		}
		if (add_mig_devices(host, &driver, text, number, inv, err) < 0) {
			return -err->code;
		}
		number++;
	}
	return 0;
}

/* ---- the plan ---------------------------------------------------------------------- */

static int contribute_drm(const struct gpu *gpu, const struct gpu_spec *spec,
			  struct plan *plan, struct err *err)
{
	bool wants_graphics = gpu_spec_has_capability(spec, GPU_CAPABILITY_GRAPHICS);
	bool wants_display = gpu_spec_has_capability(spec, GPU_CAPABILITY_DISPLAY);
	int r = 0;

	if (wants_graphics) {
		r = gpu_contribute_role(gpu, DEVICE_RENDER, plan, err);
	}
	if (r == 0 && wants_display) {
		r = gpu_contribute_role(gpu, DEVICE_CARD, plan, err);
	}
	if (r == 0 && (wants_graphics || wants_display)) {
		r = gpu_contribute_role(gpu, DEVICE_MODESET, plan, err);
	}
	return r < 0 ? r : gpu_contribute_by_path(gpu, plan, err);
}

static int contribute(const struct gpu *gpu, const struct gpu_spec *spec,
		      const struct container *ctr, struct plan *plan, struct err *err)
{
	int r;

	/* The driver's DRM nodes were found, but not its /proc/driver/nvidia. */
	if (!gpu_find_node(gpu, DEVICE_GPU)) {
		return err_set(err, ENODEV, "no device node: '%s' does not list this GPU",
			       PROC_GPUS);
	}
	r = gpu_contribute_role(gpu, DEVICE_CONTROL, plan, err);
	if (r == 0) {
		r = gpu_contribute_role(gpu, DEVICE_GPU, plan, err);
	}
	if (r == 0) {
		r = gpu_contribute_compute(
			gpu, spec,
			"the module nvidia-uvm is not loaded; load it: "
			"modprobe nvidia-uvm",
			plan, err);
	}
	/* Encoders and decoders run on CUDA. */
	if (r == 0 && gpu_spec_has_capability(spec, GPU_CAPABILITY_VIDEO)) {
		r = gpu_contribute_role(gpu, DEVICE_COMPUTE, plan, err);
	}
	if (r == 0) {
		r = contribute_drm(gpu, spec, plan, err);
	}
	if (r == 0 && gpu->files) {
		r = nvidia_contribute_files(gpu->files, ctr, plan, err);
	}
	return r;
}

static const char *const drivers[] = {"nvidia", NULL};

const struct gpu_injector nvidia_injector = {
	.vendor = "nvidia",
	.pci_vendor = PCI_VENDOR_NVIDIA,
	.drivers = drivers,
	.load_advice = "modprobe nvidia",
	.render_capability = 1U << GPU_CAPABILITY_GRAPHICS,
	.probe = probe,
	.find_files = nvidia_find_files,
	.cdi_kind = NVIDIA_CDI_KIND,
	.may_need_cdi = nvidia_may_need_cdi,
	.read_cdi = nvidia_read_cdi,
	.contribute = contribute,
};
