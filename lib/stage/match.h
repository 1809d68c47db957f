/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* match.h - does a GPU fit a request? Pure, and private to lib/stage. */

#include <stdbool.h>
#include <stdint.h>

#include "model/gpu_spec.h"
#include "model/inventory.h"

/* What the vendor of the request turned out to mean on this host. */
enum meaning {
	MEANS_VENDOR,	   /* GPUs of that vendor */
	MEANS_ALIAS,	   /* none of that vendor, but GPUs that stand in for it */
	MEANS_DRIVER,	   /* GPUs whose kernel driver has that name */
	MEANS_RENDER_NODE, /* any GPU with a DRI render node */
};

/* What @vendor means here, by what is in the inventory and usable. */
enum meaning match_find_meaning(const struct inventory *inv, const char *vendor);

bool match_is_usable(const struct gpu *gpu);

/* "renderD128", or NULL. */
const char *match_render_name(const struct gpu *gpu);

/* Is @driver its kernel driver? vgem is a device without one: its name stands for it. */
bool match_has_driver(const struct gpu *gpu, const char *driver);

/* Is it among those that @vendor means? Whether it is usable is not asked here. */
bool match_is_meant(const struct gpu *gpu, const char *vendor, enum meaning meaning);

bool match_has_model(const struct gpu *gpu, const struct gpu_spec *spec);

/* Do GPUs that cannot compute not count? */
bool match_must_compute(const struct gpu_spec *spec, const struct inventory *inv,
			enum meaning meaning);

/* Would a request by number take this GPU, if it is not the first? @needs_compute: what
   match_must_compute() says. */
bool match_fits(const struct gpu *gpu, const struct gpu_spec *spec, enum meaning meaning,
		bool needs_compute);

/* The same, for who asks of one GPU alone. */
bool match_is_candidate(const struct gpu *gpu, const struct gpu_spec *spec,
			const struct inventory *inv);

/* Is the device id a plain number? */
bool match_is_index(const char *id, uint32_t *ret);
