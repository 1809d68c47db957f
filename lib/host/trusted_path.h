/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * trusted_path.h - paths of the host that lead through links of the system's alone
 *
 * Whoever may write a directory may put a link there, anywhere in a path that goes
 * through it: the account of a daemon could have its path lead to what root alone may
 * read, or to the socket of another daemon.
 */

#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"

/**
 * host_open_trusted() - Open what a path leads to, if only root could say where
 * @flags:	of open(2)
 * @may_be_link: whether the last component may be one, too
 *
 * A link is followed in a directory that is root's and writable for nobody else.
 *
 * Return: a descriptor, or negative errno (-ELOOP: through another link).
 */
int host_open_trusted(const struct host *host, const char *path, uint64_t flags,
		      bool may_be_link);
