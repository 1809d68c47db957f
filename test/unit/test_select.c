/* SPDX-License-Identifier: Apache-2.0 */
/* test_select.c - which GPUs a request gets, and what is said when it gets none */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "stage/select.h"

/* ---- hosts ------------------------------------------------------------------------- */

/* A usable GPU that computes; @render NULL: it has no render node. */
static struct gpu *add(struct inventory *inv, const char *vendor, unsigned int index,
		       const char *pci, const char *render, const char *driver)
{
	struct err err = {0};
	struct gpu *gpu = inventory_add(inv, &err);

	cr_assert_not_null(gpu, "%s", err.msg);
	gpu->vendor = xstrdup(vendor);
	gpu->index = index;
	gpu->pci = pci ? xstrdup(pci) : NULL;
	gpu->driver = driver ? xstrdup(driver) : NULL;
	gpu->can_compute = true;
	if (render) {
		struct device_node node = {
			.path = xasprintf("/dev/dri/%s", render),
			.major = 226,
			.role = DEVICE_RENDER,
		};

		gpu_take_node(gpu, &node);
	}
	return gpu;
}

static void set_model(struct gpu *gpu, const char *model)
{
	free(gpu->model);
	gpu->model = xstrdup(model);
}

/* intel:0, amd:0, amd:1, nvidia:0 */
static void add_mixed_host(struct inventory *inv)
{
	struct gpu *gpu;

	gpu = add(inv, "intel", 0, "0000:00:02.0", "renderD128", "i915");
	set_model(gpu, "Arc A770");
	gpu = add(inv, "amd", 0, "0000:c1:00.0", "renderD130", "amdgpu");
	set_model(gpu, "Radeon RX 7900 XTX");
	gpu->uuid = xstrdup("0x8a1fbc09d3e45678");
	gpu = add(inv, "amd", 1, "0000:c5:00.0", "renderD129", "amdgpu");
	set_model(gpu, "Instinct MI210");
	gpu = add(inv, "nvidia", 0, "0001:01:00.0", NULL, "nvidia");
	set_model(gpu, "NVIDIA H100 PCIe");
	gpu->uuid = xstrdup("GPU-5d3fa1c2-0b1e-4d55-9a77-0123456789ab");
}

/* ---- checks ------------------------------------------------------------------------ */

static int try(const char *request, const struct inventory *inv, struct selection *ret,
	       struct err *err)
{
	const struct select_terms terms = {0};
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};
	int r = gpu_spec_parse(request, strlen(request), &spec, err);

	cr_assert_eq(r, 0, "'%s': %s", request, err->msg);
	return select_gpus(&spec, inv, &terms, ret, err);
}

/* @wanted: "amd:0 amd:1" */
static void expect(const char *request, const struct inventory *inv, const char *wanted)
{
	cleanup(selection_clearp) struct selection got = {0};
	struct err err = {0};
	char names[512] = "";
	size_t len = 0;
	int r = try(request, inv, &got, &err);

	cr_expect_eq(r, 0, "'%s': %s", request, err.msg);
	for (size_t i = 0; i < got.n_gpus; i++) {
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s:%u",
					i > 0 ? " " : "", got.gpus[i]->vendor,
					got.gpus[i]->index);
	}
	cr_expect_str_eq(names, wanted, "'%s' got '%s'", request, names);
}

static void expect_warning(const char *request, const struct inventory *inv,
			   const char *wanted)
{
	cleanup(selection_clearp) struct selection got = {0};
	struct err err = {0};

	cr_assert_eq(try(request, inv, &got, &err), 0, "%s", err.msg);
	if (!wanted) {
		cr_expect_eq(got.n_warnings, 0, "'%s' warns", request);
		return;
	}
	cr_assert_eq(got.n_warnings, 1, "'%s' does not warn", request);
	cr_expect_str_eq(got.warnings[0], wanted, "'%s': %s", request, got.warnings[0]);
}

static void expect_error(const char *request, const struct inventory *inv, int code,
			 const char *wanted)
{
	cleanup(selection_clearp) struct selection got = {0};
	struct err err = {0};
	int r = try(request, inv, &got, &err);

	cr_expect_eq(r, -code, "'%s' gave %d", request, r);
	cr_expect_eq(err.code, code);
	cr_expect_str_eq(err.msg, wanted, "'%s': %s", request, err.msg);
	cr_expect_null(got.gpus, "outputs are written on success only");
	cr_expect_null(got.warnings, "outputs are written on success only");
}

