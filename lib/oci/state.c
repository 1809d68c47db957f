/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - the container's state as a runtime gives it to a hook */

#include "oci/state.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "oci/json.h"
#include "oci/json_scan.h"

#define WHAT "state on standard input"

void oci_state_clear(struct oci_state *state)
{
	free(state->id);
	free(state->bundle);
	*state = (struct oci_state){0};
}

static int read_id(const json_t *object, char **ret, struct err *err)
{
	const json_t *value = json_member(object, "id");

	if (value && !json_is_string(value)) {
		return json_wrong(err, WHAT, "id", "a string", value);
	}
	*ret = xstrdup(value ? json_string_value(value) : "");
	return 0;
}

static int read_bundle(const json_t *object, char **ret, struct err *err)
{
	const json_t *value = json_member(object, "bundle");
	const char *bundle = json_string_value(value);

	if (!bundle || bundle[0] != '/') {
		return json_wrong(err, WHAT, "bundle", "an absolute path", value);
	}
	*ret = xstrdup(bundle);
	return 0;
}

static int read_pid(const json_t *object, pid_t *ret, struct err *err)
{
	const json_t *value = json_member(object, "pid");
	json_int_t pid = json_integer_value(value);

	if (value && (!json_is_integer(value) || pid < 0 || pid > INT_MAX)) {
		return json_wrong(err, WHAT, "pid", "a process id", value);
	}
	*ret = (pid_t)pid; /* 0 where there is none */
	return 0;
}

int oci_state_parse(const char *text, size_t len, struct oci_state *ret, struct err *err)
{
	cleanup(oci_state_clearp) struct oci_state state = {0};
	cleanup(json_decrefp) json_t *object = NULL;

	if (len == 0) {
		return err_set(err, EINVAL,
			       "read " WHAT
			       ": it is empty, and a runtime writes it there; "
			       "to look at a bundle, use plan --bundle DIR");
	}
	object = json_parse(text, len, WHAT, err);
	if (!object || read_id(object, &state.id, err) < 0 ||
	    read_bundle(object, &state.bundle, err) < 0 ||
	    read_pid(object, &state.pid, err) < 0) {
		return -err->code;
	}
	*ret = state;
	state = (struct oci_state){0};
	return 0;
}

bool oci_state_find_bundle(const char *text, size_t len, char *ret, size_t size)
{
	const char *value;
	size_t value_len;

	if (!json_find_string(text, len, "\"bundle\"", &value, &value_len) ||
	    value[0] != '/' || value_len >= size) {
		return false;
	}
	memcpy(ret, value, value_len);
	ret[value_len] = '\0';
	return true;
}

/* @n 0, and null: nothing is there. */
static bool is_nothing(const char *value, size_t n)
{
	return n == 0 || (n == 4 && memcmp(value, "null", 4) == 0);
}

static bool is_text(const char *value, size_t n, const char *parsed)
{
	return is_nothing(value, n) ? !*parsed : json_scan_is_string(value, n, parsed);
}

static bool is_pid(const char *value, size_t n, pid_t parsed)
{
	bool is_zero = is_nothing(value, n) || (n == 2 && memcmp(value, "-0", 2) == 0);
	uint32_t pid = 0;

	return (is_zero || text_to_u32(value, n, &pid) == 0) && pid == (uint32_t)parsed;
}

int oci_state_check(const char *text, size_t len, const struct oci_state *state,
		    struct err *err)
{
	static const char *const keys[] = {"id", "bundle", "pid"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value;
		size_t n;
		bool is_one = json_scan_member(text, len, keys[i], &value, &n);
		bool is_same = i == 0	? is_text(value, n, state->id)
			       : i == 1 ? is_text(value, n, state->bundle)
					: is_pid(value, n, state->pid);

		if (!is_one || !is_same) {
			return err_set(err, EBADMSG,
				       "read the parser's reply: its %s is not the "
				       "state's; report it, with the state",
				       keys[i]);
		}
	}
	return 0;
}
