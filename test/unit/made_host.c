/* SPDX-License-Identifier: Apache-2.0 */
/* made_host.c - a small host tree in a temporary directory */

#include "made_host.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/elf.h"

void made_host_new(struct made_host *made)
{
	struct err err;

	*made = (struct made_host){.root = "/tmp/made-host.XXXXXX"};
	cr_assert(mkdtemp(made->root), "mkdtemp");
	cr_assert_eq(host_open(made->root, &made->host, &err), 0);
}

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void made_host_free(struct made_host *made)
{
	/* A test that skips itself frees first, since that leaves out its end. */
	if (!*made->root) {
		return;
	}
	host_close(&made->host);
	cr_assert_eq(nftw(made->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	*made->root = '\0';
}

/* The path outside of the tree, with its parents made. To free(). */
static char *make_parents(const struct made_host *made, const char *path)
{
	char *full = xasprintf("%s%s", made->root, path);

	for (char *slash = strchr(full + strlen(made->root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	return full;
}

void made_file(const struct made_host *made, const char *path, const char *fmt, ...)
{
	autofree char *full = make_parents(made, path);
	FILE *file = fopen(full, "w");
	va_list ap;

	cr_assert(file, "write '%s'", full);
	va_start(ap, fmt);
	(void)vfprintf(file, fmt, ap);
	va_end(ap);
	cr_assert_eq(fclose(file), 0);
}

void made_link(const struct made_host *made, const char *path, const char *target)
{
	autofree char *full = make_parents(made, path);

	cr_assert_eq(symlink(target, full), 0, "link '%s'", full);
}

/* Head, program headers, dynamic section and strings, one behind the other and loaded at
   address 0. */
static size_t build_library_64(char *buf, const char *soname)
{
	const size_t dynamic_at = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
	const Elf64_Dyn dynamic[] = {
		{.d_tag = soname ? DT_SONAME : DT_DEBUG, .d_un.d_val = 1},
		{.d_tag = DT_STRTAB, .d_un.d_ptr = dynamic_at + 3 * sizeof(Elf64_Dyn)},
		{.d_tag = DT_NULL},
	};
	const size_t len =
		dynamic_at + sizeof(dynamic) + strlen(soname ? soname : "") + 2;
	const Elf64_Phdr headers[] = {
		{.p_type = PT_LOAD, .p_filesz = len},
		{.p_type = PT_DYNAMIC,
		 .p_offset = dynamic_at,
		 .p_filesz = sizeof(dynamic)},
	};
	const Elf64_Ehdr head = {
		.e_ident = ELFMAG "\2\1\1",
		.e_type = ET_DYN,
		.e_machine = elf_machine_64,
		.e_phoff = sizeof(head),
		.e_phentsize = sizeof(headers[0]),
		.e_phnum = 2,
	};

	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), headers, sizeof(headers));
	memcpy(buf + dynamic_at, dynamic, sizeof(dynamic));
	strcpy(buf + dynamic_at + sizeof(dynamic) + 1, soname ? soname : "");
	return len;
}

static size_t build_library_32(char *buf, const char *soname)
{
	const size_t dynamic_at = sizeof(Elf32_Ehdr) + 2 * sizeof(Elf32_Phdr);
	const Elf32_Dyn dynamic[] = {
		{.d_tag = soname ? DT_SONAME : DT_DEBUG, .d_un.d_val = 1},
		{.d_tag = DT_STRTAB, .d_un.d_ptr = dynamic_at + 3 * sizeof(Elf32_Dyn)},
		{.d_tag = DT_NULL},
	};
	const size_t len =
		dynamic_at + sizeof(dynamic) + strlen(soname ? soname : "") + 2;
	const Elf32_Phdr headers[] = {
		{.p_type = PT_LOAD, .p_filesz = len},
		{.p_type = PT_DYNAMIC,
		 .p_offset = dynamic_at,
		 .p_filesz = sizeof(dynamic)},
	};
	const Elf32_Ehdr head = {
		.e_ident = ELFMAG "\1\1\1",
		.e_type = ET_DYN,
		.e_machine = elf_machine_32,
		.e_phoff = sizeof(head),
		.e_phentsize = sizeof(headers[0]),
		.e_phnum = 2,
	};

	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), headers, sizeof(headers));
	memcpy(buf + dynamic_at, dynamic, sizeof(dynamic));
	strcpy(buf + dynamic_at + sizeof(dynamic) + 1, soname ? soname : "");
	return len;
}

void made_library(const struct made_host *made, const char *path, const char *soname,
		  unsigned int bits)
{
	autofree char *full = make_parents(made, path);
	FILE *file = fopen(full, "w");
	char buf[1024] = "";
	size_t len = bits == 64 ? build_library_64(buf, soname)
				: build_library_32(buf, soname);

	cr_assert(file, "write '%s'", full);
	cr_assert_eq(fwrite(buf, 1, len, file), len);
	cr_assert_eq(fclose(file), 0);
}

void made_dir(const struct made_host *made, const char *path)
{
	autofree char *full = make_parents(made, path);

	cr_assert_eq(mkdir(full, 0755), 0, "mkdir '%s'", full);
}

bool made_node(const struct made_host *made, const char *path, unsigned int major,
	       unsigned int minor)
{
	autofree char *full = make_parents(made, path);

	return mknod(full, S_IFCHR | 0600, makedev(major, minor)) == 0 &&
	       chown(full, 7, 8) == 0 && chmod(full, 0640) == 0;
}

void made_driver(const struct made_host *made, const char *dir, const char *driver)
{
	autofree char *path = xasprintf("/sys/%s/driver", dir);
	autofree char *target = xasprintf("../../../bus/any/drivers/%s", driver);

	made_link(made, path, target);
}

static void made_attribute(const struct made_host *made, const char *dir,
			   const char *name, unsigned int value, int digits)
{
	autofree char *path = xasprintf("/sys/%s/%s", dir, name);

	made_file(made, path, "0x%0*x\n", digits, value);
}

void made_pci(const struct made_host *made, const char *dir, unsigned int vendor,
	      unsigned int device, unsigned int pci_class, const char *driver)
{
	autofree char *numa = xasprintf("/sys/%s/numa_node", dir);
	autofree char *link = xasprintf("/sys/bus/pci/devices/%s", strrchr(dir, '/') + 1);
	autofree char *target = xasprintf("../../../%s", dir);

	made_attribute(made, dir, "vendor", vendor, 4);
	made_attribute(made, dir, "device", device, 4);
	made_attribute(made, dir, "class", pci_class, 6);
	made_file(made, numa, "-1\n");
	made_link(made, link, target);
	if (driver) {
		made_driver(made, dir, driver);
	}
}

void made_drm(const struct made_host *made, const char *dir, const char *name,
	      unsigned int minor)
{
	autofree char *dev = xasprintf("/sys/%s/drm/%s/dev", dir, name);
	autofree char *link = xasprintf("/sys/class/drm/%s", name);
	autofree char *target = xasprintf("../../%s/drm/%s", dir, name);

	made_file(made, dev, "226:%u\n", minor);
	made_link(made, link, target);
}

void made_kfd_node(const struct made_host *made, unsigned int number,
		   unsigned int render_minor, unsigned int location_id, int domain,
		   unsigned long long unique_id)
{
	autofree char *path =
		xasprintf("/sys/class/kfd/kfd/topology/nodes/%u/properties", number);
	autofree char *domain_line =
		domain < 0 ? xstrdup("") : xasprintf("domain %d\n", domain);

	made_file(made, path,
		  "cpu_cores_count 0\nsimd_count 192\nvendor_id 4098\n"
		  "location_id %u\n%sdrm_render_minor %u\nunique_id %llu\nnum_xcc 1\n",
		  location_id, domain_line, render_minor, unique_id);
}

/* @text is taken. */
static char *append(char *text, const char *a, const char *between, const char *b)
{
	char *longer = xasprintf("%s%s%s%s%s", text, *text ? " " : "", a, between, b);

	free(text);
	return longer;
}

char *made_plan(const struct gpu_injector *injector, const struct gpu *gpu,
		const char *request, struct err *err)
{
	cleanup(gpu_spec_clearp) struct gpu_spec spec = {0};
	cleanup(plan_clearp) struct plan plan = {0};
	struct container ctr = {0};
	char *text = xstrdup("");

	cr_assert_eq(gpu_spec_parse(request, strlen(request), &spec, err), 0, "%s",
		     err->msg);
	if (injector->contribute(gpu, &spec, &ctr, &plan, err) < 0) {
		return append(text, "error", "", "");
	}
	for (size_t i = 0; i < plan.n_nodes; i++) {
		text = append(text, plan.nodes[i].ctr.text, "", "");
	}
	for (size_t i = 0; i < plan.n_links; i++) {
		text = append(text, plan.links[i].ctr.text, ">", plan.links[i].target);
	}
	for (size_t i = 0; i < plan.n_warnings; i++) {
		text = append(text, "!", "", "");
	}
	return text;
}
