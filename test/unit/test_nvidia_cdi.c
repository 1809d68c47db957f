/* SPDX-License-Identifier: Apache-2.0 */
/* test_nvidia_cdi.c - lib/injector/nvidia_cdi*.c; most is in test/cases */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "injector/nvidia_cdi.h"
#include "injector/nvidia_files.h"
#include "made_host.h"
#include "oci/cdi_read.h"

#define SPEC_FILE "/etc/cdi/nvidia.json"

/* The same place for all texts that nothing is known of. */
#define SMI "/usr/bin/nvidia-smi"

static struct made_host made;
static struct cdi_registry registry;
static struct driver_files files;

/* Two GPUs of one driver. */
static char vendor[] = "nvidia";
static char paths[][16] = {"/dev/nvidia0", "/dev/nvidia1"};
static struct device_node nodes[] = {
	{.path = paths[0], .major = 195, .minor = 0, .role = DEVICE_GPU},
	{.path = paths[1], .major = 195, .minor = 1, .role = DEVICE_GPU},
};
static struct gpu gpus[] = {
	{.vendor = vendor,
	 .index = 0,
	 .partition = NO_PARTITION,
	 .nodes = &nodes[0],
	 .n_nodes = 1},
	{.vendor = vendor,
	 .index = 1,
	 .partition = NO_PARTITION,
	 .nodes = &nodes[1],
	 .n_nodes = 1},
};

static void start(void)
{
	made_host_new(&made);
	made_file(&made, SMI, "program");
}

static void stop(void)
{
	driver_files_clear(&files);
	cdi_registry_clear(&registry);
	made_host_free(&made);
}

TestSuite(nvidia_cdi, .init = start, .fini = stop);

static void add_spec(const char *file, const char *text)
{
	cleanup(cdi_spec_clearp) struct cdi_spec spec = {0};
	struct err err = {0};

	cr_assert_eq(cdi_read(text, strlen(text), CDI_JSON, file, &spec, &err), 0, "%s",
		     err.msg);
	cdi_registry_take(&registry, &spec);
}

/* A file with a device for each GPU. Edits are what is between the braces. */
static void add_edits(const char *of_first, const char *of_second, const char *of_file)
{
	autofree char *text = xasprintf(
		"{\"cdiVersion\":\"1.1.0\",\"kind\":\"nvidia.com/gpu\",\"devices\":["
		"{\"name\":\"0\",\"containerEdits\":{%s}},"
		"{\"name\":\"1\",\"containerEdits\":{%s}}],\"containerEdits\":{%s}}",
		of_first, of_second, of_file);

	add_spec(SPEC_FILE, text);
}

#define NODE_OF(gpu)  "{\"path\":\"/dev/nvidia" gpu "\"}"
#define NODES_OF(gpu) "\"deviceNodes\":[" NODE_OF(gpu) "]"

/* The first @n GPUs. Fills `files`. */
static int read_for(size_t n, struct err *err)
{
	const struct gpu_spec spec = {.capabilities = 1U << GPU_CAPABILITY_COMPUTE};
	const struct container ctr = {.library_dir = "/usr/lib"};
	const struct inventory inv = {.gpus = gpus, .n_gpus = 2};
	const struct gpu *const chosen[] = {&gpus[0], &gpus[1]};
	const struct cdi_wish wish = {
		.registry = &registry,
		.spec = &spec,
		.ctr = &ctr,
		.inv = &inv,
		.gpus = chosen,
		.n_gpus = n,
	};

	driver_files_clear(&files);
	return nvidia_read_cdi(&made.host, &wish, &files, err);
}

/* With these edits of the file, one GPU. Return: the error, or the warnings, one a line;
   to free(). What the file's name precedes is left away. */
