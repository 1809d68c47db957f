/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * request.h - what a container asks for: settings, bundle and state, read and parsed
 *
 * The first half of the way: state -> bundle -> config -> GpuSpec. What is read here was
 * written by strangers; it is parsed in a child (parser.h).
 */

#include "base/cleanup.h"
#include "base/err.h"
#include "cdi_parser.h"
#include "cli.h"
#include "host/host.h"
#include "model/plan.h"
#include "oci/message.h"
#include "oci/settings_file.h"
#include "report.h"
#include "stage/lease.h"

/* The hooks.d file gives the hook 15 seconds, and a runtime may give it for ever. */
#define REQUEST_GRACE_SECONDS 2U

/* The operator's settings, a bundle, and what it asks for. */
struct request {
	struct settings_file file;
	int bundle_fd;
	char *key;	  /* the annotation that was looked for, or NULL */
	struct err doubt; /* why the bundle or its config.json may be a stranger's */
	struct parsed parsed;
	const char *host_root; /* borrowed */
	struct report *report; /* borrowed; connected before the first filter; or NULL */
	pid_t pid;	       /* of a container that runs, which is looked at; or 0 */
	bool can_add_groups;   /* to the container's process, by the command's back end */
	struct host host;      /* opened early, or not */
	struct cdi_parser cdi_parser;
};

#define NO_REQUEST                                                                    \
	(struct request)                                                              \
	{                                                                             \
		.bundle_fd = -1, .host = {.root_fd = -1}, .cdi_parser = NO_CDI_PARSER \
	}

void request_clear(struct request *request);
DEFINE_CLEANUP(struct request, request_clear)

/**
 * request_read_state() - The hook's way: the state on standard input names the bundle
 * @request:	NO_REQUEST; where the container asks for nothing its `parsed` stays empty
 * @err:	what is wrong with the state, the bundle or the request
 *
 * Needs: nothing. While the child parses, this process enters sandbox_enter_host().
 */
int request_read_state(const struct cli *cli, struct request *request, struct err *err);

/**
 * request_read_stopped() - The state of a container that has ended, and the settings
 *
 * Its bundle may be gone by now, and is not looked at.
 */
int request_read_stopped(const struct cli *cli, struct request *request, struct err *err);

/**
 * request_read_config() - precreate's way: config.json itself on standard input
 * @hook_path:	our own program
 * @ret:	the text, bytes_clear() it; `request->parsed.edit` says where to add to it
 * @err:	as request_read_state()
 */
int request_read_config(const struct cli *cli, const char *hook_path,
			struct request *request, struct bytes *ret, struct err *err);

/* As request_read_state(), for a bundle that is named on the command line;
   there is no state then. */
int request_read_bundle(const struct cli *cli, struct request *request, struct err *err);

/* The settings alone; the defaults where there is something wrong with them. */
int request_read_settings(const struct cli *cli, struct request *request,
			  struct err *err);

/* The request of the option --gpu, and the settings. */
int request_read_option(const struct cli *cli, struct request *request, struct err *err);

/* Is there a request, and for more than no GPU? */
bool request_is_asking(const struct request *request);

/**
 * request_follow_settings() - The log, its level and the deadline
 * that the settings ask for
 * @err:	a log that cannot be opened; an earlier error stays
 *		the one that is reported
 *
 * Should: be called among the host's own paths.
 */
int request_follow_settings(const struct cli *cli, const struct request *request,
			    struct report *report, struct err *err);

/* What is wrong with the settings concerns only a container that asks for a GPU. */
int request_check_settings(const struct request *request, struct err *err);

/**
 * request_accept() - May it be carried out with our privilege?
 * @err:	EPERM: the bundle or its config.json may be a stranger's; or what is wrong
 *		with the settings
 */
int request_accept(const struct request *request, struct err *err);

/* For `plan`, which carries nothing out: what request_accept() would
   refuse, as warnings. */
void request_warn_of_doubts(const struct request *request, struct plan *plan);

/* For `plan` where no GPU is asked for, maybe since the configuration is not what
   somebody meant: what is wrong with it, as a warning. Parses it. */
void request_warn_of_settings(const struct request *request, struct plan *plan);

/* The bundle's path, free of links. @ret: free() it */
int request_find_bundle(const struct request *request, char **ret, struct err *err);

/**
 * request_find_rootfs() - The absolute path of the container's root
 * @ret:	free() it
 */
int request_find_rootfs(const struct request *request, char **ret, struct err *err);

/**
 * request_find_state_dir() - Where the ledger is; free() it
 *
 * With another root for the host its state is there as well.
 */
char *request_find_state_dir(const struct request *request);

/* Where root's is, which a user who looks from outside a user namespace may ask for as
   well, since root's engine may do it for him; else NULL. */
char *request_find_system_state_dir(const struct request *request);

/* The container as the ledger knows it; borrowed from @request. */
struct lease_holder request_lease_holder(const struct request *request);
