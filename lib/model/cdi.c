/* SPDX-License-Identifier: Apache-2.0 */
/* cdi.c - what specifications of the Container Device Interface say */

#include "model/cdi.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

static char **copy_texts(char *const *texts, size_t n)
{
	char **copy = n > 0 ? xcalloc(n, sizeof(*copy)) : NULL;

	for (size_t i = 0; i < n; i++) {
		copy[i] = xstrdup(texts[i]);
	}
	return copy;
}

static bool equal_texts(char *const *one, size_t n_one, char *const *other,
			size_t n_other)
{
	for (size_t i = 0; i < n_one && n_one == n_other; i++) {
		if (!text_equals(one[i], other[i])) {
			return false;
		}
	}
	return n_one == n_other;
}

void cdi_origin_clear(struct cdi_origin *origin)
{
	free(origin->device);
	free(origin->file);
	*origin = (struct cdi_origin){0};
}

void cdi_hook_clear(struct cdi_hook *hook)
{
	free(hook->stage);
	free(hook->path);
	free_texts(hook->args, hook->n_args);
	free_texts(hook->env, hook->n_env);
	*hook = (struct cdi_hook){0};
}

void cdi_hook_copy(const struct cdi_hook *hook, struct cdi_hook *ret)
{
	*ret = (struct cdi_hook){
		.stage = xstrdup(hook->stage),
		.path = xstrdup(hook->path),
		.args = copy_texts(hook->args, hook->n_args),
		.n_args = hook->n_args,
		.env = copy_texts(hook->env, hook->n_env),
		.n_env = hook->n_env,
		.timeout = hook->timeout,
	};
}

bool cdi_hook_equals(const struct cdi_hook *one, const struct cdi_hook *other)
{
	return text_equals(one->stage, other->stage) &&
	       text_equals(one->path, other->path) && one->timeout == other->timeout &&
	       equal_texts(one->args, one->n_args, other->args, other->n_args) &&
	       equal_texts(one->env, one->n_env, other->env, other->n_env);
}

void cdi_edits_clear(struct cdi_edits *edits)
{
	for (size_t i = 0; i < edits->n_nodes; i++) {
		free(edits->nodes[i].path);
		free(edits->nodes[i].host_path);
	}
	for (size_t i = 0; i < edits->n_mounts; i++) {
		struct cdi_mount *mount = &edits->mounts[i];

		free(mount->host_path);
		free(mount->ctr_path);
		free(mount->type);
	}
	for (size_t i = 0; i < edits->n_hooks; i++) {
		cdi_hook_clear(&edits->hooks[i]);
	}
	free(edits->nodes);
	free(edits->mounts);
	free(edits->hooks);
	free_texts(edits->env, edits->n_env);
	free(edits->gids);
	*edits = (struct cdi_edits){0};
}

void cdi_spec_clear(struct cdi_spec *spec)
{
	for (size_t i = 0; i < spec->n_devices; i++) {
		free(spec->devices[i].name);
		cdi_edits_clear(&spec->devices[i].edits);
	}
	free(spec->devices);
	cdi_edits_clear(&spec->edits);
	free(spec->file);
	free(spec->kind);
	*spec = (struct cdi_spec){0};
}

void cdi_registry_clear(struct cdi_registry *registry)
{
	for (size_t i = 0; i < registry->n_specs; i++) {
		cdi_spec_clear(&registry->specs[i]);
	}
	free(registry->specs);
	free_texts(registry->problems, registry->n_problems);
	*registry = (struct cdi_registry){0};
}

void cdi_registry_take(struct cdi_registry *registry, struct cdi_spec *spec)
{
	registry->specs =
		xgrow(registry->specs, registry->n_specs, sizeof(*registry->specs));
	registry->specs[registry->n_specs++] = *spec;
	*spec = (struct cdi_spec){0};
}

void cdi_registry_add_problem(struct cdi_registry *registry, const char *text)
{
	registry->problems = xgrow(registry->problems, registry->n_problems,
				   sizeof(*registry->problems));
	registry->problems[registry->n_problems++] = xstrdup(text);
}

static const struct cdi_device *find_device(const struct cdi_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->n_devices; i++) {
		if (text_equals(spec->devices[i].name, name)) {
			return &spec->devices[i];
		}
	}
	return NULL;
}

int cdi_registry_find(const struct cdi_registry *registry, const char *name,
		      const struct cdi_spec **ret_spec,
		      const struct cdi_device **ret_device, struct err *err)
{
	const struct cdi_device *device = NULL;
	const struct cdi_spec *rival = NULL;
	const struct cdi_spec *spec = NULL;

	for (size_t i = 0; i < registry->n_specs; i++) {
		const struct cdi_spec *candidate = &registry->specs[i];
		const struct cdi_device *found = find_device(candidate, name);

		if (!found || (spec && candidate->dir < spec->dir)) {
			continue;
		}
		rival = spec && candidate->dir == spec->dir ? spec : NULL;
		spec = candidate;
		device = found;
	}
	if (!spec) {
		return err_set(err, ENOENT,
			       "find CDI device '%s': no specification has it", name);
	}
	if (rival) {
		return err_set(
			err, EEXIST,
			"find CDI device '%s': '%s' and '%s' both define it; remove "
			"one of them",
			name, rival->file, spec->file);
	}
	*ret_spec = spec;
	*ret_device = device;
	return 0;
}
