/* SPDX-License-Identifier: Apache-2.0 */
/* test_gpu_spec.c - what the annotation may say, and what it means */

#include "model/gpu_spec.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* The text lies in a buffer of exactly its size, without a NUL behind it, so that
   AddressSanitizer sees a read beyond its end. */
static int parse_bytes(const char *text, size_t len, struct gpu_spec *ret,
		       struct err *err)
{
	char *exact = malloc(len ? len : 1);
	int r;

	cr_assert_not_null(exact);
	memcpy(exact, text, len);
	err->code = 0;
	err->msg[0] = '\0';
	r = gpu_spec_parse(len ? exact : exact + 1, len, ret, err);
	free(exact);
	cr_assert_eq(r, -err->code, "'%s': %d is not -%d", text, r, err->code);
	return r;
}

static struct gpu_spec accept(const char *text)
{
	struct gpu_spec spec = {0};
	struct err err;

	cr_assert_eq(parse_bytes(text, strlen(text), &spec, &err), 0,
		     "'%s' is refused: %s", text, err.msg);
	cr_assert_not_null(spec.vendor);
	return spec;
}

static void expect_refusal(const char *text, size_t len, int code,
			   const char *const *said, size_t n_said)
{
	struct gpu_spec spec = {.count = 77};
	struct err err;

	cr_assert_eq(parse_bytes(text, len, &spec, &err), -code,
		     "'%s' gives %d, not %d: %s", text, err.code, code, err.msg);
	cr_assert_eq(spec.count, 77, "'%s' is refused, but the result is touched", text);
	cr_assert_null(spec.vendor, "'%s' is refused, but the result is touched", text);
	cr_assert_null(strchr(err.msg, '\n'));
	for (size_t i = 0; i < n_said; i++) {
		cr_assert_not_null(strstr(err.msg, said[i]), "'%s': no \"%s\" in: %s",
				   text, said[i], err.msg);
	}
}

/* Refused with all these in the message. */
#define refuse(text, ...)                                         \
	do {                                                      \
		const char *const said_[] = {__VA_ARGS__};        \
		expect_refusal(text, strlen(text), EINVAL, said_, \
			       sizeof(said_) / sizeof(said_[0])); \
	} while (0)

static void expect(const char *text, const char *vendor, bool has_vendor, uint32_t count)
{
	struct gpu_spec spec = accept(text);

	cr_assert_str_eq(spec.vendor, vendor, "'%s': vendor %s", text, spec.vendor);
	cr_assert_eq(spec.has_vendor, has_vendor, "'%s'", text);
	cr_assert_not(spec.is_all, "'%s'", text);
	cr_assert_eq(spec.count, count, "'%s': count %u", text, spec.count);
	cr_assert_eq(gpu_spec_is_request(&spec), count > 0, "'%s'", text);
	cr_assert_eq(spec.n_devices, 0, "'%s'", text);
	gpu_spec_clear(&spec);
}

static void expect_all(const char *text, const char *vendor, bool has_vendor)
{
	struct gpu_spec spec = accept(text);

	cr_assert_str_eq(spec.vendor, vendor, "'%s': vendor %s", text, spec.vendor);
	cr_assert_eq(spec.has_vendor, has_vendor, "'%s'", text);
	cr_assert(spec.is_all, "'%s'", text);
	cr_assert_eq(spec.count, 0, "'%s'", text);
	cr_assert(gpu_spec_is_request(&spec), "'%s'", text);
	gpu_spec_clear(&spec);
}

/* Expects the devices joined by blanks. */
static void expect_devices(const char *text, const char *joined)
{
	struct gpu_spec spec = accept(text);
	char found[20000] = "";

	for (size_t i = 0; i < spec.n_devices; i++) {
		strcat(found, i ? " " : "");
		strcat(found, spec.devices[i]);
	}
	cr_assert_str_eq(found, joined, "'%s': %s", text, found);
	cr_assert_eq(spec.count, spec.n_devices, "'%s'", text);
	gpu_spec_clear(&spec);
}

#define BIT(capability) (1U << GPU_CAPABILITY_##capability)

static void expect_capabilities(const char *text, uint32_t wanted, bool has_capabilities)
{
	struct gpu_spec spec = accept(text);

	cr_assert_eq(spec.capabilities, wanted, "'%s': %x", text, spec.capabilities);
	cr_assert_eq(spec.has_capabilities, has_capabilities, "'%s'", text);
	for (int i = 0; i < GPU_CAPABILITY_COUNT; i++) {
		cr_assert_eq(gpu_spec_has_capability(&spec, (enum gpu_capability)i),
			     (wanted >> i & 1) == 1, "'%s': %s", text,
			     gpu_capability_names[i]);
	}
	gpu_spec_clear(&spec);
}

/* ---- defaults, life cycle ---------------------------------------------------------- */