/* ---- by vendor and number ---------------------------------------------------------- */

Test(select, takes_the_first_of_the_vendor_in_inventory_order)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("amd:1", &inv, "amd:0");
	expect("amd:2", &inv, "amd:0 amd:1");
	expect("1", &inv, "nvidia:0");
	expect("{}", &inv, "nvidia:0");
	expect("intel", &inv, "intel:0");
}

Test(select, all_takes_every_gpu_of_the_vendor_and_no_other)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("amd:all", &inv, "amd:0 amd:1");
	expect("all", &inv, "nvidia:0");
}

Test(select, vendors_compare_without_case)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct selection got = {0};
	struct err err = {0};
	const struct select_terms terms = {0};
	/* The parser writes names in lower case; whoever else fills a GpuSpec may not. */
	char vendor[] = "AMD";
	struct gpu_spec spec = {.count = 1, .vendor = vendor, .has_vendor = true};

	add_mixed_host(&inv);
	cr_assert_eq(select_gpus(&spec, &inv, &terms, &got, &err), 0, "%s", err.msg);
	cr_expect_eq(got.n_warnings, 0);
	cr_expect_str_eq(got.gpus[0]->vendor, "amd");
	selection_clear(&got);
}

Test(select, unusable_gpus_do_not_count)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct gpu *gpu = add(&inv, "nvidia", 1, "0000:01:00.0", NULL, "nvidia");

	gpu->unusable_reason = xstrdup("excluded");
	add(&inv, "nvidia", 0, "0000:02:00.0", NULL, "nvidia");
	expect("all", &inv, "nvidia:0");
	expect_error(
		"2", &inv, ENOENT,
		"2 nvidia GPUs asked, 1 found; nvidia:1 (0000:01:00.0) is not usable: "
		"excluded");
}

Test(select, alias_serves_where_the_vendor_itself_is_absent)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct gpu *gpu =
		add(&inv, "virtio_gpu", 0, "0000:00:01.0", "renderD128", "virtio_gpu");

	gpu->alias = xstrdup("apple");
	expect("apple", &inv, "virtio_gpu:0");
	expect_warning("apple", &inv, NULL);
	add(&inv, "apple", 0, NULL, "renderD129", "asahi");
	expect("apple:all", &inv, "apple:0");
}

/* ---- drivers and fallback ---------------------------------------------------------- */

Test(select, unknown_vendor_is_a_drivers_name_first)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add(&inv, "v3d", 0, NULL, "renderD128", "v3d");
	add(&inv, "panfrost", 0, NULL, "renderD129", "panfrost");
	add_mixed_host(&inv);
	expect("panfrost:all", &inv, "panfrost:0");
	expect("amdgpu:all", &inv, "amd:0 amd:1");
	expect_warning("panfrost", &inv, NULL);
	expect_error("v3d:2", &inv, ENOENT, "2 'v3d' GPUs asked, 1 found");
}

Test(select, unknown_vendor_takes_any_render_node_with_a_warning)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("nvdia", &inv, "intel:0");
	/* nvidia:0 has no render node here */
	expect("foo:all", &inv, "intel:0 amd:0 amd:1");
	expect_warning(
		"nvdia", &inv,
		"unknown vendor 'nvdia', taking any DRI render node; known vendors: "
		"nvidia, amd, intel, apple; did you mean nvidia");
}

Test(select, driver_without_a_usable_render_node_falls_back_and_says_so)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct gpu *gpu = add(&inv, "vc4", 0, NULL, NULL, "vc4-drm");

	gpu->unusable_reason = xstrdup("no render node");
	add(&inv, "v3d", 0, NULL, "renderD128", "v3d");
	expect("vc4-drm", &inv, "v3d:0");
	expect_warning(
		"vc4-drm", &inv,
		"no GPU of the driver 'vc4-drm' has a render node that can be used, "
		"taking any DRI render node");
}

