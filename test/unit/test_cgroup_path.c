/* SPDX-License-Identifier: Apache-2.0 */
/* test_cgroup_path.c - which cgroup decides, and how much of its
   path is the container's */

#include <criterion/criterion.h>
#include <errno.h>

#include "backend/apply/cgroup_path.h"

#define ID "4f3c2b1a"

static struct cgroup_path parse(const char *text)
{
	struct cgroup_path path = {0};
	struct err err = {0};

	cr_assert_eq(cgroup_path_parse(text, &path, &err), 0, "%s", err.msg);
	return path;
}

static void assert_refused(const char *text, int code, const char *message)
{
	struct cgroup_path path = {0};
	struct err err = {0};

	cr_assert_eq(cgroup_path_parse(text, &path, &err), -code);
	cr_assert_str_eq(err.msg, message);
	cr_assert_null(path.v2_path, "outputs are untouched on failure");
}

Test(cgroup_path, v2_alone_is_one_line)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path =
		parse("0::/a.slice/b.scope\n");

	cr_expect_null(path.v1_path);
	cr_expect_str_eq(path.v2_path, "/a.slice/b.scope");
}

Test(cgroup_path, hybrid_has_both)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path =
		parse("12:pids:/x\n5:devices:/runc/" ID "\n1:name=systemd:/y\n0::/z\n");

	cr_expect_str_eq(path.v1_path, "/runc/" ID);
	cr_expect_str_eq(path.v2_path, "/z");
}

Test(cgroup_path, devices_is_found_among_other_controllers)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path = parse("3:cpu,devices:/c");

	cr_expect_str_eq(path.v1_path, "/c");
}

Test(cgroup_path, a_name_that_only_holds_devices_is_another_controller)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path =
		parse("3:name=devices,mydevices,devices2:/c\n");

	cr_expect_null(path.v1_path);
}

Test(cgroup_path, a_path_may_hold_a_colon)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path =
		parse("4:devices:/system.slice:docker:" ID "\n");

	cr_expect_str_eq(path.v1_path, "/system.slice:docker:" ID);
}

Test(cgroup_path, outside_of_our_namespace_is_refused)
{
	assert_refused(
		"0::/../other\n", EXDEV,
		"read the container's cgroup: '/../other' is outside of our cgroup "
		"namespace; run the hook in the runtime's namespaces");
	assert_refused(
		"5:devices:/..\n", EXDEV,
		"read the container's cgroup: '/..' is outside of our cgroup namespace; "
		"run the hook in the runtime's namespaces");
}

Test(cgroup_path, a_name_that_starts_with_dots_is_not_outside)
{
	cleanup(cgroup_path_clearp) struct cgroup_path path = parse("0::/..a\n");

	cr_expect_str_eq(path.v2_path, "/..a");
}

Test(cgroup_path, a_line_of_another_form_is_refused)
{
	assert_refused("0:\n", EINVAL,
		       "read the container's cgroup: '0:' is not ID:CONTROLLERS:PATH");
	assert_refused(
		"0::relative\n", EINVAL,
		"read the container's cgroup: '0::relative' is not ID:CONTROLLERS:PATH");
	assert_refused("\n", EINVAL,
		       "read the container's cgroup: '' is not ID:CONTROLLERS:PATH");
}

struct top_case {
	const char *path;
	const char *own_path;
	const char *id;
	const char *want;
};

static const struct top_case top_cases[] = {
	/* runc and crun without systemd */
	{"/" ID, "/", ID, "/" ID},
	{"/libpod_parent/libpod-" ID, "/", ID, "/libpod_parent/libpod-" ID},
	/* crun with systemd: the program is on the scope, the process one below */
	{"/machine.slice/libpod-" ID ".scope/container", "/machine.slice/x.service", ID,
	 "/machine.slice/libpod-" ID ".scope"},
	{"/user.slice/" ID ".scope/container", "/", ID, "/user.slice/" ID ".scope"},
	/* a name of the operator's own: the scope, which the runtime made */
	{"/machine.slice/crun-job7.scope/container", "/", ID,
	 "/machine.slice/crun-job7.scope"},
	{"/slurm/job_5/step_0", "/system.slice/slurmd.service", ID,
	 "/slurm/job_5/step_0"},
	/* the session's scope holds ourselves as well: it is not the container's */
	{"/user.slice/session-1.scope/box", "/user.slice/session-1.scope", ID,
	 "/user.slice/session-1.scope/box"},
	/* an id that is also crun's name for the level below */
	{"/machine.slice/crun-container.scope/container", "/", "container",
	 "/machine.slice/crun-container.scope"},
	/* short ids: the level above is taken by its name alone, and
	   no level above that */
	{"/machine.slice/crun-c.scope/c", "/machine.slice", "c",
	 "/machine.slice/crun-c.scope"},
	{"/c/x/c", "/", "c", "/c/x/c"},
	/* a pod that others live in, too */
	{"/kubepods/pod-web/a", "/", "web", "/kubepods/pod-web/a"},
	{"/kubepods/web/container", "/", "web", "/kubepods/web/container"},
	/* somebody else's scope, in which a runtime without systemd made the container */
	{"/user.slice/session-3.scope/foo", "/system.slice/x.service", "bar",
	 "/user.slice/session-3.scope/foo"},
	/* no id in the state */
	{"/a/b", "/", "", "/a/b"},
};

Test(cgroup_path, the_containers_own_levels_end_where_its_name_is)
{
	for (size_t i = 0; i < sizeof(top_cases) / sizeof(top_cases[0]); i++) {
		const struct top_case *c = &top_cases[i];
		size_t top = cgroup_path_top(c->path, c->own_path, c->id);

		cr_expect_eq(top, strlen(c->want), "'%s' as '%s' by '%s': '%.*s'",
			     c->path, c->id, c->own_path, (int)top, c->path);
	}
}

Test(cgroup_path, a_cgroup_that_holds_ourselves_is_not_the_containers)
{
	cr_expect_eq(cgroup_path_top("/", "/", ID), 0);
	cr_expect_eq(cgroup_path_top("/a", "/a", ID), 0);
	cr_expect_eq(cgroup_path_top("/a", "/a/b", ID), 0);
	cr_expect_eq(cgroup_path_top("/" ID, "/" ID, ID), 0);
	cr_expect_eq(cgroup_path_top("/a", "/ab", ID), 2,
		     "a longer name is another cgroup");
}