static char *say(const char *of_file)
{
	static const char start_text[] = "CDI specification '" SPEC_FILE "'";
	autofree char *all = xstrdup("");
	struct err err = {0};

	cdi_registry_clear(&registry);
	add_edits(NODES_OF("0"), NODES_OF("1"), of_file);
	if (read_for(1, &err) < 0) {
		cr_assert(text_starts_with(err.msg, start_text), "%s", err.msg);
		return xasprintf("E%s", err.msg + strlen(start_text));
	}
	for (size_t i = 0; i < files.n_warnings; i++) {
		char *longer = NULL;

		cr_assert(text_starts_with(files.warnings[i], start_text), "%s",
			  files.warnings[i]);
		longer =
			xasprintf("%sW%s\n", all, files.warnings[i] + strlen(start_text));
		free(all);
		all = longer;
	}
	return steal_ptr(&all);
}

static void expect_said(const char *of_file, const char *want)
{
	autofree char *said = say(of_file);

	cr_expect_str_eq(said, want, "%s", of_file);
}

/* ---- paths ------------------------------------------------------------------------- */

#define NO_PATH                                                                           \
	": not absolute, or with an empty, '.' or '..' component or a control character " \
	"in it"
#define MOUNT(host, ctr) \
	"\"mounts\":[{\"hostPath\":\"" host "\",\"containerPath\":\"" ctr "\"}]"

/* Else the plan would be refused, also where the specification is only a help. */
Test(nvidia_cdi, a_path_that_no_plan_can_have_is_this_files_error)
{
	static const struct {
		const char *edits;
		const char *want;
	} rows[] = {
		{MOUNT(SMI, "usr/a"), "E: containerPath 'usr/a'" NO_PATH},
		{MOUNT(SMI, "/usr//a"), "E: containerPath '/usr//a'" NO_PATH},
		{MOUNT(SMI, "/usr/a/"), "E: containerPath '/usr/a/'" NO_PATH},
		{MOUNT(SMI, "/"), "E: containerPath '/'" NO_PATH},
		{MOUNT(SMI, "/usr/./a"), "E: containerPath '/usr/./a'" NO_PATH},
		{MOUNT(SMI, "/usr/../a"), "E: containerPath '/usr/../a'" NO_PATH},
		{MOUNT(SMI, "/usr/a\\u007f"), "E: containerPath '/usr/a?'" NO_PATH},
		{MOUNT("/usr/a\\nb", "/usr/a"), "E: hostPath '/usr/a?b'" NO_PATH},
		{"\"deviceNodes\":[{\"path\":\"/dev/nvidia-x\\ny\"}]",
		 "E: path '/dev/nvidia-x?y'" NO_PATH},
		{"\"deviceNodes\":[{\"path\":\"/dev/nvidia-x/../y\"}]",
		 "E: path '/dev/nvidia-x/../y'" NO_PATH},
		{"\"deviceNodes\":[{\"path\":\"/dev/nvidia0\",\"hostPath\":\"./a\"}]",
		 "E: hostPath './a'" NO_PATH},
		{"\"hooks\":[{\"hookName\":\"poststop\",\"path\":\"a/b\"}]",
		 "E: hook 'a/b'" NO_PATH},
		{"\"hooks\":[{\"hookName\":\"poststop\",\"path\":\"nvidia-cdi-hook\","
		 "\"args\":[\"a\",\"create-symlinks\",\"--link\",\"b::c\"]}]",
		 "E: link 'c'" NO_PATH},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_said(rows[i].edits, rows[i].want);
	}
}

Test(nvidia_cdi, no_file_in_the_place_of_the_kernels)
{
	expect_said(MOUNT(SMI, "/dev"), "W: '/dev' is left out: no place for a file\n");
	expect_said(MOUNT(SMI, "/dev/a"),
		    "W: '/dev/a' is left out: no place for a file\n");
	expect_said(MOUNT(SMI, "/proc"), "W: '/proc' is left out: no place for a file\n");
	expect_said(MOUNT(SMI, "/sys/a"),
		    "W: '/sys/a' is left out: no place for a file\n");
	expect_said(MOUNT(SMI, "/device"), "");
	cr_assert_eq(files.n_files, 1);
	cr_expect_str_eq(files.files[0].links[0], "/device");
}

