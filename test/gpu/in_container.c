/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_container.c - what test/gpu/check_gpu.py runs in a container
 *
 *	in_container nodes	the GPU nodes there, one a line, and what open() says
 *	in_container add	adds two vectors on each GPU that CUDA sees
 *
 * Needs glibc and the driver's libcuda.so.1, found by the loader as any program
 * finds it: no header and no library of a toolkit. The kernel is PTX text, which
 * the driver compiles. Source of the functions and their types: CUDA Driver API,
 * the _v2 names of cuda.h.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N     1000000U
#define BLOCK 256U

static const char ptx[] =
	".version 6.0\n"
	".target sm_50\n"
	".address_size 64\n"
	".visible .entry add(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n)\n"
	"{\n"
	"	.reg .pred %p;\n"
	"	.reg .f32 %f<4>;\n"
	"	.reg .b32 %r<6>;\n"
	"	.reg .b64 %d<8>;\n"
	"	ld.param.u64 %d1, [a];\n"
	"	ld.param.u64 %d2, [b];\n"
	"	ld.param.u64 %d3, [c];\n"
	"	ld.param.u32 %r1, [n];\n"
	"	mov.u32 %r2, %ctaid.x;\n"
	"	mov.u32 %r3, %ntid.x;\n"
	"	mov.u32 %r4, %tid.x;\n"
	"	mad.lo.s32 %r5, %r2, %r3, %r4;\n"
	"	setp.ge.u32 %p, %r5, %r1;\n"
	"	@%p bra END;\n"
	"	cvta.to.global.u64 %d1, %d1;\n"
	"	cvta.to.global.u64 %d2, %d2;\n"
	"	cvta.to.global.u64 %d3, %d3;\n"
	"	mul.wide.u32 %d4, %r5, 4;\n"
	"	add.s64 %d5, %d1, %d4;\n"
	"	add.s64 %d6, %d2, %d4;\n"
	"	add.s64 %d7, %d3, %d4;\n"
	"	ld.global.f32 %f1, [%d5];\n"
	"	ld.global.f32 %f2, [%d6];\n"
	"	add.f32 %f3, %f1, %f2;\n"
	"	st.global.f32 [%d7], %f3;\n"
	"END:\n"
	"	ret;\n"
	"}\n";

typedef unsigned long long device_ptr;

static struct {
	int (*init)(unsigned int);
	int (*count)(int *);
	int (*get)(int *, int);
	int (*name)(char *, int, int);
	int (*ctx_create)(void **, unsigned int, int);
	int (*ctx_destroy)(void *);
	int (*load)(void **, const void *);
	int (*function)(void **, void *, const char *);
	int (*alloc)(device_ptr *, size_t);
	int (*to_device)(device_ptr, const void *, size_t);
	int (*to_host)(void *, device_ptr, size_t);
	int (*launch)(void *, unsigned int, unsigned int, unsigned int, unsigned int,
		      unsigned int, unsigned int, unsigned int, void *, void **, void **);
	int (*synchronize)(void);
} cuda;

static float a[N];
static float b[N];
static float sum[N];

static int find_functions(void)
{
	static const struct {
		const char *name;
		void **function;
	} rows[] = {
		{"cuInit", (void **)&cuda.init},
		{"cuDeviceGetCount", (void **)&cuda.count},
		{"cuDeviceGet", (void **)&cuda.get},
		{"cuDeviceGetName", (void **)&cuda.name},
		{"cuCtxCreate_v2", (void **)&cuda.ctx_create},
		{"cuCtxDestroy_v2", (void **)&cuda.ctx_destroy},
		{"cuModuleLoadData", (void **)&cuda.load},
		{"cuModuleGetFunction", (void **)&cuda.function},
		{"cuMemAlloc_v2", (void **)&cuda.alloc},
		{"cuMemcpyHtoD_v2", (void **)&cuda.to_device},
		{"cuMemcpyDtoH_v2", (void **)&cuda.to_host},
		{"cuLaunchKernel", (void **)&cuda.launch},
		{"cuCtxSynchronize", (void **)&cuda.synchronize},
	};
	void *library = dlopen("libcuda.so.1", RTLD_NOW);

	if (!library) {
		printf("dlopen: %s\n", dlerror());
		return -1;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*rows[i].function = dlsym(library, rows[i].name);
		if (!*rows[i].function) {
			printf("dlsym: %s\n", dlerror());
			return -1;
		}
	}
	return 0;
}

#define TRY(call)                                                 \
	do {                                                      \
		int result_ = (call);                             \
		if (result_ != 0) {                               \
			printf("%s: error %d\n", #call, result_); \
			return -1;                                \
		}                                                 \
	} while (0)

static int add_on(int number)
{
	char name[128] = "";
	unsigned int n = N;
	size_t wrong = 0;
	void *function = NULL;
	void *module = NULL;
	void *context = NULL;
	device_ptr on_a, on_b, on_sum;
	void *params[] = {&on_a, &on_b, &on_sum, &n};
	int device;

	TRY(cuda.get(&device, number));
	TRY(cuda.name(name, sizeof(name), device));
	TRY(cuda.ctx_create(&context, 0, device));
	TRY(cuda.load(&module, ptx));
	TRY(cuda.function(&function, module, "add"));
	TRY(cuda.alloc(&on_a, sizeof(a)));
	TRY(cuda.alloc(&on_b, sizeof(b)));
	TRY(cuda.alloc(&on_sum, sizeof(sum)));
	TRY(cuda.to_device(on_a, a, sizeof(a)));
	TRY(cuda.to_device(on_b, b, sizeof(b)));
	TRY(cuda.launch(function, (N + BLOCK - 1) / BLOCK, 1, 1, BLOCK, 1, 1, 0, NULL,
			params, NULL));
	TRY(cuda.synchronize());
	memset(sum, 0, sizeof(sum));
	TRY(cuda.to_host(sum, on_sum, sizeof(sum)));
	for (size_t i = 0; i < N; i++) {
		wrong += sum[i] != a[i] + b[i];
	}
	TRY(cuda.ctx_destroy(context));
	printf("device %d %s: %zu of %u sums wrong\n", number, name, wrong, N);
	return wrong == 0 ? 0 : -1;
}

static int add(void)
{
	int count = 0;
	int r = 0;

	/* Whole numbers below 2^24, so that every sum is exact. */
	for (size_t i = 0; i < N; i++) {
		a[i] = (float)i;
		b[i] = (float)(2 * i + 1);
	}
	if (find_functions() < 0) {
		return -1;
	}
	TRY(cuda.init(0));
	TRY(cuda.count(&count));
	for (int i = 0; i < count && r == 0; i++) {
		r = add_on(i);
	}
	return count > 0 ? r : -1;
}

static void list(const char *dir, const char *start)
{
	DIR *stream = opendir(dir);
	const struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		char path[300];
		int fd;

		if (strncmp(entry->d_name, start, strlen(start)) != 0 ||
		    entry->d_type == DT_DIR) {
			continue;
		}
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		printf("%s %s\n", path, fd < 0 ? strerror(errno) : "opens");
		if (fd >= 0) {
			close(fd);
		}
	}
	if (stream) {
		closedir(stream);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "nodes") == 0) {
		list("/dev", "nvidia");
		list("/dev/dri", "renderD");
		list("/dev/dri", "card");
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "add") == 0) {
		return add() < 0 ? 1 : 0;
	}
	return 2;
}
