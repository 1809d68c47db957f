/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cleanup.h - locals that free themselves at the end of their scope
 *
 * Every owned local is declared with its cleanup and initialised on the same line. What
 * leaves the function is taken out with steal_ptr() or steal_fd() as the last step.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))

/* Defines <clear_fn>p, which cleanup() can call:
   DEFINE_CLEANUP(struct plan, plan_clear). */
#define DEFINE_CLEANUP(type, clear_fn)               \
	static inline void clear_fn##p(type *object) \
	{                                            \
		clear_fn(object);                    \
	}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Closes once, without a retry on EINTR: Linux has released the number by then, and a
   second close() could hit somebody else's descriptor. */
static inline void close_keep_errno(int fd)
{
	int saved = errno;

	(void)close(fd);
	errno = saved;
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0) {
		close_keep_errno(*fd);
	}
}

#define autofree  cleanup(cleanup_free)
#define autoclose cleanup(cleanup_close)

#define steal_ptr(pp)                              \
	({                                         \
		__typeof__(*(pp)) stolen_ = *(pp); \
		*(pp) = NULL;                      \
		stolen_;                           \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}