Test(nvidia_cdi, a_node_of_the_host_outside_of_any_dev_is_left_out)
{
	if (!made_node(&made, "/srv/n", 506, 0)) {
		made_host_free(&made);
		cr_skip_test("mknod() is not allowed");
	}
	expect_said("\"deviceNodes\":[{\"path\":\"/dev/nvidia-fs0\",\"hostPath\":"
		    "\"/srv/n\"}]",
		    "W: node '/srv/n' is left out: on the host it is in no /dev\n");
	cr_expect_eq(files.n_nodes, 0);
}

/* ---- order ------------------------------------------------------------------------- */

#define HOOK(arg)                                                                     \
	"\"hooks\":[{\"hookName\":\"poststop\",\"path\":\"" SMI "\",\"args\":[\"" arg \
	"\"]}]"

/* As CDI's own library appends them, and a later variable replaces one before it. */
Test(nvidia_cdi, a_files_edits_come_before_those_of_its_devices)
{
	struct err err = {0};

	add_edits(NODES_OF("0") ",\"env\":[\"A=0\",\"B=0\"]," HOOK("0"),
		  NODES_OF("1") ",\"env\":[\"B=1\",\"C=1\"]," HOOK("1"),
		  "\"env\":[\"A=f\",\"C=f\",\"D=f\"]," HOOK("f"));
	cr_assert_eq(read_for(2, &err), 0, "%s", err.msg);
	cr_assert_eq(files.n_env, 4);
	cr_expect_str_eq(files.env[0], "A=0");
	cr_expect_str_eq(files.env[1], "C=1");
	cr_expect_str_eq(files.env[2], "D=f");
	cr_expect_str_eq(files.env[3], "B=1");
	cr_assert_eq(files.n_hooks, 3);
	cr_expect_str_eq(files.hooks[0].args[0], "f");
	cr_expect_str_eq(files.hooks[1].args[0], "0");
	cr_expect_str_eq(files.hooks[2].args[0], "1");
}

static void expect_host_path(const char *link, const char *host_path)
{
	for (size_t i = 0; i < files.n_files; i++) {
		const struct driver_file *file = &files.files[i];

		for (size_t j = 0; j < file->n_links; j++) {
			if (text_equals(file->links[j], link)) {
				cr_expect_str_eq(file->host_path, host_path, "%s", link);
				return;
			}
		}
	}
	cr_expect_fail("%s is not there", link);
}

Test(nvidia_cdi, of_two_mounts_for_one_place_the_last_counts)
{
	struct err err = {0};

	made_file(&made, "/a", "of the file");
	made_file(&made, "/b", "of the first");
	made_file(&made, "/c", "of the second");
	add_edits(NODES_OF("0") "," MOUNT("/b", "/both"),
		  NODES_OF("1") "," MOUNT("/c", "/both"),
		  "\"mounts\":[{\"hostPath\":\"/a\",\"containerPath\":\"/both\"},"
		  "{\"hostPath\":\"/a\",\"containerPath\":\"/twice\"},"
		  "{\"hostPath\":\"/b\",\"containerPath\":\"/twice\"}]");
	cr_assert_eq(read_for(2, &err), 0, "%s", err.msg);
	expect_host_path("/both", "/c");
	expect_host_path("/twice", "/b");
	cr_assert_eq(read_for(1, &err), 0, "%s", err.msg);
	expect_host_path("/both", "/b");
}

/* What is wrong is said with the file that it is in. */
Test(nvidia_cdi, each_gpu_may_have_a_file_of_its_own)
{
	static const char form[] =
		"{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia.com/gpu\",\"devices\":[{\"name\":"
		"\"%u\",\"containerEdits\":{" NODES_OF("%u") "," MOUNT("%s",
								       "/proc/%u") "}}]}";
	struct err err = {0};

	for (unsigned int i = 0; i < 2; i++) {
		autofree char *file = xasprintf("/etc/cdi/%u.json", i);
		autofree char *text = xasprintf(form, i, i, SMI, i);

		add_spec(file, text);
	}
	cr_assert_eq(read_for(2, &err), 0, "%s", err.msg);
	cr_assert_eq(files.n_warnings, 2);
	cr_expect_str_eq(files.warnings[0], "CDI specification '/etc/cdi/1.json': "
					    "'/proc/1' is left out: no place for a file");
	cr_expect_str_eq(files.warnings[1], "CDI specification '/etc/cdi/0.json': "
					    "'/proc/0' is left out: no place for a file");
	cr_assert_eq(files.n_origins, 2);
	cr_expect_str_eq(files.origins[1].file, "/etc/cdi/1.json");
}

