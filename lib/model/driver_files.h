/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * driver_files.h - the user-space files of a GPU driver, as they were found on the host
 *
 * A program in a container needs those of exactly the running driver. Plain data: found
 * by an injector for one request, turned into mounts and links by its contribute().
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "model/cdi.h"

struct device_node;

enum driver_file_kind {
	DRIVER_LIBRARY,	   /* for the machine's own programs */
	DRIVER_LIBRARY_32, /* for 32-bit programs */
	DRIVER_FILE,	   /* a program, or data: read-only */
	DRIVER_SOCKET,	   /* of a daemon of the driver */
	DRIVER_FILE_KIND_COUNT,
};

static inline bool driver_file_is_library(enum driver_file_kind kind)
{
	return kind == DRIVER_LIBRARY || kind == DRIVER_LIBRARY_32;
}

struct driver_file {
	enum driver_file_kind kind;
	char *host_path; /* without a link on the way */
	char *place;	 /* in the directory of our own: "lib/libcuda.so.580.95.05" */
	/* Links to it in the container: absolute, or of a library below the container's
	   library directory ("libcuda.so.1"). */
	char **links;
	size_t n_links;
};

struct driver_files {
	char *version; /* of the running driver: "580.95.05"; NULL: it does not say */
	struct driver_file *files;
	size_t n_files;
	/* The driver's parameters with what tells a program in a container to leave the
	   nodes alone; NULL: they say so already, lack that line, or cannot be read. */
	char *params;
	char **warnings;
	size_t n_warnings;

	/* What a specification asks for besides; where the files were found on the host
	   there is nothing of all this. */
	struct cdi_origin *origins;
	size_t n_origins;
	struct device_node *nodes; /* of no GPU */
	size_t n_nodes;
	struct cdi_hook *hooks;
	size_t n_hooks;
	char **env; /* "NAME=value" */
	size_t n_env;
	gid_t *gids;
	size_t n_gids;
};

void driver_files_clear(struct driver_files *files);
DEFINE_CLEANUP(struct driver_files, driver_files_clear)

/**
 * driver_files_add() - One more file
 * @place:	of two files for one place the first counts
 *
 * Return: the entry, valid until the next call, for driver_files_add_link();
 * NULL: the place is taken.
 */
struct driver_file *driver_files_add(struct driver_files *files,
				     enum driver_file_kind kind, const char *host_path,
				     const char *place);

/* Has a file of this kind this link? */
bool driver_files_have_link(const struct driver_files *files, enum driver_file_kind kind,
			    const char *link);

/* Another file of the same kind may have this link: then that one keeps it. */
void driver_files_add_link(struct driver_files *files, struct driver_file *file,
			   const char *link);

/* Of two variables of one name the last counts, of two hooks that are
   the same the first. */
void driver_files_add_env(struct driver_files *files, const char *name_value);
void driver_files_add_hook(struct driver_files *files, const struct cdi_hook *hook);

/* Of a node that is there already, by its path in the container, the first counts. @node
   is taken and emptied. */
void driver_files_take_node(struct driver_files *files, struct device_node *node);

void driver_files_warn(struct driver_files *files, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
