/* SPDX-License-Identifier: Apache-2.0 */
/* ctr_ld_cache.c - the container's /etc/ld.so.cache, with the driver's libraries in it */

#include "backend/apply/ctr_ld_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/apply/ctr_link.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/syscalls.h"
#include "base/text.h"

#define TEMPORARY_NAME ".oci-gpu-hook.cache"

/* ---- host side --------------------------------------------------------------------- */

/* "lib*.so*" that leads to a file of ours. */
static bool is_library(const struct plan *plan, const struct plan_link *link)
{
	const char *name = strrchr(link->ctr.text, '/') + 1;

	return plan->own_dir && !ctr_path_is_in_dev(link->ctr.text) &&
	       text_starts_with(name, "lib") && strstr(name, ".so") &&
	       text_starts_with(link->target, plan->own_dir);
}

void ctr_ld_cache_prepare(const struct plan *plan, struct ctr_ld_cache *ret)
{
	size_t room;

	for (size_t i = 0; i < plan->n_links; i++) {
		const char *path = plan->links[i].ctr.text;

		if (is_library(plan, &plan->links[i])) {
			ret->add = xgrow(ret->add, ret->n_add, sizeof(*ret->add));
			ret->add[ret->n_add++] = (struct ld_cache_entry){
				.key = strrchr(path, '/') + 1,
				.value = path,
			};
		}
	}
	if (ret->n_add > 0) {
		ld_cache_sort(ret->add, ret->n_add);
		room = ld_cache_merge_room(LIMIT_LD_CACHE_BYTES, ret->add, ret->n_add);
		ret->old = xrealloc(NULL, LIMIT_LD_CACHE_BYTES);
		ret->new = xrealloc(NULL, room);
	}
}

void ctr_ld_cache_clear(struct ctr_ld_cache *cache)
{
	free(cache->add);
	free(cache->old);
	free(cache->new);
	*cache = (struct ctr_ld_cache){0};
}

/* ---- container side ---------------------------------------------------------------- */

/*
 * An image may have anything there, and opening a FIFO waits and a device acts: so it is
 * looked at first, and opened again through the descriptor.
 *
 * Return: a descriptor to read from, or negative errno without a message.
 */
static int open_old(const struct rootfs *rootfs, const struct ctr_dir *dir,
		    const char *name, struct stat *st)
{
	autoclose int path_fd = -1;
	char path[32];
	int fd;

	path_fd = ctr_dir_open_entry(dir, name, O_PATH, 0);
	if (path_fd < 0) {
		return path_fd;
	}
	if (fstat(path_fd, st) < 0) {
		return -errno;
	}
	if (!S_ISREG(st->st_mode)) {
		return -ELOOP;
	}
	if (st->st_size > (off_t)LIMIT_LD_CACHE_BYTES) {
		return -EFBIG;
	}
	(void)snprintf(path, sizeof(path), "self/fd/%d", path_fd);
	/* O_NONBLOCK: it may be a file of another container's, too, whose root has a
	   lease on it (fcntl(2), F_SETLEASE): EAGAIN then. */
	fd = sys_openat2(rootfs->process->proc_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK,
			 0, 0);
	return fd < 0 ? -errno : fd;
}

/* Return: bytes, or negative errno without a message. */
static ssize_t read_old(int fd, char *buffer)
{
	size_t len = 0;

	while (len < LIMIT_LD_CACHE_BYTES) {
		ssize_t n = read(fd, buffer + len, LIMIT_LD_CACHE_BYTES - len);

		if (n < 0) {
			return -errno;
		}
		if (n == 0) {
			return (ssize_t)len;
		}
		len += (size_t)n;
	}
	return -EFBIG;
}

static size_t dir_len(const struct ld_cache_entry *entry)
{
	return (size_t)(strrchr(entry->value, '/') - entry->value);
}

/* Mostly another library's, of the same directory: the image decides how long a search in
   its cache takes, so there is one for a directory. */
