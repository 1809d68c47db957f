/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia_cdi_files.c - the files of NVIDIA's driver that a CDI specification lists
 *
 * Theory of operation. A specification mounts each file over its own place in the
 * container, and has hooks make links and run ldconfig. Here each file goes into the
 * directory of our own, below the path that the specification gives it, and what is in
 * the image's directories are links: at the place that the specification names, at those
 * of its create-symlinks hooks (nvidia_cdi_hooks.c), and, instead of ldconfig, of each
 * library its SONAME in the directory where the container's loader looks.
 *
 * What the request's capabilities do not ask for is left out, by the same tables as for
 * files that were found on the host: a policy bounds them.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "host/elf.h"
#include "host/files.h"
#include "injector/nvidia_cdi.h"
#include "injector/nvidia_files.h"
#include "injector/nvidia_names.h"

int nvidia_cdi_refuse_stale(const struct nvidia_cdi_reader *reader, struct err *err,
			    const char *fmt, ...)
{
	struct err why;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why.msg, sizeof(why.msg), fmt, ap);
	va_end(ap);
	return err_set(err, ESTALE,
		       "CDI specification '%s' is out of date: %s; make it anew: "
		       "nvidia-ctk cdi generate --output=%s",
		       reader->file, why.msg, reader->file);
}

/* ---- paths ------------------------------------------------------------------------- */

/* As the last look at a plan wants it, see check_plan(): there it could not be said any
   more that it is this file that is wrong. */
static bool is_clean(const char *path)
{
	if (*path != '/' || text_has_control_character(path)) {
		return false;
	}
	do {
		size_t len;

		path++;
		len = strcspn(path, "/");
		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.')) {
			return false;
		}
		path += len;
	} while (*path);
	return true;
}

int nvidia_cdi_check_path(const struct nvidia_cdi_reader *reader, const char *what,
			  const char *path, struct err *err)
{
	if (is_clean(path)) {
		return 0;
	}
	return err_set(err, EINVAL,
		       "CDI specification '%s': %s '%.200s': not absolute, or with an "
		       "empty, '.' or '..' component or a control character in it",
		       reader->file, what, path);
}

const char *nvidia_cdi_base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

bool nvidia_cdi_is_no_place(const char *path)
{
	static const char *const dirs[] = {"/dev", "/proc", "/sys"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		size_t len = strlen(dirs[i]);

		if (text_starts_with(path, dirs[i]) &&
		    (path[len] == '/' || path[len] == '\0')) {
			return true;
		}
	}
	return false;
}

/* ---- what is wanted ---------------------------------------------------------------- */

static bool ends_with_name(const char *path, const char *name)
{
	size_t path_len = strlen(path);
	size_t len = strlen(name);

	return path_len > len && path[path_len - len - 1] == '/' &&
	       text_equals(path + path_len - len, name);
}

/* A file that no table has is for every capability: each branch of the
   driver has new ones. */
static bool is_wanted(const struct nvidia_cdi_reader *reader, const char *path)
{
	const struct nvidia_file *const tables[] = {nvidia_programs, nvidia_shared_data,
						    nvidia_etc_data, nvidia_sockets};
	uint32_t capabilities = reader->wish->spec->capabilities;
	const struct nvidia_library *library =
		reader->version
			? nvidia_find_library(nvidia_cdi_base_name(path), reader->version)
			: NULL;

	if (library) {
		return library->capabilities & capabilities;
	}
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct nvidia_file *row = tables[i]; row->name; row++) {
			if (ends_with_name(path, row->name)) {
				return row->capabilities & capabilities;
			}
		}
	}
	return true;
}

static void note_unwanted(struct nvidia_cdi_reader *reader, const char *path)
{
	reader->unwanted =
		xgrow(reader->unwanted, reader->n_unwanted, sizeof(*reader->unwanted));
	reader->unwanted[reader->n_unwanted++] = path;
}

