/* SPDX-License-Identifier: Apache-2.0 */
/* test_ledger_text.c - the ledger's file: what is read, and what is not believed */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "stage/ledger_text.h"

#define BOOT   "0123-boot"
#define HEADER "oci-gpu-hook ledger 1 " BOOT "\n"
#define LINE   "0000:c1:00.0\texclusive\t4711\t99\t4026531836\tweb\t/run/b\n"

/* Of a copy that is no byte longer, so that a sanitizer sees who reads on. */
static int read_bytes(const char *text, size_t len, struct holders *ret, struct err *err)
{
	struct bytes bytes = {.data = xcalloc(len, 1), .len = len};
	int r;

	memcpy(bytes.data, text, len);
	r = ledger_text_read(&bytes, BOOT, ret, err);
	cr_expect_null(bytes.data, "it is taken");
	return r;
}

static void read_text(const char *text, struct holders *ret)
{
	struct err err = {0};

	cr_assert_eq(read_bytes(text, strlen(text), ret, &err), 0, "%s", err.msg);
}

static int write_text(const struct holders *holders, struct bytes *ret, struct err *err)
{
	FILE *out = open_memstream(&ret->data, &ret->len);
	int r;

	cr_assert_not_null(out);
	r = ledger_text_write(holders, BOOT, out, err);
	cr_assert_eq(fclose(out), 0);
	return r;
}

static void refuse(const char *text, size_t len, int code, const char *message)
{
	struct holders holders = {0};
	struct err err = {0};

	cr_expect_eq(read_bytes(text, len, &holders, &err), -code, "'%s'", text);
	cr_expect_str_eq(err.msg, message, "'%s': %s", text, err.msg);
	cr_expect_eq(holders.n, 0);
}

Test(ledger_text, reads_all_fields)
{
	cleanup(holders_clearp) struct holders holders = {0};
	const struct holder *holder;

	read_text(HEADER LINE "0000:c1:00.0/2\tshared\t1\t0\t0\t\t/b\n", &holders);
	cr_assert_eq(holders.n, 2);
	holder = &holders.holder[0];
	cr_expect_str_eq(holder->gpu, "0000:c1:00.0");
	cr_expect(holder->is_exclusive);
	cr_expect_eq(holder->init.pid, 4711);
	cr_expect_eq(holder->init.start_time, 99);
	cr_expect_eq(holder->init.pid_ns, 4026531836);
	cr_expect_str_eq(holder->id, "web");
	cr_expect_str_eq(holder->bundle, "/run/b");
	cr_expect_not(holders.holder[1].is_exclusive);
	cr_expect_str_eq(holders.holder[1].id, "");
}

Test(ledger_text, empty_text_is_an_empty_ledger)
{
	cleanup(holders_clearp) struct holders holders = {0};

	read_text("", &holders);
	cr_expect_eq(holders.n, 0);
	holders_clear(&holders);
	read_text(HEADER, &holders);
	cr_expect_eq(holders.n, 0);
}

Test(ledger_text, holders_of_another_boot_are_none)
{
	/* Real ones are all as long as each other. */
	static const char *const others[] = {"other", "0123-toob", BOOT "0", "0123-boo"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		cleanup(holders_clearp) struct holders holders = {0};
		autofree char *text =
			xasprintf("oci-gpu-hook ledger 1 %s\n" LINE, others[i]);

		read_text(text, &holders);
		cr_expect_eq(holders.n, 0, "%s", others[i]);
	}
}

Test(ledger_text, another_version_is_not_guessed_at)
{
	const char *text = "oci-gpu-hook ledger 2 " BOOT "\n" LINE;

	refuse(text, strlen(text), EPROTONOSUPPORT,
	       "it is not of version 1, which this program writes");
}

