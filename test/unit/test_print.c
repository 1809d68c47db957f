/* SPDX-License-Identifier: Apache-2.0 */
/* test_print.c - the two outputs, word for word, and hostile names in them */

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "backend/print.h"
#include "base/mem.h"

/* ---- a host with an AMD GPU, and a plan for it ------------------------------------- */

struct fixture {
	struct inventory inv;
	struct gpu_spec spec;
	struct plan plan;
	struct verdicts verdicts;
	const struct gpu *gpus[4];
	struct plan_report report;
	struct holders holders;
	char *text;
	size_t len;
	struct err err;
};

static void fixture_clear(struct fixture *f)
{
	inventory_clear(&f->inv);
	gpu_spec_clear(&f->spec);
	plan_clear(&f->plan);
	verdicts_clear(&f->verdicts);
	holders_clear(&f->holders);
	free(f->text);
}
DEFINE_CLEANUP(struct fixture, fixture_clear)

static void add_node(struct gpu *gpu, const char *path, uint32_t major, uint32_t minor)
{
	struct device_node node = {
		.path = xstrdup(path),
		.major = major,
		.minor = minor,
	};

	gpu_take_node(gpu, &node);
}

static struct gpu *add_gpu(struct fixture *f)
{
	struct gpu *gpu = inventory_add(&f->inv, &f->err);

	cr_assert_not_null(gpu, "%s", f->err.msg);
	gpu->vendor = xstrdup("amd");
	gpu->pci = xstrdup("0000:c1:00.0");
	gpu->uuid = xstrdup("0x8a1f");
	free(gpu->model);
	gpu->model = xstrdup("Radeon RX 7900 XTX");
	gpu->driver = xstrdup("amdgpu");
	gpu->numa_node = 0;
	add_node(gpu, "/dev/kfd", 511, 0);
	add_node(gpu, "/dev/dri/renderD128", 226, 128);
	return gpu;
}

static void ask(struct fixture *f, const char *request)
{
	cr_assert_eq(gpu_spec_parse(request, strlen(request), &f->spec, &f->err), 0, "%s",
		     f->err.msg);
	f->report.spec = &f->spec;
	f->report.plan = &f->plan;
	f->report.verdicts = &f->verdicts;
}

/* Plans all nodes of all GPUs. */
static void plan_everything(struct fixture *f)
{
	for (size_t i = 0; i < f->inv.n_gpus; i++) {
		f->gpus[i] = &f->inv.gpus[i];
		verdicts_take(&f->verdicts, &f->inv.gpus[i], true,
			      xstrdup("first that fits"));
		for (size_t k = 0; k < f->inv.gpus[i].n_nodes; k++) {
			cr_assert_eq(plan_add_node(&f->plan, &f->inv.gpus[i].nodes[k],
						   &f->err),
				     0);
		}
	}
	f->report.gpus = f->gpus;
	f->report.n_gpus = f->inv.n_gpus;
}

typedef int print_plan_fn(FILE *, const struct plan_report *, struct err *);
typedef int print_list_fn(FILE *, const struct inventory *, const struct holders *,
			  struct err *);

static const char *print_plan(struct fixture *f, print_plan_fn *print)
{
	FILE *out = open_memstream(&f->text, &f->len);

	cr_assert_eq(print(out, &f->report, &f->err), 0, "%s", f->err.msg);
	cr_assert_eq(fclose(out), 0);
	return f->text;
}

static const char *print_list(struct fixture *f, print_list_fn *print)
{
	FILE *out;

	free(f->text);
	out = open_memstream(&f->text, &f->len);
	cr_assert_eq(print(out, &f->inv, &f->holders, &f->err), 0, "%s", f->err.msg);
	cr_assert_eq(fclose(out), 0);
	return f->text;
}

/* ---- JSON -------------------------------------------------------------------------- */