/* ---- nodes ------------------------------------------------------------------------- */

#define NODE(path, more) "\"deviceNodes\":[{\"path\":\"" path "\"" more "}]"
#define STALE(why)               \
	"E is out of date: " why \
	"; make it anew: nvidia-ctk cdi generate --output=" SPEC_FILE

Test(nvidia_cdi, a_gpus_node_is_the_one_of_the_host)
{
	expect_said(NODE("/dev/nvidia0", ",\"type\":\"c\",\"major\":195"), "");
	expect_said(NODE("/dev/nvidia0", ",\"type\":\"u\",\"permissions\":\"rwm\""), "");
	expect_said(
		NODE("/dev/nvidia0", ",\"type\":\"b\""),
		STALE("node '/dev/nvidia0' is of type 'b' there, and a character device "
		      "on the host"));
	expect_said(NODE("/dev/nvidia0", ",\"major\":195,\"minor\":1"),
		    STALE("node '/dev/nvidia0' is 195:1 there, and 195:0 on the host"));
	expect_said(
		NODE("/dev/nvidia0", ",\"permissions\":\"r\""),
		"W: node '/dev/nvidia0' is given for reading and writing: with less a GPU "
		"is of no use\n");
	nodes[0].is_for_reading = true;
	expect_said(NODE("/dev/nvidia0", ",\"permissions\":\"r\""), "");
}

Test(nvidia_cdi, another_gpus_node_is_not_given)
{
	struct err err = {0};

	if (!made_node(&made, "/dev/nvidia1", 195, 1) ||
	    !made_node(&made, "/dev/nvidia-a", 195, 7)) {
		made_host_free(&made);
		cr_skip_test("mknod() is not allowed");
	}
	expect_said(
		NODE("/dev/nvidia1", ""),
		"W: node '/dev/nvidia1' is left out: it is of none of the chosen GPUs\n");
	expect_said(
		NODE("/dev/nvidia-a", ""),
		"W: node '/dev/nvidia-a' is left out: it is of none of the chosen GPUs\n");
	cr_expect_eq(files.n_nodes, 0);
	cdi_registry_clear(&registry);
	add_edits("\"deviceNodes\":[" NODE_OF("0") "," NODE_OF("1") "]", NODES_OF("1"),
		  "");
	cr_expect_eq(read_for(1, &err), -ESTALE);
	cr_expect_str_eq(err.msg,
			 "CDI specification '" SPEC_FILE "' is out of date: its device "
			 "'0' has '/dev/nvidia1', which is of nvidia:1; make it anew: "
			 "nvidia-ctk cdi generate --output=" SPEC_FILE);
}

Test(nvidia_cdi, a_node_of_no_gpu_is_taken_as_the_host_has_it)
{
	if (!made_node(&made, "/opt/dev/nvidia-fs", 506, 3)) {
		made_host_free(&made);
		cr_skip_test("mknod() is not allowed");
	}
#define FS(more) NODE("/dev/nvidia-fs0", ",\"hostPath\":\"/opt/dev/nvidia-fs\"" more)
	made_file(&made, "/dev/nvidia-file", "no node");
	expect_said(FS(""), "");
	cr_assert_eq(files.n_nodes, 1);
	cr_expect_str_eq(files.nodes[0].path, "/dev/nvidia-fs0");
	cr_expect_str_eq(files.nodes[0].host_path, "/opt/dev/nvidia-fs");
	cr_expect_eq(files.nodes[0].major, 506);
	cr_expect_eq(files.nodes[0].minor, 3);
	expect_said(
		FS(",\"major\":506,\"minor\":4"),
		STALE("node '/opt/dev/nvidia-fs' is 506:4 there, and 506:3 on the host"));
	expect_said(
		FS(",\"type\":\"p\""),
		STALE("node '/opt/dev/nvidia-fs' is of type 'p' there, and a character "
		      "device on the host"));
	expect_said(FS(",\"permissions\":\"none\""),
		    "W: node '/dev/nvidia-fs0' is left out: it is not for reading and "
		    "writing\n");
	expect_said(
		NODE("/dev/nvidia-file", ",\"type\":\"b\""),
		"W: node '/dev/nvidia-file' is left out: on the host it is no character "
		"device\n");
	expect_said(NODE("/dev/nvidia-none", ""),
		    STALE("node '/dev/nvidia-none' is not there"));
}

