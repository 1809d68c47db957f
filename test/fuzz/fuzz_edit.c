/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_edit.c - any bytes as the config.json that precreate adds to
 *
 * What comes out, parsed, must be what went in with the same entries added by jansson;
 * and added once more, nothing but the variables may change.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/edit_config.h"
#include "base/mem.h"
#include "oci/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOOK_PATH "/h"

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void make_plan(struct plan *plan, bool has_env)
{
	char kfd_path[] = "/dev/kfd";
	const struct device_node kfd = {.path = kfd_path, .major = 235, .mode = 0660};
	struct err err = {0};

	require(plan_add_node(plan, &kfd, &err) == 0);
	require(plan_add_link(plan, "/dev/l", "kfd", &err) == 0);
	require(plan_add_mount(plan, "/h/f", "/f", MOUNT_FILE, &err) == 0);
	require(plan_add_gid(plan, 105, &err) == 0);
	if (has_env) {
		require(plan_add_env(plan, "A=1", &err) == 0);
	}
}

/* Return: false, the config is refused. */
static bool edit(const char *text, size_t size, bool has_env, struct bytes *ret)
{
	static char pci[] = "0000:c1:00.0";
	static const struct gpu gpu = {.pci = pci, .partition = NO_PARTITION};
	static const struct gpu *const gpus[] = {&gpu};
	static const char *const args[] = {"h", NULL};
	cleanup(oci_config_clearp) struct oci_config config = {0};
	cleanup(config_edit_clearp) struct config_edit edit = {0};
	cleanup(plan_clearp) struct plan plan = {0};
	struct bytes copy = {0};
	struct err err = {0};
	struct edit_config_target target = {
		.text = &copy,
		.ctr = &config.container,
		.edit = &edit,
		.gpus = gpus,
		.n_gpus = 1,
		.host_root = "/",
		.hook_path = HOOK_PATH,
		.hook_args = args,
		.hook_timeout = 1,
	};
	int r = config_edit_parse(text, size, "k", HOOK_PATH, &config, &edit, &err);

	if (r < 0 || !config.request) {
		require(r == 0 || (r == -err.code && err.msg[0] != '\0'));
		return false;
	}
	copy.data = xcalloc(size + 1, 1);
	memcpy(copy.data, text, size);
	copy.len = size;
	require(memchr(text, '\0', size) || config_places_fit(&edit.places, text, size));
	make_plan(&plan, has_env);
	r = edit_config(&plan, &target, ret, &err);
	bytes_clear(&copy);
	require(r == 0 || (r == -err.code && err.msg[0] != '\0' && !ret->data));
	return r == 0;
}

/* The member @key of @object, made where it is absent or null. */
static json_t *member(json_t *object, const char *key, json_t *fresh)
{
	json_t *found = json_object_get(object, key);

	if (found && !json_is_null(found)) {
		json_decref(fresh);
		return found;
	}
	require(json_object_set_new(object, key, fresh) == 0);
	return fresh;
}

/* Takes off what has been added at the end of @list of @object, if it is the @added ones.
   Lists that were not there are left empty, as normal() makes them of nothing. */
static void take_back(json_t *list, const char *const *keys, const char *const *values)
{
	size_t n = json_array_size(list);
	const json_t *last = json_array_get(list, n - 1);

	require(n > 0);
	for (size_t i = 0; keys[i]; i++) {
		require(strcmp(json_string_value(json_object_get(last, keys[i])),
			       values[i]) == 0);
	}
	require(json_array_remove(list, n - 1) == 0);
}

/* Every place there, so that two documents can be compared. */
static void make_places(json_t *root)
{
	json_t *process = member(root, "process", json_object());
	json_t *linux_part = member(root, "linux", json_object());
	json_t *resources = member(linux_part, "resources", json_object());

	(void)member(process, "env", json_array());
	(void)member(member(process, "user", json_object()), "additionalGids",
		     json_array());
	(void)member(root, "mounts", json_array());
	(void)member(linux_part, "devices", json_array());
	(void)member(resources, "devices", json_array());
	(void)member(member(root, "hooks", json_object()), "createRuntime", json_array());
}

