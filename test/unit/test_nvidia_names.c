/* SPDX-License-Identifier: Apache-2.0 */
/* test_nvidia_names.c - lib/injector/nvidia_names.c */

#include <criterion/criterion.h>

#include "injector/nvidia_names.h"
#include "model/gpu_spec.h"

#define VERSION	  "580.95.05"
#define BIT(name) (1U << GPU_CAPABILITY_##name)

static uint32_t capabilities_of(const char *name)
{
	const struct nvidia_library *row = nvidia_find_library(name, VERSION);

	return row ? row->capabilities : 0;
}

Test(nvidia_names, library_of_the_running_version)
{
	cr_expect_eq(capabilities_of("libcuda.so." VERSION), BIT(COMPUTE) | BIT(VIDEO));
	cr_expect_eq(capabilities_of("libnvidia-ml.so." VERSION), BIT(UTILITY));
	cr_expect_eq(capabilities_of("libnvcuvid.so." VERSION), BIT(VIDEO));
	cr_expect_eq(capabilities_of("libGLX_nvidia.so." VERSION),
		     BIT(GRAPHICS) | BIT(DISPLAY));
}

Test(nvidia_names, other_versions_and_names_are_none)
{
	cr_expect_null(nvidia_find_library("libcuda.so.1", VERSION));
	cr_expect_null(nvidia_find_library("libcuda.so", VERSION));
	cr_expect_null(nvidia_find_library("libcuda.so." VERSION ".bak", VERSION));
	cr_expect_null(nvidia_find_library("libcuda.so.470.256.02", VERSION));
	cr_expect_null(nvidia_find_library("libc.so.6", VERSION));
	cr_expect_null(nvidia_find_library("nvidia_drv.so." VERSION, VERSION));
	cr_expect_null(nvidia_find_library("", VERSION));
}

Test(nvidia_names, library_that_nobody_knows_is_for_everything)
{
	cr_expect_eq(capabilities_of("libnvidia-next.so." VERSION),
		     NVIDIA_LIBRARY_UNKNOWN);
	cr_expect_eq(capabilities_of("libcudanext.so." VERSION), NVIDIA_LIBRARY_UNKNOWN);
}

Test(nvidia_names, libraries_with_versions_of_their_own)
{
	uint32_t graphics = BIT(GRAPHICS) | BIT(DISPLAY);

	cr_expect_eq(capabilities_of("libnvidia-egl-gbm.so.1.1.2"), graphics);
	cr_expect_eq(capabilities_of("libnvidia-egl-gbm.so.1"), graphics);
	cr_expect_eq(capabilities_of("libnvidia-nvvm70.so.4"), BIT(COMPUTE) | BIT(VIDEO));
	cr_expect_null(nvidia_find_library("libnvidia-egl-gbm.so.", VERSION));
	cr_expect_null(nvidia_find_library("libnvidia-egl-gbm.so.1.bak", VERSION));
	/* The rest of a longer name is no version. */
	cr_expect_null(nvidia_find_library("libnvidia-ml.so.1", VERSION));
}

Test(nvidia_names, tools_with_a_window_are_for_nobody)
{
	cr_assert_not_null(nvidia_find_library("libnvidia-gtk3.so." VERSION, VERSION));
	cr_expect_eq(capabilities_of("libnvidia-gtk3.so." VERSION), 0);
}