Test(gpu_spec, empty_object_asks_for_one_gpu_of_the_default_vendor)
{
	struct gpu_spec spec = accept("{}");

	cr_assert_eq(spec.count, 1);
	cr_assert_not(spec.is_all);
	cr_assert_str_eq(spec.vendor, "nvidia");
	cr_assert_not(spec.has_vendor);
	cr_assert_null(spec.mode);
	cr_assert_null(spec.devices);
	cr_assert_eq(spec.n_devices, 0);
	cr_assert_null(spec.model);
	cr_assert_eq(spec.sharing, GPU_SHARING_SHARED);
	cr_assert_eq(spec.capabilities, BIT(COMPUTE) | BIT(UTILITY));
	cr_assert_not(spec.has_capabilities);
	gpu_spec_clear(&spec);
}

Test(gpu_spec, clear_leaves_nothing_and_may_be_repeated)
{
	struct gpu_spec spec = accept("vendor=amd;devices=0+2;model=MI300;mode=vm");

	gpu_spec_clear(&spec);
	cr_assert_null(spec.vendor);
	cr_assert_null(spec.devices);
	cr_assert_eq(spec.n_devices, 0);
	gpu_spec_clear(&spec);
}

Test(gpu_spec, names_are_those_of_the_contract)
{
	cr_assert_str_eq(gpu_sharing_names[GPU_SHARING_SHARED], "shared");
	cr_assert_str_eq(gpu_sharing_names[GPU_SHARING_EXCLUSIVE], "exclusive");
	cr_assert_str_eq(gpu_capability_names[GPU_CAPABILITY_COMPUTE], "compute");
	cr_assert_str_eq(gpu_capability_names[GPU_CAPABILITY_UTILITY], "utility");
	cr_assert_str_eq(gpu_capability_names[GPU_CAPABILITY_VIDEO], "video");
	cr_assert_str_eq(gpu_capability_names[GPU_CAPABILITY_GRAPHICS], "graphics");
	cr_assert_str_eq(gpu_capability_names[GPU_CAPABILITY_DISPLAY], "display");
}

/* ---- the table of the contract ----------------------------------------------------- */

Test(gpu_spec, zero_is_no_request)
{
	expect("0", "nvidia", false, 0);
	expect("amd:0", "amd", true, 0);
	expect("{\"count\":0}", "nvidia", false, 0);
	expect("count=0", "nvidia", false, 0);
}

Test(gpu_spec, empty_and_words_for_nothing_are_refused_with_advice)
{
	static const char *const empty[] = {"", " ", " \t\r\n "};
	static const char *const words[] = {"none", "null", "None", "NULL",
					    "no",   "off",  "false"};

	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		refuse(empty[i], "empty", "write 0 to ask for no GPU",
		       "leave the annotation");
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		refuse(words[i], "character 1:", "write 0 to ask for no GPU",
		       "leave the annotation");
	}
	refuse("none:1", "character 1:", "write 0");
	refuse("vendor=none", "character 8:", "write 0");
	refuse("{\"vendor\":null}", "field \"vendor\"");
	refuse("{\"vendor\":\"\"}", "field \"vendor\"");
}

Test(gpu_spec, words_for_something_are_no_vendors)
{
	refuse("true", "character 1:", "VENDOR:NUMBER");
	refuse("yes", "character 1:", "VENDOR:NUMBER");
	refuse("ON", "character 1:", "VENDOR:NUMBER");
	refuse("any", "character 1:", "VENDOR:NUMBER");
	refuse("Auto:2", "character 1:", "VENDOR:NUMBER");
	refuse("vendor=gpu", "character 8:", "VENDOR:NUMBER");
	refuse("gpus:all", "character 1:", "VENDOR:NUMBER");
	refuse("CUDA", "character 1:", "write the vendor as `oci-gpu-hook list`");
	refuse("rocm:1", "character 1:", "write the vendor as `oci-gpu-hook list`");
	refuse("exclusive", "character 1:", "as sharing=exclusive");
	refuse("shared:1", "character 1:", "as sharing=exclusive");
	expect("{\"vendor\":\"any\"}", "any", true, 1);
	expect("anyx", "anyx", true, 1);
}

Test(gpu_spec, one_gpu_of_the_default_vendor)
{
	expect("1", "nvidia", false, 1);
	expect("nvidia", "nvidia", true, 1);
	expect("{\"vendor\":\"nvidia\"}", "nvidia", true, 1);
	expect("2", "nvidia", false, 2);
}

Test(gpu_spec, all_is_accepted_in_each_form)
{
	expect_all("all", "nvidia", false);
	expect_all("amd:all", "amd", true);
	expect_all("count=all", "nvidia", false);
	expect_all("vendor=amd;count=all", "amd", true);
	expect_all("{\"count\":\"all\"}", "nvidia", false);
	expect_all("{\"count\":\"all\",\"vendor\":\"intel\"}", "intel", true);
}

Test(gpu_spec, all_in_another_place_or_case_is_refused)
{
	refuse("all:2", "character 4:", "VENDOR:all");
	refuse("all;2", "character 4:", "VENDOR:all");
	refuse("ALL", "character 1:", "lower case");
	refuse("amd:ALL", "character 5:");
	refuse("amd:all2", "character 5:");
	refuse("vendor=all", "character 8:", "count=all");
	refuse("count=All", "character 7:");
	refuse("{\"count\":\"All\"}", "field \"count\"", "\"all\"");
}

