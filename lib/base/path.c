/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - how paths are to each other, by their texts alone */

#include "base/path.h"

#include <stddef.h>
#include <string.h>

/* Skips what says nothing: slashes and ".". Return: the next component, *len bytes. */
static const char *next_part(const char *path, size_t *len)
{
	do {
		path += strspn(path, "/");
		*len = strcspn(path, "/");
		if (*len != 1 || *path != '.') {
			return path;
		}
		path++;
	} while (true);
}

enum path_relation path_relate(const char *other, const char *path)
{
	for (;;) {
		size_t other_len;
		size_t len;

		other = next_part(other, &other_len);
		path = next_part(path, &len);
		if (other_len == 0) {
			return len == 0 ? PATH_SAME : PATH_ABOVE;
		}
		if (other_len != len || strncmp(other, path, len) != 0) {
			return PATH_APART;
		}
		other += other_len;
		path += len;
	}
}

bool path_has_parent(const char *path)
{
	size_t len;

	for (path = next_part(path, &len); len > 0; path = next_part(path + len, &len)) {
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			return true;
		}
	}
	return false;
}
