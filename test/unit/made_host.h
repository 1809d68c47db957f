/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* made_host.h - a small host tree in a temporary directory, for the
   tests of one module */

#include <stdbool.h>
#include <sys/types.h>

#include "host/host.h"
#include "injector/injector.h"

struct made_host {
	char root[64];
	struct host host; /* open from made_host_new() on */
};

/* Both end the test when the tree cannot be made or removed. */
void made_host_new(struct made_host *made);
void made_host_free(struct made_host *made);

/* Paths are absolute in the tree; parents are implied. The text is written as it is. */
void made_file(const struct made_host *made, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void made_link(const struct made_host *made, const char *path, const char *target);
void made_dir(const struct made_host *made, const char *path);

/* A shared library of this machine, for programs of @bits; @soname NULL: without one. */
void made_library(const struct made_host *made, const char *path, const char *soname,
		  unsigned int bits);

/* Mode 0640, uid 7, gid 8. Return: false where mknod() is not allowed. */
bool made_node(const struct made_host *made, const char *path, unsigned int major,
	       unsigned int minor);

/**
 * made_pci() - A PCI device
 * @dir:	below /sys: "devices/pci0000:00/0000:03:00.0"
 * @driver:	or NULL: none is bound
 */
void made_pci(const struct made_host *made, const char *dir, unsigned int vendor,
	      unsigned int device, unsigned int pci_class, const char *driver);

/* The `driver` link of any device. */
void made_driver(const struct made_host *made, const char *dir, const char *driver);

/* A DRM node of the device at @dir: "card1" or "renderD128", with number 226:@minor. */
void made_drm(const struct made_host *made, const char *dir, const char *name,
	      unsigned int minor);

/* A node of KFD's topology; @domain below 0: the kernel prints no such line. */
void made_kfd_node(const struct made_host *made, unsigned int number,
		   unsigned int render_minor, unsigned int location_id, int domain,
		   unsigned long long unique_id);

/**
 * made_plan() - What an injector makes of one GPU and a request
 * @request:	as in the annotation
 * @err:	the injector's error
 *
 * Return: the paths of the nodes, then the links as "path>target", then "!" for a
 * warning, a blank between; "error" if the injector refuses. To free().
 */
char *made_plan(const struct gpu_injector *injector, const struct gpu *gpu,
		const char *request, struct err *err);
