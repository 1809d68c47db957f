/* SPDX-License-Identifier: Apache-2.0 */
/* test_path.c - lib/base/path.c */

#include <criterion/criterion.h>

#include "base/path.h"

Test(path, how_one_is_to_another)
{
	cr_expect_eq(path_relate("/a", "/a/b"), PATH_ABOVE);
	cr_expect_eq(path_relate("/", "/a"), PATH_ABOVE);
	cr_expect_eq(path_relate("/a/b", "/a/b"), PATH_SAME);
	cr_expect_eq(path_relate("/a/b", "/a"), PATH_APART);
	cr_expect_eq(path_relate("/a", "/ab"), PATH_APART);
	cr_expect_eq(path_relate("/ab", "/a/b"), PATH_APART);
}

Test(path, another_spelling_is_no_other_path)
{
	cr_expect_eq(path_relate("//a/./b//", "/a/b"), PATH_SAME);
	cr_expect_eq(path_relate("/a/", "/a/b"), PATH_ABOVE);
	cr_expect_eq(path_relate("/./", "/a"), PATH_ABOVE);
	cr_expect_eq(path_relate("/a/.b", "/a/b"), PATH_APART);
}

Test(path, parents)
{
	cr_expect(path_has_parent("/a/../b"));
	cr_expect(path_has_parent("/a//.."));
	cr_expect(path_has_parent("../a"));
	cr_expect_not(path_has_parent("/a/./b/"));
	cr_expect_not(path_has_parent("/..a/b../..."));
	cr_expect_not(path_has_parent("/"));
	cr_expect_not(path_has_parent(""));
}
