/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia_cdi.c - a chosen GPU as a device of a CDI specification
 *
 * Theory of operation. GPUs are found and chosen as always. For each chosen one the
 * specification's device is looked for by its UUID, then by the toolkit's number,
 * and must name the nodes of this GPU and of no other: a number alone may mean
 * another GPU by now. So the device's nodes are a check, and what goes into the
 * container are the nodes that the host has. Only nodes that are no GPU's, of
 * switches or storage, are taken over.
 */

#include "injector/nvidia_cdi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "injector/nvidia_files.h"

#define ADVICE "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"

/* Its UUID, its number, and its number as the strategy "type-index" writes it. */
#define NAMES_MAX 3U

struct names_of_gpu {
	char *name[NAMES_MAX];
	size_t n;
};

static void names_of_gpu_clear(struct names_of_gpu *names)
{
	for (size_t i = 0; i < names->n; i++) {
		free(names->name[i]);
	}
}
DEFINE_CLEANUP(struct names_of_gpu, names_of_gpu_clear)

/* ---- nodes ------------------------------------------------------------------------- */

static const struct device_node *find_by_path(const struct gpu *gpu, const char *path)
{
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		if (text_equals(gpu->nodes[i].path, path)) {
			return &gpu->nodes[i];
		}
	}
	return NULL;
}

static bool has_node(const struct cdi_edits *edits, const char *path)
{
	for (size_t i = 0; i < edits->n_nodes; i++) {
		if (text_equals(edits->nodes[i].path, path)) {
			return true;
		}
	}
	return false;
}

/* A GPU that has this node, which @gpu has not. Some parts may draw: their device has the
   whole GPU's DRM nodes. */
static const struct gpu *find_other(const struct cdi_wish *wish, const struct gpu *gpu,
				    const char *path)
{
	if (find_by_path(gpu, path)) {
		return NULL;
	}
	for (size_t i = 0; i < wish->inv->n_gpus; i++) {
		const struct gpu *other = &wish->inv->gpus[i];
		const struct device_node *node = find_by_path(other, path);

		if (node && !(node->role != DEVICE_GPU && other->pci && gpu->pci &&
			      text_equals(other->pci, gpu->pci))) {
			return other;
		}
	}
	return NULL;
}

/* Is it this GPU that the device is of? @err: why not. */
static int check_nodes(const struct nvidia_cdi_reader *reader, const struct gpu *gpu,
		       const struct cdi_spec *spec, const struct cdi_device *device,
		       struct err *err)
{
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		const struct device_node *node = &gpu->nodes[i];

		if (node->role == DEVICE_GPU && !has_node(&device->edits, node->path) &&
		    !has_node(&spec->edits, node->path)) {
			return nvidia_cdi_refuse_stale(
				reader, err, "its device '%.80s' lacks '%s' of %s:%u",
				device->name, node->path, gpu->vendor, gpu->index);
		}
	}
	for (size_t i = 0; i < device->edits.n_nodes; i++) {
		const char *path = device->edits.nodes[i].path;
		const struct gpu *other = find_other(reader->wish, gpu, path);

		if (other) {
			return nvidia_cdi_refuse_stale(
				reader, err,
				"its device '%.80s' has '%s', which is of %s:%u",
				device->name, path, other->vendor, other->index);
		}
	}
	return 0;
}

/* Is a node what the host has there: a character device of this number? */
static int check_node(const struct nvidia_cdi_reader *reader, const struct cdi_node *node,
		      const char *path, uint32_t major, uint32_t minor, struct err *err)
{
	if (node->type == 'b' || node->type == 'p') {
		return nvidia_cdi_refuse_stale(
			reader, err,
			"node '%s' is of type '%c' there, and a character device on the "
			"host",
			path, node->type);
	}
	if (node->has_number && (node->major != major || node->minor != minor)) {
		return nvidia_cdi_refuse_stale(
			reader, err, "node '%s' is %u:%u there, and %u:%u on the host",
			path, node->major, node->minor, major, minor);
	}
	return 0;
}

