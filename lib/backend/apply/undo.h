/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * undo.h - what has been changed, so that a failure can take it back
 *
 * A record is pushed right after its change succeeded, into room that was reserved before
 * the first change: pushing cannot fail. Records borrow their descriptors and names;
 * those live until the program ends or undo_log_clear() has run.
 */

#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

struct undo_record {
	/* Takes the change back. Return: 0 or negative errno. */
	int (*revert)(const struct undo_record *record);
	int fd;		    /* the directory, or the cgroup's */
	const char *name;   /* the entry in the directory */
	const void *change; /* what else revert() needs to know; borrowed */
};

struct undo_log {
	struct undo_record *records;
	size_t n;
	size_t room;
};

/* Makes room for @room records more than there is room for now. */
void undo_log_reserve(struct undo_log *log, size_t room);

/* The same once something has been changed. Return: 0, or -ENOMEM
   and the log as it was. */
int undo_log_try_reserve(struct undo_log *log, size_t room);
void undo_log_push(struct undo_log *log, const struct undo_record *record);
void undo_log_clear(struct undo_log *log);
DEFINE_CLEANUP(struct undo_log, undo_log_clear)

/* The reverts of an entry `name` in the directory `fd`. */
int undo_revert_mount(const struct undo_record *record);
int undo_revert_file(const struct undo_record *record);
int undo_revert_dir(const struct undo_record *record);

/**
 * undo_log_revert() - Take back all changes, the last one first
 * @err:	has the failure that made this necessary; what cannot be taken back
 *		is added to its message
 *
 * Goes on after a record that fails. Leaves the log empty.
 */
void undo_log_revert(struct undo_log *log, struct err *err);
