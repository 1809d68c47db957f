/* SPDX-License-Identifier: Apache-2.0 */
/* driver_files.c - the user-space files of a GPU driver */

#include "model/driver_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

static void clear_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(texts[i]);
	}
	free(texts);
}

void driver_files_clear(struct driver_files *files)
{
	for (size_t i = 0; i < files->n_files; i++) {
		free(files->files[i].host_path);
		free(files->files[i].place);
		clear_texts(files->files[i].links, files->files[i].n_links);
	}
	free(files->files);
	free(files->version);
	free(files->params);
	clear_texts(files->warnings, files->n_warnings);
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
