/* SPDX-License-Identifier: Apache-2.0 */
/* test_config.c - what is taken from config.json, and what is wrong with it */

#include "oci/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY OCI_DEFAULT_ANNOTATION

/* A copy of exactly @len bytes, so that a sanitizer sees the first
   byte read beyond it. */
static char *exact(const char *text, size_t len)
{
	char *copy = malloc(len);

	memcpy(copy, text, len);
	return copy;
}

static int parse_bytes(const char *text, size_t len, struct oci_config *ret,
		       struct err *err)
{
	char *copy = exact(text, len);
	int r = oci_config_parse(copy, len, KEY, ret, err);

	free(copy);
	return r;
}

/* ---- a request that podman has split ----------------------------------------------- */

static int parse_annotations(const char *value, const char *other, struct err *err)
{
	cleanup(oci_config_clearp) struct oci_config config = {0};
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "{\"root\":{\"path\":\"r\"},\"annotations\":{\"%s\":"
			   "\"%s\",\"%s\":\"x\"}}",
			   KEY, value, other);

	return parse_bytes(text, (size_t)len, &config, err);
}

Test(config, field_that_is_an_annotation_of_its_own_is_refused)
{
	struct err err = {0};

	cr_expect_eq(parse_annotations("vendor=amd", "sharing", &err), -EINVAL);
	cr_expect_str_eq(err.msg,
			 "read annotation '" KEY
			 "': 'sharing' stands beside it, as an annotation of its "
			 "own; podman before version 5 splits at commas: write "
			 "';' between pairs");
	err = (struct err){0};
	cr_expect_eq(parse_annotations("vendor=amd", "org.example.sharing", &err), 0);
	cr_expect_eq(parse_annotations("amd:1", "count", &err), 0);
	cr_expect_eq(parse_annotations("{}", "count", &err), 0);
	cr_expect_eq(parse_annotations("vendor=amd,count=2", "count", &err), 0,
		     "it is whole");
}

/* ---- config.json ------------------------------------------------------------------- */

/* The shape of what `runc spec` writes, with all that is looked at. */
static const char full_config[] =
	"{\"ociVersion\":\"1.0.2-dev\",\"process\":{\"terminal\":true,\"user\":{\"uid\":1000,"
	"\"gid\":1001,\"additionalGids\":[44,109,4294967294]},\"args\":[\"sh\"],\"env\":["
	"\"PATH=/usr/bin:/bin\",\"TERM=xterm\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":["
	"\"CAP_KILL\"]},\"rlimits\":[{\"type\":\"RLIMIT_MEMLOCK\",\"hard\":"
	"18446744073709551615,\"soft\":18446744073709551615}],\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"runc\",\"mounts\":[{"
	"\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],\"annotations\":{"
	"\"note\":\"a \\u003cb\\u003e\",\"io.oci-gpu-hook.gpu\":\"vendor=amd;devices=0+2\"},"
	"\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],"
	"\"memory\":{\"swap\":-1}},\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"user\"},{"
	"\"type\":\"mount\"}],\"maskedPaths\":[\"/proc/kcore\"]}}";

static void expect_nothing(const struct oci_config *config)
{
	static const struct oci_config nothing;

	cr_assert_null(config->root_path);
	cr_assert_null(config->request);
	cr_assert_null(config->request_key);
	cr_assert_null(config->container.additional_gids);
	cr_assert_eq(config->request_len, nothing.request_len);
}

Test(config, all_that_is_looked_at_is_read)
{
	struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(parse_bytes(full_config, sizeof(full_config) - 1, &config, &err), 0,
		     "%s", err.msg);
	cr_assert_str_eq(config.root_path, "rootfs");
	cr_assert_str_eq(config.request, "vendor=amd;devices=0+2");
	cr_assert_eq(config.request_len, strlen("vendor=amd;devices=0+2"));
	cr_assert_str_eq(config.request_key, KEY);
	cr_assert_eq(config.container.uid, 1000);
	cr_assert_eq(config.container.gid, 1001);
	cr_assert_eq(config.container.n_additional_gids, 3);
	cr_assert_eq(config.container.additional_gids[0], 44);
	cr_assert_eq(config.container.additional_gids[1], 109);
	cr_assert_eq(config.container.additional_gids[2], 4294967294U);
	cr_assert(config.container.has_user_namespace);
	oci_config_clear(&config);
	expect_nothing(&config);
	oci_config_clear(&config);
}

Test(config, every_truncation_is_an_error_and_never_a_request)
{
	for (size_t len = 0; len < sizeof(full_config) - 1; len++) {
		struct oci_config config = {0};
		struct err err = {0};

		cr_assert_eq(parse_bytes(full_config, len, &config, &err), -EINVAL, "%zu",
			     len);
		expect_nothing(&config);
		cr_assert_eq(strncmp(err.msg, "read config.json: line 1, ", 26), 0, "%s",
			     err.msg);
	}
}

Test(config, one_wrong_byte_never_hides_a_request_from_the_quick_look)
{
	static const char bytes[] = {'"', '\\', '{', ']', '\0', 'u', '0', '\xff'};
	char *text = exact(full_config, sizeof(full_config) - 1);

	for (size_t i = 0; i < sizeof(full_config) - 1; i++) {
		for (size_t b = 0; b < sizeof(bytes); b++) {
			struct oci_config config = {0};
			struct err err = {0};

			text[i] = bytes[b];
			if (parse_bytes(text, sizeof(full_config) - 1, &config, &err) <
			    0) {
				cr_assert_neq(err.code, 0);
				expect_nothing(&config);
			} else if (config.request) {
				cr_assert(oci_config_may_request(
					text, sizeof(full_config) - 1, KEY));
			}
			oci_config_clear(&config);
		}
		text[i] = full_config[i];
	}
	free(text);
}

/* @members stand behind a valid root. */
static int parse_members(const char *members, struct oci_config *ret, struct err *err)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "{\"root\":{\"path\":\"/r\"}%s%s}",
			 *members ? "," : "", members);

	cr_assert_lt(n, (int)sizeof(text));
	return parse_bytes(text, (size_t)n, ret, err);
}

