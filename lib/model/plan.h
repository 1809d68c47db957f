/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * plan.h - everything that will be done to a container, before any of it is done
 *
 * Built by stage/build_plan from the injectors' contributions, checked by
 * stage/check_plan, then printed, written into a config.json, or applied. The vocabulary
 * is that of CDI's containerEdits, plus links and files. A back end that cannot express
 * an entry names it in an error or a warning.
 * Source: Container Device Interface, SPEC.md 1.1.0.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/cdi.h"
#include "model/inventory.h"

/* Two types, so that the compiler refuses to mix up the two sides. */
struct host_path {
	char *text;
};

struct ctr_path {
	char *text; /* absolute, below the container's root */
};

/* Always a character device, always read and write, never mknod. */
struct plan_node {
	struct ctr_path ctr;
	struct host_path host;
	uint32_t major;
	uint32_t minor;

	/* What stands in the host's /dev, for check_access. */
	enum device_state state;
	char *setup; /* the command that makes it, or NULL */
	bool is_for_reading;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool caller_may_open;

	/* The container's process may not open the host's node: it gets a node
	   of its own, of the same device, with this owner (ids inside the
	   container) and mode. */
	bool is_private;
	uid_t private_uid;
	gid_t private_gid;
	mode_t private_mode;
};

struct plan_link {
	struct ctr_path ctr;
	char *target; /* as symlink(2) takes it */
};

enum mount_kind {
	MOUNT_FILE,   /* a regular file: read-only, nosuid, nodev */
	MOUNT_SOCKET, /* a socket of a host daemon: the same, and noexec */
	MOUNT_KIND_COUNT,
};

/* A bind mount of one file of the host. */
struct plan_mount {
	struct ctr_path ctr;
	struct host_path host;
	enum mount_kind kind;
};

/* A file with content of our own, bound read-only over one that is in the container. */
struct plan_file {
	struct ctr_path ctr;
	char *content;	   /* text */
	char *description; /* "params with ModifyDeviceFiles: 0" */
};

struct plan {
	struct plan_node *nodes;
	size_t n_nodes;
	struct plan_link *links;
	size_t n_links;
	struct plan_mount *mounts;
	size_t n_mounts;
	struct plan_file *files;
	size_t n_files;
	char **env; /* "NAME=value" */
	size_t n_env;
	gid_t *additional_gids; /* the container's */
	size_t n_additional_gids;
	struct cdi_hook *hooks; /* others' programs, for the runtime to run */
	size_t n_hooks;
	/* The devices of CDI specifications that mounts, variables, groups and hooks are
	   of; none: the host was looked at instead. */
	struct cdi_origin *origins;
	size_t n_origins;
	/* A directory of our own in the container, made for this plan: a small tmpfs,
	   read-only when it is attached. Mounts whose place is below it are bound
	   into it. NULL: none. */
	char *own_dir;
	char **warnings; /* one line each, without "warning:" */
	size_t n_warnings;
};

void plan_clear(struct plan *plan);
DEFINE_CLEANUP(struct plan, plan_clear)

/**
 * plan_add_node() - Bind a host's device node at the same path in the container
 * @node:	borrowed, copied
 * @err:	EEXIST if the path is planned with another content, E2BIG over
 *		LIMIT_PLAN_ENTRIES
 *
 * The same node twice is one entry.
 */
int plan_add_node(struct plan *plan, const struct device_node *node, struct err *err);

/* The node at a place in the container, or NULL. */
const struct plan_node *plan_find_node(const struct plan *plan, const char *ctr_path);

/* As plan_add_node(), for a symbolic link. */
int plan_add_link(struct plan *plan, const char *ctr_path, const char *target,
		  struct err *err);

/**
 * plan_add_mount() - Bind a file of the host
 * @err:	as plan_add_node()
 */
int plan_add_mount(struct plan *plan, const char *host_path, const char *ctr_path,
		   enum mount_kind kind, struct err *err);

/* As plan_add_node(), for a file with our own content. */
int plan_add_file(struct plan *plan, const char *ctr_path, const char *content,
		  const char *description, struct err *err);

/**
 * plan_add_env() - Set a variable for the container's process
 * @err:	EEXIST if it is planned with another value, EINVAL if there is no name
 */
int plan_add_env(struct plan *plan, const char *name_value, struct err *err);

/* A group that the container's process gets; twice is once. */
int plan_add_gid(struct plan *plan, gid_t gid, struct err *err);

/* Has the runtime run a program; the same twice is once. */
int plan_add_hook(struct plan *plan, const struct cdi_hook *hook, struct err *err);

/* Notes where entries come from; the same twice is once. */
void plan_add_origin(struct plan *plan, const struct cdi_origin *origin);

/**
 * plan_warn() - Say something that the user should know
 *
 * The same warning twice is one: several GPUs of a kind share their troubles. Control
 * characters become '?'.
 */
void plan_warn(struct plan *plan, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