/* By the two libraries that the toolkit takes the version from as well. */
static int check_version(const struct nvidia_cdi_reader *reader, const char *path,
			 struct err *err)
{
	static const char *const starts[] = {"libcuda.so.", "libnvidia-ml.so."};
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		const char *version = name + strlen(starts[i]);

		/* Of "libcuda.so.1" it cannot be told. */
		if (reader->version && text_starts_with(name, starts[i]) &&
		    strchr(version, '.') && !text_equals(version, reader->version)) {
			return nvidia_cdi_refuse_stale(
				reader, err, "it is of driver %.40s, and %s is running",
				version, reader->version);
		}
	}
	return 0;
}

static int check_versions(const struct nvidia_cdi_reader *reader,
			  const struct cdi_edits *edits, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < edits->n_mounts && r == 0; i++) {
		r = check_version(reader, edits->mounts[i].ctr_path, err);
	}
	return r;
}

/* ---- mounts ------------------------------------------------------------------------ */

void nvidia_cdi_leave_out(const struct nvidia_cdi_reader *reader, const char *path,
			  const char *why)
{
	driver_files_warn(reader->files,
			  "CDI specification '%s': '%.200s' is left out: %s",
			  reader->file, path, why);
}

/* One of another machine, or no library at all, is a file like any other. Return: 0, or
   negative errno. */
static int look_at_library(int fd, const char *path, struct elf_library *library,
			   enum driver_file_kind *ret)
{
	const char *name = nvidia_cdi_base_name(path);
	int r;

	*ret = DRIVER_FILE;
	if (!text_starts_with(name, "lib") || !strstr(name, ".so")) {
		return 0;
	}
	r = elf_read_library(fd, library);
	if (r == 0 && library->bits == 64 && library->machine == elf_machine_64) {
		*ret = DRIVER_LIBRARY;
	} else if (r == 0 && library->bits == 32 && library->machine == elf_machine_32) {
		*ret = DRIVER_LIBRARY_32;
	}
	return r == -ENOEXEC ? 0 : r;
}

/* Is something mounted where a library's SONAME would be? Then that is it, as ldconfig
   makes no link where a file is. */
static bool is_soname_mounted(const struct nvidia_cdi_reader *reader,
			      enum driver_file_kind kind, const char *soname)
{
	const char *dir = nvidia_link_dir(kind, reader->wish->ctr);
	autofree char *path = xasprintf("%s/%s", dir ? dir : "", soname);

	for (size_t i = 0; i < reader->n_parts; i++) {
		const struct cdi_edits *edits = reader->parts[i].edits;

		for (size_t j = 0; j < edits->n_mounts; j++) {
			if (text_equals(edits->mounts[j].ctr_path, path)) {
				return true;
			}
		}
	}
	return false;
}

/* Libraries are in one directory, as those that are found on the host, for who sets
   LD_LIBRARY_PATH; but of one name there may be two. */
static void add_file(struct nvidia_cdi_reader *reader, enum driver_file_kind kind,
		     const char *host_path, const char *ctr_path, const char *soname)
{
	autofree char *place =
		xasprintf("%s/%s", kind == DRIVER_LIBRARY ? "lib" : "lib32",
			  nvidia_cdi_base_name(ctr_path));
	struct driver_file *file = NULL;

	if (driver_file_is_library(kind)) {
		file = driver_files_add(reader->files, kind, host_path, place);
	}
	if (!file) {
		file = driver_files_add(reader->files, kind, host_path, ctr_path + 1);
	}
	if (file && soname && *soname && !is_soname_mounted(reader, kind, soname)) {
		driver_files_add_link(reader->files, file, soname);
	}
	if (file) {
		driver_files_add_link(reader->files, file, ctr_path);
	}
}

/* Another device, or the file's edits of another GPU, may have it as well. */
static bool is_read(const struct nvidia_cdi_reader *reader, const char *ctr_path)
{
	for (int kind = 0; kind < DRIVER_FILE_KIND_COUNT; kind++) {
		if (driver_files_have_link(reader->files, (enum driver_file_kind)kind,
					   ctr_path)) {
			return true;
		}
	}
	return false;
}

