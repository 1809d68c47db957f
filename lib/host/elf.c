/* SPDX-License-Identifier: Apache-2.0 */
/* elf.c - what a shared library says of itself */

#include "host/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Linkers write the program headers behind the head, about ten of them. */
#define HEAD_BYTES  4096U
#define HEADERS_MAX 64U

/* NVIDIA's have 30 to 40 entries of 16 bytes. */
#define DYNAMIC_BYTES_MAX 8192U

#if defined(__x86_64__)
const uint16_t elf_machine_64 = EM_X86_64;
const uint16_t elf_machine_32 = EM_386;
#elif defined(__aarch64__)
const uint16_t elf_machine_64 = EM_AARCH64;
const uint16_t elf_machine_32 = EM_ARM;
#else
const uint16_t elf_machine_64 = EM_NONE;
const uint16_t elf_machine_32 = EM_NONE;
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_DATA ELFDATA2LSB
#else
#define OUR_DATA ELFDATA2MSB
#endif

struct segment {
	uint64_t offset;
	uint64_t address;
	uint64_t size; /* in the file */
};

struct image {
	int fd;
	bool is_64;
	unsigned char head[HEAD_BYTES];
	size_t head_len;
	struct segment load[HEADERS_MAX];
	size_t n_loads;
	struct segment dynamic; /* size 0: none */
};