Test(print, plan_json_is_the_contracts_example_with_its_order_of_fields)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	add_gpu(&f);
	ask(&f, "amd:1");
	plan_everything(&f);
	cr_assert_eq(plan_add_link(&f.plan, "/dev/dri/by-path/pci-0000:c1:00.0-render",
				   "../renderD128", &f.err),
		     0);
	plan_warn(&f.plan, "a warning");
	cr_expect_str_eq(print_plan(&f, print_plan_json),
			 "{\n"
			 "  \"gpuSpec\": {\n"
			 "    \"count\": 1,\n"
			 "    \"vendor\": \"amd\",\n"
			 "    \"mode\": null\n"
			 "  },\n"
			 "  \"gpus\": [\n"
			 "    {\n"
			 "      \"index\": 0,\n"
			 "      \"vendor\": \"amd\",\n"
			 "      \"pci\": \"0000:c1:00.0\",\n"
			 "      \"uuid\": \"0x8a1f\",\n"
			 "      \"model\": \"Radeon RX 7900 XTX\",\n"
			 "      \"driver\": \"amdgpu\"\n"
			 "    }\n"
			 "  ],\n"
			 "  \"choice\": [\n"
			 "    {\n"
			 "      \"vendor\": \"amd\",\n"
			 "      \"index\": 0,\n"
			 "      \"pci\": \"0000:c1:00.0\",\n"
			 "      \"given\": true,\n"
			 "      \"reason\": \"first that fits\"\n"
			 "    }\n"
			 "  ],\n"
			 "  \"containerEdits\": {\n"
			 "    \"deviceNodes\": [\n"
			 "      {\n"
			 "        \"path\": \"/dev/kfd\",\n"
			 "        \"hostPath\": \"/dev/kfd\",\n"
			 "        \"type\": \"c\",\n"
			 "        \"major\": 511,\n"
			 "        \"minor\": 0,\n"
			 "        \"permissions\": \"rw\"\n"
			 "      },\n"
			 "      {\n"
			 "        \"path\": \"/dev/dri/renderD128\",\n"
			 "        \"hostPath\": \"/dev/dri/renderD128\",\n"
			 "        \"type\": \"c\",\n"
			 "        \"major\": 226,\n"
			 "        \"minor\": 128,\n"
			 "        \"permissions\": \"rw\"\n"
			 "      }\n"
			 "    ],\n"
			 "    \"mounts\": [],\n"
			 "    \"env\": [],\n"
			 "    \"additionalGids\": []\n"
			 "  },\n"
			 "  \"links\": [\n"
			 "    {\n"
			 "      \"path\": \"/dev/dri/by-path/pci-0000:c1:00.0-render\",\n"
			 "      \"target\": \"../renderD128\"\n"
			 "    }\n"
			 "  ],\n"
			 "  \"files\": [],\n"
			 "  \"warnings\": [\n"
			 "    \"a warning\"\n"
			 "  ]\n"
			 "}\n");
}

Test(print, plan_json_without_a_request_is_a_null_spec_alone)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	f.report.plan = &f.plan;
	cr_expect_str_eq(print_plan(&f, print_plan_json), "{\n  \"gpuSpec\": null\n}\n");
}

static void expect_spec(const char *request, const char *wanted)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	cleanup(json_decrefp) json_t *root = NULL;
	autofree char *got = NULL;

	ask(&f, request);
	root = json_loads(print_plan(&f, print_plan_json), 0, NULL);
	cr_assert_not_null(root);
	got = json_dumps(json_object_get(root, "gpuSpec"), JSON_COMPACT);
	cr_expect_str_eq(got, wanted, "%s", got);
}

Test(print, plan_json_shows_fields_beyond_the_spec_only_where_given)
{
	expect_spec("all", "{\"count\":\"all\",\"vendor\":\"nvidia\",\"mode\":null}");
	expect_spec("{\"mode\":\"vm\"}",
		    "{\"count\":1,\"vendor\":\"nvidia\",\"mode\":\"vm\"}");
	expect_spec("{\"vendor\":\"amd\",\"count\":4294967295}",
		    "{\"count\":4294967295,\"vendor\":\"amd\",\"mode\":null}");
	expect_spec("vendor=amd;devices=0+2",
		    "{\"count\":2,\"vendor\":\"amd\",\"mode\":null,"
		    "\"devices\":[\"0\",\"2\"]}");
	expect_spec("model=h100", "{\"count\":1,\"vendor\":\"nvidia\",\"mode\":null,"
				  "\"model\":\"h100\"}");
	expect_spec("sharing=shared",
		    "{\"count\":1,\"vendor\":\"nvidia\",\"mode\":null}");
	expect_spec("sharing=exclusive",
		    "{\"count\":1,\"vendor\":\"nvidia\",\"mode\":null,"
		    "\"sharing\":\"exclusive\"}");
	expect_spec("capabilities=graphics+compute",
		    "{\"count\":1,\"vendor\":\"nvidia\",\"mode\":null,"
		    "\"capabilities\":[\"compute\",\"graphics\"]}");
}

