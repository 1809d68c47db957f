/* SPDX-License-Identifier: Apache-2.0 */
/* edit_config.c - apply a plan to a config.json, before there is a container */

#include "backend/edit_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_guard.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "model/choice.h"

struct additions {
	const struct edit_config_target *target;
	char *text[PLACE_COUNT];
};

static void additions_clear(struct additions *additions)
{
	for (int i = 0; i < PLACE_COUNT; i++) {
		free(additions->text[i]);
	}
}
DEFINE_CLEANUP(struct additions, additions_clear)

/* @value: taken; NULL: memory is short, or a text is not UTF-8. */
static int add(struct additions *additions, enum place_id id, json_t *value,
	       struct err *err)
{
	autofree char *text =
		value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	autofree char *old = additions->text[id];

	json_decref(value);
	additions->text[id] = NULL;
	if (!text) {
		return err_set(err, EINVAL,
			       "write config.json: a path of the host is not UTF-8, "
			       "which JSON cannot hold; rename it");
	}
	additions->text[id] = old ? xasprintf("%s,%s", old, text) : xstrdup(text);
	return 0;
}

/* ---- paths ------------------------------------------------------------------------- */

static char *host_path(const struct additions *additions, const char *path)
{
	const char *root = additions->target->host_root;

	return text_equals(root, "/") ? xstrdup(path) : xasprintf("%s%s", root, path);
}

/* ---- mounts ------------------------------------------------------------------------ */

static int add_bind(struct additions *additions, const char *source,
		    const char *destination, json_t *options, struct err *err)
{
	return add(additions, PLACE_MOUNTS,
		   json_pack("{s:s,s:s,s:s,s:o}", "destination", destination, "type",
			     "bind", "source", source, "options", options),
		   err);
}

/* Is something mounted at this place already? Then it must be the same. */
static int find_mount(const struct additions *additions, const char *destination,
		      const char *source, bool *ret, struct err *err)
{
	const struct config_edit *edit = additions->target->edit;

	*ret = false;
	for (size_t i = 0; i < edit->n_mounts; i++) {
		const struct config_mount *mount = &edit->mounts[i];

		if (path_relate(mount->destination, destination) != PATH_SAME) {
			continue;
		}
		if (!mount->is_bind || path_relate(mount->source, source) != PATH_SAME) {
			return err_set(err, EEXIST,
				       "place '%s' of the container: config.json mounts "
				       "'%.200s' there, and '%s' belongs there; do not "
				       "ask the engine for that mount",
				       destination, mount->source, source);
		}
		*ret = true;
	}
	return 0;
}

static int add_mount(struct additions *additions, const struct plan_mount *mount,
		     struct err *err)
{
	autofree char *source = host_path(additions, mount->host.text);
	json_t *options = NULL;
	bool is_there = false;

	if (find_mount(additions, mount->ctr.text, source, &is_there, err) < 0) {
		return -err->code;
	}
	if (is_there) {
		return 0;
	}
	switch (mount->kind) {
	case MOUNT_SOCKET:
		options = json_pack("[s,s,s,s,s]", "bind", "ro", "nosuid", "nodev",
				    "noexec");
		break;
	case MOUNT_FILE:
	case MOUNT_KIND_COUNT:
		options = json_pack("[s,s,s,s]", "bind", "ro", "nosuid", "nodev");
		break;
	}
	return add_bind(additions, source, mount->ctr.text, options, err);
}

/* ---- nodes ------------------------------------------------------------------------- */

/* Is this node configured already? Then it must have the same number. */
static int find_device(const struct additions *additions, const struct plan_node *node,
		       bool *ret, struct err *err)
{
	const struct config_edit *edit = additions->target->edit;

	*ret = false;
	for (size_t i = 0; i < edit->n_devices; i++) {
		const struct config_device *device = &edit->devices[i];

		if (path_relate(device->path, node->ctr.text) != PATH_SAME) {
			continue;
		}
		/* 'u' is 'c', unbuffered. */
		if ((device->type != 'c' && device->type != 'u') ||
		    device->major != node->major || device->minor != node->minor) {
			return err_set(err, EEXIST,
				       "place '%s' of the container: config.json has "
				       "'%c' %u:%u there, and c %u:%u belongs there; do "
				       "not ask the engine for that device",
				       node->ctr.text, device->type, device->major,
				       device->minor, node->major, node->minor);
		}
		*ret = true;
	}
	return 0;
}

