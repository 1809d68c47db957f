/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - opens device nodes, inside of a container or out, and says what came of it */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define DRM_MAJOR 226 /* Linux include/drm/drm_file.h */

/* Linux include/uapi/drm/drm.h, struct drm_version */
struct drm_version {
	int major, minor, patch;
	size_t name_bytes;
	char *name;
	size_t date_bytes;
	char *date;
	size_t desc_bytes;
	char *desc;
};

#define DRM_IOCTL_VERSION _IOWR('d', 0x00, struct drm_version)

static void print_error(FILE *out, const char *what, int code)
{
	(void)fprintf(out, "%s %s\n", what, strerrorname_np(code));
}

/* Prints "WHAT OK", with the driver's own name if it is a DRM node, or "WHAT ERRNO". */
static void open_node(FILE *out, const char *what, const char *path)
{
	char name[64] = "";
	struct drm_version version = {.name = name, .name_bytes = sizeof(name) - 1};
	struct stat info;
	int fd;

	fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		print_error(out, what, errno);
		return;
	}
	if (fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) &&
	    major(info.st_rdev) == DRM_MAJOR) {
		if (ioctl(fd, DRM_IOCTL_VERSION, &version) == 0) {
			(void)fprintf(out, "%s OK %s\n", what, name);
		} else {
			print_error(out, what, errno);
		}
	} else {
		(void)fprintf(out, "%s OK\n", what);
	}
	(void)close(fd);
}

/* @what is a path, or "c:MAJOR:MINOR" or "b:MAJOR:MINOR" for a node to be made here. */
static void look(FILE *out, const char *what)
{
	unsigned int node_major, node_minor;
	char path[64];

	if (sscanf(what, "%*[cb]:%u:%u", &node_major, &node_minor) != 2) {
		open_node(out, what, what);
		return;
	}
	(void)snprintf(path, sizeof(path), "/tmp/node-%d", (int)getpid());
	(void)unlink(path);
	if (mknod(path, (what[0] == 'c' ? S_IFCHR : S_IFBLK) | 0666,
		  makedev(node_major, node_minor)) < 0) {
		(void)fprintf(out, "%s mknod:%s\n", what, strerrorname_np(errno));
		return;
	}
	open_node(out, what, path);
	(void)unlink(path);
}

/* Reads a request, words apart by blanks or new lines, and answers
   in a file beside it. */
static bool answer(const char *request)
{
	char what[256], partial[300], final[300];
	FILE *in, *out;

	in = fopen(request, "re");
	if (!in) {
		return false;
	}
	(void)snprintf(partial, sizeof(partial), "%s.partial", request);
	(void)snprintf(final, sizeof(final), "%s.answer", request);
	out = fopen(partial, "we");
	if (!out) {
		perror(partial);
		exit(1);
	}
	while (fscanf(in, "%255s", what) == 1) {
		look(out, what);
	}
	(void)fclose(in);
	if (fclose(out) != 0 || rename(partial, final) < 0) {
		perror(final);
		exit(1);
	}
	return true;
}

/* The main process of a container: answers DIRECTORY/1, then 2, and so on, for ever. */
static void serve(const char *directory)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	unsigned int number = 1;
	char request[280];

	for (;;) {
		(void)snprintf(request, sizeof(request), "%s/%u", directory, number);
		if (answer(request)) {
			number++;
		} else {
			(void)nanosleep(&pause, NULL);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		serve(argv[2]);
	}
	for (int i = 1; i < argc; i++) {
		look(stdout, argv[i]);
	}
	return 0;
}