/* Return: 0 if all @len bytes are there, else negative errno. */
static int read_at(const struct image *image, uint64_t offset, void *buf, size_t len)
{
	ssize_t n;

	if (offset > INT64_MAX - len) {
		return -ENOEXEC;
	}
	do {
		n = pread(image->fd, buf, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return -errno;
	}
	return (size_t)n == len ? 0 : -ENOEXEC;
}

static int read_head(struct image *image)
{
	ssize_t n;

	do {
		n = pread(image->fd, image->head, sizeof(image->head), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return -errno;
	}
	image->head_len = (size_t)n;
	return image->head_len >= sizeof(Elf32_Ehdr) &&
			       memcmp(image->head, ELFMAG, SELFMAG) == 0 &&
			       image->head[EI_DATA] == OUR_DATA
		       ? 0
		       : -ENOEXEC;
}

/* The head, whatever its class, as one of 64 bits. */
static int decode_head(struct image *image, Elf64_Ehdr *ret)
{
	Elf32_Ehdr small;

	image->is_64 = image->head[EI_CLASS] == ELFCLASS64;
	if (image->is_64) {
		if (image->head_len < sizeof(*ret)) {
			return -ENOEXEC;
		}
		memcpy(ret, image->head, sizeof(*ret));
	} else if (image->head[EI_CLASS] == ELFCLASS32) {
		memcpy(&small, image->head, sizeof(small));
		*ret = (Elf64_Ehdr){
			.e_type = small.e_type,
			.e_machine = small.e_machine,
			.e_phoff = small.e_phoff,
			.e_phentsize = small.e_phentsize,
			.e_phnum = small.e_phnum,
		};
	} else {
		return -ENOEXEC;
	}
	return ret->e_type == ET_DYN && ret->e_phnum <= HEADERS_MAX &&
			       ret->e_phentsize == (image->is_64 ? sizeof(Elf64_Phdr)
								 : sizeof(Elf32_Phdr))
		       ? 0
		       : -ENOEXEC;
}

static void take_segment(struct image *image, uint32_t type,
			 const struct segment *segment)
{
	if (type == PT_LOAD) {
		image->load[image->n_loads++] = *segment;
	} else if (type == PT_DYNAMIC) {
		image->dynamic = *segment;
	}
}

static void take_header(struct image *image, const unsigned char *header)
{
	struct segment segment;
	Elf64_Phdr big;
	Elf32_Phdr small;

	if (image->is_64) {
		memcpy(&big, header, sizeof(big));
		segment = (struct segment){big.p_offset, big.p_vaddr, big.p_filesz};
		take_segment(image, big.p_type, &segment);
	} else {
		memcpy(&small, header, sizeof(small));
		segment = (struct segment){small.p_offset, small.p_vaddr, small.p_filesz};
		take_segment(image, small.p_type, &segment);
	}
}

static int read_headers(struct image *image, const Elf64_Ehdr *head)
{
	unsigned char elsewhere[HEADERS_MAX * sizeof(Elf64_Phdr)];
	size_t len = (size_t)head->e_phnum * head->e_phentsize;
	const unsigned char *headers = elsewhere;
	int r = 0;

	if (head->e_phoff <= image->head_len && len <= image->head_len - head->e_phoff) {
		headers = image->head + head->e_phoff;
	} else {
		r = read_at(image, head->e_phoff, elsewhere, len);
	}
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < head->e_phnum; i++) {
		take_header(image, headers + i * head->e_phentsize);
	}
	return 0;
}

/* Where in the file a loaded address is. */
static int find_offset(const struct image *image, uint64_t address, uint64_t *ret)
{
	for (size_t i = 0; i < image->n_loads; i++) {
		const struct segment *load = &image->load[i];

		if (address >= load->address && address - load->address < load->size &&
		    load->offset <= INT64_MAX) {
			*ret = load->offset + (address - load->address);
			return 0;
		}
	}
	return -ENOEXEC;
}

/* Entry @i, whatever its class. */
static Elf64_Dyn decode_entry(const struct image *image, const unsigned char *table,
			      size_t i)
{
	Elf64_Dyn big;
	Elf32_Dyn small;

	if (image->is_64) {
		memcpy(&big, table + i * sizeof(big), sizeof(big));
		return big;
	}
	memcpy(&small, table + i * sizeof(small), sizeof(small));
	return (Elf64_Dyn){.d_tag = small.d_tag, .d_un.d_val = small.d_un.d_val};
}

/* It becomes the name of a link in a container's directory. */
static bool is_file_name(const char *name)
{
	if (!*name || *name == '.') {
		return false;
	}
	for (; *name; name++) {
		if ((unsigned char)*name <= 0x20 || (unsigned char)*name >= 0x7f ||
		    *name == '/') {
			return false;
		}
	}
	return true;
}

/* The name may be the last thing in the file, so as much of it as there is. */
static int read_name(const struct image *image, uint64_t offset, char *ret)
{
	char name[ELF_NAME_SIZE];
	ssize_t n;

	if (offset > INT64_MAX) {
		return -ENOEXEC;
	}
	do {
		n = pread(image->fd, name, sizeof(name), (off_t)offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return -errno;
	}
	if (!memchr(name, '\0', (size_t)n)) {
		return -ENOEXEC;
	}
	memcpy(ret, is_file_name(name) ? name : "",
	       is_file_name(name) ? strlen(name) + 1 : 1);
	return 0;
}

static int read_soname(const struct image *image, char *ret)
{
	unsigned char table[DYNAMIC_BYTES_MAX];
	size_t entry_len = image->is_64 ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
	bool has_name = false;
	uint64_t strings = 0;
	uint64_t name = 0;
	uint64_t offset = 0;
	size_t n;
	int r;

	ret[0] = '\0';
	if (image->dynamic.size > sizeof(table)) {
		return -ENOEXEC;
	}
	r = read_at(image, image->dynamic.offset, table, image->dynamic.size);
	if (r < 0) {
		return r;
	}
	n = image->dynamic.size / entry_len;
	for (size_t i = 0; i < n; i++) {
		Elf64_Dyn entry = decode_entry(image, table, i);

		if (entry.d_tag == DT_NULL) {
			break;
		}
		if (entry.d_tag == DT_STRTAB) {
			strings = entry.d_un.d_ptr;
		} else if (entry.d_tag == DT_SONAME) {
			has_name = true;
			name = entry.d_un.d_val;
		}
	}
	if (!has_name) {
		return 0;
	}
	if (name > UINT32_MAX || find_offset(image, strings, &offset) < 0) {
		return -ENOEXEC;
	}
	return read_name(image, offset + name, ret);
}

int elf_read_library(int fd, struct elf_library *ret)
{
	struct image image = {.fd = fd};
	struct elf_library library = {0};
	Elf64_Ehdr head = {0};
	int r = read_head(&image);

	if (r == 0) {
		r = decode_head(&image, &head);
	}
	if (r == 0) {
		r = read_headers(&image, &head);
	}
	if (r == 0) {
		r = read_soname(&image, library.soname);
	}
	if (r < 0) {
		return r;
	}
	library.bits = image.is_64 ? 64 : 32;
	library.machine = head.e_machine;
	*ret = library;
	return 0;
}
