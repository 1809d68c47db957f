/* SPDX-License-Identifier: Apache-2.0 */
/* container.c - what the plan needs to know of the container, from its config.json */

#include "model/container.h"

#include <stdlib.h>

void container_clear(struct container *ctr)
{
	free(ctr->additional_gids);
	free(ctr->device_rules);
	free(ctr->mount_label);
	id_map_clear(&ctr->uid_map);
	id_map_clear(&ctr->gid_map);
	*ctr = (struct container){0};
}

bool container_has_group(const struct container *ctr, gid_t gid)
{
	if (ctr->gid == gid) {
		return true;
	}
	for (size_t i = 0; i < ctr->n_additional_gids; i++) {
		if (ctr->additional_gids[i] == gid) {
			return true;
		}
	}
	return false;
}

static bool fits(const struct device_rule *rule, uint32_t major, uint32_t minor)
{
	return rule->is_for_chars &&
	       (rule->major == DEVICE_RULE_ANY || rule->major == major) &&
	       (rule->minor == DEVICE_RULE_ANY || rule->minor == minor);
}

bool container_allows_node(const struct container *ctr, uint32_t major, uint32_t minor)
{
	bool may_read = false;
	bool may_write = false;

	for (size_t i = 0; i < ctr->n_device_rules; i++) {
		const struct device_rule *rule = &ctr->device_rules[i];

		if (!fits(rule, major, minor)) {
			continue;
		}
		may_read = rule->reads ? rule->allows : may_read;
		may_write = rule->writes ? rule->allows : may_write;
	}
	return may_read && may_write;
}
