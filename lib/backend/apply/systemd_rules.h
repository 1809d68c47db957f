/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * systemd_rules.h - may systemd's own device program stand alone? Pure.
 *
 * A runtime turns config.json into a program of its own and into the unit's DeviceAllow, from
 * which systemd makes another one. Both must allow. Where the runtime's cannot be edited it
 * can be taken off, but only if the two say the same: else the container would lose devices
 * that config.json gives it, or get others.
 */

#include "backend/apply/systemd_unit.h"
#include "model/container.h"
#include "model/plan.h"

/**
 * systemd_rules_differ() - Where do DeviceAllow and config.json say different things?
 *
 * Devices are compared by number; beside those of config.json and of the plan DeviceAllow may
 * have what runtimes add to every container. A form of either that is not understood differs.
 *
 * Return: a reason for a message, or NULL: they do not differ.
 */
const char *systemd_rules_differ(const struct systemd_properties *properties,
				 const struct container *ctr, const struct plan *plan);
