/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - who holds which GPU, kept between runs */

#include "stage/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/procfs.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "base/trusted_file.h"
#include "stage/ledger_text.h"

#define LEDGER	   "ledger"
#define LEDGER_NEW "ledger.new"
#define LOCK	   "lock"

/* A UUID and a line end. Source: Linux drivers/char/random.c. */
#define BOOT_ID		  "sys/kernel/random/boot_id"
#define BOOT_ID_MAX_BYTES 64U

/* Between two looks at the lock. It is held for a fraction of a millisecond. */
#define LOCK_RETRY_MS 2

/* The names are ours, in a directory that is ours. */
#define RESOLVE_LEDGER (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)

void ledger_close(struct ledger *ledger)
{
	cleanup_close(&ledger->lock_fd);
	cleanup_close(&ledger->dir_fd);
	cleanup_close(&ledger->proc_fd);
	free(ledger->dir);
	free(ledger->boot_id);
	holders_clear(&ledger->holders);
	*ledger = NO_LEDGER;
}

/* ---- the directory ----------------------------------------------------------------- */

char *ledger_default_dir(void)
{
	const struct trusted_caller caller = trusted_caller_look();

	/* The same for a user within a user namespace, as the hook runs, and without. */
	return trusted_caller_is_root(&caller)
		       ? xstrdup(LEDGER_SYSTEM_DIR)
		       : xasprintf("/run/user/%u/oci-gpu-hook",
				   caller.has_all_ids ? caller.uid : caller.host_uid);
}

static int read_boot_id(int proc_fd, char **ret, struct err *err)
{
	struct bytes text = {0};
	struct err doubt = {0};
	autoclose int fd = sys_openat2(proc_fd, BOOT_ID, O_RDONLY | O_NONBLOCK, 0,
				       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					       RESOLVE_NO_MAGICLINKS);
	int r;

	if (fd < 0) {
		return err_sys(err, errno, "open '/proc/" BOOT_ID "'");
	}
	/* Where the hook runs in a container, its engine may have bound /proc/sys onto
	   itself, to make it read-only, or its manager a file of root's over this one,
	   which is then another one after each start, as wanted. Source: Moby
	   oci/defaults.go, ReadonlyPaths; LXC src/lxc/conf.c, lxc_setup_boot_id(). */
	trusted_fd_check(fd, TRUSTED_OWNER_SYSTEM, "'/proc/" BOOT_ID "'", &doubt);
	if (doubt.code != 0) {
		*err = doubt;
		return -err->code;
	}
	r = read_all(fd, "'/proc/" BOOT_ID "'", BOOT_ID_MAX_BYTES, -1, &text, err);
	if (r < 0) {
		return r;
	}
	*ret = text_trim_end(text.data);
	return 0;
}

/*
 * Only where the directory is not there, and cannot be made, is there no ledger: a
 * read-only /run, or a user without /run/user/UID. EROFS is always of the making;
 * EACCES may be of a directory that is there and may not be looked into, whose
 * ledger counts all the same.
 */
static int open_dir(const char *dir, bool may_make, struct ledger *ledger,
		    struct err *err)
{
	autofree char *what = xasprintf("state directory '%.400s'", dir);
	bool is_absent;

	/* Everybody may see who has what, as in `list`; the lock is root's. */
	ledger->dir_fd = trusted_dir_open(dir, may_make ? 0755 : 0, what, err);
	is_absent = ledger->dir_fd == -ENOENT || ledger->dir_fd == -EROFS;
	if (ledger->dir_fd == -EACCES && may_make) {
		struct err ignored = {0};
		autoclose int fd = trusted_dir_open(dir, 0, what, &ignored);

		is_absent = fd == -ENOENT;
	}
	if (ledger->dir_fd >= 0) {
		return 0;
	}
	ledger->dir_fd = -1;
	if (is_absent) {
		ledger->absence = *err;
		*err = (struct err){0};
	}
	return -err->code;
}

