/* SPDX-License-Identifier: Apache-2.0 */
/*
 * made_driver.c - stands for NVIDIA's driver in test_made_driver.py
 *
 * As a library with the SONAME libcuda.so.1 it answers what in_container.c asks: memory
 * is the process's own, and a launch adds. As the program nvidia-smi (-DSMI) it lists the
 * nodes /dev/nvidiaN that are there; outside, $MADE_DEV is the made host's /dev. BROKEN:
 * every sum but the first is wrong, for the test of the test.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The minors of the GPUs that are there, in order. Return: how many. */
static int find_gpus(int minors[8])
{
	const char *dev = getenv("MADE_DEV") ? getenv("MADE_DEV") : "/dev";
	int n = 0;

	for (int i = 0; i < 8; i++) {
		DIR *stream = opendir(dev);
		const struct dirent *entry;
		char name[16];

		(void)snprintf(name, sizeof(name), "nvidia%d", i);
		while (stream && (entry = readdir(stream))) {
			if (strcmp(entry->d_name, name) == 0) {
				minors[n++] = i;
			}
		}
		if (stream) {
			closedir(stream);
		}
	}
	return n;
}

#ifdef SMI

int main(int argc, char **argv)
{
	int minors[8];
	int n = find_gpus(minors);

	for (int i = 0; i < n; i++) {
		if (argc > 1 && strcmp(argv[1], "-L") == 0) {
			printf("GPU %d: Made GPU (UUID: GPU-%08d-aaaa-bbbb-cccc-"
			       "000000000000)\n",
			       i, minors[i]);
		} else {
			printf("00000000:%02X:00.0\n", minors[i] + 1);
		}
	}
	return n > 0 ? 0 : 6;
}

#else

int cuInit(unsigned int flags);
int cuDeviceGetCount(int *count);
int cuDeviceGet(int *device, int ordinal);
int cuDeviceGetName(char *name, int len, int device);
int cuCtxCreate_v2(void **context, unsigned int flags, int device);
int cuCtxDestroy_v2(void *context);
int cuModuleLoadData(void **module, const void *image);
int cuModuleGetFunction(void **function, void *module, const char *name);
int cuMemAlloc_v2(unsigned long long *pointer, size_t size);
int cuMemcpyHtoD_v2(unsigned long long to, const void *from, size_t size);
int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t size);
int cuLaunchKernel(void *function, unsigned int gx, unsigned int gy, unsigned int gz,
		   unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared,
		   void *stream, void **params, void **extra);
int cuCtxSynchronize(void);

int cuInit(unsigned int flags)
{
	int minors[8];

	/* 100: CUDA_ERROR_NO_DEVICE */
	return flags == 0 && find_gpus(minors) > 0 ? 0 : 100;
}

int cuDeviceGetCount(int *count)
{
	int minors[8];

	*count = find_gpus(minors);
	return 0;
}

int cuDeviceGet(int *device, int ordinal)
{
	*device = ordinal;
	return 0;
}

int cuDeviceGetName(char *name, int len, int device)
{
	(void)snprintf(name, (size_t)len, "made %d", device);
	return 0;
}

int cuCtxCreate_v2(void **context, unsigned int flags, int device)
{
	*context = context;
	return flags == 0 && device >= 0 ? 0 : 1;
}

int cuCtxDestroy_v2(void *context)
{
	return context ? 0 : 1;
}

int cuModuleLoadData(void **module, const void *image)
{
	*module = module;
	return strstr(image, ".visible .entry add(") ? 0 : 1;
}

int cuModuleGetFunction(void **function, void *module, const char *name)
{
	*function = module;
	return strcmp(name, "add") == 0 ? 0 : 1;
}

int cuMemAlloc_v2(unsigned long long *pointer, size_t size)
{
	*pointer = (unsigned long long)(size_t)malloc(size);
	return 0;
}

int cuMemcpyHtoD_v2(unsigned long long to, const void *from, size_t size)
{
	memcpy((void *)(size_t)to, from, size);
	return 0;
}

int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t size)
{
	memcpy(to, (const void *)(size_t)from, size);
	return 0;
}

int cuLaunchKernel(void *function, unsigned int gx, unsigned int gy, unsigned int gz,
		   unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared,
		   void *stream, void **params, void **extra)
{
	const float *a = *(const float **)params[0];
	const float *b = *(const float **)params[1];
	float *sum = *(float **)params[2];
	unsigned int n = *(const unsigned int *)params[3];

	if (!function || gy * gz * by * bz != 1 || gx * bx < n || shared || stream ||
	    extra) {
		return 1;
	}
	for (unsigned int i = 0; i < n; i++) {
#ifdef BROKEN
		sum[i] = a[i] + b[0];
#else
		sum[i] = a[i] + b[i];
#endif
	}
	return 0;
}

int cuCtxSynchronize(void)
{
	return 0;
}

#endif
