/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_elf.c - any bytes in the place of a shared library */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/elf.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One file for all inputs: making one costs more than reading it. */
static int fill_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("library", MFD_CLOEXEC);
	}
	require(fd >= 0 && ftruncate(fd, 0) == 0);
	require(pwrite(fd, data, size, 0) == (ssize_t)size);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_library library;
	int r;

	memset(&library, 0xaa, sizeof(library));
	r = elf_read_library(fill_file(data, size), &library);
	if (r < 0) {
		require(library.bits == 0xaaaaaaaa);
		return 0;
	}
	require(r == 0 && (library.bits == 32 || library.bits == 64));
	require(memchr(library.soname, '\0', sizeof(library.soname)) != NULL);
	/* It becomes the name of a link. */
	require(!strchr(library.soname, '/') && library.soname[0] != '.');
	for (const char *c = library.soname; *c; c++) {
		require((unsigned char)*c > 0x20 && (unsigned char)*c < 0x7f);
	}
	return 0;
}
