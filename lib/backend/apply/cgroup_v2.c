/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_v2.c - the device programs on the levels of a container's cgroup */

#include "backend/apply/cgroup_v2.h"

#include <errno.h>
#include <string.h>

#include "backend/apply/devrules.h"
#include "base/mem.h"
#include "base/syscalls.h"

/* Programs on one cgroup. Source: Linux include/linux/bpf-cgroup-defs.h, BPF_CGROUP_MAX_PROGS. */
#define MAX_PROGRAMS 64U

/* A program of an unprivileged loader; a device program is some hundred instructions. */
#define MAX_INSNS 65536U

struct v2_change {
	int cgroup_fd; /* of the level; borrowed */
	int old_fd;
	int new_fd;
	uint32_t attach_flags;
};

struct v2_level {
	int cgroup_fd;
	struct v2_change change[MAX_PROGRAMS];
	size_t n_changes;
};

struct cgroup_v2_programs {
	struct devrules_program prefix;
	struct v2_level **level;
	size_t n_levels;
};

static void level_free(struct v2_level *level)
{
	for (size_t i = 0; i < level->n_changes; i++) {
		cleanup_close(&level->change[i].old_fd);
		cleanup_close(&level->change[i].new_fd);
	}
	cleanup_close(&level->cgroup_fd);
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
	devrules_clear(&programs->prefix);
	free(programs);
}

struct cgroup_v2_programs *cgroup_v2_new(const struct plan *plan)
{
	struct cgroup_v2_programs *programs = xcalloc(1, sizeof(*programs));

	devrules_prefix(plan, &programs->prefix);
	return programs;
}

/* Pointers travel to the kernel as 64-bit numbers. */
static uint64_t to_kernel(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int query(int cgroup_fd, uint32_t *ids, uint32_t *ret_n, uint32_t *ret_flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = to_kernel(ids);
	attr.query.prog_cnt = MAX_PROGRAMS;
	if (sys_bpf(BPF_PROG_QUERY, &attr) < 0) {
		return -errno;
	}
	*ret_n = attr.query.prog_cnt;
	*ret_flags = attr.query.attach_flags;
	return 0;
}

static int program_by_id(uint32_t id)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	return fd < 0 ? -errno : fd;
}

static int get_info(int program_fd, struct bpf_prog_info *info)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)program_fd;
	attr.info.info_len = sizeof(*info);
	attr.info.info = to_kernel(info);
	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? -errno : 0;
}

/* The code as the verifier left it. Source: bpf(2), BPF_OBJ_GET_INFO_BY_FD. */
static int dump(int program_fd, struct devrules_program *ret, const char **why)
{
	struct bpf_prog_info info = {0};
	struct devrules_program program = {0};
	uint32_t n_bytes;
	int r;

	r = get_info(program_fd, &info);
	if (r < 0) {
		return r;
	}
	n_bytes = info.xlated_prog_len;
	if (n_bytes == 0 || n_bytes % sizeof(struct bpf_insn) != 0 ||
	    n_bytes / sizeof(struct bpf_insn) > MAX_INSNS) {
		*why = "its code has no usable length";
		return -EOPNOTSUPP;
	}
	program.n = n_bytes / sizeof(struct bpf_insn);
	program.insns = xcalloc(program.n, sizeof(struct bpf_insn));
	info = (struct bpf_prog_info){
		.xlated_prog_len = n_bytes,
		.xlated_prog_insns = to_kernel(program.insns),
	};
	r = get_info(program_fd, &info);
	if (r == 0 && info.xlated_prog_len != n_bytes) {
		*why = "its code changed its length";
		r = -EOPNOTSUPP;
	}
	if (r == 0 && !devrules_check_editable(&program, why)) {
		r = -EOPNOTSUPP;
	}
	if (r < 0) {
		devrules_clear(&program);
		return r;
	}
	*ret = program;
	return 0;
}

static int load(const struct devrules_program *program)
{
	static const char license[] = "Apache-2.0";
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = to_kernel(program->insns);
	attr.insn_cnt = (uint32_t)program->n;
	attr.license = to_kernel(license);
	memcpy(attr.prog_name, "oci_gpu_hook", sizeof("oci_gpu_hook"));
	fd = sys_bpf(BPF_PROG_LOAD, &attr);
	return fd < 0 ? -errno : fd;
}

