/* SPDX-License-Identifier: Apache-2.0 */
/* choice.c - GPUs that were chosen before, by name */

#include "model/choice.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

/* The form may change with the program's version. */
#define VERSION "v1"

/* A name of the kernel is at most 255 bytes long; those of render nodes have 10. */
#define LIMIT_ID_BYTES 64U

/* Of a text that is refused, in the message. */
#define LIMIT_SHOWN_BYTES 100U

void choice_clear(struct choice *choice)
{
	for (size_t i = 0; i < choice->n; i++) {
		free(choice->ids[i]);
	}
	free(choice->ids);
	*choice = (struct choice){0};
}

char *choice_id_of(const struct gpu *gpu)
{
	const struct device_node *render = gpu_find_node(gpu, DEVICE_RENDER);

	if (gpu->pci && gpu->partition == NO_PARTITION) {
		return xstrdup(gpu->pci);
	}
	if (render) {
		const char *slash = strrchr(render->path, '/');

		return xstrdup(slash ? slash + 1 : render->path);
	}
	return xasprintf("%s:%u", gpu->vendor, gpu->index);
}

char *choice_format(const struct gpu *const *gpus, size_t n)
{
	char *text = xstrdup(VERSION);

	for (size_t i = 0; i < n; i++) {
		autofree char *id = choice_id_of(gpus[i]);
		autofree char *shorter = text;

		text = xasprintf("%s %s", shorter, id);
	}
	return text;
}

static bool is_id_character(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == ':' || c == '.' || c == '_' || c == '-';
}

static size_t id_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && is_id_character(text[n])) {
		n++;
	}
	return n <= LIMIT_ID_BYTES ? n : 0;
}

int choice_parse(const char *text, size_t len, struct choice *ret, struct err *err)
{
	cleanup(choice_clearp) struct choice choice = {0};
	size_t at = strlen(VERSION);

	if (len < at || memcmp(text, VERSION, at) != 0) {
		at = len; /* no id follows: the error below */
	}
	while (at < len && text[at] == ' ') {
		size_t n = id_length(text + at + 1, len - at - 1);

		if (n == 0) {
			break;
		}
		if (choice.n == LIMIT_GPUS) {
			return err_set(err, E2BIG, "more than %u GPUs", LIMIT_GPUS);
		}
		choice.ids = xgrow(choice.ids, choice.n, sizeof(*choice.ids));
		choice.ids[choice.n++] = xstrndup(text + at + 1, n);
		at += 1 + n;
	}
	if (at < len || choice.n == 0) {
		return err_set(err, EINVAL,
			       "'%.*s' is not what precreate writes, '" VERSION
			       " ID...'; remove it",
			       (int)(len < LIMIT_SHOWN_BYTES ? len : LIMIT_SHOWN_BYTES),
			       text);
	}
	*ret = choice;
	choice = (struct choice){0};
	return 0;
}
