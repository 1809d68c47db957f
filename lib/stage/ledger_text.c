/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_text.c - the ledger's file: its form */

#include "stage/ledger_text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define HEADER	"oci-gpu-hook ledger "
#define VERSION "1 "

/* The fields of a line. Between the first and the last two are words of our own. */
enum field {
	FIELD_GPU,
	FIELD_SHARING,
	FIELD_PID,
	FIELD_START_TIME,
	FIELD_PID_NS,
	FIELD_ID,
	FIELD_BUNDLE,
	FIELD_COUNT,
};

#define EXCLUSIVE "exclusive"
#define SHARED	  "shared"

/* ---- reading ----------------------------------------------------------------------- */

static int wrong_line(size_t number, struct err *err)
{
	return err_set(err, EINVAL, "line %zu is not one of a ledger", number);
}

static int read_hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes the escapes out and puts a NUL behind it, in place, where its tab or line end may
   be. Return: the field; NULL: it is none. */
static const char *read_field(char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c < ' ' || c > '~') {
			return NULL;
		}
		if (c == '%') {
			int high = len - i > 2 ? read_hex_digit(text[i + 1]) : -1;
			int low = len - i > 2 ? read_hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0 || high + low == 0) {
				return NULL;
			}
			c = (char)(high * 16 + low);
			i += 2;
		}
		text[n++] = c;
	}
	text[n] = '\0';
	return text;
}

static bool read_pid(const char *text, size_t len, pid_t *ret)
{
	uint32_t pid = 0;

	if (text_to_u32(text, len, &pid) < 0 || pid == 0 || pid > INT_MAX) {
		return false;
	}
	*ret = (pid_t)pid;
	return true;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

static bool read_sharing(const char *text, size_t len, bool *ret)
{
	*ret = is_word(text, len, EXCLUSIVE);
	return *ret || is_word(text, len, SHARED);
}

/* Return: is it one? */
static bool read_into(struct holder *holder, enum field field, char *text, size_t len)
{
	switch (field) {
	case FIELD_GPU:
		holder->gpu = read_field(text, len);
		return holder->gpu && *holder->gpu;
	case FIELD_SHARING:
		return read_sharing(text, len, &holder->is_exclusive);
	case FIELD_PID:
		return read_pid(text, len, &holder->init.pid);
	case FIELD_START_TIME:
		return text_to_u64(text, len, &holder->init.start_time) == 0;
	case FIELD_PID_NS:
		return text_to_u64(text, len, &holder->init.pid_ns) == 0;
	case FIELD_ID:
		holder->id = read_field(text, len);
		return holder->id;
	case FIELD_BUNDLE:
		holder->bundle = read_field(text, len);
		return holder->bundle;
	case FIELD_COUNT:
		break;
	}
	return false;
}

/* Return: is it one? @ret is filled only then. */
static bool read_line(char *line, size_t len, struct holder *ret)
{
	struct holder holder = {0};

	for (int i = 0; i < FIELD_COUNT; i++) {
		char *tab = memchr(line, '\t', len);
		size_t field_len = tab ? (size_t)(tab - line) : len;

		/* As many tabs as there are fields, less one. */
		if (!tab != (i == FIELD_COUNT - 1) ||
		    !read_into(&holder, (enum field)i, line, field_len)) {
			return false;
		}
		if (tab) {
			line += field_len + 1;
			len -= field_len + 1;
		}
	}
	*ret = holder;
	return true;
}

/* Return: is the rest of this boot? */
static int read_header(const char *line, size_t len, const char *boot_id,
		       bool *ret_is_current, struct err *err)
{
	size_t header_len = strlen(HEADER);
	size_t version_len = strlen(VERSION);

	if (len < header_len || memcmp(line, HEADER, header_len) != 0) {
		return wrong_line(1, err);
	}
	line += header_len;
	len -= header_len;
	if (len < version_len || memcmp(line, VERSION, version_len) != 0) {
		return err_set(err, EPROTONOSUPPORT,
			       "it is not of version 1, which this program writes");
	}
	line += version_len;
	len -= version_len;
	*ret_is_current = len == strlen(boot_id) && memcmp(line, boot_id, len) == 0;
	return 0;
}

int ledger_text_read(struct bytes *text, const char *boot_id, struct holders *ret,
		     struct err *err)
{
	cleanup(holders_clearp) struct holders holders = {0};
	char *line = text->data;
	char *end = line + text->len;
	bool is_current = true;

	holders_take_text(&holders, text->data);
	*text = (struct bytes){0};
	for (size_t number = 1; line < end; number++) {
		char *line_end = memchr(line, '\n', (size_t)(end - line));
		struct holder holder;
		size_t len;

		/* A line that does not end was not written to its end. */
		if (!line_end || number > LIMIT_LEDGER_ENTRIES + 1) {
			return wrong_line(number, err);
		}
		len = (size_t)(line_end - line);
		if (number == 1 &&
		    read_header(line, len, boot_id, &is_current, err) < 0) {
			return -err->code;
		}
		if (number > 1) {
			if (!read_line(line, len, &holder)) {
				return wrong_line(number, err);
			}
			holders_append(&holders, &holder);
		}
		line = line_end + 1;
	}
	if (is_current) {
		*ret = holders;
		holders = (struct holders){0};
	}
	return 0;
}

/* ---- writing ----------------------------------------------------------------------- */

static bool needs_escape(char c)
{
	return c < ' ' || c > '~' || c == '%';
}

/* What needs no escape at once: a call for each character was half of the time that a
   full ledger takes. Return: how long it is. */
static size_t write_field(FILE *out, const char *text)
{
	size_t written = 0;

	while (*text) {
		size_t len = 0;

		while (text[len] && !needs_escape(text[len])) {
			len++;
		}
		written += fwrite(text, 1, len, out);
		text += len;
		if (*text) {
			written += (size_t)fprintf(out, "%%%02x", (unsigned char)*text);
			text++;
		}
	}
	return written;
}

/* Return: how long it is. */
static size_t write_holder(FILE *out, const struct holder *holder)
{
	size_t len = write_field(out, holder->gpu);

	len += (size_t)fprintf(out, "\t%s\t%d\t%" PRIu64 "\t%" PRIu64 "\t",
			       holder->is_exclusive ? EXCLUSIVE : SHARED,
			       holder->init.pid, holder->init.start_time,
			       holder->init.pid_ns);
	len += write_field(out, holder->id);
	(void)fputc('\t', out);
	len += write_field(out, holder->bundle);
	(void)fputc('\n', out);
	return len + 2;
}

int ledger_text_write(const struct holders *holders, const char *boot_id, FILE *out,
		      struct err *err)
{
	size_t len;

	if (holders->n > LIMIT_LEDGER_ENTRIES) {
		return err_set(err, E2BIG, "more than %u GPUs are held",
			       LIMIT_LEDGER_ENTRIES);
	}
	len = (size_t)fprintf(out, HEADER VERSION "%s\n", boot_id);
	for (size_t i = 0; i < holders->n; i++) {
		len += write_holder(out, &holders->holder[i]);
	}
	return len > LIMIT_LEDGER_BYTES
		       ? err_set(err, E2BIG, "the ledger is over %u bytes",
				 LIMIT_LEDGER_BYTES)
		       : 0;
}
