/* SPDX-License-Identifier: Apache-2.0 */
/* libraries.c - the shared libraries of the host that somebody wants */

#include "host/libraries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "host/elf.h"
#include "host/files.h"

/* Some standard directories, and those of the loader's cache. */
#define DIRS_MAX 64U

struct dir_id {
	dev_t device;
	ino_t inode;
};

/* One directory's part of a search. */
struct scan {
	const struct library_search *search;
	struct host_dir *dir;
	const struct names *names;
};

void libraries_clear(struct libraries *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->library[i].path);
		free(list->library[i].name);
		free(list->library[i].soname);
		free(list->library[i].dev_name);
	}
	free(list->library);
	free(list->unread);
	*list = (struct libraries){0};
}

static bool has_library(const struct libraries *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++) {
		if (text_equals(list->library[i].name, name)) {
			return true;
		}
	}
	return false;
}

/* Of the thousands of names in a library directory: the wanted ones, and what may be
   their names for a linker. */
static bool may_be_of_use(const char *name, const void *context)
{
	const struct library_search *search = context;
	size_t len = strlen(name);

	return text_starts_with(name, "lib") &&
	       ((len > 3 && text_equals(name + len - 3, ".so")) ||
		search->is_wanted(name, search->context));
}

/* "libcuda.so" for "libcuda.so.580.95.05", if it is in the directory; or NULL. */
static char *find_dev_name(const struct names *names, const char *name)
{
	const char *suffix = strstr(name, ".so.");
	autofree char *dev_name = NULL;

	if (!suffix) {
		return NULL;
	}
	dev_name = xstrndup(name, (size_t)(suffix - name) + 3);
	return names_have(names, dev_name) ? steal_ptr(&dev_name) : NULL;
}

/* What open() and elf_read_library() say of something that only has a library's name. */
static bool is_of_no_library(int r)
{
	return r == -ENOEXEC || r == -ENOENT || r == -ENOTDIR || r == -ELOOP ||
	       r == -EINVAL || r == -ENXIO;
}

static void add_library(const struct scan *scan, const char *name, struct libraries *list)
{
	struct elf_library elf = {0};
	autofree char *path = NULL;
	autoclose int fd = host_dir_open_file(scan->dir, name, &path);
	uint16_t machine = scan->search->bits == 64 ? elf_machine_64 : elf_machine_32;
	int r = fd < 0 ? fd : elf_read_library(fd, &elf);

	if (r < 0 && !is_of_no_library(r) && !list->unread) {
		list->unread = xasprintf("%s/%s", scan->dir->path, name);
		list->unread_code = -r;
	}
	if (r < 0 || elf.bits != scan->search->bits || elf.machine != machine) {
		return;
	}
	list->library = xgrow(list->library, list->n, sizeof(*list->library));
	list->library[list->n++] = (struct library){
		.path = steal_ptr(&path),
		.name = xstrdup(name),
		.soname = xstrdup(*elf.soname ? elf.soname : name),
		.dev_name = find_dev_name(scan->names, name),
	};
}

static bool is_known(const struct dir_id *known, size_t n, const struct dir_id *id)
{
	for (size_t i = 0; i < n; i++) {
		if (known[i].device == id->device && known[i].inode == id->inode) {
			return true;
		}
	}
	return false;
}

static void scan_dir(const struct library_search *search, struct host_dir *dir,
		     struct libraries *list)
{
	cleanup(names_clearp) struct names names = {0};
	const struct scan scan = {search, dir, &names};

	if (host_dir_list(dir, may_be_of_use, search, &names) < 0) {
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		if (search->is_wanted(names.name[i], search->context) &&
		    !has_library(list, names.name[i])) {
			add_library(&scan, names.name[i], list);
		}
	}
}

void host_find_libraries(const struct host *root, const struct library_search *search,
			 struct libraries *ret)
{
	struct dir_id known[DIRS_MAX];
	size_t n_known = 0;

	for (const char *const *path = search->dirs; *path && n_known < DIRS_MAX;
	     path++) {
		cleanup(host_dir_closep) struct host_dir dir = {.fd = -1};
		struct stat st;
		struct dir_id id;

		if (host_dir_open(root, *path, &dir) < 0 || fstat(dir.fd, &st) < 0) {
			continue;
		}
		id = (struct dir_id){st.st_dev, st.st_ino};
		if (!is_known(known, n_known, &id)) {
			known[n_known++] = id;
			scan_dir(search, &dir, ret);
		}
	}
}