Test(print, numbers_above_31_bits_stay_positive)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	struct gpu *gpu = add_gpu(&f);

	gpu->index = 4294967295U;
	add_node(gpu, "/dev/x", 4294967295U, 4294967294U);
	ask(&f, "amd");
	plan_everything(&f);
	print_plan(&f, print_plan_json);
	cr_expect(strstr(f.text, "\"index\": 4294967295"));
	cr_expect(strstr(f.text, "\"major\": 4294967295"));
	cr_expect(strstr(f.text, "\"minor\": 4294967294"));
}

Test(print, list_json_has_the_gpus_fields_then_its_own)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	struct gpu *gpu;

	add_gpu(&f);
	gpu = add_gpu(&f);
	gpu->index = 1;
	free(gpu->pci);
	gpu->pci = NULL;
	free(gpu->uuid);
	gpu->uuid = NULL;
	free(gpu->driver);
	gpu->driver = NULL;
	gpu->numa_node = NUMA_NODE_UNKNOWN;
	gpu->unusable_reason = xstrdup("no driver is bound");
	cr_expect_str_eq(print_list(&f, print_list_json),
			 "{\n"
			 "  \"gpus\": [\n"
			 "    {\n"
			 "      \"index\": 0,\n"
			 "      \"vendor\": \"amd\",\n"
			 "      \"pci\": \"0000:c1:00.0\",\n"
			 "      \"uuid\": \"0x8a1f\",\n"
			 "      \"model\": \"Radeon RX 7900 XTX\",\n"
			 "      \"driver\": \"amdgpu\",\n"
			 "      \"parent\": null,\n"
			 "      \"partition\": null,\n"
			 "      \"nodes\": [\n"
			 "        \"/dev/kfd\",\n"
			 "        \"/dev/dri/renderD128\"\n"
			 "      ],\n"
			 "      \"numaNode\": 0,\n"
			 "      \"usable\": true,\n"
			 "      \"reason\": null,\n"
			 "      \"heldBy\": []\n"
			 "    },\n"
			 "    {\n"
			 "      \"index\": 1,\n"
			 "      \"vendor\": \"amd\",\n"
			 "      \"pci\": null,\n"
			 "      \"uuid\": null,\n"
			 "      \"model\": \"Radeon RX 7900 XTX\",\n"
			 "      \"driver\": null,\n"
			 "      \"parent\": null,\n"
			 "      \"partition\": null,\n"
			 "      \"nodes\": [\n"
			 "        \"/dev/kfd\",\n"
			 "        \"/dev/dri/renderD128\"\n"
			 "      ],\n"
			 "      \"numaNode\": null,\n"
			 "      \"usable\": false,\n"
			 "      \"reason\": \"no driver is bound\",\n"
			 "      \"heldBy\": []\n"
			 "    }\n"
			 "  ]\n"
			 "}\n");
}

Test(print, list_json_of_an_empty_host_is_an_empty_list)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	cr_expect_str_eq(print_list(&f, print_list_json), "{\n  \"gpus\": []\n}\n");
}

/* ---- hostile names ----------------------------------------------------------------- */

static void set_model(struct fixture *f, const char *model)
{
	free(f->inv.gpus[0].model);
	f->inv.gpus[0].model = xstrdup(model);
}

Test(print, json_escapes_hostile_names_and_keeps_them)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	cleanup(json_decrefp) json_t *root = NULL;
	const char *model = "a\"},{\n\033[2J\\\xc2\x9b\xc3\xa4";
	const char *got;

	add_gpu(&f);
	set_model(&f, model);
	print_list(&f, print_list_json);
	for (size_t i = 0; i < f.len; i++) {
		char c = f.text[i];

		cr_expect(c == '\n' || (c >= 0x20 && c < 0x7f), "byte %zu is %d", i, c);
	}
	root = json_loads(f.text, 0, NULL);
	cr_assert_not_null(root);
	cr_expect_eq(json_array_size(json_object_get(root, "gpus")), 1);
	got = json_string_value(json_object_get(
		json_array_get(json_object_get(root, "gpus"), 0), "model"));
	cr_expect_str_eq(got, model);
}