/* ---- devices ----------------------------------------------------------------------- */

Test(nvidia_cdi, a_device_that_no_file_has)
{
	static const char one[] =
		"{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia.com/gpu\",\"devices\":[{\"name\":"
		"\"0\",\"containerEdits\":{" NODES_OF("0") "}}]}";
	struct err err = {0};

	add_spec(SPEC_FILE, one);
	cr_assert_eq(read_for(2, &err), -ENOENT);
	cr_expect_str_eq(err.msg,
			 "no CDI specification has nvidia:1: there is no device '1' of "
			 "'nvidia.com/gpu'; make one: nvidia-ctk cdi generate "
			 "--output=/etc/cdi/nvidia.yaml");
	/* Another one would only hide what is wrong. */
	cdi_registry_add_problem(&registry,
				 "read CDI specification '/etc/cdi/a.yaml': why");
	cr_assert_eq(read_for(2, &err), -ENOENT);
	cr_expect_str_eq(err.msg,
			 "no CDI specification has nvidia:1: there is no device '1' of "
			 "'nvidia.com/gpu', and one is not used: read CDI specification "
			 "'/etc/cdi/a.yaml': why");
	cr_assert_eq(read_for(1, &err), 0);
	cr_expect_eq(files.n_warnings, 0);
}

/* ---- two files and one place ------------------------------------------------------- */

#define LIBRARY "/opt/liba.so.550"
#define BOTH(one, two)                                                       \
	"\"mounts\":[{\"hostPath\":\"" LIBRARY "\",\"containerPath\":\"" one \
	"\"},{\"hostPath\":\"" LIBRARY "\",\"containerPath\":\"" two "\"}]"

/* The plan of the first GPU can be made. Return: where a link leads, below the directory
   of our own; to free(). */
static char *target_of(const char *path)
{
	const struct container ctr = {.library_dir = "/usr/lib"};
	cleanup(plan_clearp) struct plan plan = {0};
	struct err err = {0};
	char *target = NULL;

	cr_assert_eq(nvidia_contribute_files(&files, &ctr, &plan, &err), 0, "%s",
		     err.msg);
	for (size_t i = 0; i < plan.n_links; i++) {
		if (text_equals(plan.links[i].ctr.text, path)) {
			target = xstrdup(plan.links[i].target + strlen(NVIDIA_OWN_DIR));
		}
	}
	return target ? target : xstrdup("nowhere");
}

static void expect_target(const char *edits, const char *path, const char *want)
{
	autofree char *target = NULL;

	expect_said(edits, "");
	target = target_of(path);
	cr_expect_str_eq(target, want, "%s: %s", edits, target);
}

/* As people add it by hand where an image has no ldconfig.
   Source: issue 128 of NVIDIA/nvidia-container-toolkit. */
Test(nvidia_cdi, a_mount_at_a_librarys_soname)
{
	made_library(&made, LIBRARY, "liba.so.1", 64);
	expect_target(BOTH("/usr/lib/liba.so.550", "/usr/lib/liba.so.1"),
		      "/usr/lib/liba.so.1", "/lib/liba.so.1");
	expect_target(BOTH("/usr/lib/liba.so.1", "/usr/lib/liba.so.550"),
		      "/usr/lib/liba.so.1", "/lib/liba.so.1");
	expect_target(
		"\"mounts\":[{\"hostPath\":\"" LIBRARY
		"\",\"containerPath\":\"/usr/lib/liba.so.550\"},{\"hostPath\":\"" SMI
		"\",\"containerPath\":\"/usr/lib/liba.so.1\"}]",
		"/usr/lib/liba.so.1", "/usr/lib/liba.so.1");
	expect_target(BOTH("/usr/lib/liba.so.550", "/usr/lib/b"), "/usr/lib/liba.so.1",
		      "/lib/liba.so.550");
}