int ledger_open(const char *dir, bool may_make, struct ledger *ret, struct err *err)
{
	cleanup(ledger_closep) struct ledger ledger = NO_LEDGER;
	int r = open_dir(dir, may_make, &ledger, err);

	if (r == 0 && ledger.dir_fd >= 0) {
		ledger.dir = xstrdup(dir);
		ledger.proc_fd = procfs_open(err);
		r = ledger.proc_fd < 0
			    ? ledger.proc_fd
			    : read_boot_id(ledger.proc_fd, &ledger.boot_id, err);
	}
	if (r < 0) {
		return r;
	}
	*ret = ledger;
	ledger = NO_LEDGER;
	return 0;
}

/* ---- the lock ---------------------------------------------------------------------- */

/* Not flock(), which whoever may read the file can take: a container that sees the host's
   /run, read-only, could keep all others from starting. This one needs a descriptor that
   may write; the one for reading, which would be in its way as well, a file that may be
   read, so this one may not. CAP_DAC_OVERRIDE is above that: see specs/security.md. */
#define LOCK_MODE 0200

static int set_lock(int fd, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &lock);
}

/* O_NONBLOCK: of somebody's lease on it (fcntl(2), F_SETLEASE) EAGAIN is said. */
static bool open_lock(struct ledger *ledger)
{
	if (ledger->lock_fd < 0) {
		ledger->lock_fd =
			sys_openat2(ledger->dir_fd, LOCK, O_WRONLY | O_CREAT | O_NONBLOCK,
				    LOCK_MODE, RESOLVE_LEDGER);
	}
	return ledger->lock_fd >= 0;
}

int ledger_lock(struct ledger *ledger, struct err *err)
{
	const long long begin = deadline_clock_ms();
	long long waited_ms;

	while (!open_lock(ledger) || set_lock(ledger->lock_fd, F_WRLCK) < 0) {
		if (ledger->lock_fd < 0 && errno != EAGAIN) {
			return err_sys(err, errno, "open '%s/" LOCK "'", ledger->dir);
		}
		if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
			return err_sys(err, errno, "lock '%s/" LOCK "'", ledger->dir);
		}
		waited_ms = deadline_clock_ms() - begin;
		if (waited_ms >= LEDGER_LOCK_SECONDS * 1000LL || deadline_has_passed()) {
			return err_set(
				err, ETIMEDOUT,
				"lock '%s/" LOCK "': another process has it for %lld s; "
				"find it: fuser '%s/" LOCK "'",
				ledger->dir, (waited_ms + 500) / 1000, ledger->dir);
		}
		(void)poll(NULL, 0, LOCK_RETRY_MS);
	}
	return 0;
}

void ledger_unlock(struct ledger *ledger)
{
	(void)set_lock(ledger->lock_fd, F_UNLCK);
}

/* ---- the file ---------------------------------------------------------------------- */

int ledger_load(struct ledger *ledger, struct err *err)
{
	autofree char *what = xasprintf("ledger '%.400s/" LEDGER "'", ledger->dir);
	struct bytes text = {0};
	/* O_NONBLOCK: somebody's lease on it (fcntl(2), F_SETLEASE) would be waited for,
	   under the lock. */
	autoclose int fd = sys_openat2(ledger->dir_fd, LEDGER, O_RDONLY | O_NONBLOCK, 0,
				       RESOLVE_LEDGER);
	int r;

	holders_clear(&ledger->holders);
	if (fd < 0 && errno == EAGAIN) {
		return err_set(err, EAGAIN,
			       "open %s: a process has a lease on it; find it: fuser "
			       "'%.400s/" LEDGER "'",
			       what, ledger->dir);
	}
	if (fd < 0) {
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s", what);
	}
	r = read_all(fd, what, LIMIT_LEDGER_BYTES, -1, &text, err);
	if (r < 0) {
		return r;
	}
	r = ledger_text_read(&text, ledger->boot_id, &ledger->holders, err);
	if (r < 0) {
		const struct err why = *err;

		/* To go on as if it were empty could give a GPU to two. */
		return err_set(err, -r,
			       "read %s: %.400s; stop the containers with GPUs, then "
			       "remove it",
			       what, why.msg);
	}
	return 0;
}

