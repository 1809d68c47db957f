/* SPDX-License-Identifier: Apache-2.0 */
/* children.c - the children that have parsed, so that none is left behind */

#include "children.h"

#include <stddef.h>
#include <sys/wait.h>

/* One for each part that is parsed, and the one for specifications. */
#define MAX_CHILDREN 8U

static pid_t children[MAX_CHILDREN];
static size_t n_children;

void children_note(pid_t child)
{
	if (n_children < MAX_CHILDREN) {
		children[n_children++] = child;
	}
}

void children_reap(void)
{
	while (n_children > 0) {
		(void)waitpid(children[--n_children], NULL, 0);
	}
}