Test(nvidia_cdi, a_link_of_a_hook_gives_way)
{
#define TOOL "/usr/bin/tool"
#define LINKED(link)                                                                         \
	"\"mounts\":[{\"hostPath\":\"" LIBRARY "\",\"containerPath\":\"" LIBRARY             \
	"\"},{\"hostPath\":\"" SMI "\",\"containerPath\":\"" TOOL                            \
	"\"}],\"hooks\":[{\"hookName\":\"poststop\",\"path\":\"nvidia-cdi-hook\",\"args\":[" \
	"\"a\",\"create-symlinks\",\"--link\",\"" link "\"]}]"
	made_library(&made, LIBRARY, "liba.so.1", 64);
	expect_target(LINKED(LIBRARY "::" TOOL), TOOL, TOOL);
	expect_target(LINKED(TOOL "::" LIBRARY), LIBRARY, "/lib/liba.so.550");
	expect_target(LINKED(TOOL "::/usr/lib/liba.so.1"), "/usr/lib/liba.so.1",
		      "/lib/liba.so.550");
	expect_target(LINKED(LIBRARY "::/usr/lib/liba.so.1"), "/usr/lib/liba.so.1",
		      "/lib/liba.so.550");
	expect_target(LINKED(TOOL "::/usr/lib/liba.so"), "/usr/lib/liba.so", TOOL);
}

/* ---- hooks and the rest of the process --------------------------------------------- */

#define HOOK_OF(path, args)                                             \
	"\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"" path \
	"\",\"args\":[" args "]}]"

/* The programs are not there, and need not be. */
Test(nvidia_cdi, what_the_toolkits_hooks_do_is_done_here)
{
	static const char *const names[] = {"create-symlinks", "create-soname-symlinks",
					    "update-ldcache",
					    "disable-device-node-modification"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		autofree char *one = xasprintf(
			HOOK_OF("/opt/nvidia-cdi-hook", "\"a\",\"%s\""), names[i]);
		autofree char *other = xasprintf(
			HOOK_OF("/opt/nvidia-ctk", "\"a\",\"hook\",\"%s\""), names[i]);

		expect_said(one, "");
		cr_expect_eq(files.n_hooks, 0, "%s", one);
		expect_said(other, "");
		cr_expect_eq(files.n_hooks, 0, "%s", other);
	}
}

Test(nvidia_cdi, other_hooks_are_kept_if_they_are_there)
{
	made_file(&made, "/opt/nvidia-ctk", "program");
	expect_said(HOOK_OF("/opt/nvidia-ctk", "\"a\",\"hook\",\"chmod\""), "");
	cr_expect_eq(files.n_hooks, 1);
	/* By its name alone it is none of the toolkit's. */
	expect_said(HOOK_OF("/opt/nvidia-ctk", "\"a\",\"update-ldcache\""), "");
	cr_expect_eq(files.n_hooks, 1);
	expect_said(HOOK_OF("/opt/none", "\"a\",\"update-ldcache\""),
		    STALE("its hook '/opt/none' is not there"));
	made_dir(&made, "/opt/nvidia-cdi-hook");
	expect_said(HOOK_OF("/opt/nvidia-cdi-hook", ""),
		    STALE("its hook '/opt/nvidia-cdi-hook' is not there"));
}