static void expect_error(const char *members, const char *message)
{
	struct oci_config config = {0};
	struct err err = {0};
	char want[1024];

	cr_assert_eq(parse_members(members, &config, &err), -EINVAL, "%s", members);
	cr_assert_eq(err.code, EINVAL);
	(void)snprintf(want, sizeof(want), "read config.json: %s", message);
	cr_assert_str_eq(err.msg, want);
	expect_nothing(&config);
}

Test(config, only_the_root_path_is_required)
{
	static const char *const rows[] = {
		"",
		"\"process\":{},\"linux\":{},\"annotations\":{}",
		"\"process\":{\"user\":{}},\"linux\":{\"namespaces\":[]}",
		"\"process\":null,\"linux\":null,\"annotations\":null",
		"\"process\":{\"user\":null},\"linux\":{\"namespaces\":null}",
		"\"process\":{\"user\":{\"uid\":null,\"gid\":null,\"additionalGids\":null}}",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oci_config config = {0};
		struct err err = {0};

		cr_assert_eq(parse_members(rows[i], &config, &err), 0, "%s: %s", rows[i],
			     err.msg);
		cr_assert_str_eq(config.root_path, "/r");
		cr_assert_null(config.request);
		cr_assert_null(config.request_key);
		cr_assert_eq(config.request_len, 0);
		cr_assert_eq(config.container.uid, 0);
		cr_assert_eq(config.container.gid, 0);
		cr_assert_eq(config.container.n_additional_gids, 0);
		cr_assert_not(config.container.has_user_namespace);
		oci_config_clear(&config);
	}
}

Test(config, root_path_must_be_a_path)
{
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
		{"{}", "root.path: expected a path, found nothing"},
		{"{\"root\":{}}", "root.path: expected a path, found nothing"},
		{"{\"root\":null}", "root.path: expected a path, found nothing"},
		{"{\"root\":{\"path\":null}}",
		 "root.path: expected a path, found nothing"},
		{"{\"root\":{\"path\":\"\"}}",
		 "root.path: expected a path, found string ''"},
		{"{\"root\":{\"path\":1}}", "root.path: expected a path, found number 1"},
		{"{\"root\":\"/r\"}", "root: expected an object, found string '/r'"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oci_config config = {0};
		struct err err = {0};
		char want[200];

		cr_assert_eq(
			parse_bytes(rows[i].text, strlen(rows[i].text), &config, &err),
			-EINVAL);
		(void)snprintf(want, sizeof(want), "read config.json: %s",
			       rows[i].message);
		cr_assert_str_eq(err.msg, want);
	}
}

