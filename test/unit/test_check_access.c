/* SPDX-License-Identifier: Apache-2.0 */
/* test_check_access.c - whose process opens what, and what is done about the others */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "stage/check_access.h"

#define RENDER "/dev/dri/renderD128"

/* Nobody who could make nodes or give groups. */
static const struct access_terms no_help = {0};
static const struct access_terms by_root = {.can_make_nodes = true};

static void check_one(const struct container *ctr, const struct access_terms *terms,
		      const struct device_node *like, struct plan *plan)
{
	char path[] = RENDER;
	struct device_node node = *like;
	struct err err = {0};

	node.path = path;
	cr_assert_eq(plan_add_node(plan, &node, &err), 0, "%s", err.msg);
	cr_assert_eq(check_access(plan, ctr, terms, &err), 0, "%s", err.msg);
}

/* @warning: NULL: none. */
static void expect_with(const struct container *ctr, const struct access_terms *terms,
			const struct device_node *node, const char *warning)
{
	cleanup(plan_clearp) struct plan plan = {0};

	check_one(ctr, terms, node, &plan);
	cr_expect_not(plan.nodes[0].is_private);
	cr_assert_eq(plan.n_warnings, warning ? 1 : 0, "%u:%u %04o: %s", node->uid,
		     node->gid, node->mode,
		     plan.n_warnings ? plan.warnings[0] : "no warning");
	if (warning) {
		cr_expect_str_eq(plan.warnings[0], warning, "%s", plan.warnings[0]);
	}
}

static void expect_access(const struct container *ctr, uid_t uid, gid_t gid, mode_t mode,
			  const char *warning)
{
	const struct device_node node = {.uid = uid, .gid = gid, .mode = mode};

	expect_with(ctr, &no_help, &node, warning);
}

/* @is_private: with the ids of the process and mode 0660; else it is the host's */
static void expect_private(const struct container *ctr, const struct access_terms *terms,
			   uid_t uid, gid_t gid, mode_t mode, bool is_private)
{
	const struct device_node node = {.uid = uid, .gid = gid, .mode = mode};
	cleanup(plan_clearp) struct plan plan = {0};

	check_one(ctr, terms, &node, &plan);
	cr_assert_eq(plan.nodes[0].is_private, is_private, "%u:%u %04o", uid, gid, mode);
	cr_expect_eq(plan.n_warnings, 0);
	cr_expect_eq(plan.n_additional_gids, 0);
	if (is_private) {
		cr_expect_eq(plan.nodes[0].private_uid, ctr->uid);
		cr_expect_eq(plan.nodes[0].private_gid, ctr->gid);
		cr_expect_eq(plan.nodes[0].private_mode, 0660);
	}
	cr_expect_eq(plan.nodes[0].uid, uid, "the host's stays as it is");
	cr_expect_eq(plan.nodes[0].mode, mode);
}

/* ---- who opens the host's node ----------------------------------------------------- */

Test(check_access, dac_override_opens_everything)
{
	struct container root = {.overrides_modes = true};
	struct container other = {.uid = 1000, .gid = 1000, .overrides_modes = true};

	expect_access(&root, 5, 104, 0000, NULL);
	expect_access(&other, 5, 104, 0000, NULL);
}

Test(check_access, root_without_dac_override_is_a_user_like_others)
{
	struct container root = {0};

	expect_access(&root, 0, 104, 0660, NULL);
	expect_access(&root, 5, 104, 0660,
		      "the process runs as 0:0 and '" RENDER "' is 5:104 0660: it will "
		      "not open; add group 104 (podman --group-add 104)");
}

Test(check_access, group_that_is_missing_is_named)
{
	struct container ctr = {.uid = 1000, .gid = 1001};

	expect_access(&ctr, 0, 104, 0660,
		      "the process runs as 1000:1001 and '" RENDER "' is 0:104 "
		      "0660: it will not open; add group 104 (podman --group-add 104)");
}

