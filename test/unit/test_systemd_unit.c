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
		size_t len = systemd_unit_find(c->path, strlen(c->path), strlen(c->top),
					       &name);

		cr_expect_eq(len, c->group ? strlen(c->group) : 0, "%s: %zu", c->path,
			     len);
		cr_expect_eq(!name, !c->unit, "%s", c->path);
		if (name && c->unit) {
			cr_expect_str_eq(name, c->unit);
		}
	}
}

Test(systemd_unit, the_next_one_above_is_found_when_it_is_not_that)
{
	static const char path[] = "/m.slice/a.scope/x.service/y";
	autofree char *name = NULL;

	cr_expect_eq(systemd_unit_find(path, strlen("/m.slice/a.scope"),
				       strlen("/m.slice/a.scope"), &name),
		     strlen("/m.slice/a.scope"));
	cr_assert_str_eq(name, "a.scope");
	cr_expect_eq(systemd_unit_find(path, strlen("/m.slice"),
				       strlen("/m.slice/a.scope"), &name),
		     0);
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

/* One property of an answer: a text, or pairs of texts (an array "a(ss)") of
   which the last has none. */
struct property {
	const char *name;
	const char *text;
	const char *pairs[4];
};

#define CONTROL_GROUP                       \
	{                                   \
		"ControlGroup", "/a.scope", \
		{                           \
			0                   \
		}                           \
	}
#define DEVICE_POLICY                     \
	{                                 \
		"DevicePolicy", "strict", \
		{                         \
			0                 \
		}                         \
	}
#define DEVICE_ALLOW                                         \
	{                                                    \
		"DeviceAllow", NULL,                         \
		{                                            \
			"/dev/kfd", "rw", "/dev/fuse", "rwm" \
		}                                            \
	}

static void put_property(struct dbus_writer *writer, const struct property *property)
{
	size_t array;

	dbus_begin_struct(writer);
	dbus_put_string(writer, property->name);
	dbus_put_signature(writer, property->text ? "s" : "a(ss)");
	if (property->text) {
		dbus_put_string(writer, property->text);
		return;
	}
	array = dbus_begin_array(writer);
	for (size_t i = 0; i < 4 && property->pairs[i]; i += 2) {
		dbus_begin_struct(writer);
		dbus_put_string(writer, property->pairs[i]);
		dbus_put_string(writer, property->pairs[i + 1]);
	}
	dbus_end_array(writer, array);
}

/* The body of an answer; what writes it is tested by itself, byte for byte. */
static void put_answer(struct dbus_writer *writer, const struct property *properties,
		       size_t n)
{
	size_t array = dbus_begin_array(writer);

	for (size_t i = 0; i < n; i++) {
		put_property(writer, &properties[i]);
	}
	dbus_end_array(writer, array);
}

static struct dbus_message reply(const struct dbus_writer *writer, size_t n)
{
	return (struct dbus_message){
		.type = DBUS_METHOD_RETURN,
		.signature = "a{sv}",
		.body = {.data = writer->data, .len = n},
	};
}

/* Return: as systemd_properties_read(). */
static int read_answer(const struct property *list, size_t n,
		       struct systemd_properties *properties, struct err *err)
{
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};
	struct dbus_message message;

	put_answer(&writer, list, n);
	message = reply(&writer, writer.len);
	return systemd_properties_read(properties, &message, err);
}

#define READ_ANSWER(list, properties, err) \
	read_answer((list), sizeof(list) / sizeof((list)[0]), (properties), (err))

Test(systemd_unit, what_matters_is_read_from_among_the_other_properties)
{
	static const struct property list[] = {
		{"Slice", "machine.slice", {0}},
		DEVICE_ALLOW,
		{"IODeviceWeight", NULL, {"device", "/not/the/pin"}},
		CONTROL_GROUP,
		{"BPFProgram", NULL, {"egress", "/sys/y", "device", "/sys/x"}},
		{"DevicePolicies", "auto", {0}},
		DEVICE_POLICY,
	};
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct err err = {0};

	cr_assert_eq(READ_ANSWER(list, &properties, &err), 0, "%s", err.msg);
	cr_expect_str_eq(properties.control_group, "/a.scope");
	cr_expect_str_eq(properties.device_policy, "strict");
	cr_expect_str_eq(properties.pin, "/sys/x");
	cr_assert_eq(properties.n_allow, 2);
	cr_expect_str_eq(properties.allow[0].path, "/dev/kfd");
	cr_expect_str_eq(properties.allow[0].access, "rw");
	cr_expect_str_eq(properties.allow[1].path, "/dev/fuse");
	cr_expect_str_eq(properties.allow[1].access, "rwm");
}