/* What a stream writes to, and what write() said, which the stream does not keep. */
struct new_file {
	int fd;
	int r;
};

static ssize_t write_piece(void *context, const char *data, size_t len)
{
	struct new_file *file = context;

	if (file->r == 0) {
		file->r = write_all(file->fd, data, len);
	}
	return file->r == 0 ? (ssize_t)len : 0;
}

/* Without words of its own: ledger_save() says what could not be done. */
static int fail(int code, struct err *err)
{
	return err_set(err, code, "%s", strerror(code));
}

/* Piece by piece: all of it in memory would be half of what a full ledger costs. What is
   said about close() holds here as well: a network file system reports a full disk there,
   but a state directory is on a local one. */
static int write_new(const struct ledger *ledger, struct err *err)
{
	const cookie_io_functions_t functions = {.write = write_piece};
	autoclose int fd = sys_openat2(ledger->dir_fd, LEDGER_NEW,
				       O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0644,
				       RESOLVE_LEDGER);
	struct new_file file = {.fd = fd};
	FILE *out;
	int r;

	if (fd < 0) {
		return fail(errno, err);
	}
	out = fopencookie(&file, "w", functions);
	if (!out) {
		return fail(errno, err);
	}
	r = ledger_text_write(&ledger->holders, ledger->boot_id, out, err);
	(void)fclose(out);
	/* First: lengths that a stream says after an error are none. */
	return file.r < 0 ? fail(-file.r, err) : r;
}

int ledger_save(struct ledger *ledger, struct err *err)
{
	int r = write_new(ledger, err);

	if (r == 0 &&
	    sys_renameat2(ledger->dir_fd, LEDGER_NEW, ledger->dir_fd, LEDGER, 0) < 0) {
		r = fail(errno, err);
	}
	if (r < 0) {
		(void)unlinkat(ledger->dir_fd, LEDGER_NEW, 0);
		return err_wrap(err, "write ledger '%s/" LEDGER "'", ledger->dir);
	}
	return 0;
}

/* ---- the living and the dead ------------------------------------------------------- */

static uint64_t own_pid_ns(const struct ledger *ledger)
{
	struct stat st;

	/* Follows the magic link on purpose: the namespace's inode
	   names the namespace. */
	return fstatat(ledger->proc_fd, "self/ns/pid", &st, 0) == 0 ? st.st_ino : 0;
}

/* Of a process in another PID namespace nothing can be known, so it counts as alive. */
static bool is_dead(const struct ledger *ledger, const struct holder *holder,
		    uint64_t pid_ns)
{
	uint64_t start_time;
	int r;

	if (holder->init.pid_ns != pid_ns) {
		return false;
	}
	r = procfs_start_time(ledger->proc_fd, holder->init.pid, &start_time);
	return r == -ESRCH || (r == 0 && start_time != holder->init.start_time);
}

/* Is a GPU of this key known to have a live holder already? */
static bool is_known_held(const char *const *keys, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (text_equals(keys[i], key)) {
			return true;
		}
	}
	return false;
}

static void drop_dead_that_matter(struct ledger *ledger, enum ledger_scrutiny scrutiny,
				  uint64_t pid_ns)
{
	struct holders *holders = &ledger->holders;
	/* Keys of GPUs with a live holder; borrowed from holders that stay. */
	autofree const char **held = xcalloc(LIMIT_GPUS, sizeof(*held));
	size_t n_held = 0;

	for (size_t i = 0; i < holders->n;) {
		const struct holder *holder = &holders->holder[i];
		bool matters = scrutiny == LEDGER_CHECK_ALL || holder->is_exclusive ||
			       (scrutiny == LEDGER_CHECK_ONE_A_GPU &&
				!is_known_held(held, n_held, holder->gpu));

		if (matters && is_dead(ledger, holder, pid_ns)) {
			holders_remove(holders, i);
			continue;
		}
		if (matters && n_held < LIMIT_GPUS) {
			held[n_held++] = holder->gpu;
		}
		i++;
	}
}

