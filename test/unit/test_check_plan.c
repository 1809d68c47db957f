/* SPDX-License-Identifier: Apache-2.0 */
/* test_check_plan.c - what is refused, and what the user is told beforehand */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "stage/check_plan.h"

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
	r = check_plan(&node_plan, &err);
	cr_expect_eq(r, -code, "node '%s': %d", path, r);
	cr_expect_eq(err.code, code);

	cr_assert_eq(plan_add_link(&link_plan, path, "null", &err), 0);
	err = (struct err){0};
	r = check_plan(&link_plan, &err);
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
	cr_expect_eq(check_plan(&plan, &err), -EINVAL);
	cr_expect(strstr(err.msg, "'/etc/shadow'"), "%s", err.msg);
}

static void expect_target(const char *path, const char *target, int code)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};
	int r;

	cr_assert_eq(plan_add_link(&plan, path, target, &err), 0);
	r = check_plan(&plan, &err);
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
	cr_assert_eq(check_plan(&plan, &err), 0, "%s", err.msg);
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
	r = check_plan(&plan, &err);
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

	cr_expect_eq(check_plan(&plan, &err), -EINVAL);
	cr_expect_str_eq(err.msg, "path '/tmp/x': it is not below /run");
}

Test(check_plan, file_with_our_content_is_the_drivers_in_procfs)
{
	cleanup(plan_clearp) struct plan good = {0};
	cleanup(plan_clearp) struct plan bad = {0};
	struct err err = {0};

	cr_assert_eq(plan_add_file(&good, "/proc/driver/x/params", "a", "b", &err), 0);
	cr_expect_eq(check_plan(&good, &err), 0);
	cr_assert_eq(plan_add_file(&bad, "/proc/sys/kernel/modprobe", "a", "b", &err), 0);
	cr_expect_eq(check_plan(&bad, &err), -EINVAL);
}

Test(check_plan, node_in_a_dev_of_the_drivers_own)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct device_node node = {.path = xstrdup("/dev/x"),
				   .host_path = xstrdup("/run/driver/dev/x"),
				   .mode = 0666};
	struct err err = {0};

	cr_assert_eq(plan_add_node(&plan, &node, &err), 0);
	cr_expect_eq(check_plan(&plan, &err), 0);
	cr_expect_str_eq(plan.nodes[0].host.text, "/run/driver/dev/x");
	device_node_clear(&node);
}

/* ---- what is there ----------------------------------------------------------------- */

Test(check_plan, command_that_makes_a_node_is_named)
{
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};

	add_path(&plan, "/dev/x");
	plan.nodes[0].state = DEVICE_ABSENT;
	plan.nodes[0].setup = xstrdup("x-modprobe -u");
	cr_expect_eq(check_plan(&plan, &err), 0);
	cr_expect_str_eq(plan.warnings[0],
			 "node '/dev/x' is not there; make it: x-modprobe -u");
	cr_expect_eq(check_plan_appliable(&plan, &err), -ENOENT);
	cr_expect_str_eq(err.msg,
			 "find node '/dev/x': it is not there; make it: x-modprobe -u");
}
