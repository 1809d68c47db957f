/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * holder.h - which containers have which GPUs
 *
 * What the ledger says (stage/ledger.h), as plain data: one holder is one GPU of one
 * container. A GPU is named by what it is and not by its index, which changes when
 * another GPU goes: its PCI address, and behind a slash the partition: "0000:c1:00.0/2",
 * "0000:3b:00.0/gi11/ci0".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "model/inventory.h"

/* A process that cannot be mistaken for a later one with the same number. */
struct process_id {
	pid_t pid;
	uint64_t start_time; /* clock ticks since boot, field 22 of /proc/PID/stat */
	uint64_t pid_ns;     /* inode of the PID namespace in which `pid` counts */
};

/* In a list the names are the list's. */
struct holder {
	const char *gpu; /* gpu_key() */
	bool is_exclusive;
	struct process_id init; /* the container's first process */
	const char *id;		/* the container's */
	const char *bundle;
};

struct holders {
	struct holder *holder;
	size_t n;
	char **texts; /* which the names are parts of */
	size_t n_texts;
};

void holders_clear(struct holders *holders);
DEFINE_CLEANUP(struct holders, holders_clear)

bool process_id_equals(const struct process_id *a, const struct process_id *b);

/* Appends a copy of @holder and of its names, which may be NULL. */
void holders_add(struct holders *holders, const struct holder *holder);

/**
 * holders_take_text() - Keep a text that names of holders are parts of
 * @text:	from malloc(), taken
 *
 * A full ledger has three names a line: to copy each would be most of
 * what reading it costs.
 */
void holders_take_text(struct holders *holders, char *text);

/* Appends @holder as it is: its names are parts of texts that the list has taken. */
void holders_append(struct holders *holders, const struct holder *holder);

/* Removes one; the order of the others stays. */
void holders_remove(struct holders *holders, size_t index);

/**
 * gpu_key() - The name of a GPU in the ledger, to free()
 *
 * PCI address and partition; without an address udev's path of the device, else its first
 * node.
 */
char *gpu_key(const struct gpu *gpu);

/**
 * gpu_key_overlaps() - Do two keys share hardware?
 *
 * The same GPU, or one is a partition of the other. Two partitions of one GPU do not.
 */
bool gpu_key_overlaps(const char *a, const char *b);