Test(print, json_replaces_what_is_no_utf8)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	add_gpu(&f);
	set_model(&f, "A\xff\xfeZ");
	print_list(&f, print_list_json);
	cr_expect(strstr(f.text, "\"model\": \"A??Z\""), "%s", f.text);
}

Test(print, text_has_nothing_that_steers_a_terminal)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	add_gpu(&f);
	set_model(&f, "A\n\033[2J\x7f\xc2\x9b\xffZ");
	print_list(&f, print_list_text);
	cr_expect(strstr(f.text, "A??[2J????Z"), "%s", f.text);
	free(f.text);
	f.text = NULL;
	ask(&f, "{\"vendor\":\"x\\u001b[2J\",\"model\":\"\\r\"}");
	plan_everything(&f);
	print_plan(&f, print_plan_text);
	cr_expect_null(strchr(f.text, '\033'));
	cr_expect_null(strchr(f.text, '\r'));
	cr_expect(strstr(f.text, "x?[2J"), "%s", f.text);
}

/* ---- text -------------------------------------------------------------------------- */

Test(print, plan_text_is_aligned_under_its_labels)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	struct gpu *gpu;

	add_gpu(&f);
	gpu = add_gpu(&f);
	gpu->index = 1;
	free(gpu->pci);
	gpu->pci = NULL;
	set_model(&f, "Vega");
	ask(&f, "amd:2");
	plan_everything(&f);
	cr_assert_eq(plan_add_link(&f.plan, "/dev/dri/by-path/pci-0000:c1:00.0-render",
				   "../renderD128", &f.err),
		     0);
	plan_warn(&f.plan, "first");
	plan_warn(&f.plan, "second");
	cr_expect_str_eq(
		print_plan(&f, print_plan_text),
		"Request   2 amd GPUs\n"
		"          capabilities: compute, utility (default)\n"
		"GPUs      amd:0  Vega                0000:c1:00.0  amdgpu  first that fits\n"
		"          amd:1  Radeon RX 7900 XTX  -             amdgpu  first that fits\n"
		"Nodes     /dev/kfd             c 511:0    rw\n"
		"          /dev/dri/renderD128  c 226:128  rw\n"
		"Links     /dev/dri/by-path/pci-0000:c1:00.0-render -> ../renderD128\n"
		"Warnings  first\n"
		"          second\n");
}

Test(print, gpus_that_are_not_given_share_a_line_for_each_reason)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	ask(&f, "amd");
	for (unsigned int i = 0; i < 12; i++) {
		add_gpu(&f)->index = i;
	}
	for (size_t i = 0; i < 12; i++) {
		verdicts_take(&f.verdicts, &f.inv.gpus[i], i == 1,
			      xstrdup(i == 0 || i == 11 ? "cannot compute"
				      : i == 1		? "first that fits"
							: "comes later"));
	}
	f.gpus[0] = &f.inv.gpus[1];
	f.report.gpus = f.gpus;
	f.report.n_gpus = 1;
	cr_expect_str_eq(
		print_plan(&f, print_plan_text),
		"Request   1 amd GPU\n"
		"          capabilities: compute, utility (default)\n"
		"GPUs      amd:1  Radeon RX 7900 XTX  0000:c1:00.0  amdgpu  first that fits\n"
		"Not given amd:0, amd:11                                     "
		"                 cannot compute\n"
		"          amd:2, amd:3, amd:4, amd:5, amd:6, amd:7, amd:8, amd:9 and 1 more"
		"  comes later\n");
}

Test(print, a_node_of_the_containers_own_has_owner_and_mode)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	ask(&f, "amd");
	(void)add_gpu(&f);
	plan_everything(&f);
	f.plan.nodes[1].is_private = true;
	f.plan.nodes[1].private_uid = 1000;
	f.plan.nodes[1].private_gid = 1001;
	f.plan.nodes[1].private_mode = 0660;
	print_plan(&f, print_plan_text);
	cr_expect(strstr(f.text, "/dev/kfd             c 511:0    rw\n"), "%s", f.text);
	cr_expect(strstr(f.text, "/dev/dri/renderD128  c 226:128  rw  its own, 1000:1001 "
				 "0660\n"),
		  "%s", f.text);
	free(f.text);
	print_plan(&f, print_plan_json);

	cleanup(json_decrefp) json_t *got = json_loads(f.text, 0, NULL);
	const json_t *nodes =
		json_object_get(json_object_get(got, "containerEdits"), "deviceNodes");
	const json_t *own = json_array_get(nodes, 1);

	cr_expect_null(json_object_get(json_array_get(nodes, 0), "uid"));
	cr_expect_eq(json_integer_value(json_object_get(own, "uid")), 1000);
	cr_expect_eq(json_integer_value(json_object_get(own, "gid")), 1001);
	cr_expect_eq(json_integer_value(json_object_get(own, "fileMode")), 0660);
}

