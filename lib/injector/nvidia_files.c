/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia_files.c - find the user-space files of NVIDIA's driver
 *
 * Theory of operation. The kernel module and its libraries must be of one version, and
 * the libraries have it in their names: so the module is asked for its version, and what
 * ends in ".so.VERSION" in the host's library directories is the driver's. That holds for
 * libraries that did not exist when this was written. Directories are those of the
 * loader's cache, where there is one, and the usual ones.
 *
 * The driver's root is the host's, or that of a driver container. What its daemons have
 * below /var/run is looked for in both.
 *
 * Left out on purpose: firmware, which the kernel loads from the host and no program
 * reads; modules of the X server; the pipes of MPS, which are by default in /tmp, where
 * anybody may have put them.
 */

#include "injector/nvidia_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/ld_cache.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "host/files.h"
#include "host/libraries.h"
#include "injector/nvidia_names.h"

#define VERSION_PATH  NVIDIA_PROC_DIR "/version"
#define LD_CACHE_PATH "/etc/ld.so.cache"

/* Source of the flags: glibc sysdeps/generic/ldconfig.h. */
#if defined(__aarch64__)
#define TRIPLE	       "aarch64-linux-gnu"
#define TRIPLE_32      "arm-linux-gnueabihf"
#define CACHE_FLAGS    0x0a03U
#define CACHE_FLAGS_32 0x0903U
#else
#define TRIPLE	       "x86_64-linux-gnu"
#define TRIPLE_32      "i386-linux-gnu"
#define CACHE_FLAGS    0x0303U
#define CACHE_FLAGS_32 0x0003U
#endif

/* The loader's cache can name so many; a driver's libraries are in two or three. */
#define CACHE_DIRS_MAX 16U
#define DIRS_MAX       48U

/* Source: NVIDIA Container Toolkit internal/lookup/library.go (multiarch, lib64, Debian's
   nvidia/current) and pkg/nvcdi (vdpau). /usr/local/nvidia is where container systems put
   the driver, /run/opengl-driver where NixOS links it. */
static const char *const usual_dirs[] = {
	"/usr/lib/" TRIPLE,
	"/usr/lib/" TRIPLE "/nvidia/current",
	"/usr/lib/" TRIPLE "/vdpau",
	"/usr/lib64",
	"/usr/lib64/vdpau",
	"/usr/lib",
	"/lib/" TRIPLE,
	"/lib64",
	"/lib",
	"/usr/local/nvidia/lib64",
	"/usr/local/nvidia/lib",
	"/run/opengl-driver/lib",
};

static const char *const usual_dirs_32[] = {
	"/usr/lib/" TRIPLE_32,
	"/usr/lib/" TRIPLE_32 "/nvidia/current",
	"/usr/lib/" TRIPLE_32 "/vdpau",
	"/usr/lib32",
	"/usr/lib",
	"/usr/lib/vdpau",
	"/usr/local/nvidia/lib32",
	"/usr/local/nvidia/lib",
	"/run/opengl-driver-32/lib",
};

/* Source: NVIDIA Container Toolkit internal/lookup/path.go. */
static const char *const program_dirs[] = {
	"/usr/bin", "/usr/sbin", "/usr/local/bin",	  "/usr/local/sbin",
	"/bin",	    "/sbin",	 "/usr/local/nvidia/bin", NULL,
};

/* Source: NVIDIA Container Toolkit internal/discover/graphics.go; /share is that of a
   root like /usr/local/nvidia. */
static const char *const data_dirs[] = {
	"/etc", "/usr/local/share", "/usr/share", "/usr/local/nvidia/share", "/share",
	NULL,
};

static const char *const run_dirs[] = {"/var/run", "/run", NULL};

/* What is looked for, and where. */
struct finder {
	const struct host *root; /* of the driver */
	const struct host *host;
	uint32_t capabilities; /* of the request */
	struct driver_files *files;
};

/* ---- the version ------------------------------------------------------------------- */