Test(gpu_spec, largest_count_is_accepted_and_the_next_refused)
{
	expect("4294967295", "nvidia", false, 4294967295U);
	expect("amd:4294967295", "amd", true, 4294967295U);
	expect("{\"count\":4294967295}", "nvidia", false, 4294967295U);
	refuse("4294967296", "character 1:", "4294967295");
	refuse("amd:4294967296", "character 5:", "4294967295");
	refuse("amd:99999999999999999999999", "character 5:", "4294967295");
	refuse("{\"count\":4294967296}", "field \"count\"", "4294967295");
	refuse("{\"count\":18446744073709551616}", "line 1");
}

Test(gpu_spec, vendors_become_lower_case)
{
	expect("AMD", "amd", true, 1);
	expect("Amd:1", "amd", true, 1);
	expect("vendor=VirtIO_GPU", "virtio_gpu", true, 1);
	expect("{\"vendor\":\"AMD\"}", "amd", true, 1);
	expect("{\"vendor\":\"A-Z_09\"}", "a-z_09", true, 1);
}

Test(gpu_spec, unknown_vendors_are_accepted)
{
	expect("nvdia", "nvdia", true, 1);
	expect("foo:3", "foo", true, 3);
	expect("v3d", "v3d", true, 1);
	expect("{\"vendor\":\"foo\"}", "foo", true, 1);
}

Test(gpu_spec, a_vendor_in_json_that_is_no_name_is_kept_as_written)
{
	expect("{\"vendor\":\"Foo Bar\"}", "Foo Bar", true, 1);
	expect("{\"vendor\":\"\\u00c4MD\"}", "\xc3\x84MD", true, 1);
	expect("{\"vendor\":\"2\"}", "2", true, 1);
}

Test(gpu_spec, blanks_around_are_trimmed)
{
	expect(" amd:1 ", "amd", true, 1);
	expect("\t\r\n 2\n", "nvidia", false, 2);
	expect(" \n{ \"count\" : 2 }\t ", "nvidia", false, 2);
	expect(" vendor=amd ", "amd", true, 1);
}

Test(gpu_spec, blanks_inside_are_refused_at_their_position)
{
	refuse("amd : 1", "character 4:", "blank");
	refuse("amd: 1", "character 5:", "blank");
	refuse("  amd :1", "character 6:", "blank");
	refuse("1 2", "character 2:", "blank");
	refuse("all all", "character 4:", "blank");
	refuse("count =1", "character 6:", "blank");
	refuse("count= 1", "character 7:", "blank");
	refuse("count=1 ;vendor=amd", "character 8:", "blank");
	refuse("count=1; vendor=amd", "character 9:", "blank");
	refuse("count=1\n;vendor=amd", "character 8:", "blank");
	refuse("devices=0 +1", "character 10:", "blank");
	refuse("devices=\"0, 1\"", "character 12:", "blank");
	refuse("sharing= shared", "character 9:");
}

Test(gpu_spec, other_spellings_of_numbers_are_refused_at_their_position)
{
	refuse("01", "character 1:", "0");
	refuse("00", "character 1:", "0");
	refuse("+1", "character 1:", "'+'");
	refuse("-1", "character 1:", "'-'");
	refuse("-0", "character 1:", "'-'");
	refuse("1.0", "character 2:", "'.'");
	refuse("1e3", "character 2:", "'e'");
	refuse("0x10", "character 2:", "'x'");
	refuse("1;2", "character 2:", "';'");
	refuse("1:amd", "character 2:", "':'");
	refuse("amd:01", "character 5:");
	refuse("amd:-1", "character 5:");
	refuse("amd:1.5", "character 6:");
	refuse("count=007", "character 7:");
	refuse("count=1x;vendor=amd", "character 8:");
}

Test(gpu_spec, misshapen_short_forms_are_refused_at_their_position)
{
	refuse("amd:", "character 5:", "ends here");
	refuse("  amd:  ", "character 7:", "ends here");
	refuse(":2", "character 1:", "VENDOR:NUMBER");
	refuse(":", "character 1:");
	refuse("amd;1", "character 4:", "vendor=VENDOR;count=NUMBER");
	refuse("nvidia:1;capabilities=graphics", "character 9: ';' ",
	       "; write vendor=nvidia;count=1;...");
	refuse("amd:all,model=x", "character 8: ',' ",
	       "; write vendor=amd;count=all;...");
	refuse("all;model=x", "character 4: ';' ", "; write count=all;...");
	refuse(" 2;vendor=amd", "character 3: ';' ", "; write count=2;...");
	refuse("amd:x;model=x", "character 5:", "write all, or");
	refuse("0,2", "character 2:", "write all, or");
	refuse("amd:1;", "character 6:", "write all, or");
	refuse("amd,1", "character 4:");
	refuse("amd;count=1", "character 4:");
	refuse("amd:1;sharing=exclusive", "character 6:");
	refuse("amd:1:1", "character 6:");
	refuse("amd:x", "character 5:");
	refuse("amd.x", "character 4:");
	refuse("amd\xc3\xa9", "character 4:", "'?'");
	refuse(";", "character 1:");
	refuse(",", "character 1:");
	refuse("=", "character 1:");
	refuse("_amd", "character 1:");
	refuse("[1,\"amd\"]", "character 1:", "JSON object");
	refuse("\"amd\"", "character 1:", "JSON object");
	refuse("'amd'", "character 1:");
}

