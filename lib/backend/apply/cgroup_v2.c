/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_v2.c - the device programs on the levels of a container's cgroup */

#include "backend/apply/cgroup_v2.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backend/apply/bpf_program.h"
#include "backend/apply/devrules.h"
#include "base/mem.h"
#include "base/text.h"

/* How often the programs may have changed under our hands. systemd attaches a
   fresh one when it applies a unit again; more than one in the milliseconds that
   this takes is a storm. */
#define MAX_ROUNDS 8

/* One program that was met, and what stands for it. */
struct v2_change {
	int cgroup_fd; /* of the level; borrowed */
	uint32_t attach_flags;
	int old_fd;
	uint32_t old_id;
	int new_fd; /* -1: it has the rules already, or none can be made */
	uint32_t new_id;
	bool is_closed; /* cannot be edited: what stands for it is not made of it */
	bool is_done;	/* replaced, or gone before that */
};

struct v2_level {
	int cgroup_fd;
	char *path;		   /* for messages */
	struct v2_change **change; /* each in its place for good, for the undo log */
	size_t n_changes;
};

struct cgroup_v2_programs {
	struct devrules_program prefix;
	struct v2_level **level;
	size_t n_levels;
	char *unit_path; /* see cgroup_v2_set_unit() */
	struct devrules_program stand_in;
	const char *obstacle;
};

/* What systemd calls its device programs. Source: tried with systemd 252 and 257. */
#define SYSTEMD_PROGRAM "sd_devices"

static void level_free(struct v2_level *level)
{
	for (size_t i = 0; i < level->n_changes; i++) {
		cleanup_close(&level->change[i]->old_fd);
		cleanup_close(&level->change[i]->new_fd);
		free(level->change[i]);
	}
	cleanup_close(&level->cgroup_fd);
	free(level->change);
	free(level->path);
	free(level);
}

void cgroup_v2_free(struct cgroup_v2_programs *programs)
{
	if (!programs) {
		return;
	}
	for (size_t i = 0; i < programs->n_levels; i++) {
		level_free(programs->level[i]);
	}
	free(programs->level);
	free(programs->unit_path);
	devrules_clear(&programs->stand_in);
	devrules_clear(&programs->prefix);
	free(programs);
}

struct cgroup_v2_programs *cgroup_v2_new(const struct plan *plan)
{
	struct cgroup_v2_programs *programs = xcalloc(1, sizeof(*programs));

	devrules_prefix(plan, &programs->prefix);
	return programs;
}

void cgroup_v2_set_unit(struct cgroup_v2_programs *programs, const char *unit_path,
			struct devrules_program *stand_in, const char *obstacle)
{
	free(programs->unit_path);
	programs->unit_path = xstrdup(unit_path);
	devrules_clear(&programs->stand_in);
	programs->stand_in = *stand_in;
	*stand_in = (struct devrules_program){0};
	programs->obstacle = obstacle;
}

/* @more: why nothing can stand for it either, or NULL: that is out of the question. */
static int cannot_edit(const char *path, const char *why, const char *more,
		       struct err *err)
{
	return err_set(
		err, EOPNOTSUPP,
		"change the device program of cgroup '%s': %s%s%s; let the engine pass "
		"the nodes instead (--device, CDI, or a hook at podman's stage "
		"precreate)",
		path, why, more ? ", and systemd's own is not enough: " : "",
		more ? more : "");
}

/*
 * Loads what will stand for a program.
 *
 * Return: 1 and a descriptor in *ret; 0 if the rules are there already; negative errno.
 */
