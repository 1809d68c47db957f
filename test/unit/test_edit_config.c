/* SPDX-License-Identifier: Apache-2.0 */
/* test_edit_config.c - a plan in the words of a config.json */

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/edit_config.h"
#include "base/mem.h"

#define HEAD "'root':{'path':'r'},'annotations':{'" OCI_DEFAULT_ANNOTATION "':'1'}"
#define DENY "'resources':{'devices':[{'allow':false,'access':'rwm'}]}"

static char pci[] = "0000:c1:00.0";

struct situation {
	struct oci_config config;
	struct config_edit edit;
	struct bytes text;
	struct edit_config_target target;
	struct plan plan;
	const char *args[3];
	struct gpu gpu;
	const struct gpu *gpus[1];
};

static void quote(char *text)
{
	for (; *text; text++) {
		*text = *text == '\'' ? '"' : *text;
	}
}

static void set_up(struct situation *now, const char *members)
{
	struct err err = {0};

	now->text.data = xasprintf("{" HEAD "%s%s}", *members ? "," : "", members);
	quote(now->text.data);
	now->text.len = strlen(now->text.data);
	cr_assert_eq(config_edit_parse(now->text.data, now->text.len,
				       OCI_DEFAULT_ANNOTATION, "/bin/h", &now->config,
				       &now->edit, &err),
		     0, "%s", err.msg);
	now->args[0] = "h";
	now->args[1] = "createRuntime";
	now->gpu = (struct gpu){.pci = pci, .partition = NO_PARTITION};
	now->gpus[0] = &now->gpu;
	now->target = (struct edit_config_target){
		.text = &now->text,
		.ctr = &now->config.container,
		.edit = &now->edit,
		.gpus = now->gpus,
		.n_gpus = 1,
		.host_root = "/",
		.are_volumes_sure = true,
		.hook_path = "/bin/h",
		.hook_args = now->args,
		.hook_timeout = 15,
	};
}

static void tear_down(struct situation *now)
{
	plan_clear(&now->plan);
	oci_config_clear(&now->config);
	config_edit_clear(&now->edit);
	bytes_clear(&now->text);
}

static void add_node(struct situation *now)
{
	char path[] = "/dev/dri/renderD128";
	const struct device_node node = {
		.path = path, .major = 226, .minor = 128, .gid = 105, .mode = 0660};
	struct err err = {0};

	cr_assert_eq(plan_add_node(&now->plan, &node, &err), 0);
}

#define OUR_HOOK  "{'path':'/bin/h','args':['h','createRuntime'],'timeout':15}"
#define OUR_HOOKS "{'createRuntime':[" OUR_HOOK "]}"

/* Edits, and compares as data. @wanted: members, the choice among them; our hook need
   not be written there. */
static void expect(struct situation *now, const char *wanted)
{
	bool has_hooks = strstr(wanted, "'hooks'") != NULL;
	autofree char *want = xasprintf("{'root':{'path':'r'},%s%s}", wanted,
					has_hooks ? "" : ",'hooks':" OUR_HOOKS);
	struct bytes ret = {0};
	struct err err = {0};
	json_t *left;
	json_t *right;

	quote(want);
	cr_assert_eq(edit_config(&now->plan, &now->target, &ret, &err), 0, "%s", err.msg);
	left = json_loadb(ret.data, ret.len, JSON_REJECT_DUPLICATES, NULL);
	right = json_loads(want, 0, NULL);
	cr_assert_not_null(left, "%s", ret.data);
	cr_assert_not_null(right, "%s", want);
	cr_expect(json_equal(left, right), "got  %s\nwant %s", ret.data, want);
	json_decref(left);
	json_decref(right);
	bytes_clear(&ret);
	tear_down(now);
}

static void expect_error(struct situation *now, int code, const char *message)
{
	struct bytes ret = {0};
	struct err err = {0};

	cr_expect_eq(edit_config(&now->plan, &now->target, &ret, &err), -code);
	cr_expect_str_eq(err.msg, message, "%s", err.msg);
	cr_expect_null(ret.data);
	tear_down(now);
}

#define CHOSEN                                                                     \
	"'annotations':{'" OCI_DEFAULT_ANNOTATION "':'1','" CHOICE_ANNOTATION "':" \
	"'v1 0000:c1:00.0'}"
#define RULE "{'allow':true,'type':'c','major':226,'minor':128,'access':'rw'}"
#define DEVICE                                                       \
	"{'path':'/dev/dri/"                                         \
	"renderD128','type':'c','major':226,'minor':128,'fileMode':" \
	"432,'uid':0,'gid':105}"

Test(edit_config, a_node_is_a_device_and_a_rule)
{
	struct situation now = {0};

	set_up(&now, "'linux':{" DENY "}");
	add_node(&now);
	expect(&now, CHOSEN ",'linux':{'devices':[" DEVICE "],'resources':{'devices':["
			    "{'allow':false,'access':'rwm'}," RULE "]}}");
}

