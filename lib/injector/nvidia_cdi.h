/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * nvidia_cdi.h - NVIDIA's driver as a specification of NVIDIA's toolkit describes it
 *
 * Source of the forms: NVIDIA Container Toolkit pkg/nvcdi (names of devices, what their
 * edits hold) and cmd/nvidia-cdi-hook (the hooks and their arguments).
 */

#include "injector/injector.h"

/* Of all GPUs in the toolkit's specifications. */
#define NVIDIA_CDI_KIND "nvidia.com/gpu"

/* As struct gpu_injector says. */
bool nvidia_may_need_cdi(const struct host *host);
int nvidia_read_cdi(const struct host *host, const struct cdi_wish *wish,
		    struct driver_files *ret, struct err *err);

/* The edits of a file or of one of its devices. */
struct nvidia_cdi_part {
	const char *file;
	const struct cdi_edits *edits;
};

/* For the files that read it. */
struct nvidia_cdi_reader {
	const struct host *host;
	const struct cdi_wish *wish;
	/* What is read, in CDI's order: devices as they were chosen, and before
	   the first of a file the file's own edits. Source: CDI's
	   pkg/cdi/cache.go, InjectDevices(). */
	struct nvidia_cdi_part *parts;
	size_t n_parts;
	const char *file;    /* the specification that is being read */
	const char *version; /* of the running driver, or NULL */
	struct driver_files *files;
	/* Places in the container of what the request's capabilities leave out. */
	const char **unwanted;
	size_t n_unwanted;
};

/* The specification is older than what the host has now. Return: -ESTALE. */
int nvidia_cdi_refuse_stale(const struct nvidia_cdi_reader *reader, struct err *err,
			    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Warns of what cannot be given. */
void nvidia_cdi_leave_out(const struct nvidia_cdi_reader *reader, const char *path,
			  const char *why);

/* Of a path that nvidia_cdi_check_path() has seen. */
const char *nvidia_cdi_base_name(const char *path);

/* Where there are the kernel's files, or the host's nodes. */
bool nvidia_cdi_is_no_place(const char *path);

/* EINVAL: a path that none of a plan's can be. @what:
   "containerPath", for the message. */
int nvidia_cdi_check_path(const struct nvidia_cdi_reader *reader, const char *what,
			  const char *path, struct err *err);

/**
 * nvidia_cdi_read_files() - Mounts of all parts
 * @err:	ESTALE: something is not there, or of another version;
 *		EINVAL: a path that is none
 *
 * Of two mounts for one place the last counts, as it would cover the other.
 */
int nvidia_cdi_read_files(struct nvidia_cdi_reader *reader, struct err *err);

/* Then the links to them that hooks would make. @err: EINVAL: a path that is none. */
int nvidia_cdi_read_links(struct nvidia_cdi_reader *reader, struct err *err);

/* Hooks that are somebody else's work, variables and groups of one
   part. @err: as above. */
int nvidia_cdi_read_process(struct nvidia_cdi_reader *reader,
			    const struct cdi_edits *edits, struct err *err);
