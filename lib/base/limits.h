/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limits.h - the largest input that we read, each with its reason */

/* State JSON is about 300 bytes plus the annotations, which Kubernetes bounds at 256 KiB
   for a pod; four times that, so that nobody meets the limit by accident. */
#define LIMIT_STATE_BYTES (1024U * 1024U)

/* runc and podman write 10 to 60 KiB; a seccomp profile and 1,000
   mounts make it some MiB. */
#define LIMIT_CONFIG_BYTES (16U * 1024U * 1024U)

/* The annotation lists at most 256 GPUs by UUID (40 bytes each): 10 KiB. */
#define LIMIT_ANNOTATION_BYTES (64U * 1024U)

/* The configuration file: 256 GPUs by PCI address (16 bytes each) and some rules for each
   vendor are 8 KiB; eight times that. */
#define LIMIT_SETTINGS_BYTES (64U * 1024U)

/* A label of SELinux, of which the ranges of MCS make the longest: a page, as of the
   kernel's own files. Source: Linux security/selinux/selinuxfs.c,
   SIMPLE_TRANSACTION_LIMIT. */
#define LIMIT_LABEL_BYTES 4096U

/* jansson recurses once per level; the runtime spec nests about 10 deep. */
#define LIMIT_JSON_DEPTH 64U

/* The largest hosts known: 8 MI300 in 8 partitions each = 64, 16 NVIDIA in 7 = 112. */
#define LIMIT_GPUS 256U

/* 256 GPUs with at most 6 nodes and 2 links each, and driver files beside them. */
#define LIMIT_PLAN_ENTRIES 4096U

/* A CDI specification of 8 GPUs with 7 partitions each is 200 KiB as JSON. All files of a
   host together have the same limit: a node has one or two of them. */
#define LIMIT_CDI_BYTES (1024U * 1024U)

/* One path, variable or argument in it: the kernel's longest path, eight times. */
#define LIMIT_CDI_TEXT_BYTES (32U * 1024U)

/* Files of one CDI directory: a vendor writes one for each class of devices. */
#define LIMIT_CDI_FILES 64U

/* One attribute of sysfs is at most a page (Documentation/filesystems/sysfs.rst); KFD's
   properties and NVIDIA's information files stay far below that. */
#define LIMIT_ATTRIBUTE_BYTES 4096U

/* /proc/devices has at most 512 majors of some 20 bytes in two tables. */
#define LIMIT_PROC_FILE_BYTES (256U * 1024U)

/* Before the pivot a container sees all of the host's mounts: 10,000 of some 300 bytes on
   a crowded Kubernetes node; five times that. */
#define LIMIT_MOUNTINFO_BYTES (16U * 1024U * 1024U)

/* Entries of one host directory: /sys/class/drm has some 20 connectors a GPU. */
#define LIMIT_DIRECTORY_ENTRIES 16384U

/* systemd's longest answer to us is all properties of a unit: some ten KiB, with 40 bytes
   for each of 4,096 entries of its DeviceAllow, and a service's environment. Its signals,
   which we pass over, are shorter. */
#define LIMIT_DBUS_MESSAGE_BYTES (1024U * 1024U)

/* A Debian desktop has some 4,000 libraries of 110 bytes each in its
   ld.so.cache; four times that. */
#define LIMIT_LD_CACHE_BYTES (2U * 1024U * 1024U)

/* Devices, device rules and mounts of a config.json: a privileged container gets all of
   the host's /dev, some 1,000 nodes on a host with many disks. */
#define LIMIT_CONFIG_ENTRIES 4096U
