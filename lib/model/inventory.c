/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.c - the GPUs of a host */

#include "model/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

const char *const device_role_names[] = {
	[DEVICE_GPU] = "gpu",	      [DEVICE_CONTROL] = "control",
	[DEVICE_COMPUTE] = "compute", [DEVICE_MODESET] = "modeset",
	[DEVICE_RENDER] = "render",   [DEVICE_CARD] = "card",
};
_Static_assert(sizeof(device_role_names) / sizeof(device_role_names[0]) ==
		       DEVICE_ROLE_COUNT,
	       "every role has a name");

/* ---- PCI addresses ----------------------------------------------------------------- */

/* Reads @min to @max lower-case hexadecimal digits and @end behind them; moves *text. */
static bool read_hex(const char **text, size_t min, size_t max, char end, uint32_t *ret)
{
	size_t len = strspn(*text, "0123456789abcdef");
	uint32_t value = 0;

	if (len < min || len > max || (*text)[len] != end) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		char c = (*text)[i];

		value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*text += len + (end != '\0');
	*ret = value;
	return true;
}

bool pci_address_parse(const char *text, struct pci_address *ret)
{
	struct pci_address address;

	if (!read_hex(&text, 4, 8, ':', &address.domain) ||
	    !read_hex(&text, 2, 2, ':', &address.bus) ||
	    !read_hex(&text, 2, 2, '.', &address.device) ||
	    !read_hex(&text, 1, 1, '\0', &address.function) || address.device > 0x1f ||
	    address.function > 7) {
		return false;
	}
	*ret = address;
	return true;
}

int pci_address_compare(const struct pci_address *a, const struct pci_address *b)
{
	int r = compare_numbers(a->domain, b->domain);

	if (r == 0) {
		r = compare_numbers(a->bus, b->bus);
	}
	if (r == 0) {
		r = compare_numbers(a->device, b->device);
	}
	return r ? r : compare_numbers(a->function, b->function);
}

int pci_address_compare_texts(const char *a, const char *b)
{
	struct pci_address a_pci;
	struct pci_address b_pci;
	bool has_a = a && pci_address_parse(a, &a_pci);
	bool has_b = b && pci_address_parse(b, &b_pci);

	return has_a && has_b ? pci_address_compare(&a_pci, &b_pci) : !has_a - !has_b;
}

/* ---- the list ---------------------------------------------------------------------- */

void device_node_clear(struct device_node *node)
{
	free(node->path);
	free(node->host_path);
	free(node->setup);
	*node = (struct device_node){0};
}

static void gpu_clear(struct gpu *gpu)
{
	free(gpu->vendor);
	free(gpu->alias);
	free(gpu->pci);
	free(gpu->id_path);
	free(gpu->uuid);
	free(gpu->model);
	free(gpu->driver);
	free(gpu->partition_name);
	free(gpu->partition_key);
	free(gpu->unusable_reason);
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		device_node_clear(&gpu->nodes[i]);
	}
	free(gpu->nodes);
}

void inventory_clear(struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_gpus; i++) {
		gpu_clear(&inv->gpus[i]);
	}
	free(inv->gpus);
	free(inv->notes);
	if (inv->files) {
		driver_files_clear(inv->files);
		free(inv->files);
	}
	*inv = (struct inventory){0};
}

struct gpu *inventory_add(struct inventory *inv, struct err *err)
{
	struct gpu *gpu;

	if (inv->n_gpus == LIMIT_GPUS) {
		err_set(err, E2BIG, "list the host's GPUs: more than %u", LIMIT_GPUS);
		return NULL;
	}
	inv->gpus = xgrow(inv->gpus, inv->n_gpus, sizeof(*inv->gpus));
	gpu = &inv->gpus[inv->n_gpus++];
	*gpu = (struct gpu){
		.model = xstrdup(""),
		.partition = NO_PARTITION,
		.numa_node = NUMA_NODE_UNKNOWN,
	};
	return gpu;
}

void inventory_add_note(struct inventory *inv, const char *vendor, const char *text)
{
	inv->notes = xgrow(inv->notes, inv->n_notes, sizeof(*inv->notes));
	inv->notes[inv->n_notes++] = (struct inventory_note){
		.vendor = vendor,
		.text = text,
	};
}

void gpu_take_node(struct gpu *gpu, struct device_node *node)
{
	gpu->nodes = xgrow(gpu->nodes, gpu->n_nodes, sizeof(*gpu->nodes));
	gpu->nodes[gpu->n_nodes++] = *node;
	*node = (struct device_node){0};
}

const struct device_node *gpu_find_node(const struct gpu *gpu, enum device_role role)
{
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		if (gpu->nodes[i].role == role) {
			return &gpu->nodes[i];
		}
	}
	return NULL;
}

/* ---- order ------------------------------------------------------------------------- */

/* No text comes after every text. */
static int compare_texts(const char *a, const char *b)
{
	if (!a || !b) {
		return !a - !b;
	}
	return strcmp(a, b);
}

static int compare_gpus(const void *a_gpu, const void *b_gpu)
{
	const struct gpu *a = a_gpu;
	const struct gpu *b = b_gpu;
	int r = pci_address_compare_texts(a->pci, b->pci);

	if (r == 0) {
		r = (a->partition > b->partition) - (a->partition < b->partition);
	}
	if (r == 0) {
		r = compare_texts(a->id_path, b->id_path);
	}
	/* Two devices without any path: by their first nodes, so
	   that the order is one. */
	if (r == 0 && a->n_nodes > 0 && b->n_nodes > 0) {
		r = strcmp(a->nodes[0].path, b->nodes[0].path);
	}
	return r;
}

static unsigned int count_before(const struct inventory *inv, const struct gpu *gpu)
{
	unsigned int n = 0;

	for (const struct gpu *other = inv->gpus; other < inv->gpus + inv->n_gpus;
	     other++) {
		bool is_before = !other->unusable_reason == !gpu->unusable_reason
					 ? other < gpu
					 : !other->unusable_reason;

		if (is_before && text_equals(other->vendor, gpu->vendor)) {
			n++;
		}
	}
	return n;
}

void inventory_number(struct inventory *inv)
{
	if (inv->n_gpus == 0) {
		return;
	}
	qsort(inv->gpus, inv->n_gpus, sizeof(*inv->gpus), compare_gpus);
	for (size_t i = 0; i < inv->n_gpus; i++) {
		inv->gpus[i].index = count_before(inv, &inv->gpus[i]);
	}
}
