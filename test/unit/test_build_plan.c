/* SPDX-License-Identifier: Apache-2.0 */
/* test_build_plan.c - whose injector contributes, and what becomes of its errors */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "stage/build_plan.h"

static void add_node(struct gpu *gpu, const char *path, uint32_t major, uint32_t minor,
		     enum device_role role)
{
	struct device_node node = {
		.path = xstrdup(path),
		.major = major,
		.minor = minor,
		.role = role,
	};

	gpu_take_node(gpu, &node);
}

/* An AMD GPU as its probe describes it. */
static struct gpu *add_amd(struct inventory *inv, unsigned int index, const char *render)
{
	struct err err = {0};
	struct gpu *gpu = inventory_add(inv, &err);

	cr_assert_not_null(gpu);
	gpu->vendor = xstrdup("amd");
	gpu->index = index;
	gpu->driver = xstrdup("amdgpu");
	gpu->can_compute = true;
	add_node(gpu, "/dev/kfd", 511, 0, DEVICE_COMPUTE);
	add_node(gpu, render, 226, 128 + index, DEVICE_RENDER);
	return gpu;
}

struct fixture {
	struct inventory inv;
	struct gpu_spec spec;
	const struct gpu *gpus[4];
	struct selection selection;
	struct container ctr;
	struct plan plan;
	struct err err;
};

static void fixture_clear(struct fixture *f)
{
	inventory_clear(&f->inv);
	gpu_spec_clear(&f->spec);
	plan_clear(&f->plan);
}
DEFINE_CLEANUP(struct fixture, fixture_clear)

/* Every GPU of the host is chosen. */
static int build(struct fixture *f, const char *request)
{
	cr_assert_eq(gpu_spec_parse(request, strlen(request), &f->spec, &f->err), 0, "%s",
		     f->err.msg);
	for (size_t i = 0; i < f->inv.n_gpus; i++) {
		f->gpus[i] = &f->inv.gpus[i];
	}
	f->selection.gpus = f->gpus;
	f->selection.n_gpus = f->inv.n_gpus;
	return build_plan(&f->spec, &f->selection, &f->ctr, &f->plan, &f->err);
}

static bool has_node(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (strcmp(plan->nodes[i].ctr.text, path) == 0) {
			return true;
		}
	}
	return false;
}

Test(build_plan, request_for_a_vendor_goes_to_that_vendors_injector)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	add_amd(&f.inv, 0, "/dev/dri/renderD128");
	cr_assert_eq(build(&f, "amd"), 0, "%s", f.err.msg);
	cr_expect(has_node(&f.plan, "/dev/kfd"));
	cr_expect(has_node(&f.plan, "/dev/dri/renderD128"));
}

Test(build_plan, request_for_an_unknown_vendor_gets_render_nodes_only_whatever_the_gpu)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	add_amd(&f.inv, 0, "/dev/dri/renderD128");
	cr_assert_eq(build(&f, "foo"), 0, "%s", f.err.msg);
	cr_expect_not(has_node(&f.plan, "/dev/kfd"));
	cr_expect(has_node(&f.plan, "/dev/dri/renderD128"));
}

Test(build_plan, request_by_id_alone_goes_to_the_gpus_own_injector)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	add_amd(&f.inv, 0, "/dev/dri/renderD128");
	cr_assert_eq(build(&f, "devices=renderD128"), 0, "%s", f.err.msg);
	cr_expect(has_node(&f.plan, "/dev/kfd"));
}

Test(build_plan, request_by_id_and_vendor_goes_to_that_vendors_injector)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	add_amd(&f.inv, 0, "/dev/dri/renderD128");
	cr_assert_eq(build(&f, "vendor=amdgpu;devices=renderD128"), 0, "%s", f.err.msg);
	cr_expect_not(has_node(&f.plan, "/dev/kfd"));
}

Test(build_plan, node_that_two_gpus_share_is_one_entry)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	add_amd(&f.inv, 0, "/dev/dri/renderD128");
	add_amd(&f.inv, 1, "/dev/dri/renderD129");
	cr_assert_eq(build(&f, "amd:2"), 0, "%s", f.err.msg);
	cr_expect_eq(f.plan.n_nodes, 3);
	cr_expect(has_node(&f.plan, "/dev/dri/renderD129"));
}

Test(build_plan, warnings_of_the_selection_come_along)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	char warning[] = "100% unknown vendor 'foo'";
	char *warnings[] = {warning};

	add_amd(&f.inv, 0, "/dev/dri/renderD128");
	f.selection.warnings = warnings;
	f.selection.n_warnings = 1;
	cr_assert_eq(build(&f, "foo"), 0, "%s", f.err.msg);
	cr_assert_eq(f.plan.n_warnings, 1);
	cr_expect_str_eq(f.plan.warnings[0], "100% unknown vendor 'foo'");
}

Test(build_plan, conflict_between_gpus_is_an_error_that_names_the_gpu)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	struct gpu *gpu;

	add_amd(&f.inv, 0, "/dev/dri/renderD128");
	gpu = add_amd(&f.inv, 1, "/dev/dri/renderD129");
	gpu->nodes[0].major = 510;
	cr_expect_eq(build(&f, "amd:2"), -EEXIST);
	cr_expect_eq(strncmp(f.err.msg, "amd:1: ", 7), 0, "%s", f.err.msg);
	cr_expect(strstr(f.err.msg, "'/dev/kfd'"), "%s", f.err.msg);
	cr_expect_eq(f.plan.n_nodes, 0, "outputs are written on success only");
	cr_expect_null(f.plan.nodes);
}