Test(select, fallback_does_not_ask_who_computes)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	inv.gpus[0].can_compute = false;
	expect("foo", &inv, "intel:0");
}

Test(select, fallback_without_any_render_node_names_the_known_vendors)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	expect_error(
		"foo", &inv, ENOENT,
		"1 'foo' GPU asked, 0 found; it is no known vendor (nvidia, amd, intel, "
		"apple), so any DRI render node would do; this host has no GPU");
}

/* ---- compute ----------------------------------------------------------------------- */

Test(select, gpus_that_cannot_compute_do_not_count_unless_none_can)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add(&inv, "amd", 0, "0000:03:00.0", "renderD128", "amdgpu")->can_compute = false;
	expect("amd", &inv, "amd:0");
	add(&inv, "amd", 1, "0000:04:00.0", "renderD129", "amdgpu");
	expect("amd", &inv, "amd:1");
	expect("amd:all", &inv, "amd:1");
	expect_error("amd:2", &inv, ENOENT,
		     "2 amd GPUs asked, 1 found; amd:0 (0000:03:00.0, renderD128) cannot "
		     "compute");
	expect("vendor=amd;count=2;capabilities=graphics", &inv, "amd:0 amd:1");
}

Test(select, unusable_gpu_that_could_compute_is_no_reason_to_drop_the_others)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct gpu *gpu;

	add(&inv, "amd", 0, "0000:03:00.0", "renderD128", "amdgpu")->can_compute = false;
	gpu = add(&inv, "amd", 1, "0000:04:00.0", NULL, "amdgpu");
	gpu->unusable_reason = xstrdup("no render node");
	expect("amd", &inv, "amd:0");
}

Test(select, gpu_named_by_id_need_not_compute)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add(&inv, "amd", 0, "0000:03:00.0", "renderD128", "amdgpu")->can_compute = false;
	add(&inv, "amd", 1, "0000:04:00.0", "renderD129", "amdgpu");
	expect("devices=renderD128", &inv, "amd:0");
	expect("vendor=amd;devices=0", &inv, "amd:0");
}

/* ---- model ------------------------------------------------------------------------- */

Test(select, model_is_checked_for_each_gpu_by_itself_without_case)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("vendor=amd;model=mi210", &inv, "amd:1");
	expect("vendor=amd;model=RADEON rx;count=all", &inv, "amd:0");
	expect_error("vendor=amd;model=mi210;count=2", &inv, ENOENT,
		     "2 amd GPUs of model 'mi210' asked, 1 found; amd:0 (0000:c1:00.0, "
		     "renderD130) is 'Radeon RX 7900 XTX'");
}

Test(select, model_that_no_gpu_has_is_enoent_with_the_models_there)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect_error(
		"model=a100", &inv, ENOENT,
		"1 nvidia GPU of model 'a100' asked, 0 found; nvidia:0 (0001:01:00.0) "
		"is 'NVIDIA H100 PCIe'");
}

Test(select, model_holds_for_a_gpu_named_by_id_too)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("devices=0;model=h100", &inv, "nvidia:0");
	expect_error("devices=renderD130;model=mi210", &inv, ENOENT,
		     "device 'renderD130': amd:0 is 'Radeon RX 7900 XTX', not of model "
		     "'mi210'");
}

/* ---- by id ------------------------------------------------------------------------- */

Test(select, id_may_be_pci_address_short_address_uuid_or_render_node_of_any_vendor)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("devices=0000:c1:00.0", &inv, "amd:0");
	expect("devices=0000:C1:00.0", &inv, "amd:0");
	expect("devices=c5:00.0", &inv, "amd:1");
	expect("devices=C5:00.0", &inv, "amd:1");
	expect("devices=0X8A1FBC09D3E45678", &inv, "amd:0");
	expect("devices=gpu-5D3FA1C2-0b1e-4d55-9a77-0123456789ab", &inv, "nvidia:0");
	expect("devices=renderD129", &inv, "amd:1");
}