Test(config, text_that_is_no_json_object_is_an_error)
{
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
		{"", "line 1, column 0: '[' or '{' expected near end of file"},
		{"[]", "top level: expected an object, found an array"},
		{"\xef\xbb\xbf{}",
		 "line 1, column 1: UTF-8 byte order mark; save the file "
		 "without it"},
		{"{\"root\":{\"path\":\"/r\"},\n\"root\":1}",
		 "line 2, column 6: duplicate object key near '\"root\"'"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oci_config config = {0};
		struct err err = {0};
		char want[200];

		cr_assert_eq(
			parse_bytes(rows[i].text, strlen(rows[i].text), &config, &err),
			-EINVAL);
		(void)snprintf(want, sizeof(want), "read config.json: %s",
			       rows[i].message);
		cr_assert_str_eq(err.msg, want);
	}
}

Test(config, process_and_user_must_be_objects)
{
	expect_error("\"process\":[]", "process: expected an object, found an array");
	expect_error("\"process\":{\"user\":\"root\"}",
		     "process.user: expected an object, found string 'root'");
}

#define ID_WANTED "expected an id from 0 to 4294967294, found "

Test(config, uid_and_gid_must_be_ids)
{
	static const struct {
		const char *value;
		const char *found;
	} rows[] = {
		{"-1", "number -1"},
		{"4294967295", "number 4294967295"},
		{"4294967296", "number 4294967296"},
		{"18446744073709551616", "number 1.8446744073709552e+19"},
		{"1.5", "number 1.5"},
		{"\"0\"", "string '0'"},
		{"false", "false"},
		{"[]", "an array"},
		{"{}", "an object"},
	};
	static const char *const keys[] = {"uid", "gid"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 2; k++) {
			char members[200];
			char message[200];

			(void)snprintf(members, sizeof(members),
				       "\"process\":{\"user\":{\"%s\":%s}}", keys[k],
				       rows[i].value);
			(void)snprintf(message, sizeof(message),
				       "process.user.%s: " ID_WANTED "%s", keys[k],
				       rows[i].found);
			expect_error(members, message);
		}
	}
}

Test(config, the_largest_ids_are_read)
{
	struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(parse_members("\"process\":{\"user\":{\"uid\":4294967294,\"gid\":"
				   "4294967293}}",
				   &config, &err),
		     0, "%s", err.msg);
	cr_assert_eq(config.container.uid, 4294967294U);
	cr_assert_eq(config.container.gid, 4294967293U);
	oci_config_clear(&config);
}

Test(config, additional_gids_must_be_ids)
{
#define GIDS(value) "\"process\":{\"user\":{\"additionalGids\":" value "}}"
	expect_error(GIDS("44"),
		     "process.user.additionalGids: expected an array, found number 44");
	expect_error(GIDS("{}"),
		     "process.user.additionalGids: expected an array, found an object");
	expect_error(GIDS("[\"video\"]"),
		     "process.user.additionalGids[0]: " ID_WANTED "string 'video'");
	expect_error(GIDS("[1,2,-3]"),
		     "process.user.additionalGids[2]: " ID_WANTED "number -3");
	expect_error(GIDS("[1,null]"),
		     "process.user.additionalGids[1]: " ID_WANTED "null");
	expect_error(GIDS("[4294967295]"),
		     "process.user.additionalGids[0]: " ID_WANTED "number 4294967295");
}

static bool has_user_namespace(const char *namespaces)
{
	struct oci_config config = {0};
	struct err err = {0};
	char members[500];
	bool has;

	(void)snprintf(members, sizeof(members), "\"linux\":{\"namespaces\":%s}",
		       namespaces);
	cr_assert_eq(parse_members(members, &config, &err), 0, "%s", err.msg);
	has = config.container.has_user_namespace;
	oci_config_clear(&config);
	return has;
}

Test(config, a_user_namespace_is_seen_new_or_joined)
{
	cr_assert_not(has_user_namespace("[]"));
	cr_assert_not(has_user_namespace("[{\"type\":\"pid\"},{\"type\":\"mount\"}]"));
	cr_assert_not(has_user_namespace("[{\"type\":\"users\"},{\"type\":\"USER\"}]"));
	cr_assert(has_user_namespace("[{\"type\":\"user\"}]"));
	cr_assert(has_user_namespace("[{\"type\":\"pid\"},{\"type\":\"user\",\"path\":"
				     "\"/proc/1/ns/user\"},{\"type\":\"mount\"}]"));
}

