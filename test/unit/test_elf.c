/* SPDX-License-Identifier: Apache-2.0 */
/* test_elf.c - lib/host/elf.c */

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/elf.h"
#include "made_host.h"

#ifdef __aarch64__
#define TRIPLE_OF_TEST "aarch64-linux-gnu"
#else
#define TRIPLE_OF_TEST "x86_64-linux-gnu"
#endif

static struct made_host made;
static struct elf_library library;

static void start(void)
{
	made_host_new(&made);
	library = (struct elf_library){.soname = "untouched"};
}

static void stop(void)
{
	made_host_free(&made);
}

TestSuite(elf, .init = start, .fini = stop);

/* Bytes of the library at /lib.so, for a change; write_back() puts
   them into a new file. */
static size_t read_made(unsigned int bits, const char *soname, char *buf, size_t size)
{
	autofree char *path = xasprintf("%s/lib.so", made.root);
	int fd;
	ssize_t n;

	made_library(&made, "/lib.so", soname, bits);
	fd = open(path, O_RDONLY);
	n = read(fd, buf, size);
	cr_assert_gt(n, 0);
	(void)close(fd);
	return (size_t)n;
}

static int read_bytes(const char *buf, size_t len)
{
	int fd = memfd_create("library", MFD_CLOEXEC);
	int r;

	cr_assert_eq(write(fd, buf, len), (ssize_t)len);
	r = elf_read_library(fd, &library);
	(void)close(fd);
	return r;
}

Test(elf, soname_of_a_64_bit_library)
{
	char buf[1024];
	size_t len = read_made(64, "libcuda.so.1", buf, sizeof(buf));

	cr_assert_eq(read_bytes(buf, len), 0);
	cr_expect_str_eq(library.soname, "libcuda.so.1");
	cr_expect_eq(library.bits, 64);
	cr_expect_eq(library.machine, elf_machine_64);
}

Test(elf, soname_of_a_32_bit_library)
{
	char buf[1024];
	size_t len = read_made(32, "libcuda.so.1", buf, sizeof(buf));

	cr_assert_eq(read_bytes(buf, len), 0);
	cr_expect_str_eq(library.soname, "libcuda.so.1");
	cr_expect_eq(library.bits, 32);
	cr_expect_eq(library.machine, elf_machine_32);
}

Test(elf, real_library_of_this_machine)
{
	/* The C library that this test runs with. */
	int fd = open("/lib/" TRIPLE_OF_TEST "/libc.so.6", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		cr_skip_test("no libc.so.6 in Debian's place");
	}
	cr_expect_eq(elf_read_library(fd, &library), 0);
	cr_expect_str_eq(library.soname, "libc.so.6");
	cr_expect_eq(library.bits, 64);
	(void)close(fd);
}

Test(elf, library_without_a_soname)
{
	char buf[1024];
	size_t len = read_made(64, NULL, buf, sizeof(buf));

	cr_expect_eq(read_bytes(buf, len), 0);
	cr_expect_str_eq(library.soname, "");
}

Test(elf, soname_that_is_no_name_of_a_file_is_none)
{
	static const char *const names[] = {"../libc.so.6", "/etc/passwd", ".", "..",
					    "a b",	    "a\nb",	   "",	".hidden",
					    "a/b"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char buf[1024];
		size_t len = read_made(64, names[i], buf, sizeof(buf));

		cr_expect_eq(read_bytes(buf, len), 0, "%s", names[i]);
		cr_expect_str_eq(library.soname, "", "%s", names[i]);
	}
}

Test(elf, longest_name_and_one_more)
{
	char name[257];
	char buf[1024];
	size_t len;

	memset(name, 'a', sizeof(name));
	name[255] = '\0';
	len = read_made(64, name, buf, sizeof(buf));
	cr_expect_eq(read_bytes(buf, len), 0);
	cr_expect_eq(strlen(library.soname), 255);
	name[255] = 'a';
	name[256] = '\0';
	len = read_made(64, name, buf, sizeof(buf));
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
}

Test(elf, text_and_nothing_are_no_libraries)
{
	cr_expect_eq(read_bytes("", 0), -ENOEXEC);
	cr_expect_eq(read_bytes("INPUT(libcuda.so.1)\n", 20), -ENOEXEC);
	cr_expect_str_eq(library.soname, "untouched");
}

/* Every length up to the last byte of the name: an error, never a shorter name. */
Test(elf, cut_off_anywhere_is_an_error)
{
	char buf[1024];
	size_t len = read_made(64, "libcuda.so.1", buf, sizeof(buf));

	for (size_t cut = 0; cut < len; cut++) {
		cr_expect_lt(read_bytes(buf, cut), 0, "%zu", cut);
	}
}

Test(elf, other_byte_order_and_type_are_refused)
{
	char buf[1024];
	size_t len = read_made(64, "libcuda.so.1", buf, sizeof(buf));

	buf[EI_DATA] = buf[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
	len = read_made(64, "libcuda.so.1", buf, sizeof(buf));
	buf[EI_CLASS] = 3;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
	len = read_made(64, "libcuda.so.1", buf, sizeof(buf));
	((Elf64_Ehdr *)(void *)buf)->e_type = ET_REL;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
}

Test(elf, headers_out_of_bounds_are_refused)
{
	_Alignas(Elf64_Ehdr) char buf[1024];
	Elf64_Ehdr *head = (Elf64_Ehdr *)(void *)buf;
	size_t len = read_made(64, "libcuda.so.1", buf, sizeof(buf));

	head->e_phoff = UINT64_MAX - 8;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
	head->e_phoff = sizeof(*head);
	head->e_phnum = 65;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
	head->e_phnum = 2;
	head->e_phentsize = 1;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
}

/* From here on, for this test's process: a disk that is broken at that place. */
static void fail_reading_at(uint32_t offset)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pread64, 0, 3),
		/* Its low half, on a little-endian machine. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, offset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]),
					   .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		cr_skip_test("no filters here: %s", strerror(errno));
	}
}

/* Else a library would be taken for a file of another kind, and
   given without its links. */
Test(elf, headers_that_cannot_be_read_are_not_those_of_no_library)
{
	_Alignas(Elf64_Ehdr) char buf[1024];
	size_t len = read_made(64, "libcuda.so.1", buf, sizeof(buf));

	((Elf64_Ehdr *)(void *)buf)->e_phoff = 8192;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
	fail_reading_at(8192);
	cr_expect_eq(read_bytes(buf, len), -EIO);
}

Test(elf, strings_out_of_bounds_are_refused)
{
	_Alignas(Elf64_Ehdr) char buf[1024];
	size_t len = read_made(64, "libcuda.so.1", buf, sizeof(buf));
	Elf64_Phdr *headers = (Elf64_Phdr *)(void *)(buf + sizeof(Elf64_Ehdr));
	Elf64_Dyn *dynamic = (Elf64_Dyn *)(void *)(headers + 2);

	dynamic[1].d_un.d_ptr = len;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
	dynamic[1].d_un.d_ptr = 0;
	dynamic[0].d_un.d_val = UINT64_MAX;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
	headers[1].p_filesz = UINT64_MAX;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
	headers[1].p_filesz = 16;
	headers[1].p_offset = UINT64_MAX;
	cr_expect_eq(read_bytes(buf, len), -ENOEXEC);
}
