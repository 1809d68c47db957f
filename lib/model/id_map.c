/* SPDX-License-Identifier: Apache-2.0 */
/* id_map.c - the ids of a user namespace, and what they are outside of it */

#include "model/id_map.h"

#include <stdlib.h>

#include "base/mem.h"

void id_map_clear(struct id_map *map)
{
	free(map->ranges);
	*map = (struct id_map){0};
}

void id_map_add(struct id_map *map, uint32_t inside, uint32_t outside, uint32_t count)
{
	map->ranges = xgrow(map->ranges, map->n, sizeof(*map->ranges));
	map->ranges[map->n++] = (struct id_range){inside, outside, count};
}

/* Subtracting first: a range may end at the last id there is. */
static bool is_within(uint32_t id, uint32_t start, uint32_t count)
{
	return id >= start && id - start < count;
}

bool id_map_to_outside(const struct id_map *map, uint32_t inside, uint32_t *ret)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct id_range *range = &map->ranges[i];

		if (is_within(inside, range->inside, range->count)) {
			*ret = range->outside + (inside - range->inside);
			return true;
		}
	}
	return false;
}

bool id_map_has_outside(const struct id_map *map, uint32_t outside)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct id_range *range = &map->ranges[i];

		if (is_within(outside, range->outside, range->count)) {
			return true;
		}
	}
	return false;
}
