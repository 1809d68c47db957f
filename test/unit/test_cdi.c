/* SPDX-License-Identifier: Apache-2.0 */
/* test_cdi.c - CDI's rules of precedence */

#include <criterion/criterion.h>
#include <errno.h>

#include "base/mem.h"
#include "model/cdi.h"

static void add(struct cdi_registry *registry, unsigned int dir, const char *file,
		const char *name)
{
	struct cdi_spec spec = {
		.file = xstrdup(file), .dir = dir, .kind = xstrdup("a/b")};

	spec.devices = xgrow(NULL, 0, sizeof(*spec.devices));
	spec.devices[0].name = xstrdup(name);
	spec.n_devices = 1;
	cdi_registry_take(registry, &spec);
}

/* Return: the file that a device comes from, or NULL. */
static const char *find(const struct cdi_registry *registry, const char *name,
			struct err *err)
{
	const struct cdi_spec *spec = NULL;
	const struct cdi_device *device = NULL;

	if (cdi_registry_find(registry, name, &spec, &device, err) < 0) {
		return NULL;
	}
	cr_expect_str_eq(device->name, name);
	return spec->file;
}

Test(cdi, the_later_directory_wins_in_any_order)
{
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	struct err err = {0};

	add(&registry, 1, "/var/run/cdi/x.json", "0");
	add(&registry, 0, "/etc/cdi/x.json", "0");
	add(&registry, 0, "/etc/cdi/x.json", "1");
	add(&registry, 1, "/var/run/cdi/y.json", "1");
	cr_expect_str_eq(find(&registry, "0", &err), "/var/run/cdi/x.json");
	cr_expect_str_eq(find(&registry, "1", &err), "/var/run/cdi/y.json");
}

Test(cdi, two_of_one_directory_are_a_conflict)
{
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	struct err err = {0};

	add(&registry, 0, "/etc/cdi/x.json", "0");
	add(&registry, 0, "/etc/cdi/y.yaml", "0");
	add(&registry, 0, "/etc/cdi/z.json", "1");
	cr_expect_null(find(&registry, "0", &err));
	cr_expect_eq(err.code, EEXIST);
	cr_expect_str_eq(err.msg, "find CDI device '0': '/etc/cdi/x.json' and "
				  "'/etc/cdi/y.yaml' both define it; remove one of them");
	cr_expect_str_eq(find(&registry, "1", &err), "/etc/cdi/z.json");
}

Test(cdi, a_conflict_below_does_not_matter)
{
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	struct err err = {0};

	add(&registry, 0, "/etc/cdi/x.json", "0");
	add(&registry, 0, "/etc/cdi/y.json", "0");
	add(&registry, 1, "/var/run/cdi/z.json", "0");
	cr_expect_str_eq(find(&registry, "0", &err), "/var/run/cdi/z.json");
}

Test(cdi, a_device_that_nobody_has)
{
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	struct err err = {0};

	cr_expect_null(find(&registry, "0", &err));
	cr_expect_eq(err.code, ENOENT);
	cr_expect_str_eq(err.msg, "find CDI device '0': no specification has it");
}

Test(cdi, hooks_are_the_same_in_every_part_or_not_at_all)
{
	char a[] = "a";
	char b[] = "b";
	char variable[] = "X=1";
	char stage[] = "prestart";
	char *args[] = {a, b};
	char *other_args[] = {a, a};
	char *env[] = {variable};
	const struct cdi_hook hook = {stage, a, args, 2, env, 1, 3};
	struct cdi_hook others[] = {hook, hook, hook, hook, hook, hook};
	cleanup(cdi_hook_clearp) struct cdi_hook copy = {0};

	others[0].stage = b;
	others[1].path = b;
	others[2].n_args = 1;
	others[3].args = other_args;
	others[4].n_env = 0;
	others[5].timeout = 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		cr_expect_not(cdi_hook_equals(&hook, &others[i]), "%zu", i);
	}
	cdi_hook_copy(&hook, &copy);
	cr_expect(cdi_hook_equals(&hook, &copy));
	cr_expect_neq(copy.args[1], hook.args[1]);
}
