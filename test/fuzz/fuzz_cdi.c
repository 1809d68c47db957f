/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cdi.c - any bytes as a CDI specification, and as what its parser answers */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/cdi_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort() and not assert(): must hold in every build. */
static void require(bool is_true)
{
	if (!is_true) {
		abort();
	}
}

static void check_edits(const struct cdi_edits *edits)
{
	for (size_t i = 0; i < edits->n_nodes; i++) {
		const struct cdi_node *node = &edits->nodes[i];

		require(node->path[0] && (!node->host_path || node->host_path[0]));
		require(node->has_number == (node->major != 0));
	}
	for (size_t i = 0; i < edits->n_mounts; i++) {
		require(edits->mounts[i].host_path[0] && edits->mounts[i].ctr_path[0]);
	}
	for (size_t i = 0; i < edits->n_hooks; i++) {
		const struct cdi_hook *hook = &edits->hooks[i];

		require(hook->stage[0] && hook->path[0]);
		for (size_t j = 0; j < hook->n_env; j++) {
			require(strchr(hook->env[j], '=') && hook->env[j][0] != '=');
		}
	}
	for (size_t i = 0; i < edits->n_env; i++) {
		const char *equals = strchr(edits->env[i], '=');

		require(equals && equals != edits->env[i]);
	}
}

static void check_spec(const struct cdi_spec *spec)
{
	require(strchr(spec->kind, '/') && spec->n_devices > 0);
	check_edits(&spec->edits);
	for (size_t i = 0; i < spec->n_devices; i++) {
		require(spec->devices[i].name[0]);
		check_edits(&spec->devices[i].edits);
	}
}

/* What was read comes through the pipe whole: asked again, the same bytes come back. */
static void check_message(const uint8_t *data, size_t size, enum cdi_format format,
			  const struct cdi_spec *spec)
{
	struct cdi_file file = {
		.path = (char *)(uintptr_t) "f", .dir = 1, .format = format};
	struct cdi_registry registry = {0};
	struct message question = {0};
	struct message answer = {0};
	struct err err = {0};

	file.text.data = (char *)(uintptr_t)data;
	file.text.len = size;
	cdi_message_ask(&file, 1, spec ? spec->kind : "a/b", &question);
	require(cdi_message_answer(question.data, question.len, &answer, &err) == 0);
	require(cdi_message_decode(answer.data, answer.len, &registry, &err) == 0);
	require(registry.n_specs == (spec != NULL) && registry.n_problems == !spec);
	if (spec) {
		require(strcmp(registry.specs[0].kind, spec->kind) == 0);
		require(registry.specs[0].n_devices == spec->n_devices);
		check_spec(&registry.specs[0]);
	}
	cdi_registry_clear(&registry);
	message_clear(&question);
	message_clear(&answer);
}

static void check_format(const uint8_t *data, size_t size, enum cdi_format format)
{
	struct cdi_spec spec = {0};
	struct err err = {0};
	int r = cdi_read((const char *)data, size, format, "f", &spec, &err);

	require(r == -err.code && (r < 0) == (err.msg[0] != '\0'));
	require((r < 0) == (spec.kind == NULL));
	if (r == 0) {
		check_spec(&spec);
	}
	check_message(data, size, format, r == 0 ? &spec : NULL);
	cdi_spec_clear(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cdi_registry registry = {0};
	struct err err = {0};

	check_format(data, size, CDI_JSON);
	check_format(data, size, CDI_YAML);
	/* A child that was taken over answers anything. */
	if (cdi_message_decode((const char *)data, size, &registry, &err) < 0) {
		require(err.code != 0 && registry.n_specs == 0);
	}
	cdi_registry_clear(&registry);
	return 0;
}
