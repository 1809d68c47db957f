/* SPDX-License-Identifier: Apache-2.0 */
/* test_explain_choice.c - why a request gets these GPUs, and not the others */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "stage/explain_choice.h"

/* ---- a host with four GPUs of amd, and who has them -------------------------------- */

struct fixture {
	struct inventory inv;
	struct holders holders;
	struct gpu_spec spec;
	struct selection selection;
	struct verdicts verdicts;
	struct select_terms terms;
	char *text;
};

static void fixture_clear(struct fixture *f)
{
	free(f->text);
	verdicts_clear(&f->verdicts);
	selection_clear(&f->selection);
	gpu_spec_clear(&f->spec);
	holders_clear(&f->holders);
	inventory_clear(&f->inv);
}
DEFINE_CLEANUP(struct fixture, fixture_clear)

/* amd:0 is a Navi, amd:1 to amd:3 are MI210; all have a render node and compute. */
static void fill(struct fixture *f)
{
	struct err err = {0};

	for (unsigned int i = 0; i < 4; i++) {
		struct gpu *gpu = inventory_add(&f->inv, &err);
		struct device_node node = {
			.path = xasprintf("/dev/dri/renderD%u", 128 + i),
			.role = DEVICE_RENDER,
		};

		cr_assert_not_null(gpu);
		gpu->vendor = xstrdup("amd");
		gpu->driver = xstrdup("amdgpu");
		gpu->index = i;
		gpu->pci = xasprintf("0000:c%u:00.0", i);
		free(gpu->model);
		gpu->model = xstrdup(i == 0 ? "Navi 31" : "Instinct MI210");
		gpu->can_compute = true;
		gpu_take_node(gpu, &node);
	}
	f->terms.holders = &f->holders;
}

static void hold(struct fixture *f, unsigned int index, const char *id, bool is_exclusive)
{
	autofree char *key = gpu_key(&f->inv.gpus[index]);
	const struct holder holder = {
		.gpu = key,
		.is_exclusive = is_exclusive,
		.init = {.pid = 4711, .start_time = 1},
		.id = id,
		.bundle = "/bundle",
	};

	holders_add(&f->holders, &holder);
}

static void choose(struct fixture *f, const char *request)
{
	struct err err = {0};

	cr_assert_eq(gpu_spec_parse(request, strlen(request), &f->spec, &err), 0, "%s",
		     err.msg);
	cr_assert_eq(select_gpus(&f->spec, &f->inv, &f->terms, &f->selection, &err), 0,
		     "%s", err.msg);
}

/* One line for each GPU, '+' before those that are given. */
static const char *explain(struct fixture *f, bool is_taken_over)
{
	explain_choice(&f->spec, &f->inv, &f->terms, &f->selection, is_taken_over,
		       &f->verdicts);
	cr_assert_eq(f->verdicts.n, f->inv.n_gpus);
	for (size_t i = 0; i < f->verdicts.n; i++) {
		const struct verdict *verdict = &f->verdicts.verdict[i];
		char *longer = xasprintf("%s%s%s\n", f->text ? f->text : "",
					 verdict->is_given ? "+" : "-", verdict->reason);

		cr_assert_eq(verdict->gpu, &f->inv.gpus[i]);
		free(f->text);
		f->text = longer;
	}
	return f->text;
}

static void expect(struct fixture *f, const char *request, const char *wanted)
{
	choose(f, request);
	cr_expect_str_eq(explain(f, false), wanted, "'%s' got:\n%s", request, f->text);
}

/* ---- by number --------------------------------------------------------------------- */

Test(explain_choice, first_and_next_that_fit_and_the_rest_comes_later)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	expect(&f, "amd:2",
	       "+first that fits\n"
	       "+next that fits\n"
	       "-fits, but comes later, and 2 are asked\n"
	       "-fits, but comes later, and 2 are asked\n");
}

Test(explain_choice, what_does_not_fit_says_why)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	f.inv.gpus[1].unusable_reason = xstrdup("no render node");
	f.inv.gpus[2].can_compute = false;
	expect(&f, "vendor=amd;model=mi2",
	       "-is 'Navi 31', not of model 'mi2'\n"
	       "-not usable: no render node\n"
	       "-cannot compute\n"
	       "+first that fits\n");
}

