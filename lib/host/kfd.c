/* SPDX-License-Identifier: Apache-2.0 */
/* kfd.c - the compute topology of amdkfd */

#include "host/kfd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#define KFD_DEVICE "/sys/class/kfd/kfd"
#define KFD_NODES  KFD_DEVICE "/topology/nodes"

void kfd_topology_clear(struct kfd_topology *topology)
{
	free(topology->node);
	*topology = (struct kfd_topology){0};
}

static void set_u32(uint32_t *field, uint64_t value)
{
	/* What does not fit is left unset: a number cut short could name another GPU. */
	if (value <= UINT32_MAX) {
		*field = (uint32_t)value;
	}
}

static void set_property(struct kfd_node *node, const char *name, const char *text)
{
	uint64_t value;

	if (host_parse_u64(text, &value) < 0) {
		return;
	}
	if (text_equals(name, "drm_render_minor")) {
		set_u32(&node->render_minor, value);
	} else if (text_equals(name, "location_id")) {
		set_u32(&node->location_id, value);
	} else if (text_equals(name, "domain")) {
		set_u32(&node->domain, value);
	} else if (text_equals(name, "unique_id")) {
		node->unique_id = value;
	}
}

static void parse_properties(char *text, struct kfd_node *node)
{
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		char *blank = strchr(line, ' ');

		if (blank) {
			*blank = '\0';
			set_property(node, line, blank + 1);
		}
	}
}

static void add_node(const struct host *host, const char *name,
		     struct kfd_topology *topology)
{
	autofree char *path = xasprintf(KFD_NODES "/%s/properties", name);
	char text[LIMIT_ATTRIBUTE_BYTES];
	struct kfd_node node = {0};

	if (host_read(host, path, text, sizeof(text)) < 0) {
		topology->is_incomplete = true;
		return;
	}
	parse_properties(text, &node);
	if (node.render_minor == 0) {
		return;
	}
	topology->node = xgrow(topology->node, topology->n, sizeof(*topology->node));
	topology->node[topology->n++] = node;
}

int host_kfd(const struct host *host, struct kfd_topology *ret)
{
	cleanup(names_clearp) struct names names = {0};
	struct kfd_topology topology = {0};

	if (host_read_dev(host, KFD_DEVICE "/dev", &topology.major, &topology.minor) <
		    0 ||
	    host_list(host, KFD_NODES, &names) < 0) {
		return -ENOENT;
	}
	for (size_t i = 0; i < names.n; i++) {
		add_node(host, names.name[i], &topology);
	}
	*ret = topology;
	return 0;
}
