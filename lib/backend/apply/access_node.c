/* SPDX-License-Identifier: Apache-2.0 */
/* access_node.c - the node in the container's mount namespace, and its permissions */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/apply/access.h"
#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/syscalls.h"
#include "base/trusted_file.h"

/* Source: Linux include/uapi/linux/limits.h, NGROUPS_MAX. */
#define LIMIT_GROUPS 65536U

/* What an unmapped group reads as. Source: user_namespaces(7), overflowgid. */
#define OVERFLOW_GID 65534U

/* Characters of a line; the rest of it has the place of the reason. */
#define GROUPS_SHOWN 200

/* As the process itself would go there, its links included, but never out of its root. */
#define RESOLVE_CONTAINER (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

/* ---- the child --------------------------------------------------------------------- */

struct credentials {
	uid_t uid; /* of files */
	gid_t gid;
	gid_t *groups;
	size_t n_groups;
	unsigned long long capabilities; /* effective */
};

/* The fourth number of "Uid:" and "Gid:" is the one that files are opened with. */
static int read_file_id(const char *status, const char *key, unsigned int *ret)
{
	const char *line = strstr(status, key);

	return line && sscanf(line + strlen(key), "%*u %*u %*u %u", ret) == 1 ? 0
									      : -EINVAL;
}

static int read_credentials(const char *status, struct credentials *ret)
{
	const char *line = strstr(status, "\nGroups:");
	const char *caps = strstr(status, "\nCapEff:");
	char *end;

	if (read_file_id(status, "\nUid:", &ret->uid) < 0 ||
	    read_file_id(status, "\nGid:", &ret->gid) < 0 || !line || !caps) {
		return -EINVAL;
	}
	ret->capabilities = strtoull(caps + strlen("\nCapEff:"), NULL, 16);
	ret->groups = xcalloc(LIMIT_GROUPS, sizeof(*ret->groups));
	line += strlen("\nGroups:");
	while (ret->n_groups < LIMIT_GROUPS) {
		line += strspn(line, " \t");
		ret->groups[ret->n_groups] = (gid_t)strtoul(line, &end, 10);
		if (end == line) {
			return 0;
		}
		ret->n_groups++;
		line = end;
	}
	return -E2BIG;
}

