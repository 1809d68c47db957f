/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - files of the host that go into a container, by their real paths */

#include "host/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "host/cache.h"
#include "host/trusted_path.h"

/* What the kernel calls a descriptor. Source: proc_pid_fd(5). */
static int read_fd_path(int fd, char *buf, size_t size)
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlinkat(AT_FDCWD, link, buf, size - 1);
	if (n < 0) {
		return -errno;
	}
	if ((size_t)n == size - 1) {
		return -ENAMETOOLONG;
	}
	buf[n] = '\0';
	/* "(unreachable)/..." for what is in no mount of ours. */
	return buf[0] == '/' ? 0 : -ENOENT;
}

static int find_root_path(const struct host *host)
{
	char buf[PATH_MAX];
	int r;

	if (host->cache->root_path) {
		return 0;
	}
	r = read_fd_path(host->root_fd, buf, sizeof(buf));
	if (r == 0) {
		host->cache->root_path = xstrdup(text_equals(buf, "/") ? "" : buf);
	}
	return r;
}

/* The path below the host's root. */
static int find_real_path(const struct host *host, int fd, char **ret)
{
	char buf[PATH_MAX];
	size_t len;
	int r = find_root_path(host);

	if (r == 0) {
		r = read_fd_path(fd, buf, sizeof(buf));
	}
	if (r < 0) {
		return r;
	}
	len = strlen(host->cache->root_path);
	if (strncmp(buf, host->cache->root_path, len) != 0 ||
	    (buf[len] != '/' && buf[len] != '\0')) {
		return -EXDEV;
	}
	*ret = xstrdup(buf[len] ? buf + len : "/");
	return 0;
}

void host_dir_close(struct host_dir *dir)
{
	cleanup_close(&dir->fd);
	free(dir->name);
	free(dir->path);
	*dir = (struct host_dir){.fd = -1};
}

int host_open_root(const struct host *host, const char *path, struct host *ret)
{
	int fd = host_open_below(host, path, O_PATH | O_DIRECTORY);
	int r;

	if (fd < 0) {
		return fd;
	}
	r = find_root_path(host);
	if (r < 0) {
		close_keep_errno(fd);
		return r;
	}
	ret->root_fd = fd;
	ret->cache = xcalloc(1, sizeof(*ret->cache));
	ret->cache->root_path = xstrdup(host->cache->root_path);
	return 0;
}

int host_dir_open(const struct host *host, const char *path, struct host_dir *ret)
{
	cleanup(host_dir_closep) struct host_dir dir = {
		.host = host,
		.fd = host_open_below(host, path, O_RDONLY | O_DIRECTORY),
	};
	int r;

	if (dir.fd < 0) {
		return dir.fd;
	}
	r = find_real_path(host, dir.fd, &dir.path);
	if (r < 0) {
		return r;
	}
	dir.name = xstrdup(path);
	*ret = dir;
	dir = (struct host_dir){.fd = -1};
	return 0;
}

int host_dir_list(const struct host_dir *dir,
		  bool (*keep)(const char *name, const void *context),
		  const void *context, struct names *ret)
{
	/* Its own descriptor: the end of a listing closes it. */
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : names_read(fd, keep, context, ret);
}

static int check_type(int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	return (st.st_mode & S_IFMT) == type ? 0 : -EINVAL;
}

int host_dir_open_file(const struct host_dir *dir, const char *name, char **ret_path)
{
	autofree char *path =
		xasprintf("%s/%s", text_equals(dir->path, "/") ? "" : dir->path, name);
	/* O_NONBLOCK: it may be a FIFO, which must not stop us. */
	autoclose int fd = openat(
		dir->fd, name, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ELOOP) {
		autofree char *link = xasprintf("%s/%s", dir->name, name);

		free(steal_ptr(&path));
		fd = host_open_regular(dir->host, link);
		r = fd < 0 ? fd : find_real_path(dir->host, fd, &path);
	} else {
		r = fd < 0 ? -errno : check_type(fd, S_IFREG);
	}
	if (r < 0) {
		return r;
	}
	*ret_path = steal_ptr(&path);
	return steal_fd(&fd);
}

int host_open_file(const struct host *host, const char *path, char **ret_path)
{
	/* O_NONBLOCK: it may be a FIFO, which must not stop us. */
	autoclose int fd =
		host_open_trusted(host, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, true);
	int r = fd < 0 ? fd : check_type(fd, S_IFREG);

	if (r == 0) {
		r = find_real_path(host, fd, ret_path);
	}
	return r < 0 ? r : steal_fd(&fd);
}

int host_find_file(const struct host *host, const char *path, mode_t type, char **ret)
{
	autoclose int fd = type == S_IFSOCK ? host_open_trusted(host, path, O_PATH, false)
					    : host_open_below(host, path, O_PATH);
	int r = fd < 0 ? fd : check_type(fd, type);

	return r < 0 ? r : find_real_path(host, fd, ret);
}
