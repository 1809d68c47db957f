/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - what we take from a bundle's config.json */

#include "oci/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/trusted_file.h"
#include "model/gpu_spec.h"
#include "oci/config_json.h"
#include "oci/config_sieve.h"
#include "oci/json.h"
#include "oci/json_scan.h"

void oci_config_clear(struct oci_config *config)
{
	free(config->root_path);
	free(config->request);
	free(config->request_key);
	container_clear(&config->container);
	choice_clear(&config->choice);
	*config = (struct oci_config){0};
}

/* ---- the bundle -------------------------------------------------------------------- */

#define NO_PERMISSION "no permission; run as root, or as the user who runs the container"

static int open_directory(const char *path, int flags)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | flags);
}

static bool has_config(int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, "config.json", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What stands at the end of a link can be exchanged by whoever owns the link. */
static int open_no_link(const char *bundle, struct err *doubt)
{
	int fd = open_directory(bundle, O_NOFOLLOW);

	if (fd >= 0 || errno != ENOTDIR) {
		return fd;
	}
	fd = open_directory(bundle, 0);
	if (fd >= 0) {
		(void)err_set(
			doubt, EPERM,
			"trust bundle '%s': it is a symbolic link, which could lead "
			"elsewhere next; give the directory itself",
			bundle);
	}
	return fd;
}

int oci_config_open_bundle(const char *bundle, struct err *doubt, struct err *err)
{
	/* A path may be 4,096 bytes long, and the doubt must still be said. */
	autofree char *what = xasprintf("bundle '%.400s'", bundle);
	autoclose int fd = open_no_link(bundle, doubt);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		return err_set(
			err, errno,
			"open bundle '%s': %s; give the directory that holds config.json",
			bundle, errno == ENOENT ? "no such bundle" : "not a directory");
	}
	if (fd < 0 && errno == EACCES) {
		return err_set(err, EACCES, "open bundle '%s': " NO_PERMISSION, bundle);
	}
	if (fd < 0) {
		return err_sys(err, errno, "open bundle '%s'", bundle);
	}
	if (text_equals(bundle, "/") && !has_config(fd)) {
		autoclose int cwd_fd = open_directory(".", 0);

		if (cwd_fd >= 0 && has_config(cwd_fd)) {
			trusted_fd_check(cwd_fd, TRUSTED_OWNER_ANY, what, doubt);
			return steal_fd(&cwd_fd);
		}
	}
	trusted_fd_check(fd, TRUSTED_OWNER_ANY, what, doubt);
	return steal_fd(&fd);
}

void oci_config_check_owner(int bundle_fd, const char *bundle,
			    const struct container *ctr, struct err *doubt)
{
	autofree char *what = xasprintf("bundle '%.400s'", bundle);

	if (!ctr->has_user_namespace) {
		trusted_fd_check(bundle_fd, TRUSTED_OWNER_SELF, what, doubt);
	}
}

int oci_config_read(int bundle_fd, const char *bundle, struct bytes *ret,
		    struct err *doubt, struct err *err)
{
	autoclose int fd = trusted_file_open(bundle_fd, CONFIG_WHAT, TRUSTED_OWNER_SELF,
					     CONFIG_WHAT, doubt, err);

	if (fd == -ENOENT) {
		return err_set(err, ENOENT,
			       "read config.json: bundle '%.400s' has none; give the "
			       "directory that holds config.json",
			       bundle);
	}
	if (fd == -EACCES) {
		return err_set(err, EACCES, "read config.json: " NO_PERMISSION);
	}
	return fd < 0 ? fd : read_all(fd, CONFIG_WHAT, LIMIT_CONFIG_BYTES, -1, ret, err);
}

/* ---- the quick look ---------------------------------------------------------------- */

/* Characters from U+0080 up share one slot: which of them the key has matters little. */
#define SLOT_COUNT     129
#define SLOT_NOT_ASCII 128

static void mark_characters(const char *key, bool is_marked[SLOT_COUNT])
{
	for (; *key; key++) {
		unsigned char c = (unsigned char)*key;

		is_marked[c < SLOT_NOT_ASCII ? c : SLOT_NOT_ASCII] = true;
	}
}

/* Up to four digits, since a text may end in the middle of an escape; a reader that wants
   all four refuses that text anyway. */
static unsigned int read_hex(const char *text, size_t len)
{
	unsigned int value = 0;

	for (size_t i = 0; i < len && i < 4; i++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		const char *digit = memchr(digits, text[i], 32);

		if (!digit) {
			break;
		}
		value = value * 16 + (unsigned int)((digit - digits) % 16);
	}
	return value;
}

/* @text: behind the backslash. Return: the character that the escape stands for. */
static unsigned int decode_escape(const char *text, size_t len)
{
	switch (text[0]) {
	case 'u':
		return read_hex(text + 1, len - 1);
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default: /* '"', '\\' and '/' stand for themselves */
		return (unsigned char)text[0];
	}
}

