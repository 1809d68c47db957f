/* SPDX-License-Identifier: Apache-2.0 */
/* test_pci.c - lib/host/pci.c */

#include "host/pci.h"

#include <criterion/criterion.h>

#include "made_host.h"

static struct made_host made;
static struct pci_devices list;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	pci_devices_clear(&list);
	made_host_free(&made);
}

TestSuite(pci, .init = start, .fini = stop);

Test(pci, host_without_a_bus_is_an_empty_list)
{
	cr_assert_eq(host_pci_gpus(&made.host, &list), 0);
	cr_assert_eq(list.n, 0);
}

Test(pci, gpu_is_found_with_and_without_a_driver)
{
	made_pci(&made, "devices/pci0000:00/0000:01:00.0", 0x10de, 0x2684, 0x030000,
		 NULL);
	made_pci(&made, "devices/pci0000:00/0000:02:00.0", 0x10de, 0x2204, 0x030200,
		 "vfio-pci");
	cr_assert_eq(host_pci_gpus(&made.host, &list), 0);
	cr_assert_eq(list.n, 2);
	cr_assert_str_eq(list.device[0].address, "0000:01:00.0");
	cr_assert_eq(list.device[0].vendor, 0x10de);
	cr_assert_eq(list.device[0].device, 0x2684);
	cr_assert_eq(list.device[0].pci_class, 0x030000);
	cr_assert_null(list.device[0].driver);
	cr_assert_str_eq(list.device[1].driver, "vfio-pci");
}

Test(pci, other_devices_are_left_out)
{
	made_pci(&made, "devices/pci0000:00/0000:01:00.1", 0x10de, 0x22ba, 0x040300,
		 "snd_hda_intel");
	made_pci(&made, "devices/pci0000:00/0000:00:01.0", 0x8086, 0x0001, 0x060400,
		 NULL);
	cr_assert_eq(host_pci_gpus(&made.host, &list), 0);
	cr_assert_eq(list.n, 0);
}

Test(pci, device_with_an_unreadable_attribute_is_left_out)
{
	made_pci(&made, "devices/pci0000:00/0000:01:00.0", 0x10de, 0x2684, 0x030000,
		 NULL);
	made_file(&made, "/sys/devices/pci0000:00/0000:01:00.0/vendor", "nobody\n");
	cr_assert_eq(host_pci_gpus(&made.host, &list), 0);
	cr_assert_eq(list.n, 0);
}

Test(pci, order_is_that_of_the_numbers)
{
	made_pci(&made, "devices/a/10000:01:00.0", 0x8086, 1, 0x030000, NULL);
	made_pci(&made, "devices/a/2000:01:00.0", 0x8086, 2, 0x030000, NULL);
	made_pci(&made, "devices/a/0000:ff:00.0", 0x8086, 3, 0x030000, NULL);
	cr_assert_eq(host_pci_gpus(&made.host, &list), 0);
	cr_assert_eq(list.n, 3);
	cr_assert_str_eq(list.device[0].address, "0000:ff:00.0");
	cr_assert_str_eq(list.device[1].address, "2000:01:00.0");
	cr_assert_str_eq(list.device[2].address, "10000:01:00.0");
}