static void make_private(struct situation *now)
{
	add_node(now);
	now->plan.nodes[0].is_private = true;
	now->plan.nodes[0].private_uid = 1000;
	now->plan.nodes[0].private_gid = 1001;
	now->plan.nodes[0].private_mode = 0600;
}

Test(edit_config, a_node_of_the_containers_own_has_its_owner_and_mode)
{
	struct situation now = {0};

	set_up(&now, "'linux':{" DENY "}");
	make_private(&now);
	expect(&now, CHOSEN ",'linux':{'devices':[{'path':'/dev/dri/renderD128','type':"
			    "'c','major':226,'minor':128,'fileMode':384,'uid':1000,"
			    "'gid':1001}],'resources':{'devices':["
			    "{'allow':false,'access':'rwm'}," RULE "]}}");
}

Test(edit_config, in_a_user_namespace_our_hook_makes_it)
{
	struct situation now = {0};

	set_up(&now, "'linux':{'namespaces':[{'type':'user'}]," DENY "}");
	make_private(&now);
	expect(&now, CHOSEN ",'linux':{'namespaces':[{'type':'user'}],'resources':{"
			    "'devices':[{'allow':false,'access':'rwm'}," RULE
			    "]}},'hooks':{'createRuntime':[" OUR_HOOK "]}");
}

Test(edit_config, without_any_rule_the_hook_looks_at_the_filter)
{
	struct situation now = {0};

	set_up(&now, "'linux':{}");
	add_node(&now);
	expect(&now, CHOSEN ",'linux':{'devices':[" DEVICE
			    "]},'hooks':{'createRuntime':[" OUR_HOOK "]}");
}

Test(edit_config, what_is_allowed_already_needs_no_rule)
{
	struct situation now = {0};

	set_up(&now, "'linux':{'resources':{'devices':[{'allow':true,'access':'rwm'}]}}");
	add_node(&now);
	expect(&now, CHOSEN ",'linux':{'devices':[" DEVICE "],'resources':{'devices':["
			    "{'allow':true,'access':'rwm'}]}}");
}

Test(edit_config, rootless_a_node_is_a_mount_and_no_rule)
{
	struct situation now = {0};

	set_up(&now, "'linux':{" DENY "}");
	now.target.is_rootless = true;
	now.target.host_root = "/h";
	add_node(&now);
	expect(&now, CHOSEN ",'linux':{" DENY "},'mounts':[{'destination':"
			    "'/dev/dri/renderD128','type':'bind','source':"
			    "'/h/dev/dri/renderD128','options':['bind','ro','nosuid',"
			    "'noexec']}]");
}

Test(edit_config, in_a_user_namespace_a_node_is_a_mount_and_a_rule)
{
	struct situation now = {0};

	set_up(&now, "'linux':{'namespaces':[{'type':'user'}]," DENY "}");
	add_node(&now);
	expect(&now,
	       CHOSEN ",'linux':{'namespaces':[{'type':'user'}],'resources':{'devices':"
		      "[{'allow':false,'access':'rwm'}," RULE "]}},'mounts':[{"
		      "'destination':'/dev/dri/renderD128','type':'bind','source':"
		      "'/dev/dri/renderD128','options':['bind','ro','nosuid',"
		      "'noexec']}]");
}

Test(edit_config, the_engines_own_node_stays_alone)
{
	static const char *const devices[] = {
		"{'path':'/dev/dri/renderD128','type':'c','major':226,'minor':128}",
		"{'path':'/dev//dri/./renderD128','type':'u','major':226,'minor':128}",
	};

	for (size_t i = 0; i < 2; i++) {
		autofree char *members = xasprintf(
			"'linux':{'devices':[%s],'resources':{'devices':[" RULE "]}}",
			devices[i]);
		autofree char *wanted = xasprintf(CHOSEN ",%s", members);
		struct situation now = {0};

		set_up(&now, members);
		add_node(&now);
		expect(&now, wanted);
	}
}

Test(edit_config, another_number_at_the_place_names_both)
{
	struct situation now = {0};

	set_up(&now, "'linux':{'devices':[{'path':'/dev/dri/renderD128','type':'c',"
		     "'major':10,'minor':1}]}");
	add_node(&now);
	expect_error(&now, EEXIST,
		     "place '/dev/dri/renderD128' of the container: config.json has 'c' "
		     "10:1 there, and c 226:128 belongs there; do not ask the engine for "
		     "that device");
	now = (struct situation){0};
	set_up(&now, "'linux':{'devices':[{'path':'/dev/dri/renderD128','type':'b',"
		     "'major':226,'minor':128}]}");
	add_node(&now);
	expect_error(
		&now, EEXIST,
		"place '/dev/dri/renderD128' of the container: config.json has 'b' "
		"226:128 there, and c 226:128 belongs there; do not ask the engine for "
		"that device");
}

