/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * files.h - files of the host that go into a container, by their real paths
 *
 * Distributions put links in the way (/lib64, /etc/alternatives, a store below /nix). The
 * path in a plan has none: the kernel is asked what it opened, and whoever mounts the
 * file can refuse links.
 */

#include "host/host.h"

/* A directory of the host, opened for listing. */
struct host_dir {
	const struct host *host; /* borrowed */
	int fd;
	char *name; /* as it was asked for */
	char *path; /* real, below the host's root */
};

void host_dir_close(struct host_dir *dir);
DEFINE_CLEANUP(struct host_dir, host_dir_close)

/**
 * host_open_root() - A directory of the host as the root of a driver's files
 * @path:	"/" or "/run/nvidia/driver"; paths and links are resolved below it
 * @ret:	host_close() it. Real paths of what is in it are the
 *		ones below @host's root
 *
 * Return: 0, or negative errno.
 */
int host_open_root(const struct host *host, const char *path, struct host *ret);

/* Return: 0, or negative errno. */
int host_dir_open(const struct host *host, const char *path, struct host_dir *ret);

/* Entries that @keep wants, sorted by strcmp(). Return: 0, or negative errno. */
int host_dir_list(const struct host_dir *dir,
		  bool (*keep)(const char *name, const void *context),
		  const void *context, struct names *ret);

/**
 * host_dir_open_file() - Open a regular file in the directory for reading
 * @name:	one component; if it is a link, where that leads below the host's root
 * @ret_path:	its real path; free() it
 *
 * Return: a descriptor, or negative errno (-EINVAL: no regular file).
 */
int host_dir_open_file(const struct host_dir *dir, const char *name, char **ret_path);

/**
 * host_open_file() - Open a regular file for reading
 * @ret_path:	its real path; free() it
 *
 * As host_open_trusted(): its path may have links only in directories of the system's.
 *
 * Return: a descriptor, or negative errno (-EINVAL: of another
 * type; -ELOOP: such a link).
 */
int host_open_file(const struct host *host, const char *path, char **ret_path);

/**
 * host_find_file() - The real path of a file
 * @type:	S_IFREG or S_IFSOCK; to a socket host_open_trusted() leads, and its name
 *		may be no link: a container may talk to what is found
 * @ret:	free() it
 *
 * The file is not opened.
 *
 * Return: 0, or negative errno (-EINVAL: of another type).
 */
int host_find_file(const struct host *host, const char *path, mode_t type, char **ret);