Test(check_access, own_or_additional_group_opens)
{
	gid_t gids[] = {5, 104};
	struct container by_gid = {.uid = 1000, .gid = 104};
	struct container by_additional_gid = {
		.uid = 1000,
		.gid = 1000,
		.additional_gids = gids,
		.n_additional_gids = 2,
	};

	expect_access(&by_gid, 0, 104, 0660, NULL);
	expect_access(&by_additional_gid, 0, 104, 0660, NULL);
}

Test(check_access, owner_and_everybody_open)
{
	struct container ctr = {.uid = 1000, .gid = 1000};

	expect_access(&ctr, 1000, 104, 0600, NULL);
	expect_access(&ctr, 0, 0, 0666, NULL);
}

Test(check_access, reading_alone_is_not_enough)
{
	struct container ctr = {.uid = 1000, .gid = 1000};

	expect_access(&ctr, 0, 104, 0664,
		      "the process runs as 1000:1000 and '" RENDER "' is 0:104 0664: it "
		      "will not open; add group 104 (podman --group-add 104)");
	expect_access(&ctr, 0, 104, 0644,
		      "the process runs as 1000:1000 and '" RENDER "' is 0:104 0644: it "
		      "will not open; no group would help, change the node's mode on the "
		      "host (a udev rule)");
}

Test(check_access, first_class_that_fits_decides)
{
	struct container ctr = {.uid = 1000, .gid = 104};

	expect_access(&ctr, 1000, 104, 0466,
		      "the process runs as 1000:104 and '" RENDER
		      "' is 1000:104 0466: it "
		      "will not open; no group would help, change the node's mode on the "
		      "host (a udev rule)");
	expect_access(&ctr, 0, 104, 0606,
		      "the process runs as 1000:104 and '" RENDER "' is 0:104 0606: it "
		      "will not open; no group would help, change the node's mode on the "
		      "host (a udev rule)");
}

Test(check_access, owner_of_an_absent_node_is_not_judged)
{
	struct container ctr = {.uid = 1000, .gid = 1000};
	const struct device_node absent = {.state = DEVICE_ABSENT};
	const struct device_node other = {.state = DEVICE_OTHER};

	expect_with(&ctr, &no_help, &absent, NULL);
	expect_with(&ctr, &by_root, &other, NULL);
}

Test(check_access, node_for_reading_needs_no_more)
{
	struct device_node node = {.gid = 104, .mode = 0444, .is_for_reading = true};
	struct container ctr = {.uid = 1000, .gid = 1000};
	cleanup(plan_clearp) struct plan plan = {0};

	expect_with(&ctr, &no_help, &node, NULL);
	node.mode = 0440;
	check_one(&ctr, &by_root, &node, &plan);
	cr_expect(plan.nodes[0].is_private);
	cr_expect_eq(plan.nodes[0].private_mode, 0440);
}

/* ---- in a user namespace ----------------------------------------------------------- */

/* ids 0 to 65535 are 100000 and up, and 105 is the host's 105 */
static void fill_maps(struct container *ctr)
{
	ctr->has_user_namespace = true;
	id_map_add(&ctr->uid_map, 0, 100000, 65536);
	id_map_add(&ctr->gid_map, 0, 100000, 105);
	id_map_add(&ctr->gid_map, 105, 105, 1);
	id_map_add(&ctr->gid_map, 106, 100106, 65430);
}

Test(check_access, ids_of_a_user_namespace_count_as_what_they_are_outside)
{
	cleanup(container_clearp) struct container ctr = {.uid = 1000, .gid = 104};

	fill_maps(&ctr);
	expect_private(&ctr, &by_root, 0, 104, 0660, true);
	expect_private(&ctr, &by_root, 1000, 0, 0660, true);
	expect_private(&ctr, &by_root, 0, 100104, 0660, false);
	expect_private(&ctr, &by_root, 0, 104, 0666, false);
	ctr.gid = 105;
	expect_private(&ctr, &by_root, 0, 105, 0660, false);
}

Test(check_access, capability_of_a_namespace_counts_for_ids_that_it_maps)
{
	cleanup(container_clearp) struct container ctr = {.overrides_modes = true};

	fill_maps(&ctr);
	expect_private(&ctr, &by_root, 0, 104, 0660, true);
	expect_private(&ctr, &by_root, 0, 105, 0000, true);
	expect_access(&ctr, 100005, 104, 0000,
		      "the process runs in a user namespace and '" RENDER
		      "' is 100005:104 0000: it will not open, since that owner or group "
		      "is not the process's; keep the groups of the caller (podman "
		      "--group-add keep-groups)");
}

