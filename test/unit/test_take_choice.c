/* SPDX-License-Identifier: Apache-2.0 */
/* test_take_choice.c - a choice gives what the request could have got, and never more */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "stage/take_choice.h"

static struct gpu *add(struct inventory *inv, const char *vendor, unsigned int index,
		       const char *pci, const char *render)
{
	struct device_node node = {.path = xasprintf("/dev/dri/%s", render),
				   .role = DEVICE_RENDER};
	struct err err = {0};
	struct gpu *gpu = inventory_add(inv, &err);

	gpu->vendor = xstrdup(vendor);
	gpu->index = index;
	gpu->pci = pci ? xstrdup(pci) : NULL;
	gpu->driver = xstrdup(vendor);
	gpu->can_compute = true;
	gpu_take_node(gpu, &node);
	return gpu;
}

/* intel:0, amd:0 to amd:3, of which the third is not usable and the last cannot
 * compute */
static void add_host(struct inventory *inv)
{
	struct gpu *gpu;

	(void)add(inv, "intel", 0, "0000:00:02.0", "renderD128");
	(void)add(inv, "amd", 0, "0000:c1:00.0", "renderD129");
	(void)add(inv, "amd", 1, "0000:c2:00.0", "renderD130");
	gpu = add(inv, "amd", 2, "0000:c3:00.0", "renderD131");
	gpu->unusable_reason = xstrdup("excluded");
	gpu = add(inv, "amd", 3, "0000:c4:00.0", "renderD132");
	gpu->can_compute = false;
	free(inv->gpus[2].model);
	inv->gpus[2].model = xstrdup("MI210");
}

/* Nobody else has anything. */
static const struct select_terms none = {0};

static int take(const char *request, const char *chosen, const struct inventory *inv,
		const struct select_terms *terms, struct selection *ret, struct err *err)
{
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};
	cleanup(choice_clearp) struct choice choice = {0};

	cr_assert_eq(gpu_spec_parse(request, strlen(request), &spec, err), 0, "%s",
		     err->msg);
	cr_assert_eq(choice_parse(chosen, strlen(chosen), &choice, err), 0, "%s",
		     err->msg);
	cr_assert_eq(select_gpus(&spec, inv, &none, ret, err), 0, "%s", err->msg);
	return take_choice(&choice, &spec, inv, terms, ret, err);
}

/* @wanted: "1 2", indices of the inventory */
static void expect_taken(const char *request, const char *chosen, const char *wanted)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	cleanup(selection_clearp) struct selection selection = {0};
	struct err err = {0};
	char got[64] = "";

	add_host(&inv);
	cr_assert_eq(take(request, chosen, &inv, &none, &selection, &err), 0, "%s: %s",
		     chosen, err.msg);
	for (size_t i = 0; i < selection.n_gpus; i++) {
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%td",
			       i > 0 ? " " : "", selection.gpus[i] - inv.gpus);
	}
	cr_expect_str_eq(got, wanted, "'%s' with '%s' got %s", request, chosen, got);
}

static void expect_refused(const char *request, const char *chosen, const char *message)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	cleanup(selection_clearp) struct selection selection = {0};
	struct err err = {0};

	add_host(&inv);
	cr_expect_eq(take(request, chosen, &inv, &none, &selection, &err), -EPERM, "%s",
		     chosen);
	cr_expect_str_eq(err.msg, message, "%s", err.msg);
}

#define NO_GPU(id)                                                                 \
	"take over '" id "' of annotation 'io.oci-gpu-hook.chosen': it is no GPU " \
	"here that the request could get; remove the annotation"

Test(take_choice, another_gpu_that_fits_is_given)
{
	expect_taken("amd:1", "v1 0000:c2:00.0", "2");
	expect_taken("amd:1", "v1 0000:c1:00.0", "1");
	expect_taken("model=mi2;vendor=amd", "v1 0000:c2:00.0", "2");
}

Test(take_choice, the_order_is_the_inventorys)
{
	expect_taken("amd:2", "v1 0000:c2:00.0 0000:c1:00.0", "1 2");
	expect_taken("amd:all", "v1 0000:c2:00.0 0000:c1:00.0", "1 2");
	expect_taken("devices=renderD128+renderD130", "v1 0000:c2:00.0 0000:00:02.0",
		     "0 2");
}

