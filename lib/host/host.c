/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - the host's /sys, /proc and /dev behind one file descriptor */

#include "host/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "base/trusted_file.h"
#include "host/cache.h"

/* Linux include/linux/kdev_t.h: 12 bits of major, 20 of minor. */
#define MAJOR_MAX 0xfffU
#define MINOR_MAX 0xfffffU

int host_open_below(const struct host *host, const char *path, uint64_t flags)
{
	int fd = sys_open_in_root(host->root_fd, path, flags);

	return fd >= 0 ? fd : -errno;
}

int host_open(const char *root_dir, struct host *ret, struct err *err)
{
	int fd = sys_openat2(AT_FDCWD, root_dir, O_PATH | O_DIRECTORY, 0, 0);

	if (fd < 0 && errno == ENOSYS) {
		return err_set(err, EOPNOTSUPP,
			       "open host root '%s': the kernel has no openat2(); Linux "
			       "5.6 or later is needed",
			       root_dir);
	}
	if (fd < 0) {
		return err_sys(err, errno, "open host root '%s'", root_dir);
	}
	ret->root_fd = fd;
	ret->cache = xcalloc(1, sizeof(*ret->cache));
	return 0;
}

void host_close(struct host *host)
{
	/* A zeroed struct was never opened; its root_fd is not ours. */
	if (!host->cache) {
		return;
	}
	drm_devices_clear(&host->cache->drm);
	free(host->cache->proc_devices);
	free(host->cache->root_path);
	free(host->cache);
	close_keep_errno(host->root_fd);
	*host = (struct host){.root_fd = -1};
}

/* O_NONBLOCK: a made tree may hold a FIFO, which must not stop us. */
static int open_for_reading(const struct host *host, const char *path)
{
	return host_open_below(host, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
}

static int check_regular(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

int host_open_regular(const struct host *host, const char *path)
{
	autoclose int fd = open_for_reading(host, path);
	int r = fd < 0 ? fd : check_regular(fd);

	return r < 0 ? r : steal_fd(&fd);
}

/* One read() is enough: sysfs gives an attribute whole, and so do the files of procfs
   that are smaller than a page. There are dozens of them in a run, so what the file is,
   is asked only if nothing came: in the kernel's own trees all files are regular, and
   what else a made one may hold is not waited for. */
int host_read(const struct host *host, const char *path, char *buf, size_t size)
{
	autoclose int fd = open_for_reading(host, path);
	ssize_t n;

	if (fd < 0) {
		return fd;
	}
	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		int code = errno;
		int r = check_regular(fd);

		if (r < 0 || n < 0) {
			return r < 0 ? r : -code;
		}
	}
	if ((size_t)n >= size) {
		return -E2BIG;
	}
	buf[n] = '\0';
	return (int)strlen(text_trim_end(buf));
}

int host_read_bytes(const struct host *host, const char *path, size_t max,
		    struct bytes *ret)
{
	autoclose int fd = host_open_regular(host, path);
	struct err err;

	return fd < 0 ? fd : read_all(fd, path, max, -1, ret, &err);
}

int host_read_alloc(const struct host *host, const char *path, size_t max, char **ret)
{
	struct bytes bytes = {0};
	int r = host_read_bytes(host, path, max, &bytes);

	if (r < 0) {
		return r;
	}
	*ret = text_trim_end(bytes.data);
	return 0;
}

void names_clear(struct names *names)
{
	free_texts(names->name, names->n);
	*names = (struct names){0};
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_names(DIR *dir, bool (*keep)(const char *name, const void *context),
		      const void *context, struct names *names)
{
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			return -errno;
		}
		if (text_equals(entry->d_name, ".") || text_equals(entry->d_name, "..") ||
		    (keep && !keep(entry->d_name, context))) {
			continue;
		}
		if (names->n == LIMIT_DIRECTORY_ENTRIES) {
			return -E2BIG;
		}
		names->name = xgrow(names->name, names->n, sizeof(*names->name));
		names->name[names->n++] = xstrdup(entry->d_name);
	}
}

/* Adds the entries that @keep wants, or all. Closes @fd. */
int names_read(int fd, bool (*keep)(const char *name, const void *context),
	       const void *context, struct names *ret)
{
	cleanup(names_clearp) struct names names = {0};
	DIR *dir = fdopendir(fd);
	int r;

	if (!dir) {
		r = -errno;
		close_keep_errno(fd);
		return r;
	}
	r = read_names(dir, keep, context, &names);
	(void)closedir(dir);
	if (r < 0) {
		return r;
	}
	if (names.n > 0) {
		qsort(names.name, names.n, sizeof(*names.name), compare_names);
	}
	*ret = names;
	names = (struct names){0};
	return 0;
}