/* Its root may make the mount of the node writable, and chmod it then. */
Test(check_access, node_of_a_host_user_in_the_namespace_is_never_given)
{
	const struct access_terms host = {.setting = NODES_HOST, .can_make_nodes = true};
	const struct access_terms rootless = {.is_rootless = true};
	const struct device_node node = {.gid = 104, .mode = 0666};
	struct container all = {.has_user_namespace = true, .overrides_modes = true};
	cleanup(container_clearp) struct container some = {.uid = 1000};

	id_map_add(&all.uid_map, 0, 0, 65536);
	id_map_add(&all.gid_map, 0, 0, 65536);
	expect_private(&all, &by_root, 0, 104, 0660, true);
	expect_private(&all, &by_root, 0, 104, 0666, true);
	expect_private(&all, &by_root, 70000, 104, 0666, false);
	expect_with(&all, &host, &node,
		    "the container's user namespace has the host's user 0, who owns "
		    "'" RENDER "': its root can change the mode of the host's node; map "
		    "others (podman --userns auto)");
	expect_with(&all, &rootless, &node, NULL);

	fill_maps(&some);
	expect_private(&some, &by_root, 101000, 0, 0660, true);
	expect_private(&some, &by_root, 0, 104, 0666, false);
	container_clear(&all);
}

Test(check_access, without_maps_only_everybodys_rights_are_certain)
{
	struct container ctr = {.has_user_namespace = true, .overrides_modes = true};
	struct container same_ids = {.uid = 1000, .gid = 104, .has_user_namespace = true};
	const char *warning =
		"the process runs in a user namespace and '" RENDER "' is 0:104 0660: it "
		"will not open, since that owner or group is not the process's; keep the "
		"groups of the caller (podman --group-add keep-groups)";

	expect_access(&ctr, 0, 104, 0666, NULL);
	expect_access(&ctr, 0, 104, 0660, warning);
	expect_access(&same_ids, 0, 104, 0660, warning);
	expect_private(&ctr, &by_root, 0, 104, 0660, true);
	/* It could be a namespace whose root may change the host's node. */
	expect_private(&ctr, &by_root, 0, 104, 0666, true);
}

/* ---- what is done ------------------------------------------------------------------ */

Test(check_access, who_may_not_open_gets_a_node_of_its_own)
{
	struct container ctr = {.uid = 1000, .gid = 1001};

	expect_private(&ctr, &by_root, 0, 104, 0660, true);
	expect_private(&ctr, &by_root, 0, 0, 0600, true);
	expect_private(&ctr, &by_root, 0, 1001, 0660, false);
	expect_private(&ctr, &by_root, 1000, 0, 0600, false);
}

Test(check_access, host_is_the_hosts_for_everybody)
{
	const struct access_terms terms = {.setting = NODES_HOST, .can_make_nodes = true};
	const struct device_node node = {.gid = 104, .mode = 0660};
	struct container ctr = {.uid = 1000, .gid = 1001};

	expect_with(&ctr, &terms, &node,
		    "the process runs as 1000:1001 and '" RENDER "' is 0:104 0660: it "
		    "will not open; add group 104 (podman --group-add 104)");
}

/* It opens far more than GPUs. */
Test(check_access, group_of_root_is_no_advice)
{
	struct container ctr = {.uid = 1000, .gid = 1001};

	expect_access(&ctr, 0, 0, 0660,
		      "the process runs as 1000:1001 and '" RENDER "' is 0:0 0660: it "
		      "will not open; no group would help, change the node's mode on the "
		      "host (a udev rule)");
}

static void expect_group(const struct access_terms *terms, gid_t gid, size_t n_gids,
			 size_t n_warnings)
{
	const struct device_node node = {.gid = gid, .mode = 0660};
	struct container ctr = {.uid = 1000, .gid = 1001};
	cleanup(plan_clearp) struct plan plan = {0};

	check_one(&ctr, terms, &node, &plan);
	cr_assert_eq(plan.n_additional_gids, n_gids);
	cr_expect_eq(plan.n_warnings, n_warnings);
	if (n_gids > 0) {
		cr_expect_eq(plan.additional_gids[0], gid);
	}
}