static int cannot_edit(const char *path, const char *why, struct err *err)
{
	return err_set(
		err, EOPNOTSUPP,
		"change the device program of cgroup '%s': %s; let the engine pass the "
		"nodes instead (--device)",
		path, why);
}

/*
 * Makes the replacement of one program.
 *
 * Return: 1 and a filled @change; 0 if the rules are there already; negative errno.
 */
static int prepare_program(const struct cgroup_v2_programs *programs, uint32_t id,
			   const char *path, struct v2_change *change, struct err *err)
{
	cleanup(devrules_clearp) struct devrules_program old = {0};
	cleanup(devrules_clearp) struct devrules_program edited = {0};
	autoclose int old_fd = -1;
	const char *why = NULL;
	int r;

	old_fd = program_by_id(id);
	if (old_fd < 0) {
		return err_sys(err, -old_fd, "open the device program of cgroup '%s'",
			       path);
	}
	r = dump(old_fd, &old, &why);
	if (r < 0) {
		return why ? cannot_edit(path, why, err)
			   : err_sys(err, -r, "read the device program of cgroup '%s'",
				     path);
	}
	if (devrules_has_prefix(&old, &programs->prefix)) {
		return 0;
	}
	devrules_prepend(&programs->prefix, &old, &edited);
	r = load(&edited);
	if (r == -EPERM) {
		return err_sys(err, EPERM, "load a device program for cgroup '%s'", path);
	}
	if (r < 0) {
		return cannot_edit(path, "the kernel does not take its code again", err);
	}
	change->new_fd = r;
	change->old_fd = steal_fd(&old_fd);
	return 1;
}

int cgroup_v2_prepare(struct cgroup_v2_programs *programs, int cgroup_fd,
		      const char *path, struct undo_log *undo, struct err *err)
{
	struct v2_level *level = xcalloc(1, sizeof(*level));
	uint32_t ids[MAX_PROGRAMS] = {0};
	uint32_t n = 0;
	uint32_t flags = 0;
	int r;

	level->cgroup_fd = cgroup_fd;
	programs->level =
		xgrow(programs->level, programs->n_levels, sizeof(struct v2_level *));
	programs->level[programs->n_levels++] = level;
	r = query(cgroup_fd, ids, &n, &flags);
	if (r == -EINVAL) {
		/* A kernel without CONFIG_CGROUP_BPF: nothing can deny. */
		return 0;
	}
	if (r < 0) {
		return err_sys(err, -r, "list the device programs of cgroup '%s'", path);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct v2_change *change = &level->change[level->n_changes];

		r = prepare_program(programs, ids[i], path, change, err);
		if (r < 0) {
			return r;
		}
		if (r > 0) {
			change->cgroup_fd = cgroup_fd;
			change->attach_flags = flags;
			level->n_changes++;
		}
	}
	undo_log_reserve(undo, level->n_changes);
	return 0;
}

/*
 * Puts @new_fd where @old_fd is. With BPF_F_ALLOW_MULTI the old one is named; without it
 * (no flags, or BPF_F_ALLOW_OVERRIDE) a cgroup has one program and an attach replaces it.
 * Source: bpf(2) BPF_PROG_ATTACH; BPF_F_REPLACE is Linux 5.6.
 */
static int replace(const struct v2_change *change, int old_fd, int new_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)change->cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)new_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = change->attach_flags;
	if (change->attach_flags & BPF_F_ALLOW_MULTI) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)old_fd;
	}
	return sys_bpf(BPF_PROG_ATTACH, &attr) < 0 ? -errno : 0;
}

static int revert_change(const struct undo_record *record)
{
	const struct v2_change *change = record->change;

	return replace(change, change->new_fd, change->old_fd);
}

int cgroup_v2_allow(const struct cgroup_v2_programs *programs, struct undo_log *undo,
		    struct err *err)
{
	for (size_t i = 0; i < programs->n_levels; i++) {
		const struct v2_level *level = programs->level[i];

		for (size_t j = 0; j < level->n_changes; j++) {
			const struct v2_change *change = &level->change[j];
			const struct undo_record record = {
				.revert = revert_change,
				.change = change,
			};
			int r = replace(change, change->old_fd, change->new_fd);

			if (r < 0) {
				return err_sys(
					err, -r,
					"replace a device program of the container's "
					"cgroup");
			}
			undo_log_push(undo, &record);
		}
	}
	return 0;
}