Test(select, index_counts_within_the_vendor_and_means_the_default_without_one)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("devices=0", &inv, "nvidia:0");
	expect("vendor=amd;devices=1", &inv, "amd:1");
	expect("vendor=intel;devices=0", &inv, "intel:0");
	expect_error(
		"devices=1", &inv, ENOENT,
		"device '1': no such nvidia GPU (an index without a vendor means "
		"nvidia); here are intel:0 (0000:00:02.0, renderD128), amd:0 "
		"(0000:c1:00.0, renderD130), amd:1 (0000:c5:00.0, renderD129), nvidia:0 "
		"(0001:01:00.0)");
	expect_error(
		"vendor=amd;devices=9", &inv, ENOENT,
		"device '9': no such amd GPU; here are intel:0 (0000:00:02.0, "
		"renderD128), amd:0 (0000:c1:00.0, renderD130), amd:1 (0000:c5:00.0, "
		"renderD129), nvidia:0 (0001:01:00.0)");
}

Test(select, chosen_by_id_come_in_inventory_order)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("devices=0001:01:00.0+renderD129+0000:00:02.0", &inv,
	       "intel:0 amd:1 nvidia:0");
}

Test(select, part_of_an_id_is_no_id)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add(&inv, "amd", 0, "0000:c1:00.0", "renderD128", "amdgpu")->uuid =
		xstrdup("0x8a1fbc09d3e45678");
	const char *const parts[] = {"renderD12", "renderd128", "00.0",
				     "0x8a1f",	  "1:00.0",	"000:c1:00.0"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		autofree char *request = xasprintf("devices=%s", parts[i]);
		autofree char *wanted =
			xasprintf("device '%s': no such GPU; here is amd:0 "
				  "(0000:c1:00.0, renderD128)",
				  parts[i]);

		expect_error(request, &inv, ENOENT, wanted);
	}
}

Test(select, absent_id_on_a_host_without_gpus_says_that)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	expect_error("devices=renderD128", &inv, ENOENT,
		     "device 'renderD128': no such GPU; this host has no GPU");
}

Test(select, absent_id_lists_eight_gpus_and_counts_the_rest)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	for (unsigned int i = 0; i < 10; i++) {
		add(&inv, "v3d", i, NULL, NULL, "v3d");
	}
	expect_error(
		"devices=x", &inv, ENOENT,
		"device 'x': no such GPU; here are v3d:0, v3d:1, v3d:2, v3d:3, v3d:4, "
		"v3d:5, v3d:6, v3d:7 and 2 more");
}

Test(select, two_ids_of_one_gpu_are_einval)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect_error("devices=c1:00.0+renderD130", &inv, EINVAL,
		     "device 'renderD130': is the same GPU as 'c1:00.0', amd:0");
}

Test(select, id_of_another_vendors_gpu_is_einval_and_names_the_real_one)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("vendor=amd;devices=renderD129", &inv, "amd:1");
	expect_error(
		"vendor=amd;devices=renderD128", &inv, EINVAL,
		"device 'renderD128': is intel:0, not a GPU of 'amd'; leave the vendor "
		"out or ask for 'intel'");
	expect_error(
		"vendor=i915;devices=renderD129", &inv, EINVAL,
		"device 'renderD129': is amd:1, not a GPU of 'i915'; leave the vendor "
		"out or ask for 'amd'");
	expect_error(
		"vendor=foo;devices=0001:01:00.0", &inv, EINVAL,
		"device '0001:01:00.0': is nvidia:0, which has no render node; ask for "
		"vendor 'nvidia'");
}

Test(select, default_vendor_does_not_restrict_ids_and_a_written_one_does)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("{\"devices\": [\"renderD129\"]}", &inv, "amd:1");
	expect_error(
		"{\"vendor\": \"nvidia\", \"devices\": [\"renderD129\"]}", &inv, EINVAL,
		"device 'renderD129': is amd:1, not a GPU of 'nvidia'; leave the vendor "
		"out or ask for 'amd'");
}

Test(select, unusable_gpu_by_id_says_why_and_is_enodev_without_a_driver)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct gpu *gpu = add(&inv, "nvidia", 0, "0000:01:00.0", NULL, NULL);

	gpu->unusable_reason = xstrdup("no driver is bound; load it: modprobe nvidia");
	gpu = add(&inv, "nvidia", 1, "0000:02:00.0", NULL, "vfio-pci");
	gpu->unusable_reason = xstrdup("bound to vfio-pci");
	expect_error(
		"devices=01:00.0", &inv, ENODEV,
		"device '01:00.0': nvidia:0 is not usable: no driver is bound; load it: "
		"modprobe nvidia");
	expect_error("devices=1", &inv, ENOENT,
		     "device '1': nvidia:1 is not usable: bound to vfio-pci");
}

