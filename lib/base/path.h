/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* path.h - how paths are to each other, by their texts alone */

#include <stdbool.h>

enum path_relation {
	PATH_APART,
	PATH_SAME,
	PATH_ABOVE,
};

/**
 * path_relate() - How is @other to @path?
 *
 * As somebody wrote them: slashes and "." too many say nothing. Links, and "..", are not
 * known here; see path_has_parent().
 *
 * Return: PATH_ABOVE if @path is below @other.
 */
enum path_relation path_relate(const char *other, const char *path);

/* Is one of its components ".."? Then there is no telling where it is. */
bool path_has_parent(const char *path);
