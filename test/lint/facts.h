/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * facts.h - what an analyzer cannot know, since it looks at one file at a time
 *
 * analyze.py includes it before each file of ours. A function that fills an error returns
 * a negative number: without this an analyzer follows paths on which one has failed and
 * its caller goes on. That it is so is asserted by test/unit/test_err.c.
 */

#include "base/err.h"

#define NEGATIVE(call)                           \
	({                                       \
		int negative_ = (call);          \
		if (negative_ >= 0) {            \
			__builtin_unreachable(); \
		}                                \
		negative_;                       \
	})

#define err_set(...)	    NEGATIVE(err_set(__VA_ARGS__))
#define err_sys(...)	    NEGATIVE(err_sys(__VA_ARGS__))
#define err_wrap(...)	    NEGATIVE(err_wrap(__VA_ARGS__))
#define err_old_kernel(...) NEGATIVE(err_old_kernel(__VA_ARGS__))
