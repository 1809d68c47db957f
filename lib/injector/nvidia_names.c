/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia_names.c - which of the driver's files is for which capability
 *
 * Sources, in the order of the rows: libnvidia-container src/nvc_info.c
 * (utility_libs, compute_libs, video_libs, graphics_libs, graphics_libs_glvnd,
 * utility_bins, compute_bins, lookup_ipcs); NVIDIA Container Toolkit pkg/nvcdi
 * (driver-nvml.go, common-nvml.go: the platform libraries, the links),
 * internal/discover/graphics.go (ICD files).
 */

#include "injector/nvidia_names.h"

#include <string.h>

#include "base/text.h"
#include "model/gpu_spec.h"

#define UTILITY (1U << GPU_CAPABILITY_UTILITY)
/* Encoders and decoders run on contexts of CUDA: video brings compute along. */
#define VIDEO	(1U << GPU_CAPABILITY_VIDEO)
#define COMPUTE (1U << GPU_CAPABILITY_COMPUTE | VIDEO)
/* To show something it has to be drawn: display brings graphics along. */
#define GRAPHICS (1U << GPU_CAPABILITY_GRAPHICS | 1U << GPU_CAPABILITY_DISPLAY)

static const struct nvidia_library rows[] = {
	{.stem = "libnvidia-ml", .capabilities = UTILITY},
	{.stem = "libnvidia-cfg", .capabilities = UTILITY},
	{.stem = "libnvidia-nscq", .capabilities = UTILITY},
	{.stem = "libcuda", .capabilities = COMPUTE, .needs_dev_name = true},
	{.stem = "libcudadebugger", .capabilities = COMPUTE},
	{.stem = "libnvidia-opencl", .capabilities = COMPUTE},
	/* A compiler that graphics uses as well. */
	{.stem = "libnvidia-gpucomp", .capabilities = COMPUTE | GRAPHICS},
	{.stem = "libnvidia-ptxjitcompiler", .capabilities = COMPUTE},
	{.stem = "libnvidia-fatbinaryloader", .capabilities = COMPUTE},
	{.stem = "libnvidia-allocator",
	 .capabilities = COMPUTE | GRAPHICS,
	 .graphics_link = "gbm/nvidia-drm_gbm.so"},
	{.stem = "libnvidia-compiler", .capabilities = COMPUTE},
	{.stem = "libnvidia-pkcs11", .capabilities = COMPUTE},
	{.stem = "libnvidia-pkcs11-openssl3", .capabilities = COMPUTE},
	{.stem = "libnvidia-nvvm", .capabilities = COMPUTE},
	{.stem = "libnvidia-nvvm70", .capabilities = COMPUTE, .is_unversioned = true},
	{.stem = "libnvidia-tileiras", .capabilities = COMPUTE},
	{.stem = "libvdpau_nvidia", .capabilities = VIDEO},
	{.stem = "libnvidia-encode", .capabilities = VIDEO},
	{.stem = "libnvidia-opticalflow", .capabilities = VIDEO, .needs_dev_name = true},
	{.stem = "libnvcuvid", .capabilities = VIDEO},
	{.stem = "libnvidia-eglcore", .capabilities = GRAPHICS},
	{.stem = "libnvidia-glcore", .capabilities = GRAPHICS},
	{.stem = "libnvidia-tls", .capabilities = GRAPHICS},
	{.stem = "libnvidia-glsi", .capabilities = GRAPHICS},
	{.stem = "libnvidia-fbc", .capabilities = GRAPHICS},
	{.stem = "libnvidia-ifr", .capabilities = GRAPHICS},
	{.stem = "libnvidia-rtcore", .capabilities = GRAPHICS},
	{.stem = "libnvoptix", .capabilities = GRAPHICS},
	{.stem = "libnvidia-ngx", .capabilities = GRAPHICS},
	{.stem = "libGLX_nvidia",
	 .capabilities = GRAPHICS,
	 .graphics_link = "libGLX_indirect.so.0"},
	{.stem = "libEGL_nvidia", .capabilities = GRAPHICS},
	{.stem = "libGLESv2_nvidia", .capabilities = GRAPHICS},
	{.stem = "libGLESv1_CM_nvidia", .capabilities = GRAPHICS},
	{.stem = "libnvidia-glvkspirv", .capabilities = GRAPHICS},
	{.stem = "libnvidia-cbl", .capabilities = GRAPHICS},
	/* The driver's own, of the time before GLVND. */
	{.stem = "libGL", .capabilities = GRAPHICS},
	{.stem = "libEGL", .capabilities = GRAPHICS},
	{.stem = "libGLESv1_CM", .capabilities = GRAPHICS},
	{.stem = "libGLESv2", .capabilities = GRAPHICS},
	{.stem = "libnvidia-vulkan-producer",
	 .capabilities = GRAPHICS,
	 .needs_dev_name = true},
	{.stem = "libnvidia-egl-gbm", .capabilities = GRAPHICS, .is_unversioned = true},
	{.stem = "libnvidia-egl-wayland",
	 .capabilities = GRAPHICS,
	 .is_unversioned = true},
	{.stem = "libnvidia-egl-wayland2",
	 .capabilities = GRAPHICS,
	 .is_unversioned = true},
	{.stem = "libnvidia-egl-xcb", .capabilities = GRAPHICS, .is_unversioned = true},
	{.stem = "libnvidia-egl-xlib", .capabilities = GRAPHICS, .is_unversioned = true},
	/* Of the control panel nvidia-settings, which no container gets. */
	{.stem = "libnvidia-gtk2"},
	{.stem = "libnvidia-gtk3"},
	{.stem = "libnvidia-wayland-client"},
};