Test(select, id_that_several_gpus_share_is_einval)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	for (unsigned int i = 0; i < 2; i++) {
		struct gpu *gpu = add(&inv, "amd", i, "0000:05:00.0",
				      i == 0 ? "renderD128" : "renderD129", "amdgpu");

		gpu->partition = (int)i;
		gpu->uuid = xstrdup("0x1");
	}
	expect_error(
		"devices=0000:05:00.0", &inv, EINVAL,
		"device '0000:05:00.0': is amd:0 (0000:05:00.0, renderD128) as well as "
		"amd:1 (0000:05:00.0, renderD129); name it by its render node or its vendor "
		"and index");
	expect("devices=renderD129", &inv, "amd:1");
	expect("vendor=amd;devices=1", &inv, "amd:1");
}

Test(select, address_of_a_gpu_in_parts_means_the_whole_one)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct gpu *gpu = add(&inv, "nvidia", 2, "0000:3b:00.0", NULL, "nvidia");

	gpu->unusable_reason = xstrdup("split into MIG devices; ask for those");
	for (unsigned int i = 0; i < 2; i++) {
		gpu = add(&inv, "nvidia", i, "0000:3b:00.0", NULL, "nvidia");
		gpu->partition = (int)i;
		gpu->partition_name = xasprintf("0:%u", i);
	}
	expect_error("devices=0000:3B:00.0", &inv, ENOENT,
		     "device '0000:3B:00.0': nvidia:2 is not usable: split into MIG "
		     "devices; ask for those");
	expect_error("devices=3b:00.0", &inv, ENOENT,
		     "device '3b:00.0': nvidia:2 is not usable: split into MIG devices; "
		     "ask for those");
	expect("devices=0:1", &inv, "nvidia:1");
	/* Of another domain, with a whole GPU at the same place of it. */
	(void)add(&inv, "nvidia", 3, "0001:3b:00.0", NULL, "nvidia");
	expect_error(
		"devices=3b:00.0", &inv, EINVAL,
		"device '3b:00.0': is nvidia:2 (0000:3b:00.0) as well as nvidia:3 "
		"(0001:3b:00.0); name it by its PCI address or its vendor and index");
}

Test(select, only_names_that_are_there_are_advised)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	for (unsigned int i = 0; i < 2; i++) {
		struct gpu *gpu = add(&inv, "nvidia", i, "0000:3b:00.0", NULL, "nvidia");

		gpu->partition = (int)i;
		gpu->uuid = xstrdup("GPU-1");
	}
	expect_error("devices=GPU-1", &inv, EINVAL,
		     "device 'GPU-1': is nvidia:0 (0000:3b:00.0) as well as nvidia:1 "
		     "(0000:3b:00.0); name it by its vendor and index");
	inv.gpus[0].partition_name = xstrdup("0:0");
	inv.gpus[1].partition_name = xstrdup("0:1");
	expect_error("devices=GPU-1", &inv, EINVAL,
		     "device 'GPU-1': is nvidia:0 (0:0) as well as nvidia:1 (0:1); name "
		     "it by its partition name or its vendor and index");
}

Test(select, index_with_an_unknown_vendor_must_mean_one_gpu)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add_mixed_host(&inv);
	expect("vendor=foo;devices=1", &inv, "amd:1");
	expect_error("vendor=foo;devices=0", &inv, EINVAL,
		     "device '0': is intel:0 (0000:00:02.0, renderD128) as well as amd:0 "
		     "(0000:c1:00.0, renderD130); name it by its PCI address, its render "
		     "node or its vendor and index");
}

/* ---- too few ----------------------------------------------------------------------- */

Test(select, too_few_names_asked_and_found)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add(&inv, "amd", 0, "0000:c1:00.0", "renderD128", "amdgpu");
	add(&inv, "amd", 1, "0000:c2:00.0", "renderD129", "amdgpu");
	expect_error("amd:5", &inv, ENOENT, "5 amd GPUs asked, 2 found");
	expect_error("{\"vendor\":\"amd\",\"count\":4294967295}", &inv, ENOENT,
		     "4294967295 amd GPUs asked, 2 found");
}

