/* SPDX-License-Identifier: Apache-2.0 */
/* test_dri.c - lib/injector/dri.c */

#include <criterion/criterion.h>

#include "made_host.h"

#define V3D "devices/platform/v3dbus/fec00000.v3d"
#define VC4 "devices/platform/gpu"

static struct made_host made;
static struct inventory inv;
static struct err err;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	inventory_clear(&inv);
	made_host_free(&made);
}

TestSuite(dri, .init = start, .fini = stop);

static void probe(size_t want)
{
	cr_assert_eq(dri_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, want);
	inventory_number(&inv);
}

Test(dri, device_is_named_by_its_driver)
{
	made_driver(&made, V3D, "v3d");
	made_drm(&made, V3D, "renderD128", 128);
	probe(1);
	cr_assert_str_eq(inv.gpus[0].vendor, "v3d");
	cr_assert_str_eq(inv.gpus[0].model, "v3d");
	cr_assert(inv.gpus[0].can_compute);
	cr_assert_null(inv.gpus[0].unusable_reason);
}

Test(dri, device_without_a_driver_is_named_by_itself)
{
	made_drm(&made, "devices/virtual/vgem", "renderD128", 128);
	probe(1);
	cr_assert_str_eq(inv.gpus[0].vendor, "vgem");
	cr_assert_null(inv.gpus[0].driver);
}

Test(dri, device_without_a_render_node_is_unusable)
{
	made_driver(&made, VC4, "vc4-drm");
	made_drm(&made, VC4, "card1", 1);
	probe(1);
	cr_assert_str_eq(inv.gpus[0].unusable_reason, "no render node");
}

Test(dri, device_that_is_known_by_either_node_is_left_alone)
{
	made_drm(&made, V3D, "renderD128", 128);
	made_drm(&made, VC4, "card1", 1);
	probe(2);
	probe(2);
}

Test(dri, gpu_of_a_vendor_with_more_nodes_gets_only_the_drm_ones)
{
	struct device_node kfd = {.path = strdup("/dev/kfd"), .role = DEVICE_COMPUTE};
	struct device_node control = {.path = strdup("/dev/nvidiactl"),
				      .role = DEVICE_CONTROL};
	struct device_node gpu = {.path = strdup("/dev/nvidia0"), .role = DEVICE_GPU};
	autofree char *got = NULL;

	made_drm(&made, V3D, "renderD128", 128);
	made_drm(&made, V3D, "card0", 0);
	probe(1);
	gpu_take_node(inv.gpus, &kfd);
	gpu_take_node(inv.gpus, &control);
	gpu_take_node(inv.gpus, &gpu);
	got = made_plan(&dri_injector, inv.gpus,
			"vendor=v3d;capabilities=compute+graphics", &err);
	cr_assert_str_eq(got,
			 "/dev/dri/renderD128 "
			 "/dev/dri/by-path/platform-fec00000.v3d-render>../renderD128");
}
