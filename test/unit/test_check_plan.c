/* SPDX-License-Identifier: Apache-2.0 */
/* test_check_plan.c - what is refused, and what the user is told beforehand */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "stage/check_plan.h"

static const struct container root = {0};

static void add_path(struct plan *plan, const char *path)
{
	autofree char *copy = xstrdup(path);
	struct device_node node = {.path = copy, .mode = 0666};
	struct err err = {0};

	cr_assert_eq(plan_add_node(plan, &node, &err), 0, "%s", err.msg);
}

/* ---- paths ------------------------------------------------------------------------- */

static void expect_path(const char *path, int code)
{
	cleanup(plan_clearp) struct plan node_plan = {0};
	cleanup(plan_clearp) struct plan link_plan = {0};
	struct err err = {0};
	int r;

	add_path(&node_plan, path);
	r = check_plan(&node_plan, &root, &err);
	cr_expect_eq(r, -code, "node '%s': %d", path, r);
	cr_expect_eq(err.code, code);

	cr_assert_eq(plan_add_link(&link_plan, path, "null", &err), 0);
	err = (struct err){0};
	r = check_plan(&link_plan, &root, &err);
	cr_expect_eq(r, -code, "link '%s': %d", path, r);
	cr_expect_eq(err.code, code);
}

Test(check_plan, path_below_dev_passes)
{
	expect_path("/dev/kfd", 0);
	expect_path("/dev/dri/renderD128", 0);
	expect_path("/dev/dri/by-path/pci-0000:c1:00.0-render", 0);
	expect_path("/dev/...", 0);
	expect_path("/dev/.hidden", 0);
	expect_path("/dev/a..b", 0);
}

Test(check_plan, path_elsewhere_is_einval)
{
	expect_path("/etc/passwd", EINVAL);
	expect_path("/devices/x", EINVAL);
	expect_path("/dev", EINVAL);
	expect_path("dev/kfd", EINVAL);
	expect_path("", EINVAL);
	expect_path("/", EINVAL);
	expect_path("//dev/kfd", EINVAL);
}

Test(check_plan, path_with_empty_or_dot_components_is_einval)
{
	expect_path("/dev/", EINVAL);
	expect_path("/dev//kfd", EINVAL);
	expect_path("/dev/kfd/", EINVAL);
	expect_path("/dev/.", EINVAL);
	expect_path("/dev/..", EINVAL);
	expect_path("/dev/./kfd", EINVAL);
	expect_path("/dev/../etc/passwd", EINVAL);
	expect_path("/dev/dri/../../etc/passwd", EINVAL);
	expect_path("/dev/dri/..", EINVAL);
}

Test(check_plan, path_with_control_characters_is_einval)
{
	expect_path("/dev/a\nb", EINVAL);
	expect_path("/dev/a\033[2J", EINVAL);
	expect_path("/dev/a\x7f", EINVAL);
}

Test(check_plan, host_path_is_looked_at_as_well)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	add_path(&plan, "/dev/kfd");
	free(plan.nodes[0].host.text);
	plan.nodes[0].host.text = xstrdup("/etc/shadow");
	cr_expect_eq(check_plan(&plan, &root, &err), -EINVAL);
	cr_expect(strstr(err.msg, "'/etc/shadow'"), "%s", err.msg);
}

static void expect_target(const char *path, const char *target, int code)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};
	int r;

	cr_assert_eq(plan_add_link(&plan, path, target, &err), 0);
	r = check_plan(&plan, &root, &err);
	cr_expect_eq(r, -code, "'%s' -> '%s': %d", path, target, r);
}

Test(check_plan, link_may_lead_anywhere_below_dev)
{
	expect_target("/dev/dri/by-path/pci-0000:c1:00.0-render", "../renderD128", 0);
	expect_target("/dev/dri/by-path/a", "../../kfd", 0);
	expect_target("/dev/a", "kfd", 0);
	expect_target("/dev/a", "./kfd", 0);
	expect_target("/dev/a", "/dev/kfd", 0);
	expect_target("/dev/a", "..b/c", 0);
}

