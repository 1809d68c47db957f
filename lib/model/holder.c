/* SPDX-License-Identifier: Apache-2.0 */
/* holder.c - which containers have which GPUs */

#include "model/holder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void holders_clear(struct holders *holders)
{
	free_texts(holders->texts, holders->n_texts);
	free(holders->holder);
	*holders = (struct holders){0};
}

bool process_id_equals(const struct process_id *a, const struct process_id *b)
{
	return a->pid == b->pid && a->start_time == b->start_time &&
	       a->pid_ns == b->pid_ns;
}

void holders_take_text(struct holders *holders, char *text)
{
	holders->texts = xgrow(holders->texts, holders->n_texts, sizeof(*holders->texts));
	holders->texts[holders->n_texts++] = text;
}

void holders_append(struct holders *holders, const struct holder *holder)
{
	holders->holder = xgrow(holders->holder, holders->n, sizeof(*holders->holder));
	holders->holder[holders->n++] = *holder;
}

static const char *copy_name(struct holders *holders, const char *name)
{
	char *copy;

	if (!name) {
		return NULL;
	}
	copy = xstrdup(name);
	holders_take_text(holders, copy);
	return copy;
}

void holders_add(struct holders *holders, const struct holder *holder)
{
	struct holder copy = *holder;

	copy.gpu = copy_name(holders, holder->gpu);
	copy.id = copy_name(holders, holder->id);
	copy.bundle = copy_name(holders, holder->bundle);
	holders_append(holders, &copy);
}

void holders_remove(struct holders *holders, size_t index)
{
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

	if (gpu->partition == NO_PARTITION) {
		return xstrdup(device);
	}
	return gpu->partition_key ? xasprintf("%s/%s", device, gpu->partition_key)
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
