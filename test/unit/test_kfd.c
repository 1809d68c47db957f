/* SPDX-License-Identifier: Apache-2.0 */
/* test_kfd.c - lib/host/kfd.c */

#include "host/kfd.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "made_host.h"

#define NODES "/sys/class/kfd/kfd/topology/nodes"

static struct made_host made;
static struct kfd_topology kfd;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	kfd_topology_clear(&kfd);
	made_host_free(&made);
}

TestSuite(kfd, .init = start, .fini = stop);

Test(kfd, host_without_kfd_is_enoent)
{
	cr_assert_eq(host_kfd(&made.host, &kfd), -ENOENT);
}

Test(kfd, host_without_a_topology_is_enoent)
{
	made_file(&made, "/sys/class/kfd/kfd/dev", "511:2\n");
	cr_assert_eq(host_kfd(&made.host, &kfd), -ENOENT);
}

Test(kfd, gpu_is_read_and_processor_left_out)
{
	made_file(&made, "/sys/class/kfd/kfd/dev", "511:2\n");
	made_kfd_node(&made, 0, 0, 0, 0, 0);
	made_kfd_node(&made, 1, 129, 0xc100, 1, 9952740073765806150ULL);
	cr_assert_eq(host_kfd(&made.host, &kfd), 0);
	cr_assert_eq(kfd.major, 511);
	cr_assert_eq(kfd.minor, 2);
	cr_assert_eq(kfd.n, 1);
	cr_assert_eq(kfd.node[0].render_minor, 129);
	cr_assert_eq(kfd.node[0].location_id, 0xc100);
	cr_assert_eq(kfd.node[0].domain, 1);
	cr_assert_eq(kfd.node[0].unique_id, 0x8a1f3c5d7e9b2046ULL);
}

Test(kfd, missing_domain_is_domain_0)
{
	made_file(&made, "/sys/class/kfd/kfd/dev", "240:0\n");
	made_kfd_node(&made, 1, 128, 0x0300, -1, 1);
	cr_assert_eq(host_kfd(&made.host, &kfd), 0);
	cr_assert_eq(kfd.n, 1);
	cr_assert_eq(kfd.node[0].domain, 0);
}

Test(kfd, node_that_cannot_be_read_is_left_out)
{
	made_file(&made, "/sys/class/kfd/kfd/dev", "240:0\n");
	made_dir(&made, "/sys/class/kfd/kfd/topology");
	made_dir(&made, NODES);
	made_dir(&made, NODES "/1");
	made_kfd_node(&made, 2, 129, 0x0400, 0, 1);
	cr_assert_eq(host_kfd(&made.host, &kfd), 0);
	cr_assert_eq(kfd.n, 1);
	cr_assert_eq(kfd.node[0].render_minor, 129);
}

Test(kfd, garbage_in_the_properties_is_ignored)
{
	made_file(&made, "/sys/class/kfd/kfd/dev", "240:0\n");
	made_file(&made, NODES "/1/properties",
		  "\n \nnoblank\ndomain x\nlocation_id 99999999999\nxdomain 5\n"
		  "drm_render_minor 128\nunique_id -1\n");
	cr_assert_eq(host_kfd(&made.host, &kfd), 0);
	cr_assert_eq(kfd.n, 1);
	cr_assert_eq(kfd.node[0].render_minor, 128);
	cr_assert_eq(kfd.node[0].domain, 0);
	cr_assert_eq(kfd.node[0].location_id, 0);
	cr_assert_eq(kfd.node[0].unique_id, 0);
}