/* A volume above the place: a runtime would make the node in
   there, on the host. Our hook looks closer. */
static bool may_be_in_volume(const struct additions *additions, const char *path)
{
	const struct config_edit *edit = additions->target->edit;

	if (!additions->target->are_volumes_sure) {
		return true;
	}
	for (size_t i = 0; i < edit->n_mounts; i++) {
		const struct config_mount *mount = &edit->mounts[i];

		if (mount->has_content &&
		    path_relate(mount->destination, path) == PATH_ABOVE) {
			return true;
		}
	}
	return false;
}

/* The runtime makes it: with the owner and mode of the plan, or else
   of the host's node. */
static json_t *make_device(const struct plan_node *node)
{
	bool is_private = node->is_private;

	return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I}", "path", node->ctr.text, "type",
			 "c", "major", (json_int_t)node->major, "minor",
			 (json_int_t)node->minor, "fileMode",
			 (json_int_t)(is_private ? node->private_mode : node->mode),
			 "uid", (json_int_t)(is_private ? node->private_uid : node->uid),
			 "gid", (json_int_t)(is_private ? node->private_gid : node->gid));
}

static int place_node(struct additions *additions, const struct plan_node *node,
		      struct err *err)
{
	autofree char *source = host_path(additions, node->host.text);
	bool is_device = false;
	bool is_mount = false;

	if (find_device(additions, node, &is_device, err) < 0 ||
	    find_mount(additions, node->ctr.text, source, &is_mount, err) < 0) {
		return -err->code;
	}
	if (is_device || is_mount) {
		return 0;
	}
	/* In a user namespace the runtime cannot make nodes, but our hook can. */
	if (may_be_in_volume(additions, node->ctr.text) ||
	    (node->is_private && additions->target->ctr->has_user_namespace)) {
		return 0;
	}
	/* There it binds the host's. Read-only as at createRuntime: it opens,
	   but cannot be changed. */
	if (additions->target->is_rootless ||
	    additions->target->ctr->has_user_namespace) {
		return add_bind(additions, source, node->ctr.text,
				json_pack("[s,s,s,s]", "bind", "ro", "nosuid", "noexec"),
				err);
	}
	return add(additions, PLACE_DEVICES, make_device(node), err);
}

/*
 * Without any rule runc denies and crun filters nothing: a first one would have crun deny
 * everything else. So there our hook opens whatever filter it finds.
 */
static int allow_node(struct additions *additions, const struct plan_node *node,
		      struct err *err)
{
	const struct container *ctr = additions->target->ctr;

	if (additions->target->is_rootless || ctr->n_device_rules == 0 ||
	    container_allows_node(ctr, node->major, node->minor)) {
		return 0;
	}
	return add(additions, PLACE_DEVICE_RULES,
		   json_pack("{s:b,s:s,s:I,s:I,s:s}", "allow", 1, "type", "c", "major",
			     (json_int_t)node->major, "minor", (json_int_t)node->minor,
			     "access", "rw"),
		   err);
}

/* ---- the rest ---------------------------------------------------------------------- */

static int add_hook(struct additions *additions, struct err *err)
{
	const struct edit_config_target *target = additions->target;
	json_t *args = json_array();
	json_t *hook;

	for (size_t i = 0; args && target->hook_args[i]; i++) {
		if (json_array_append_new(args, json_string(target->hook_args[i])) < 0) {
			json_decref(args);
			args = NULL;
		}
	}
	hook = json_pack("{s:s,s:o,s:I}", "path", target->hook_path, "args", args,
			 "timeout", (json_int_t)target->hook_timeout);
	if (hook && target->hook_env &&
	    json_object_set_new(hook, "env", json_pack("[s]", target->hook_env)) < 0) {
		json_decref(hook);
		hook = NULL;
	}
	return add(additions, PLACE_CREATE_RUNTIME, hook, err);
}

