/* SPDX-License-Identifier: Apache-2.0 */
/* driver_files.c - the user-space files of a GPU driver */

#include "model/driver_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/inventory.h"

void driver_files_clear(struct driver_files *files)
{
	for (size_t i = 0; i < files->n_files; i++) {
		free(files->files[i].host_path);
		free(files->files[i].place);
		free_texts(files->files[i].links, files->files[i].n_links);
	}
	free(files->files);
	free(files->version);
	free(files->params);
	free_texts(files->warnings, files->n_warnings);
	for (size_t i = 0; i < files->n_origins; i++) {
		cdi_origin_clear(&files->origins[i]);
	}
	free(files->origins);
	for (size_t i = 0; i < files->n_nodes; i++) {
		device_node_clear(&files->nodes[i]);
	}
	free(files->nodes);
	for (size_t i = 0; i < files->n_hooks; i++) {
		cdi_hook_clear(&files->hooks[i]);
	}
	free(files->hooks);
	free_texts(files->env, files->n_env);
	free(files->gids);
	*files = (struct driver_files){0};
}

struct driver_file *driver_files_add(struct driver_files *files,
				     enum driver_file_kind kind, const char *host_path,
				     const char *place)
{
	for (size_t i = 0; i < files->n_files; i++) {
		if (text_equals(files->files[i].place, place)) {
			return NULL;
		}
	}
	files->files = xgrow(files->files, files->n_files, sizeof(*files->files));
	files->files[files->n_files] = (struct driver_file){
		.kind = kind,
		.host_path = xstrdup(host_path),
		.place = xstrdup(place),
	};
	return &files->files[files->n_files++];
}

static bool has_link(const struct driver_file *file, const char *link)
{
	for (size_t i = 0; i < file->n_links; i++) {
		if (text_equals(file->links[i], link)) {
			return true;
		}
	}
	return false;
}

bool driver_files_have_link(const struct driver_files *files, enum driver_file_kind kind,
			    const char *link)
{
	for (size_t i = 0; i < files->n_files; i++) {
		if (files->files[i].kind == kind && has_link(&files->files[i], link)) {
			return true;
		}
	}
	return false;
}

void driver_files_add_link(struct driver_files *files, struct driver_file *file,
			   const char *link)
{
	if (driver_files_have_link(files, file->kind, link)) {
		return;
	}
	file->links = xgrow(file->links, file->n_links, sizeof(*file->links));
	file->links[file->n_links++] = xstrdup(link);
}

void driver_files_add_env(struct driver_files *files, const char *name_value)
{
	size_t len = strcspn(name_value, "=") + 1;

	for (size_t i = 0; i < files->n_env; i++) {
		if (strncmp(files->env[i], name_value, len) == 0) {
			free(files->env[i]);
			files->env[i] = xstrdup(name_value);
			return;
		}
	}
	files->env = xgrow(files->env, files->n_env, sizeof(*files->env));
	files->env[files->n_env++] = xstrdup(name_value);
}

void driver_files_add_hook(struct driver_files *files, const struct cdi_hook *hook)
{
	for (size_t i = 0; i < files->n_hooks; i++) {
		if (cdi_hook_equals(&files->hooks[i], hook)) {
			return;
		}
	}
	files->hooks = xgrow(files->hooks, files->n_hooks, sizeof(*files->hooks));
	cdi_hook_copy(hook, &files->hooks[files->n_hooks++]);
}

void driver_files_take_node(struct driver_files *files, struct device_node *node)
{
	for (size_t i = 0; i < files->n_nodes; i++) {
		if (text_equals(files->nodes[i].path, node->path)) {
			device_node_clear(node);
			return;
		}
	}
	files->nodes = xgrow(files->nodes, files->n_nodes, sizeof(*files->nodes));
	files->nodes[files->n_nodes++] = *node;
	*node = (struct device_node){0};
}

void driver_files_warn(struct driver_files *files, const char *fmt, ...)
{
	struct err line = {0};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line.msg, sizeof(line.msg), fmt, ap);
	va_end(ap);
	files->warnings =
		xgrow(files->warnings, files->n_warnings, sizeof(*files->warnings));
	files->warnings[files->n_warnings++] = xstrdup(line.msg);
}
