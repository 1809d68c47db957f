/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia_files.c - find the user-space files of NVIDIA's driver
 *
 * Theory of operation. The kernel module and its libraries must be of one version, and the
 * libraries have it in their names: so the module is asked for its version, and what ends in
 * ".so.VERSION" in the host's library directories is the driver's. That holds for libraries
 * that did not exist when this was written.
 */

#include "injector/nvidia_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "host/files.h"
#include "host/libraries.h"

#define VERSION_PATH "/proc/driver/nvidia/version"
#define PARAMS_PATH  "/proc/driver/nvidia/params"

#if defined(__aarch64__)
#define TRIPLE "aarch64-linux-gnu"
#else
#define TRIPLE "x86_64-linux-gnu"
#endif

/* Source: NVIDIA Container Toolkit internal/lookup/library.go (the multiarch and lib64 ones);
   the others are where driver containers, Debian and hosts of container systems put them. */
static const char *const library_dirs[] = {
	"/usr/lib/" TRIPLE,
	"/usr/lib/" TRIPLE "/nvidia/current",
	"/usr/lib64",
	"/usr/lib",
	"/lib/" TRIPLE,
	"/lib64",
	"/lib",
	"/usr/local/nvidia/lib64",
	"/usr/local/nvidia/lib",
	"/run/opengl-driver/lib",
	NULL,
};

/* ---- the version --------------------------------------------------------------------- */

/* "580.95.05": numbers with points between them, at least two. */
static size_t version_length(const char *text)
{
	size_t len = 0;
	size_t points = 0;

	for (;;) {
		size_t digits = strspn(text + len, "0123456789");

		if (digits == 0) {
			return 0;
		}
		len += digits;
		if (text[len] != '.') {
			break;
		}
		points++;
		len++;
	}
	return points > 0 && (text[len] == '\0' || strchr(" \t\n", text[len])) ? len : 0;
}

/* The first word of the first line that is a version: "NVRM version: NVIDIA UNIX x86_64
   Kernel Module  535.54.03  Tue Jun ...". */
static char *find_version(const char *text)
{
	while (*text && *text != '\n') {
		size_t len = version_length(text);

		if (len > 0) {
			return xstrndup(text, len);
		}
		text += strcspn(text, " \t\n");
		text += strspn(text, " \t");
	}
	return NULL;
}

static char *read_version(const struct host *host)
{
	char text[LIMIT_ATTRIBUTE_BYTES];

	return host_read(host, VERSION_PATH, text, sizeof(text)) < 0 ? NULL
								     : find_version(text);
}

/* ---- libraries ----------------------------------------------------------------------- */

struct wanted {
	const char *suffix; /* ".so.580.95.05" */
};

static bool is_wanted(const char *name, const void *context)
{
	const struct wanted *wanted = context;
	size_t len = strlen(name);
	size_t suffix_len = strlen(wanted->suffix);

	return text_starts_with(name, "lib") && len > suffix_len &&
	       text_equals(name + len - suffix_len, wanted->suffix);
}

static void add_library(const struct library *library, enum driver_file_kind kind,
			struct driver_files *files)
{
	autofree char *place = xasprintf(
		"%s/%s", kind == DRIVER_LIBRARY ? "lib" : "lib32", library->name);
	struct driver_file *file = driver_files_add(files, kind, library->path, place);

	if (!file) {
		return;
	}
	driver_files_add_link(files, file, library->soname);
	if (library->dev_name) {
		driver_files_add_link(files, file, library->dev_name);
	}
}

static void find_libraries(const struct host *root, unsigned int bits,
			   struct driver_files *files)
{
	cleanup(libraries_clearp) struct libraries list = {0};
	autofree char *suffix = xasprintf(".so.%s", files->version);
	const struct wanted wanted = {suffix};
	const struct library_search search = {
		.bits = bits,
		.dirs = library_dirs,
		.is_wanted = is_wanted,
		.context = &wanted,
	};

	host_find_libraries(root, &search, &list);
	for (size_t i = 0; i < list.n; i++) {
		add_library(&list.library[i],
			    bits == 64 ? DRIVER_LIBRARY : DRIVER_LIBRARY_32, files);
	}
}

/* ---- all ----------------------------------------------------------------------------- */

/* A program that sees 1 makes the nodes that it misses, with the driver's idea of their
   mode; in a container that is a node it cannot open, or another GPU's. */
static char *read_params(const struct host *host)
{
	static const char option[] = "ModifyDeviceFiles: ";
	char text[LIMIT_ATTRIBUTE_BYTES];
	char *value;

	if (host_read(host, PARAMS_PATH, text, sizeof(text)) < 0) {
		return NULL;
	}
	value = strstr(text, option);
	if (!value || (value > text && value[-1] != '\n')) {
		return NULL;
	}
	value += strlen(option);
	if (*value != '1') {
		return NULL;
	}
	*value = '0';
	return xasprintf("%s\n", text);
}

int nvidia_find_files(const struct host *host, const struct gpu_spec *spec,
		      const struct container *ctr, struct driver_files *ret,
		      struct err *err)
{
	(void)spec;
	(void)err;
	ret->params = read_params(host);
	if (!ctr->library_dir) {
		driver_files_warn(
			ret,
			"the container gets NVIDIA's device nodes and none of its "
			"libraries: %s",
			ctr->no_library_reason);
		return 0;
	}
	ret->version = read_version(host);
	if (!ret->version) {
		driver_files_warn(ret,
				  "'%s' gives no version: NVIDIA's device nodes come "
				  "without the driver's libraries",
				  VERSION_PATH);
		return 0;
	}
	find_libraries(host, 64, ret);
	if (ctr->library_dir_32) {
		find_libraries(host, 32, ret);
	}
	if (ret->n_files == 0) {
		driver_files_warn(
			ret,
			"no library of NVIDIA's driver %s is in the host's library "
			"directories: the container gets its device nodes alone; for "
			"a driver elsewhere set nvidia.driverRoot",
			ret->version);
	}
	return 0;
}