static void expect_request(const char *request, const char *wanted)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	ask(&f, request);
	print_plan(&f, print_plan_text);
	cr_expect_eq(strncmp(f.text, wanted, strlen(wanted)), 0, "'%s': %s", request,
		     f.text);
}

Test(print, plan_text_says_the_request_as_it_was_understood)
{
	expect_request("all", "Request   all nvidia GPUs\n"
			      "          capabilities: compute, utility (default)\n");
	expect_request("{}", "Request   1 nvidia GPU\n");
	expect_request("devices=renderD129", "Request   GPU renderD129\n");
	expect_request("vendor=amd;devices=0+2;capabilities=display+graphics",
		       "Request   GPUs 0, 2 of amd\n"
		       "          capabilities: graphics, display\n");
	expect_request("{\"model\":\"h100\",\"mode\":\"vm\",\"sharing\":\"exclusive\"}",
		       "Request   1 nvidia GPU\n"
		       "          model: h100\n"
		       "          mode: vm (ignored on Linux)\n"
		       "          sharing: exclusive\n"
		       "          capabilities: compute, utility (default)\n");
}

Test(print, plan_text_without_a_request_says_so)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	f.report.plan = &f.plan;
	cr_expect_str_eq(print_plan(&f, print_plan_text),
			 "no GPU is asked for: nothing will be done\n");
}

Test(print, plan_without_a_request_names_the_key_and_warns)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	f.report.plan = &f.plan;
	f.report.key = "org.example\n.gpu";
	plan_warn(&f.plan, "read configuration: no");
	cr_expect_str_eq(
		print_plan(&f, print_plan_text),
		"no GPU is asked for by annotation 'org.example?.gpu': nothing will "
		"be done\n"
		"Warnings  read configuration: no\n");
	free(f.text);
	f.text = NULL;
	cr_expect_str_eq(print_plan(&f, print_plan_json),
			 "{\n  \"gpuSpec\": null,\n  \"warnings\": [\n    "
			 "\"read configuration: no\"\n  ]\n}\n");
}

Test(print, plan_text_of_a_request_for_zero_says_how_to_ask_for_that_gpu)
{
	expect_request("0", "Request   0 nvidia GPUs\n"
			    "          capabilities: compute, utility (default)\n"
			    "GPUs      none: 0 are asked for\n");
	expect_request(
		"{\"vendor\":\"\\u001b[\",\"count\":0}",
		"Request   0 ?[ GPUs\n"
		"          capabilities: compute, utility (default)\n"
		"GPUs      none: 0 are asked for; the GPU that `list` calls ?[:0 is "
		"devices=?[:0\n");
}

Test(print, list_text_is_a_table)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	struct gpu *gpu;

	add_gpu(&f);
	gpu = add_gpu(&f);
	gpu->index = 10;
	gpu->numa_node = NUMA_NODE_UNKNOWN;
	gpu->unusable_reason = xstrdup("no driver is bound; load it: modprobe amdgpu");
	free(gpu->driver);
	gpu->driver = NULL;
	cr_expect_str_eq(
		print_list(&f, print_list_text),
		"INDEX   MODEL               PCI           DRIVER  NUMA  USABLE            "
		"                                HELD BY  NODES\n"
		"amd:0   Radeon RX 7900 XTX  0000:c1:00.0  amdgpu  0     yes               "
		"                                -        kfd dri/renderD128\n"
		"amd:10  Radeon RX 7900 XTX  0000:c1:00.0  -       -     no: no driver is "
		"bound; load it: modprobe amdgpu  -        kfd dri/renderD128\n");
}

static void hold(struct fixture *f, const char *gpu, const char *id, bool is_exclusive)
{
	const struct holder holder = {
		.gpu = gpu,
		.is_exclusive = is_exclusive,
		.id = id,
		.bundle = "/b",
	};

	holders_add(&f->holders, &holder);
}