static int load_edited(const struct cgroup_v2_programs *programs, int old_fd,
		       const char *path, int *ret, struct err *err)
{
	cleanup(devrules_clearp) struct devrules_program old = {0};
	cleanup(devrules_clearp) struct devrules_program edited = {0};
	const char *why = NULL;
	int r;

	r = bpf_program_dump(old_fd, &old, &why);
	if (r < 0) {
		return why ? cannot_edit(path, why, programs->obstacle, err)
			   : err_sys(err, -r, "read the device program of cgroup '%s'",
				     path);
	}
	if (devrules_has_prefix(&old, &programs->prefix)) {
		return 0;
	}
	r = devrules_prepend(&programs->prefix, &old, &edited);
	if (r < 0) {
		return err_sys(err, -r, "change the device program of cgroup '%s'", path);
	}
	r = bpf_program_load(&edited);
	if (r == -EPERM) {
		return err_sys(err, EPERM, "load a device program for cgroup '%s'", path);
	}
	if (r < 0) {
		return cannot_edit(path, "the kernel does not take its code again",
				   programs->obstacle, err);
	}
	*ret = r;
	return 1;
}

/* May something stand for a closed program of this level? Only from the unit's own level
   downwards, where systemd's program is asked as well. */
static bool may_stand_in(const struct cgroup_v2_programs *programs,
			 const struct v2_level *level)
{
	return programs->unit_path && !programs->obstacle &&
	       text_starts_with(level->path, programs->unit_path);
}

/*
 * Decides what is done about a program that cannot be edited.
 *
 * Return: 1 if it is replaced; 0: it is systemd's own and stays, since systemd is told of
 * the nodes; negative errno.
 */
static int meet_closed(const struct cgroup_v2_programs *programs,
		       const struct v2_level *level, struct v2_change *change,
		       struct err *err)
{
	int r;

	if (err->code != EOPNOTSUPP || !may_stand_in(programs, level)) {
		return -err->code;
	}
	*err = (struct err){0};
	if (text_equals(level->path, programs->unit_path) &&
	    bpf_program_is_named(change->old_fd, SYSTEMD_PROGRAM)) {
		return 0;
	}
	change->is_closed = true;
	r = bpf_program_load(&programs->stand_in);
	if (r < 0) {
		return err_sys(err, -r, "load a device program for cgroup '%s'",
			       level->path);
	}
	change->new_fd = r;
	return 1;
}

/* Return: a change more of the level, or NULL: there is no memory. */
static struct v2_change *add_change(struct v2_level *level)
{
	struct v2_change **grown =
		try_grow(level->change, level->n_changes, sizeof(struct v2_change *));

	if (!grown) {
		return NULL;
	}
	level->change = grown;
	grown[level->n_changes] = try_calloc(1, sizeof(struct v2_change));
	return grown[level->n_changes] ? grown[level->n_changes++] : NULL;
}

/*
 * Notes a program and makes its replacement.
 *
 * Return: 1 if it must be replaced; 0 if not; negative errno.
 */
static int meet_program(const struct cgroup_v2_programs *programs, struct v2_level *level,
			uint32_t id, uint32_t attach_flags, struct err *err)
{
	struct v2_change *change;
	autoclose int fd = bpf_program_by_id(id);
	int r;

	if (fd == -ENOENT) {
		/* Gone since it was listed. */
		return 0;
	}
	if (fd < 0) {
		return err_sys(err, -fd, "open the device program of cgroup '%s'",
			       level->path);
	}
	change = add_change(level);
	if (!change) {
		return err_sys(err, ENOMEM, "note a device program of cgroup '%s'",
			       level->path);
	}
	*change = (struct v2_change){
		.cgroup_fd = level->cgroup_fd,
		.attach_flags = attach_flags,
		.old_fd = steal_fd(&fd),
		.old_id = id,
		.new_fd = -1,
	};
	r = load_edited(programs, change->old_fd, level->path, &change->new_fd, err);
	if (r < 0) {
		r = meet_closed(programs, level, change, err);
	}
	if (r > 0) {
		int r_id = bpf_program_id(change->new_fd, &change->new_id);

		r = r_id < 0 ? err_sys(err, -r_id,
				       "look at the device program for cgroup '%s'",
				       level->path)
			     : r;
	}
	return r;
}

