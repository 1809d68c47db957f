/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* settings_file.h - which configuration file holds, and its text */

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"

#define SETTINGS_SYSTEM_FILE "/etc/oci-gpu-hook/config.json"

/*
 * All that can be wrong is kept here and reported by nobody yet: it concerns only
 * containers that ask for a GPU, and who asks is known later.
 */
struct settings_file {
	char *path;	    /* NULL: there is no file, and the defaults hold */
	struct bytes text;  /* empty where it could not be read */
	struct err problem; /* why it could not be read */
	struct err doubt;   /* it may be a stranger's, see base/trusted_file.h */
};

void settings_file_clear(struct settings_file *file);
DEFINE_CLEANUP(struct settings_file, settings_file_clear)

/**
 * settings_file_read() - Find the file and read it
 * @path:	the one that the command line names, which must be there; or NULL: the
 *		system's, which may be absent
 * @config_home: $XDG_CONFIG_HOME, or NULL. Where we are not the real root and the
 *		system has no file, oci-gpu-hook/config.json below it is read, if
 *		that is there. As the XDG base directory specification asks, it does
 *		not count unless absolute
 * @ret:	settings_file_clear() it
 */
void settings_file_read(const char *path, const char *config_home,
			struct settings_file *ret);