/* "580.95.05": numbers with points between them, at least two. */
static size_t version_length(const char *text)
{
	size_t len = 0;
	size_t points = 0;

	for (;;) {
		size_t digits = strspn(text + len, "0123456789");

		if (digits == 0) {
			return 0;
		}
		len += digits;
		if (text[len] != '.') {
			break;
		}
		points++;
		len++;
	}
	return points > 0 && (text[len] == '\0' || strchr(" \t\n", text[len])) ? len : 0;
}

/* The first word of the first line that is a version: "NVRM version: NVIDIA UNIX x86_64
   Kernel Module  535.54.03  Tue Jun ...". */
static char *find_version(const char *text)
{
	while (*text && *text != '\n') {
		size_t len = version_length(text);

		if (len > 0) {
			return xstrndup(text, len);
		}
		text += strcspn(text, " \t\n");
		text += strspn(text, " \t");
	}
	return NULL;
}

char *nvidia_read_version(const struct host *host)
{
	char text[LIMIT_ATTRIBUTE_BYTES];

	return host_read(host, VERSION_PATH, text, sizeof(text)) < 0 ? NULL
								     : find_version(text);
}

/* ---- directories ------------------------------------------------------------------- */

struct dirs {
	const char *dir[DIRS_MAX + 1];
	size_t n;
	char *owned[CACHE_DIRS_MAX];
	size_t n_owned;
};

static void dirs_clear(struct dirs *dirs)
{
	for (size_t i = 0; i < dirs->n_owned; i++) {
		free(dirs->owned[i]);
	}
}
DEFINE_CLEANUP(struct dirs, dirs_clear)

static void add_dirs(struct dirs *dirs, const char *const *dir, size_t n)
{
	for (size_t i = 0; i < n && dirs->n < DIRS_MAX; i++) {
		dirs->dir[dirs->n++] = dir[i];
	}
}

static bool has_dir(const struct dirs *dirs, const char *dir, size_t len)
{
	for (size_t i = 0; i < dirs->n; i++) {
		if (strlen(dirs->dir[i]) == len && strncmp(dirs->dir[i], dir, len) == 0) {
			return true;
		}
	}
	return false;
}

static void add_dir_of(struct dirs *dirs, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (path[0] != '/' || slash == path || dirs->n_owned == CACHE_DIRS_MAX ||
	    has_dir(dirs, path, (size_t)(slash - path))) {
		return;
	}
	dirs->owned[dirs->n_owned] = xstrndup(path, (size_t)(slash - path));
	dirs->dir[dirs->n++] = dirs->owned[dirs->n_owned++];
}

/* By the names that do not change from driver to driver. */
static bool is_name_of_driver(const char *soname)
{
	return text_starts_with(soname, "libcuda.so.") ||
	       text_starts_with(soname, "libnvidia-") ||
	       text_starts_with(soname, "libGLX_nvidia.so.") ||
	       text_starts_with(soname, "libEGL_nvidia.so.");
}

/* A cache that is not there or broken names no directories: there are the usual ones. */
static void add_cache_dirs(struct dirs *dirs, const struct bytes *file, uint32_t flags)
{
	struct ld_cache cache;
	struct err ignored = {0};

	if (!file->data || ld_cache_open(file->data, file->len, &cache, &ignored) < 0) {
		return;
	}
	for (size_t i = 0; i < cache.n; i++) {
		struct ld_cache_entry entry;

		if (ld_cache_get(&cache, i, &entry) && entry.flags == flags &&
		    is_name_of_driver(entry.key)) {
			add_dir_of(dirs, entry.value);
		}
	}
}

/* ---- libraries --------------------------------------------------------------------- */

static bool is_wanted(const char *name, const void *context)
{
	const struct finder *finder = context;
	const struct nvidia_library *row =
		nvidia_find_library(name, finder->files->version);

	return row && (row->capabilities & finder->capabilities);
}

