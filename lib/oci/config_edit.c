/* SPDX-License-Identifier: Apache-2.0 */
/* config_edit.c - what has to be known of a config.json before it is added to */

#include "oci/config_edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/choice.h"
#include "oci/config_json.h"
#include "oci/json.h"

void config_edit_clear(struct config_edit *edit)
{
	for (size_t i = 0; i < edit->n_devices; i++) {
		free(edit->devices[i].path);
	}
	for (size_t i = 0; i < edit->n_mounts; i++) {
		free(edit->mounts[i].destination);
		free(edit->mounts[i].source);
	}
	free(edit->devices);
	free(edit->mounts);
	*edit = (struct config_edit){0};
}

/* A string of an entry. @fallback NULL: it must be there. */
static int read_text(const json_t *entry, const char *list, size_t i, const char *key,
		     const char *fallback, char **ret, struct err *err)
{
	const json_t *value = json_member(entry, key);
	char path[96];

	if (value ? !json_is_string(value) : !fallback) {
		(void)snprintf(path, sizeof(path), "%s[%zu].%s", list, i, key);
		return json_wrong(err, CONFIG_WHAT, path, "a string", value);
	}
	*ret = xstrdup(value ? json_string_value(value) : fallback);
	return 0;
}

static int check_number(const json_t *list, const char *path, struct err *err)
{
	if (json_array_size(list) > LIMIT_CONFIG_ENTRIES) {
		return err_set(err, E2BIG, "read config.json: %s: more than %u", path,
			       LIMIT_CONFIG_ENTRIES);
	}
	return 0;
}

static int read_devices(const json_t *config, struct config_edit *edit, struct err *err)
{
	const json_t *os = NULL;
	const json_t *devices = NULL;
	const json_t *entry;
	size_t i;

	if (config_read_object(config, "linux", "linux", &os, err) < 0 ||
	    config_read_array(os, "devices", "linux.devices", &devices, err) < 0 ||
	    check_number(devices, "linux.devices", err) < 0) {
		return -err->code;
	}
	edit->devices = xcalloc(json_array_size(devices), sizeof(*edit->devices));
	json_array_foreach (devices, i, entry) {
		struct config_device *device = &edit->devices[i];
		autofree char *type = NULL;
		char path[64];

		(void)snprintf(path, sizeof(path), "linux.devices[%zu]", i);
		edit->n_devices++;
		if (read_text(entry, "linux.devices", i, "path", NULL, &device->path,
			      err) < 0 ||
		    read_text(entry, "linux.devices", i, "type", NULL, &type, err) < 0 ||
		    config_read_device_number(entry, "major", path, &device->major, err) <
			    0 ||
		    config_read_device_number(entry, "minor", path, &device->minor, err) <
			    0) {
			return -err->code;
		}
		if (type) {
			device->type = type[0];
		}
	}
	return 0;
}

/* An entry without options is a bind mount as well if its type says so. */
static bool is_bind(const json_t *entry, const char *type)
{
	const json_t *option;
	size_t i;

	json_array_foreach (json_object_get(entry, "options"), i, option) {
		const char *text = json_string_value(option);

		if (text && (text_equals(text, "bind") || text_equals(text, "rbind"))) {
			return true;
		}
	}
	return text_equals(type, "bind");
}

/* Where no image and no volume can have put a link. What a tmpfs may begin with, by the
   option tmpcopyup, is the image's at that place. */
static bool is_without_content(const char *type)
{
	static const char *const types[] = {"tmpfs",   "proc",	 "sysfs", "cgroup",
					    "cgroup2", "mqueue", "devpts"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (text_equals(type, types[i])) {
			return true;
		}
	}
	return false;
}

