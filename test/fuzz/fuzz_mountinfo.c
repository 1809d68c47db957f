/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mountinfo.c - the text of /proc/PID/mountinfo, and the search for a cgroup with it
 *
 * With a T in front, the input is the text itself. Else it is a list of mounts, written
 * as the kernel writes them, so that every answer is known beforehand: paths of any bytes
 * come back as they were. Source: Linux fs/proc_namespace.c, show_mountinfo();
 * fs/seq_file.c, mangle_path().
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "backend/apply/cgroup_hierarchy.h"
#include "backend/apply/mountinfo.h"
#include "base/mem.h"
#include "base/text.h"
#include "input.h"
#include "made_tree.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOUNTS_MAX     8U
#define PATH_BYTES_MAX 24U

/* A status that says "skipped" to who runs the target. */
#define STATUS_SKIPPED 77

/* Any of the optional fields, as bits. */
#define IS_SHARED     1U
#define IS_SLAVE      2U
#define IS_PROPAGATED 4U
#define IS_UNBINDABLE 8U

struct mount {
	unsigned int id;
	unsigned int fields;
	const char *type;
	char point[PATH_BYTES_MAX + 2];
	char written[4 * (PATH_BYTES_MAX + 2)];
};

struct mounts {
	struct mount mount[MOUNTS_MAX];
	size_t n;
};

static const char *const types[] = {"cgroup2", "cgroup", "tmpfs", "fuse.cgroup2", "-"};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (!made_tree_enter()) {
		puts("skipped: needs root or user namespaces, to mount a tmpfs");
		exit(STATUS_SKIPPED);
	}
	return 0;
}

/* ---- what the kernel does ---------------------------------------------------------- */

static void mangle(const char *text, const char *special, char *ret)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (strchr(special, c)) {
			ret += sprintf(ret, "\\%03o", c);
		} else {
			*ret++ = *text;
		}
	}
	*ret = '\0';
}

static void take_text(struct input *in, char *ret)
{
	size_t len = take_byte(in) % PATH_BYTES_MAX;

	for (size_t i = 0; i < len; i++) {
		char c = (char)take_byte(in);

		ret[i] = c ? c : '/';
	}
	ret[len] = '\0';
}

static bool has_id(const struct mounts *mounts, unsigned int id)
{
	for (size_t i = 0; i < mounts->n; i++) {
		if (mounts->mount[i].id == id) {
			return true;
		}
	}
	return false;
}

/* Appends the line of a mount to the text, which is taken. */
static char *write_line(char *text, const struct mount *mount, struct input *in)
{
	char raw[PATH_BYTES_MAX + 1];
	char root[4 * sizeof(raw)];
	char source[4 * sizeof(raw)];
	char *longer;

	take_text(in, raw);
	mangle(raw, " \t\n\\", root);
	take_text(in, raw);
	mangle(raw, " \t\n\\#", source);
	longer = xasprintf("%s%u %u %u:%u /%s %s rw,relatime%s%s%s%s - %s %s rw\n", text,
			   mount->id, take_byte(in), take_byte(in), take_byte(in), root,
			   mount->written, mount->fields & IS_SHARED ? " shared:7" : "",
			   mount->fields & IS_SLAVE ? " master:1" : "",
			   mount->fields & IS_PROPAGATED ? " propagate_from:2" : "",
			   mount->fields & IS_UNBINDABLE ? " unbindable" : "",
			   mount->type, source);
	free(text);
	return longer;
}

/* Return: the text, to free(). */
static char *write_mounts(struct input *in, struct mounts *mounts)
{
	size_t n = take_byte(in) % (MOUNTS_MAX + 1);
	char *text = xstrdup("");

	for (size_t i = 0; i < n; i++) {
		struct mount *mount = &mounts->mount[mounts->n];

		mount->id = take_byte(in);
		if (has_id(mounts, mount->id)) {
			continue;
		}
		mount->fields = take_byte(in);
		mount->type = types[take_byte(in) % (sizeof(types) / sizeof(types[0]))];
		mount->point[0] = '/';
		take_text(in, mount->point + 1);
		mangle(mount->point, " \t\n\\", mount->written);
		text = write_line(text, mount, in);
		mounts->n++;
	}
	return text;
}

