/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * settings.h - what the operator's configuration file says
 *
 * The file is optional. All of its keys: specs/config.schema.json. Every unknown or
 * repeated key, and every value of a wrong type or range, is an error: a rule that was
 * misspelt would be no rule.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/policy.h"

#define SETTINGS_WATCHDOG_SECONDS     10U
#define SETTINGS_MAX_WATCHDOG_SECONDS 600U

/* Where the log goes. The one line of an error is on standard error in any case. */
enum log_target {
	LOG_TARGET_SYSLOG, /* default */
	LOG_TARGET_STDERR, /* there alone, if it can be written at all */
	LOG_TARGET_NONE,
	LOG_TARGET_FILE,
	LOG_TARGET_COUNT,
};

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING, /* default: a slip in a vendor's name is a warning */
	LOG_LEVEL_INFO,
	LOG_LEVEL_COUNT,
};

extern const char *const log_level_names[LOG_LEVEL_COUNT];

/* Where the user-space files of a GPU's driver come from. */
enum driver_source {
	DRIVER_SOURCE_AUTO, /* default: what is found; a specification where nothing is */
	DRIVER_SOURCE_NATIVE, /* found on the host by ourselves */
	DRIVER_SOURCE_CDI, /* as a specification of the Container Device Interface says */
	DRIVER_SOURCE_COUNT,
};

struct settings {
	char *annotation; /* the key; not empty */
	enum log_target log_target;
	char *log_path; /* absolute, of LOG_TARGET_FILE; else NULL */
	enum log_level log_level;
	unsigned int watchdog_seconds; /* 1 to SETTINGS_MAX_WATCHDOG_SECONDS */
	char *state_dir; /* absolute; NULL: the default, see stage/ledger.h */
	enum gpu_order order;
	enum node_source access;
	bool is_systemd_strict; /* what systemd would take away again is a failure */
	struct policy policy;
	enum driver_source driver_source;
	char *driver_root; /* absolute, below the host's root; NULL: that root itself */
};

/* What holds without a file. */
void settings_set_defaults(struct settings *settings);

void settings_clear(struct settings *settings);
DEFINE_CLEANUP(struct settings, settings_clear)

/**
 * settings_parse() - Read the file's text
 * @file:	its path, for messages; borrowed
 * @ret:	filled on success only; settings_clear() it
 * @err:	EINVAL with file and JSON path ("policy.vendors.intel.maxx"), or with line
 *		and column; E2BIG nested too deep
 */
int settings_parse(const char *text, size_t len, const char *file, struct settings *ret,
		   struct err *err);

/**
 * settings_find_annotation() - The annotation's key, without parsing
 * @ret:	the key, or the default one if the file names none; free() it
 *
 * For the container that asks for nothing, for which nothing is parsed. Where
 * settings_parse() accepts the text, it finds the same key. In a text that is broken this
 * may find a key that is none, so only a request may be looked for with it.
 *
 * Return: false where the text is not so plain; then settings_parse() is needed.
 */
bool settings_find_annotation(const char *text, size_t len, char **ret);