/* The first ones go to the end, so that the next run looks at the next ones. */
void ledger_drop_dead_in_turn(struct ledger *ledger, size_t n)
{
	struct holders *holders = &ledger->holders;
	uint64_t pid_ns = own_pid_ns(ledger);

	for (n = n < holders->n ? n : holders->n; n > 0; n--) {
		const struct holder first = holders->holder[0];

		holders_remove(holders, 0);
		if (!is_dead(ledger, &first, pid_ns)) {
			holders_append(holders, &first);
		}
	}
}

void ledger_drop_dead(struct ledger *ledger, enum ledger_scrutiny scrutiny)
{
	drop_dead_that_matter(ledger, scrutiny, own_pid_ns(ledger));
}

int ledger_identify(struct ledger *ledger, pid_t pid, struct process_id *ret,
		    struct err *err)
{
	struct process_id init = {.pid = pid, .pid_ns = own_pid_ns(ledger)};
	int r = procfs_start_time(ledger->proc_fd, pid, &init.start_time);

	if (r == -ESRCH) {
		return err_set(err, ESRCH,
			       "look at process %d of the state: it has ended; the "
			       "runtime gave up on the container",
			       pid);
	}
	if (r < 0) {
		return err_sys(err, -r, "look at process %d of the state", pid);
	}
	*ret = init;
	return 0;
}

/* ---- giving back ------------------------------------------------------------------- */

/* Whose holders go: those of a process, or of a container that has stopped. */
struct leaving {
	const struct process_id *init; /* or NULL */
	const char *id;
	const char *bundle;
	uint64_t pid_ns; /* ours */
};

/* A runtime's word that a container has stopped is not enough: runc deletes one whose
   first thread has ended while its others go on. */
static bool is_leaving(const struct ledger *ledger, const struct holder *holder,
		       const struct leaving *leaving)
{
	if (leaving->init) {
		return process_id_equals(&holder->init, leaving->init);
	}
	return text_equals(holder->id, leaving->id) &&
	       text_equals(holder->bundle, leaving->bundle) &&
	       (holder->init.pid_ns != leaving->pid_ns ||
		is_dead(ledger, holder, leaving->pid_ns));
}

static int remove_leaving(struct ledger *ledger, const struct leaving *leaving,
			  struct err *err)
{
	struct holders *holders = &ledger->holders;
	size_t n_before;
	int r = ledger_load(ledger, err);

	if (r < 0) {
		return r;
	}
	n_before = holders->n;
	for (size_t i = holders->n; i > 0; i--) {
		if (is_leaving(ledger, &holders->holder[i - 1], leaving)) {
			holders_remove(holders, i - 1);
		}
	}
	return holders->n == n_before ? 0 : ledger_save(ledger, err);
}

static int release(struct ledger *ledger, const struct leaving *leaving, struct err *err)
{
	int r = ledger_lock(ledger, err);

	if (r < 0) {
		return r;
	}
	r = remove_leaving(ledger, leaving, err);
	ledger_unlock(ledger);
	return r;
}

int ledger_release(struct ledger *ledger, const struct process_id *init, struct err *err)
{
	const struct leaving leaving = {.init = init};

	return release(ledger, &leaving, err);
}

int ledger_release_container(struct ledger *ledger, const char *id, const char *bundle,
			     struct err *err)
{
	const struct leaving leaving = {
		.id = id, .bundle = bundle, .pid_ns = own_pid_ns(ledger)};

	return release(ledger, &leaving, err);
}
