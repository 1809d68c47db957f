/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * host.h - the host's /sys, /proc and /dev behind one file descriptor
 *
 * Every path is resolved below that descriptor with openat2(RESOLVE_IN_ROOT), so
 * that a made or captured host tree (--host-root) and the real one are read by the
 * same code, and a symbolic link in a made tree cannot lead out of it. No GPU node
 * is ever opened, since that would start the GPU's driver: nodes are looked at with
 * O_PATH or fstatat() only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "model/inventory.h"

struct drm_devices;

struct host {
	int root_fd;
	/* Where the user-space files of a driver are, as the operator says, maybe with a
	   /dev of their own: the root of a driver container. Borrowed; NULL: among the
	   host's. */
	const char *driver_root;
	/* What is read once only. Made by host_open() and host_open_root(), and filled by
	   those who first need it: drm.c, files.c, host_char_major(). */
	struct host_cache *cache;
};

/* Sorted names of a directory, without "." and "..". */
struct names {
	char **name;
	size_t n;
};

void names_clear(struct names *names);
DEFINE_CLEANUP(struct names, names_clear)

bool names_have(const struct names *names, const char *name);

/**
 * host_open() - Open the root of the host, or of a tree that stands for it
 * @root_dir:	"/" for the real host
 * @ret:	host_close() it
 * @err:	ENOENT and the like for @root_dir; EOPNOTSUPP
 *		without openat2 (Linux < 5.6)
 */
int host_open(const char *root_dir, struct host *ret, struct err *err);
void host_close(struct host *host);
DEFINE_CLEANUP(struct host, host_close)

/**
 * host_read() - Read a small file of sysfs or procfs
 * @path:	absolute, as on the host
 * @size:	of @buf, at most LIMIT_ATTRIBUTE_BYTES is useful
 *
 * White space at the end is cut off, @buf is terminated. Nothing is waited for: a FIFO,
 * and what else is no regular file and has nothing to read, is -EINVAL.
 *
 * Return: the length, or negative errno (-ENOENT: not there; -E2BIG: does not fit).
 */
int host_read(const struct host *host, const char *path, char *buf, size_t size);

/* As host_read() for a file of up to @max bytes. Return: 0 and *ret
   to free(), or -errno. */
int host_read_alloc(const struct host *host, const char *path, size_t max, char **ret);

/* As host_read_alloc(), of any bytes and as they are. bytes_clear() it. */
int host_read_bytes(const struct host *host, const char *path, size_t max,
		    struct bytes *ret);

/**
 * host_list() - Names in a directory, sorted by strcmp()
 *
 * Return: 0; -ENOENT, -ENOTDIR, -E2BIG over LIMIT_DIRECTORY_ENTRIES and the like.
 */
int host_list(const struct host *host, const char *path, struct names *ret);

/* Text of a symbolic link. Return: 0 and *ret to free(), or -errno. */
int host_readlink(const struct host *host, const char *path, char **ret);

/* Last component of the text of a symbolic link: the name of a device's driver. */
int host_readlink_name(const struct host *host, const char *path, char **ret);

bool host_exists(const struct host *host, const char *path);

/* A whole text that is a number, decimal or "0x..." hexadecimal. Return: 0, -EINVAL,
   -ERANGE. */
int host_parse_u64(const char *text, uint64_t *ret);

/**
 * host_read_u64() - A number attribute, decimal or "0x..." hexadecimal
 *
 * Return: 0 or negative errno.
 */
int host_read_u64(const struct host *host, const char *path, uint64_t *ret);

/* A sysfs `numa_node` attribute. Return: NUMA_NODE_UNKNOWN also where
   the kernel says -1. */
int host_read_numa_node(const struct host *host, const char *path);

/* A sysfs `dev` attribute, "226:128". Return: 0 or negative errno. */
int host_read_dev(const struct host *host, const char *path, uint32_t *ret_major,
		  uint32_t *ret_minor);

/**
 * host_describe_node() - Compare a node of /dev with what sysfs or procfs say of it
 * @path:	absolute; the last component is not followed
 *
 * Fills the whole of @ret, its state included. Never fails: what
 * cannot be seen is absent.
 */
void host_describe_node(const struct host *host, const char *path, uint32_t major,
			uint32_t minor, enum device_role role, struct device_node *ret);

/* The number of a character device's node, which is not opened. Return: 0; -EINVAL: no
   such node; or negative errno. */
int host_read_node(const struct host *host, const char *path, uint32_t *ret_major,
		   uint32_t *ret_minor);

/**
 * host_char_major() - Major number of a character driver, from /proc/devices
 * @name:	"nvidia-uvm"
 *
 * Return: 0; -ENOENT if no driver has that name.
 */
int host_char_major(const struct host *host, const char *name, uint32_t *ret);