static int set_capabilities(unsigned long long wanted)
{
	cap_t caps = cap_init();
	int r = caps ? 0 : -ENOMEM;

	for (cap_value_t cap = 0; r == 0 && cap <= CAP_LAST_CAP; cap++) {
		if ((wanted & (1ULL << cap)) &&
		    (cap_set_flag(caps, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
		     cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0)) {
			r = -errno;
		}
	}
	if (r == 0 && cap_set_proc(caps) < 0) {
		r = -errno;
	}
	(void)cap_free(caps);
	return r;
}

static int look_at_credentials(const struct ctr_process *process, struct credentials *ret)
{
	autofree char *status = NULL;
	struct err ignored = {0};
	int r = ctr_process_read(process, "status", LIMIT_PROC_FILE_BYTES, &status,
				 &ignored);

	return r < 0 ? r : read_credentials(status, ret);
}

/* Return: how many groups are left. */
static size_t leave_out_unmapped(struct credentials *credentials)
{
	size_t n = 0;

	for (size_t i = 0; i < credentials->n_groups; i++) {
		if (credentials->groups[i] != OVERFLOW_GID) {
			credentials->groups[n++] = credentials->groups[i];
		}
	}
	return n;
}

static int compare_gids(const void *a, const void *b)
{
	const gid_t *left = a;
	const gid_t *right = b;

	return (*left > *right) - (*left < *right);
}

/* Both sorted, as the kernel keeps them. */
static bool are_our_own(const struct credentials *credentials)
{
	autofree gid_t *own = xcalloc(LIMIT_GROUPS, sizeof(*own));
	int n = getgroups(LIMIT_GROUPS, own);

	if (n < 0 || (size_t)n != credentials->n_groups) {
		return false;
	}
	qsort(own, (size_t)n, sizeof(*own), compare_gids);
	return memcmp(own, credentials->groups, (size_t)n * sizeof(*own)) == 0;
}

/*
 * In the words of our own user namespace: a group that the process's own does not map,
 * such as one that podman keeps (keep-groups), lets it open a file all the same.
 */
static bool take_groups(const struct ctr_process *process)
{
	const struct trusted_caller caller = trusted_caller_look();
	struct credentials seen = {0};
	bool is_done = look_at_credentials(process, &seen) == 0 &&
		       (caller.has_all_ids || leave_out_unmapped(&seen) == seen.n_groups);

	if (is_done) {
		qsort(seen.groups, seen.n_groups, sizeof(*seen.groups), compare_gids);
		is_done =
			setgroups(seen.n_groups, seen.groups) == 0 || are_our_own(&seen);
	}
	free(seen.groups);
	return is_done;
}

/* What the child has become, for the parent. */
struct stance {
	int error; /* an errno: it has not become the process */
	bool lacks_groups;
};

/*
 * Becomes what the process is to the file system. Its ids are read behind setns(), in the
 * words of its own user namespace, in which they are set.
 */
static int take_credentials(const struct ctr_process *process, int user_ns_fd,
			    struct stance *stance)
{
	struct credentials credentials = {0};
	bool has_groups = take_groups(process);
	int r;

	if (user_ns_fd >= 0 && setns(user_ns_fd, CLONE_NEWUSER) < 0) {
		return -errno;
	}
	r = look_at_credentials(process, &credentials);
	if (r == 0 && !has_groups) {
		size_t n = leave_out_unmapped(&credentials);

		stance->lacks_groups = n < credentials.n_groups;
		r = setgroups(n, credentials.groups) < 0 ? -errno : 0;
	}
	if (r == 0 &&
	    (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	     setresgid(credentials.gid, credentials.gid, credentials.gid) < 0 ||
	     setresuid(credentials.uid, credentials.uid, credentials.uid) < 0)) {
		r = -errno;
	}
	free(credentials.groups);
	return r < 0 ? r : set_capabilities(credentials.capabilities);
}

/*
 * access(2) asks all of open(2)'s questions but the driver's. EPERM is the answer of a
 * device cgroup, ours here; it comes behind those of the permissions.
 */
static int try_node(int root_fd, const char *path)
{
	autoclose int fd = sys_openat2(root_fd, path, O_PATH, 0, RESOLVE_CONTAINER);

	if (fd < 0) {
		return errno;
	}
	if (syscall(SYS_faccessat2, fd, "", R_OK | W_OK, AT_EACCESS | AT_EMPTY_PATH) <
		    0 &&
	    errno != EPERM) {
		return errno;
	}
	return 0;
}

/* What is at a node's path, as we see it: with our own credentials. */
struct look {
	int error; /* an errno; 0: the rest says what is there */
	bool has_nodev;
	struct stat st;
};

static struct look look_at_path(int root_fd, const char *path)
{
	autoclose int fd = sys_openat2(root_fd, path, O_PATH, 0, RESOLVE_CONTAINER);
	struct look look = {0};
	struct statvfs fs;

	if (fd < 0 || fstat(fd, &look.st) < 0 || fstatvfs(fd, &fs) < 0) {
		look.error = errno;
	} else {
		look.has_nodev = (fs.f_flag & ST_NODEV) != 0;
	}
	return look;
}

/* The kernel forgets it when ids or capabilities change. Source:
   PR_SET_PDEATHSIG(2const). */
static void die_with_parent(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent) {
		_exit(1);
	}
}

