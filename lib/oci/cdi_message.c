/* SPDX-License-Identifier: Apache-2.0 */
/* cdi_message.c - CDI specifications on their way to the parsing child and back */

#include "oci/cdi_message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "oci/wire.h"

#define QUESTION_VERSION 0x6f676311U
#define ANSWER_VERSION	 0x6f676322U

/* Both directories' files. */
#define LIMIT_FILES (2U * LIMIT_CDI_FILES)

void cdi_file_clear(struct cdi_file *file)
{
	free(file->path);
	bytes_clear(&file->text);
	*file = (struct cdi_file){0};
}

/* ---- the question ------------------------------------------------------------------ */

static void put_file_text(struct message *message, const struct bytes *text)
{
	put_u32(message, (uint32_t)text->len);
	put_bytes(message, text->data, text->len);
}

void cdi_message_ask(const struct cdi_file *files, size_t n, const char *kind,
		     struct message *ret)
{
	struct message message = {0};

	put_u32(&message, QUESTION_VERSION);
	put_string(&message, kind);
	put_u32(&message, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		put_string(&message, files[i].path);
		put_u32(&message, files[i].dir);
		put_u32(&message, files[i].format);
		put_file_text(&message, &files[i].text);
	}
	*ret = message;
}

/* Return: the bytes, which stay where they are; NULL: the message is bad. */
static const char *get_file_text(struct reader *reader, size_t *ret_len)
{
	const char *bytes = NULL;
	uint32_t len = get_u32(reader);

	if (reader->is_bad || len > reader->left) {
		reader->is_bad = true;
		return NULL;
	}
	bytes = reader->at;
	reader->at += len;
	reader->left -= len;
	*ret_len = len;
	return bytes;
}

/* ---- the answer -------------------------------------------------------------------- */

static void put_edits(struct message *message, const struct cdi_edits *edits)
{
	put_u32(message, (uint32_t)edits->n_nodes);
	for (size_t i = 0; i < edits->n_nodes; i++) {
		const struct cdi_node *node = &edits->nodes[i];

		put_string(message, node->path);
		put_string(message, node->host_path);
		put_u32(message, (unsigned char)node->type);
		put_u32(message, node->has_number);
		put_u32(message, node->major);
		put_u32(message, node->minor);
		put_u32(message, node->is_restricted);
	}
	put_u32(message, (uint32_t)edits->n_mounts);
	for (size_t i = 0; i < edits->n_mounts; i++) {
		const struct cdi_mount *mount = &edits->mounts[i];

		put_string(message, mount->host_path);
		put_string(message, mount->ctr_path);
		put_string(message, mount->type);
	}
	put_u32(message, (uint32_t)edits->n_hooks);
	for (size_t i = 0; i < edits->n_hooks; i++) {
		const struct cdi_hook *hook = &edits->hooks[i];

		put_string(message, hook->stage);
		put_string(message, hook->path);
		put_texts(message, hook->args, hook->n_args);
		put_texts(message, hook->env, hook->n_env);
		put_u32(message, hook->timeout);
	}
	put_texts(message, edits->env, edits->n_env);
	put_u32(message, (uint32_t)edits->n_gids);
	for (size_t i = 0; i < edits->n_gids; i++) {
		put_u32(message, edits->gids[i]);
	}
	put_u32(message, edits->has_net_devices);
	put_u32(message, edits->has_rdt);
}

static void put_spec(struct message *message, const struct cdi_spec *spec)
{
	put_string(message, spec->file);
	put_u32(message, spec->dir);
	put_string(message, spec->kind);
	put_edits(message, &spec->edits);
	put_u32(message, (uint32_t)spec->n_devices);
	for (size_t i = 0; i < spec->n_devices; i++) {
		put_string(message, spec->devices[i].name);
		put_edits(message, &spec->devices[i].edits);
	}
}

/* What is wrong with one file does not concern the others. */
static void answer_file(struct reader *question, const char *kind,
			struct cdi_registry *registry)
{
	cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
	autofree char *path = get_string(question);
	unsigned int dir = get_u32(question);
	enum cdi_format format =
		(enum cdi_format)get_bounded(question, CDI_FORMAT_COUNT - 1);
	size_t len = 0;
	const char *text = get_file_text(question, &len);
	struct err err = {0};

	if (question->is_bad) {
		return;
	}
	if (cdi_read(text, len, format, path, &spec, &err) < 0) {
		cdi_registry_add_problem(registry, err.msg);
	} else if (text_equals(spec.kind, kind)) {
		spec.dir = dir;
		cdi_registry_take(registry, &spec);
	}
}

int cdi_message_answer(const char *question, size_t len, struct message *ret,
		       struct err *err)
{
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	struct reader reader = {.at = question, .left = len};
	struct message message = {0};
	autofree char *kind = NULL;
	uint32_t n;

