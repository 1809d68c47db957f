/* SPDX-License-Identifier: Apache-2.0 */
/* ld_cache.c - the file that ldconfig writes for the dynamic loader */

#include "base/ld_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OLD_MAGIC "ld.so-1.7.0"
#define NEW_MAGIC "glibc-ld.so.cache1.1"

#define ALIGNMENT 8U /* of the new header, and of the extensions (they need 4) */

#define ELF_FOR_GLIBC 3U

/* NAME_MAX and its '\0': a longer name is none. It bounds what a lying file can cost, all
   of whose entries may point to the same long string. */
#define NAME_SIZE_MAX 256U

struct old_header {
	char magic[sizeof(OLD_MAGIC) - 1];
	uint32_t n;
};

struct old_entry {
	uint32_t flags;
	uint32_t key;
	uint32_t value;
};

struct new_header {
	char magic[sizeof(NEW_MAGIC) - 1];
	uint32_t n;
	uint32_t strings_len;
	uint8_t byte_order; /* 0: not said (before glibc 2.33); 2: little, 3: big */
	uint8_t padding[3];
	uint32_t extensions; /* offset in the file; 0: none */
	uint32_t unused[3];
};

struct new_entry {
	uint32_t flags;
	uint32_t key;
	uint32_t value;
	uint32_t os_version;
	uint64_t hwcap;
};

_Static_assert(sizeof(struct old_header) == 16, "layout of the old header");
_Static_assert(sizeof(struct new_header) == 48, "layout of the new header");
_Static_assert(sizeof(struct new_entry) == 24, "layout of a new entry");

#define EXTENSIONS_MAGIC       0xeaa42174U
#define TAG_HWCAPS	       1U
#define EXTENSION_SECTIONS_MAX 8U  /* glibc 2.42 knows two */
#define HWCAPS_MAX	       64U /* directories; x86-64 has three, powerpc two */

struct extensions {
	uint32_t magic;
	uint32_t n;
};

struct section {
	uint32_t tag;
	uint32_t flags;
	uint32_t offset;
	uint32_t size;
};

static const uint8_t own_byte_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 2 : 3;

/* ---- reading ----------------------------------------------------------------------- */

/* Fields of a file need not be aligned. Return: false if they are not all in it. */
static bool read_at(const struct ld_cache *cache, size_t offset, void *ret, size_t size)
{
	if (offset > cache->len || size > cache->len - offset) {
		return false;
	}
	memcpy(ret, cache->file + offset, size);
	return true;
}

static bool open_new(struct ld_cache *cache, size_t start)
{
	struct new_header header;

	if (!read_at(cache, start, &header, sizeof(header)) ||
	    memcmp(header.magic, NEW_MAGIC, sizeof(header.magic)) != 0 ||
	    (header.byte_order != 0 && header.byte_order != own_byte_order) ||
	    header.n > (cache->len - start - sizeof(header)) / sizeof(struct new_entry)) {
		return false;
	}
	cache->start = start;
	cache->entries = start + sizeof(header);
	cache->n = header.n;
	return true;
}