Test(check_access, group_is_given_where_no_node_can_be)
{
	const struct access_terms terms = {
		.setting = NODES_HOST, .can_make_nodes = true, .can_add_groups = true};
	const struct access_terms both = {.can_make_nodes = true, .can_add_groups = true};

	expect_group(&terms, 104, 1, 0);
	/* root's group opens far more than GPUs. */
	expect_group(&terms, 0, 0, 1);
	expect_group(&both, 104, 0, 0);
}

Test(check_access, group_that_the_plan_gives_counts_for_all_nodes)
{
	const struct access_terms terms = {.can_add_groups = true};
	struct device_node node = {.gid = 104, .mode = 0660};
	struct container ctr = {.uid = 1000, .gid = 1001};
	cleanup(plan_clearp) struct plan plan = {0};
	char path[] = "/dev/kfd";
	struct err err = {0};

	node.path = path;
	cr_assert_eq(plan_add_node(&plan, &node, &err), 0);
	check_one(&ctr, &terms, &node, &plan);
	cr_expect_eq(plan.n_additional_gids, 1);
	cr_expect_eq(plan.n_warnings, 0);
}

/* ---- rootless ---------------------------------------------------------------------- */

Test(check_access, rootless_says_what_is_missing)
{
	const struct access_terms terms = {.is_rootless = true, .can_add_groups = true};
	/* The host's ids are not seen. */
	struct device_node node = {.uid = 65534, .gid = 65534, .mode = 0660};
	struct container root = {.overrides_modes = true};
	struct container nobody = {.uid = 65534, .gid = 65534};
	const char *no_member =
		"'" RENDER "' (mode 0660) does not open to the user who starts the "
		"container: it will not open; make the user a member of the node's group "
		"on the host (usermod -a -G render, then log in anew) and keep the group "
		"(podman --runtime crun --group-add keep-groups), or let a udev rule open "
		"the node";
	const char *gives_up =
		"'" RENDER
		"' (mode 0660) opens to the user who starts the container, but "
		"the container's process gives up the user's groups: it will not open if "
		"it was by a group; keep them (podman --runtime crun --group-add "
		"keep-groups), or let a udev rule open the node";

	expect_with(&root, &terms, &node, no_member);
	expect_with(&nobody, &terms, &node, no_member);
	root.keeps_groups = true;
	expect_with(&root, &terms, &node, no_member);
	node.caller_may_open = true;
	expect_with(&root, &terms, &node, NULL);
	root.keeps_groups = false;
	expect_with(&root, &terms, &node, gives_up);
	node.mode = 0666;
	expect_with(&root, &terms, &node, NULL);
	/* A node of the namespace's own root. */
	node = (struct device_node){.mode = 0600};
	expect_with(&root, &terms, &node, NULL);
}

/* Its root will be the user, and no number that he sees is one of it. */
Test(check_access, who_looks_from_outside_the_namespace_sees_the_hosts_ids)
{
	const struct access_terms terms = {.is_rootless = true, .is_outside = true};
	const struct device_node node = {.gid = 105, .mode = 0660};
	struct container root = {.overrides_modes = true, .gid = 105};
	cleanup(plan_clearp) struct plan plan = {0};

	check_one(&root, &terms, &node, &plan);
	cr_assert_eq(plan.n_warnings, 1);
	cr_expect(strstr(plan.warnings[0], "does not open to the user"), "%s",
		  plan.warnings[0]);
}

Test(check_access, group_of_the_plan_that_nobody_gives_does_not_count)
{
	const struct device_node node = {.gid = 104, .mode = 0660};
	const struct access_terms terms = {.setting = NODES_HOST, .can_make_nodes = true};
	struct container ctr = {.uid = 1000, .gid = 1001};
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_gid(&plan, 104, &err), 0);
	check_one(&ctr, &terms, &node, &plan);
	cr_expect_eq(plan.n_warnings, 1);
}