/* One that was replaced and is there again is not known: it must be replaced again. */
static bool is_known(const struct v2_level *level, uint32_t id)
{
	for (size_t i = 0; i < level->n_changes; i++) {
		const struct v2_change *change = level->change[i];

		if (change->is_done ? change->new_id == id : change->old_id == id) {
			return true;
		}
	}
	return false;
}

/* Return: how many programs must be replaced that had not been met
   before; negative errno. */
static int look(const struct cgroup_v2_programs *programs, struct v2_level *level,
		struct undo_log *undo, struct err *err)
{
	struct bpf_attached attached = {0};
	int n_found = 0;
	int r;

	r = bpf_program_query(level->cgroup_fd, 0, &attached);
	if (r == -EINVAL) {
		/* A kernel without CONFIG_CGROUP_BPF: nothing can deny. */
		return 0;
	}
	if (r < 0) {
		return err_sys(err, -r, "list the device programs of cgroup '%s'",
			       level->path);
	}
	for (uint32_t i = 0; i < attached.n; i++) {
		if (is_known(level, attached.id[i])) {
			continue;
		}
		r = meet_program(programs, level, attached.id[i], attached.flags, err);
		if (r < 0) {
			return r;
		}
		n_found += r;
	}
	r = undo_log_try_reserve(undo, (size_t)n_found);
	return r < 0 ? err_sys(err, -r, "note the device programs of cgroup '%s'",
			       level->path)
		     : n_found;
}

int cgroup_v2_prepare(struct cgroup_v2_programs *programs, int cgroup_fd,
		      const char *path, struct undo_log *undo, struct err *err)
{
	struct v2_level *level = xcalloc(1, sizeof(*level));
	int r;

	level->cgroup_fd = cgroup_fd;
	level->path = xstrdup(path);
	programs->level =
		xgrow(programs->level, programs->n_levels, sizeof(struct v2_level *));
	programs->level[programs->n_levels++] = level;
	r = look(programs, level, undo, err);
	return r < 0 ? r : 0;
}

/* One that is no longer attached needs no taking back. */
static int revert_change(const struct undo_record *record)
{
	const struct v2_change *change = record->change;
	int r = bpf_program_replace(change->cgroup_fd, change->attach_flags,
				    change->new_fd, change->old_fd);

	return r == -ENOENT ? 0 : r;
}

/* Is it systemd's program, as it is or with the rules in front? */
static bool is_systemds(const struct v2_level *level, uint32_t id)
{
	autoclose int fd = bpf_program_by_id(id);

	if (fd >= 0 && bpf_program_is_named(fd, SYSTEMD_PROGRAM)) {
		return true;
	}
	for (size_t i = 0; i < level->n_changes; i++) {
		const struct v2_change *change = level->change[i];

		if (change->is_done && change->new_id == id) {
			return bpf_program_is_named(change->old_fd, SYSTEMD_PROGRAM);
		}
	}
	return false;
}

static int check_systemd(const struct v2_level *level, struct err *err)
{
	struct bpf_attached attached = {0};
	bool has_own = false;
	int r = bpf_program_query(level->cgroup_fd, 0, &attached);

	if (r < 0) {
		return err_sys(err, -r, "list the device programs of cgroup '%s'",
			       level->path);
	}
	for (uint32_t i = 0; i < attached.n && !has_own; i++) {
		has_own = is_systemds(level, attached.id[i]);
	}
	return has_own ? 0
		       : cannot_edit(level->path, "one cannot be edited",
				     "it is not attached", err);
}

/* Asked before a stand-in is attached, and once more in the end. */
static int check_unit_level(const struct cgroup_v2_programs *programs, struct err *err)
{
	for (size_t i = 0; i < programs->n_levels; i++) {
		const struct v2_level *level = programs->level[i];

		if (text_equals(level->path, programs->unit_path)) {
			return check_systemd(level, err);
		}
	}
	return cannot_edit(programs->unit_path, "one cannot be edited",
			   "it is not attached", err);
}

