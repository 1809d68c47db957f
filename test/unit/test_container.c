/* SPDX-License-Identifier: Apache-2.0 */
/* test_container.c - clearing releases everything, once */

#include "model/container.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(container, clear_empties_it_and_may_be_repeated)
{
	struct container ctr = {
		.uid = 1,
		.gid = 2,
		.additional_gids = malloc(3 * sizeof(gid_t)),
		.n_additional_gids = 3,
		.has_user_namespace = true,
		.device_rules = calloc(2, sizeof(struct device_rule)),
		.n_device_rules = 2,
	};

	for (int i = 0; i < 2; i++) {
		container_clear(&ctr);
		cr_assert_eq(ctr.uid, 0);
		cr_assert_eq(ctr.gid, 0);
		cr_assert_null(ctr.additional_gids);
		cr_assert_eq(ctr.n_additional_gids, 0);
		cr_assert_not(ctr.has_user_namespace);
		cr_assert_null(ctr.device_rules);
		cr_assert_eq(ctr.n_device_rules, 0);
	}
}
