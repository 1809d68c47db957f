/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * plan.h - everything that will be done to a container, before any of it is done
 *
 * Built by stage/build_plan from the injectors' contributions, checked by stage/check_plan,
 * then printed or applied. The vocabulary is that of CDI's containerEdits, plus links.
 * Source: Container Device Interface, SPEC.md 1.1.0.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
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

	/* What stands in the host's /dev, for check_plan's advice. */
	enum device_state state;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

struct plan_link {
	struct ctr_path ctr;
	char *target; /* as symlink(2) takes it */
};

struct plan {
	struct plan_node *nodes;
	size_t n_nodes;
	struct plan_link *links;
	size_t n_links;
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

/* As plan_add_node(), for a symbolic link. */
int plan_add_link(struct plan *plan, const char *ctr_path, const char *target,
		  struct err *err);

/**
 * plan_warn() - Say something that the user should know
 *
 * The same warning twice is one: several GPUs of a kind share their troubles. Control
 * characters become '?'.
 */
void plan_warn(struct plan *plan, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