/* ---- key=value pairs --------------------------------------------------------------- */

Test(gpu_spec, pairs_are_joined_by_semicolons_or_commas)
{
	expect("vendor=amd;count=2", "amd", true, 2);
	expect("vendor=amd,count=2", "amd", true, 2);
	expect("count=2;vendor=amd", "amd", true, 2);
	expect("count=2,vendor=amd;mode=vm", "amd", true, 2);
	expect("count=2", "nvidia", false, 2);
	expect("vendor=amd", "amd", true, 1);
}

Test(gpu_spec, misshapen_pairs_are_refused_at_their_position)
{
	refuse("count=1;", "character 9:", "ends here; leave out the last ';'");
	refuse("vendor=amd,", "character 12:", "ends here; leave out the last ','");
	refuse("count=1,", "character 9:", "ends here");
	refuse(";count=1", "character 1:");
	refuse("count=1;;vendor=amd", "character 9:");
	refuse("count=", "character 7:", "ends here");
	refuse("count=;vendor=amd", "character 7:", "';'");
	refuse("vendor=", "character 8:", "ends here");
	refuse("vendor=;count=1", "character 8:");
	refuse("vendor=2", "character 8:");
	refuse("vendor=a=b", "character 9:");
	refuse("vendor=\"amd\"", "character 8:");
	refuse("count=1;amd", "character 12:");
	refuse("count=1;=2", "character 9:");
	refuse("count=1;2=2", "character 9:");
	refuse("count=1:vendor=amd", "character 8:");
	refuse("mode=", "character 6:");
	refuse("mode=a b", "character 7:");
}

Test(gpu_spec, repeated_keys_are_refused_at_the_second)
{
	refuse("count=1;count=2", "character 9:", "count is given twice");
	refuse("count=1;count=1", "character 9:");
	refuse("vendor=amd,count=1,vendor=amd", "character 20:", "vendor");
	refuse("devices=0;devices=1", "character 11:", "devices");
	refuse("model=a;model=b", "character 9:", "model");
	refuse("mode=vm;mode=vm", "character 9:", "mode");
}

Test(gpu_spec, unknown_keys_are_refused_with_the_known_ones)
{
	refuse("foo=1", "character 1:", "unknown key 'foo'", "capabilities", "sharing");
	refuse("Count=1", "character 1:", "unknown key 'Count'");
	refuse("vendor=amd;counts=2", "character 12:", "unknown key 'counts'");
	refuse("index=0;foo=1", "unknown key 'index'");
	refuse("cou=1", "unknown key 'cou'");
}

/* ---- mode -------------------------------------------------------------------------- */

Test(gpu_spec, mode_is_kept_as_written)
{
	struct gpu_spec spec = accept("{\"mode\":\"Anything at all\"}");

	cr_assert_str_eq(spec.mode, "Anything at all");
	gpu_spec_clear(&spec);
	spec = accept("{\"mode\":\"\"}");
	cr_assert_str_eq(spec.mode, "");
	gpu_spec_clear(&spec);
	spec = accept("{\"mode\":null}");
	cr_assert_null(spec.mode);
	gpu_spec_clear(&spec);
	spec = accept("vendor=apple;mode=native");
	cr_assert_str_eq(spec.mode, "native");
	gpu_spec_clear(&spec);
}

Test(gpu_spec, mode_of_another_type_is_refused)
{
	refuse("{\"mode\":1}", "field \"mode\"", "string or null");
	refuse("{\"mode\":false}", "field \"mode\"");
	refuse("{\"mode\":[]}", "field \"mode\"");
}

/* ---- devices ----------------------------------------------------------------------- */

Test(gpu_spec, devices_are_kept_in_order_and_counted)
{
	expect_devices("devices=0", "0");
	expect_devices("vendor=amd;devices=2+0", "2 0");
	expect_devices("devices=\"0,2\"", "0 2");
	expect_devices("devices=\"0\"", "0");
	expect_devices("devices=\"0,2\",vendor=amd", "0 2");
	expect_devices("devices=0+2,vendor=amd", "0 2");
	expect_devices("devices=renderD129", "renderD129");
	expect_devices("devices=0000:c1:00.0+GPU-0a1b_c", "0000:c1:00.0 GPU-0a1b_c");
	expect_devices("{\"devices\":[\"0000:c1:00.0\",0,4294967295]}",
		       "0000:c1:00.0 0 4294967295");
}

Test(gpu_spec, devices_do_not_set_a_vendor)
{
	struct gpu_spec spec = accept("devices=renderD129");

	cr_assert_not(spec.has_vendor);
	cr_assert_str_eq(spec.vendor, "nvidia");
	cr_assert(gpu_spec_is_request(&spec));
	gpu_spec_clear(&spec);
}

