/* SPDX-License-Identifier: Apache-2.0 */
/* test_check_subset.c - who would see GPUs that he is not given */

#include <criterion/criterion.h>

#include "base/mem.h"
#include "stage/check_subset.h"

#define KFD "/dev/kfd"

struct fixture {
	struct inventory inv;
	struct plan plan;
	const struct gpu *gpus[4];
	struct selection selection;
};

static void fixture_clear(struct fixture *f)
{
	inventory_clear(&f->inv);
	plan_clear(&f->plan);
}
DEFINE_CLEANUP(struct fixture, fixture_clear)

/* Four GPUs; the first @n_kept of them share a node whose driver goes by the cgroup. */
static void fill(struct fixture *f, unsigned int n_kept)
{
	struct err err = {0};

	for (unsigned int i = 0; i < 4; i++) {
		struct gpu *gpu = inventory_add(&f->inv, &err);
		struct device_node node = {.path = xstrdup(KFD), .role = DEVICE_COMPUTE};

		cr_assert_not_null(gpu);
		gpu->vendor = xstrdup("amd");
		gpu->index = i;
		gpu->trouble_without_cgroup = i < n_kept ? "nothing starts" : NULL;
		gpu_take_node(gpu, &node);
	}
}

/* Gives the GPUs from @first to @last, by their shared node. */
static void give(struct fixture *f, unsigned int first, unsigned int last)
{
	struct err err = {0};

	f->selection.gpus = f->gpus;
	for (unsigned int i = first; i <= last; i++) {
		f->gpus[f->selection.n_gpus++] = &f->inv.gpus[i];
		cr_assert_eq(plan_add_node(&f->plan, &f->inv.gpus[i].nodes[0], &err), 0);
	}
}

/* @warning: NULL: none */
static void expect(struct fixture *f, const char *warning)
{
	check_subset_warn(&f->inv, &f->selection, &f->plan);
	cr_assert_eq(f->plan.n_warnings, warning ? 1 : 0, "%s",
		     f->plan.n_warnings ? f->plan.warnings[0] : "no warning");
	if (warning) {
		cr_expect_str_eq(f->plan.warnings[0], warning);
	}
}

Test(check_subset, some_of_several_is_warned_of_once)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f, 4);
	give(&f, 1, 2);
	expect(&f, "'/dev/kfd' leads to 2 more GPUs than are given, from amd:0 on: a "
		   "rootless container has no device cgroup, which would hide them; "
		   "nothing starts; ask for amd:all, or let root start the container");
}

Test(check_subset, one_more_is_singular)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f, 4);
	give(&f, 0, 2);
	expect(&f, "'/dev/kfd' leads to 1 more GPU than are given, from amd:3 on: a "
		   "rootless container has no device cgroup, which would hide them; "
		   "nothing starts; ask for amd:all, or let root start the container");
}

Test(check_subset, all_that_the_node_leads_to_are_no_subset)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f, 2);
	give(&f, 0, 1);
	expect(&f, NULL);
}

Test(check_subset, drivers_that_go_by_the_nodes_are_not_meant)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f, 0);
	give(&f, 0, 0);
	expect(&f, NULL);
}

Test(check_subset, without_the_node_nothing_is_seen)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f, 4);
	f.selection.gpus = f.gpus;
	f.gpus[f.selection.n_gpus++] = &f.inv.gpus[0];
	expect(&f, NULL);
}

Test(check_subset, another_node_is_another_matter)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f, 2);
	free(f.inv.gpus[1].nodes[0].path);
	f.inv.gpus[1].nodes[0].path = xstrdup("/dev/kfd2");
	give(&f, 0, 0);
	expect(&f, NULL);
}
