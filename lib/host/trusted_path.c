/* SPDX-License-Identifier: Apache-2.0 */
/* trusted_path.c - paths of the host that lead through links of the system's alone */

#include "host/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/syscalls.h"
#include "base/trusted_file.h"
#include "host/cache.h"

/* As many as the kernel follows. Source: path_resolution(7). */
#define LINKS_MAX 40

static int open_without_links(const struct host *host, const char *path, uint64_t flags)
{
	int fd = sys_openat2(host->root_fd, path, flags, 0,
			     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
				     RESOLVE_NO_MAGICLINKS);

	return fd >= 0 ? fd : -errno;
}

static bool is_link(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Does nobody but root change what is in it? */
static bool is_of_the_system(const struct host *host, const char *dir)
{
	autoclose int fd = open_without_links(host, dir, O_PATH | O_DIRECTORY);
	struct err doubt = {0};

	if (fd < 0) {
		return false;
	}
	trusted_fd_check(fd, TRUSTED_OWNER_SYSTEM, dir, &doubt);
	return doubt.code == 0;
}

/* @path with its first link, which is @fd and ends at @end, replaced by what it says. */
static int replace_link(const struct host *host, const char *path, size_t end, int fd,
			char **ret)
{
	autofree char *link = xstrndup(path, end);
	char *slash = strrchr(link, '/');
	autofree char *target = NULL;
	autofree char *dir =
		slash ? xstrndup(link, (size_t)(slash - link) + 1) : xstrdup(".");
	int r;

	if (!is_of_the_system(host, dir)) {
		return -ELOOP;
	}
	r = host_readlink_at(fd, "", &target);
	if (r < 0) {
		return r;
	}
	*ret = target[0] == '/' ? xasprintf("%s%s", target, path + end)
				: xasprintf("%s/%s%s", dir, target, path + end);
	return 0;
}

static int follow_first_link(const struct host *host, const char *path, bool may_be_last,
			     char **ret)
{
	size_t end = 0;

	for (;;) {
		autofree char *until = NULL;
		autoclose int fd = -1;

		end += strspn(path + end, "/");
		if (path[end] == '\0') {
			/* It was another path a moment ago. */
			return -ELOOP;
		}
		end += strcspn(path + end, "/");
		until = xstrndup(path, end);
		fd = open_without_links(host, until, O_PATH | O_NOFOLLOW);
		if (fd < 0) {
			return fd;
		}
		if (is_link(fd)) {
			bool is_last = path[end + strspn(path + end, "/")] == '\0';

			return is_last && !may_be_last
				       ? -ELOOP
				       : replace_link(host, path, end, fd, ret);
		}
	}
}

int host_open_trusted(const struct host *host, const char *path, uint64_t flags,
		      bool may_be_link)
{
	autofree char *at = xstrdup(path);
	int fd = open_without_links(host, at, flags);

	for (int i = 0; fd == -ELOOP && i < LINKS_MAX; i++) {
		char *next = NULL;
		int r = follow_first_link(host, at, may_be_link, &next);

		if (r < 0) {
			return r;
		}
		free(at);
		at = next;
		fd = open_without_links(host, at, flags);
	}
	return fd;
}
