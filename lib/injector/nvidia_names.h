/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* nvidia_names.h - which of the driver's files is for which capability. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of a request's capabilities, as in struct gpu_spec. */
#define NVIDIA_LIBRARY_UNKNOWN UINT32_MAX

struct nvidia_library {
	const char *stem; /* "libcuda" of "libcuda.so.580.95.05" */
	uint32_t capabilities;
	/* Its version is its own: "libnvidia-egl-gbm.so.1.1.2". */
	bool is_unversioned;
	/* Programs ask for it without any version, whether or not the
	   host has that link. */
	bool needs_dev_name;
	/* One more name, that graphics asks for; or NULL. */
	const char *graphics_link;
};

/**
 * nvidia_find_library() - The row of a library's name
 * @version:	of the driver
 *
 * Return: the row; for a name with the driver's version that is in no row, one that is
 * for every capability, since each branch of the driver brings new libraries; NULL: it
 * is none of the driver's.
 */
const struct nvidia_library *nvidia_find_library(const char *name, const char *version);

/* A program, a file of data, or a socket. */
struct nvidia_file {
	const char *name; /* "nvidia-smi", "glvnd/egl_vendor.d/10_nvidia.json" */
	uint32_t capabilities;
};

/* A NULL name ends each. */
extern const struct nvidia_file nvidia_programs[];
extern const struct nvidia_file nvidia_shared_data[]; /* below /usr/share */
extern const struct nvidia_file nvidia_etc_data[];    /* below /etc */
extern const struct nvidia_file nvidia_sockets[];     /* below /var/run */
