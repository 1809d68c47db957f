/* SPDX-License-Identifier: Apache-2.0 */
/* test_id_map.c - ids in and out of a user namespace */

#include <criterion/criterion.h>

#include "model/id_map.h"

Test(id_map, ids_are_found_by_their_range)
{
	cleanup(id_map_clearp) struct id_map map = {0};
	uint32_t id = 7;

	id_map_add(&map, 0, 1000, 1);
	id_map_add(&map, 1, 100000, 65536);
	cr_expect(id_map_to_outside(&map, 0, &id));
	cr_expect_eq(id, 1000);
	cr_expect(id_map_to_outside(&map, 1, &id));
	cr_expect_eq(id, 100000);
	cr_expect(id_map_to_outside(&map, 65536, &id));
	cr_expect_eq(id, 165535);
	id = 7;
	cr_expect_not(id_map_to_outside(&map, 65537, &id));
	cr_expect_eq(id, 7, "untouched");
	cr_expect(id_map_has_outside(&map, 1000));
	cr_expect(id_map_has_outside(&map, 165535));
	cr_expect_not(id_map_has_outside(&map, 165536));
	cr_expect_not(id_map_has_outside(&map, 0));
}

Test(id_map, a_range_may_end_at_the_last_id)
{
	cleanup(id_map_clearp) struct id_map map = {0};
	uint32_t id = 0;

	id_map_add(&map, 10, UINT32_MAX - 1, 2);
	cr_expect(id_map_to_outside(&map, 11, &id));
	cr_expect_eq(id, UINT32_MAX);
	cr_expect_not(id_map_has_outside(&map, 0));
}

Test(id_map, an_empty_map_or_range_maps_nothing)
{
	cleanup(id_map_clearp) struct id_map map = {0};
	uint32_t id = 0;

	cr_expect_not(id_map_to_outside(&map, 0, &id));
	id_map_add(&map, 0, 0, 0);
	cr_expect_not(id_map_to_outside(&map, 0, &id));
	cr_expect_not(id_map_has_outside(&map, 0));
}