Test(explain_choice, all_needs_no_other_reason)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	expect(&f, "amd:all",
	       "+all are asked for\n+all are asked for\n+all are asked for\n"
	       "+all are asked for\n");
}

Test(explain_choice, exclusive_holder_is_named)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	hold(&f, 0, "web", true);
	expect(&f, "amd",
	       "-container 'web' (process 4711) has it exclusively\n"
	       "+first that fits\n"
	       "-fits, but comes later, and 1 is asked\n"
	       "-fits, but comes later, and 1 is asked\n");
}

Test(explain_choice, any_holder_keeps_an_exclusive_request_off)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	hold(&f, 0, "web", false);
	expect(&f, "vendor=amd;sharing=exclusive",
	       "-container 'web' (process 4711) has it\n"
	       "+first that fits\n"
	       "-fits, but comes later, and 1 is asked\n"
	       "-fits, but comes later, and 1 is asked\n");
}

Test(explain_choice, spread_counts_holders)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	f.terms.order = GPU_ORDER_SPREAD;
	hold(&f, 0, "a", false);
	hold(&f, 0, "b", false);
	hold(&f, 1, "c", false);
	expect(&f, "amd:1",
	       "-2 containers have it, those given fewer\n"
	       "-1 container has it, those given fewer\n"
	       "+no container has it\n"
	       "-fits, but comes later, and 1 is asked\n");
}

Test(explain_choice, spread_among_gpus_that_all_have_holders)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	f.terms.order = GPU_ORDER_SPREAD;
	for (unsigned int i = 0; i < 4; i++) {
		hold(&f, i, "a", false);
		if (i != 2) {
			hold(&f, i, "b", false);
		}
	}
	expect(&f, "amd:1",
	       "-2 containers have it, those given fewer\n"
	       "-2 containers have it, those given fewer\n"
	       "+1 container has it, none has fewer\n"
	       "-2 containers have it, those given fewer\n");
}

/* ---- other ways -------------------------------------------------------------------- */

Test(explain_choice, by_id_is_asked_for_or_not)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	expect(&f, "devices=renderD130",
	       "-not among the ids asked for\n"
	       "-not among the ids asked for\n"
	       "+asked for by its id\n"
	       "-not among the ids asked for\n");
}

Test(explain_choice, precreate_has_chosen)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	choose(&f, "amd:1");
	f.selection.gpus[0] = &f.inv.gpus[3];
	f.inv.gpus[0].can_compute = false;
	cr_expect_str_eq(explain(&f, true), "-cannot compute\n"
					    "-not chosen by precreate\n"
					    "-not chosen by precreate\n"
					    "+chosen by precreate\n");
}

Test(explain_choice, driver_and_render_node_decide_where_no_vendor_is_known)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	free(f.inv.gpus[0].driver);
	f.inv.gpus[0].driver = xstrdup("v3d");
	expect(&f, "v3d",
	       "+first that fits\n"
	       "-its driver is not 'v3d'\n"
	       "-its driver is not 'v3d'\n"
	       "-its driver is not 'v3d'\n");
}

Test(explain_choice, render_node_is_all_that_an_unknown_vendor_needs)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	f.inv.gpus[0].nodes[0].role = DEVICE_CARD;
	expect(&f, "foo",
	       "-no render node\n"
	       "+first that fits\n"
	       "-fits, but comes later, and 1 is asked\n"
	       "-fits, but comes later, and 1 is asked\n");
}

Test(explain_choice, gpus_of_the_driver_need_a_render_node)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	f.inv.gpus[1].nodes[0].role = DEVICE_CARD;
	expect(&f, "amdgpu",
	       "+first that fits\n"
	       "-no render node\n"
	       "-fits, but comes later, and 1 is asked\n"
	       "-fits, but comes later, and 1 is asked\n");
}

Test(explain_choice, other_vendors_of_an_inventory_are_not_meant)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	fill(&f);
	free(f.inv.gpus[2].vendor);
	f.inv.gpus[2].vendor = xstrdup("intel");
	expect(&f, "intel",
	       "-no GPU of 'intel'\n"
	       "-no GPU of 'intel'\n"
	       "+first that fits\n"
	       "-no GPU of 'intel'\n");
}