Test(take_choice, another_vendor_is_refused)
{
	expect_refused("amd:1", "v1 0000:00:02.0", NO_GPU("0000:00:02.0"));
}

Test(take_choice, a_gpu_that_is_not_there_is_refused)
{
	expect_refused("amd:1", "v1 0000:ff:00.0", NO_GPU("0000:ff:00.0"));
	/* One id has one spelling: that of choice_id_of(). */
	expect_refused("amd:1", "v1 renderD129", NO_GPU("renderD129"));
	expect_refused("amd:1", "v1 amd:0", NO_GPU("amd:0"));
	expect_refused("amd:1", "v1 0000:C1:00.0", NO_GPU("0000:C1:00.0"));
}

Test(take_choice, a_gpu_that_cannot_be_used_is_refused)
{
	expect_refused("amd:1", "v1 0000:c3:00.0", NO_GPU("0000:c3:00.0"));
}

Test(take_choice, a_gpu_that_cannot_compute_is_refused_unless_none_need_to)
{
	expect_refused("amd:1", "v1 0000:c4:00.0", NO_GPU("0000:c4:00.0"));
	expect_taken("vendor=amd;capabilities=graphics", "v1 0000:c4:00.0", "4");
}

Test(take_choice, another_model_is_refused)
{
	expect_refused("model=mi2;vendor=amd", "v1 0000:c1:00.0", NO_GPU("0000:c1:00.0"));
}

Test(take_choice, more_or_fewer_are_refused)
{
	expect_refused(
		"amd:1", "v1 0000:c1:00.0 0000:c2:00.0",
		"take over annotation 'io.oci-gpu-hook.chosen': it names 2 GPUs and "
		"the request gets 1; remove the annotation");
	expect_refused(
		"amd:all", "v1 0000:c1:00.0",
		"take over annotation 'io.oci-gpu-hook.chosen': it names 1 GPUs and "
		"the request gets 2; remove the annotation");
}

Test(take_choice, one_gpu_is_not_two)
{
	expect_refused(
		"amd:2", "v1 0000:c1:00.0 0000:c1:00.0",
		"take over '0000:c1:00.0' of annotation 'io.oci-gpu-hook.chosen': it "
		"is named twice; remove the annotation");
}

Test(take_choice, a_request_by_id_leaves_no_choice)
{
	expect_refused("devices=0000:c1:00.0", "v1 0000:c2:00.0", NO_GPU("0000:c2:00.0"));
	expect_taken("devices=0000:c2:00.0", "v1 0000:c2:00.0", "2");
}

/* Two GPUs of one id, as a host that somebody made could have them, are no
 * choice. */
Test(take_choice, an_ambiguous_id_is_refused)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	cleanup(selection_clearp) struct selection selection = {0};
	struct err err = {0};

	(void)add(&inv, "amd", 0, "0000:c1:00.0", "renderD129");
	(void)add(&inv, "amd", 1, "0000:c1:00.0", "renderD130");
	cr_expect_eq(take("amd:1", "v1 0000:c1:00.0", &inv, &none, &selection, &err),
		     -EPERM);
	cr_expect_str_eq(err.msg, NO_GPU("0000:c1:00.0"));
}

/* What others have is not to be had, whoever chose it. */
Test(take_choice, a_gpu_that_another_container_keeps_is_refused)
{
	char key[] = "0000:c2:00.0";
	char id[] = "other";
	struct holder holder = {
		.gpu = key, .is_exclusive = true, .id = id, .init.pid = 5};
	const struct holders holders = {.holder = &holder, .n = 1};
	const struct select_terms terms = {.holders = &holders};
	cleanup(inventory_clearp) struct inventory inv = {0};
	cleanup(selection_clearp) struct selection selection = {0};
	struct err err = {0};

	add_host(&inv);
	cr_expect_eq(take("amd:1", "v1 0000:c2:00.0", &inv, &terms, &selection, &err),
		     -EBUSY);
	cr_expect_str_eq(err.msg, "take over '0000:c2:00.0' of annotation "
				  "'io.oci-gpu-hook.chosen': container 'other' has it by "
				  "now; start this one again");
	cr_expect_eq(selection.n_gpus, 1);
	cr_expect_eq(selection.gpus[0], &inv.gpus[1]);
}
