/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_v1.c - rules in the "devices" controller of cgroup v1 */

#include "backend/apply/cgroup_v1.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"

/* "c 4294967295:4294967295 rw" */
#define RULE_TEXT_BYTES 32U

struct v1_rule {
	char text[RULE_TEXT_BYTES];
	int deny_fd; /* for the undo log; the one of the whole set */
};

struct cgroup_v1_rules {
	int list_fd;
	struct bytes before; /* the list as it was */
	int allow_fd;
	int deny_fd;
	struct v1_rule *rule; /* only what is missing */
	size_t n;
};

void cgroup_v1_free(struct cgroup_v1_rules *rules)
{
	if (!rules) {
		return;
	}
	cleanup_close(&rules->list_fd);
	bytes_clear(&rules->before);
	cleanup_close(&rules->allow_fd);
	cleanup_close(&rules->deny_fd);
	free(rules->rule);
	free(rules);
}

static bool number_matches(const char *text, uint32_t number)
{
	unsigned int value;

	return strcmp(text, "*") == 0 ||
	       (sscanf(text, "%u", &value) == 1 && value == number);
}

const char *cgroup_v1_missing_access(const char *list, uint32_t major, uint32_t minor)
{
	bool may_read = false;
	bool may_write = false;

	while (*list) {
		char type;
		char major_text[12];
		char minor_text[12];
		char access[4];

		if (sscanf(list, "%c %11[0-9*]:%11[0-9*] %3[rwm]", &type, major_text,
			   minor_text, access) == 4 &&
		    (type == 'a' || type == 'c') && number_matches(major_text, major) &&
		    number_matches(minor_text, minor)) {
			may_read |= strchr(access, 'r') != NULL;
			may_write |= strchr(access, 'w') != NULL;
		}
		list += strcspn(list, "\n");
		list += *list == '\n';
	}
	if (may_read) {
		return may_write ? "" : "w";
	}
	return may_write ? "r" : "rw";
}

static int open_control(int cgroup_fd, const char *name, int flags, struct err *err)
{
	int fd = openat(cgroup_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		return err_sys(err, errno, "open '%s' of the container's cgroup", name);
	}
	return fd;
}

static int read_list(const struct cgroup_v1_rules *rules, struct bytes *ret,
		     struct err *err)
{
	if (lseek(rules->list_fd, 0, SEEK_SET) < 0) {
		return err_sys(err, errno,
			       "go to the start of 'devices.list' of the container's "
			       "cgroup");
	}
	return read_all(rules->list_fd, "'devices.list' of the container's cgroup",
			LIMIT_PROC_FILE_BYTES, -1, ret, err);
}

static int open_controls(struct cgroup_v1_rules *rules, int cgroup_fd, struct err *err)
{
	rules->list_fd = open_control(cgroup_fd, "devices.list", O_RDONLY, err);
	if (rules->list_fd < 0) {
		return rules->list_fd;
	}
	rules->allow_fd = open_control(cgroup_fd, "devices.allow", O_WRONLY, err);
	if (rules->allow_fd < 0) {
		return rules->allow_fd;
	}
	rules->deny_fd = open_control(cgroup_fd, "devices.deny", O_WRONLY, err);
	return rules->deny_fd < 0 ? rules->deny_fd : 0;
}

static void list_missing(const struct plan *plan, struct cgroup_v1_rules *rules)
{
	rules->rule = xcalloc(plan->n_nodes, sizeof(*rules->rule));
	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct plan_node *node = &plan->nodes[i];
		const char *access = cgroup_v1_missing_access(rules->before.data,
							      node->major, node->minor);

		if (*access) {
			struct v1_rule *rule = &rules->rule[rules->n++];

			(void)snprintf(rule->text, sizeof(rule->text), "c %u:%u %s",
				       node->major, node->minor, access);
			rule->deny_fd = rules->deny_fd;
		}
	}
}

int cgroup_v1_prepare(const struct plan *plan, int cgroup_fd, struct undo_log *undo,
		      struct cgroup_v1_rules **ret, struct err *err)
{
	struct cgroup_v1_rules *rules = xcalloc(1, sizeof(*rules));
	int r;

	rules->list_fd = -1;
	rules->allow_fd = -1;
	rules->deny_fd = -1;
	r = open_controls(rules, cgroup_fd, err);
	if (r == 0) {
		r = read_list(rules, &rules->before, err);
	}
	if (r < 0) {
		cgroup_v1_free(rules);
		return r;
	}
	list_missing(plan, rules);
	undo_log_reserve(undo, rules->n);
	*ret = rules;
	return 0;
}

/* The controller takes one rule a write(). */
static int write_rule(int fd, const char *text, size_t len)
{
	ssize_t n = write(fd, text, len);

	return n < 0 ? -errno : 0;
}

static bool has_line(const char *list, const char *line, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, "\n");

		if (n == len && memcmp(list, line, len) == 0) {
			return true;
		}
		list += n + (list[n] == '\n');
	}
	return false;
}

int cgroup_v1_restore(const struct cgroup_v1_rules *rules, struct err *err)
{
	const char *line = rules->before.data;
	struct bytes now = {0};
	int r;

	r = read_list(rules, &now, err);
	if (r < 0) {
		return r;
	}
	while (*line && r == 0) {
		size_t len = strcspn(line, "\n");

		if (!has_line(now.data, line, len)) {
			r = write_rule(rules->allow_fd, line, len);
		}
		if (r < 0) {
			r = err_sys(err, -r,
				    "allow device '%.*s' in the container's cgroup again",
				    (int)len, line);
		}
		line += len + (line[len] == '\n');
	}
	bytes_clear(&now);
	return r;
}

/* Takes away only what was missing before, so another rule for the node stays. */
static int revert_rule(const struct undo_record *record)
{
	const struct v1_rule *rule = record->change;

	return write_rule(rule->deny_fd, rule->text, strlen(rule->text));
}

int cgroup_v1_allow(const struct cgroup_v1_rules *rules, struct undo_log *undo,
		    struct err *err)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct v1_rule *rule = &rules->rule[i];
		const struct undo_record record = {.revert = revert_rule, .change = rule};
		int r = write_rule(rules->allow_fd, rule->text, strlen(rule->text));

		if (r == -EPERM) {
			return err_set(
				err, EPERM,
				"allow device '%s' in the container's cgroup: a cgroup "
				"above it does not allow the device",
				rule->text);
		}
		if (r < 0) {
			return err_sys(err, -r,
				       "allow device '%s' in the container's cgroup",
				       rule->text);
		}
		undo_log_push(undo, &record);
	}
	return 0;
}