Test(edit_config, the_engines_own_mount_of_the_node_stays_alone)
{
	const char members[] = "'linux':{'resources':{'devices':[" RULE "]}},'mounts':[{"
			       "'destination':'/dev/dri/renderD128/','source':"
			       "'/dev/dri/renderD128','type':'bind'}]";
	autofree char *wanted = xasprintf(CHOSEN ",%s", members);
	struct situation now = {0};

	set_up(&now, members);
	add_node(&now);
	expect(&now, wanted);
}

Test(edit_config, another_mount_at_the_place_names_both)
{
	struct situation now = {0};

	set_up(&now,
	       "'mounts':[{'destination':'/dev/dri/renderD128','source':'/x','type':"
	       "'bind'}]");
	add_node(&now);
	expect_error(
		&now, EEXIST,
		"place '/dev/dri/renderD128' of the container: config.json mounts "
		"'/x' there, and '/dev/dri/renderD128' belongs there; do not ask the "
		"engine for that mount");
	now = (struct situation){0};
	set_up(&now, "'mounts':[{'destination':'/dev/dri/renderD128','source':"
		     "'/dev/dri/renderD128','type':'tmpfs'}]");
	add_node(&now);
	expect_error(
		&now, EEXIST,
		"place '/dev/dri/renderD128' of the container: config.json mounts "
		"'/dev/dri/renderD128' there, and '/dev/dri/renderD128' belongs there; "
		"do not ask the engine for that mount");
}

/* The runtime would make the node in the volume, where it stays. */
Test(edit_config, a_node_in_a_volume_is_left_to_the_hook)
{
	static const char *const above[] = {"/dev/dri", "/dev/", "/dev/./dri//"};

	for (size_t i = 0; i < 3; i++) {
		autofree char *mount = xasprintf(
			"'mounts':[{'destination':'%s','source':'/v','type':'bind'}]",
			above[i]);
		autofree char *members = xasprintf("'linux':{" DENY "},%s", mount);
		autofree char *wanted = xasprintf(
			CHOSEN ",%s,'linux':{'resources':{'devices':[{'allow':false,"
			       "'access':'rwm'}," RULE
			       "]}},'hooks':{'createRuntime':[" OUR_HOOK "]}",
			mount);
		struct situation now = {0};

		set_up(&now, members);
		add_node(&now);
		expect(&now, wanted);
	}
}

/* A link of the image's may lead one above the place. */
Test(edit_config, a_node_is_left_to_the_hook_if_it_is_not_sure_where_volumes_are)
{
	struct situation now = {0};

	set_up(&now, "'linux':{" DENY "}");
	now.target.are_volumes_sure = false;
	add_node(&now);
	expect(&now, CHOSEN ",'linux':{'resources':{'devices':[{'allow':false,"
			    "'access':'rwm'}," RULE
			    "]}},'hooks':{'createRuntime':[" OUR_HOOK "]}");
}

Test(edit_config, a_tmpfs_above_or_a_volume_beside_is_none)
{
	const char mounts[] = "'mounts':[{'destination':'/dev','source':'tmpfs','type':"
			      "'tmpfs'},{'destination':'/dev/dr','source':'/v','type':"
			      "'bind'},{'destination':'/dev/dri/renderD1','source':'/v',"
			      "'type':'bind'}]";
	autofree char *members = xasprintf("'linux':{" DENY "},%s", mounts);
	autofree char *wanted = xasprintf(
		CHOSEN ",%s,'linux':{'devices':[" DEVICE
		       "],'resources':{'devices':[{'allow':false,'access':'rwm'}," RULE
		       "]}}",
		mounts);
	struct situation now = {0};

	set_up(&now, members);
	add_node(&now);
	expect(&now, wanted);
}

Test(edit_config, mounts_have_the_options_of_their_kind)
{
	struct situation now = {0};
	struct err err = {0};

	set_up(&now, "'mounts':[{'destination':'/c/there','source':'/h/there','type':"
		     "'bind'}]");
	cr_assert_eq(plan_add_mount(&now.plan, "/h/file", "/c/file", MOUNT_FILE, &err),
		     0);
	cr_assert_eq(plan_add_mount(&now.plan, "/h/sock", "/c/sock", MOUNT_SOCKET, &err),
		     0);
	cr_assert_eq(plan_add_mount(&now.plan, "/h/there", "/c/there", MOUNT_FILE, &err),
		     0);
	expect(&now, CHOSEN ",'mounts':[{'destination':'/c/there','source':'/h/there',"
			    "'type':'bind'},{'destination':'/c/file','source':'/h/file',"
			    "'type':'bind','options':['bind','ro','nosuid','nodev']},"
			    "{'destination':'/c/sock','source':'/h/sock','type':'bind',"
			    "'options':['bind','ro','nosuid','nodev','noexec']}]");
}