static bool wants_graphics(const struct finder *finder)
{
	return finder->capabilities &
	       (1U << GPU_CAPABILITY_GRAPHICS | 1U << GPU_CAPABILITY_DISPLAY);
}

/* Under its SONAME programs find it. If another one has that already, nobody would: of
   libraries with versions of their own a directory may hold several. */
static void add_library(const struct finder *finder, const struct library *library,
			enum driver_file_kind kind)
{
	struct driver_files *files = finder->files;
	const struct nvidia_library *row =
		nvidia_find_library(library->name, files->version);
	autofree char *place = xasprintf(
		"%s/%s", kind == DRIVER_LIBRARY ? "lib" : "lib32", library->name);
	autofree char *dev_name = xasprintf("%s.so", row->stem);
	struct driver_file *file;

	if (driver_files_have_link(files, kind, library->soname)) {
		return;
	}
	file = driver_files_add(files, kind, library->path, place);
	if (!file) {
		return;
	}
	driver_files_add_link(files, file, library->soname);
	if (library->dev_name || row->needs_dev_name) {
		driver_files_add_link(files, file,
				      library->dev_name ? library->dev_name : dev_name);
	}
	if (row->graphics_link && wants_graphics(finder)) {
		driver_files_add_link(files, file, row->graphics_link);
	}
}

static void find_libraries(const struct finder *finder, const struct dirs *dirs,
			   enum driver_file_kind kind)
{
	cleanup(libraries_clearp) struct libraries list = {0};
	const struct library_search search = {
		.bits = kind == DRIVER_LIBRARY ? 64 : 32,
		.dirs = dirs->dir,
		.is_wanted = is_wanted,
		.context = finder,
	};

	host_find_libraries(finder->root, &search, &list);
	for (size_t i = 0; i < list.n; i++) {
		add_library(finder, &list.library[i], kind);
	}
	if (list.unread) {
		driver_files_warn(finder->files, "library '%s' is left out: %s",
				  list.unread, strerror(list.unread_code));
	}
}

static void find_all_libraries(const struct finder *finder, bool wants_32)
{
	cleanup(dirs_clearp) struct dirs dirs = {0};
	cleanup(dirs_clearp) struct dirs dirs_32 = {0};
	struct bytes cache = {0};

	(void)host_read_bytes(finder->root, LD_CACHE_PATH, LIMIT_LD_CACHE_BYTES, &cache);
	add_cache_dirs(&dirs, &cache, CACHE_FLAGS);
	add_dirs(&dirs, usual_dirs, sizeof(usual_dirs) / sizeof(usual_dirs[0]));
	find_libraries(finder, &dirs, DRIVER_LIBRARY);
	if (wants_32) {
		add_cache_dirs(&dirs_32, &cache, CACHE_FLAGS_32);
		add_dirs(&dirs_32, usual_dirs_32,
			 sizeof(usual_dirs_32) / sizeof(usual_dirs_32[0]));
		find_libraries(finder, &dirs_32, DRIVER_LIBRARY_32);
	}
	bytes_clear(&cache);
}

/* ---- programs, data, sockets ------------------------------------------------------- */

/* The files of a list: where they are, and where a container has them. */
struct group {
	const struct nvidia_file *files;
	const char *const *dirs; /* on the host, in the order of precedence */
	const char *own_dir;	 /* below our own */
	const char *ctr_dir;
	enum driver_file_kind kind;
};

static const struct group groups[] = {
	{nvidia_programs, program_dirs, "bin", "/usr/bin", DRIVER_FILE},
	{nvidia_shared_data, data_dirs, "share", "/usr/share", DRIVER_FILE},
	{nvidia_etc_data, data_dirs, "etc", "/etc", DRIVER_FILE},
	{nvidia_sockets, run_dirs, "run", "/var/run", DRIVER_SOCKET},
};

static bool find_in(const struct host *root, const struct group *group, const char *name,
		    char **ret)
{
	mode_t type = group->kind == DRIVER_SOCKET ? S_IFSOCK : S_IFREG;

	for (const char *const *dir = group->dirs; *dir; dir++) {
		autofree char *path = xasprintf("%s/%s", *dir, name);

		if (host_find_file(root, path, type, ret) == 0) {
			return true;
		}
	}
	return false;
}

