/* SPDX-License-Identifier: Apache-2.0 */
/* test_nvidia_files.c - lib/injector/nvidia_files.c; most of it is in test/cases */

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "injector/nvidia_files.h"
#include "made_host.h"

#ifdef __aarch64__
#define CACHE_FLAGS 0x0a03U
#else
#define CACHE_FLAGS 0x0303U
#endif

#define VERSION_FILE "/proc/driver/nvidia/version"
#define PARAMS	     "/proc/driver/nvidia/params"

static struct made_host made;
static struct driver_files files;
static const struct container glibc = {.library_dir = "/usr/lib"};

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	driver_files_clear(&files);
	made_host_free(&made);
}

TestSuite(nvidia_files, .init = start, .fini = stop);

static void find(void)
{
	const struct gpu_spec spec = {.capabilities = 1U << GPU_CAPABILITY_COMPUTE};
	struct err err = {0};

	driver_files_clear(&files);
	cr_assert_eq(nvidia_find_files(&made.host, &spec, &glibc, &files, &err), 0);
}

static void expect_version(const char *text, const char *version)
{
	made_file(&made, VERSION_FILE, "%s", text);
	find();
	if (!version) {
		cr_expect_null(files.version, "%s", text);
		cr_expect_eq(files.n_warnings, 1);
		return;
	}
	cr_assert_not_null(files.version, "%s", text);
	cr_expect_str_eq(files.version, version);
}

Test(nvidia_files, version_of_every_kind_of_module)
{
	expect_version(
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun "
		" 6 22:20:39 UTC 2023\nGCC version:  gcc version 12.2.0\n",
		"535.54.03");
	expect_version(
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  "
		"Release Build  (dvs-builder@U22)\n",
		"580.95.05");
	expect_version("NVRM version: NVIDIA UNIX aarch64 Kernel Module  610.43\n",
		       "610.43");
}

Test(nvidia_files, text_without_a_version)
{
	expect_version("", NULL);
	expect_version("NVRM version: NVIDIA UNIX x86_64 Kernel Module\n", NULL);
	expect_version("NVRM version: 580\nGCC version: 12.2.0\n", NULL);
	/* It becomes a part of names. */
	expect_version("NVRM version: 580.95/../../etc\n", NULL);
	expect_version("NVRM version: 580..05 580. .05\n", NULL);
}

/* An ld.so.cache of the new format with one entry. */
static void make_cache(const char *key, const char *value, uint32_t flags)
{
	autofree char *path = xasprintf("%s/etc/ld.so.cache", made.root);
	struct {
		char magic[20];
		uint32_t n, strings_len, unused[5];
		uint32_t flags, key, value, os_version;
		uint64_t hwcap;
		char strings[256];
	} cache = {
		.n = 1,
		.strings_len = sizeof(cache.strings),
		.flags = flags,
		.key = offsetof(__typeof__(cache), strings),
	};
	FILE *file;

	memcpy(cache.magic, "glibc-ld.so.cache1.1", sizeof(cache.magic));
	cache.value = cache.key + (uint32_t)strlen(key) + 1;
	strcpy(cache.strings, key);
	strcpy(cache.strings + strlen(key) + 1, value);
	made_file(&made, "/etc/ld.so.cache", "x");
	file = fopen(path, "w");
	cr_assert_eq(fwrite(&cache, sizeof(cache), 1, file), 1);
	cr_assert_eq(fclose(file), 0);
}

static void make_unusual(void)
{
	made_file(&made, VERSION_FILE, "NVRM version: 580.95.05\n");
	made_library(&made, "/opt/odd/libcuda.so.580.95.05", "libcuda.so.1", 64);
}

Test(nvidia_files, directory_that_only_the_loaders_cache_names)
{
	make_unusual();
	find();
	cr_assert_eq(files.n_files, 0);
	cr_expect_eq(files.n_warnings, 1);
	make_cache("libcuda.so.1", "/opt/odd/libcuda.so.1", CACHE_FLAGS);
	find();
	cr_assert_eq(files.n_files, 1);
	cr_expect_str_eq(files.files[0].host_path, "/opt/odd/libcuda.so.580.95.05");
	cr_expect_eq(files.n_warnings, 0);
}

/* A container without CUDA must not come as a surprise. A lease stands in for all that
   keeps one from being read. */
Test(nvidia_files, library_that_cannot_be_read_is_a_warning)
{
	autofree char *path = xasprintf("%s/usr/lib/libcuda.so.580.95.05", made.root);
	autoclose int fd = -1;

	made_file(&made, VERSION_FILE, "NVRM version: 580.95.05\n");
	made_library(&made, "/usr/lib/libcuda.so.580.95.05", "libcuda.so.1", 64);
	made_library(&made, "/usr/lib/libnvidia-ptxjitcompiler.so.580.95.05",
		     "libnvidia-ptxjitcompiler.so.1", 64);
	(void)signal(SIGIO, SIG_IGN);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	find();
	cr_expect_eq(files.n_files, 1);
	cr_assert_eq(files.n_warnings, 1);
	cr_expect_str_eq(files.warnings[0],
			 "library '/usr/lib/libcuda.so.580.95.05' is left out: Resource "
			 "temporarily unavailable");
}

Test(nvidia_files, cache_entries_that_are_none_of_the_drivers)
{
	make_unusual();
	make_cache("libcuda.so.1", "/opt/odd/libcuda.so.1", CACHE_FLAGS ^ 0x0800);
	find();
	cr_expect_eq(files.n_files, 0);
	make_cache("libother.so.1", "/opt/odd/libother.so.1", CACHE_FLAGS);
	find();
	cr_expect_eq(files.n_files, 0);
	make_cache("libcuda.so.1", "opt/odd/libcuda.so.1", CACHE_FLAGS);
	find();
	cr_expect_eq(files.n_files, 0);
	make_cache("libcuda.so.1", "/libcuda.so.1", CACHE_FLAGS);
	find();
	cr_expect_eq(files.n_files, 0);
}

Test(nvidia_files, broken_cache_is_none)
{
	make_unusual();
	made_library(&made, "/usr/lib/libcuda.so.580.95.05", "libcuda.so.1", 64);
	made_file(&made, "/etc/ld.so.cache", "glibc-ld.so.cache1.1");
	find();
	cr_assert_eq(files.n_files, 1);
	cr_expect_str_eq(files.files[0].host_path, "/usr/lib/libcuda.so.580.95.05");
}

Test(nvidia_files, parameters_with_the_option_switched_off)
{
	made_file(&made, PARAMS,
		  "RmLogonRC: 1\nModifyDeviceFiles: 1\nDeviceFileUID: 0\n");
	find();
	cr_assert_not_null(files.params);
	cr_expect_str_eq(files.params,
			 "RmLogonRC: 1\nModifyDeviceFiles: 0\nDeviceFileUID: 0\n");
}

Test(nvidia_files, parameters_that_need_no_change)
{
	find();
	cr_expect_null(files.params);
	made_file(&made, PARAMS, "ModifyDeviceFiles: 0\n");
	find();
	cr_expect_null(files.params);
	made_file(&made, PARAMS, "XModifyDeviceFiles: 1\n");
	find();
	cr_expect_null(files.params);
}
