/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlprobe.c - runs inside a container and says which driver it gets
 *
 *	dlprobe NAME|PATH...
 *
 * A NAME is a library: it is loaded as programs do it, and asked for its version. A PATH
 * is a file: what is in it, and whether it can be written to.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void load(const char *name)
{
	void *library = dlopen(name, RTLD_NOW);
	const char *(*version)(void);

	if (!library) {
		printf("dl %s none: %s\n", name, dlerror());
		return;
	}
	*(void **)&version = dlsym(library, "driver_version");
	printf("dl %s %s\n", name, version ? version() : "no version");
}

static void look(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[strcspn(text, "\n")] = '\0';
	printf("file %s %s\n", path, n < 0 ? strerror(errno) : text);
	fd = open(path, O_WRONLY);
	printf("write %s %s\n", path, fd < 0 ? strerror(errno) : "ok");
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '/') {
			look(argv[i]);
		} else {
			load(argv[i]);
		}
	}
	printf("end\n");
	return 0;
}