/* Has a GPU of the host this number, or the driver that makes GPUs and their parts? */
static bool is_of_gpus(const struct nvidia_cdi_reader *reader, uint32_t major)
{
	const struct inventory *inv = reader->wish->inv;
	uint32_t caps_major;

	if (host_char_major(reader->host, "nvidia-caps", &caps_major) == 0 &&
	    major == caps_major) {
		return true;
	}
	for (size_t i = 0; i < inv->n_gpus; i++) {
		for (size_t j = 0; j < inv->gpus[i].n_nodes; j++) {
			if (inv->gpus[i].nodes[j].major == major) {
				return true;
			}
		}
	}
	return major == 226; /* DRM, of any vendor; Linux admin-guide/devices.txt */
}

static void leave_out_node(const struct nvidia_cdi_reader *reader, const char *path,
			   const char *why)
{
	driver_files_warn(reader->files,
			  "CDI specification '%s': node '%.200s' is left out: %s",
			  reader->file, path, why);
}

/* A node of no GPU: what has the vendor's name, and is not one of its
   GPUs' under another. */
static int take_over_node(struct nvidia_cdi_reader *reader, const struct cdi_node *node,
			  struct err *err)
{
	const char *host_path = node->host_path ? node->host_path : node->path;
	struct device_node taken;
	uint32_t major = 0;
	uint32_t minor = 0;
	int r = host_read_node(reader->host, host_path, &major, &minor);

	if (r == -EINVAL) {
		leave_out_node(reader, host_path,
			       "on the host it is no character device");
		return 0;
	}
	if (r < 0) {
		return nvidia_cdi_refuse_stale(reader, err, "node '%s' is not there",
					       host_path);
	}
	r = check_node(reader, node, host_path, major, minor, err);
	if (r < 0) {
		return r;
	}
	if (!text_starts_with(node->path, "/dev/nvidia") || is_of_gpus(reader, major)) {
		leave_out_node(reader, node->path, "it is of none of the chosen GPUs");
		return 0;
	}
	if (node->is_restricted) {
		leave_out_node(reader, node->path, "it is not for reading and writing");
		return 0;
	}
	/* As check_plan() wants it. */
	if (!strstr(host_path, "/dev/")) {
		leave_out_node(reader, host_path, "on the host it is in no /dev");
		return 0;
	}
	host_describe_node(reader->host, host_path, major, minor, DEVICE_CONTROL, &taken);
	if (!text_equals(host_path, node->path)) {
		taken.host_path = taken.path;
		taken.path = xstrdup(node->path);
	}
	driver_files_take_node(reader->files, &taken);
	return 0;
}

/* The node of a chosen GPU, as the host has it; NULL: of none. */
static const struct device_node *find_chosen(const struct cdi_wish *wish,
					     const char *path)
{
	const struct device_node *node = NULL;

	for (size_t i = 0; i < wish->n_gpus && !node; i++) {
		node = find_by_path(wish->gpus[i], path);
	}
	return node;
}

static int check_node_paths(const struct nvidia_cdi_reader *reader,
			    const struct cdi_node *node, struct err *err)
{
	int r = nvidia_cdi_check_path(reader, "path", node->path, err);

	return r < 0 || !node->host_path
		       ? r
		       : nvidia_cdi_check_path(reader, "hostPath", node->host_path, err);
}

static int read_node(struct nvidia_cdi_reader *reader, const struct cdi_node *node,
		     struct err *err)
{
	const struct device_node *known = find_chosen(reader->wish, node->path);
	int r = check_node_paths(reader, node, err);

	if (r < 0) {
		return r;
	}
	if (!known) {
		return take_over_node(reader, node, err);
	}
	if (node->is_restricted && !known->is_for_reading) {
		driver_files_warn(reader->files,
				  "CDI specification '%s': node '%.200s' is given for "
				  "reading and writing: with less a GPU is of no use",
				  reader->file, node->path);
	}
	return check_node(reader, node, node->path, known->major, known->minor, err);
}

