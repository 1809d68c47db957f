/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c - entries merge, conflicts and limits are errors */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "model/plan.h"

static char kfd_path[] = "/dev/kfd";
static char render_path[] = "/dev/dri/renderD128";

static const struct device_node kfd = {
	.path = kfd_path,
	.major = 511,
	.minor = 3,
	.role = DEVICE_COMPUTE,
	.state = DEVICE_OTHER,
	.uid = 1,
	.gid = 104,
	.mode = 0660,
};
static const struct device_node render = {
	.path = render_path,
	.major = 226,
	.minor = 128,
	.role = DEVICE_RENDER,
};

Test(plan, node_keeps_number_state_and_owner_at_the_same_path)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_node(&plan, &kfd, &err), 0);
	cr_assert_eq(plan.n_nodes, 1);
	cr_expect_str_eq(plan.nodes[0].ctr.text, "/dev/kfd");
	cr_expect_str_eq(plan.nodes[0].host.text, "/dev/kfd");
	cr_expect_neq(plan.nodes[0].host.text, kfd.path, "the path is copied");
	cr_expect_eq(plan.nodes[0].major, 511);
	cr_expect_eq(plan.nodes[0].minor, 3);
	cr_expect_eq(plan.nodes[0].state, DEVICE_OTHER);
	cr_expect_eq(plan.nodes[0].uid, 1);
	cr_expect_eq(plan.nodes[0].gid, 104);
	cr_expect_eq(plan.nodes[0].mode, 0660);
}

Test(plan, same_node_twice_is_one_entry)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_node(&plan, &kfd, &err), 0);
	cr_assert_eq(plan_add_node(&plan, &render, &err), 0);
	cr_assert_eq(plan_add_node(&plan, &kfd, &err), 0);
	cr_expect_eq(plan.n_nodes, 2);
}

Test(plan, node_with_another_number_is_eexist)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct device_node other_major = kfd;
	struct device_node other_minor = kfd;
	struct err err = {0};

	other_major.major = 510;
	other_minor.minor = 4;
	cr_assert_eq(plan_add_node(&plan, &kfd, &err), 0);
	cr_expect_eq(plan_add_node(&plan, &other_major, &err), -EEXIST);
	cr_expect(strstr(err.msg, "'/dev/kfd'"), "%s", err.msg);
	cr_expect(strstr(err.msg, "510:3"), "%s", err.msg);
	cr_expect(strstr(err.msg, "511:3"), "%s", err.msg);
	cr_expect_eq(plan_add_node(&plan, &other_minor, &err), -EEXIST);
	cr_expect_eq(plan.n_nodes, 1);
}

Test(plan, same_link_twice_is_one_entry_and_another_target_is_eexist)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_link(&plan, "/dev/dri/by-path/a", "../renderD128", &err),
		     0);
	cr_assert_eq(plan_add_link(&plan, "/dev/dri/by-path/a", "../renderD128", &err),
		     0);
	cr_expect_eq(plan.n_links, 1);
	cr_expect_str_eq(plan.links[0].ctr.text, "/dev/dri/by-path/a");
	cr_expect_str_eq(plan.links[0].target, "../renderD128");
	cr_expect_eq(plan_add_link(&plan, "/dev/dri/by-path/a", "../renderD129", &err),
		     -EEXIST);
	cr_expect(strstr(err.msg, "renderD129"), "%s", err.msg);
	cr_expect_eq(plan.n_links, 1);
}

Test(plan, node_and_link_at_one_path_are_eexist)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_node(&plan, &kfd, &err), 0);
	cr_expect_eq(plan_add_link(&plan, "/dev/kfd", "null", &err), -EEXIST);
	cr_assert_eq(plan_add_link(&plan, render_path, "null", &err), 0);
	cr_expect_eq(plan_add_node(&plan, &render, &err), -EEXIST);
	cr_expect_eq(plan.n_nodes, 1);
	cr_expect_eq(plan.n_links, 1);
}

