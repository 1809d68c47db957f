/* SPDX-License-Identifier: Apache-2.0 */
/* ctr_link.c - symbolic links in the image's own directories */

#include "backend/apply/ctr_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/syscalls.h"
#include "base/text.h"

/* Beside the link that is replaced, until it has its name. */
#define TEMPORARY_NAME ".oci-gpu-hook.new"

void ctr_links_prepare(const struct plan *plan, struct undo_log *undo,
		       struct ctr_links *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_links; i++) {
		n += !ctr_path_is_in_dev(plan->links[i].ctr.text);
	}
	if (n > 0) {
		ret->old = xcalloc(n, sizeof(*ret->old));
		undo_log_reserve(undo, n);
	}
}

void ctr_links_clear(struct ctr_links *links)
{
	free(links->old);
	*links = (struct ctr_links){0};
}

static void add_finding(struct ctr_link_finding *finding, const struct plan_link *link,
			const struct err *err)
{
	if (finding->n++ == 0) {
		finding->first = *err;
		finding->target = link->target;
	}
}

static int make_symlink(const struct ctr_process *process, const char *target, int dir_fd,
			const char *name)
{
	int r;

	ctr_create_begin(process);
	r = symlinkat(target, dir_fd, name);
	ctr_create_end(process);
	return r < 0 ? -errno : 0;
}

/* Makes a link beside the old one and renames it: the name is never without a link. */
static int exchange_link(const struct ctr_process *process, const char *target,
			 int dir_fd, const char *name)
{
	int r = make_symlink(process, target, dir_fd, TEMPORARY_NAME);

	/* Of a run that was killed. */
	if (r == -EEXIST && unlinkat(dir_fd, TEMPORARY_NAME, 0) == 0) {
		r = make_symlink(process, target, dir_fd, TEMPORARY_NAME);
	}
	if (r == 0 && sys_renameat2(dir_fd, TEMPORARY_NAME, dir_fd, name, 0) < 0) {
		r = -errno;
		(void)unlinkat(dir_fd, TEMPORARY_NAME, 0);
	}
	return r;
}

static int undo_revert_replaced(const struct undo_record *record)
{
	const struct ctr_link_old *old = record->change;

	return exchange_link(old->process, old->target, record->fd, record->name);
}

static int replace_link(const struct plan_link *link, const struct ctr_dir *dir,
			const char *name, const struct ctr_link_old *old,
			struct rootfs *rootfs)
{
	const struct undo_record record = {
		.revert = undo_revert_replaced,
		.fd = dir->fd,
		.name = name,
		.change = old,
	};
	int r;

	r = exchange_link(rootfs->process, link->target, dir->fd, name);
	if (r == 0) {
		undo_log_push(rootfs->undo, &record);
	}
	return r;
}

/* One that an earlier run made, maybe in the image that this
   container's was built from. */
static bool is_ours(const struct plan *plan, const char *target)
{
	size_t len = plan->own_dir ? strlen(plan->own_dir) : 0;

	return len > 0 && strncmp(target, plan->own_dir, len) == 0 && target[len] == '/';
}

static void keep(struct ctr_links *links, const struct plan_link *link)
{
	struct err found;

	(void)err_set(
		&found, EEXIST,
		"place '%s' in the container: the image's own is there and stays; it "
		"is of use only if it is of the host's driver version; remove it from "
		"the image",
		link->ctr.text);
	add_finding(&links->kept, link, &found);
}

/* Something is there already. Return: 0, or negative errno without a message. */
static int take_place(struct ctr_links *links, const struct plan *plan,
		      const struct plan_link *link, const struct ctr_dir *dir,
		      const char *name, struct rootfs *rootfs)
{
	struct ctr_link_old *old = &links->old[links->n_old];
	struct err found;
	ssize_t n;
	int r;

	/* EINVAL: it is no link. */
	n = readlinkat(dir->fd, name, old->target, sizeof(old->target));
	if (n < 0 && errno != EINVAL) {
		return -errno;
	}
	if (n < 0 || (size_t)n == sizeof(old->target)) {
		keep(links, link);
		return 0;
	}
	old->target[n] = '\0';
	old->process = rootfs->process;
	if (text_equals(old->target, link->target)) {
		return 0;
	}
	links->n_old++;
	r = replace_link(link, dir, name, old, rootfs);
	if (r == 0 && !is_ours(plan, old->target)) {
		(void)err_set(
			&found, EEXIST,
			"link '%s' in the container: it led to '%s' and leads to the "
			"host's driver now",
			link->ctr.text, old->target);
		add_finding(&links->replaced, link, &found);
	}
	return r;
}

static int make_link(struct ctr_links *links, const struct plan *plan,
		     const struct plan_link *link, struct rootfs *rootfs, struct err *err)
{
	struct undo_record record = {.revert = undo_revert_file};
	struct ctr_dir *dir;
	int r;

	dir = ctr_dirs_open_parent(&rootfs->dirs, link->ctr.text, true, rootfs->process,
				   rootfs->undo, &record.name, err);
	if (!dir || ctr_dir_check_may_change(&rootfs->dirs, dir, err) < 0) {
		return -err->code;
	}
	r = make_symlink(rootfs->process, link->target, dir->fd, record.name);
	if (r == 0) {
		record.fd = dir->fd;
		undo_log_push(rootfs->undo, &record);
	} else if (r == -EEXIST) {
		r = take_place(links, plan, link, dir, record.name, rootfs);
	}
	return r < 0 ? err_sys(err, -r, "link '%s' in the container", link->ctr.text) : 0;
}

int ctr_link_make(struct ctr_links *links, const struct plan *plan,
		  const struct plan_link *link, struct rootfs *rootfs, struct err *err)
{
	int r = make_link(links, plan, link, rootfs, err);

	if (r < 0 && ctr_is_of_image(-r)) {
		add_finding(&links->missing, link, err);
		*err = (struct err){0};
		return 0;
	}
	return r;
}

void ctr_links_tell_missing(const struct ctr_links *links, struct err *ret)
{
	const struct ctr_link_finding *missing = &links->missing;
	const char *name;

	if (missing->n == 0) {
		return;
	}
	name = strrchr(missing->target, '/');
	(void)err_set(ret, missing->first.code,
		      "%s; links to the driver's files that are missing: %zu; set "
		      "LD_LIBRARY_PATH=%.*s",
		      missing->first.msg, missing->n,
		      name ? (int)(name - missing->target) : 0, missing->target);
}

static void tell(const struct ctr_link_finding *finding, struct err *ret)
{
	if (finding->n > 0) {
		*ret = finding->first;
	}
	if (finding->n > 1) {
		(void)err_wrap(ret, "%zu places, the first", finding->n);
	}
}

void ctr_links_tell_kept(const struct ctr_links *links, struct err *ret)
{
	tell(&links->kept, ret);
}

void ctr_links_tell_replaced(const struct ctr_links *links, struct err *ret)
{
	tell(&links->replaced, ret);
}
