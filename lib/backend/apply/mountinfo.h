/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mountinfo.h - questions to the text of /proc/PID/mountinfo. Pure.
 *
 * "ID PARENT MAJ:MIN ROOT POINT OPTIONS [shared:N ...] - TYPE SOURCE OPTIONS", a mount a
 * line; white space and backslashes of a path are written as octal numbers, "\040".
 * Source: proc(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The beginning of the line behind @line's; the text's end if that was the last. */
const char *mountinfo_next(const char *line);

/* Is the mount @id shared? True as well if it is not in the text:
   then nothing is known. */
bool mountinfo_is_shared(const char *text, uint64_t id);

/* Is the mount @id one of a file system of @fs_type with the source @source? */
bool mountinfo_is_of(const char *text, uint64_t id, const char *fs_type,
		     const char *source);

/* Mount point of the mount @id, as it is written: @ret_len bytes of @text; NULL: no such
   mount. */
const char *mountinfo_point_of(const char *text, uint64_t id, size_t *ret_len);

/* Does @other mount the file system (by its device number) of the mount @id in @text?
   True as well if @id is not in @text. */
bool mountinfo_has_file_system_of(const char *other, const char *text, uint64_t id);

/* Number of mounts at @point, which is @len bytes as they are written. */
size_t mountinfo_count_at(const char *text, const char *point, size_t len);

/* Mount point of the line @line if its type is @fs_type, its octal numbers undone, to
   free(); else NULL. */
char *mountinfo_point_of_type(const char *line, const char *fs_type);