Test(check_plan, link_out_of_dev_is_einval)
{
	expect_target("/dev/dri/by-path/a", "../../../etc/passwd", EINVAL);
	expect_target("/dev/a", "../etc/passwd", EINVAL);
	expect_target("/dev/a", "..", EINVAL);
	expect_target("/dev/a", "b/../../etc", EINVAL);
	expect_target("/dev/a", ".//../dev/kfd", EINVAL);
	expect_target("/dev/a", "/etc/passwd", EINVAL);
	expect_target("/dev/a", "/dev/../etc/passwd", EINVAL);
	expect_target("/dev/a", "", EINVAL);
	expect_target("/dev/a", "b\n", EINVAL);
}

/* ---- what is not there ------------------------------------------------------------- */

static void expect_state(enum device_state state, const char *warning, const char *error)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	add_path(&plan, "/dev/dri/renderD128");
	add_path(&plan, "/dev/kfd");
	plan.nodes[1].state = state;
	plan.nodes[1].major = 511;
	plan.nodes[1].minor = 2;
	cr_assert_eq(check_plan(&plan, &root, &err), 0, "%s", err.msg);
	cr_assert_eq(plan.n_warnings, warning ? 1 : 0);
	if (warning) {
		cr_expect_str_eq(plan.warnings[0], warning, "%s", plan.warnings[0]);
	}
	cr_expect_eq(check_plan_appliable(&plan, &err), error ? -ENOENT : 0);
	if (error) {
		cr_expect_str_eq(err.msg, error, "%s", err.msg);
	}
}

Test(check_plan, node_that_is_there_needs_no_word)
{
	expect_state(DEVICE_PRESENT, NULL, NULL);
}

Test(check_plan, absent_node_warns_and_cannot_be_applied)
{
	expect_state(
		DEVICE_ABSENT,
		"node '/dev/kfd' is not there; load its driver or run its setup tool",
		"find node '/dev/kfd': it is not there; load its driver or run its "
		"setup tool");
}

Test(check_plan, something_else_at_the_path_warns_and_cannot_be_applied)
{
	expect_state(
		DEVICE_OTHER,
		"node '/dev/kfd' is not the character device 511:2; remove it and "
		"let its driver or udev make it anew",
		"find node '/dev/kfd': it is not the character device 511:2; remove it and "
		"let its driver or udev make it anew");
}

Test(check_plan, owner_of_an_absent_node_is_not_judged)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct container ctr = {.uid = 1000, .gid = 1000};
	struct err err = {0};

	add_path(&plan, "/dev/kfd");
	plan.nodes[0].state = DEVICE_ABSENT;
	plan.nodes[0].mode = 0;
	cr_assert_eq(check_plan(&plan, &ctr, &err), 0);
	cr_expect_eq(plan.n_warnings, 1);
}

/* ---- access ------------------------------------------------------------------------ */

/* @warning: NULL: none. */
static void expect_access(const struct container *ctr, uid_t uid, gid_t gid, mode_t mode,
			  const char *warning)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	add_path(&plan, "/dev/dri/renderD128");
	plan.nodes[0].uid = uid;
	plan.nodes[0].gid = gid;
	plan.nodes[0].mode = mode;
	cr_assert_eq(check_plan(&plan, ctr, &err), 0, "%s", err.msg);
	cr_assert_eq(plan.n_warnings, warning ? 1 : 0, "%u:%u %04o: %s", uid, gid, mode,
		     plan.n_warnings ? plan.warnings[0] : "no warning");
	if (warning) {
		cr_expect_str_eq(plan.warnings[0], warning, "%s", plan.warnings[0]);
	}
}

