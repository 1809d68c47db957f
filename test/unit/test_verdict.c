/* SPDX-License-Identifier: Apache-2.0 */
/* test_verdict.c - reasons are found by their GPU */

#include <criterion/criterion.h>

#include "base/mem.h"
#include "model/verdict.h"

Test(verdict, reason_is_that_of_the_gpu_and_null_of_a_stranger)
{
	cleanup(verdicts_clearp) struct verdicts verdicts = {0};
	struct gpu gpus[3] = {0};

	verdicts_take(&verdicts, &gpus[0], true, xstrdup("first that fits"));
	verdicts_take(&verdicts, &gpus[2], false, xstrdup("cannot compute"));
	cr_expect_str_eq(verdicts_find_reason(&verdicts, &gpus[0]), "first that fits");
	cr_expect_null(verdicts_find_reason(&verdicts, &gpus[1]));
	cr_expect_str_eq(verdicts_find_reason(&verdicts, &gpus[2]), "cannot compute");
}

Test(verdict, clear_leaves_nothing_and_may_be_repeated)
{
	struct verdicts verdicts = {0};
	struct gpu gpu = {0};

	verdicts_take(&verdicts, &gpu, true, xstrdup("all are asked for"));
	verdicts_clear(&verdicts);
	verdicts_clear(&verdicts);
	cr_expect_eq(verdicts.n, 0);
	cr_expect_null(verdicts.verdict);
}