Test(systemd_unit, systemd_before_249_has_no_pin)
{
	static const struct property list[] = {CONTROL_GROUP, DEVICE_POLICY,
					       DEVICE_ALLOW};
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct err err = {0};

	cr_assert_eq(READ_ANSWER(list, &properties, &err), 0, "%s", err.msg);
	cr_expect_null(properties.pin);
}

Test(systemd_unit, a_program_of_another_kind_is_no_pin)
{
	static const struct property list[] = {
		CONTROL_GROUP,
		DEVICE_POLICY,
		DEVICE_ALLOW,
		{"BPFProgram", NULL, {"egress", "/sys/x", "device", "relative"}},
	};
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct err err = {0};

	cr_assert_eq(READ_ANSWER(list, &properties, &err), 0, "%s", err.msg);
	cr_expect_null(properties.pin);
}

Test(systemd_unit, what_is_read_again_replaces_the_first)
{
	static const struct property first[] = {
		CONTROL_GROUP,
		DEVICE_POLICY,
		DEVICE_ALLOW,
		{"BPFProgram", NULL, {"device", "/sys/x"}},
	};
	static const struct property second[] = {
		CONTROL_GROUP,
		{"DevicePolicy", "auto", {0}},
		{"DeviceAllow", NULL, {0}},
	};
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	struct err err = {0};

	cr_assert_eq(READ_ANSWER(first, &properties, &err), 0);
	cr_assert_eq(READ_ANSWER(second, &properties, &err), 0);
	cr_expect_eq(properties.n_allow, 0);
	cr_expect_null(properties.pin);
	cr_expect_str_eq(properties.device_policy, "auto");
}

struct refused_case {
	const char *what;
	struct property list[3];
	const char *want;
};

static const struct refused_case refused_cases[] = {
	{"no group",
	 {DEVICE_POLICY, DEVICE_ALLOW, {"A", "b", {0}}},
	 "has no ControlGroup"},
	{"no policy",
	 {CONTROL_GROUP, DEVICE_ALLOW, {"A", "b", {0}}},
	 "has no DevicePolicy"},
	{"no list",
	 {CONTROL_GROUP, DEVICE_POLICY, {"A", "b", {0}}},
	 "has no DeviceAllow"},
	{"a list that is a text",
	 {CONTROL_GROUP, DEVICE_POLICY, {"DeviceAllow", "x", {0}}},
	 "DeviceAllow is not of its type"},
	{"a text that is a list",
	 {CONTROL_GROUP, {"DevicePolicy", NULL, {"a", "b"}}, DEVICE_ALLOW},
	 "DevicePolicy is not of its type"},
};

Test(systemd_unit, an_answer_that_lacks_something_is_refused)
{
	for (size_t i = 0; i < sizeof(refused_cases) / sizeof(refused_cases[0]); i++) {
		const struct refused_case *c = &refused_cases[i];
		cleanup(systemd_properties_clearp) struct systemd_properties properties =
			{0};
		struct err err = {0};

		cr_expect_eq(READ_ANSWER(c->list, &properties, &err), -EBADMSG, "%s",
			     c->what);
		cr_expect(strstr(err.msg, c->want), "%s: %s", c->what, err.msg);
	}
}

Test(systemd_unit, an_answer_that_is_cut_off_anywhere_is_refused)
{
	static const struct property list[] = {CONTROL_GROUP, DEVICE_POLICY,
					       DEVICE_ALLOW};
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};

	put_answer(&writer, list, 3);
	for (size_t n = 0; n < writer.len; n++) {
		cleanup(systemd_properties_clearp) struct systemd_properties properties =
			{0};
		struct dbus_message message = reply(&writer, n);
		struct err err = {0};

		cr_expect_eq(systemd_properties_read(&properties, &message, &err),
			     -EBADMSG, "%zu bytes", n);
	}
}

Test(systemd_unit, an_answer_of_another_signature_is_refused)
{
	static const struct property list[] = {CONTROL_GROUP, DEVICE_POLICY,
					       DEVICE_ALLOW};
	cleanup(systemd_properties_clearp) struct systemd_properties properties = {0};
	cleanup(dbus_writer_clearp) struct dbus_writer writer = {0};
	struct dbus_message message;
	struct err err = {0};

	put_answer(&writer, list, 3);
	message = reply(&writer, writer.len);
	message.signature = "a{ss}";
	cr_expect_eq(systemd_properties_read(&properties, &message, &err), -EBADMSG);
	cr_expect(strstr(err.msg, "holds no properties"), "%s", err.msg);
}