int host_list(const struct host *host, const char *path, struct names *ret)
{
	int fd = host_open_below(host, path, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fd : names_read(fd, NULL, NULL, ret);
}

bool names_have(const struct names *names, const char *name)
{
	return names->n > 0 &&
	       bsearch(&name, names->name, names->n, sizeof(*names->name), compare_names);
}

int host_readlink_at(int fd, const char *name, char **ret)
{
	char buf[LIMIT_ATTRIBUTE_BYTES];
	ssize_t n = readlinkat(fd, name, buf, sizeof(buf));

	if (n < 0) {
		return -errno;
	}
	if ((size_t)n == sizeof(buf)) {
		return -E2BIG;
	}
	*ret = xstrndup(buf, (size_t)n);
	return 0;
}

int host_readlink(const struct host *host, const char *path, char **ret)
{
	autoclose int fd = host_open_below(host, path, O_PATH | O_NOFOLLOW);

	return fd < 0 ? fd : host_readlink_at(fd, "", ret);
}

int host_readlink_name(const struct host *host, const char *path, char **ret)
{
	autofree char *target = NULL;
	const char *slash;
	int r = host_readlink(host, path, &target);

	if (r < 0) {
		return r;
	}
	slash = strrchr(target, '/');
	/* A name that is empty, as of "drivers/", would be that of a
	   vendor without one. */
	if (!*(slash ? slash + 1 : target)) {
		return -EINVAL;
	}
	*ret = xstrdup(slash ? slash + 1 : target);
	return 0;
}

bool host_exists(const struct host *host, const char *path)
{
	autoclose int fd = host_open_below(host, path, O_PATH);

	return fd >= 0;
}

int host_parse_u64(const char *text, uint64_t *ret)
{
	return text_starts_with(text, "0x") ? text_hex_to_u64(text, ret)
					    : text_to_u64(text, strlen(text), ret);
}

int host_read_u64(const struct host *host, const char *path, uint64_t *ret)
{
	char buf[64];
	int r = host_read(host, path, buf, sizeof(buf));

	return r < 0 ? r : host_parse_u64(buf, ret);
}

int host_read_numa_node(const struct host *host, const char *path)
{
	uint64_t value = 0;

	return host_read_u64(host, path, &value) == 0 && value <= INT_MAX
		       ? (int)value
		       : NUMA_NODE_UNKNOWN;
}

int host_read_dev(const struct host *host, const char *path, uint32_t *ret_major,
		  uint32_t *ret_minor)
{
	char buf[64];
	const char *colon;
	uint32_t major;
	uint32_t minor;
	int r = host_read(host, path, buf, sizeof(buf));

	if (r < 0) {
		return r;
	}
	colon = strchr(buf, ':');
	if (!colon || text_to_u32(buf, (size_t)(colon - buf), &major) < 0 ||
	    text_to_u32(colon + 1, strlen(colon + 1), &minor) < 0) {
		return -EINVAL;
	}
	if (major > MAJOR_MAX || minor > MINOR_MAX) {
		return -ERANGE;
	}
	*ret_major = major;
	*ret_minor = minor;
	return 0;
}

/* Looks at the permissions alone: no driver is called. The real root need not ask. */
static bool may_caller_open(int fd)
{
	const struct trusted_caller caller = trusted_caller_look();

	return trusted_caller_is_root(&caller) ||
	       faccessat(fd, "", R_OK | W_OK, AT_EACCESS | AT_EMPTY_PATH) == 0;
}

void host_describe_node(const struct host *host, const char *path, uint32_t major,
			uint32_t minor, enum device_role role, struct device_node *ret)
{
	/* O_PATH does not open the device behind the node. */
	autoclose int fd = host_open_below(host, path, O_PATH | O_NOFOLLOW);
	struct stat st;

	*ret = (struct device_node){
		.path = xstrdup(path),
		.major = major,
		.minor = minor,
		.role = role,
		.state = DEVICE_ABSENT,
	};
	if (fd < 0 || fstat(fd, &st) < 0) {
		return;
	}
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(major, minor)) {
		ret->state = DEVICE_OTHER;
		return;
	}
	ret->state = DEVICE_PRESENT;
	ret->uid = st.st_uid;
	ret->gid = st.st_gid;
	ret->mode = st.st_mode & 07777;
	ret->caller_may_open = may_caller_open(fd);
}

int host_read_node(const struct host *host, const char *path, uint32_t *ret_major,
		   uint32_t *ret_minor)
{
	autoclose int fd = host_open_below(host, path, O_PATH | O_NOFOLLOW);
	struct stat st;

	if (fd < 0) {
		return fd;
	}
	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	if (!S_ISCHR(st.st_mode)) {
		return -EINVAL;
	}
	*ret_major = major(st.st_rdev);
	*ret_minor = minor(st.st_rdev);
	return 0;
}

/* "195 nvidia" of the first table; the second one has the block devices' majors. */
static bool line_is_major(const char *line, size_t len, const char *name, uint32_t *ret)
{
	const char *blank;

	while (len > 0 && *line == ' ') {
		line++;
		len--;
	}
	blank = memchr(line, ' ', len);
	return blank && (size_t)(line + len - blank - 1) == strlen(name) &&
	       memcmp(blank + 1, name, strlen(name)) == 0 &&
	       text_to_u32(line, (size_t)(blank - line), ret) == 0;
}

int host_char_major(const struct host *host, const char *name, uint32_t *ret)
{
	const char *line;

	if (!host->cache->proc_devices) {
		int r = host_read_alloc(host, "/proc/devices", LIMIT_PROC_FILE_BYTES,
					&host->cache->proc_devices);

		if (r < 0) {
			return r;
		}
	}
	line = host->cache->proc_devices;
	while (*line && !text_starts_with(line, "Block devices:")) {
		size_t len = strcspn(line, "\n");

		if (line_is_major(line, len, name, ret)) {
			return 0;
		}
		line += len;
		line += *line == '\n';
	}
	return -ENOENT;
}
