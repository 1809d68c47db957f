/* SPDX-License-Identifier: Apache-2.0 */
/* bpf_program.c - device programs as the kernel holds them */

#include "backend/apply/bpf_program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/syscalls.h"

/* A program of an unprivileged loader; a device program is some hundred instructions. */
#define MAX_INSNS 65536U

/* bpffs takes no name with a dot in it. */
#define PIN_SUFFIX "_oci_gpu_hook"

/* Pointers travel to the kernel as 64-bit numbers. */
static uint64_t to_kernel(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

int bpf_program_query(int cgroup_fd, uint32_t flags, struct bpf_attached *ret)
{
	struct bpf_attached found = {0};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.query_flags = flags;
	attr.query.prog_ids = to_kernel(found.id);
	attr.query.prog_cnt = BPF_PROGRAMS_MAX;
	if (sys_bpf(BPF_PROG_QUERY, &attr) < 0) {
		return -errno;
	}
	found.n = attr.query.prog_cnt;
	found.flags = attr.query.attach_flags;
	*ret = found;
	return 0;
}

int bpf_program_by_id(uint32_t id)
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

int bpf_program_id(int program_fd, uint32_t *ret)
{
	struct bpf_prog_info info = {0};
	int r = get_info(program_fd, &info);

	if (r == 0) {
		*ret = info.id;
	}
	return r;
}

bool bpf_program_is_named(int program_fd, const char *name)
{
	struct bpf_prog_info info = {0};

	return get_info(program_fd, &info) == 0 &&
	       strncmp(info.name, name, sizeof(info.name)) == 0;
}

int bpf_program_dump(int program_fd, struct devrules_program *ret, const char **why)
{
	cleanup(devrules_clearp) struct devrules_program program = {0};
	struct bpf_prog_info info = {0};
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
	program.insns = calloc(program.n, sizeof(struct bpf_insn));
	if (!program.insns) {
		return -ENOMEM;
	}
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
		return r;
	}
	*ret = program;
	program = (struct devrules_program){0};
	return 0;
}

int bpf_program_load(const struct devrules_program *program)
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

int bpf_program_replace(int cgroup_fd, uint32_t flags, int old_fd, int new_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)new_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = flags;
	if (flags & BPF_F_ALLOW_MULTI) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)old_fd;
	}
	return sys_bpf(BPF_PROG_ATTACH, &attr) < 0 ? -errno : 0;
}

/* Opening another file here, a device for instance, could have effects. */
static int check_bpffs(const char *path, struct err *err)
{
	autoclose int fd = -1;
	struct statfs fs;

	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) < 0) {
		return err_sys(err, errno, "open pinned program '%s'", path);
	}
	if (fs.f_type != BPF_FS_MAGIC) {
		return err_set(err, EINVAL, "open pinned program '%s': not on a bpffs",
			       path);
	}
	return 0;
}

int bpf_pin_open(const char *path, struct err *err)
{
	union bpf_attr attr;
	int r;

	r = check_bpffs(path, err);
	if (r < 0) {
		return r;
	}
	memset(&attr, 0, sizeof(attr));
	attr.pathname = to_kernel(path);
	r = sys_bpf(BPF_OBJ_GET, &attr);
	return r < 0 ? err_sys(err, errno, "open pinned program '%s'", path) : r;
}

static int pin(const char *path, int program_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = to_kernel(path);
	attr.bpf_fd = (uint32_t)program_fd;
	return sys_bpf(BPF_OBJ_PIN, &attr) < 0 ? -errno : 0;
}

int bpf_pin_replace(const char *path, int program_fd, struct err *err)
{
	autofree char *beside = NULL;
	int r;

	if (asprintf(&beside, "%s%s", path, PIN_SUFFIX) < 0) {
		beside = NULL;
		return err_sys(err, ENOMEM, "pin a device program at '%s'", path);
	}
	r = pin(beside, program_fd);
	if (r == -EEXIST) {
		r = unlinkat(AT_FDCWD, beside, 0) < 0 ? -errno : pin(beside, program_fd);
	}
	if (r < 0) {
		return err_sys(err, -r, "pin a device program at '%s'", beside);
	}
	if (renameat(AT_FDCWD, beside, AT_FDCWD, path) < 0) {
		r = err_sys(err, errno, "replace pinned program '%s'", path);
		(void)unlinkat(AT_FDCWD, beside, 0);
	}
	return r;
}