static const struct nvidia_library unknown_row = {
	.stem = "",
	.capabilities = NVIDIA_LIBRARY_UNKNOWN,
};

const struct nvidia_file nvidia_programs[] = {
	{"nvidia-smi", UTILITY},
	{"nvidia-debugdump", UTILITY},
	{"nvidia-persistenced", UTILITY},
	{"nv-fabricmanager", UTILITY},
	{"nvidia-cuda-mps-control", COMPUTE},
	{"nvidia-cuda-mps-server", COMPUTE},
	{"nvidia-imex", COMPUTE},
	{"nvidia-imex-ctl", COMPUTE},
	{NULL, 0},
};

const struct nvidia_file nvidia_shared_data[] = {
	{"glvnd/egl_vendor.d/10_nvidia.json", GRAPHICS},
	{"egl/egl_external_platform.d/09_nvidia_wayland2.json", GRAPHICS},
	{"egl/egl_external_platform.d/10_nvidia_wayland.json", GRAPHICS},
	{"egl/egl_external_platform.d/15_nvidia_gbm.json", GRAPHICS},
	{"egl/egl_external_platform.d/20_nvidia_xcb.json", GRAPHICS},
	{"egl/egl_external_platform.d/20_nvidia_xlib.json", GRAPHICS},
	{"nvidia/nvoptix.bin", GRAPHICS},
	{NULL, 0},
};

const struct nvidia_file nvidia_etc_data[] = {
	{"OpenCL/vendors/nvidia.icd", COMPUTE},
	{"vulkan/icd.d/nvidia_icd.json", GRAPHICS},
#if defined(__aarch64__)
	{"vulkan/icd.d/nvidia_icd.aarch64.json", GRAPHICS},
#else
	{"vulkan/icd.d/nvidia_icd.x86_64.json", GRAPHICS},
#endif
	{"vulkan/icd.d/nvidia_layers.json", GRAPHICS},
	{"vulkan/implicit_layer.d/nvidia_layers.json", GRAPHICS},
	{NULL, 0},
};

const struct nvidia_file nvidia_sockets[] = {
	{"nvidia-persistenced/socket", UTILITY},
	{"nvidia-fabricmanager/socket", UTILITY},
	{NULL, 0},
};

static const struct nvidia_library *find_row(const char *stem, size_t len)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strlen(rows[i].stem) == len &&
		    strncmp(rows[i].stem, stem, len) == 0) {
			return &rows[i];
		}
	}
	return NULL;
}

static bool is_version(const char *text)
{
	return *text && strspn(text, "0123456789.") == strlen(text);
}

/* Asked for every name in a library directory: what is nobody's is seen at its end. */
const struct nvidia_library *nvidia_find_library(const char *name, const char *version)
{
	const char *suffix = strstr(name, ".so.");
	const struct nvidia_library *row;
	bool has_version;

	if (!suffix || !text_starts_with(name, "lib")) {
		return NULL;
	}
	has_version = text_equals(suffix + strlen(".so."), version);
	if (!has_version && !text_starts_with(name, "libnvidia-")) {
		return NULL;
	}
	row = find_row(name, (size_t)(suffix - name));
	if (row && row->is_unversioned) {
		return is_version(suffix + strlen(".so.")) ? row : NULL;
	}
	if (!has_version) {
		return NULL;
	}
	return row ? row : &unknown_row;
}
