/* SPDX-License-Identifier: Apache-2.0 */
/* undo.c - what has been changed, so that a failure can take it back */

#include "backend/apply/undo.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/mem.h"

void undo_log_reserve(struct undo_log *log, size_t room)
{
	log->room += room;
	log->records = xrealloc(log->records, log->room * sizeof(*log->records));
}

int undo_log_try_reserve(struct undo_log *log, size_t room)
{
	size_t wanted = log->room + room;
	struct undo_record *records;

	if (room == 0) {
		return 0;
	}
	records = reallocarray(log->records, wanted, sizeof(*records));
	if (!records) {
		return -ENOMEM;
	}
	log->records = records;
	log->room = wanted;
	return 0;
}

void undo_log_push(struct undo_log *log, const struct undo_record *record)
{
	/* A programmer's error: the caller reserves for every change it can make. */
	assert(log->n < log->room);
	log->records[log->n++] = *record;
}

void undo_log_clear(struct undo_log *log)
{
	free(log->records);
	*log = (struct undo_log){0};
}

/* umount2() knows no descriptors, so the directory becomes the working directory and the
   name stays a single component. Nothing else uses the working directory by then. */
int undo_revert_mount(const struct undo_record *record)
{
	if (fchdir(record->fd) < 0 ||
	    umount2(record->name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
		return -errno;
	}
	return 0;
}

int undo_revert_file(const struct undo_record *record)
{
	return unlinkat(record->fd, record->name, 0) < 0 ? -errno : 0;
}

int undo_revert_dir(const struct undo_record *record)
{
	return unlinkat(record->fd, record->name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Whoever reads the line must learn of this: a long message gives way. */
static void add_what_is_left(size_t n_left, int first, struct err *err)
{
	char text[128];
	size_t used = strlen(err->msg);
	size_t room;

	(void)snprintf(text, sizeof(text),
		       "; and %zu changes could not be taken back (%s)", n_left,
		       strerrordesc_np(first));
	room = sizeof(err->msg) - 1 - strlen(text);
	(void)snprintf(err->msg + (used < room ? used : room), sizeof(text), "%s", text);
}

void undo_log_revert(struct undo_log *log, struct err *err)
{
	size_t n_left = 0;
	int first = 0;

	while (log->n > 0) {
		const struct undo_record *record = &log->records[--log->n];
		int r = record->revert(record);

		if (r < 0) {
			n_left++;
			first = first ? first : -r;
		}
	}
	if (n_left > 0) {
		add_what_is_left(n_left, first, err);
	}
}