static int read_nodes(struct nvidia_cdi_reader *reader, const struct cdi_edits *edits,
		      struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < edits->n_nodes && r == 0; i++) {
		r = read_node(reader, &edits->nodes[i], err);
	}
	return r;
}

/* ---- devices ----------------------------------------------------------------------- */

/* A GPU that is split into parts counts as well: the toolkit counts all that the driver
   does not leave out. */
static bool is_counted(const struct inventory *inv, const struct gpu *gpu)
{
	for (size_t i = 0; i < inv->n_gpus && gpu->unusable_reason; i++) {
		const struct gpu *part = &inv->gpus[i];

		if (part->partition != NO_PARTITION && part->pci &&
		    text_equals(part->pci, gpu->pci)) {
			return true;
		}
	}
	return !gpu->unusable_reason;
}

static unsigned int count_before(const struct inventory *inv, const struct gpu *gpu)
{
	unsigned int n = 0;

	for (const struct gpu *other = inv->gpus; other < gpu; other++) {
		n += text_equals(other->vendor, gpu->vendor) &&
		     other->partition == NO_PARTITION && is_counted(inv, other);
	}
	return n;
}

static void find_names(const struct inventory *inv, const struct gpu *gpu,
		       struct names_of_gpu *ret)
{
	if (gpu->uuid) {
		ret->name[ret->n++] = xstrdup(gpu->uuid);
	}
	if (gpu->partition_name) {
		ret->name[ret->n++] = xstrdup(gpu->partition_name);
		ret->name[ret->n++] = xasprintf("mig%s", gpu->partition_name);
		return;
	}
	ret->name[ret->n++] = xasprintf("%u", count_before(inv, gpu));
	ret->name[ret->n++] = xasprintf("gpu%u", count_before(inv, gpu));
}

/* @name: as the device should be called. */
static int refuse_no_device(const struct nvidia_cdi_reader *reader, const struct gpu *gpu,
			    const char *name, struct err *err)
{
	const struct cdi_registry *registry = reader->wish->registry;

	/* It may be in a file that says nothing as it is, and that a
	   new one would replace. */
	if (registry->n_problems > 0) {
		return err_set(
			err, ENOENT,
			"no CDI specification has %s:%u: there is no device '%s' of "
			"'" NVIDIA_CDI_KIND "', and one is not used: %s",
			gpu->vendor, gpu->index, name, registry->problems[0]);
	}
	return err_set(err, ENOENT,
		       "no CDI specification has %s:%u: there is no device '%s' of "
		       "'" NVIDIA_CDI_KIND "'; make one: " ADVICE,
		       gpu->vendor, gpu->index, name);
}

/* A name that nobody has is passed over, and so is one that is another GPU's by now. */
static int find_device(struct nvidia_cdi_reader *reader, const struct gpu *gpu,
		       const struct cdi_spec **ret_spec,
		       const struct cdi_device **ret_device, struct err *err)
{
	cleanup(names_of_gpu_clearp) struct names_of_gpu names = {0};
	struct err first = {0};

	find_names(reader->wish->inv, gpu, &names);
	for (size_t i = 0; i < names.n; i++) {
		struct err found = {0};
		int r = cdi_registry_find(reader->wish->registry, names.name[i], ret_spec,
					  ret_device, &found);

		if (r == 0) {
			reader->file = (*ret_spec)->file;
			r = check_nodes(reader, gpu, *ret_spec, *ret_device, &found);
		}
		if (r == 0) {
			return 0;
		}
		if (r != -ENOENT && first.code == 0) {
			first = found;
		}
	}
	if (first.code != 0) {
		*err = first;
		return -err->code;
	}
	return refuse_no_device(reader, gpu, names.name[0], err);
}