/* ---- answers that are known -------------------------------------------------------- */

static void check_mount(const char *text, const struct mounts *mounts,
			const struct mount *mount)
{
	size_t len = 0;
	const char *point = mountinfo_point_of(text, mount->id, &len);
	size_t n = 0;

	for (size_t i = 0; i < mounts->n; i++) {
		n += text_equals(mounts->mount[i].point, mount->point);
	}
	require(point && len == strlen(mount->written) &&
		memcmp(point, mount->written, len) == 0);
	require(mountinfo_count_at(text, mount->written, len) == n);
	require(mountinfo_is_shared(text, mount->id) == !!(mount->fields & IS_SHARED));
}

static void check_line(const char *line, const struct mount *mount)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		autofree char *point = mountinfo_point_of_type(line, types[i]);

		require(!point == !text_equals(types[i], mount->type));
		require(!point || text_equals(point, mount->point));
	}
}

static void check_mounts(const char *text, const struct mounts *mounts)
{
	const char *line = text;

	for (size_t i = 0; i < mounts->n; i++) {
		check_mount(text, mounts, &mounts->mount[i]);
		require(*line);
		check_line(line, &mounts->mount[i]);
		line = mountinfo_next(line);
	}
	require(!*line);
	/* Of what is not there the worst is assumed; ids here are a byte. */
	require(mountinfo_is_shared(text, 256));
	require(!mountinfo_point_of(text, 256, &(size_t){0}));
}

/* ---- any text ---------------------------------------------------------------------- */

static void check_text(const char *text)
{
	const char *end = text + strlen(text);

	for (const char *line = text; *line; line = mountinfo_next(line)) {
		autofree char *of_type = mountinfo_point_of_type(line, "cgroup2");
		uint64_t id = strtoull(line, NULL, 10);
		size_t len = 0;
		const char *point = mountinfo_point_of(text, id, &len);

		require(mountinfo_next(line) > line && mountinfo_next(line) <= end);
		require(!of_type || strstr(line, " - cgroup2"));
		/* A point is a word of the text, and its mount is one of
		   those that are at it. */
		if (point) {
			require(point > text && point + len < end &&
				strcspn(point, " \n") == len);
			require(mountinfo_count_at(text, point, len) > 0);
		} else {
			require(mountinfo_is_shared(text, id));
		}
	}
}

/* ---- the search -------------------------------------------------------------------- */

static bool is_hierarchy(int fd, enum cgroup_version version)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       fs.f_type ==
		       (version == CGROUP_V2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

/* The text as our mountinfo in a tree that stands for /proc; the tree is kept.
   Return: its descriptor */
static int write_proc(const char *text)
{
	static int tree_fd = -1;
	autofree char *path = xasprintf("%d/mountinfo", getpid());
	autofree char *entry = xasprintf("f %s %s", path, text);

	if (tree_fd < 0) {
		tree_fd = made_tree_new();
	}
	(void)unlinkat(tree_fd, path, 0);
	require(made_tree_line(tree_fd, entry));
	return tree_fd;
}

/* The mount points are tried on this machine, so the answer depends on it; but it is the
   root of such a hierarchy, or an error of one line. */
static void check_search(const char *text, enum cgroup_version version)
{
	struct ctr_process process = CTR_PROCESS_NONE;
	struct err err = {0};
	int fd;

	process.proc_fd = write_proc(text);
	process.pid = getpid();
	fd = cgroup_hierarchy_open(version, "/no-such-cgroup", &process, &err);
	if (fd >= 0) {
		require(is_hierarchy(fd, version));
		close(fd);
		return;
	}
	require(err.code == ENOENT && fd == -ENOENT);
	for (const char *c = err.msg; *c; c++) {
		require((unsigned char)*c >= 0x20 && *c != 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	struct mounts mounts = {.n = 0};
	autofree char *text = NULL;

	if (size > 0 && data[0] == 'T') {
		text = xstrndup((const char *)data + 1, size - 1);
	} else {
		text = write_mounts(&in, &mounts);
		check_mounts(text, &mounts);
	}
	check_text(text);
	check_search(text, size & 1 ? CGROUP_V2 : CGROUP_V1_DEVICES);
	return 0;
}