Test(edit_config, links_files_and_our_own_directory_are_left_to_the_hook)
{
	for (int i = 0; i < 3; i++) {
		struct situation now = {0};
		struct err err = {0};
		int r = 0;

		set_up(&now, "");
		if (i == 0) {
			r = plan_add_link(&now.plan, "/dev/a", "b", &err);
		} else if (i == 1) {
			r = plan_add_file(&now.plan, "/a", "text", "a text", &err);
		} else {
			now.plan.own_dir = xstrdup("/own");
			r = plan_add_mount(&now.plan, "/h/a", "/own/a", MOUNT_FILE, &err);
		}
		cr_assert_eq(r, 0, "%s", err.msg);
		expect(&now, CHOSEN ",'hooks':{'createRuntime':[" OUR_HOOK "]}");
	}
}

Test(edit_config, our_hook_is_registered_once)
{
	const char hooks[] = "'hooks':{'createRuntime':[{'path':'/bin/h','args':['x']}]}";
	autofree char *wanted = xasprintf(CHOSEN ",%s", hooks);
	struct situation now = {0};
	struct err err = {0};

	set_up(&now, hooks);
	cr_assert_eq(plan_add_link(&now.plan, "/dev/a", "b", &err), 0);
	expect(&now, wanted);
}

Test(edit_config, our_hook_gets_its_variable)
{
	struct situation now = {0};
	struct err err = {0};

	set_up(&now, "");
	now.target.hook_env = "X=/a b";
	cr_assert_eq(plan_add_link(&now.plan, "/dev/a", "b", &err), 0);
	expect(&now, CHOSEN ",'hooks':{'createRuntime':[{'path':'/bin/h','args':['h',"
			    "'createRuntime'],'timeout':15,'env':['X=/a b']}]}");
}

Test(edit_config, variables_and_groups_are_the_processs)
{
	struct situation now = {0};
	struct err err = {0};

	set_up(&now, "'process':{'env':['A=1'],'user':{'uid':5,'gid':6,"
		     "'additionalGids':[7]}}");
	cr_assert_eq(plan_add_env(&now.plan, "A=2", &err), 0);
	cr_assert_eq(plan_add_gid(&now.plan, 6, &err), 0);
	cr_assert_eq(plan_add_gid(&now.plan, 7, &err), 0);
	cr_assert_eq(plan_add_gid(&now.plan, 105, &err), 0);
	expect(&now, CHOSEN ",'process':{'env':['A=1','A=2'],'user':{'uid':5,'gid':6,"
			    "'additionalGids':[7,105]}}");
}

Test(edit_config, a_path_that_json_cannot_hold_is_refused)
{
	struct situation now = {0};
	struct err err = {0};

	set_up(&now, "");
	cr_assert_eq(plan_add_mount(&now.plan, "/\xff", "/a", MOUNT_FILE, &err), 0);
	expect_error(
		&now, EINVAL,
		"write config.json: a path of the host is not UTF-8, which JSON cannot "
		"hold; rename it");
}

Test(edit_config, hooks_of_others_are_kept_at_their_stage)
{
	struct situation now = {0};
	char create[] = "createContainer";
	char stop[] = "poststop";
	char path[] = "/b/k";
	char argument[] = "x";
	char variable[] = "A=";
	char *args[] = {argument, argument};
	char *env[] = {variable};
	const struct cdi_hook all = {create, path, args, 2, env, 1, 9};
	const struct cdi_hook least = {.stage = stop, .path = path};
	struct err err = {0};

	set_up(&now, "'hooks':{'poststop':[{'path':'/old'}]}");
	cr_assert_eq(plan_add_hook(&now.plan, &all, &err), 0);
	cr_assert_eq(plan_add_hook(&now.plan, &least, &err), 0);
	expect(&now, CHOSEN
	       ",'hooks':{'createRuntime':[" OUR_HOOK
	       "],'createContainer':[{'path':'/b/k','args':['x','x'],'env':['A='],"
	       "'timeout':9}],'poststop':[{'path':'/old'},{'path':'/b/k','args':[],"
	       "'env':['PATH=/usr/sbin:/usr/bin:/sbin:/bin']}]}");
}

Test(edit_config, a_hook_of_no_stage_is_refused)
{
	struct situation now = {0};
	char text[] = "hooks";
	const struct cdi_hook hook = {.stage = text, .path = text};
	struct err err = {0};

	set_up(&now, "");
	cr_assert_eq(plan_add_hook(&now.plan, &hook, &err), 0);
	expect_error(&now, EINVAL, "hook 'hooks': there is no stage 'hooks'");
}