Test(gpu_spec, devices_and_count_exclude_each_other)
{
	refuse("devices=0;count=2", "character 11:", "exclude each other");
	refuse("count=1;devices=0", "character 9:", "exclude each other");
	refuse("devices=0;count=1", "exclude each other");
	refuse("{\"devices\":[\"0\"],\"count\":1}", "exclude each other");
	refuse("{\"count\":\"all\",\"devices\":[\"0\"]}", "exclude each other");
}

Test(gpu_spec, empty_lists_and_items_are_refused_at_their_position)
{
	refuse("devices=", "character 9:", "ends here");
	refuse("devices=;vendor=amd", "character 9:");
	refuse("devices=\"\"", "character 10:");
	refuse("devices=+0", "character 9:");
	refuse("devices=0+", "character 11:", "ends here");
	refuse("devices=0++1", "character 11:");
	refuse("devices=\"0,\"", "character 12:");
	refuse("devices=\"0", "character 11:", "closing");
	refuse("devices=\"0+2\"", "character 11:", "','");
	refuse("devices=\"0\"1", "character 12:");
	refuse("devices=0\"", "character 10:");
	refuse("devices=0,2", "character 11:", "joined by '+'");
	refuse("devices=0/1", "character 9:", "no path");
	refuse("devices=/dev/dri/renderD129", "character 9:", "no path", "as renderD129");
	refuse("devices=0+dri/card1;vendor=amd", "character 11:", "no path");
	refuse("devices=/", "character 9:", "no path");
	refuse("{\"devices\":[\"/dev/dri/renderD129\"]}", "devices[0]", "no path");
	refuse("devices=all", "character 9:", "VENDOR:all");
	refuse("{\"devices\":[\"ALL\"]}", "devices[0]", "VENDOR:all");
	refuse("devices=0-1", "character 9:", "no ranges", "devices=0+1");
	refuse("{\"devices\":[1,\"10-12\"]}", "devices[1]", "no ranges", "[0, 1]");
	expect_devices("devices=0-1-2", "0-1-2");
	expect_devices("devices=0-", "0-");
	expect_devices("devices=allx", "allx");
	refuse("{\"devices\":[]}", "field \"devices\"", "not empty");
	refuse("{\"devices\":[\"\"]}", "field \"devices[0]\"");
}

Test(gpu_spec, a_device_listed_twice_is_refused)
{
	refuse("devices=0+0", "character 11:", "twice");
	refuse("devices=1+0000:C1:00.0+0000:c1:00.0", "character 24:", "twice");
	refuse("{\"devices\":[\"0\",\"0\"]}", "field \"devices[1]\"", "twice");
	refuse("{\"devices\":[0,\"0\"]}", "field \"devices[1]\"", "twice");
}

Test(gpu_spec, json_devices_of_another_shape_are_refused)
{
	refuse("{\"devices\":null}", "field \"devices\"");
	refuse("{\"devices\":\"0\"}", "field \"devices\"");
	refuse("{\"devices\":0}", "field \"devices\"");
	refuse("{\"devices\":{}}", "field \"devices\"");
	refuse("{\"devices\":[1.0]}", "field \"devices[0]\"");
	refuse("{\"devices\":[0,null]}", "field \"devices[1]\"");
	refuse("{\"devices\":[[0]]}", "field \"devices[0]\"");
	refuse("{\"devices\":[-1]}", "'-'");
	refuse("{\"devices\":[4294967296]}", "field \"devices[0]\"");
	refuse("{\"devices\":[\"a b\"]}", "field \"devices[0]\"", "letters, digits");
	refuse("{\"devices\":[\"../x\"]}", "field \"devices[0]\"");
	refuse("{\"devices\":[\"\\u00e9\"]}", "field \"devices[0]\"");
}

Test(gpu_spec, a_device_id_has_at_most_64_characters)
{
	char text[128];
	const char *const said[] = {"character 9:", "1 to 64"};

	snprintf(text, sizeof(text), "devices=%064d", 7);
	expect_devices(text, text + strlen("devices="));
	snprintf(text, sizeof(text), "devices=%065d", 7);
	expect_refusal(text, strlen(text), EINVAL, said, 2);
	snprintf(text, sizeof(text), "{\"devices\":[\"%065d\"]}", 7);
	refuse(text, "field \"devices[0]\"", "1 to 64");
}

/* "devices=0+1+...", or the same as JSON. */
static char *list_devices(const char *start, const char *separator, const char *end,
			  unsigned int n)
{
	char *text = calloc(1, 4096);
	size_t used;

	cr_assert_not_null(text);
	strcpy(text, start);
	for (unsigned int i = 0; i < n; i++) {
		used = strlen(text);
		snprintf(text + used, 4096 - used, "%s%u", i ? separator : "", i);
	}
	return strcat(text, end);
}