static uint32_t find_flags(const struct ctr_ld_cache *cache, const struct ld_cache *old,
			   size_t i)
{
	const struct ld_cache_entry *entry = &cache->add[i];
	size_t len = dir_len(entry);

	for (size_t other = 0; other < i; other++) {
		if (dir_len(&cache->add[other]) == len &&
		    memcmp(cache->add[other].value, entry->value, len) == 0) {
			return cache->add[other].flags;
		}
	}
	return ld_cache_flags_of(old, entry->value, len);
}

/* The flags of a library are those of its neighbours. Those without any are left out: the
   loader does not look in a directory that ldconfig does not know. */
static void choose(const struct ctr_ld_cache *cache, const struct ld_cache *old,
		   size_t *n)
{
	for (size_t i = 0; i < cache->n_add; i++) {
		cache->add[i].flags = find_flags(cache, old, i);
	}
	*n = 0;
	for (size_t i = 0; i < cache->n_add; i++) {
		if (cache->add[i].flags != 0) {
			cache->add[(*n)++] = cache->add[i];
		}
	}
}

static int write_new(const struct rootfs *rootfs, const struct ctr_dir *dir, mode_t mode,
		     const char *bytes, size_t len)
{
	autoclose int fd = -1;

	/* Of a run that was killed. */
	if (unlinkat(dir->fd, TEMPORARY_NAME, 0) < 0 && errno != ENOENT) {
		return -errno;
	}
	ctr_create_begin(rootfs->process);
	fd = ctr_dir_open_entry(dir, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_EXCL,
				mode & 0777);
	ctr_create_end(rootfs->process);
	if (fd < 0) {
		return fd;
	}
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0) {
			return -errno;
		}
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int replace(const struct rootfs *rootfs, const struct ctr_dir *dir,
		   const char *name, mode_t mode, const char *bytes, size_t len)
{
	int r = write_new(rootfs, dir, mode, bytes, len);

	if (r == 0 && sys_renameat2(dir->fd, TEMPORARY_NAME, dir->fd, name, 0) < 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(dir->fd, TEMPORARY_NAME, 0);
	}
	return r;
}

static int update(struct ctr_ld_cache *cache, struct rootfs *rootfs, struct err *err)
{
	autoclose int fd = -1;
	struct ld_cache old;
	const char *name = strrchr(CTR_LD_CACHE_PATH, '/') + 1;
	struct ctr_dir *dir;
	struct stat st = {0};
	size_t new_len = 0;
	ssize_t len;
	size_t n;
	int r;

	dir = ctr_dirs_find_parent(&rootfs->dirs, CTR_LD_CACHE_PATH, err);
	if (!dir) {
		return -err->code;
	}
	fd = open_old(rootfs, dir, name, &st);
	len = fd < 0 ? fd : read_old(fd, cache->old);
	if (len < 0) {
		return err_sys(err, (int)-len, "read '%s'", CTR_LD_CACHE_PATH);
	}
	r = ld_cache_open(cache->old, (size_t)len, &old, err);
	if (r == 0) {
		choose(cache, &old, &n);
		r = ld_cache_merge(&old, cache->add, n, cache->new, &new_len, err);
	}
	if (r < 0) {
		return err_wrap(err, "read '%s'", CTR_LD_CACHE_PATH);
	}
	r = new_len > 0 ? ctr_dir_check_may_change(&rootfs->dirs, dir, err) : 0;
	if (r < 0 || new_len == 0) {
		return r;
	}
	r = replace(rootfs, dir, name, st.st_mode, cache->new, new_len);
	return r < 0 ? err_sys(err, -r, "write '%s'", CTR_LD_CACHE_PATH) : 0;
}

int ctr_ld_cache_update(struct ctr_ld_cache *cache, struct rootfs *rootfs,
			struct err *err)
{
	int r;

	if (cache->n_add == 0) {
		return 0;
	}
	r = update(cache, rootfs, err);
	if (r < 0 && (ctr_is_of_image(-r) || r == -ENOENT || r == -EINVAL ||
		      r == -EFBIG || r == -EBUSY || r == -EAGAIN)) {
		(void)err_set(&cache->warning, -r,
			      "%s; `ldconfig -p` in the container does not list the "
			      "driver's libraries, but the loader finds them",
			      err->msg);
		*err = (struct err){0};
		r = 0;
	}
	return r;
}
