/* SPDX-License-Identifier: Apache-2.0 */
/* container.c - what the plan needs to know of the container */

#include "model/container.h"

#include <stdlib.h>

void container_clear(struct container *ctr)
{
	free(ctr->additional_gids);
	*ctr = (struct container){0};
}
