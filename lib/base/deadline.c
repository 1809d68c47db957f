/* SPDX-License-Identifier: Apache-2.0 */
/* deadline.c - one deadline for the whole run */

#include "base/deadline.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

/* Written by the handler: there is no other way out of one. */
static volatile sig_atomic_t has_passed;

static void on_alarm(int number)
{
	(void)number;
	has_passed = 1;
}

void deadline_start(unsigned int seconds, unsigned int grace_seconds)
{
	/* The first alarm resets the action, so that the second kills. No SA_RESTART: a
	   call that waits must end. */
	const struct sigaction action = {.sa_handler = on_alarm,
					 .sa_flags = SA_RESETHAND};
	const struct itimerval timer = {
		.it_value = {.tv_sec = seconds},
		.it_interval = {.tv_sec = grace_seconds},
	};

	has_passed = 0;
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

bool deadline_has_passed(void)
{
	return has_passed != 0;
}

int deadline_check(const char *doing, struct err *err)
{
	if (has_passed) {
		return err_set(err, ETIMEDOUT,
			       "%s: out of time; see the kernel's log for a device or a "
			       "file system that does not answer",
			       doing);
	}
	return 0;
}

long long deadline_clock_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