static _Noreturn void run_child(const struct plan *plan,
				const struct ctr_process *process, int root_fd,
				int user_ns_fd, int reply_fd, pid_t parent)
{
	struct stance stance = {0};
	int result;

	die_with_parent(parent);
	for (size_t i = 0; i < plan->n_nodes; i++) {
		struct look look = look_at_path(root_fd, plan->nodes[i].ctr.text);

		if (write(reply_fd, &look, sizeof(look)) != sizeof(look)) {
			_exit(1);
		}
	}
	stance.error = -take_credentials(process, user_ns_fd, &stance);
	die_with_parent(parent);
	if (write(reply_fd, &stance, sizeof(stance)) != sizeof(stance) ||
	    stance.error != 0) {
		_exit(1);
	}
	for (size_t i = 0; i < plan->n_nodes; i++) {
		result = try_node(root_fd, plan->nodes[i].ctr.text);
		if (write(reply_fd, &result, sizeof(result)) != sizeof(result)) {
			_exit(1);
		}
	}
	_exit(0);
}

/* ---- the parent -------------------------------------------------------------------- */

/* Return: false: the child ended before, or the time is up. */
static bool read_reply(int fd, void *ret, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		/* Of all replies, the first that does not come is the
		   last to be waited for. */
		if (deadline_has_passed()) {
			return false;
		}
		n = read(fd, (char *)ret + len, size - len);

		if (n <= 0) {
			return false;
		}
		len += (size_t)n;
	}
	return true;
}

/* Return: an errno, or EBADMSG: the child ended before. */
static int read_result(int fd)
{
	int result;

	return read_reply(fd, &result, sizeof(result)) ? result : EBADMSG;
}

/* As in "Groups:	105 1002 "; of many the first ones. */
static const char *find_groups(const char *status, int *ret_len)
{
	const char *line = strstr(status, "\nGroups:\t");

	line = line ? line + strlen("\nGroups:\t") : "";
	*ret_len = (int)strcspn(line, "\n");
	if (*ret_len > GROUPS_SHOWN) {
		*ret_len = GROUPS_SHOWN;
	}
	if (*ret_len > 0 && line[*ret_len - 1] == ' ') {
		(*ret_len)--;
	}
	if (*ret_len == 0) {
		line = "none";
		*ret_len = (int)strlen(line);
	}
	return line;
}

/* What is the node to others, and who asks? Both in the ids that we see. */
static void note_permission(const char *path, const struct stat *st, const char *status,
			    struct node_access *node)
{
	const struct trusted_caller caller = trusted_caller_look();
	int groups_len;
	const char *groups = find_groups(status, &groups_len);
	unsigned int uid = 0;
	unsigned int gid = 0;

	(void)read_file_id(status, "\nUid:", &uid);
	(void)read_file_id(status, "\nGid:", &gid);
	access_note(node, ACCESS_PERMISSION,
		    "'%s' is %u:%u %04o there and the process is %u:%u, groups %.*s "
		    "(ids of %s): neither owner, group, mode nor a capability lets it",
		    path, st->st_uid, st->st_gid, st->st_mode & 07777, uid, gid,
		    groups_len, groups,
		    caller.has_all_ids ? "the host" : "this user namespace");
}

/* Return: is it the node, and may devices be opened there? */
static bool judge_look(const struct look *look, const struct plan_node *planned,
		       struct node_access *node)
{
	const char *path = planned->ctr.text;
	const struct stat *st = &look->st;

	if (look->error == ENOENT || look->error == ENOTDIR) {
		access_note(node, ACCESS_NODE, "'%s' is not there", path);
	} else if (look->error != 0) {
		access_note(node, ACCESS_UNSEEN, "look at '%s' there: %s", path,
			    strerror(look->error));
	} else if (!S_ISCHR(st->st_mode)) {
		access_note(node, ACCESS_NODE, "'%s' is no character device there", path);
	} else if (st->st_rdev != makedev(planned->major, planned->minor)) {
		access_note(node, ACCESS_NODE, "'%s' is device %u:%u there, not %u:%u",
			    path, major(st->st_rdev), minor(st->st_rdev), planned->major,
			    planned->minor);
	} else if (look->has_nodev) {
		access_note(node, ACCESS_NODE,
			    "'%s' is on a mount with nodev: no device opens there", path);
	} else {
		return true;
	}
	return false;
}

