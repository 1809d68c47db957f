/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia_cdi_hooks.c - the hooks of a CDI specification, and what else is for the process
 *
 * What the toolkit's own hooks would do in the container is done here, or not needed.
 * Those of other programs are kept: the stage precreate can have the runtime call them.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "host/files.h"
#include "injector/nvidia_cdi.h"
#include "injector/nvidia_files.h"

/* A link to a link to a link. */
#define LINK_DEPTH 8U

/* The hook's own name, "create-symlinks"; NULL: it is none of the toolkit's. */
static const char *name_of_hook(const struct cdi_hook *hook)
{
	const char *slash = strrchr(hook->path, '/');
	const char *program = slash ? slash + 1 : hook->path;

	if (text_equals(program, "nvidia-cdi-hook")) {
		return hook->n_args > 1 ? hook->args[1] : NULL;
	}
	if (text_equals(program, "nvidia-ctk") && hook->n_args > 2 &&
	    text_equals(hook->args[1], "hook")) {
		return hook->args[2];
	}
	return NULL;
}

/* ---- links ------------------------------------------------------------------------- */

/* "TARGET::LINK" of a create-symlinks hook. */
struct wanted_link {
	const char *file; /* of the specification; borrowed */
	char *target;
	char *path;
};

struct wanted_links {
	struct wanted_link *link;
	size_t n;
};

static void wanted_links_clear(struct wanted_links *links)
{
	for (size_t i = 0; i < links->n; i++) {
		free(links->link[i].target);
		free(links->link[i].path);
	}
	free(links->link);
}
DEFINE_CLEANUP(struct wanted_links, wanted_links_clear)

static void take_link(const char *file, const char *text, struct wanted_links *links)
{
	const char *colons = strstr(text, "::");

	if (colons) {
		links->link = xgrow(links->link, links->n, sizeof(*links->link));
		links->link[links->n++] = (struct wanted_link){
			.file = file,
			.target = xstrndup(text, (size_t)(colons - text)),
			.path = xstrdup(colons + 2),
		};
	}
}

static void collect_links(const struct nvidia_cdi_part *part, struct wanted_links *links)
{
	for (size_t i = 0; i < part->edits->n_hooks; i++) {
		const struct cdi_hook *hook = &part->edits->hooks[i];
		const char *name = name_of_hook(hook);

		if (!name || !text_equals(name, "create-symlinks")) {
			continue;
		}
		for (size_t arg = 2; arg < hook->n_args; arg++) {
			if (text_equals(hook->args[arg], "--link") &&
			    arg + 1 < hook->n_args) {
				take_link(part->file, hook->args[++arg], links);
			} else if (text_starts_with(hook->args[arg], "--link=")) {
				take_link(part->file, hook->args[arg] + strlen("--link="),
					  links);
			}
		}
	}
}

/* Where @target leads from the directory of @link, "." and ".." taken away; "" above the
   root. To free(). */
static char *follow(const char *link, const char *target)
{
	size_t dir_len = (size_t)(nvidia_cdi_base_name(link) - link);
	autofree char *all = *target == '/'
				     ? xstrdup(target)
				     : xasprintf("%.*s%s", (int)dir_len, link, target);
	char *path = xcalloc(strlen(all) + 2, 1);
	size_t len = 0;

	for (const char *part = all; *part;) {
		size_t n = strcspn(part, "/");

		if (n == 2 && part[0] == '.' && part[1] == '.') {
			while (len > 0 && path[--len] != '/') {
				continue;
			}
		} else if (n > 0 && !(n == 1 && part[0] == '.')) {
			path[len++] = '/';
			memcpy(path + len, part, n);
			len += n;
		}
		part += n;
		part += *part == '/';
	}
	path[len] = '\0';
	return path;
}

/* Is it a link to this file, or in the directory of one its SONAME? The toolkit leaves
   SONAMEs to ldconfig, or did until 1.18. */
static bool is_file_at(const struct driver_file *file, const char *path)
{
	size_t dir_len = (size_t)(nvidia_cdi_base_name(path) - path);

	for (size_t i = 0; i < file->n_links; i++) {
		const char *link = file->links[i];

		if (text_equals(link, path) ||
		    (driver_file_is_library(file->kind) && *link == '/' &&
		     (size_t)(nvidia_cdi_base_name(link) - link) == dir_len &&
		     strncmp(link, path, dir_len) == 0 &&
		     text_equals(file->links[0], nvidia_cdi_base_name(path)))) {
			return true;
		}
	}
	return false;
}

static struct driver_file *find_file(const struct nvidia_cdi_reader *reader,
				     const char *path)
{
	for (size_t i = 0; i < reader->files->n_files; i++) {
		if (is_file_at(&reader->files->files[i], path)) {
			return &reader->files->files[i];
		}
	}
	return NULL;
}

/* By its place, or any name of a library: that of an unwanted one is not looked up. */
static bool is_unwanted(const struct nvidia_cdi_reader *reader, const char *path)
{
	for (size_t i = 0; i < reader->n_unwanted; i++) {
		const char *unwanted = reader->unwanted[i];
		const char *suffix = strstr(unwanted, ".so.");
		size_t len = suffix ? (size_t)(suffix - unwanted) + strlen(".so")
				    : strlen(unwanted) + 1;

		if (strncmp(unwanted, path, len) == 0) {
			return true;
		}
	}
	return false;
}

