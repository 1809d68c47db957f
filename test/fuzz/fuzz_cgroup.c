/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cgroup.c - /proc/PID/cgroup, devices.list and dumped device programs */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/apply/cgroup_path.h"
#include "backend/apply/cgroup_v1.h"
#include "backend/apply/devrules.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The two paths that are found must be parts of the text, and a top
   a part of its path. */
static void check_path(const char *text)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path = {0};
	struct err err = {0};
	size_t top;

	if (cgroup_path_parse(text, &path, &err) < 0) {
		if (err.code == 0 || !*err.msg) {
			abort();
		}
		return;
	}
	if (path.v2_path) {
		if (path.v2_path[0] != '/' || !strstr(text, path.v2_path)) {
			abort();
		}
		top = cgroup_path_top(path.v2_path, path.v1_path ? path.v1_path : "/",
				      "id");
		if (top > strlen(path.v2_path)) {
			abort();
		}
	}
}

/* What passes the check must come out of prepending whole. */
static void check_program(const uint8_t *data, size_t size)
{
	static struct plan_node node = {.major = 226, .minor = 128};
	static const struct plan plan = {.nodes = &node, .n_nodes = 1};
	cleanup(devrules_clearp) struct devrules_program prefix = {0};
	cleanup(devrules_clearp) struct devrules_program old = {0};
	cleanup(devrules_clearp) struct devrules_program edited = {0};
	const char *why = NULL;

	old.n = size / sizeof(struct bpf_insn);
	old.insns = xcalloc(old.n, sizeof(struct bpf_insn));
	memcpy(old.insns, data, old.n * sizeof(struct bpf_insn));
	if (!devrules_check_editable(&old, &why)) {
		if (!why) {
			abort();
		}
		return;
	}
	devrules_prefix(&plan, &prefix);
	if (devrules_prepend(&prefix, &old, &edited) < 0 ||
	    !devrules_has_prefix(&edited, &prefix) ||
	    memcmp(edited.insns + prefix.n, old.insns, old.n * sizeof(struct bpf_insn)) !=
		    0) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xcalloc(size + 1, 1);

	memcpy(text, data, size);
	check_path(text);
	(void)cgroup_v1_missing_access(text, 226, 128);
	check_program(data, size);
	free(text);
	return 0;
}
