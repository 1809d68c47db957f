/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * edit_config.h - apply a plan to a config.json, before there is a container
 *
 * What the runtime is told from the start it keeps: through systemd's re-applying of a
 * unit, an update of the container, and a restart. Nodes, device rules, mounts,
 * variables, groups and the hooks of others are written into the configuration. Links and
 * files with our own content have no words there, and with them goes all of the directory
 * of our own: they are left to our hook at createRuntime. That is always registered in
 * the configuration itself where it is not yet, since it also keeps the GPUs from others;
 * precreate knows no process to do so for.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/io.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "oci/config.h"
#include "oci/config_edit.h"

/* All borrowed. */
struct edit_config_target {
	const struct bytes *text; /* config.json */
	const struct container *ctr;
	const struct config_edit *edit; /* what is in it */
	const struct gpu *const *gpus;	/* chosen: noted in CHOICE_ANNOTATION */
	size_t n_gpus;
	const char *host_root; /* where the plan's host paths are: "/" */
	bool is_rootless;
	bool are_volumes_sure; /* inspect_volumes(): no link leads one elsewhere */

	/* Our hook, as it would be registered. */
	const char *hook_path;
	const char *const *hook_args; /* NULL behind the last; [0] is the name */
	const char *hook_env;	      /* "NAME=value" or NULL */
	unsigned int hook_timeout;    /* seconds */
};

/**
 * edit_config() - The config.json with the plan in it
 * @ret:	bytes_clear() it. Every byte of the old text is in it, in its order, but
 *		for the value of an older CHOICE_ANNOTATION
 * @err:	EEXIST: something else is configured at the path of a node or mount;
 *		EINVAL: a path that JSON cannot hold
 *
 * With a user namespace, the container's or our own, nodes are bind mounts: nobody can
 * make them there. Rootless there are no rules: no device filter is there either.
 *
 * A node that would be made in a volume is left to our hook; so is each one if it is not
 * sure where the volumes are.
 *
 * Doing it twice adds no node, mount, rule or group twice. A variable is added each time,
 * of two the last one counts; and so is a hook of somebody else.
 */
int edit_config(const struct plan *plan, const struct edit_config_target *target,
		struct bytes *ret, struct err *err);
