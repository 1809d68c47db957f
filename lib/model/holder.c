/* SPDX-License-Identifier: Apache-2.0 */
/* holder.c - which containers have which GPUs */

#include "model/holder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void holder_clear(struct holder *holder)
{
	free(holder->gpu);
	free(holder->id);
	free(holder->bundle);
	*holder = (struct holder){0};
}

void holders_clear(struct holders *holders)
{
	for (size_t i = 0; i < holders->n; i++) {
		holder_clear(&holders->holder[i]);
	}
	free(holders->holder);
	*holders = (struct holders){0};
}

bool process_id_equals(const struct process_id *a, const struct process_id *b)
{
	return a->pid == b->pid && a->start_time == b->start_time &&
	       a->pid_ns == b->pid_ns;
}

void holders_take(struct holders *holders, struct holder *holder)
{
	holders->holder = xgrow(holders->holder, holders->n, sizeof(*holders->holder));
	holders->holder[holders->n++] = *holder;
	*holder = (struct holder){0};
}

void holders_remove(struct holders *holders, size_t index)
{
	holder_clear(&holders->holder[index]);
	memmove(&holders->holder[index], &holders->holder[index + 1],
		(holders->n - index - 1) * sizeof(*holders->holder));
	holders->n--;
}

char *gpu_key(const struct gpu *gpu)
{
	const char *device = gpu->pci		? gpu->pci
			     : gpu->id_path	? gpu->id_path
			     : gpu->n_nodes > 0 ? gpu->nodes[0].path
						: gpu->model;

	return gpu->partition == NO_PARTITION
		       ? xstrdup(device)
		       : xasprintf("%s/%d", device, gpu->partition);
}

/* A device's own path may have slashes in it, but it does not begin with its own key. */
static bool is_partition_of(const char *partition, const char *whole)
{
	size_t len = strlen(whole);

	return strncmp(partition, whole, len) == 0 && partition[len] == '/';
}

bool gpu_key_overlaps(const char *a, const char *b)
{
	return text_equals(a, b) || is_partition_of(a, b) || is_partition_of(b, a);
}
