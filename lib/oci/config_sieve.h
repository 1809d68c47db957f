/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config_sieve.h - a config.json without the values that nobody here reads
 *
 * An engine's config.json is mostly environment, mounts and seccomp rules, and jansson
 * takes 15 us for each KiB of them: it makes a value of every word. To step over them
 * takes less than 1 us. So they are left out, by a look at strings and brackets alone,
 * and what is left goes through jansson with all its checks.
 *
 * Mistakes in what is left out are the runtime's to find, which has read all of the file
 * before it calls a hook. But nothing may be there of which runtimes see other ends than
 * the sieve does, such as a comment.
 */

#include <stddef.h>

/**
 * config_sieve() - Copy what oci_config_parse() reads
 * @ret:	room for @len bytes
 *
 * Every key stays, so that a repeated one is still seen; a value that
 * is not read becomes 0.
 *
 * Return: the length of the copy, or 0 where the text is not the object that it should
 * be: the whole of it is to be parsed then, for its message.
 */
size_t config_sieve(const char *text, size_t len, char *ret);