static bool keeps_groups(const char *annotations)
{
	struct oci_config config = {0};
	struct err err = {0};
	char members[200];
	bool keeps;

	(void)snprintf(members, sizeof(members), "\"annotations\":%s", annotations);
	cr_assert_eq(parse_members(members, &config, &err), 0, "%s", err.msg);
	keeps = config.container.keeps_groups;
	oci_config_clear(&config);
	return keeps;
}

Test(config, crun_keeps_groups_where_its_annotation_is_present)
{
	cr_assert(keeps_groups("{\"run.oci.keep_original_groups\":\"1\"}"));
	cr_assert_not(keeps_groups("{\"run.oci.keep_original_group\":\"1\"}"));
	cr_assert_not(keeps_groups("{}"));
}

Test(config, namespaces_must_have_types)
{
#define NAMESPACES(value) "\"linux\":{\"namespaces\":" value "}"
	expect_error("\"linux\":[]", "linux: expected an object, found an array");
	expect_error(NAMESPACES("{}"),
		     "linux.namespaces: expected an array, found an object");
	expect_error(NAMESPACES("[{\"type\":\"user\"},{}]"),
		     "linux.namespaces[1].type: expected a string, found nothing");
	expect_error(NAMESPACES("[\"user\"]"),
		     "linux.namespaces[0].type: expected a string, found nothing");
	expect_error(NAMESPACES("[{\"type\":1}]"),
		     "linux.namespaces[0].type: expected a string, found number 1");
	expect_error(NAMESPACES("[{\"type\":null}]"),
		     "linux.namespaces[0].type: expected a string, found null");
}

/* ---- the request ------------------------------------------------------------------- */

#define CRIO_NAME	"\"io.kubernetes.container.name\":"
#define CONTAINERD_NAME "\"io.kubernetes.cri.container-name\":"
#define CRIO_TYPE	"\"io.kubernetes.cri-o.ContainerType\":"
#define CONTAINERD_TYPE "\"io.kubernetes.cri.container-type\":"
#define CGROUP(path)	"\"linux\":{\"cgroupsPath\":\"" path "\"},"
#define IN_POD		CGROUP("kubepods-besteffort.slice:crio:1")

/* @others: members beside the annotations, each with its comma. @want NULL: no request.
   @want_key NULL: the key itself. */
static void expect_request_with(const char *others, const char *annotations,
				const char *want, const char *want_key)
{
	struct oci_config config = {0};
	struct err err = {0};
	char members[1000];

	(void)snprintf(members, sizeof(members), "%s\"annotations\":{%s}", others,
		       annotations);
	cr_assert_eq(parse_members(members, &config, &err), 0, "%s: %s", annotations,
		     err.msg);
	if (want) {
		cr_assert_not_null(config.request, "%s", annotations);
		cr_assert_str_eq(config.request, want);
		cr_assert_eq(config.request_len, strlen(want));
		cr_assert_str_eq(config.request_key, want_key ? want_key : KEY);
	} else {
		cr_assert_null(config.request, "%s", annotations);
		cr_assert_null(config.request_key);
		cr_assert_eq(config.request_len, 0);
	}
	oci_config_clear(&config);
}

static void expect_request(const char *annotations, const char *want,
			   const char *want_key)
{
	expect_request_with(IN_POD, annotations, want, want_key);
}

Test(config_request, is_the_value_of_the_key)
{
	expect_request("\"" KEY "\":\"amd:1\"", "amd:1", NULL);
	expect_request("\"" KEY "\":\"\"", "", NULL);
	expect_request("\"" KEY "\":\"{\\\"count\\\":2}\"", "{\"count\":2}", NULL);
	expect_request("\"" KEY "\":\"\\n\\u0001\xc3\xa9\"", "\n\x01\xc3\xa9", NULL);
	expect_request("\"other\":\"1\"", NULL, NULL);
	expect_request("\"" KEY "x\":\"1\",\"x" KEY "\":\"1\"", NULL, NULL);
}

Test(config_request, is_found_under_the_key_that_was_given)
{
	static const char text[] = "{\"root\":{\"path\":\"r\"},\"annotations\":{\"" KEY
				   "\":\"1\",\"example.com/gpu\":\"2\"}}";
	struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(oci_config_parse(text, sizeof(text) - 1, "example.com/gpu", &config,
				      &err),
		     0, "%s", err.msg);
	cr_assert_str_eq(config.request, "2");
	cr_assert_str_eq(config.request_key, "example.com/gpu");
	oci_config_clear(&config);
}