static int add_mount(struct nvidia_cdi_reader *reader, const struct cdi_mount *mount,
		     struct err *err)
{
	struct elf_library library = {0};
	autofree char *path = NULL;
	autoclose int fd = -1;
	enum driver_file_kind kind;
	int r;

	fd = host_open_file(reader->host, mount->host_path, &path);
	/* What open() says of a socket. */
	if (fd == -ENXIO &&
	    host_find_file(reader->host, mount->host_path, S_IFSOCK, &path) == 0) {
		add_file(reader, DRIVER_SOCKET, path, mount->ctr_path, NULL);
		return 0;
	}
	if (fd == -ELOOP) {
		nvidia_cdi_leave_out(reader, mount->host_path,
				     "on the host a link in a directory "
				     "that is not root's leads to it");
		return 0;
	}
	if (fd == -EINVAL || fd == -ENXIO) {
		nvidia_cdi_leave_out(reader, mount->host_path,
				     "on the host it is neither a file nor a socket");
		return 0;
	}
	if (fd == -ENOENT || fd == -ENOTDIR) {
		return nvidia_cdi_refuse_stale(reader, err, "'%.200s' is not there",
					       mount->host_path);
	}
	r = fd < 0 ? fd : look_at_library(fd, mount->ctr_path, &library, &kind);
	if (r < 0) {
		return err_sys(err, -r, "read '%.200s'", mount->host_path);
	}
	add_file(reader, kind, path, mount->ctr_path, library.soname);
	return 0;
}

static int read_mount(struct nvidia_cdi_reader *reader, const struct cdi_mount *mount,
		      struct err *err)
{
	int r = nvidia_cdi_check_path(reader, "containerPath", mount->ctr_path, err);

	if (r == 0) {
		r = nvidia_cdi_check_path(reader, "hostPath", mount->host_path, err);
	}
	if (r < 0) {
		return r;
	}
	if (!is_wanted(reader, mount->ctr_path)) {
		note_unwanted(reader, mount->ctr_path);
		return 0;
	}
	if (nvidia_cdi_is_no_place(mount->ctr_path)) {
		nvidia_cdi_leave_out(reader, mount->ctr_path, "no place for a file");
		return 0;
	}
	if (mount->type && !text_equals(mount->type, "bind")) {
		nvidia_cdi_leave_out(reader, mount->ctr_path, "it is no bind mount");
		return 0;
	}
	return is_read(reader, mount->ctr_path) ? 0 : add_mount(reader, mount, err);
}

/* Does a later mount of the same edits cover it? */
static bool is_covered(const struct cdi_edits *edits, size_t number)
{
	for (size_t i = number + 1; i < edits->n_mounts; i++) {
		if (text_equals(edits->mounts[i].ctr_path,
				edits->mounts[number].ctr_path)) {
			return true;
		}
	}
	return false;
}

static int read_mounts(struct nvidia_cdi_reader *reader,
		       const struct nvidia_cdi_part *part, struct err *err)
{
	int r = 0;

	reader->file = part->file;
	for (size_t i = 0; i < part->edits->n_mounts && r == 0; i++) {
		if (!is_covered(part->edits, i)) {
			r = read_mount(reader, &part->edits->mounts[i], err);
		}
	}
	return r;
}

int nvidia_cdi_read_files(struct nvidia_cdi_reader *reader, struct err *err)
{
	const struct nvidia_cdi_part *parts = reader->parts;

	/* Says better what is wrong than the first file that is not there. */
	for (size_t i = 0; i < reader->n_parts; i++) {
		reader->file = parts[i].file;
		if (check_versions(reader, parts[i].edits, err) < 0) {
			return -err->code;
		}
	}
	/* Of two for one place the first one that is read stays:
	   from the last part on. */
	for (size_t i = reader->n_parts; i > 0; i--) {
		if (read_mounts(reader, &parts[i - 1], err) < 0) {
			return -err->code;
		}
	}
	return 0;
}