Test(check_plan, root_opens_everything)
{
	expect_access(&root, 5, 104, 0000, NULL);
}

Test(check_plan, group_that_is_missing_is_named)
{
	struct container ctr = {.uid = 1000, .gid = 1001};

	expect_access(&ctr, 0, 104, 0660,
		      "the process runs as 1000:1001 and '/dev/dri/renderD128' is 0:104 "
		      "0660: it will not open; add group 104 (podman --group-add 104)");
}

Test(check_plan, own_or_additional_group_opens)
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

Test(check_plan, owner_and_everybody_open)
{
	struct container ctr = {.uid = 1000, .gid = 1000};

	expect_access(&ctr, 1000, 104, 0600, NULL);
	expect_access(&ctr, 0, 0, 0666, NULL);
}

Test(check_plan, reading_alone_is_not_enough)
{
	struct container ctr = {.uid = 1000, .gid = 1000};

	expect_access(&ctr, 0, 104, 0664,
		      "the process runs as 1000:1000 and '/dev/dri/renderD128' is 0:104 "
		      "0664: it will not open; add group 104 (podman --group-add 104)");
	expect_access(
		&ctr, 0, 104, 0644,
		"the process runs as 1000:1000 and '/dev/dri/renderD128' is 0:104 "
		"0644: it will not open; no group would help, change the node's mode "
		"on the host (a udev rule)");
}

Test(check_plan, first_class_that_fits_decides)
{
	struct container owner = {.uid = 1000, .gid = 104};
	struct container member = {.uid = 1000, .gid = 104};

	expect_access(
		&owner, 1000, 104, 0466,
		"the process runs as 1000:104 and '/dev/dri/renderD128' is 1000:104 "
		"0466: it will not open; no group would help, change the node's mode "
		"on the host (a udev rule)");
	expect_access(
		&member, 0, 104, 0606,
		"the process runs as 1000:104 and '/dev/dri/renderD128' is 0:104 "
		"0606: it will not open; no group would help, change the node's mode "
		"on the host (a udev rule)");
}

Test(check_plan, with_a_user_namespace_only_everybodys_rights_are_certain)
{
	struct container ctr = {.has_user_namespace = true};
	struct container same_ids = {.uid = 1000, .gid = 104, .has_user_namespace = true};
	const char *warning =
		"the process runs in a user namespace and '/dev/dri/renderD128' is 0:104 "
		"0660: it opens only if that owner or group is mapped; keep the groups of "
		"the caller (podman --group-add keep-groups)";

	expect_access(&ctr, 0, 104, 0666, NULL);
	expect_access(&ctr, 0, 104, 0660, warning);
	expect_access(&same_ids, 0, 104, 0660, warning);
}

Test(check_plan, rootless_even_root_has_no_right_over_ids_that_are_not_mapped)
{
	struct container plain = {.is_rootless = true};
	struct container keeps = {.is_rootless = true, .keeps_groups = true};
	const char *warning =
		"the process runs in a user namespace and '/dev/dri/renderD128' is "
		"65534:65534 0660: it opens only if that owner or group is mapped; keep "
		"the groups of the caller (podman --group-add keep-groups)";

	expect_access(&plain, 65534, 65534, 0660, warning);
	expect_access(&plain, 65534, 65534, 0666, NULL);
	expect_access(&plain, 0, 0, 0660, NULL);
	expect_access(&keeps, 65534, 65534, 0660, NULL);
}

/* ---- files ------------------------------------------------------------------------- */

#define OWN "/run/oci-gpu-hook/x"

/* A plan with one mount below the directory of our own, and one link to it. */
static void expect_file(const char *host, const char *place, const char *link,
			const char *target, int code)
{
	cleanup(plan_clearp) struct plan plan = {.own_dir = xstrdup(OWN)};
	struct err err = {0};
	int r;

	cr_assert_eq(plan_add_mount(&plan, host, place, MOUNT_FILE, &err), 0);
	cr_assert_eq(plan_add_link(&plan, link, target, &err), 0);
	r = check_plan(&plan, &root, &err);
	cr_expect_eq(r, -code, "%s %s %s %s: %s", host, place, link, target, err.msg);
}