Test(plan, nodes_and_links_share_the_limit_of_entries)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};
	char path[64];
	struct device_node node = kfd;

	node.path = path;
	for (unsigned int i = 0; i < LIMIT_PLAN_ENTRIES; i++) {
		(void)snprintf(path, sizeof(path), "/dev/gpu%u", i);
		cr_assert_eq(i % 2 ? plan_add_link(&plan, path, "null", &err)
				   : plan_add_node(&plan, &node, &err),
			     0, "%s", err.msg);
	}
	cr_expect_eq(plan_add_node(&plan, &render, &err), -E2BIG);
	cr_expect_eq(plan_add_link(&plan, "/dev/one-more", "null", &err), -E2BIG);
	cr_expect(strstr(err.msg, "4096"), "%s", err.msg);
	/* What is there already takes no room. */
	(void)snprintf(path, sizeof(path), "/dev/gpu0");
	cr_expect_eq(plan_add_node(&plan, &node, &err), 0);
	cr_expect_eq(plan_add_link(&plan, "/dev/gpu1", "null", &err), 0);
}

Test(plan, same_mount_twice_is_one_entry_and_another_source_or_kind_is_eexist)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(
		plan_add_mount(&plan, "/lib/a.so.1", "/run/x/a.so.1", MOUNT_FILE, &err),
		0);
	cr_assert_eq(
		plan_add_mount(&plan, "/lib/a.so.1", "/run/x/a.so.1", MOUNT_FILE, &err),
		0);
	cr_assert_eq(plan.n_mounts, 1);
	cr_expect_str_eq(plan.mounts[0].host.text, "/lib/a.so.1");
	cr_expect_str_eq(plan.mounts[0].ctr.text, "/run/x/a.so.1");
	cr_expect_eq(plan.mounts[0].kind, MOUNT_FILE);
	cr_expect_eq(plan_add_mount(&plan, "/lib/b", "/run/x/a.so.1", MOUNT_FILE, &err),
		     -EEXIST);
	cr_expect(strstr(err.msg, "'/lib/b'") && strstr(err.msg, "'/lib/a.so.1'"), "%s",
		  err.msg);
	cr_expect_eq(
		plan_add_mount(&plan, "/lib/a.so.1", "/run/x/a.so.1", MOUNT_SOCKET, &err),
		-EEXIST);
	cr_expect_eq(plan.n_mounts, 1);
}

Test(plan, same_file_twice_is_one_entry_and_other_content_is_eexist)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_file(&plan, "/proc/x", "A: 0\n", "x with A: 0", &err), 0);
	cr_assert_eq(plan_add_file(&plan, "/proc/x", "A: 0\n", "x with A: 0", &err), 0);
	cr_assert_eq(plan.n_files, 1);
	cr_expect_str_eq(plan.files[0].content, "A: 0\n");
	cr_expect_str_eq(plan.files[0].description, "x with A: 0");
	cr_expect_eq(plan_add_file(&plan, "/proc/x", "A: 1\n", "x with A: 1", &err),
		     -EEXIST);
	cr_expect(strstr(err.msg, "'/proc/x'"), "%s", err.msg);
}

Test(plan, two_kinds_of_entry_at_one_path_are_eexist)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_mount(&plan, "/a", "/m", MOUNT_FILE, &err), 0);
	cr_assert_eq(plan_add_file(&plan, "/f", "", "empty", &err), 0);
	cr_assert_eq(plan_add_link(&plan, "/l", "null", &err), 0);
	cr_expect_eq(plan_add_link(&plan, "/m", "null", &err), -EEXIST);
	cr_expect(strstr(err.msg, "a mount of '/a'"), "%s", err.msg);
	cr_expect_eq(plan_add_link(&plan, "/f", "null", &err), -EEXIST);
	cr_expect(strstr(err.msg, "a file of our own"), "%s", err.msg);
	cr_expect_eq(plan_add_mount(&plan, "/a", "/l", MOUNT_FILE, &err), -EEXIST);
	cr_expect(strstr(err.msg, "a link to 'null'"), "%s", err.msg);
	cr_expect_eq(plan_add_file(&plan, "/m", "", "empty", &err), -EEXIST);
	cr_expect_eq(plan.n_mounts + plan.n_files + plan.n_links, 3);
}