/* Takes @array. */
static json_t *append_texts(json_t *array, char *const *texts, size_t n)
{
	for (size_t i = 0; i < n && array; i++) {
		if (json_array_append_new(array, json_string(texts[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

/* What a hook of somebody else runs with if its specification says nothing: an
   empty list means the container's own to runc before 1.3, and LD_PRELOAD is the
   image's (CVE-2025-23266). */
#define HOOK_PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

/* Others' hooks that a specification names. */
static json_t *make_kept_hook(const struct cdi_hook *hook, const char *path)
{
	json_t *env = hook->n_env > 0 ? append_texts(json_array(), hook->env, hook->n_env)
				      : json_pack("[s]", HOOK_PATH);
	json_t *object = json_pack("{s:s,s:o,s:o}", "path", path, "args",
				   append_texts(json_array(), hook->args, hook->n_args),
				   "env", env);

	if (object && hook->timeout > 0 &&
	    json_object_set_new(object, "timeout", json_integer(hook->timeout)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int add_kept_hooks(struct additions *additions, const struct plan *plan,
			  struct err *err)
{
	for (size_t i = 0; i < plan->n_hooks; i++) {
		enum place_id id = config_place_of_stage(plan->hooks[i].stage);
		autofree char *path = NULL;

		if (id == PLACE_COUNT) {
			return err_set(err, EINVAL, "hook '%s': there is no stage '%s'",
				       plan->hooks[i].path, plan->hooks[i].stage);
		}
		path = host_path(additions, plan->hooks[i].path);
		if (add(additions, id, make_kept_hook(&plan->hooks[i], path), err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

static int add_process(struct additions *additions, const struct plan *plan,
		       struct err *err)
{
	for (size_t i = 0; i < plan->n_env; i++) {
		if (add(additions, PLACE_ENV, json_string(plan->env[i]), err) < 0) {
			return -err->code;
		}
	}
	for (size_t i = 0; i < plan->n_additional_gids; i++) {
		gid_t gid = plan->additional_gids[i];

		if (!container_has_group(additions->target->ctr, gid) &&
		    add(additions, PLACE_GIDS, json_integer(gid), err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

/* An object's member is written by hand: there is one, and its key needs no escape. */
static int note_choice(struct additions *additions, struct err *err)
{
	const struct edit_config_target *target = additions->target;
	autofree char *choice = choice_format(target->gpus, target->n_gpus);

	return add(additions, PLACE_CHOICE, json_string(choice), err);
}

static int collect(const struct plan *plan, struct additions *additions, struct err *err)
{
	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (place_node(additions, &plan->nodes[i], err) < 0 ||
		    allow_node(additions, &plan->nodes[i], err) < 0) {
			return -err->code;
		}
	}
	for (size_t i = 0; i < plan->n_mounts; i++) {
		bool is_left = plan->own_dir &&
			       path_relate(plan->own_dir, plan->mounts[i].ctr.text) ==
				       PATH_ABOVE;

		if (!is_left && add_mount(additions, &plan->mounts[i], err) < 0) {
			return -err->code;
		}
	}
	if (add_process(additions, plan, err) < 0) {
		return -err->code;
	}
	if (add_kept_hooks(additions, plan, err) < 0) {
		return -err->code;
	}
	/* Always: it also writes down who has which GPU. */
	if (!additions->target->edit->has_hook && add_hook(additions, err) < 0) {
		return -err->code;
	}
	return note_choice(additions, err);
}

int edit_config(const struct plan *plan, const struct edit_config_target *target,
		struct bytes *ret, struct err *err)
{
	cleanup(additions_clearp) struct additions additions = {.target = target};
	const char *texts[PLACE_COUNT];

	json_guard_seed();
	if (collect(plan, &additions, err) < 0) {
		return -err->code;
	}
	for (int i = 0; i < PLACE_COUNT; i++) {
		texts[i] = additions.text[i];
	}
	return config_places_splice(&target->edit->places, target->text->data,
				    target->text->len, texts, ret, err);
}
