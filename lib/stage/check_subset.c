/* SPDX-License-Identifier: Apache-2.0 */
/* check_subset.c - will the container be kept to the GPUs that it is given? */

#include "stage/check_subset.h"

#include "base/text.h"

/* The node by which @gpu is reached among others, if it leads to it at all; or NULL. */
static const char *find_shared_node(const struct gpu *gpu)
{
	const struct device_node *node = gpu_find_node(gpu, DEVICE_COMPUTE);

	return gpu->trouble_without_cgroup && node ? node->path : NULL;
}

/* Is @gpu the first that is given by this node? One warning is enough. */
static bool is_first_with_node(const struct selection *selection, size_t index,
			       const char *path)
{
	for (size_t i = 0; i < index; i++) {
		const char *other = find_shared_node(selection->gpus[i]);

		if (other && text_equals(other, path)) {
			return false;
		}
	}
	return true;
}

void check_subset_warn(const struct inventory *inv, const struct selection *selection,
		       struct plan *plan)
{
	for (size_t i = 0; i < selection->n_gpus; i++) {
		const struct gpu *gpu = selection->gpus[i];
		const char *path = find_shared_node(gpu);
		const struct gpu *first = NULL;
		size_t n_others = 0;

		if (!path || !plan_find_node(plan, path) ||
		    !is_first_with_node(selection, i, path)) {
			continue;
		}
		for (size_t k = 0; k < inv->n_gpus; k++) {
			const struct gpu *other = &inv->gpus[k];
			const char *its = find_shared_node(other);

			if (its && text_equals(its, path) &&
			    !selection_has(selection, other)) {
				first = first ? first : other;
				n_others++;
			}
		}
		if (n_others > 0) {
			plan_warn(
				plan,
				"'%s' leads to %zu more GPU%s than are given, from "
				"%s:%u on: a rootless container has no device cgroup, "
				"which would hide them; %s; ask for %s:all, or let root "
				"start the container",
				path, n_others, n_others == 1 ? "" : "s", first->vendor,
				first->index, gpu->trouble_without_cgroup, gpu->vendor);
		}
	}
}