static int replace(struct v2_change *change, struct undo_log *undo)
{
	const struct undo_record record = {.revert = revert_change, .change = change};
	int r;

	if (change->is_done || change->new_fd < 0) {
		return 0;
	}
	r = bpf_program_replace(change->cgroup_fd, change->attach_flags, change->old_fd,
				change->new_fd);
	if (r == -ENOENT) {
		/* systemd has put another one in its place; it is
		   met in the next look. */
		change->is_done = true;
		change->new_id = 0;
		return 0;
	}
	if (r < 0) {
		return r;
	}
	change->is_done = true;
	undo_log_push(undo, &record);
	return 0;
}

static bool needs_systemd(const struct v2_level *level)
{
	for (size_t i = 0; i < level->n_changes; i++) {
		if (level->change[i]->is_closed && !level->change[i]->is_done) {
			return true;
		}
	}
	return false;
}

static int replace_all(const struct cgroup_v2_programs *programs,
		       const struct v2_level *level, struct undo_log *undo,
		       struct err *err)
{
	if (needs_systemd(level) && check_unit_level(programs, err) < 0) {
		return -err->code;
	}
	for (size_t i = 0; i < level->n_changes; i++) {
		int r = replace(level->change[i], undo);

		if (r < 0) {
			return err_sys(err, -r, "replace a device program of cgroup '%s'",
				       level->path);
		}
	}
	return 0;
}

bool cgroup_v2_relies_on_systemd(const struct cgroup_v2_programs *programs)
{
	for (size_t i = 0; i < programs->n_levels; i++) {
		for (size_t j = 0; j < programs->level[i]->n_changes; j++) {
			if (programs->level[i]->change[j]->is_closed) {
				return true;
			}
		}
	}
	return false;
}

int cgroup_v2_allow(const struct cgroup_v2_programs *programs, struct undo_log *undo,
		    struct err *err)
{
	for (int round = 0; round < MAX_ROUNDS; round++) {
		int n_found = 0;

		for (size_t i = 0; i < programs->n_levels; i++) {
			struct v2_level *level = programs->level[i];
			int r = replace_all(programs, level, undo, err);

			if (r == 0) {
				r = look(programs, level, undo, err);
			}
			if (r < 0) {
				return r;
			}
			n_found += r;
		}
		if (n_found == 0) {
			return cgroup_v2_relies_on_systemd(programs)
				       ? check_unit_level(programs, err)
				       : 0;
		}
	}
	return err_set(err, EBUSY,
		       "replace the device programs of the container's cgroup: they "
		       "change all the time; start the container again");
}

/* The replacement of the program @id, if it has been replaced. */
static int find_replacement(const struct cgroup_v2_programs *programs, uint32_t id)
{
	for (size_t i = 0; i < programs->n_levels; i++) {
		const struct v2_level *level = programs->level[i];

		for (size_t j = 0; j < level->n_changes; j++) {
			const struct v2_change *change = level->change[j];

			if (change->old_id == id && change->is_done &&
			    change->new_id != 0) {
				return change->new_fd;
			}
		}
	}
	return -1;
}

int cgroup_v2_repin(const struct cgroup_v2_programs *programs, const char *pin,
		    struct err *err)
{
	autoclose int pinned_fd = -1;
	autoclose int loaded_fd = -1;
	uint32_t id = 0;
	int new_fd;
	int r;

	pinned_fd = bpf_pin_open(pin, err);
	if (pinned_fd < 0) {
		return pinned_fd;
	}
	r = bpf_program_id(pinned_fd, &id);
	if (r < 0) {
		return err_sys(err, -r, "look at pinned program '%s'", pin);
	}
	new_fd = find_replacement(programs, id);
	if (new_fd < 0) {
		/* Not attached now: systemd 257 with crun 1.28 takes it off at a reload,
		   and attaches it again at the next change. */
		r = load_edited(programs, pinned_fd, pin, &loaded_fd, err);
		if (r <= 0) {
			return r;
		}
		new_fd = loaded_fd;
	}
	return bpf_pin_replace(pin, new_fd, err);
}