static const struct wanted_link *find_link(const struct wanted_links *links,
					   const char *path)
{
	for (size_t i = 0; i < links->n; i++) {
		if (text_equals(links->link[i].path, path)) {
			return &links->link[i];
		}
	}
	return NULL;
}

/* Has another file a link of this path? A file's own place, and a library's SONAME, count
   more than what a hook would make. */
static bool is_of_another(const struct nvidia_cdi_reader *reader,
			  const struct driver_file *file, const char *path)
{
	for (size_t i = 0; i < reader->files->n_files; i++) {
		const struct driver_file *other = &reader->files->files[i];
		const char *dir = nvidia_link_dir(other->kind, reader->wish->ctr);

		for (size_t j = 0; j < other->n_links && other != file; j++) {
			const char *link = other->links[j];
			autofree char *full =
				*link == '/' ? xstrdup(link)
					     : xasprintf("%s/%s", dir ? dir : "", link);

			if (text_equals(full, path)) {
				return true;
			}
		}
	}
	return false;
}

/* Leads straight to the file: between it and the image's directories nothing may depend
   on other links that an image could have in another way. */
static int add_link(struct nvidia_cdi_reader *reader, const struct wanted_links *links,
		    const struct wanted_link *link, struct err *err)
{
	const struct wanted_link *at = link;
	int r;

	reader->file = link->file;
	r = nvidia_cdi_check_path(reader, "link", link->path, err);

	/* Those to nodes come with the nodes. */
	if (r < 0 || nvidia_cdi_is_no_place(link->path)) {
		return r;
	}
	for (size_t depth = 0; at && depth < LINK_DEPTH; depth++) {
		autofree char *path = follow(at->path, at->target);
		struct driver_file *file = *path ? find_file(reader, path) : NULL;

		if (file) {
			if (!is_of_another(reader, file, link->path)) {
				driver_files_add_link(reader->files, file, link->path);
			}
			return 0;
		}
		if (is_unwanted(reader, path)) {
			return 0;
		}
		at = *path ? find_link(links, path) : NULL;
	}
	nvidia_cdi_leave_out(reader, link->path, "a link to none of its files");
	return 0;
}

int nvidia_cdi_read_links(struct nvidia_cdi_reader *reader, struct err *err)
{
	cleanup(wanted_links_clearp) struct wanted_links links = {0};

	for (size_t i = 0; i < reader->n_parts; i++) {
		collect_links(&reader->parts[i], &links);
	}
	for (size_t i = 0; i < links.n; i++) {
		if (add_link(reader, &links, &links.link[i], err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

/* ---- the process ------------------------------------------------------------------- */

/* These are done here: links, the loader's cache, the driver's parameters. For a time the
   toolkit's files had a hook for SONAMEs alone. Source: its cmd/nvidia-cdi-hook. */
static bool is_done_here(const struct cdi_hook *hook)
{
	static const char *const names[] = {"create-symlinks", "create-soname-symlinks",
					    "update-ldcache",
					    "disable-device-node-modification"};
	const char *name = name_of_hook(hook);

	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
		if (text_equals(name, names[i])) {
			return true;
		}
	}
	return false;
}

static int read_hook(struct nvidia_cdi_reader *reader, const struct cdi_hook *hook,
		     struct err *err)
{
	autofree char *path = NULL;

	if (is_done_here(hook)) {
		return 0;
	}
	if (nvidia_cdi_check_path(reader, "hook", hook->path, err) < 0) {
		return -err->code;
	}
	if (host_find_file(reader->host, hook->path, S_IFREG, &path) < 0) {
		return nvidia_cdi_refuse_stale(
			reader, err, "its hook '%.200s' is not there", hook->path);
	}
	driver_files_add_hook(reader->files, hook);
	return 0;
}

int nvidia_cdi_read_process(struct nvidia_cdi_reader *reader,
			    const struct cdi_edits *edits, struct err *err)
{
	struct driver_files *files = reader->files;

	for (size_t i = 0; i < edits->n_hooks; i++) {
		if (read_hook(reader, &edits->hooks[i], err) < 0) {
			return -err->code;
		}
	}
	for (size_t i = 0; i < edits->n_env; i++) {
		driver_files_add_env(files, edits->env[i]);
	}
	for (size_t i = 0; i < edits->n_gids; i++) {
		/* Root's group is nobody's to give. Source: CDI's Apply(). */
		if (edits->gids[i] != 0) {
			files->gids =
				xgrow(files->gids, files->n_gids, sizeof(*files->gids));
			files->gids[files->n_gids++] = edits->gids[i];
		}
	}
	if (edits->has_net_devices) {
		nvidia_cdi_leave_out(reader, "netDevices",
				     "network interfaces are no GPU's");
	}
	if (edits->has_rdt) {
		nvidia_cdi_leave_out(reader, "intelRdt", "it is no GPU's");
	}
	return 0;
}
