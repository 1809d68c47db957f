/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * made_tree.h - a host's tree out of a manifest that may say anything
 *
 * The tree is a tmpfs of its own that is mounted nowhere: it is gone when its
 * descriptor is closed, and whatever a link in it says, making the tree touches
 * nothing outside of it.
 */

#include <stdbool.h>
#include <stddef.h>

/**
 * made_tree_enter() - Make trees possible
 *
 * Needs: the privilege to mount, or to become root in a user
 * namespace, which it does then.
 *
 * Return: false if neither is to be had.
 */
bool made_tree_enter(void);

/* A new, empty tree. Return: its descriptor; ends the program if there is none. */
int made_tree_new(void);

/* Removes all that is in a tree: cheaper than a new one, for which the kernel waits. */
void made_tree_clear(int root_fd);

/**
 * made_tree_line() - Make what one line of a manifest names
 * @root_fd:	from made_tree_new()
 * @line:	an entry of test/hosts/build_host.py ("f PATH TEXT", "l PATH
 *		TARGET", "d PATH", "n PATH MAJ:MIN MODE UID:GID"), or a short form
 *		for what belongs together:
 *
 *	g DIR VENDOR DEVICE CLASS DRIVER a PCI device below /sys/devices, bus link and all
 *	r DIR NAME MAJ:MIN a DRM node of it, class link and all b DIR NAME the driver link
 *	of any device v ADDRESS TEXT what NVIDIA's driver says of a GPU k NUMBER TEXT
 *	properties of a node of KFD's topology p PATH a FIFO, which must stop nobody
 *
 *	\t, \n and \\ of a TEXT are taken for what they stand for.
 *
 * Return: false if it is no such line. What cannot be made is left
 * out, like what is there.
 */
bool made_tree_line(int root_fd, char *line);