Test(print, list_shows_who_holds_a_gpu_or_a_part_of_it)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	cleanup(json_decrefp) json_t *got = NULL;
	json_t *ids;

	add_gpu(&f);
	hold(&f, "0000:c1:00.0", "web", true);
	hold(&f, "0000:c1:00.0/1", "d\nb", false);
	hold(&f, "0000:c1:00.0/2", "web", false);
	hold(&f, "0000:c2:00.0", "other", false);
	print_list(&f, print_list_text);
	cr_expect(strstr(f.text, "  yes     web (exclusively), d?b, web  kfd "), "%s",
		  f.text);
	got = json_loads(print_list(&f, print_list_json), 0, NULL);
	ids = json_object_get(json_array_get(json_object_get(got, "gpus"), 0), "heldBy");
	cr_assert_eq(json_array_size(ids), 2, "%s", f.text);
	cr_expect_str_eq(json_string_value(json_array_get(ids, 0)), "web");
	cr_expect_str_eq(json_string_value(json_array_get(ids, 1)), "d\nb");
}

Test(print, list_text_shortens_the_id_of_a_container_and_nothing_else)
{
#define SIXTEEN "0123456789abcdef"
	cleanup(fixture_clearp) struct fixture f = {0};

	add_gpu(&f);
	hold(&f, "0000:c1:00.0", SIXTEEN SIXTEEN SIXTEEN SIXTEEN, true);
	hold(&f, "0000:c1:00.0", SIXTEEN SIXTEEN SIXTEEN "0123456789abcdeF", false);
	hold(&f, "0000:c1:00.0", SIXTEEN SIXTEEN SIXTEEN SIXTEEN "0", false);
	print_list(&f, print_list_text);
	cr_expect(strstr(f.text,
			 "  0123456789ab (exclusively), " SIXTEEN SIXTEEN SIXTEEN
			 "0123456789abcdeF, " SIXTEEN SIXTEEN SIXTEEN SIXTEEN "0  kfd "),
		  "%s", f.text);
	print_list(&f, print_list_json);
	cr_expect(strstr(f.text, "\"" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "\""), "%s",
		  f.text);
}

/* Partitions of one GPU that is in the inventory, and of one that is not. */
static void add_partitions(struct fixture *f)
{
	static const struct {
		const char *pci;
		int partition;
	} gpus[] = {{"0000:01:00.0", NO_PARTITION},
		    {"0000:01:00.0", 0},
		    {"0000:01:00.0", 1},
		    {"0000:02:00.0", 0},
		    {"0000:02:00.0", 1},
		    {"0000:03:00.0", NO_PARTITION}};

	for (unsigned int i = 0; i < sizeof(gpus) / sizeof(gpus[0]); i++) {
		struct gpu *gpu = add_gpu(f);

		free(gpu->pci);
		gpu->pci = xstrdup(gpus[i].pci);
		gpu->partition = gpus[i].partition;
		gpu->index = i;
	}
}

Test(print, list_text_is_a_tree_of_gpus_and_their_partitions)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	static const char *const starts[] = {
		"INDEX  ", "amd:0  ", "  amd:1", "  amd:2",
		"-      ", "  amd:3", "  amd:4", "amd:5  ",
	};
	const char *line;

	add_partitions(&f);
	hold(&f, "0000:02:00.0/1", "web", true);
	line = print_list(&f, print_list_text);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		cr_assert_eq(strncmp(line, starts[i], strlen(starts[i])), 0, "%s",
			     f.text);
		line = strchr(line, '\n') + 1;
	}
	cr_expect_str_eq(line, "");
	/* The whole of it is held by who holds a part. */
	cr_expect(strstr(f.text,
			 "-        Radeon RX 7900 XTX  0000:02:00.0  amdgpu  0     "
			 "no: split into partitions; ask for devices=amd:3 and on  "
			 "web (exclusively)  -\n"),
		  "%s", f.text);
}