Test(ledger_text, what_is_not_of_the_form_is_refused_with_its_line)
{
	static const char *const bad[] = {
		"\n",					       /* an empty line */
		"0000:c1:00.0\texclusive\t4711\t99\t1\tweb\n", /* a field is missing */
		"0000:c1:00.0\texclusive\t4711\t99\t1\tweb\t/b\tx\n", /* one too many */
		"\texclusive\t4711\t99\t1\tweb\t/b\n",		      /* no GPU */
		"g\tmine\t4711\t99\t1\tweb\t/b\n",
		"g\tshared\t0\t99\t1\tweb\t/b\n",
		"g\tshared\t-1\t99\t1\tweb\t/b\n",
		"g\tshared\t01\t99\t1\tweb\t/b\n",
		"g\tshared\t2147483648\t99\t1\tweb\t/b\n",
		"g\tshared\t1\t18446744073709551616\t1\tweb\t/b\n",
		"g\tshared\t1\t\t1\tweb\t/b\n",
		"g\tshared\t1\t1\t1\tw%\t/b\n", /* an escape that ends early */
		"g\tshared\t1\t1\t1\tw%4\t/b\n",
		"g\tshared\t1\t1\t1\tw%zz\t/b\n",
		"g\tshared\t1\t1\t1\tw%4g\t/b\n",
		"g\tshared\t1\t1\t1\tw%g4\t/b\n",
		"g\tshared\t1\t1\t1\tw%00\t/b\n", /* a NUL would cut it off */
		"g\tshared\t1\t1\t1\tw\x7f\t/b\n",
		"g\tshared\t1\t1\t1\tweb\t/b", /* not written to its end */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autofree char *text = xasprintf(HEADER LINE "%s", bad[i]);

		refuse(text, strlen(text), EINVAL, "line 3 is not one of a ledger");
	}
	refuse("something else\n", 15, EINVAL, "line 1 is not one of a ledger");
	refuse(HEADER "a\0b\n", sizeof(HEADER "a\0b\n") - 1, EINVAL,
	       "line 2 is not one of a ledger");
}

Test(ledger_text, what_is_written_is_read_again_whatever_the_names_are)
{
	cleanup(holders_clearp) struct holders out = {0};
	cleanup(holders_clearp) struct holders in = {0};
	struct bytes text = {0};
	struct err err = {0};
	const struct holder holder = {
		.gpu = "0001:01:00.0",
		.init = {.pid = 2147483647, .start_time = UINT64_MAX, .pid_ns = 1},
		.id = "a\tb\nc%41 \xc3\xa9\x01",
		.bundle = "/run/with blank",
	};

	holders_add(&out, &holder);
	cr_assert_eq(write_text(&out, &text, &err), 0, "%s", err.msg);
	cr_expect_str_eq(text.data,
			 HEADER "0001:01:00.0\tshared\t2147483647\t18446744073709551615"
				"\t1\ta%09b%0ac%2541 %c3%a9%01\t/run/with blank\n");
	read_text(text.data, &in);
	cr_assert_eq(in.n, 1);
	cr_expect_str_eq(in.holder[0].id, "a\tb\nc%41 \xc3\xa9\x01");
	cr_expect_eq(in.holder[0].init.start_time, UINT64_MAX);
	bytes_clear(&text);
}

Test(ledger_text, more_holders_than_the_limit_are_not_written)
{
	cleanup(holders_clearp) struct holders holders = {0};
	struct bytes text = {0};
	struct err err = {0};

	for (size_t i = 0; i <= LIMIT_LEDGER_ENTRIES; i++) {
		const struct holder holder = {
			.gpu = "g", .init = {.pid = 1}, .id = "i", .bundle = "/b"};

		holders_add(&holders, &holder);
	}
	cr_expect_eq(write_text(&holders, &text, &err), -E2BIG);
	cr_expect_str_eq(err.msg, "more than 16384 GPUs are held");
	bytes_clear(&text);
	holders_remove(&holders, 0);
	cr_expect_eq(write_text(&holders, &text, &err), 0);
	bytes_clear(&text);
}

/* What is not read again is not written either: an escape takes three. */
Test(ledger_text, more_bytes_than_the_limit_are_not_written)
{
	cleanup(holders_clearp) struct holders holders = {0};
	autofree char *name = xcalloc(LIMIT_LEDGER_BYTES / 3, 1);
	const struct holder holder = {
		.gpu = "g", .init = {.pid = 1}, .id = "i", .bundle = name};
	struct bytes text = {0};
	struct err err = {0};

	memset(name, '\n', LIMIT_LEDGER_BYTES / 3 - 1);
	holders_add(&holders, &holder);
	cr_expect_eq(write_text(&holders, &text, &err), -E2BIG);
	cr_expect_str_eq(err.msg, "the ledger is over 4194304 bytes");
	bytes_clear(&text);

	/* The longest that is read again is written. */
	name[LIMIT_LEDGER_BYTES / 3 - 30] = '\0';
	holders_clear(&holders);
	holders_add(&holders, &holder);
	cr_expect_eq(write_text(&holders, &text, &err), 0, "%s", err.msg);
	cr_expect_leq(text.len, LIMIT_LEDGER_BYTES);
	bytes_clear(&text);
}