Test(select, nothing_at_all_is_enoent)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	expect_error("1", &inv, ENOENT,
		     "1 nvidia GPU asked, 0 found; this host has no GPU");
	expect_error("amd:all", &inv, ENOENT,
		     "all amd GPUs asked, 0 found; this host has no GPU");
}

Test(select, other_vendors_are_named_with_a_request_that_would_work)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	add(&inv, "amd", 0, "0000:c1:00.0", "renderD128", "amdgpu");
	expect_error("all", &inv, ENOENT, "0 nvidia GPUs here, 1 amd; try amd:1");
	expect_error("2", &inv, ENOENT, "0 nvidia GPUs here, 1 amd; try amd:1");
	add(&inv, "amd", 1, "0000:c2:00.0", "renderD129", "amdgpu");
	add(&inv, "intel", 0, "0000:00:02.0", "renderD130", "i915");
	expect_error("1", &inv, ENOENT, "0 nvidia GPUs here, 2 amd, 1 intel; try amd:1");
	expect_error("all", &inv, ENOENT,
		     "0 nvidia GPUs here, 2 amd, 1 intel; try amd:2");
}

Test(select, missing_driver_is_enodev_with_the_reason)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct gpu *gpu = add(&inv, "nvidia", 0, "0000:01:00.0", NULL, NULL);

	gpu->unusable_reason = xstrdup("no driver is bound; load it: modprobe nvidia");
	expect_error(
		"1", &inv, ENODEV,
		"1 nvidia GPU asked, 0 found; nvidia:0 (0000:01:00.0) is not usable: no "
		"driver is bound; load it: modprobe nvidia");
	add(&inv, "amd", 0, "0000:c1:00.0", "renderD128", "amdgpu");
	expect_error(
		"1", &inv, ENODEV,
		"0 usable nvidia GPUs here, 1 amd; try amd:1; nvidia:0 (0000:01:00.0) "
		"is not usable: no driver is bound; load it: modprobe nvidia");
}

Test(select, reason_that_several_have_is_said_once)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	for (unsigned int i = 0; i < 12; i++) {
		struct gpu *gpu = add(&inv, "amd", i, NULL, "renderD128", "amdgpu");

		if (i == 1) {
			gpu->unusable_reason = xstrdup("no render node");
		} else if (i > 0) {
			gpu->unusable_reason = xstrdup("no partition uses it");
		}
	}
	expect_error(
		"amd:2", &inv, ENOENT,
		"2 amd GPUs asked, 1 found; amd:1 (renderD128) is not usable: no "
		"render node; amd:2, amd:3, amd:4, amd:5, amd:6, amd:7, amd:8, amd:9 "
		"and 2 more are not usable: no partition uses it");
}

Test(select, gpus_that_cannot_compute_are_named_together)
{
	cleanup(inventory_clearp) struct inventory inv = {0};

	for (unsigned int i = 0; i < 6; i++) {
		struct gpu *gpu = add(&inv, "amd", i, "0000:01:00.0", NULL, "amdgpu");

		set_model(gpu, i < 3 ? "W6800" : i < 5 ? "W7900" : "W5700");
		gpu->can_compute = i == 0;
	}
	expect_error("vendor=amd;count=2;model=W6800", &inv, ENOENT,
		     "2 amd GPUs of model 'W6800' asked, 1 found; amd:1, amd:2 cannot "
		     "compute; amd:3, amd:4 are 'W7900'; amd:5 (0000:01:00.0) is "
		     "'W5700'");
}

Test(select, unusable_for_another_reason_is_enoent)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	struct gpu *gpu = add(&inv, "nvidia", 0, "0000:01:00.0", NULL, NULL);

	gpu->unusable_reason = xstrdup("no driver is bound");
	gpu = add(&inv, "nvidia", 1, "0000:02:00.0", NULL, "vfio-pci");
	gpu->unusable_reason = xstrdup("bound to vfio-pci");
	expect_error(
		"1", &inv, ENOENT,
		"1 nvidia GPU asked, 0 found; nvidia:0 (0000:01:00.0) is not usable: no "
		"driver is bound; nvidia:1 (0000:02:00.0) is not usable: bound to "
		"vfio-pci");
}