Test(print, list_text_has_one_line_for_nodes_that_nothing_uses)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	cleanup(json_decrefp) json_t *got = NULL;

	for (unsigned int i = 0; i < 5; i++) {
		struct gpu *gpu = add_gpu(&f);

		gpu->index = i;
		gpu->unusable_reason = i == 0 ? NULL : xstrdup("no partition uses it");
		if (i != 4) {
			free(gpu->pci);
			gpu->pci = NULL;
		}
		free(gpu->model);
		gpu->model = xasprintf("amdgpu_xcp_%u", i);
	}
	cr_expect_str_eq(
		print_list(&f, print_list_text),
		"INDEX           MODEL         PCI           DRIVER  NUMA  USABLE  "
		"                  HELD BY  NODES\n"
		"amd:0           amdgpu_xcp_0  -             amdgpu  0     yes     "
		"                  -        kfd dri/renderD128\n"
		"amd:1 to amd:3  -             -             amdgpu  -     no: no "
		"partition uses it  -        -\n"
		"amd:4           amdgpu_xcp_4  0000:c1:00.0  amdgpu  0     no: no "
		"partition uses it  -        kfd dri/renderD128\n");
	got = json_loads(print_list(&f, print_list_json), 0, NULL);
	cr_expect_eq(json_array_size(json_object_get(got, "gpus")), 5);
}

Test(print, list_json_says_the_parent_and_the_number_of_a_partition)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	cleanup(json_decrefp) json_t *got = NULL;
	const json_t *gpus;

	add_partitions(&f);
	got = json_loads(print_list(&f, print_list_json), 0, NULL);
	gpus = json_object_get(got, "gpus");
	/* The whole that is no GPU of the inventory is none in JSON either. */
	cr_assert_eq(json_array_size(gpus), 6);
	for (size_t i = 0; i < 6; i++) {
		const json_t *gpu = json_array_get(gpus, i);
		const json_t *parent = json_object_get(gpu, "parent");
		const json_t *partition = json_object_get(gpu, "partition");

		if (i == 0 || i == 5) {
			cr_expect(json_is_null(parent) && json_is_null(partition));
			continue;
		}
		cr_expect_str_eq(json_string_value(parent),
				 i < 3 ? "0000:01:00.0" : "0000:02:00.0");
		cr_expect_eq(json_integer_value(partition), (int)(i - 1) % 2);
	}
}

Test(print, list_text_of_an_empty_host_says_where_to_look)
{
	cleanup(fixture_clearp) struct fixture f = {0};

	print_list(&f, print_list_text);
	cr_expect_eq(strncmp(f.text, "no GPUs found\n", 14), 0, "%s", f.text);
	cr_expect(strstr(f.text, "lspci"), "%s", f.text);
	cr_expect(strstr(f.text, "/dev/dri"), "%s", f.text);
}

/* ---- output that does not take it -------------------------------------------------- */

Test(print, full_disk_is_an_error_in_every_form)
{
	cleanup(fixture_clearp) struct fixture f = {0};
	print_plan_fn *const plan_forms[] = {print_plan_json, print_plan_text};
	print_list_fn *const list_forms[] = {print_list_json, print_list_text};

	add_gpu(&f);
	ask(&f, "amd");
	plan_everything(&f);
	for (size_t i = 0; i < 2; i++) {
		FILE *out = fopen("/dev/full", "w");

		cr_assert_not_null(out);
		cr_expect_eq(plan_forms[i](out, &f.report, &f.err), -ENOSPC);
		cr_expect_str_eq(f.err.msg, "write output: No space left on device");
		(void)fclose(out);
		out = fopen("/dev/full", "w");
		cr_expect_eq(list_forms[i](out, &f.inv, &f.holders, &f.err), -ENOSPC);
		(void)fclose(out);
	}
}