Test(check_plan, file_in_our_own_directory_and_a_link_to_it_pass)
{
	expect_file("/usr/lib/liba.so", OWN "/liba.so", "/usr/lib/liba.so.1",
		    OWN "/liba.so", 0);
	expect_file("/run/driver/lib/a", OWN "/b/c", "/etc/a/b", OWN "/b/c", 0);
}

Test(check_plan, file_among_the_kernels_is_einval)
{
	expect_file("/a", "/proc/a", "/b", OWN "/a", EINVAL);
	expect_file("/a", "/sys/a", "/b", OWN "/a", EINVAL);
	expect_file("/a", "/dev/a", "/b", OWN "/a", EINVAL);
	expect_file("/a", OWN "/a", "/proc/b", OWN "/a", EINVAL);
	expect_file("/a", OWN "/a", "/sys/b", OWN "/a", EINVAL);
}

Test(check_plan, file_with_an_odd_path_is_einval)
{
	expect_file("a", OWN "/a", "/b", OWN "/a", EINVAL);
	expect_file("/x/../a", OWN "/a", "/b", OWN "/a", EINVAL);
	expect_file("/a", OWN "/../a", "/b", OWN "/a", EINVAL);
	expect_file("/a", OWN "/a\n", "/b", OWN "/a", EINVAL);
	expect_file("/a", OWN "/a", "/b/../c", OWN "/a", EINVAL);
	expect_file("/a", OWN "/a", "b", OWN "/a", EINVAL);
}

Test(check_plan, link_to_anything_but_our_own_files_is_einval)
{
	expect_file("/a", OWN "/a", "/b", "/etc/shadow", EINVAL);
	expect_file("/a", OWN "/a", "/b", OWN, EINVAL);
	expect_file("/a", OWN "/a", "/b", OWN "y/a", EINVAL);
	expect_file("/a", OWN "/a", "/b", OWN "/../a", EINVAL);
	expect_file("/a", OWN "/a", "/b", "../run", EINVAL);
}

Test(check_plan, directory_of_our_own_is_below_run)
{
	cleanup(plan_clearp) struct plan plan = {.own_dir = xstrdup("/tmp/x")};
	struct err err = {0};

	cr_expect_eq(check_plan(&plan, &root, &err), -EINVAL);
	cr_expect_str_eq(err.msg, "path '/tmp/x': it is not below /run");
}

Test(check_plan, file_with_our_content_is_the_drivers_in_procfs)
{
	cleanup(plan_clearp) struct plan good = {0};
	cleanup(plan_clearp) struct plan bad = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_file(&good, "/proc/driver/x/params", "a", "b", &err), 0);
	cr_expect_eq(check_plan(&good, &root, &err), 0);
	cr_assert_eq(plan_add_file(&bad, "/proc/sys/kernel/modprobe", "a", "b", &err), 0);
	cr_expect_eq(check_plan(&bad, &root, &err), -EINVAL);
}

Test(check_plan, node_in_a_dev_of_the_drivers_own)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct device_node node = {.path = xstrdup("/dev/x"),
				   .host_path = xstrdup("/run/driver/dev/x"),
				   .mode = 0666};
	struct err err = {0};

	cr_assert_eq(plan_add_node(&plan, &node, &err), 0);
	cr_expect_eq(check_plan(&plan, &root, &err), 0);
	cr_expect_str_eq(plan.nodes[0].host.text, "/run/driver/dev/x");
	device_node_clear(&node);
}

/* ---- what is there ------------------------------------------------------------------- */

