/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config.h - what we take from a bundle's config.json
 *
 * Source: OCI runtime spec 1.2, config.md and config-linux.md.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "model/choice.h"
#include "model/container.h"

#define OCI_DEFAULT_ANNOTATION "io.oci-gpu-hook.gpu"

struct oci_config {
	char *root_path; /* root.path as written, maybe relative to the bundle */
	/* The GPU annotation that holds for this container, or NULL: none, or the
	   container is a pod's sandbox. */
	char *request;
	size_t request_len; /* a value may not hold a NUL, see json_parse() */
	char *request_key;  /* the key it was found under, for messages */
	struct container container;
	struct choice choice; /* made before, for this container; `n` is 0: none */
};

void oci_config_clear(struct oci_config *config);
DEFINE_CLEANUP(struct oci_config, oci_config_clear)

/**
 * oci_config_open_bundle() - Open the directory of the bundle
 * @bundle:	absolute path, or relative to the working directory (plan --bundle)
 * @doubt:	see base/trusted_file.h: its mode, and where the last component is a link.
 *		For its owner see oci_config_check_owner()
 *
 * crun before 1.27 wrote "/" for a bundle that its caller's working directory named
 * (crun issue 2025): where "/" has no config.json and the working directory has, that is
 * taken.
 *
 * Return: a descriptor (O_PATH) to close, or negative errno as in @err.
 */
int oci_config_open_bundle(const char *bundle, struct err *doubt, struct err *err);

/**
 * oci_config_read() - Read config.json of a bundle
 * @bundle_fd:	borrowed
 * @bundle:	its path, for messages
 * @doubt:	see base/trusted_file.h
 * @err:	ENOENT, EACCES, ELOOP (a link), EINVAL (no regular file), E2BIG
 */
int oci_config_read(int bundle_fd, const char *bundle, struct bytes *ret,
		    struct err *doubt, struct err *err);

/**
 * oci_config_check_owner() - Whose is the directory of the bundle?
 * @bundle:	for the message
 * @ctr:	what its config.json says
 * @doubt:	see base/trusted_file.h
 *
 * podman gives the directory to the root of the container's user namespace, and keeps
 * config.json. So there the owner is not looked at: all that he can do is to put another
 * config.json in its place, and that is doubted unless it was root, too, who wrote it.
 */
void oci_config_check_owner(int bundle_fd, const char *bundle,
			    const struct container *ctr, struct err *doubt);

/**
 * oci_config_may_request() - Could this text hold the annotation @key?
 *
 * A bounded search in the bytes, so that a container without a request costs next to
 * nothing. False is certain. True may be wrong (the text stands elsewhere, or a character
 * of the key could be written as an escape): then oci_config_parse() decides.
 */
bool oci_config_may_request(const char *text, size_t len, const char *key);

/**
 * oci_config_parse() - Read what we need
 * @key:	the annotation's key
 * @err:	EINVAL with the JSON path of what is wrong
 *
 * Kubernetes (README.md): in a pod KEY/container.NAME overrides KEY, and a pod's sandbox
 * has no request.
 */
int oci_config_parse(const char *text, size_t len, const char *key,
		     struct oci_config *ret, struct err *err);

/**
 * oci_config_check_root() - Is this the root.path that stands in the text?
 * @root_path:	what a parser that may lie says that it has read
 * @err:	EBADMSG: it is not
 */
int oci_config_check_root(const char *text, size_t len, const char *root_path,
			  struct err *err);
