/* SPDX-License-Identifier: Apache-2.0 */
/* cdi_document.c - what all readers of parts of a CDI specification share */

#include "oci/cdi_document.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "oci/json.h"

const char *const cdi_version_names[CDI_VERSION_COUNT] = {
	[CDI_0_3_0] = "0.3.0", [CDI_0_4_0] = "0.4.0", [CDI_0_5_0] = "0.5.0",
	[CDI_0_6_0] = "0.6.0", [CDI_0_7_0] = "0.7.0", [CDI_0_8_0] = "0.8.0",
	[CDI_1_0_0] = "1.0.0", [CDI_1_1_0] = "1.1.0",
};
_Static_assert(CDI_VERSION_COUNT == 8, "a version has no name");

void cdi_need(struct cdi_document *doc, enum cdi_version version, const char *by)
{
	if (version > doc->needed) {
		doc->needed = version;
		doc->needed_by = by;
	}
}

static const struct cdi_member *find_member(const struct cdi_member *members,
					    const char *key)
{
	for (; members->key; members++) {
		if (text_equals(members->key, key)) {
			return members;
		}
	}
	return NULL;
}

int cdi_read_object(const json_t *object, const char *path,
		    const struct cdi_member *members, struct cdi_document *doc,
		    void *target, struct err *err)
{
	const char *key;
	const json_t *value;
	int r;

	if (!json_is_object(object)) {
		return json_wrong(err, doc->what, path, "an object", object);
	}
	/* jansson iterates over what may be changed; here nothing is. */
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		const struct cdi_member *member = find_member(members, key);
		autofree char *inner =
			xasprintf("%s%s%.100s", path, *path ? "." : "", key);

		if (!member) {
			return err_set(err, EINVAL, "read %s: %s: unknown field",
				       doc->what, inner);
		}
		r = json_is_null(value) ? 0
					: member->read(value, inner, doc, target, err);
		if (r < 0) {
			return r;
		}
	}
	for (; members->key; members++) {
		if (members->is_required && !json_member(object, members->key)) {
			return err_set(err, EINVAL, "read %s: %s%s%s is missing",
				       doc->what, path, *path ? "." : "", members->key);
		}
	}
	return 0;
}

int cdi_read_array(const json_t *array, const char *path, cdi_reader *read,
		   struct cdi_document *doc, void *target, struct err *err)
{
	const json_t *value;
	size_t i;

	if (!json_is_array(array)) {
		return json_wrong(err, doc->what, path, "an array", array);
	}
	if (json_array_size(array) > LIMIT_PLAN_ENTRIES) {
		return err_set(err, E2BIG, "read %s: %s: more than %u entries", doc->what,
			       path, LIMIT_PLAN_ENTRIES);
	}
	json_array_foreach (array, i, value) {
		autofree char *inner = xasprintf("%s[%zu]", path, i);
		int r = read(value, inner, doc, target, err);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

bool cdi_is_text(const json_t *value, const struct cdi_document *doc)
{
	return json_is_string(value) ||
	       (doc->is_yaml && (json_is_integer(value) || json_is_boolean(value)));
}

int cdi_read_text(const json_t *value, const char *path, const struct cdi_document *doc,
		  char **ret, struct err *err)
{
	if (doc->is_yaml && json_is_integer(value)) {
		*ret = xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return 0;
	}
	if (doc->is_yaml && json_is_boolean(value)) {
		*ret = xstrdup(json_is_true(value) ? "true" : "false");
		return 0;
	}
	if (json_string_length(value) == 0) {
		return json_wrong(err, doc->what, path, "text that is not empty", value);
	}
	if (json_string_length(value) > LIMIT_CDI_TEXT_BYTES) {
		return err_set(err, E2BIG, "read %s: %s: longer than %u bytes", doc->what,
			       path, LIMIT_CDI_TEXT_BYTES);
	}
	*ret = xstrdup(json_string_value(value));
	return 0;
}

int cdi_read_number(const json_t *value, const char *path, const struct cdi_document *doc,
		    uint32_t *ret, struct err *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > UINT32_MAX) {
		return json_wrong(err, doc->what, path, "a whole number of 32 bits",
				  value);
	}
	*ret = (uint32_t)number;
	return 0;
}