static int read_mounts(const json_t *config, struct config_edit *edit, struct err *err)
{
	const json_t *mounts = NULL;
	const json_t *entry;
	size_t i;

	if (config_read_array(config, "mounts", "mounts", &mounts, err) < 0 ||
	    check_number(mounts, "mounts", err) < 0) {
		return -err->code;
	}
	edit->mounts = xcalloc(json_array_size(mounts), sizeof(*edit->mounts));
	json_array_foreach (mounts, i, entry) {
		struct config_mount *mount = &edit->mounts[i];
		autofree char *type = NULL;

		edit->n_mounts++;
		if (read_text(entry, "mounts", i, "destination", NULL,
			      &mount->destination, err) < 0 ||
		    read_text(entry, "mounts", i, "source", "", &mount->source, err) <
			    0 ||
		    read_text(entry, "mounts", i, "type", "", &type, err) < 0) {
			return -err->code;
		}
		mount->is_bind = is_bind(entry, type);
		mount->has_content = mount->is_bind || !is_without_content(type);
	}
	return 0;
}

/* Only entries that are ours count; what is wrong with others is the runtime's to say. */
static int read_hooks(const json_t *config, const char *hook_path,
		      struct config_edit *edit, struct err *err)
{
	static const char *const stages[] = {"createRuntime", "prestart"};
	const json_t *hooks = NULL;

	if (config_read_object(config, "hooks", "hooks", &hooks, err) < 0) {
		return -err->code;
	}
	for (size_t n = 0; n < sizeof(stages) / sizeof(stages[0]); n++) {
		autofree char *path = xasprintf("hooks.%s", stages[n]);
		const json_t *list = NULL;
		const json_t *entry;
		size_t i;

		if (config_read_array(hooks, stages[n], path, &list, err) < 0) {
			return -err->code;
		}
		json_array_foreach (list, i, entry) {
			const char *program =
				json_string_value(json_object_get(entry, "path"));

			edit->has_hook |= program && text_equals(program, hook_path);
		}
	}
	return 0;
}

/* The places are found by names without escapes, the annotations here by any. Else the
   choice would be there twice. */
static int check_choice(const json_t *config, const struct config_edit *edit,
			struct err *err)
{
	const json_t *annotations = json_object_get(config, "annotations");

	if (json_object_get(annotations, CHOICE_ANNOTATION) &&
	    edit->places.place[PLACE_CHOICE].state == PLACE_ABSENT) {
		return err_set(err, EINVAL,
			       "read config.json: annotation '" CHOICE_ANNOTATION
			       "': its name has escapes; remove it");
	}
	return 0;
}

static bool is_quoted_in(const struct bytes *text, const struct place *place,
			 const char *quoted)
{
	return place->state == PLACE_FILLED &&
	       memmem(text->data + place->start, place->end - place->start, quoted,
		      strlen(quoted));
}

void config_edit_check_hook(struct config_edit *edit, const struct bytes *text,
			    const char *hook_path)
{
	const struct place *places = edit->places.place;
	autofree char *quoted = xasprintf("\"%s\"", hook_path);

	edit->has_hook &= is_quoted_in(text, &places[PLACE_CREATE_RUNTIME], quoted) ||
			  is_quoted_in(text, &places[PLACE_PRESTART], quoted);
}

int config_edit_parse(const char *text, size_t len, const char *key,
		      const char *hook_path, struct oci_config *ret_config,
		      struct config_edit *ret_edit, struct err *err)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	cleanup(config_edit_clearp) struct config_edit edit = {0};
	cleanup(json_decrefp) json_t *object =
		json_parse_wide(text, len, CONFIG_WHAT, err);

	if (!object || config_read(object, key, &config, err) < 0) {
		return -err->code;
	}
	/* The places last: the others say better what is wrong. */
	if (config.request && (read_devices(object, &edit, err) < 0 ||
			       read_mounts(object, &edit, err) < 0 ||
			       read_hooks(object, hook_path, &edit, err) < 0 ||
			       config_places_find(text, len, &edit.places, err) < 0 ||
			       check_choice(object, &edit, err) < 0)) {
		return -err->code;
	}
	*ret_config = config;
	*ret_edit = edit;
	config = (struct oci_config){0};
	edit = (struct config_edit){0};
	return 0;
}