Test(config_request, for_one_container_overrides_that_of_the_pod)
{
	expect_request("\"" KEY "\":\"1\",\"" KEY "/container.a\":\"2\"," CRIO_NAME
		       "\"a\"",
		       "2", KEY "/container.a");
	expect_request("\"" KEY "\":\"1\",\"" KEY "/container.a\":\"2\"," CONTAINERD_NAME
		       "\"a\"",
		       "2", KEY "/container.a");
	expect_request("\"" KEY "/container.a\":\"2\"," CRIO_NAME "\"a\"", "2",
		       KEY "/container.a");
	/* The override may take the GPU away. */
	expect_request("\"" KEY "\":\"1\",\"" KEY "/container.a\":\"0\"," CRIO_NAME
		       "\"a\"",
		       "0", KEY "/container.a");
}

/* An image's annotations are among podman's, whatever their names are. */
Test(config_request, for_one_container_counts_nowhere_but_in_a_pod)
{
	static const char *const not_pods[] = {
		"",
		"\"linux\":{},",
		CGROUP(""),
		CGROUP("/libpod_parent/libpod-5f2e"),
		CGROUP("user.slice:libpod:5f2e"),
		CGROUP("machine-libpod_pod_7a1.slice:libpod:5f2e"),
	};

	for (size_t i = 0; i < sizeof(not_pods) / sizeof(not_pods[0]); i++) {
		expect_request_with(not_pods[i],
				    "\"" KEY "\":\"0\",\"" KEY
				    "/container.a\":\"all\"," CRIO_NAME
				    "\"a\"," CONTAINERD_NAME "\"a\"",
				    "0", NULL);
		expect_request_with(not_pods[i],
				    "\"" KEY "/container.a\":\"all\"," CRIO_NAME "\"a\"",
				    NULL, NULL);
	}
	expect_request_with(CGROUP("/kubepods/burstable/pod7a1/5f2e"),
			    "\"" KEY "\":\"0\",\"" KEY
			    "/container.a\":\"1\"," CONTAINERD_NAME "\"a\"",
			    "1", KEY "/container.a");
	expect_error("\"linux\":{\"cgroupsPath\":1}",
		     "linux.cgroupsPath: expected a string, found number 1");
}

Test(config_request, for_another_container_is_not_this_ones)
{
	expect_request("\"" KEY "\":\"1\",\"" KEY "/container.a\":\"2\"," CRIO_NAME
		       "\"b\"",
		       "1", NULL);
	expect_request("\"" KEY "/container.a\":\"2\"," CRIO_NAME "\"b\"", NULL, NULL);
	expect_request("\"" KEY "/container.a\":\"2\"," CRIO_NAME "\"A\"", NULL, NULL);
	expect_request("\"" KEY "\":\"1\",\"" KEY "/container.a\":\"2\"", "1", NULL);
	expect_request("\"" KEY "/container.\":\"2\"", NULL, NULL);
}

Test(config_request, takes_the_name_from_crio_before_that_from_containerd)
{
	expect_request("\"" KEY "/container.a\":\"1\",\"" KEY
		       "/container.b\":\"2\"," CRIO_NAME "\"a\"," CONTAINERD_NAME "\"b\"",
		       "1", KEY "/container.a");
}

Test(config_request, of_a_sandbox_is_none)
{
	expect_request("\"" KEY "\":\"1\"," CRIO_TYPE "\"sandbox\"", NULL, NULL);
	expect_request("\"" KEY "\":\"1\"," CONTAINERD_TYPE "\"sandbox\"", NULL, NULL);
	expect_request("\"" KEY "/container.POD\":\"1\"," CRIO_NAME "\"POD\"," CRIO_TYPE
		       "\"sandbox\"",
		       NULL, NULL);
	expect_request("\"" KEY "\":\"1\"," CRIO_TYPE "\"container\"," CONTAINERD_TYPE
		       "\"sandbox\"",
		       NULL, NULL);
}

Test(config_request, of_a_container_that_is_no_sandbox_stands)
{
	expect_request("\"" KEY "\":\"1\"," CRIO_TYPE "\"container\"", "1", NULL);
	expect_request("\"" KEY "\":\"1\"," CONTAINERD_TYPE "\"container\"", "1", NULL);
	expect_request("\"" KEY "\":\"1\"," CRIO_TYPE "\"Sandbox\"", "1", NULL);
}