Test(select, message_of_a_crowded_host_stays_one_line_within_bounds)
{
	cleanup(inventory_clearp) struct inventory inv = {0};
	cleanup(selection_clearp) struct selection got = {0};
	struct err err = {0};

	for (unsigned int i = 0; i < LIMIT_GPUS; i++) {
		struct gpu *gpu = add(&inv, "amd", i, "0000:c1:00.0", NULL, "amdgpu");

		gpu->unusable_reason = xasprintf("%0400u\n", i);
	}
	cr_expect_eq(try("amd", &inv, &got, &err), -ENOENT);
	cr_expect_eq(strlen(err.msg), sizeof(err.msg) - 1);
	cr_expect_null(strchr(err.msg, '\n'));
}

/* ---- other containers -------------------------------------------------------------- */

/* A host with nvidia:0 to nvidia:3, and who has which. */
struct shared_host {
	struct inventory inv;
	struct holders holders;
	struct process_id own;
	enum gpu_order order;
};

static void shared_host_clear(struct shared_host *host)
{
	inventory_clear(&host->inv);
	holders_clear(&host->holders);
}
DEFINE_CLEANUP(struct shared_host, shared_host_clear)

static void fill(struct shared_host *host)
{
	for (unsigned int i = 0; i < 4; i++) {
		autofree char *pci = xasprintf("0000:0%u:00.0", i + 1);

		add(&host->inv, "nvidia", i, pci, NULL, "nvidia");
	}
	host->own = (struct process_id){.pid = 1000, .start_time = 7, .pid_ns = 1};
}

static void hold(struct shared_host *host, const char *gpu, bool is_exclusive,
		 const char *id, pid_t pid)
{
	const struct holder holder = {
		.gpu = gpu,
		.is_exclusive = is_exclusive,
		.init = {.pid = pid, .start_time = 7, .pid_ns = 1},
		.id = id,
		.bundle = "/b",
	};

	holders_add(&host->holders, &holder);
}

static int try_among(const char *request, const struct shared_host *host,
		     struct selection *ret, struct err *err)
{
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};
	const struct select_terms terms = {
		.order = host->order, .holders = &host->holders, .own = &host->own};

	cr_assert_eq(gpu_spec_parse(request, strlen(request), &spec, err), 0, "%s",
		     err->msg);
	return select_gpus(&spec, &host->inv, &terms, ret, err);
}

/* @wanted: indices, "0 2" */
static void expect_among(const char *request, const struct shared_host *host,
			 const char *wanted)
{
	cleanup(selection_clearp) struct selection got = {0};
	char text[64] = "";
	struct err err = {0};

	cr_assert_eq(try_among(request, host, &got, &err), 0, "'%s': %s", request,
		     err.msg);
	for (size_t i = 0; i < got.n_gpus; i++) {
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u",
			       i > 0 ? " " : "", got.gpus[i]->index);
	}
	cr_expect_str_eq(text, wanted, "'%s' got %s, wanted %s", request, text, wanted);
}

static void expect_busy(const char *request, const struct shared_host *host,
			const char *wanted)
{
	cleanup(selection_clearp) struct selection got = {0};
	struct err err = {0};

	cr_expect_eq(try_among(request, host, &got, &err), -EBUSY, "'%s'", request);
	cr_expect_str_eq(err.msg, wanted);
}

Test(select, shared_passes_over_gpus_that_are_held_exclusively)
{
	cleanup(shared_host_clearp) struct shared_host host = {0};

	fill(&host);
	hold(&host, "0000:01:00.0", true, "a", 1);
	hold(&host, "0000:02:00.0", false, "b", 2);
	expect_among("1", &host, "1");
	expect_among("3", &host, "1 2 3");
	expect_busy(
		"4", &host,
		"4 nvidia GPUs asked, 3 free; nvidia:0: container 'a' (process 1) has "
		"it exclusively");
	expect_busy(
		"all", &host,
		"4 nvidia GPUs asked, 3 free; nvidia:0: container 'a' (process 1) has "
		"it exclusively");
}