static void note_results(const struct plan *plan, const char *status, int reply_fd,
			 struct access *access)
{
	autofree struct look *looks = xcalloc(plan->n_nodes, sizeof(*looks));
	struct stance stance;

	for (size_t i = 0; i < plan->n_nodes; i++) {
		if (!read_reply(reply_fd, &looks[i], sizeof(looks[i]))) {
			looks[i].error = EBADMSG;
		}
	}
	if (!read_reply(reply_fd, &stance, sizeof(stance))) {
		stance = (struct stance){.error = EBADMSG};
	}
	for (size_t i = 0; i < plan->n_nodes; i++) {
		struct node_access *node = &access->nodes[i];
		int result = stance.error == 0 ? read_result(reply_fd) : 0;

		if (!judge_look(&looks[i], &plan->nodes[i], node)) {
			continue;
		}
		if (stance.error != 0) {
			access_note(node, ACCESS_UNSEEN,
				    "take on the ids of the process: %s; run as root",
				    strerror(stance.error));
		} else if (result == EACCES && stance.lacks_groups) {
			access_note(node, ACCESS_UNSEEN,
				    "ask for access to '%s': some groups of the process "
				    "cannot be seen from here; run as root",
				    plan->nodes[i].ctr.text);
		} else if (result == EACCES) {
			note_permission(plan->nodes[i].ctr.text, &looks[i].st, status,
					node);
		} else if (result != 0) {
			access_note(node, ACCESS_UNSEEN, "ask for access to '%s': %s",
				    plan->nodes[i].ctr.text, strerror(result));
		}
	}
}

/*
 * Out of time, whoever the child waits for: a server of a file system of the container's,
 * which the container may stop as it likes.
 */
static int end_child(pid_t child, const struct ctr_process *process, struct err *err)
{
	bool is_late = deadline_has_passed();

	if (is_late) {
		(void)kill(child, SIGKILL);
	}
	/* If that does not end it either, the deadline's second alarm ends us. */
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
		continue;
	}
	return is_late ? err_set(err, ETIMEDOUT,
				 "look at process %d: out of time; a file system in the "
				 "container does not answer",
				 process->pid)
		       : 0;
}

/* Return: a descriptor; -1: it is our own; negative errno. */
static int open_user_ns(const struct ctr_process *process)
{
	autoclose int own_fd =
		openat(process->proc_fd, "self/ns/user", O_RDONLY | O_CLOEXEC);
	autoclose int fd = openat(process->dir_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	struct stat own;
	struct stat its;

	if (fd < 0 || own_fd < 0 || fstat(fd, &its) < 0 || fstat(own_fd, &own) < 0 ||
	    (its.st_dev == own.st_dev && its.st_ino == own.st_ino)) {
		return -1;
	}
	return steal_fd(&fd);
}

int access_look_at_nodes(const struct plan *plan, const struct ctr_process *process,
			 struct access *access, struct err *err)
{
	autofree char *status = NULL;
	autoclose int root_fd = -1;
	autoclose int user_ns_fd = -1;
	autoclose int reply_fd = -1;
	pid_t parent = getpid();
	int fds[2];
	pid_t child;

	/* Follows the magic link on purpose: it is the process's root. */
	root_fd = openat(process->dir_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0) {
		return err_sys(err, errno,
			       "look into process %d; run as root, or as the user whose "
			       "container it is",
			       process->pid);
	}
	if (ctr_process_read(process, "status", LIMIT_PROC_FILE_BYTES, &status, err) <
	    0) {
		return -err->code;
	}
	user_ns_fd = open_user_ns(process);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		return err_sys(err, errno, "make a pipe");
	}
	reply_fd = fds[0];
	child = fork();
	if (child == 0) {
		run_child(plan, process, root_fd, user_ns_fd, fds[1], parent);
	}
	(void)close(fds[1]);
	if (child < 0) {
		return err_sys(err, errno, "start a child");
	}
	note_results(plan, status, reply_fd, access);
	return end_child(child, process, err);
}