Test(config_request, with_a_sandbox_still_reads_the_rest)
{
	struct oci_config config = {0};
	struct err err = {0};

	cr_assert_eq(parse_members("\"process\":{\"user\":{\"uid\":5}},\"annotations\":{"
				   "\"" KEY "\":\"1\"," CRIO_TYPE "\"sandbox\"}",
				   &config, &err),
		     0, "%s", err.msg);
	cr_assert_str_eq(config.root_path, "/r");
	cr_assert_eq(config.container.uid, 5);
	oci_config_clear(&config);
}

Test(config_request, ignores_values_of_annotations_that_are_not_looked_at)
{
	expect_request("\"a\":1,\"b\":null,\"c\":{\"" KEY "\":\"2\"},\"" KEY "\":\"1\"",
		       "1", NULL);
	expect_request("\"" KEY "\":\"1\",\"" KEY "/container.a\":2," CRIO_NAME "\"b\"",
		       "1", NULL);
}

Test(config_request, and_all_that_decides_on_it_must_be_strings)
{
#define WRONG(key, value, found)                                       \
	expect_error(IN_POD "\"annotations\":{\"" key "\":" value "}", \
		     "annotations['" key "']: expected a string, found " found)
	WRONG(KEY, "1", "number 1");
	WRONG(KEY, "null", "null");
	WRONG(KEY, "{\"count\":1}", "an object");
	WRONG("io.kubernetes.container.name", "1", "number 1");
	WRONG("io.kubernetes.cri.container-name", "[]", "an array");
	WRONG("io.kubernetes.cri-o.ContainerType", "true", "true");
	WRONG("io.kubernetes.cri.container-type", "null", "null");
	expect_error(
		IN_POD "\"annotations\":{\"" KEY "/container.a\":2," CRIO_NAME "\"a\"}",
		"annotations['" KEY "/container.a']: expected a string, found number 2");
	expect_error("\"annotations\":[\"" KEY "\"]",
		     "annotations: expected an object, found an array");
}

Test(config_request, under_a_very_long_name_keeps_the_reason_in_the_message)
{
	char name[3000];
	char members[8000];
	char text[9000];
	struct oci_config config = {0};
	struct err err = {0};
	int n;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	(void)snprintf(members, sizeof(members),
		       IN_POD "\"annotations\":{" CRIO_NAME "\"%s\",\"" KEY
			      "/container.%s\":5}",
		       name, name);
	n = snprintf(text, sizeof(text), "{\"root\":{\"path\":\"r\"},%s}", members);
	cr_assert_eq(parse_bytes(text, (size_t)n, &config, &err), -EINVAL);
	cr_assert_not_null(strstr(err.msg, "expected a string, found number 5"), "%s",
			   err.msg);
}

Test(config, the_root_of_another_is_seen)
{
	static const struct {
		const char *text;
		const char *root;
		bool is_it;
	} rows[] = {
		{"{\"root\":{\"path\":\"r\"}}", "r", true},
		{"{ \"x\":{}, \"root\" : {\"readonly\":true,\"path\" : \"\\/r\"} }", "/r",
		 true},
		{"{\"\\u0072oot\":{\"p\\u0061th\":\"r\"}}", "r", true},
		{"{\"root\":{\"path\":\"r\"}}", "/data", false},
		{"{\"root\":{\"path\":\"r\"}}", "", false},
		{"{\"root\":{\"path\":\"r\"},\"annotations\":{\"path\":\"/data\"}}",
		 "/data", false},
		{"{\"x\":{\"root\":{\"path\":\"/data\"}},\"root\":{\"path\":\"r\"}}",
		 "/data", false},
		{"{\"root\":{\"x\":{\"path\":\"/data\"},\"path\":\"r\"}}", "/data",
		 false},
		{"{\"root\":{\"path\":\"r\"},\"root\":{\"path\":\"r\"}}", "r", false},
		{"{\"root\":null}", "r", false},
		{"", "r", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = {0};
		int r = oci_config_check_root(rows[i].text, strlen(rows[i].text),
					      rows[i].root, &err);

		cr_expect_eq(r, rows[i].is_it ? 0 : -EBADMSG, "%s", rows[i].text);
		cr_expect_str_eq(err.msg,
				 rows[i].is_it ? ""
					       : "read the parser's reply: its root.path "
						 "is not config.json's; report it, with "
						 "config.json");
	}
}
