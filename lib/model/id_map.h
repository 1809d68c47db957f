/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* id_map.h - the ids of a user namespace, and what they are outside of it */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Source: user_namespaces(7): at most 340 lines since Linux 4.15. */
#define ID_MAP_MAX_RANGES 340U

/* One line of /proc/PID/uid_map, or one entry of linux.uidMappings. */
struct id_range {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

/* Without ranges: not known. */
struct id_map {
	struct id_range *ranges;
	size_t n;
};

void id_map_clear(struct id_map *map);
DEFINE_CLEANUP(struct id_map, id_map_clear)

/* Appends a range. */
void id_map_add(struct id_map *map, uint32_t inside, uint32_t outside, uint32_t count);

/* What is @inside's id outside of the namespace? Return: false: it is not mapped. */
bool id_map_to_outside(const struct id_map *map, uint32_t inside, uint32_t *ret);

/* Does some id of the namespace stand for this one outside of it? */
bool id_map_has_outside(const struct id_map *map, uint32_t outside);
