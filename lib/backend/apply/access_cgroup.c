/* SPDX-License-Identifier: Apache-2.0 */
/* access_cgroup.c - which level of the device cgroup denies a node */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "backend/apply/access.h"
#include "backend/apply/bpf_machine.h"
#include "backend/apply/bpf_program.h"
#include "backend/apply/cgroup_hierarchy.h"
#include "backend/apply/cgroup_path.h"
#include "backend/apply/cgroup_v1.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"

/* What is asked of every level, and where the answers go. */
struct question {
	const struct plan *plan;
	struct access *access;
	struct bpf_attached
		effective; /* v2: of all levels, what is run for the process */
};

typedef int look_fn(const struct question *question, int cgroup_fd, const char *level,
		    struct err *err);

/* From the root down, so that the highest level that denies is named: below it nobody can
   allow the device again. */
static int look_at_levels(const struct question *question, int hierarchy_fd,
			  const char *path, look_fn *look, struct err *err)
{
	size_t end = 0;

	for (;;) {
		autofree char *level = end > 0 ? xstrndup(path, end) : xstrdup("/.");
		autoclose int fd = cgroup_hierarchy_open_level(hierarchy_fd, level, err);
		int r = fd < 0 ? fd : look(question, fd, level, err);

		if (r < 0) {
			return r;
		}
		if (path[end] == '\0' || path[end + 1] == '\0') {
			return 0;
		}
		end += 1 + strcspn(path + end + 1, "/");
	}
}

/* ---- version 1 --------------------------------------------------------------------- */

