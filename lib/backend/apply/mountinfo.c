/* SPDX-License-Identifier: Apache-2.0 */
/* mountinfo.c - questions to the text of /proc/PID/mountinfo */

#include "backend/apply/mountinfo.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What is of interest in a line, as parts of it. */
struct line {
	const char *options_end; /* at " - " */
	const char *device;	 /* "MAJ:MIN" */
	size_t device_len;
	const char *point;
	size_t point_len;
	const char *type;
	size_t type_len;
};

const char *mountinfo_next(const char *line)
{
	line = strchrnul(line, '\n');
	return *line ? line + 1 : line;
}

/* Return: false if the line has not the form of one. */
static bool read_line(const char *line, struct line *ret)
{
	const char *end = strchrnul(line, '\n');
	const char *dash = memmem(line, (size_t)(end - line), " - ", 3);
	const char *point = line;

	if (!dash) {
		return false;
	}
	for (int field = 1; field < 5; field++) {
		point = memchr(point, ' ', (size_t)(dash - point));
		if (!point) {
			return false;
		}
		point++;
		if (field == 2) {
			ret->device = point;
			ret->device_len = strcspn(point, " \n");
		}
	}
	ret->options_end = dash;
	ret->point = point;
	ret->point_len = strcspn(point, " \n");
	ret->type = dash + 3;
	ret->type_len = strcspn(dash + 3, " \n");
	return true;
}

/* The line of a mount, or NULL. */
static const char *find_id(const char *text, uint64_t id)
{
	for (const char *line = text; *line; line = mountinfo_next(line)) {
		if (strtoull(line, NULL, 10) == id) {
			return line;
		}
	}
	return NULL;
}

bool mountinfo_is_shared(const char *text, uint64_t id)
{
	const char *found = find_id(text, id);
	struct line line;

	if (!found || !read_line(found, &line)) {
		return true;
	}
	return memmem(line.point, (size_t)(line.options_end - line.point),
		      " shared:", 8) != NULL;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

bool mountinfo_is_of(const char *text, uint64_t id, const char *fs_type,
		     const char *source)
{
	const char *found = find_id(text, id);
	const char *its_source;
	struct line line;

	if (!found || !read_line(found, &line) ||
	    !is_word(line.type, line.type_len, fs_type)) {
		return false;
	}
	its_source = line.type + line.type_len;
	its_source += *its_source == ' ';
	return is_word(its_source, strcspn(its_source, " \n"), source);
}

const char *mountinfo_point_of(const char *text, uint64_t id, size_t *ret_len)
{
	const char *found = find_id(text, id);
	struct line line;

	if (!found || !read_line(found, &line)) {
		return NULL;
	}
	*ret_len = line.point_len;
	return line.point;
}

bool mountinfo_has_file_system_of(const char *other, const char *text, uint64_t id)
{
	const char *found = find_id(text, id);
	struct line wanted;

	if (!found || !read_line(found, &wanted)) {
		return true;
	}
	for (const char *at = other; *at; at = mountinfo_next(at)) {
		struct line line;

		if (read_line(at, &line) && line.device_len == wanted.device_len &&
		    memcmp(line.device, wanted.device, line.device_len) == 0) {
			return true;
		}
	}
	return false;
}

size_t mountinfo_count_at(const char *text, const char *point, size_t len)
{
	size_t n = 0;

	for (const char *at = text; *at; at = mountinfo_next(at)) {
		struct line line;

		n += read_line(at, &line) && line.point_len == len &&
		     memcmp(line.point, point, len) == 0;
	}
	return n;
}

static void undo_octal(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

char *mountinfo_point_of_type(const char *at, const char *fs_type)
{
	struct line line;
	char *point;

	if (!read_line(at, &line) || !is_word(line.type, line.type_len, fs_type)) {
		return NULL;
	}
	point = xstrndup(line.point, line.point_len);
	undo_octal(point);
	return point;
}
