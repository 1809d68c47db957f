/* SPDX-License-Identifier: Apache-2.0 */
/* test_systemd_unit.c - whose unit it is, and what to do about it */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "backend/apply/systemd_unit.h"

static char fuse_path[] = "/dev/char/10:229";
static char fuse_access[] = "rwm";
static struct systemd_device fuse[] = {{fuse_path, fuse_access}};

struct decide_case {
	const char *what;
	const char *policy;
	size_t n_allow;
	const char *pin;
	enum systemd_action want;
};

/* The rows of facts: what runtimes leave on their unit. */
static const struct decide_case decide_cases[] = {
	{"runc and crun 1.21: strict and a list", "strict", 1, NULL,
	 SYSTEMD_DEVICE_ALLOW},
	{"strict and nothing", "strict", 0, NULL, SYSTEMD_DEVICE_ALLOW},
	{"closed and nothing", "closed", 0, NULL, SYSTEMD_DEVICE_ALLOW},
	{"auto with a list filters too", "auto", 1, NULL, SYSTEMD_DEVICE_ALLOW},
	{"crun 1.8: nothing of systemd's", "auto", 0, NULL, SYSTEMD_EDIT_ONLY},
	{"crun 1.28: a pinned program", "auto", 0, "/sys/fs/bpf/crun/x", SYSTEMD_REPIN},
	{"never DeviceAllow beside a pin", "strict", 1, "/sys/fs/bpf/x", SYSTEMD_REPIN},
	{"a policy of the future", "whatever", 0, NULL, SYSTEMD_EDIT_ONLY},
};

Test(systemd_unit, properties_decide)
{
	for (size_t i = 0; i < sizeof(decide_cases) / sizeof(decide_cases[0]); i++) {
		const struct decide_case *c = &decide_cases[i];
		char policy[16];
		char pin[32];
		const struct systemd_properties properties = {
			.device_policy = strcpy(policy, c->policy),
			.allow = fuse,
			.n_allow = c->n_allow,
			.pin = c->pin ? strcpy(pin, c->pin) : NULL,
		};

		cr_expect_eq(systemd_decide(&properties), c->want, "%s", c->what);
	}
}

static bool allows(const char *path, const char *access)
{
	char path_text[64];
	char access_text[8];
	char host[] = "/dev/dri/renderD128";
	struct systemd_device device = {strcpy(path_text, path),
					strcpy(access_text, access)};
	const struct systemd_properties properties = {.allow = &device, .n_allow = 1};
	const struct plan_node node = {.host = {host}, .major = 226, .minor = 128};

	return systemd_allows(&properties, &node);
}

Test(systemd_unit, a_node_is_allowed_by_its_path_or_number_to_read_and_write)
{
	cr_expect(allows("/dev/dri/renderD128", "rw"));
	cr_expect(allows("/dev/char/226:128", "rwm"));
	cr_expect_not(allows("/dev/dri/renderD128", "r"));
	cr_expect_not(allows("/dev/char/226:128", "wm"));
	cr_expect_not(allows("/dev/char/226:1280", "rw"));
	cr_expect_not(allows("/dev/dri/renderD12", "rw"));
	cr_expect_not(allows("char-drm", "rw"));
}

struct find_case {
	const char *path;
	const char *top;
	const char *unit; /* NULL: none */
	const char *group;
};

static const struct find_case find_cases[] = {
	/* runc; crun */
	{"/m.slice/libpod-1.scope", "/m.slice/libpod-1.scope", "libpod-1.scope",
	 "/m.slice/libpod-1.scope"},
	{"/m.slice/libpod-1.scope/container", "/m.slice/libpod-1.scope", "libpod-1.scope",
	 "/m.slice/libpod-1.scope"},
	{"/s.slice/job.service", "/s.slice/job.service", "job.service",
	 "/s.slice/job.service"},
	/* a sub-cgroup of a service is not the service's */
	{"/s.slice/job.service/libpod-payload-1", "/s.slice/job.service/libpod-payload-1",
	 NULL, NULL},
	/* the lowest one: a scope in a container with systemd of its own */
	{"/m.slice/a.scope/init.scope", "/m.slice/a.scope", "init.scope",
	 "/m.slice/a.scope/init.scope"},
	/* no systemd */
	{"/runc/1", "/runc/1", NULL, NULL},
	{"/a.slice", "/a.slice", NULL, NULL},
	{"/.scope", "/.scope", NULL, NULL},
	{"/a.scopes", "/a.scopes", NULL, NULL},
	/* nothing is the container's own */
	{"/a.scope", "", NULL, NULL},
	/* systemd's escape for a name like the kernel's files */
	{"/m.slice/_cgroup.x.scope", "/m.slice/_cgroup.x.scope", "cgroup.x.scope",
	 "/m.slice/_cgroup.x.scope"},
};