static json_t *at(json_t *root, const char *a, const char *b)
{
	return json_object_get(json_object_get(root, a), b);
}

/* Takes off from @after what stands there beyond @before, and checks that it is ours. */
static void take_off_additions(json_t *before, json_t *after)
{
	static const char *const device_keys[] = {"path", "type", NULL};
	static const char *const device[] = {"/dev/kfd", "c"};
	static const char *const mount_keys[] = {"destination", "source", NULL};
	static const char *const mount[] = {"/f", "/h/f"};
	static const char *const node_mount[] = {"/dev/kfd", "/dev/kfd"};
	static const char *const rule_keys[] = {"type", "access", NULL};
	static const char *const rule[] = {"c", "rw"};
	static const char *const hook_keys[] = {"path", NULL};
	static const char *const hook[] = {HOOK_PATH};
	json_t *list = at(after, "linux", "devices");
	json_t *gids = at(json_object_get(after, "process"), "user", "additionalGids");

	if (json_array_size(list) > json_array_size(at(before, "linux", "devices"))) {
		take_back(list, device_keys, device);
	}
	list = at(json_object_get(after, "linux"), "resources", "devices");
	if (json_array_size(list) > json_array_size(at(json_object_get(before, "linux"),
						       "resources", "devices"))) {
		take_back(list, rule_keys, rule);
	}
	list = json_object_get(after, "mounts");
	if (json_array_size(list) > json_array_size(json_object_get(before, "mounts"))) {
		const json_t *last = json_array_get(list, json_array_size(list) - 1);
		const char *place =
			json_string_value(json_object_get(last, "destination"));

		if (strcmp(place, mount[0]) == 0) {
			take_back(list, mount_keys, mount);
		}
	}
	if (json_array_size(list) > json_array_size(json_object_get(before, "mounts"))) {
		take_back(list, mount_keys, node_mount);
	}
	list = at(after, "hooks", "createRuntime");
	if (json_array_size(list) >
	    json_array_size(at(before, "hooks", "createRuntime"))) {
		take_back(list, hook_keys, hook);
	}
	if (json_array_size(gids) > json_array_size(at(json_object_get(before, "process"),
						       "user", "additionalGids"))) {
		require(json_real_value(
				json_array_get(gids, json_array_size(gids) - 1)) == 105);
		require(json_array_remove(gids, json_array_size(gids) - 1) == 0);
	}
	list = at(after, "process", "env");
	require(strcmp(json_string_value(json_array_get(list, json_array_size(list) - 1)),
		       "A=1") == 0);
	require(json_array_remove(list, json_array_size(list) - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct bytes edited = {0};
	struct bytes first = {0};
	struct bytes second = {0};
	struct err err = {0};
	json_t *before;
	json_t *after;

	if (!edit(text, size, true, &edited)) {
		return 0;
	}
	before = json_parse_wide(text, size, "before", &err);
	after = json_parse_wide(edited.data, edited.len, "after", &err);
	require(before && after);
	make_places(before);
	make_places(after);
	take_off_additions(before, after);
	require(strcmp(json_string_value(at(after, "annotations", CHOICE_ANNOTATION)),
		       "v1 0000:c1:00.0") == 0);
	require(json_object_set_new(json_object_get(before, "annotations"),
				    CHOICE_ANNOTATION,
				    json_string("v1 0000:c1:00.0")) == 0);
	require(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	require(edit(text, size, false, &first));
	require(edit(first.data, first.len, false, &second));
	require(first.len == second.len &&
		memcmp(first.data, second.data, first.len) == 0);
	bytes_clear(&edited);
	bytes_clear(&first);
	bytes_clear(&second);
	return 0;
}