Test(gpu_spec, at_most_256_devices_are_accepted)
{
	static const char *const forms[][3] = {
		{"devices=", "+", ""},
		{"devices=\"", ",", "\""},
		{"{\"devices\":[", ",", "]}"},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char *text = list_devices(forms[i][0], forms[i][1], forms[i][2], 256);
		struct gpu_spec spec = accept(text);

		cr_assert_eq(spec.n_devices, 256);
		cr_assert_eq(spec.count, 256);
		cr_assert_str_eq(spec.devices[255], "255");
		gpu_spec_clear(&spec);
		free(text);
		text = list_devices(forms[i][0], forms[i][1], forms[i][2], 257);
		refuse(text, "more than 256 devices");
		free(text);
	}
}

/* ---- model, sharing, capabilities -------------------------------------------------- */

static void expect_model(const char *text, const char *model)
{
	struct gpu_spec spec = accept(text);

	cr_assert_not_null(spec.model, "'%s'", text);
	cr_assert_str_eq(spec.model, model, "'%s': %s", text, spec.model);
	gpu_spec_clear(&spec);
}

Test(gpu_spec, model_is_kept_as_written_with_blanks_inside)
{
	expect_model("model=MI300X", "MI300X");
	expect_model("model=GeForce RTX 4090;count=2", "GeForce RTX 4090");
	expect_model("count=2,model=Arc+ (TM)", "Arc+ (TM)");
	expect_model(" model=a b ", "a b");
	expect_model("{\"model\":\" a=b;c,\\u00e9 \"}", " a=b;c,\xc3\xa9 ");
}

Test(gpu_spec, a_model_the_short_form_cannot_hold_is_refused_at_its_position)
{
	refuse("model=", "character 7:", "empty");
	refuse("model=;count=1", "character 7:", "empty");
	refuse("model= a", "character 7:", "blank");
	refuse("model=a ;count=1", "character 8:", "blank");
	refuse("model=a count=1", "character 14:", "'='");
	refuse("model=\"a\"", "character 7:");
	refuse("model=a\tb", "character 8:", "blank");
	refuse("model=a\x7f", "character 8:");
	refuse("model=a\xc3\xa9", "character 8:", "JSON");
}

Test(gpu_spec, a_model_in_json_is_a_string_that_is_not_empty)
{
	refuse("{\"model\":\"\"}", "field \"model\"", "empty");
	refuse("{\"model\":null}", "field \"model\"", "string");
	refuse("{\"model\":4090}", "field \"model\"", "string");
}

Test(gpu_spec, a_model_has_at_most_256_bytes)
{
	char model[258];
	char text[300];

	memset(model, 'x', sizeof(model));
	model[256] = '\0';
	snprintf(text, sizeof(text), "model=%s", model);
	expect_model(text, model);
	snprintf(text, sizeof(text), "{\"model\":\"%s\"}", model);
	expect_model(text, model);
	snprintf(text, sizeof(text), "model=%sx", model);
	refuse(text, "character 7:", "256");
	snprintf(text, sizeof(text), "{\"model\":\"%sx\"}", model);
	refuse(text, "field \"model\"", "256");
}

Test(gpu_spec, sharing_is_shared_or_exclusive)
{
	static const struct {
		const char *text;
		enum gpu_sharing sharing;
	} rows[] = {
		{"sharing=shared", GPU_SHARING_SHARED},
		{"vendor=amd;sharing=exclusive", GPU_SHARING_EXCLUSIVE},
		{"{\"sharing\":\"shared\"}", GPU_SHARING_SHARED},
		{"{\"sharing\":\"exclusive\"}", GPU_SHARING_EXCLUSIVE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gpu_spec spec = accept(rows[i].text);

		cr_assert_eq(spec.sharing, rows[i].sharing, "'%s'", rows[i].text);
		gpu_spec_clear(&spec);
	}
	refuse("sharing=", "character 9:", "shared or exclusive");
	refuse("sharing=Shared", "character 9:", "shared or exclusive");
	refuse("sharing=mine;count=1", "character 9:", "shared or exclusive");
	refuse("{\"sharing\":\"mine\"}", "field \"sharing\"", "shared or exclusive");
	refuse("{\"sharing\":null}", "field \"sharing\"", "shared or exclusive");
	refuse("{\"sharing\":true}", "field \"sharing\"", "shared or exclusive");
}

Test(gpu_spec, capabilities_asked_for_replace_the_default)
{
	expect_capabilities("1", BIT(COMPUTE) | BIT(UTILITY), false);
	expect_capabilities("capabilities=compute", BIT(COMPUTE), true);
	expect_capabilities("capabilities=video+display", BIT(VIDEO) | BIT(DISPLAY),
			    true);
	expect_capabilities("capabilities=\"graphics,utility\"",
			    BIT(GRAPHICS) | BIT(UTILITY), true);
	expect_capabilities("{\"capabilities\":[\"display\"]}", BIT(DISPLAY), true);
	expect_capabilities("{\"capabilities\":[\"compute\",\"utility\",\"video\","
			    "\"graphics\",\"display\"]}",
			    (1U << GPU_CAPABILITY_COUNT) - 1, true);
}

Test(gpu_spec, other_capabilities_are_refused_with_the_names)
{
	refuse("capabilities=", "character 14:");
	refuse("capabilities=all", "character 14:", "compute, utility");
	refuse("capabilities=Compute", "character 14:");
	refuse("capabilities=compute+gpu", "character 22:", "compute, utility");
	refuse("capabilities=compute+compute", "character 22:", "twice");
	refuse("capabilities=compute,utility", "character 29:", "joined by '+'");
	refuse("{\"capabilities\":[]}", "field \"capabilities\"", "not empty");
	refuse("{\"capabilities\":null}", "field \"capabilities\"");
	refuse("{\"capabilities\":\"compute\"}", "field \"capabilities\"");
	refuse("{\"capabilities\":[\"gpu\"]}", "field \"capabilities[0]\"");
	refuse("{\"capabilities\":[\"video\",1]}", "field \"capabilities[1]\"");
	refuse("{\"capabilities\":[\"video\",\"video\"]}", "field \"capabilities[1]\"",
	       "twice");
}

/* ---- JSON: what serde_json refuses, and more --------------------------------------- */

Test(gpu_spec, json_spelled_otherwise_is_the_same)
{
	expect("{\"count\":2,\"vendor\":\"amd\",\"mode\":null}", "amd", true, 2);
	expect("\r\n{\t\"vendor\"\n:\"amd\" , \"count\":2 }", "amd", true, 2);
	expect("{\"\\u0063ount\":2,\"vendor\":\"\\u0061md\"}", "amd", true, 2);
	expect("{\"vendor\":\"amd\",\"mode\":\"a-b \\\"-\\\" \\ud83d\\ude00\"}", "amd",
	       true, 1);
}

Test(gpu_spec, json_count_that_is_no_u32_is_refused)
{
	static const char *const counts[] = {"null", "true", "\"1\"", "\"\"",
					     "1.0",  "1.5",  "1e0",   "1E2",
					     "[]",   "[1]",  "{}"};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "{\"count\":%s}", counts[i]);
		refuse(text, "field \"count\"", "0 to 4294967295");
	}
}