Test(systemd_unit, the_lowest_unit_of_the_containers_own)
{
	for (size_t i = 0; i < sizeof(find_cases) / sizeof(find_cases[0]); i++) {
		const struct find_case *c = &find_cases[i];
		autofree char *name = NULL;
		size_t len = systemd_unit_find(c->path, strlen(c->top), &name);

		cr_expect_eq(len, c->group ? strlen(c->group) : 0, "%s: %zu", c->path,
			     len);
		cr_expect_eq(!name, !c->unit, "%s", c->path);
		if (name && c->unit) {
			cr_expect_str_eq(name, c->unit);
		}
	}
}

Test(systemd_unit, object_paths_are_escaped_as_systemd_does)
{
	autofree char *plain = systemd_unit_object("libpod-1f.scope");
	autofree char *odd = systemd_unit_object("1a:b@\xc3\xa4_.service");

	cr_expect_str_eq(plain, "/org/freedesktop/systemd1/unit/libpod_2d1f_2escope");
	cr_expect_str_eq(odd,
			 "/org/freedesktop/systemd1/unit/_31a_3ab_40_c3_a4_5f_2eservice");
}

Test(systemd_unit, scope_and_service_have_their_own_interface)
{
	cr_expect_str_eq(systemd_unit_interface("a.scope"),
			 "org.freedesktop.systemd1.Scope");
	cr_expect_str_eq(systemd_unit_interface("a.service"),
			 "org.freedesktop.systemd1.Service");
}

/* Bodies "v" of replies, as they come from systemd. */
static struct dbus_message reply(const void *body, size_t n)
{
	return (struct dbus_message){
		.type = DBUS_METHOD_RETURN,
		.signature = "v",
		.body = {.data = body, .len = n},
	};
}

Test(systemd_unit, text_properties_are_read)
{
	static const char body[] = "\1s\0\0\4\0\0\0auto";
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct dbus_message message = reply(body, sizeof(body));

	cr_assert_eq(systemd_properties_read(&properties, SYSTEMD_PROPERTY_DEVICE_POLICY,
					     &message),
		     0);
	cr_expect_str_eq(properties.device_policy, "auto");
}

/* Variant "a(ss)", 23 bytes of array at 16: ("device", "/sys/x") */
static const char pairs[] = "\5a(ss)\0\0\27\0\0\0\0\0\0\0"
			    "\6\0\0\0device\0\0\6\0\0\0/sys/x";

Test(systemd_unit, the_pin_is_that_of_the_device_program)
{
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct dbus_message message = reply(pairs, sizeof(pairs));

	cr_assert_eq(systemd_properties_read(&properties, SYSTEMD_PROPERTY_BPF_PROGRAM,
					     &message),
		     0);
	cr_expect_str_eq(properties.pin, "/sys/x");
}

Test(systemd_unit, a_program_of_another_kind_is_no_pin)
{
	char other[sizeof(pairs)];
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct dbus_message message = reply(other, sizeof(other));

	memcpy(other, pairs, sizeof(other));
	memcpy(other + 20, "egress", 6);
	cr_assert_eq(systemd_properties_read(&properties, SYSTEMD_PROPERTY_BPF_PROGRAM,
					     &message),
		     0);
	cr_expect_null(properties.pin);
}

Test(systemd_unit, a_list_that_is_read_again_replaces_the_first)
{
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};

	for (int i = 0; i < 2; i++) {
		struct dbus_message message = reply(pairs, sizeof(pairs));

		cr_assert_eq(systemd_properties_read(&properties,
						     SYSTEMD_PROPERTY_DEVICE_ALLOW,
						     &message),
			     0);
		cr_expect_eq(properties.n_allow, 1);
		cr_expect_str_eq(properties.allow[0].path, "device");
		cr_expect_str_eq(properties.allow[0].access, "/sys/x");
	}
}

Test(systemd_unit, an_answer_of_another_type_is_refused)
{
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct dbus_message message = reply(pairs, sizeof(pairs));

	cr_expect_eq(systemd_properties_read(&properties, SYSTEMD_PROPERTY_DEVICE_POLICY,
					     &message),
		     -EBADMSG);
	message = reply(pairs, sizeof(pairs) - 4);
	cr_expect_eq(systemd_properties_read(&properties, SYSTEMD_PROPERTY_DEVICE_ALLOW,
					     &message),
		     -EBADMSG, "cut off");
	message = reply(pairs, sizeof(pairs));
	message.signature = "s";
	cr_expect_eq(systemd_properties_read(&properties, SYSTEMD_PROPERTY_DEVICE_ALLOW,
					     &message),
		     -EBADMSG, "no variant");
}
