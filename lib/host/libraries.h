/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * libraries.h - the shared libraries of the host that somebody wants, wherever they are
 *
 * One listing a directory; of a wanted library one open, and what elf.h reads.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "host/host.h"

struct library {
	char *path;	/* on the host, without a link on the way */
	char *name;	/* in the directory where it was found: "libcuda.so.580.95.05" */
	char *soname;	/* "libcuda.so.1"; where it names none, that of the file */
	char *dev_name; /* "libcuda.so", if that is beside it; or NULL */
};

struct libraries {
	struct library *library;
	size_t n;
	/* The first that could not be read, though it is there, by its path; or NULL. */
	char *unread;
	int unread_code; /* errno */
};

void libraries_clear(struct libraries *list);
DEFINE_CLEANUP(struct libraries, libraries_clear)

struct library_search {
	unsigned int bits; /* 32 or 64 */
	/* In the order of precedence; a NULL ends the list. One that is not there, or
	   that is another one's second name, is passed over. */
	const char *const *dirs;
	/* By the name of its file alone. */
	bool (*is_wanted)(const char *name, const void *context);
	const void *context;
};

/**
 * host_find_libraries() - Look into the directories for what is wanted
 * @root:	paths and links are resolved below it
 * @ret:	libraries for this machine, in the order of the directories, then of
 *		names; of two with one name the first. Added to what it has
 *
 * What is no library of the right kind is passed over: a host's directories may hold
 * anything. So is what cannot be read, but of that `unread` tells.
 */
void host_find_libraries(const struct host *root, const struct library_search *search,
			 struct libraries *ret);
