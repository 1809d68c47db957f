/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* nvidia_files.h - the user-space files of NVIDIA's driver */

#include "injector/injector.h"

/* Where the driver's files are in a container. */
#define NVIDIA_OWN_DIR "/run/oci-gpu-hook/nvidia"

#define NVIDIA_PROC_DIR	   "/proc/driver/nvidia"
#define NVIDIA_PARAMS_PATH NVIDIA_PROC_DIR "/params"

/* Of the running driver; free() it. NULL: it does not say. */
char *nvidia_read_version(const struct host *host);

/* The driver's parameters with what tells a program in a container to leave the nodes
   alone; free() them. NULL: they say so already, lack that line, or cannot be read (not
   there, or LIMIT_ATTRIBUTE_BYTES or more). */
char *nvidia_read_params(const struct host *host);

/* Is the driver's main library of this version in one of the usual directories? */
bool nvidia_has_libraries(const struct host *host, const char *version);

/* Says why the container gets no libraries. */
void nvidia_warn_of_no_place(const struct container *ctr, struct driver_files *files);

/* As struct gpu_injector says. */
int nvidia_find_files(const struct host *host, const struct gpu_spec *spec,
		      const struct container *ctr, struct driver_files *ret,
		      struct err *err);

/* Where the links of a kind begin that are not absolute; NULL: the container
   has no place for them. */
const char *nvidia_link_dir(enum driver_file_kind kind, const struct container *ctr);

/**
 * nvidia_contribute_files() - Mounts, links and the driver's parameters
 *
 * Pure. Where the container has no place for libraries, the warning says so.
 */
int nvidia_contribute_files(const struct driver_files *files, const struct container *ctr,
			    struct plan *plan, struct err *err);