Test(select, exclusive_passes_over_every_gpu_that_is_held)
{
	cleanup(shared_host_clearp) struct shared_host host = {0};

	fill(&host);
	hold(&host, "0000:01:00.0", true, "a", 1);
	hold(&host, "0000:02:00.0", false, "b", 2);
	expect_among("count=1;sharing=exclusive", &host, "2");
	expect_busy("count=3;sharing=exclusive", &host,
		    "3 nvidia GPUs asked exclusively, 2 free; nvidia:0: container 'a' "
		    "(process 1) has it exclusively; nvidia:1: container 'b' (process 2) "
		    "has it");
}

Test(select, a_gpu_named_by_id_that_another_has_is_ebusy_and_names_him)
{
	cleanup(shared_host_clearp) struct shared_host host = {0};

	fill(&host);
	hold(&host, "0000:01:00.0", true, "a", 1);
	hold(&host, "0000:02:00.0", false, "b", 2);
	expect_busy(
		"devices=0", &host,
		"device '0': nvidia:0 is asked for sharing, but container 'a' (process "
		"1) has it exclusively");
	expect_busy(
		"devices=1;sharing=exclusive", &host,
		"device '1': nvidia:1 is asked exclusively, but container 'b' (process "
		"2) has it");
	expect_among("devices=1", &host, "1");
}

Test(select, who_has_a_gpu_that_does_not_fit_is_not_blamed)
{
	cleanup(shared_host_clearp) struct shared_host host = {0};

	fill(&host);
	host.inv.gpus[1].can_compute = false;
	hold(&host, "0000:01:00.0", true, "a", 1);
	hold(&host, "0000:02:00.0", true, "b", 2);
	expect_busy("3", &host,
		    "3 nvidia GPUs asked, 2 free; nvidia:0: container 'a' (process 1) "
		    "has it exclusively");
}

Test(select, more_than_there_are_is_still_enoent)
{
	cleanup(shared_host_clearp) struct shared_host host = {0};
	cleanup(selection_clearp) struct selection got = {0};
	struct err err = {0};

	fill(&host);
	hold(&host, "0000:01:00.0", true, "a", 1);
	cr_expect_eq(try_among("5", &host, &got, &err), -ENOENT);
}

Test(select, partition_and_whole_keep_each_other_out_and_partitions_do_not)
{
	cleanup(shared_host_clearp) struct shared_host host = {0};

	fill(&host);
	hold(&host, "0000:01:00.0/3", true, "part", 1);
	expect_among("1", &host, "1");
	host.inv.gpus[0].partition = 2;
	expect_among("count=1;sharing=exclusive", &host, "0");
	hold(&host, "0000:01:00.0", false, "whole", 2);
	expect_among("count=1;sharing=exclusive", &host, "1");
}

Test(select, what_the_container_has_already_comes_first_and_blocks_nothing)
{
	cleanup(shared_host_clearp) struct shared_host host = {0};

	fill(&host);
	hold(&host, "0000:03:00.0", true, "own", host.own.pid);
	expect_among("1", &host, "2");
	expect_among("count=1;sharing=exclusive", &host, "2");
	expect_among("2", &host, "0 2");
	/* The same number, later in time. */
	host.own.start_time++;
	expect_among("1", &host, "0");
	expect_busy(
		"count=4", &host,
		"4 nvidia GPUs asked, 3 free; nvidia:2: container 'own' (process 1000) "
		"has it exclusively");
}

Test(select, spread_takes_those_with_the_fewest_holders_and_says_them_in_order)
{
	cleanup(shared_host_clearp) struct shared_host host = {.order = GPU_ORDER_SPREAD};

	fill(&host);
	hold(&host, "0000:01:00.0", false, "a", 1);
	hold(&host, "0000:01:00.0", false, "b", 2);
	hold(&host, "0000:02:00.0", false, "c", 3);
	hold(&host, "0000:04:00.0/1", false, "d", 4);
	expect_among("1", &host, "2");
	expect_among("2", &host, "1 2");
	expect_among("3", &host, "1 2 3");
	host.order = GPU_ORDER_FIRST;
	expect_among("2", &host, "0 1");
}