Test(check_plan, node_for_reading_needs_no_more)
{
	static const struct container user = {.uid = 1000, .gid = 1000};
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	add_path(&plan, "/dev/cap");
	plan.nodes[0].mode = 0444;
	cr_expect_eq(check_plan(&plan, &user, &err), 0);
	cr_expect_eq(plan.n_warnings, 1);
	plan.n_warnings = 0;
	free(plan.warnings[0]);
	plan.nodes[0].is_for_reading = true;
	cr_expect_eq(check_plan(&plan, &user, &err), 0);
	cr_expect_eq(plan.n_warnings, 0);
}

Test(check_plan, command_that_makes_a_node_is_named)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	add_path(&plan, "/dev/x");
	plan.nodes[0].state = DEVICE_ABSENT;
	plan.nodes[0].setup = xstrdup("x-modprobe -u");
	cr_expect_eq(check_plan(&plan, &root, &err), 0);
	cr_expect_str_eq(plan.warnings[0],
			 "node '/dev/x' is not there; make it: x-modprobe -u");
	cr_expect_eq(check_plan_appliable(&plan, &err), -ENOENT);
	cr_expect_str_eq(err.msg,
			 "find node '/dev/x': it is not there; make it: x-modprobe -u");
}

/* ---- groups that are given ----------------------------------------------------------- */

/* @wanted: the group, or 0 for none; @warns: whether check_plan() still does afterwards. */
static void expect_group(const struct container *ctr, uid_t uid, gid_t gid, mode_t mode,
			 gid_t wanted, bool warns)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	add_path(&plan, "/dev/kfd");
	plan.nodes[0].uid = uid;
	plan.nodes[0].gid = gid;
	plan.nodes[0].mode = mode;
	cr_assert_eq(check_plan_add_groups(&plan, ctr, &err), 0, "%s", err.msg);
	cr_expect_eq(plan.n_additional_gids, wanted ? 1 : 0, "%u:%u %04o", uid, gid,
		     mode);
	if (wanted && plan.n_additional_gids) {
		cr_expect_eq(plan.additional_gids[0], wanted);
	}
	cr_assert_eq(check_plan(&plan, ctr, &err), 0);
	cr_expect_eq(plan.n_warnings, warns ? 1 : 0, "%u:%u %04o", uid, gid, mode);
}

Test(check_plan, group_of_the_node_is_given_to_who_needs_it)
{
	const struct container user = {.uid = 1000, .gid = 1000};
	const struct container member = {.uid = 1000, .gid = 104};

	expect_group(&user, 0, 104, 0660, 104, false);
	expect_group(&member, 0, 104, 0660, 0, false);
	expect_group(&root, 0, 104, 0660, 0, false);
	expect_group(&user, 0, 104, 0666, 0, false);
}

Test(check_plan, no_group_is_given_that_does_not_open)
{
	const struct container user = {.uid = 1000, .gid = 1000};

	expect_group(&user, 0, 104, 0640, 0, true);
	/* The owner's class decides, and it may not. */
	expect_group(&user, 1000, 104, 0060, 0, true);
}

Test(check_plan, group_0_is_never_given)
{
	const struct container user = {.uid = 1000, .gid = 1000};

	expect_group(&user, 0, 0, 0660, 0, true);
}

Test(check_plan, no_group_is_given_in_a_user_namespace)
{
	const struct container user = {
		.uid = 1000, .gid = 1000, .has_user_namespace = true};

	expect_group(&user, 0, 104, 0660, 0, true);
}

Test(check_plan, no_group_is_given_for_a_node_that_is_not_there)
{
	const struct container user = {.uid = 1000, .gid = 1000};
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	add_path(&plan, "/dev/kfd");
	plan.nodes[0].gid = 104;
	plan.nodes[0].mode = 0660;
	plan.nodes[0].state = DEVICE_ABSENT;
	cr_assert_eq(check_plan_add_groups(&plan, &user, &err), 0);
	cr_expect_eq(plan.n_additional_gids, 0);
}
