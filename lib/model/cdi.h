/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cdi.h - what specifications of the Container Device Interface say
 *
 * Plain data, of any vendor. What a specification asks for is a wish until somebody has
 * compared it with the host: paths and numbers here are those of the file. What nobody
 * asks for, the mode and the owner of a node and the options of a mount, is not here.
 * Source: Container Device Interface, SPEC.md 1.1.0 and specs-go/config.go.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

struct cdi_node {
	char *path;	 /* in the container */
	char *host_path; /* or NULL: the same */
	char type;	 /* 'b', 'c', 'u' or 'p'; 0: whatever the host has */
	bool has_number; /* a major of 0 is none */
	uint32_t major;
	uint32_t minor;
	bool is_restricted; /* its permissions do not hold both r and w */
};

struct cdi_mount {
	char *host_path;
	char *ctr_path;
	char *type; /* or NULL */
};

struct cdi_hook {
	char *stage; /* "createContainer" */
	char *path;
	char **args;
	size_t n_args;
	char **env; /* "NAME=value" */
	size_t n_env;
	uint32_t timeout; /* seconds; 0: none */
};

struct cdi_edits {
	struct cdi_node *nodes;
	size_t n_nodes;
	struct cdi_mount *mounts;
	size_t n_mounts;
	struct cdi_hook *hooks;
	size_t n_hooks;
	char **env; /* "NAME=value" */
	size_t n_env;
	gid_t *gids;
	size_t n_gids;
	bool has_net_devices;
	bool has_rdt;
};

struct cdi_device {
	char *name;
	struct cdi_edits edits;
};

struct cdi_spec {
	char *file;	  /* "/etc/cdi/nvidia.yaml", for messages */
	unsigned int dir; /* of two, the later directory wins */
	char *kind;	  /* "vendor.com/class" */
	struct cdi_device *devices;
	size_t n_devices;
	struct cdi_edits edits; /* of every device of the file, once */
};

/* A device that was used, and where it stands. */
struct cdi_origin {
	char *device; /* "vendor.com/class=0" */
	char *file;
};

/* All of a host's specifications of one kind, and why others could not be read. */
struct cdi_registry {
	struct cdi_spec *specs;
	size_t n_specs;
	char **problems; /* one line each, with the file's name */
	size_t n_problems;
};

void cdi_origin_clear(struct cdi_origin *origin);
void cdi_hook_clear(struct cdi_hook *hook);
DEFINE_CLEANUP(struct cdi_hook, cdi_hook_clear)

/* Fills @ret with copies. */
void cdi_hook_copy(const struct cdi_hook *hook, struct cdi_hook *ret);

/* Are they the same in every part? */
bool cdi_hook_equals(const struct cdi_hook *one, const struct cdi_hook *other);

void cdi_edits_clear(struct cdi_edits *edits);
void cdi_spec_clear(struct cdi_spec *spec);
DEFINE_CLEANUP(struct cdi_spec, cdi_spec_clear)
void cdi_registry_clear(struct cdi_registry *registry);
DEFINE_CLEANUP(struct cdi_registry, cdi_registry_clear)

/* Appends @spec, which is taken and emptied. */
void cdi_registry_take(struct cdi_registry *registry, struct cdi_spec *spec);

/* Remembers why a file says nothing. */
void cdi_registry_add_problem(struct cdi_registry *registry, const char *text);

/**
 * cdi_registry_find() - The device of a name, by CDI's rules of precedence
 * @name:	unqualified: "0"
 * @ret_spec:	whose edits come before the device's
 * @err:	ENOENT: no such device; EEXIST: two files of the
 *		directory that counts define it
 *
 * A file in the later directory replaces the device of an earlier one.
 */
int cdi_registry_find(const struct cdi_registry *registry, const char *name,
		      const struct cdi_spec **ret_spec,
		      const struct cdi_device **ret_device, struct err *err);
