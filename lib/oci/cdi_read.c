/* SPDX-License-Identifier: Apache-2.0 */
/* cdi_read.c - a specification file of the Container Device Interface */

#include "oci/cdi_read.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "oci/cdi_edits.h"
#include "oci/cdi_yaml.h"
#include "oci/json.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

static int read_annotations(const json_t *value, const char *path,
			    struct cdi_document *doc, void *target, struct err *err)
{
	const char *key;
	const json_t *text;

	(void)target;
	if (!json_is_object(value)) {
		return json_wrong(err, doc->what, path, "an object", value);
	}
	json_object_foreach ((json_t *)(uintptr_t)value, key, text) {
		cdi_need(doc, CDI_0_6_0, "annotations");
		if (!cdi_is_text(text, doc)) {
			return json_wrong(err, doc->what, path, "texts", text);
		}
	}
	return 0;
}

static bool is_empty(const struct cdi_edits *edits)
{
	return edits->n_nodes + edits->n_mounts + edits->n_hooks + edits->n_env +
			       edits->n_gids ==
		       0 &&
	       !edits->has_net_devices && !edits->has_rdt;
}

/* ---- devices ----------------------------------------------------------------------- */

/* @first and @last: what it may begin and end with; @inner: what is between. */
static bool is_name(const char *name, size_t len, const char *first, const char *inner)
{
	return len > 0 && strchr(first, name[0]) && strspn(name, inner) >= len &&
	       strchr(LETTERS DIGITS, name[len - 1]);
}

static int read_device_name(const json_t *value, const char *path,
			    struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_device *device = target;
	int r = cdi_read_text(value, path, doc, &device->name, err);

	if (r < 0) {
		return r;
	}
	if (!is_name(device->name, strlen(device->name), LETTERS DIGITS,
		     LETTERS DIGITS "_-.:")) {
		return json_wrong(err, doc->what, path, "the name of a device", value);
	}
	if (!strchr(LETTERS, device->name[0])) {
		cdi_need(doc, CDI_0_5_0, "a device's name that begins with a digit");
	}
	return 0;
}

static int read_device_edits(const json_t *value, const char *path,
			     struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_device *device = target;

	return cdi_read_edits(value, path, doc, &device->edits, err);
}

static int append_device(const json_t *value, const char *path, struct cdi_document *doc,
			 void *target, struct err *err)
{
	static const struct cdi_member members[] = {
		{"name", read_device_name, true},
		{"annotations", read_annotations, false},
		{"containerEdits", read_device_edits, true},
		{NULL, NULL, false},
	};
	struct cdi_spec *spec = target;
	struct cdi_device *device;
	int r;

	spec->devices = xgrow(spec->devices, spec->n_devices, sizeof(*spec->devices));
	device = &spec->devices[spec->n_devices++];
	r = cdi_read_object(value, path, members, doc, device, err);
	if (r < 0) {
		return r;
	}
	if (is_empty(&device->edits)) {
		return err_set(err, EINVAL, "read %s: %s: device '%s' has no edits",
			       doc->what, path, device->name);
	}
	for (size_t i = 0; i + 1 < spec->n_devices; i++) {
		if (text_equals(spec->devices[i].name, device->name)) {
			return err_set(err, EINVAL,
				       "read %s: %s: device '%s' is there already",
				       doc->what, path, device->name);
		}
	}
	return 0;
}

static int read_devices(const json_t *value, const char *path, struct cdi_document *doc,
			void *target, struct err *err)
{
	int r = cdi_read_array(value, path, append_device, doc, target, err);

	if (r == 0 && json_array_size(value) == 0) {
		return json_wrong(err, doc->what, path, "at least one device", value);
	}
	return r;
}

/* ---- all --------------------------------------------------------------------------- */

static int read_version(const json_t *value, const char *path, struct cdi_document *doc,
			void *target, struct err *err)
{
	const char *text = json_string_value(value);

	(void)target;
	if (text && *text == 'v') {
		text++;
	}
	for (int i = 0; text && i < CDI_VERSION_COUNT; i++) {
		if (text_equals(text, cdi_version_names[i])) {
			doc->version = (enum cdi_version)i;
			return 0;
		}
	}
	return json_wrong(err, doc->what, path, "a version from 0.3.0 to 1.1.0", value);
}

static int read_kind(const json_t *value, const char *path, struct cdi_document *doc,
		     void *target, struct err *err)
{
	struct cdi_spec *spec = target;
	const char *text = json_string_value(value);
	const char *slash = text ? strchr(text, '/') : NULL;

	if (!slash ||
	    !is_name(text, (size_t)(slash - text), LETTERS, LETTERS DIGITS "_-.") ||
	    !is_name(slash + 1, strlen(slash + 1), LETTERS, LETTERS DIGITS "_-.")) {
		return json_wrong(err, doc->what, path, "VENDOR/CLASS", value);
	}
	if (strchr(slash, '.')) {
		cdi_need(doc, CDI_0_6_0, "a point in the class");
	}
	spec->kind = xstrdup(text);
	return 0;
}

static int read_spec_edits(const json_t *value, const char *path,
			   struct cdi_document *doc, void *target, struct err *err)
{
	struct cdi_spec *spec = target;

	return cdi_read_edits(value, path, doc, &spec->edits, err);
}

bool cdi_format_of(const char *name, enum cdi_format *ret)
{
	const char *end = strrchr(name, '.');

	if (!end || !(text_equals(end, ".json") || text_equals(end, ".yaml"))) {
		return false;
	}
	*ret = text_equals(end, ".json") ? CDI_JSON : CDI_YAML;
	return true;
}

int cdi_read(const char *text, size_t len, enum cdi_format format, const char *file,
	     struct cdi_spec *ret, struct err *err)
{
	static const struct cdi_member members[] = {
		{"cdiVersion", read_version, true},
		{"kind", read_kind, true},
		{"annotations", read_annotations, false},
		{"devices", read_devices, true},
		{"containerEdits", read_spec_edits, false},
		{NULL, NULL, false},
	};
	autofree char *what = xasprintf("CDI specification '%.400s'", file);
	cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
	cleanup(json_decrefp) json_t *object =
		format == CDI_YAML ? cdi_yaml_parse(text, len, what, err)
				   : json_parse(text, len, what, err);
	struct cdi_document doc = {.what = what, .is_yaml = format == CDI_YAML};

	if (!object || cdi_read_object(object, "", members, &doc, &spec, err) < 0) {
		return -err->code;
	}
	if (doc.needed > doc.version) {
		return err_set(err, EINVAL,
			       "read %s: its version is %s, and %s needs %s at least",
			       what, cdi_version_names[doc.version], doc.needed_by,
			       cdi_version_names[doc.needed]);
	}
	spec.file = xstrdup(file);
	*ret = spec;
	spec = (struct cdi_spec){0};
	return 0;
}
