/* SPDX-License-Identifier: Apache-2.0 */
/* test_err.c - messages are one line, keep their order and fit */

#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(err, set_gives_message_code_and_negative_errno)
{
	struct err err = {0};

	cr_assert_eq(err_set(&err, EINVAL, "read '%s': line %d", "a", 3), -EINVAL);
	cr_assert_eq(err.code, EINVAL);
	cr_assert_str_eq(err.msg, "read 'a': line 3");
}

Test(err, set_replaces_an_older_message)
{
	struct err err = {0};

	(void)err_set(&err, EINVAL, "a longer first message");
	cr_assert_eq(err_set(&err, ENOENT, "second"), -ENOENT);
	cr_assert_eq(err.code, ENOENT);
	cr_assert_str_eq(err.msg, "second");
}

Test(err, sys_appends_what_errno_means)
{
	struct err err = {0};

	cr_assert_eq(err_sys(&err, ENOENT, "open '%s'", "x"), -ENOENT);
	cr_assert_eq(err.code, ENOENT);
	cr_assert_str_eq(err.msg, "open 'x': No such file or directory");
}

Test(err, sys_copes_with_a_number_that_is_no_errno)
{
	struct err err = {0};

	cr_assert_eq(err_sys(&err, 99999, "open"), -99999);
	cr_assert_str_eq(err.msg, "open: unknown error");
}

Test(err, wrap_puts_the_outer_step_first_and_keeps_the_code)
{
	struct err err = {0};

	(void)err_sys(&err, EACCES, "open '%s'", "f");
	cr_assert_eq(err_wrap(&err, "inject gpu %d", 0), -EACCES);
	cr_assert_eq(err_wrap(&err, "run"), -EACCES);
	cr_assert_eq(err.code, EACCES);
	cr_assert_str_eq(err.msg, "run: inject gpu 0: open 'f': Permission denied");
}

Test(err, line_breaks_and_escapes_of_a_name_become_question_marks)
{
	struct err err = {0};

	(void)err_set(&err, EINVAL, "'%s'",
		      "a\nb\rc\td\x1b[31me\x7f"
		      "f\x01");
	cr_assert_str_eq(err.msg, "'a?b?c?d?[31me?f?'");
	(void)err_sys(&err, ENOENT, "'%s'", "a\nb");
	cr_assert_str_eq(err.msg, "'a?b': No such file or directory");
	(void)err_wrap(&err, "'%s'", "c\nd");
	cr_assert_str_eq(err.msg, "'c?d': 'a?b': No such file or directory");
}

Test(err, control_characters_of_two_bytes_become_question_marks)
{
	struct err err = {0};

	/* U+0080, U+009B (what ESC [ does, in one character) and U+009F */
	(void)err_set(&err, EINVAL,
		      "\xc2\x80|\xc2\x9b"
		      "31m|\xc2\x9f");
	cr_assert_str_eq(err.msg, "??|??31m|??");
}

Test(err, letters_beyond_ascii_stay)
{
	struct err err = {0};

	/* U+00A0 is the first that is no control character; the others hold bytes that
	   would be one behind C2. */
	(void)err_set(&err, EINVAL, "\xc2\xa0 \xc3\x84 \xe2\x82\xac \xf0\x9f\x98\x80");
	cr_assert_str_eq(err.msg, "\xc2\xa0 \xc3\x84 \xe2\x82\xac \xf0\x9f\x98\x80");
}

Test(err, a_long_message_is_cut_at_the_end)
{
	char name[4096];
	struct err err = {0};

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(err_set(&err, E2BIG, "open '%s'", name), -E2BIG);
	cr_assert_eq(strlen(err.msg), sizeof(err.msg) - 1);
	cr_assert_eq(strncmp(err.msg, "open 'xxx", 9), 0);

	cr_assert_eq(err_sys(&err, E2BIG, "open '%s'", name), -E2BIG);
	cr_assert_eq(strlen(err.msg), sizeof(err.msg) - 1);

	cr_assert_eq(err_wrap(&err, "step"), -E2BIG);
	cr_assert_eq(strlen(err.msg), sizeof(err.msg) - 1);
	cr_assert_eq(strncmp(err.msg, "step: open 'xxx", 15), 0);

	cr_assert_eq(err_wrap(&err, "%s", name), -E2BIG);
	cr_assert_eq(strlen(err.msg), sizeof(err.msg) - 1);
	cr_assert_eq(strspn(err.msg, "x"), sizeof(err.msg) - 1);
}

Test(err, make_one_line_cleans_a_message_that_was_written_by_hand)
{
	struct err err = {.msg = "a\nb\x1b[0m"};

	err_make_one_line(&err);
	cr_assert_str_eq(err.msg, "a?b?[0m");
}

Test(err, old_kernel_names_the_call_and_the_ways_out)
{
	struct err err = {0};

	cr_assert_eq(err_old_kernel(&err, "open_tree"), -EOPNOTSUPP);
	cr_assert_eq(err.code, EOPNOTSUPP);
	cr_assert_eq(strncmp(err.msg, "call open_tree: ", 16), 0, "%s", err.msg);
	cr_assert_not_null(strstr(err.msg, "Linux 5.12"), "%s", err.msg);
	cr_assert_not_null(strstr(err.msg, "--device"), "%s", err.msg);
}