Test(print, plan_shows_mounts_files_variables_and_groups_in_both_forms)
{
	cleanup(plan_clearp) struct plan plan = {0};
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};
	const struct verdicts verdicts = {0};
	struct plan_report report = {.spec = &spec, .verdicts = &verdicts, .plan = &plan};
	struct err err = {0};
	autofree char *json = NULL;
	autofree char *text = NULL;
	size_t size;
	FILE *out;

	cr_assert_eq(gpu_spec_parse("1", 1, &spec, &err), 0);
	cr_assert_eq(plan_add_mount(&plan, "/lib/a.so", "/run/x/a.so", MOUNT_FILE, &err),
		     0);
	cr_assert_eq(plan_add_mount(&plan, "/run/s", "/run/s", MOUNT_SOCKET, &err), 0);
	cr_assert_eq(plan_add_file(&plan, "/proc/p", "content", "p with A: 0", &err), 0);
	cr_assert_eq(plan_add_env(&plan, "A=1", &err), 0);
	cr_assert_eq(plan_add_gid(&plan, 104, &err), 0);

	out = open_memstream(&json, &size);
	cr_assert_eq(print_plan_json(out, &report, &err), 0);
	(void)fclose(out);
	cleanup(json_decrefp) json_t *got = json_loads(json, 0, NULL);
	cleanup(json_decrefp) json_t *want = json_loads(
		"{\"deviceNodes\": [], \"mounts\": ["
		"{\"hostPath\": \"/lib/a.so\", \"containerPath\": \"/run/x/a.so\","
		" \"options\": [\"ro\", \"nosuid\", \"nodev\", \"bind\"]},"
		"{\"hostPath\": \"/run/s\", \"containerPath\": \"/run/s\","
		" \"options\": [\"ro\", \"nosuid\", \"nodev\", \"noexec\", \"bind\"]}],"
		"\"env\": [\"A=1\"], \"additionalGids\": [104]}",
		0, NULL);
	cr_assert(want);
	cr_expect(json_equal(json_object_get(got, "containerEdits"), want), "%s", json);
	cr_expect_str_eq(
		json_string_value(json_object_get(
			json_array_get(json_object_get(got, "files"), 0), "source")),
		"p with A: 0");
	cr_expect(!strstr(json, "content\""), "the content is not shown: %s", json);

	out = open_memstream(&text, &size);
	cr_assert_eq(print_plan_text(out, &report, &err), 0);
	(void)fclose(out);
	cr_expect(strstr(text, "Mounts    /run/x/a.so from /lib/a.so\n"
			       "          /run/s from /run/s\n"),
		  "%s", text);
	cr_expect(strstr(text, "Files     /proc/p  p with A: 0\n"), "%s", text);
	cr_expect(strstr(text, "Process   A=1\n          group 104\n"), "%s", text);
}

Test(print, plan_shows_access_in_both_forms)
{
	cleanup(plan_clearp) struct plan plan = {0};
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};
	static char paths[3][8] = {"/dev/a", "/dev/b", "/dev/c"};
	char why[] = "cgroup '/x\033'";
	char hidden[] = "no right";
	struct node_access nodes[] = {
		{ACCESS_OPENS, NULL}, {ACCESS_CGROUP, why}, {ACCESS_UNSEEN, hidden}};
	const struct access access = {.pid = 7, .nodes = nodes, .n_nodes = 3};
	const struct verdicts verdicts = {0};
	struct plan_report report = {
		.spec = &spec, .verdicts = &verdicts, .plan = &plan, .access = &access};
	struct err err = {0};
	autofree char *json = NULL;
	autofree char *text = NULL;
	size_t size;
	FILE *out;

	cr_assert_eq(gpu_spec_parse("1", 1, &spec, &err), 0);
	for (uint32_t i = 0; i < 3; i++) {
		const struct device_node node = {
			.path = paths[i], .major = 1, .minor = i};

		cr_assert_eq(plan_add_node(&plan, &node, &err), 0);
	}
	out = open_memstream(&json, &size);
	cr_assert_eq(print_plan_json(out, &report, &err), 0);
	(void)fclose(out);
	cleanup(json_decrefp) json_t *got = json_loads(json, 0, NULL);
	cleanup(json_decrefp) json_t *want = json_loads(
		"{\"pid\": 7, \"nodes\": ["
		"{\"path\": \"/dev/a\", \"opens\": true, \"deniedBy\": null,"
		" \"reason\": null},"
		"{\"path\": \"/dev/b\", \"opens\": false, \"deniedBy\": \"cgroup\","
		" \"reason\": \"cgroup '/x\\u001b'\"},"
		"{\"path\": \"/dev/c\", \"opens\": null, \"deniedBy\": null,"
		" \"reason\": \"no right\"}]}",
		0, NULL);
	cr_assert(want);
	cr_expect(json_equal(json_object_get(got, "access"), want), "%s", json);

	out = open_memstream(&text, &size);
	cr_assert_eq(print_plan_text(out, &report, &err), 0);
	(void)fclose(out);
	cr_expect(strstr(text, "Access    /dev/a  opens              -\n"
			       "          /dev/b  no: device cgroup  cgroup '/x?'\n"
			       "          /dev/c  not seen           no right\n"),
		  "%s", text);
}