bool oci_config_may_request(const char *text, size_t len, const char *key)
{
	const char *end = text + len;
	bool is_marked[SLOT_COUNT] = {false};

	/* KEY/container.NAME begins with the key, so this finds it as well. */
	if (memmem(text, len, key, strlen(key))) {
		return true;
	}
	/* JSON may write any character as an escape. Only one that could stand
	   for a character of the key counts, since Go writes \u003c, \u003e
	   and \u0026 everywhere. */
	mark_characters(key, is_marked);
	for (;;) {
		unsigned int c;

		text = memchr(text, '\\', (size_t)(end - text));
		if (!text || end - text < 2) {
			return false;
		}
		c = decode_escape(text + 1, (size_t)(end - text) - 1);
		if (is_marked[c < SLOT_NOT_ASCII ? c : SLOT_NOT_ASCII]) {
			return true;
		}
		text += 2; /* not just one: the second may be a backslash */
	}
}

/* ---- members ----------------------------------------------------------------------- */

int config_read_object(const json_t *parent, const char *key, const char *path,
		       const json_t **ret, struct err *err)
{
	const json_t *object = json_member(parent, key);

	if (object && !json_is_object(object)) {
		return json_wrong(err, CONFIG_WHAT, path, "an object", object);
	}
	*ret = object;
	return 0;
}

int config_read_array(const json_t *parent, const char *key, const char *path,
		      const json_t **ret, struct err *err)
{
	const json_t *array = json_member(parent, key);

	if (array && !json_is_array(array)) {
		return json_wrong(err, CONFIG_WHAT, path, "an array", array);
	}
	*ret = array;
	return 0;
}

static int read_root_path(const json_t *config, char **ret, struct err *err)
{
	const json_t *root = NULL;
	const json_t *path;

	if (config_read_object(config, "root", "root", &root, err) < 0) {
		return -err->code;
	}
	path = json_member(root, "path");
	if (json_string_length(path) == 0) {
		return json_wrong(err, CONFIG_WHAT, "root.path", "a path", path);
	}
	*ret = xstrdup(json_string_value(path));
	return 0;
}

/* ---- the request ------------------------------------------------------------------- */

/* Other annotations are nobody's business here, so only one that is looked at has to be a
   string. Absent is fine: *ret is NULL then. */
static int read_annotation(const json_t *annotations, const char *key, const json_t **ret,
			   struct err *err)
{
	const json_t *value = json_object_get(annotations, key);

	if (value && !json_is_string(value)) {
		autofree char *path = xasprintf("annotations['%.200s']", key);

		return json_wrong(err, CONFIG_WHAT, path, "a string", value);
	}
	*ret = value;
	return 0;
}

/* A pod's sandbox carries the annotations of the pod, but runs nothing that could use a
   GPU. CRI-O and containerd mark it each in its own way. */
static int read_is_sandbox(const json_t *annotations, bool *ret, struct err *err)
{
	static const char *const keys[] = {
		"io.kubernetes.cri-o.ContainerType",
		"io.kubernetes.cri.container-type",
	};

	*ret = false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *type = NULL;

		if (read_annotation(annotations, keys[i], &type, err) < 0) {
			return -err->code;
		}
		if (type && text_equals(json_string_value(type), "sandbox")) {
			*ret = true;
		}
	}
	return 0;
}

/*
 * Kubernetes gives each of its containers a cgroup. Podman copies annotations of the
 * image, those of Kubernetes too, so that an image could put a request of its own in
 * front of the operator's; but podman's cgroups have libpod in their names, or there is
 * none, and no image changes that.
 * Source: podman libpod/container_internal_linux.go, getOCICgroupPath().
 */
static int read_is_in_pod(const json_t *config, bool *ret, struct err *err)
{
	const json_t *linux_part = NULL;
	const json_t *path;

	if (config_read_object(config, "linux", "linux", &linux_part, err) < 0) {
		return -err->code;
	}
	path = json_member(linux_part, "cgroupsPath");
	if (path && !json_is_string(path)) {
		return json_wrong(err, CONFIG_WHAT, "linux.cgroupsPath", "a string",
				  path);
	}
	*ret = json_string_length(path) > 0 && !strstr(json_string_value(path), "libpod");
	return 0;
}

/* The container's name in its pod, from CRI-O or containerd; *ret is
   NULL outside a pod. */
static int read_container_name(const json_t *config, const json_t *annotations,
			       const char **ret, struct err *err)
{
	static const char *const keys[] = {
		"io.kubernetes.container.name",
		"io.kubernetes.cri.container-name",
	};
	bool is_in_pod = false;

	*ret = NULL;
	if (read_is_in_pod(config, &is_in_pod, err) < 0 || !is_in_pod) {
		return -err->code;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !*ret; i++) {
		const json_t *name = NULL;

		if (read_annotation(annotations, keys[i], &name, err) < 0) {
			return -err->code;
		}
		*ret = json_string_value(name);
	}
	return 0;
}

/* crun's, and podman's --group-add keep-groups. Source: crun.1,
   "run.oci.keep_original_groups": it is enough that it is present. */