	reader.is_bad = get_u32(&reader) != QUESTION_VERSION;
	kind = get_string(&reader);
	n = get_bounded(&reader, LIMIT_FILES);
	for (uint32_t i = 0; i < n && !reader.is_bad; i++) {
		answer_file(&reader, kind, &registry);
	}
	if (reader.is_bad || reader.left > 0) {
		return err_set(err, EBADMSG, "parse CDI specifications: no question");
	}
	put_u32(&message, ANSWER_VERSION);
	put_texts(&message, registry.problems, registry.n_problems);
	put_u32(&message, (uint32_t)registry.n_specs);
	for (size_t i = 0; i < registry.n_specs; i++) {
		put_spec(&message, &registry.specs[i]);
	}
	*ret = message;
	return 0;
}

/* ---- the parent reads -------------------------------------------------------------- */

static void get_node(struct reader *reader, struct cdi_node *node)
{
	node->path = get_string(reader);
	node->host_path = get_optional_string(reader);
	node->type = (char)get_bounded(reader, 127);
	node->has_number = get_bool(reader);
	node->major = get_u32(reader);
	node->minor = get_u32(reader);
	node->is_restricted = get_bool(reader);
	reader->is_bad |= node->type != 0 && !strchr("bcup", node->type);
}

static void get_mount(struct reader *reader, struct cdi_mount *mount)
{
	mount->host_path = get_string(reader);
	mount->ctr_path = get_string(reader);
	mount->type = get_optional_string(reader);
}

static void get_hook(struct reader *reader, struct cdi_hook *hook)
{
	hook->stage = get_string(reader);
	hook->path = get_string(reader);
	get_texts(reader, LIMIT_PLAN_ENTRIES, &hook->args, &hook->n_args);
	get_texts(reader, LIMIT_PLAN_ENTRIES, &hook->env, &hook->n_env);
	hook->timeout = get_u32(reader);
}

/* Arrays grow with what is really there: a count alone allocates nothing. */
static void get_edits(struct reader *reader, struct cdi_edits *edits)
{
	uint32_t n = get_bounded(reader, LIMIT_PLAN_ENTRIES);

	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		edits->nodes = xgrow(edits->nodes, edits->n_nodes, sizeof(*edits->nodes));
		get_node(reader, &edits->nodes[edits->n_nodes++]);
	}
	n = get_bounded(reader, LIMIT_PLAN_ENTRIES);
	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		edits->mounts =
			xgrow(edits->mounts, edits->n_mounts, sizeof(*edits->mounts));
		get_mount(reader, &edits->mounts[edits->n_mounts++]);
	}
	n = get_bounded(reader, LIMIT_PLAN_ENTRIES);
	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		edits->hooks = xgrow(edits->hooks, edits->n_hooks, sizeof(*edits->hooks));
		get_hook(reader, &edits->hooks[edits->n_hooks++]);
	}
	get_texts(reader, LIMIT_PLAN_ENTRIES, &edits->env, &edits->n_env);
	n = get_bounded(reader, LIMIT_PLAN_ENTRIES);
	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		edits->gids = xgrow(edits->gids, edits->n_gids, sizeof(*edits->gids));
		edits->gids[edits->n_gids++] = get_u32(reader);
	}
	edits->has_net_devices = get_bool(reader);
	edits->has_rdt = get_bool(reader);
}

static void get_spec(struct reader *reader, struct cdi_spec *spec)
{
	uint32_t n;

	spec->file = get_string(reader);
	spec->dir = get_u32(reader);
	spec->kind = get_string(reader);
	get_edits(reader, &spec->edits);
	n = get_bounded(reader, LIMIT_PLAN_ENTRIES);
	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		struct cdi_device *device;

		spec->devices =
			xgrow(spec->devices, spec->n_devices, sizeof(*spec->devices));
		device = &spec->devices[spec->n_devices++];
		device->name = get_string(reader);
		get_edits(reader, &device->edits);
	}
}

int cdi_message_decode(const char *answer, size_t len, struct cdi_registry *ret,
		       struct err *err)
{
	cleanup(cdi_registry_clearp) struct cdi_registry registry = {0};
	struct reader reader = {.at = answer, .left = len};
	uint32_t n;

	reader.is_bad = get_u32(&reader) != ANSWER_VERSION;
	get_texts(&reader, LIMIT_FILES, &registry.problems, &registry.n_problems);
	n = get_bounded(&reader, LIMIT_FILES);
	for (uint32_t i = 0; i < n && !reader.is_bad; i++) {
		cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};

		get_spec(&reader, &spec);
		cdi_registry_take(&registry, &spec);
	}
	if (reader.is_bad || reader.left > 0) {
		return err_set(err, EBADMSG,
			       "read the parser's reply: no CDI specifications");
	}
	*ret = registry;
	registry = (struct cdi_registry){0};
	return 0;
}