static void find_group(const struct finder *finder, const struct group *group)
{
	for (const struct nvidia_file *row = group->files; row->name; row++) {
		autofree char *path = NULL;
		autofree char *place = xasprintf("%s/%s", group->own_dir, row->name);
		autofree char *link = xasprintf("%s/%s", group->ctr_dir, row->name);
		struct driver_file *file;

		if (!(row->capabilities & finder->capabilities) ||
		    !(find_in(finder->root, group, row->name, &path) ||
		      (group->kind == DRIVER_SOCKET && finder->root != finder->host &&
		       find_in(finder->host, group, row->name, &path)))) {
			continue;
		}
		file = driver_files_add(finder->files, group->kind, path, place);
		if (file) {
			driver_files_add_link(finder->files, file, link);
		}
	}
}

/* ---- all --------------------------------------------------------------------------- */

/* A program that sees 1 makes the nodes that it misses, with the driver's idea of their
   mode; in a container that is a node it cannot open, or another GPU's. */
char *nvidia_read_params(const struct host *host)
{
	static const char option[] = "ModifyDeviceFiles: ";
	char text[LIMIT_ATTRIBUTE_BYTES];
	char *value;

	if (host_read(host, NVIDIA_PARAMS_PATH, text, sizeof(text)) < 0) {
		return NULL;
	}
	value = strstr(text, option);
	if (!value || (value > text && value[-1] != '\n')) {
		return NULL;
	}
	value += strlen(option);
	if (*value != '1') {
		return NULL;
	}
	*value = '0';
	return xasprintf("%s\n", text);
}

void nvidia_warn_of_no_place(const struct container *ctr, struct driver_files *files)
{
	driver_files_warn(files,
			  "the container gets NVIDIA's device nodes and none of its "
			  "libraries: %s",
			  ctr->no_library_reason);
}

bool nvidia_has_libraries(const struct host *host, const char *version)
{
	for (size_t i = 0; i < sizeof(usual_dirs) / sizeof(usual_dirs[0]); i++) {
		autofree char *path =
			xasprintf("%s/libcuda.so.%s", usual_dirs[i], version);

		if (host_exists(host, path)) {
			return true;
		}
	}
	return false;
}

static void find_below(const struct finder *finder, const struct container *ctr)
{
	struct driver_files *files = finder->files;

	find_all_libraries(finder, ctr->library_dir_32 != NULL);
	if (files->n_files == 0) {
		driver_files_warn(
			files,
			"no library of NVIDIA's driver %s is in the host's library "
			"directories: the container gets its device nodes alone; for a "
			"driver elsewhere set nvidia.driverRoot",
			files->version);
		return;
	}
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		find_group(finder, &groups[i]);
	}
}

int nvidia_find_files(const struct host *host, const struct gpu_spec *spec,
		      const struct container *ctr, struct driver_files *ret,
		      struct err *err)
{
	cleanup(host_closep) struct host root = {.root_fd = -1};
	struct finder finder = {host, host, spec->capabilities, ret};
	int r;

	ret->params = nvidia_read_params(host);
	if (!ctr->library_dir) {
		nvidia_warn_of_no_place(ctr, ret);
		return 0;
	}
	ret->version = nvidia_read_version(host);
	if (!ret->version) {
		driver_files_warn(ret,
				  "'%s' gives no version: NVIDIA's device nodes come "
				  "without the driver's libraries",
				  VERSION_PATH);
		return 0;
	}
	if (host->driver_root) {
		r = host_open_root(host, host->driver_root, &root);
		if (r < 0) {
			return err_sys(err, -r, "open nvidia.driverRoot '%s'",
				       host->driver_root);
		}
		finder.root = &root;
	}
	find_below(&finder, ctr);
	return 0;
}
