/* SPDX-License-Identifier: Apache-2.0 */
/* settings_file.c - which configuration file holds, and its text */

#include "oci/settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/trusted_file.h"

void settings_file_clear(struct settings_file *file)
{
	free(file->path);
	bytes_clear(&file->text);
	*file = (struct settings_file){0};
}

/* Return: false if there is no such file. */
static bool read_file(const char *path, struct settings_file *file)
{
	autofree char *what = xasprintf("configuration '%.400s'", path);
	autoclose int fd = trusted_file_open(AT_FDCWD, path, TRUSTED_OWNER_SYSTEM, what,
					     &file->doubt, &file->problem);

	if (fd == -ENOENT) {
		return false;
	}
	file->path = xstrdup(path);
	if (fd >= 0) {
		(void)read_all(fd, what, LIMIT_SETTINGS_BYTES, -1, &file->text,
			       &file->problem);
	}
	return true;
}

/* The real root obeys no environment. */
static bool has_own_file(const char *config_home)
{
	struct trusted_caller caller;

	if (!config_home || config_home[0] != '/') {
		return false;
	}
	caller = trusted_caller_look();
	return !trusted_caller_is_root(&caller);
}

void settings_file_read(const char *path, const char *config_home,
			struct settings_file *ret)
{
	struct settings_file file = {0};

	if (path) {
		if (!read_file(path, &file)) {
			file.path = xstrdup(path);
		}
	} else if (!read_file(SETTINGS_SYSTEM_FILE, &file)) {
		file.problem = (struct err){0};
		if (has_own_file(config_home)) {
			autofree char *own =
				xasprintf("%s/oci-gpu-hook/config.json", config_home);

			if (!read_file(own, &file)) {
				file.problem = (struct err){0};
			}
		}
	}
	*ret = file;
}
