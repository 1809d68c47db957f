/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * systemd_rules.h - a device program in the place of one that cannot be edited. Pure.
 *
 * A runtime turns config.json into a program of its own and into the unit's DeviceAllow,
 * from which systemd makes another one. Both must allow. Where the runtime's cannot be
 * edited, one that allows the same and the plan's nodes can stand for it: but only if
 * config.json says in full what that is, and systemd's program has it all. Else the
 * container would lose devices, or get others.
 */

#include "backend/apply/devrules.h"
#include "backend/apply/systemd_unit.h"
#include "model/container.h"
#include "model/plan.h"

/**
 * systemd_rules_lack() - What is in the way of a stand-in?
 *
 * config.json must begin with denying all, and every other rule of it must allow, and be
 * in DeviceAllow. Devices are compared by number, which is how runtimes write them; an
 * entry of another form is as good as none.
 *
 * Return: a reason for a message, or NULL: nothing.
 */
const char *systemd_rules_lack(const struct systemd_properties *properties,
			       const struct container *ctr);

/**
 * systemd_rules_stand_in() - Make it
 *
 * Allows what config.json allows, the plan's nodes, and what runtimes allow to every
 * container: a few devices, and making nodes. What else DeviceAllow has it denies: crun
 * 1.21 turns a minor number of 0 into all minors there.
 */
void systemd_rules_stand_in(const struct container *ctr, const struct plan *plan,
			    struct devrules_program *ret);
