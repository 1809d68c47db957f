/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bpf_program.h - device programs as the kernel holds them
 *
 * Every function returns 0 or a descriptor, else a negative errno. They
 * need CAP_SYS_ADMIN in the initial user namespace, bpf_program_query()
 * also does with CAP_NET_ADMIN.
 * Source: bpf(2); Linux include/uapi/linux/bpf.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "backend/apply/devrules.h"
#include "base/err.h"

/* Programs on one cgroup. Source: Linux include/linux/bpf-cgroup-defs.h,
   BPF_CGROUP_MAX_PROGS. */
#define BPF_PROGRAMS_MAX 64U

struct bpf_attached {
	uint32_t id[BPF_PROGRAMS_MAX];
	uint32_t n;
	uint32_t flags; /* BPF_F_ALLOW_*, which a replacement must repeat */
};

/**
 * bpf_program_query() - Which device programs does a cgroup have?
 * @flags:	0: what is attached to it; BPF_F_QUERY_EFFECTIVE: what is run for a
 *		process in it, of all levels
 *
 * Return: -EINVAL: a kernel without CONFIG_CGROUP_BPF.
 */
int bpf_program_query(int cgroup_fd, uint32_t flags, struct bpf_attached *ret);

int bpf_program_by_id(uint32_t id);
int bpf_program_id(int program_fd, uint32_t *ret);

/* Was it loaded under this name? Whoever may load programs chooses the name. */
bool bpf_program_is_named(int program_fd, const char *name);

/**
 * bpf_program_dump() - The code as the verifier left it
 * @why:	set with -EOPNOTSUPP: why it cannot be loaded again, for a message
 *
 * Return: -ENOMEM as well: by then there may be something to undo.
 */
int bpf_program_dump(int program_fd, struct devrules_program *ret, const char **why);
int bpf_program_load(const struct devrules_program *program);

/**
 * bpf_program_replace() - Put @new_fd where @old_fd is
 *
 * With BPF_F_ALLOW_MULTI the old one is named, and -ENOENT says that it is no longer
 * there; without it (no flags, or BPF_F_ALLOW_OVERRIDE) a cgroup has one program and an
 * attach replaces it. BPF_F_REPLACE is Linux 5.6.
 */
int bpf_program_replace(int cgroup_fd, uint32_t flags, int old_fd, int new_fd);

/* @err: EINVAL: @path is not on a bpffs. Return: a descriptor of the
   program pinned there. */
int bpf_pin_open(const char *path, struct err *err);

/**
 * bpf_pin_replace() - Pin another program where one is pinned
 *
 * At no time is there none: systemd would take that for a unit without a filter. So the
 * new one is pinned beside it and renamed over it. The name beside it is always the same,
 * so that what a kill in between has left goes away with the next run.
 */
int bpf_pin_replace(const char *path, int program_fd, struct err *err);