Test(gpu_spec, a_minus_outside_of_a_string_is_refused)
{
	refuse("{\"count\":-0}", "byte 10:", "0 to 4294967295");
	refuse("{\"count\":-1}", "byte 10:");
	refuse("{\"count\":1e-2}", "byte 12:");
	refuse("{\"mode\":\"\\\"-\",\"count\":-0}", "byte 23:");
}

Test(gpu_spec, json_that_is_no_json_is_refused_with_line_and_column)
{
	static const char *const texts[] = {
		"{",
		"{]",
		"{\"count\"}",
		"{\"count\":}",
		"{\"count\":1,}",
		"{'count':1}",
		"{count:1}",
		"{\"count\":01}",
		"{\"count\":+1}",
		"{\"count\":1}x",
		"{\"count\":1}{}",
		"{}0",
		"{\"count\":1 \"vendor\":\"amd\"}",
		"{\"count\":1}//",
		"{\"mode\":\"a\tb\"}",
		"{\"mode\":\"a\nb\"}",
		"{\"mode\":\"\x01\"}",
		"{\"mode\":\"\\x\"}",
		"{\"mode\":\"\\ud800\"}",
		"{\"mode\":\"\\udc00\"}",
		"{\"mode\":\"\\ud800\\u0061\"}",
		"{\"mode\":\"\xff\"}",
		"{\"mode\":\"\xc0\xaf\"}",
		"{\"mode\":\"\xed\xa0\x80\"}",
		"{\"mode\":\"\\u0000\"}",
		"{\"mo\\u0000de\":\"x\"}",
		"{\"count\":NaN}",
		"{\"count\":1e400}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		refuse(texts[i], "line ", "column ", "JSON object");
	}
	refuse("{\n \"count\":1,\n \"count\":1}", "line 3");
}

Test(gpu_spec, a_repeated_field_is_refused)
{
	refuse("{\"count\":1,\"count\":1}", "duplicate", "count");
	refuse("{\"mode\":null,\"mode\":null}", "duplicate", "mode");
	refuse("{\"count\":1,\"\\u0063ount\":2}", "duplicate");
}

Test(gpu_spec, an_unknown_field_is_refused_with_the_known_ones)
{
	refuse("{\"foo\":1}", "unknown field \"foo\"", "count", "capabilities");
	refuse("{\"Count\":1}", "unknown field \"Count\"");
	refuse("{\"\":1}", "unknown field \"\"");
	refuse("{\"count\":1,\"foo\":null}", "unknown field \"foo\"");
}

Test(gpu_spec, another_top_level_type_is_refused)
{
	refuse("[]", "character 1:", "JSON object");
	refuse("\"all\"", "character 1:", "JSON object");
	refuse("[{\"count\":1}]", "character 1:", "JSON object");
}

Test(gpu_spec, vendor_of_another_type_is_refused)
{
	refuse("{\"vendor\":1}", "field \"vendor\"", "string");
	refuse("{\"vendor\":[\"amd\"]}", "field \"vendor\"");
	refuse("{\"vendor\":true}", "field \"vendor\"");
}