static void read_keeps_groups(const json_t *annotations, struct container *ctr)
{
	ctr->keeps_groups =
		json_object_get(annotations, "run.oci.keep_original_groups") != NULL;
}

/* Of "vendor=amd,sharing=exclusive" podman before version 5 makes two annotations, since
   it reads its option as CSV: the request would be another one than was meant. */
static int check_whole(const json_t *annotations, const char *key, const char *value,
		       struct err *err)
{
	const char *name;

	if (value[0] == '{' || !strchr(value, '=') || strchr(value, ',')) {
		return 0;
	}
	for (size_t i = 0; (name = gpu_spec_field(i)) != NULL; i++) {
		if (json_object_get(annotations, name)) {
			return err_set(
				err, EINVAL,
				"read annotation '%.200s': '%s' stands beside it, as "
				"an annotation of its own; podman before version 5 "
				"splits at commas: write ';' between pairs",
				key, name);
		}
	}
	return 0;
}

static int take_request(const json_t *annotations, const json_t *value, const char *key,
			struct oci_config *config, struct err *err)
{
	if (check_whole(annotations, key, json_string_value(value), err) < 0) {
		return -err->code;
	}
	config->request = xstrdup(json_string_value(value));
	config->request_len = json_string_length(value);
	config->request_key = xstrdup(key);
	return 0;
}

static int read_request(const json_t *object, const char *key, struct oci_config *config,
			struct err *err)
{
	const json_t *annotations = NULL;
	const json_t *value = NULL;
	const char *name = NULL;
	bool is_sandbox = false;

	if (config_read_object(object, "annotations", "annotations", &annotations, err) <
		    0 ||
	    read_is_sandbox(annotations, &is_sandbox, err) < 0 ||
	    read_container_name(object, annotations, &name, err) < 0) {
		return -err->code;
	}
	if (is_sandbox) {
		return 0;
	}
	read_keeps_groups(annotations, &config->container);
	if (name) {
		autofree char *own_key = xasprintf("%s/container.%s", key, name);

		if (read_annotation(annotations, own_key, &value, err) < 0) {
			return -err->code;
		}
		if (value) {
			return take_request(annotations, value, own_key, config, err);
		}
	}
	if (read_annotation(annotations, key, &value, err) < 0) {
		return -err->code;
	}
	return value ? take_request(annotations, value, key, config, err) : 0;
}

int config_read(const json_t *object, const char *key, struct oci_config *ret,
		struct err *err)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};

	if (read_root_path(object, &config.root_path, err) < 0 ||
	    config_read_process(object, &config.container, err) < 0 ||
	    config_read_device_rules(object, &config.container, err) < 0 ||
	    read_request(object, key, &config, err) < 0) {
		return -err->code;
	}
	*ret = config;
	config = (struct oci_config){0};
	return 0;
}

/* A choice means something beside a request alone. */
static int read_choice(const json_t *object, struct oci_config *config, struct err *err)
{
	const json_t *annotations = NULL;
	const json_t *value = NULL;

	if (!config->request) {
		return 0;
	}
	if (config_read_object(object, "annotations", "annotations", &annotations, err) <
		    0 ||
	    read_annotation(annotations, CHOICE_ANNOTATION, &value, err) < 0) {
		return -err->code;
	}
	if (value && choice_parse(json_string_value(value), json_string_length(value),
				  &config->choice, err) < 0) {
		return err_wrap(err, "read annotation '" CHOICE_ANNOTATION "'");
	}
	return 0;
}

/* Whatever the sieve or jansson does not like in the short text is
   said of the whole one. */
static json_t *parse_what_is_read(const char *text, size_t len, struct err *err)
{
	autofree char *short_text = xrealloc(NULL, len);
	size_t short_len = config_sieve(text, len, short_text);
	struct err ignored = {0};
	json_t *object = NULL;

	if (short_len > 0) {
		object = json_parse_wide(short_text, short_len, CONFIG_WHAT, &ignored);
	}
	return object ? object : json_parse_wide(text, len, CONFIG_WHAT, err);
}

int oci_config_parse(const char *text, size_t len, const char *key,
		     struct oci_config *ret, struct err *err)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	cleanup(json_decrefp) json_t *object = parse_what_is_read(text, len, err);

	if (!object || config_read(object, key, &config, err) < 0 ||
	    read_choice(object, &config, err) < 0) {
		return -err->code;
	}
	*ret = config;
	config = (struct oci_config){0};
	return 0;
}

int oci_config_check_root(const char *text, size_t len, const char *root_path,
			  struct err *err)
{
	const char *root;
	const char *path = NULL;
	size_t root_len;
	size_t n = 0;

	if (json_scan_member(text, len, "root", &root, &root_len) &&
	    json_scan_member(root, root_len, "path", &path, &n) &&
	    json_scan_is_string(path, n, root_path)) {
		return 0;
	}
	return err_set(err, EBADMSG,
		       "read the parser's reply: its root.path is not config.json's; "
		       "report it, with config.json");
}
