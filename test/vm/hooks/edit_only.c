/* SPDX-License-Identifier: Apache-2.0 */
/* edit_only.c - the hook that does not tell systemd: it only edits the device programs */

#include <stddef.h>

#include "backend/apply/systemd.h"

void systemd_unit_free(struct systemd_unit *unit)
{
	(void)unit;
}

int systemd_prepare(const struct plan *plan, const char *path, size_t top,
		    struct systemd_unit **ret, struct err *err)
{
	(void)plan;
	(void)path;
	(void)top;
	(void)err;
	*ret = NULL;
	return 0;
}

/* Never called: there is no unit. */
int systemd_allow(struct systemd_unit *unit, struct err *err)
{
	(void)unit;
	(void)err;
	return 0;
}

const char *systemd_unit_filter(const struct systemd_unit *unit,
				const struct container *ctr, const char **ret)
{
	(void)unit;
	(void)ctr;
	(void)ret;
	return NULL;
}

const char *systemd_unit_pin(const struct systemd_unit *unit)
{
	(void)unit;
	return NULL;
}

const char *systemd_unit_name(const struct systemd_unit *unit)
{
	(void)unit;
	return NULL;
}