static void add_origin(struct driver_files *files, const struct cdi_spec *spec,
		       const struct cdi_device *device)
{
	files->origins = xgrow(files->origins, files->n_origins, sizeof(*files->origins));
	files->origins[files->n_origins++] = (struct cdi_origin){
		.device = xasprintf("%s=%s", spec->kind, device->name),
		.file = xstrdup(spec->file),
	};
}

/* Not twice: a file's own edits are of all GPUs that it has. */
static void add_part(struct nvidia_cdi_reader *reader, const struct cdi_spec *spec,
		     const struct cdi_edits *edits)
{
	for (size_t i = 0; i < reader->n_parts; i++) {
		if (reader->parts[i].edits == edits) {
			return;
		}
	}
	reader->parts = xgrow(reader->parts, reader->n_parts, sizeof(*reader->parts));
	reader->parts[reader->n_parts++] =
		(struct nvidia_cdi_part){.file = spec->file, .edits = edits};
}

static int add_device(struct nvidia_cdi_reader *reader, const struct gpu *gpu,
		      struct err *err)
{
	const struct cdi_device *device = NULL;
	const struct cdi_spec *spec = NULL;
	int r = find_device(reader, gpu, &spec, &device, err);

	if (r < 0) {
		return r;
	}
	add_part(reader, spec, &spec->edits);
	add_part(reader, spec, &device->edits);
	add_origin(reader->files, spec, device);
	return 0;
}

static int read_parts(struct nvidia_cdi_reader *reader, struct err *err)
{
	int r;

	for (size_t i = 0; i < reader->n_parts; i++) {
		const struct cdi_edits *edits = reader->parts[i].edits;

		reader->file = reader->parts[i].file;
		if (read_nodes(reader, edits, err) < 0 ||
		    nvidia_cdi_read_process(reader, edits, err) < 0) {
			return -err->code;
		}
	}
	/* Without a place for libraries nothing in there can be used. */
	if (!reader->wish->ctr->library_dir) {
		return 0;
	}
	r = nvidia_cdi_read_files(reader, err);
	return r < 0 ? r : nvidia_cdi_read_links(reader, err);
}

/* ---- all --------------------------------------------------------------------------- */

static int refuse_nothing(const struct cdi_registry *registry, struct err *err)
{
	if (registry->n_problems > 0) {
		return err_set(err, EINVAL, "%s", registry->problems[0]);
	}
	return err_set(err, ENODATA,
		       "no CDI specification (*.yaml, *.json) of '" NVIDIA_CDI_KIND
		       "' is in /etc/cdi or /var/run/cdi; make one: " ADVICE);
}

bool nvidia_may_need_cdi(const struct host *host)
{
	autofree char *version = NULL;

	if (!host_exists(host, NVIDIA_PROC_DIR)) {
		return false;
	}
	version = nvidia_read_version(host);
	return !version || !nvidia_has_libraries(host, version);
}

int nvidia_read_cdi(const struct host *host, const struct cdi_wish *wish,
		    struct driver_files *ret, struct err *err)
{
	autofree char *version = nvidia_read_version(host);
	struct nvidia_cdi_reader reader = {
		.host = host,
		.wish = wish,
		.version = version,
		.files = ret,
	};
	int r = 0;

	if (wish->registry->n_specs == 0) {
		return refuse_nothing(wish->registry, err);
	}
	ret->version = version ? xstrdup(version) : NULL;
	ret->params = nvidia_read_params(host);
	if (!wish->ctr->library_dir) {
		nvidia_warn_of_no_place(wish->ctr, ret);
	}
	for (size_t i = 0; i < wish->n_gpus && r == 0; i++) {
		/* A list of devices may name another vendor's, too:
		   of the same number. */
		if (text_equals(wish->gpus[i]->vendor, nvidia_injector.vendor)) {
			r = add_device(&reader, wish->gpus[i], err);
		}
	}
	if (r == 0) {
		r = read_parts(&reader, err);
	}
	free(reader.parts);
	free(reader.unwanted);
	return r;
}