Test(plan, same_variable_twice_is_one_and_another_value_is_eexist)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_env(&plan, "AB=", &err), 0);
	cr_assert_eq(plan_add_env(&plan, "A=1", &err), 0);
	cr_assert_eq(plan_add_env(&plan, "A=1", &err), 0);
	cr_assert_eq(plan_add_env(&plan, "ABC=", &err), 0);
	cr_expect_eq(plan.n_env, 3);
	cr_expect_eq(plan_add_env(&plan, "A=2", &err), -EEXIST);
	cr_expect(strstr(err.msg, "'A=2'") && strstr(err.msg, "'A=1'"), "%s", err.msg);
	cr_expect_eq(plan_add_env(&plan, "=1", &err), -EINVAL);
	cr_expect_eq(plan_add_env(&plan, "A", &err), -EINVAL);
	cr_expect(strstr(err.msg, "NAME=value"), "%s", err.msg);
	cr_expect_eq(plan.n_env, 3);
}

Test(plan, same_group_twice_is_one)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_gid(&plan, 104, &err), 0);
	cr_assert_eq(plan_add_gid(&plan, 105, &err), 0);
	cr_assert_eq(plan_add_gid(&plan, 104, &err), 0);
	cr_assert_eq(plan.n_additional_gids, 2);
	cr_expect_eq(plan.additional_gids[0], 104);
	cr_expect_eq(plan.additional_gids[1], 105);
}

Test(plan, same_warning_twice_is_one)
{
	cleanup(plan_clearp) struct plan plan = {0};

	plan_warn(&plan, "node '%s' is not there", "/dev/kfd");
	plan_warn(&plan, "node '%s' is not there", "/dev/dri/renderD128");
	plan_warn(&plan, "node '%s' is not there", "/dev/kfd");
	cr_assert_eq(plan.n_warnings, 2);
	cr_expect_str_eq(plan.warnings[0], "node '/dev/kfd' is not there");
	cr_expect_str_eq(plan.warnings[1], "node '/dev/dri/renderD128' is not there");
}

Test(plan, warning_is_one_line_without_terminal_escapes)
{
	cleanup(plan_clearp) struct plan plan = {0};

	plan_warn(&plan, "a%sb", "\n\033[2J\x7f");
	cr_assert_eq(plan.n_warnings, 1);
	cr_expect_str_eq(plan.warnings[0], "a??[2J?b");
}

Test(plan, warning_longer_than_a_line_may_be_is_cut)
{
	cleanup(plan_clearp) struct plan plan = {0};
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	plan_warn(&plan, "%s", text);
	cr_assert_eq(plan.n_warnings, 1);
	cr_expect_eq(strlen(plan.warnings[0]), 1023);
}

Test(plan, clear_leaves_an_empty_plan_that_can_be_used_again)
{
	struct plan plan = {0};
	struct err err = {0};

	plan_clear(&plan);
	cr_assert_eq(plan_add_node(&plan, &kfd, &err), 0);
	cr_assert_eq(plan_add_link(&plan, "/dev/a", "b", &err), 0);
	plan_warn(&plan, "x");
	plan_clear(&plan);
	cr_expect_eq(plan.n_nodes, 0);
	cr_expect_eq(plan.n_links, 0);
	cr_expect_eq(plan.n_warnings, 0);
	cr_expect_null(plan.nodes);
	cr_assert_eq(plan_add_node(&plan, &kfd, &err), 0);
	plan_clear(&plan);
}

Test(plan, same_hook_and_same_origin_twice_are_one)
{
	cleanup(plan_clearp) struct plan plan = {0};
	char text[] = "/a";
	char other_text[] = "/b";
	struct cdi_hook hook = {.stage = text, .path = text};
	struct cdi_origin origin = {.device = text, .file = text};
	struct err err = {0};

	cr_expect_eq(plan_add_hook(&plan, &hook, &err), 0);
	cr_expect_eq(plan_add_hook(&plan, &hook, &err), 0);
	hook.path = other_text;
	cr_expect_eq(plan_add_hook(&plan, &hook, &err), 0);
	cr_expect_eq(plan.n_hooks, 2);
	plan_add_origin(&plan, &origin);
	plan_add_origin(&plan, &origin);
	origin.device = other_text;
	plan_add_origin(&plan, &origin);
	cr_expect_eq(plan.n_origins, 2);
}