static size_t align(size_t offset)
{
	return (offset + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static bool open_old(struct ld_cache *cache)
{
	struct old_header header;
	size_t end;

	if (!read_at(cache, 0, &header, sizeof(header)) ||
	    memcmp(header.magic, OLD_MAGIC, sizeof(header.magic)) != 0 ||
	    header.n > (cache->len - sizeof(header)) / sizeof(struct old_entry)) {
		return false;
	}
	end = sizeof(header) + header.n * sizeof(struct old_entry);
	if (open_new(cache, align(end))) {
		return true;
	}
	cache->is_old = true;
	cache->start = end;
	cache->entries = sizeof(header);
	cache->n = header.n;
	return true;
}

int ld_cache_open(const char *file, size_t len, struct ld_cache *ret, struct err *err)
{
	struct ld_cache cache = {.file = file, .len = len};
	const char *last;

	if (!open_new(&cache, 0) && !open_old(&cache)) {
		return err_set(err, EINVAL,
			       "it is no cache of ldconfig's, or of another "
			       "byte order");
	}
	last = len > 0 ? memrchr(file, '\0', len) : NULL;
	cache.strings_end = last ? (size_t)(last - file) + 1 : 0;
	*ret = cache;
	return 0;
}

/* The string at an offset from the start, if it ends in the file. That is not looked up
   in each: it does if there is any end behind. */
static const char *string_at(const struct ld_cache *cache, uint32_t offset)
{
	size_t at = cache->start + offset;

	return at < cache->strings_end ? cache->file + at : NULL;
}

/* Both formats begin alike; what the old one lacks is 0. */
static bool read_entry(const struct ld_cache *cache, size_t i, struct new_entry *ret)
{
	size_t size = cache->is_old ? sizeof(struct old_entry) : sizeof(*ret);

	*ret = (struct new_entry){0};
	return i < cache->n && read_at(cache, cache->entries + i * size, ret, size);
}

bool ld_cache_get(const struct ld_cache *cache, size_t i, struct ld_cache_entry *ret)
{
	struct new_entry entry;

	if (!read_entry(cache, i, &entry)) {
		return false;
	}
	ret->flags = entry.flags;
	ret->hwcap = entry.hwcap;
	ret->key = string_at(cache, entry.key);
	ret->value = string_at(cache, entry.value);
	return ret->key && ret->value && strnlen(ret->key, NAME_SIZE_MAX) < NAME_SIZE_MAX;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A run of digits without the zeros in front. Return: its length, with those. */
static size_t read_digits(const char *text, const char **ret_digits, size_t *ret_len)
{
	size_t zeros = strspn(text, "0");
	size_t len = strspn(text, "0123456789");

	*ret_digits = text + zeros;
	*ret_len = len - zeros;
	return len;
}

int ld_cache_compare(const char *one, const char *other)
{
	while (*one) {
		if (is_digit(*one) && is_digit(*other)) {
			const char *digits[2];
			size_t len[2];
			int r;

			one += read_digits(one, &digits[0], &len[0]);
			other += read_digits(other, &digits[1], &len[1]);
			if (len[0] != len[1]) {
				return len[0] < len[1] ? -1 : 1;
			}
			r = memcmp(digits[0], digits[1], len[0]);
			if (r != 0) {
				return r;
			}
		} else if (is_digit(*one) || is_digit(*other)) {
			return is_digit(*one) ? 1 : -1;
		} else if (*one != *other) {
			return (unsigned char)*one - (unsigned char)*other;
		} else {
			one++;
			other++;
		}
	}
	return -(unsigned char)*other;
}

/* /lib is a link to /usr/lib in most images, and ldconfig writes either. */
static const char *skip_usr(const char *path, size_t *len)
{
	if (*len >= 5 && memcmp(path, "/usr/", 5) == 0) {
		*len -= 4;
		return path + 4;
	}
	return path;
}

static bool has_prefix(const char *text, const char *prefix, size_t len)
{
	return strncmp(text, prefix, len) == 0;
}

/* Reads no more of the value than the directory's length and a name. */
static bool is_in_dir(const char *value, const char *dir, size_t dir_len)
{
	size_t len;

	dir = skip_usr(dir, &dir_len);
	value += has_prefix(value, "/usr/", 5) ? 4 : 0;
	if (!has_prefix(value, dir, dir_len) || value[dir_len] != '/') {
		return false;
	}
	value += dir_len + 1;
	len = strnlen(value, NAME_SIZE_MAX);
	return len < NAME_SIZE_MAX && !memchr(value, '/', len);
}

uint32_t ld_cache_flags_of(const struct ld_cache *cache, const char *dir, size_t len)
{
	for (size_t i = 0; i < cache->n; i++) {
		struct ld_cache_entry entry;

		if (ld_cache_get(cache, i, &entry) &&
		    (entry.flags & 0xff) == ELF_FOR_GLIBC &&
		    is_in_dir(entry.value, dir, len)) {
			return entry.flags;
		}
	}
	return 0;
}

/* ---- merging ----------------------------------------------------------------------- */

/* Where ld_cache_merge() is in its output. */
struct merge {
	const struct ld_cache *cache;
	const struct ld_cache_entry *add;
	size_t n_add;
	char *out;
	size_t n;	    /* entries that were written */
	size_t strings;	    /* in the output: the old file's, from its first on */
	size_t old_strings; /* in the old file, from `start` on */
	size_t strings_end;
};

static bool is_same(const struct ld_cache_entry *entry, const struct ld_cache_entry *add)
{
	return entry->flags == add->flags && entry->hwcap == add->hwcap &&
	       strcmp(entry->key, add->key) == 0;
}

static bool is_replaced(const struct merge *merge, const struct ld_cache_entry *entry)
{
	for (size_t i = 0; i < merge->n_add; i++) {
		if (is_same(entry, &merge->add[i])) {
			return true;
		}
	}
	return false;
}

/* Is it in the old file, with the same path? */
static bool has_added(const struct ld_cache *cache, const struct ld_cache_entry *add)
{
	for (size_t i = 0; i < cache->n; i++) {
		struct ld_cache_entry entry;

		if (ld_cache_get(cache, i, &entry) && is_same(&entry, add) &&
		    strcmp(entry.value, add->value) == 0) {
			return true;
		}
	}
	return false;
}

static bool has_all(const struct merge *merge)
{
	for (size_t i = 0; i < merge->n_add; i++) {
		if (!has_added(merge->cache, &merge->add[i])) {
			return false;
		}
	}
	return true;
}

static void write_entry(struct merge *merge, const struct new_entry *entry)
{
	memcpy(merge->out + sizeof(struct new_header) + merge->n++ * sizeof(*entry),
	       entry, sizeof(*entry));
}

/* Return: its offset from the start, which is the output's own. */
static uint32_t write_string(struct merge *merge, const char *text)
{
	size_t at = merge->strings_end;
	size_t size = strlen(text) + 1;

	memcpy(merge->out + at, text, size);
	merge->strings_end += size;
	return (uint32_t)at;
}

static void write_added(struct merge *merge, const struct ld_cache_entry *add)
{
	const struct new_entry entry = {
		.flags = add->flags,
		.key = write_string(merge, add->key),
		.value = write_string(merge, add->value),
	};

	write_entry(merge, &entry);
}

/* An offset of a string of the old file, in the output. Its strings were copied as they
   are, so all of them move by the same. */
static uint32_t moved(const struct merge *merge, uint32_t offset)
{
	return (uint32_t)(offset - merge->old_strings + merge->strings);
}

/* The old entries in their order; each new one before the first that it sorts before. */
static void merge_entries(struct merge *merge)
{
	size_t next = 0;

	for (size_t i = 0; i < merge->cache->n; i++) {
		struct ld_cache_entry entry;
		struct new_entry raw;

		/* What points out of the file, or to where no
		   strings are, is of no use. */
		if (!ld_cache_get(merge->cache, i, &entry) ||
		    !read_entry(merge->cache, i, &raw) || raw.key < merge->old_strings ||
		    raw.value < merge->old_strings || is_replaced(merge, &entry)) {
			continue;
		}
		while (next < merge->n_add &&
		       ld_cache_compare(merge->add[next].key, entry.key) > 0) {
			write_added(merge, &merge->add[next++]);
		}
		raw.key = moved(merge, raw.key);
		raw.value = moved(merge, raw.value);
		write_entry(merge, &raw);
	}
	while (next < merge->n_add) {
		write_added(merge, &merge->add[next++]);
	}
}

/* The old file's section of names of hwcaps directories; false: there is none. */
static bool find_hwcaps(const struct ld_cache *cache, struct section *ret)
{
	struct new_header header;
	struct extensions extensions;

	if (!read_at(cache, cache->start, &header, sizeof(header)) ||
	    header.extensions == 0 ||
	    !read_at(cache, header.extensions, &extensions, sizeof(extensions)) ||
	    extensions.magic != EXTENSIONS_MAGIC ||
	    extensions.n > EXTENSION_SECTIONS_MAX) {
		return false;
	}
	for (size_t i = 0; i < extensions.n; i++) {
		size_t offset = header.extensions + sizeof(extensions) + i * sizeof(*ret);

		if (!read_at(cache, offset, ret, sizeof(*ret))) {
			return false;
		}
		if (ret->tag == TAG_HWCAPS) {
			return ret->size <= HWCAPS_MAX * sizeof(uint32_t);
		}
	}
	return false;
}

/* The names are strings, which have moved. Entries refer to them by their place in the
   section. Return: bytes of the section, 0 if there is none. */
static size_t copy_hwcaps(const struct merge *merge, size_t at)
{
	struct section section;
	size_t done = 0;

	if (!find_hwcaps(merge->cache, &section)) {
		return 0;
	}
	while (done + sizeof(uint32_t) <= section.size) {
		uint32_t name;

		if (!read_at(merge->cache, section.offset + done, &name, sizeof(name)) ||
		    name < merge->old_strings || !string_at(merge->cache, name)) {
			return 0;
		}
		name = moved(merge, name);
		memcpy(merge->out + at + done, &name, sizeof(name));
		done += sizeof(name);
	}
	return done;
}

/* Return: the file's length. */
static size_t write_extensions(const struct merge *merge, uint32_t *ret_offset)
{
	size_t at = align(merge->strings_end);
	size_t body = at + sizeof(struct extensions) + sizeof(struct section);
	const struct extensions extensions = {.magic = EXTENSIONS_MAGIC, .n = 1};
	struct section section = {.tag = TAG_HWCAPS, .offset = (uint32_t)body};

	section.size = (uint32_t)copy_hwcaps(merge, body);
	if (section.size == 0) {
		*ret_offset = 0;
		return merge->strings_end;
	}
	memset(merge->out + merge->strings_end, 0, at - merge->strings_end);
	memcpy(merge->out + at, &extensions, sizeof(extensions));
	memcpy(merge->out + at + sizeof(extensions), &section, sizeof(section));
	*ret_offset = (uint32_t)at;
	return body + section.size;
}

static int compare_added(const void *one, const void *other)
{
	const struct ld_cache_entry *a = one;
	const struct ld_cache_entry *b = other;

	return ld_cache_compare(b->key, a->key);
}

void ld_cache_sort(struct ld_cache_entry *add, size_t n)
{
	qsort(add, n, sizeof(*add), compare_added);
}

size_t ld_cache_merge_room(size_t len, const struct ld_cache_entry *add, size_t n_add)
{
	size_t room = len + 1 + sizeof(struct new_header) + ALIGNMENT +
		      sizeof(struct extensions) + sizeof(struct section) +
		      HWCAPS_MAX * sizeof(uint32_t);

	for (size_t i = 0; i < n_add; i++) {
		room += sizeof(struct new_entry) + strlen(add[i].key) + 1 +
			strlen(add[i].value) + 1;
	}
	return room;
}

int ld_cache_merge(const struct ld_cache *cache, const struct ld_cache_entry *add,
		   size_t n_add, char *out, size_t *ret_len, struct err *err)
{
	struct merge merge = {.cache = cache, .add = add, .n_add = n_add, .out = out};
	struct new_header header = {.byte_order = own_byte_order};
	size_t old_len;

	if (cache->is_old) {
		return err_set(err, EINVAL, "it is of the format before glibc 2.2");
	}
	if (has_all(&merge)) {
		*ret_len = 0;
		return 0;
	}
	merge.old_strings =
		cache->entries - cache->start + cache->n * sizeof(struct new_entry);
	merge.strings = sizeof(header) + (cache->n + n_add) * sizeof(struct new_entry);
	old_len = cache->len - cache->start - merge.old_strings;
	memcpy(out + merge.strings, cache->file + cache->start + merge.old_strings,
	       old_len);
	/* Whatever stands at the end of a lying file: the next
	   string is one of its own. */
	out[merge.strings + old_len] = '\0';
	merge.strings_end = merge.strings + old_len + 1;
	merge_entries(&merge);
	/* Entries that were left out leave a gap, which nothing refers to. */
	memset(out + sizeof(header) + merge.n * sizeof(struct new_entry), 0,
	       merge.strings - sizeof(header) - merge.n * sizeof(struct new_entry));
	memcpy(header.magic, NEW_MAGIC, sizeof(header.magic));
	header.n = (uint32_t)merge.n;
	header.strings_len = (uint32_t)(merge.strings_end - sizeof(header) -
					merge.n * sizeof(struct new_entry));
	*ret_len = write_extensions(&merge, &header.extensions);
	memcpy(out, &header, sizeof(header));
	return 0;
}