Test(nvidia_cdi, links_lead_to_its_files_or_are_left_out)
{
	static const char form[] = MOUNT(SMI, "/usr/bin/smi") "," HOOK_OF(
		"nvidia-cdi-hook", "\"a\",\"create-symlinks\",\"%s\"%s");
	static const struct {
		const char *option;
		const char *value; /* of the argument behind it */
		const char *want;
	} rows[] = {
		{"--link=smi::/usr/bin/a", "", ""},
		{"--link", ",\"../bin/./smi::/usr/lib/a\"", ""},
		{"--link", ",\"/usr/bin/smi::/a\"", ""},
		{"--link", "", ""},
		{"--link", ",\"smi\"", ""},
		{"--link", ",\"../../../../usr/bin/smi::/usr/a\"", ""},
		{"--link=other::/usr/bin/a", "",
		 "W: '/usr/bin/a' is left out: a link to none of its files\n"},
		{"--link=..::/a", "",
		 "W: '/a' is left out: a link to none of its files\n"},
		{"--link=::/a", "", "W: '/a' is left out: a link to none of its files\n"},
		{"--link=a::/a", "",
		 "W: '/a' is left out: a link to none of its files\n"},
		/* It comes with the node. */
		{"--link=smi::/dev/dri/by-path/a", "", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autofree char *edits = xasprintf(form, rows[i].option, rows[i].value);

		expect_said(edits, rows[i].want);
		cr_assert_eq(files.n_files, 1);
	}
}

Test(nvidia_cdi, a_link_to_a_link_leads_to_the_file)
{
	expect_said(MOUNT(SMI, "/usr/bin/smi") "," HOOK_OF("nvidia-cdi-hook",
							   "\"a\",\"create-symlinks\","
							   "\"--link=b::/usr/bin/a\","
							   "\"--link=smi::/usr/bin/b\""),
		    "");
	cr_assert_eq(files.n_files, 1);
	cr_assert_eq(files.files[0].n_links, 3);
	cr_expect_str_eq(files.files[0].links[1], "/usr/bin/a");
	cr_expect_str_eq(files.files[0].links[2], "/usr/bin/b");
}

Test(nvidia_cdi, groups_count_and_what_is_no_gpus_is_left_out)
{
	expect_said(
		"\"additionalGids\":[44,0,7],\"netDevices\":[{\"hostInterfaceName\":\"e\","
		"\"name\":\"e\"}],\"intelRdt\":{}",
		"W: 'netDevices' is left out: network interfaces are no GPU's\n"
		"W: 'intelRdt' is left out: it is no GPU's\n");
	cr_assert_eq(files.n_gids, 2);
	cr_expect_eq(files.gids[0], 44);
	cr_expect_eq(files.gids[1], 7);
}

/* ---- mounts ------------------------------------------------------------------------ */

#define MOUNT_AS(type)                     \
	"\"mounts\":[{\"hostPath\":\"" SMI \
	"\",\"containerPath\":\"/a\",\"type\":\"" type "\"}]"

Test(nvidia_cdi, only_files_and_sockets_are_bound)
{
	autofree char *dir = xasprintf("%s/usr/share/dir", made.root);

	made_dir(&made, "/usr/share/dir");
	expect_said(MOUNT_AS("bind"), "");
	cr_expect_eq(files.n_files, 1);
	expect_said(MOUNT_AS(""), "");
	cr_expect_eq(files.n_files, 1);
	expect_said(MOUNT_AS("tmpfs"), "W: '/a' is left out: it is no bind mount\n");
	expect_said(
		MOUNT("/usr/share/dir", "/a"),
		"W: '/usr/share/dir' is left out: on the host it is neither a file nor a "
		"socket\n");
	made_link(&made, "/usr/share/dir/link", SMI);
	expect_said(MOUNT("/usr/share/dir/link", "/a"), "");
	cr_assert_eq(chmod(dir, 0777), 0);
	expect_said(MOUNT("/usr/share/dir/link", "/a"),
		    "W: '/usr/share/dir/link' is left out: on the host a link in a "
		    "directory that is not root's leads to it\n");
	expect_said(MOUNT("/usr/share/none", "/a"),
		    STALE("'/usr/share/none' is not there"));
	expect_said(MOUNT(SMI "/none", "/a"), STALE("'" SMI "/none' is not there"));
}