/* @depth levels, the object around them included. */
static void nest(char *text, size_t depth)
{
	strcpy(text, "{\"mode\":");
	for (size_t i = 1; i < depth; i++) {
		strcat(text, "[");
	}
	for (size_t i = 1; i < depth; i++) {
		strcat(text, "]");
	}
	strcat(text, "}");
}

Test(gpu_spec, json_deeper_than_the_limit_is_too_big)
{
	const char *const said[] = {"byte 72:", "64 levels"};
	char text[4 * LIMIT_JSON_DEPTH];

	nest(text, LIMIT_JSON_DEPTH);
	refuse(text, "field \"mode\"");
	nest(text, LIMIT_JSON_DEPTH + 1);
	expect_refusal(text, strlen(text), E2BIG, said, 2);
}

Test(gpu_spec, brackets_in_strings_are_not_levels)
{
	char text[4 * LIMIT_JSON_DEPTH] = "{\"mode\":\"\\\"";
	struct gpu_spec spec;

	memset(text + strlen(text), '[', 2 * LIMIT_JSON_DEPTH);
	strcat(text, "\"}");
	spec = accept(text);
	cr_assert_eq(strlen(spec.mode), 2 * LIMIT_JSON_DEPTH + 1);
	gpu_spec_clear(&spec);
}

Test(gpu_spec, brackets_side_by_side_are_one_level)
{
	char text[8 * LIMIT_JSON_DEPTH] = "{\"devices\":[";

	for (size_t i = 0; i < 2 * LIMIT_JSON_DEPTH; i++) {
		strcat(text, "{},");
	}
	strcat(text, "{}]}");
	refuse(text, "field \"devices[0]\"");
}

/* ---- any bytes --------------------------------------------------------------------- */

Test(gpu_spec, a_nul_is_refused_at_its_position)
{
	static const char in_short[] = "amd\0:1";
	static const char in_json[] = "{\"mode\":\"a\0b\"}";
	static const char at_end[] = "{}\0";
	const char *const said_4[] = {"character 4:", "NUL"};
	const char *const said_11[] = {"character 11:", "NUL"};
	const char *const said_3[] = {"character 3:", "NUL"};

	expect_refusal(in_short, sizeof(in_short) - 1, EINVAL, said_4, 2);
	expect_refusal(in_json, sizeof(in_json) - 1, EINVAL, said_11, 2);
	expect_refusal(at_end, sizeof(at_end) - 1, EINVAL, said_3, 2);
}

Test(gpu_spec, more_than_64_kib_is_too_big)
{
	const size_t max = 64 * 1024;
	const char *const said[] = {"65537 bytes", "65536"};
	char *text = malloc(max + 2);
	struct gpu_spec spec;

	cr_assert_not_null(text);
	memset(text, ' ', max + 1);
	text[max] = '\0';
	text[0] = '3';
	spec = accept(text);
	cr_assert_eq(spec.count, 3);
	gpu_spec_clear(&spec);
	text[max] = ' ';
	text[max + 1] = '\0';
	expect_refusal(text, max + 1, E2BIG, said, 2);
	free(text);
}

Test(gpu_spec, messages_quote_no_more_than_40_bytes_and_only_printable_ones)
{
	struct gpu_spec spec = {0};
	struct err err;
	char text[9000];

	memset(text, 'v', sizeof(text));
	text[sizeof(text) - 1] = '=';
	cr_assert_eq(parse_bytes(text, sizeof(text), &spec, &err), -EINVAL);
	cr_assert_lt(strlen(err.msg), 300, "%s", err.msg);
	cr_assert_not_null(strstr(err.msg, "parse 'vvv"));
	cr_assert_not_null(strstr(err.msg, "vvv...'"));
	cr_assert_eq(parse_bytes("\x1b[31m\x9b;\xe2\x80\xae", 9, &spec, &err), -EINVAL);
	for (const char *c = err.msg; *c; c++) {
		cr_assert(*c >= 0x20 && *c < 0x7f, "byte %02x", (unsigned char)*c);
	}
}

/* Every prefix of every form, in a buffer of its own: for AddressSanitizer. */
Test(gpu_spec, no_prefix_reads_beyond_its_end)
{
	static const char *const texts[] = {
		"vendor=amd;devices=\"0,renderD128\",sharing=exclusive,model=RTX 4090",
		"capabilities=compute+utility;mode=vm;count=12",
		"amd:all",
		" 4294967295 ",
		"{\"vendor\":\"amd\",\"devices\":[\"0\",1],\"mode\":\"\\ud83d\\ude00\\\\\"}",
		"{\"model\":\"\xf0\x9f\x98\x80\",\"capabilities\":[\"compute\"]}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			struct gpu_spec spec = {0};
			struct err err;

			if (parse_bytes(texts[i], len, &spec, &err) < 0) {
				cr_assert_eq(err.code, EINVAL);
				cr_assert_null(spec.vendor);
				continue;
			}
			cr_assert_not_null(spec.vendor);
			gpu_spec_clear(&spec);
		}
	}
}
