/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cdi_document.h - what all readers of parts of a CDI specification share */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Those that brought a field, in their order. */
enum cdi_version {
	CDI_0_3_0,
	CDI_0_4_0,
	CDI_0_5_0,
	CDI_0_6_0,
	CDI_0_7_0,
	CDI_0_8_0,
	CDI_1_0_0,
	CDI_1_1_0,
	CDI_VERSION_COUNT,
};

extern const char *const cdi_version_names[CDI_VERSION_COUNT];

/* What a reader needs besides the value and where it goes. */
struct cdi_document {
	const char *what; /* for messages */
	bool is_yaml;	  /* where a plain 0 or true may be meant as text */
	enum cdi_version version;
	enum cdi_version needed; /* the newest one that a field asks for */
	const char *needed_by;
};

/* Reads @value, which is at @path of the document, into *@target. */
typedef int cdi_reader(const json_t *value, const char *path, struct cdi_document *doc,
		       void *target, struct err *err);

struct cdi_member {
	const char *key; /* NULL ends the list */
	cdi_reader *read;
	bool is_required;
};

/* Remembers that a field is there that @version brought. */
void cdi_need(struct cdi_document *doc, enum cdi_version version, const char *by);

/**
 * cdi_read_object() - Read each member of an object
 * @err:	EINVAL: no object, an unknown member, or one that is
 *		missing; or what a reader said
 *
 * null counts as absent.
 */
int cdi_read_object(const json_t *object, const char *path,
		    const struct cdi_member *members, struct cdi_document *doc,
		    void *target, struct err *err);

/* Reads each element of an array, of LIMIT_PLAN_ENTRIES at most (E2BIG). */
int cdi_read_array(const json_t *array, const char *path, cdi_reader *read,
		   struct cdi_document *doc, void *target, struct err *err);

/* Is it text, or what cdi_read_text() makes text of? */
bool cdi_is_text(const json_t *value, const struct cdi_document *doc);

/* Text that is not empty, to free(). Of YAML also a number or a truth value, as
   sigs.k8s.io/yaml makes text of them for CDI's library. */
int cdi_read_text(const json_t *value, const char *path, const struct cdi_document *doc,
		  char **ret, struct err *err);

int cdi_read_number(const json_t *value, const char *path, const struct cdi_document *doc,
		    uint32_t *ret, struct err *err);
