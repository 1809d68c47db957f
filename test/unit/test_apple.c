/* SPDX-License-Identifier: Apache-2.0 */
/* test_apple.c - lib/injector/apple.c */

#include <criterion/criterion.h>

#include "made_host.h"

#define ASAHI  "devices/platform/soc/406400000.gpu"
#define VIRTIO "devices/platform/a003e00.virtio_mmio"

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

TestSuite(apple, .init = start, .fini = stop);

static void make_asahi(void)
{
	made_driver(&made, ASAHI, "asahi");
	made_drm(&made, ASAHI, "card1", 1);
	made_drm(&made, ASAHI, "renderD128", 128);
}

static void make_virtio(void)
{
	made_driver(&made, VIRTIO, "virtio-mmio");
	made_driver(&made, VIRTIO "/virtio0", "virtio_gpu");
	made_drm(&made, VIRTIO, "renderD129", 129);
}

static void probe(size_t want)
{
	cr_assert_eq(apple_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, want);
}

Test(apple, asahi_is_an_apple_gpu)
{
	make_asahi();
	probe(1);
	cr_assert_str_eq(inv.gpus[0].vendor, "apple");
	cr_assert_str_eq(inv.gpus[0].driver, "asahi");
	cr_assert_str_eq(inv.gpus[0].model, "asahi");
	cr_assert_null(inv.gpus[0].alias);
	cr_assert_null(inv.gpus[0].pci);
	cr_assert(inv.gpus[0].can_compute);
}

Test(apple, virtio_gpu_stays_itself_and_answers_to_apple)
{
	make_virtio();
	probe(1);
	cr_assert_str_eq(inv.gpus[0].vendor, "virtio_gpu");
	cr_assert_str_eq(inv.gpus[0].alias, "apple");
	cr_assert(inv.gpus[0].can_compute);
}

Test(apple, beside_asahi_a_virtio_gpu_is_none_of_ours)
{
	make_asahi();
	make_virtio();
	probe(1);
	cr_assert_str_eq(inv.gpus[0].vendor, "apple");
}

Test(apple, other_drivers_are_left_alone)
{
	made_driver(&made, ASAHI, "panfrost");
	made_drm(&made, ASAHI, "renderD128", 128);
	probe(0);
}

Test(apple, plan_is_render_node_and_card_for_display)
{
	autofree char *usual = NULL;
	autofree char *display = NULL;

	make_asahi();
	probe(1);
	usual = made_plan(&apple_injector, inv.gpus, "apple", &err);
	display = made_plan(&apple_injector, inv.gpus,
			    "vendor=apple;capabilities=display", &err);
	cr_assert_str_eq(usual,
			 "/dev/dri/renderD128 "
			 "/dev/dri/by-path/platform-406400000.gpu-render>../renderD128");
	cr_assert_str_eq(display,
			 "/dev/dri/renderD128 /dev/dri/card1 "
			 "/dev/dri/by-path/platform-406400000.gpu-render>../renderD128 "
			 "/dev/dri/by-path/platform-406400000.gpu-card>../card1");
}