static int look_at_list(const struct question *question, int cgroup_fd, const char *level,
			struct err *err)
{
	autoclose int fd =
		openat(cgroup_fd, "devices.list", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct bytes list = {0};
	int r;

	if (fd < 0) {
		return err_sys(err, errno, "open 'devices.list' of cgroup '%s'", level);
	}
	r = read_all(fd, "devices.list", LIMIT_PROC_FILE_BYTES, -1, &list, err);
	for (size_t i = 0; i < question->plan->n_nodes && r == 0; i++) {
		const struct plan_node *node = &question->plan->nodes[i];
		const char *missing =
			cgroup_v1_missing_access(list.data, node->major, node->minor);

		if (*missing) {
			access_note(&question->access->nodes[i], ACCESS_CGROUP,
				    "cgroup '%s': its devices.list has no 'c %u:%u %s'",
				    level, node->major, node->minor, missing);
		}
	}
	bytes_clear(&list);
	return r;
}

/* Return: a descriptor; -1: nothing can be seen, and that has been
   noted where it matters. */
static int open_hierarchy(const struct question *question, enum cgroup_version version,
			  const char *path, const struct ctr_process *process)
{
	struct err err = {0};
	int fd = cgroup_hierarchy_open(version, path, process, &err);

	if (fd >= 0) {
		return fd;
	}
	/* A hierarchy that was mounted once goes on counting; at its
	   root nobody denies. */
	for (size_t i = 0; i < question->access->n_nodes && path[1]; i++) {
		access_note(&question->access->nodes[i], ACCESS_UNSEEN, "%s", err.msg);
	}
	return -1;
}

static int look_at_v1(const struct question *question, const char *path,
		      const struct ctr_process *process, struct err *err)
{
	autoclose int hierarchy_fd =
		open_hierarchy(question, CGROUP_V1_DEVICES, path, process);

	return hierarchy_fd < 0
		       ? 0
		       : look_at_levels(question, hierarchy_fd, path, look_at_list, err);
}

/* ---- version 2 --------------------------------------------------------------------- */

static void note_all(const struct question *question, const char *level, const char *why)
{
	for (size_t i = 0; i < question->access->n_nodes; i++) {
		access_note(&question->access->nodes[i], ACCESS_UNSEEN, "cgroup '%s': %s",
			    level, why);
	}
}

/* As the kernel asks for open(2): reading and writing at once. */
static void run_program(const struct question *question,
			const struct devrules_program *program, uint32_t id,
			const char *level)
{
	const char *why = bpf_machine_check_form(program);

	for (size_t i = 0; i < question->plan->n_nodes && !why; i++) {
		const struct plan_node *node = &question->plan->nodes[i];
		struct bpf_verdict verdict =
			bpf_machine_run(program, BPF_DEVCG_DEV_CHAR,
					BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE,
					node->major, node->minor);

		why = verdict.fault;
		if (!why && (verdict.r0 & 1) == 0) {
			access_note(&question->access->nodes[i], ACCESS_CGROUP,
				    "cgroup '%s': its device program %u denies "
				    "'c %u:%u rw'",
				    level, id, node->major, node->minor);
		}
	}
	if (why) {
		note_all(question, level, why);
	}
}

static void look_at_program(const struct question *question, uint32_t id,
			    const char *level)
{
	cleanup(devrules_clearp) struct devrules_program program = {0};
	autoclose int fd = bpf_program_by_id(id);
	const char *why = NULL;
	int r;

	if (fd == -ENOENT) {
		/* Gone since it was listed. */
		return;
	}
	r = fd < 0 ? fd : bpf_program_dump(fd, &program, &why);
	if (r < 0) {
		note_all(question, level,
			 why	       ? why
			 : r == -EPERM ? "only root can read its device program"
				       : strerror(-r));
		return;
	}
	run_program(question, &program, id, level);
}

/* One that a level below has put out of force (attached without
   BPF_F_ALLOW_MULTI) does not count. */
static bool is_effective(const struct question *question, uint32_t id)
{
	for (uint32_t i = 0; i < question->effective.n; i++) {
		if (question->effective.id[i] == id) {
			return true;
		}
	}
	return false;
}

static int look_at_programs(const struct question *question, int cgroup_fd,
			    const char *level, struct err *err)
{
	struct bpf_attached attached = {0};
	int r = bpf_program_query(cgroup_fd, 0, &attached);

	if (r < 0) {
		return err_sys(err, -r, "list the device programs of cgroup '%s'", level);
	}
	for (uint32_t i = 0; i < attached.n; i++) {
		if (is_effective(question, attached.id[i])) {
			look_at_program(question, attached.id[i], level);
		}
	}
	return 0;
}

static int look_at_v2(struct question *question, const char *path,
		      const struct ctr_process *process, struct err *err)
{
	autoclose int hierarchy_fd = open_hierarchy(question, CGROUP_V2, path, process);
	autoclose int leaf_fd = -1;
	int r;

	if (hierarchy_fd < 0) {
		return 0;
	}
	leaf_fd = cgroup_hierarchy_open_level(hierarchy_fd, path[1] ? path : "/.", err);
	if (leaf_fd < 0) {
		return leaf_fd;
	}
	r = bpf_program_query(leaf_fd, BPF_F_QUERY_EFFECTIVE, &question->effective);
	if (r == -EINVAL) {
		/* A kernel without CONFIG_CGROUP_BPF: nothing can deny. */
		return 0;
	}
	if (r == -EPERM) {
		note_all(question, path, "only root can list its device programs");
		return 0;
	}
	if (r < 0) {
		return err_sys(err, -r, "list the device programs of cgroup '%s'", path);
	}
	return look_at_levels(question, hierarchy_fd, path, look_at_programs, err);
}

int access_look_at_cgroups(const struct plan *plan, const struct ctr_process *process,
			   struct access *access, struct err *err)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path = {0};
	struct question question = {.plan = plan, .access = access};
	autofree char *text = NULL;
	int r;

	r = ctr_process_read(process, "cgroup", LIMIT_PROC_FILE_BYTES, &text, err);
	if (r == 0) {
		r = cgroup_path_parse(text, &path, err);
	}
	if (r == 0 && path.v1_path) {
		r = look_at_v1(&question, path.v1_path, process, err);
	}
	if (r == 0 && path.v2_path) {
		r = look_at_v2(&question, path.v2_path, process, err);
	}
	return r;
}
