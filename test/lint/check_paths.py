# SPDX-License-Identifier: Apache-2.0
"""check_paths.py - who may call what takes a path, starts a program, or reads the environment

A path string means something else for whoever can rename a directory or plant a link, so the
program keeps to descriptors and openat2(). What is left stands in ALLOWED, each call with the
reason why a stranger has no say in it. Looked for twice: in the text, where a line number can
be given, and with nm in the release build's objects, where no macro and no function pointer
can hide one.
"""

import glob
import os
import re

import check_pure
import sources

# By what is wrong with them.
FORBIDDEN = {
    "takes a path": """
        open openat creat fopen freopen fopenat opendir scandir ftw nftw fts_open glob wordexp
        stat lstat fstatat statx access eaccess euidaccess faccessat realpath
        canonicalize_file_name readlink readlinkat chdir chroot pivot_root mkdir mkdirat mkfifo
        mkfifoat mknod mknodat mktemp mkstemp mkostemp mkdtemp tmpfile tmpnam tempnam link linkat
        symlink symlinkat unlink unlinkat rmdir remove rename renameat renameat2 chmod fchmodat
        chown lchown fchownat utime utimes utimensat truncate statfs statvfs getxattr lgetxattr
        setxattr lsetxattr listxattr llistxattr removexattr lremovexattr inotify_add_watch
        fanotify_mark name_to_handle_at acct swapon swapoff quotactl uselib
        mount umount umount2 open_tree move_mount fsopen fspick mount_setattr sys_openat2
        sys_open_in_root sys_renameat2 connect
        bind shm_open sem_open mq_open json_load_file json_dump_file""",
    "starts a program or loads code": """
        system popen posix_spawn posix_spawnp execl execlp execle execv execve execvp execvpe
        execveat fexecve dlopen dlmopen vfork clone fork _Fork""",
    "reads or changes the environment": """
        getenv secure_getenv putenv setenv unsetenv""",
    "goes to syslog, the locale, the time zone, name services or the network": """
        syslog vsyslog openlog setlocale newlocale localtime localtime_r mktime tzset strftime_l
        getpwnam getpwuid getpwnam_r getpwuid_r getgrnam getgrgid getgrnam_r getgrgid_r
        initgroups getgrouplist getaddrinfo gethostbyname getnameinfo iconv_open""",
}
WHY_FORBIDDEN = {name: why for why, names in FORBIDDEN.items() for name in names.split()}

# Numbers of system calls, given to syscall(): the same calls by another way.
BY_NUMBER = re.compile(r"(?:SYS|__NR)_(\w+)")
ALLOWED_NUMBERS = {
    "hook/filter.c": {"seccomp"},
    "hook/sandbox.c": {"exit"},
    "lib/backend/apply/access_node.c": {"faccessat2"},
    "lib/base/syscalls.c": {"openat2", "renameat2", "bpf"},
}

ALLOWED = {
    "hook/main.c": {
        "getenv": "XDG_CONFIG_HOME, once, before the environment is emptied",
    },
    "hook/cdi_parser.c": {
        "fork": "the child that parses; it executes nothing",
    },
    "hook/parser.c": {
        "fork": "the child that parses; it executes nothing",
    },
    "hook/report.c": {
        "connect": "/dev/log, before anything of a container is known",
        "open": "the log file that the operator's configuration names; O_NOFOLLOW, checked",
    },
    "hook/run_precreate.c": {
        "readlinkat": "'/proc/self/exe', before anything of a stranger's is read",
    },
    "hook/sandbox.c": {
        "open": "'/', to fill missing standard descriptors",
    },
    "lib/backend/apply/access_cgroup.c": {
        "openat": "one name in a cgroup's descriptor; kernfs has no links",
    },
    "lib/backend/apply/access_node.c": {
        "fork": "plan --pid: the child that takes on the process's ids; it executes nothing",
        "openat": "the root and the namespaces in a process's descriptor",
        "sys_openat2": "a node below the root of a process, never out of it; O_PATH",
    },
    "lib/backend/apply/bind.c": {
        "sys_openat2": "a node below the host root's descriptor",
        "open_tree": "the empty path: the descriptor itself",
        "mount_setattr": "the empty path: the descriptor itself",
    },
    "lib/backend/apply/bpf_program.c": {
        "open": "a unit's pinned program below /run, which systemd names to root",
        "renameat": "the same place: the new program takes the old one's name",
        "unlinkat": "the same place: what an interrupted run has left beside it",
    },
    "lib/backend/apply/cgroup_hierarchy.c": {
        "open": "the mount point of a hierarchy of our own namespace, then by descriptor",
        "openat": "one name in a cgroup's descriptor; kernfs has no links",
        "sys_openat2": "a cgroup below its hierarchy's descriptor",
    },
    "lib/backend/apply/cgroup_v1.c": {
        "openat": "one name in a cgroup's descriptor; kernfs has no links",
    },
    "lib/backend/apply/ctr_dir.c": {
        "stat": "'/' and '/dev' of the host, before the container is entered",
        "mkdirat": "one name in a directory's descriptor",
        "sys_openat2": "below a directory's descriptor",
        "statx": "the empty path: the descriptor itself",
    },
    "lib/backend/apply/ctr_ld_cache.c": {
        "sys_openat2": "'self/fd/N' of the verified procfs: the file that was looked at",
        "sys_renameat2": "from our own name to another in the same directory's descriptor",
        "unlinkat": "our own temporary name in a directory's descriptor",
    },
    "lib/backend/apply/ctr_link.c": {
        "symlinkat": "one name in a directory's descriptor",
        "unlinkat": "our own temporary name in a directory's descriptor",
        "sys_renameat2": "from our own name to another in the same directory's descriptor",
        "readlinkat": "one name in a directory's descriptor; the target is only compared",
    },
    "lib/backend/apply/dbus.c": {
        "connect": "systemd's own socket in /run, while in the host's namespace",
    },
    "lib/backend/apply/own_dir.c": {
        "fsopen": "a kind of file system, no path",
        "mkdirat": "below a tmpfs of our own, which nobody else can reach yet",
        "mknodat": "below a tmpfs of our own, which nobody else can reach yet",
        "sys_openat2": "below a directory's descriptor",
        "mount_setattr": "the empty path: the descriptor itself",
        "move_mount": "onto a descriptor, or below a tmpfs of our own",
        "lsetxattr": "the name that was just made there, which is the working directory",
    },
    "lib/backend/apply/private_node.c": {
        "fsopen": "a kind of file system, no path",
        "mknodat": "one name in a tmpfs of our own, which nobody else can reach",
        "fchmodat": "the same name there",
        "fchownat": "the same name there",
        "lsetxattr": "the same name there, which is the working directory",
        "getxattr": "'self/fd/N' of the verified procfs: the node that was checked",
        "sys_openat2": "one name in a tmpfs of our own",
        "mount_setattr": "'/' of a mount namespace of our own",
        "move_mount": "onto '/' of a mount namespace of our own",
    },
    "lib/backend/apply/proc_file.c": {
        "sys_openat2": "below the rootfs's descriptor",
        "open_tree": "the empty path: the descriptor itself",
        "mount_setattr": "the empty path: the descriptor itself",
        "move_mount": "empty paths: from descriptor to descriptor",
    },
    "lib/backend/apply/process.c": {
        "readlinkat": "names of namespaces in a process's descriptor",
        "sys_openat2": "below a process's descriptor",
    },
    "lib/backend/apply/rootfs.c": {
        "sys_openat2": "the rootfs by its path, once on each side; then below descriptors",
        "statx": "the empty path: the descriptor itself",
        "readlinkat": "the empty path: the link's descriptor itself",
        "symlinkat": "one name in a directory's descriptor",
        "move_mount": "empty paths: from descriptor to descriptor",
    },
    "lib/backend/apply/systemd.c": {
        "stat": "a host node's path, to tell whether systemd would find it by that path",
    },
    "lib/backend/apply/undo.c": {
        "umount2": "knows no descriptors: the directory is entered by one, the name is single",
        "unlinkat": "one name in a directory's descriptor",
    },
    "lib/base/procfs.c": {
        "open": "'/proc'; that it is a procfs is checked",
        "readlinkat": "'self' in that procfs's descriptor",
        "sys_openat2": "a process's stat below that procfs's descriptor",
    },
    "lib/base/syscalls.c": {
        "sys_openat2": "its definition",
        "sys_open_in_root": "its definition",
        "sys_renameat2": "the function itself",
    },
    "lib/base/trusted_file.c": {
        "open": "/proc/self/uid_map",
        "openat": "a trusted file, O_NOFOLLOW; owner and mode are checked on the descriptor",
        "mkdirat": "one name in the descriptor of a trusted directory",
    },
    "lib/host/files.c": {
        "openat": "'.' and one name, O_NOFOLLOW, in a directory's descriptor",
        "readlinkat": "/proc/self/fd/N: the kernel's name for a descriptor",
    },
    "lib/host/trusted_path.c": {
        "sys_openat2": "below the host root's descriptor, without links",
    },
    "lib/host/host.c": {
        "sys_openat2": "the host root",
        "sys_open_in_root": "below the host root's descriptor",
        "readlinkat": "the empty path: the link's descriptor itself",
        "faccessat": "the empty path: the node's descriptor itself",
    },
    "lib/stage/inspect_container.c": {
        "sys_openat2": "the rootfs by its path",
        "sys_open_in_root": "below the rootfs's descriptor",
    },
    "lib/oci/config.c": {
        "open": "the bundle's directory, as the runtime names it",
        "fstatat": "config.json in the bundle's descriptor",
    },
    "lib/stage/ledger.c": {
        "fstatat": "our own namespace in a verified procfs's descriptor",
        "sys_openat2": "one name below the state directory's descriptor, or the boot's id",
        "sys_renameat2": "from our own name to another in the state directory's descriptor",
        "unlinkat": "our own temporary name in the state directory's descriptor",
    },
}

TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|->|\w+|\S|\n')


def calls(text):
    """(line number, name) of whatever looks like a call or a number of a system call

    Not what is in a comment or a string, nor a member of a structure.
    """
    number = 1
    before, last = "", ""
    for token in TOKEN.findall(sources.without_comments(text)):
        if token == "\n":
            number += 1
            continue
        if token == "(" and last in WHY_FORBIDDEN and before not in (".", "->", "struct"):
            yield number, last
        elif BY_NUMBER.fullmatch(token):
            yield number, token
        before, last = last, token


def check_text(path, text, allowed, used):
    """used: set of (path, name), to which the allowed calls that are there are added"""
    problems = []
    for number, name in calls(text):
        by_number = BY_NUMBER.fullmatch(name)
        if by_number:
            if by_number.group(1) not in ALLOWED_NUMBERS.get(path, ()):
                problems.append(f"{path}:{number}: {name}: a system call by its number")
        elif name in allowed.get(path, ()):
            used.add((path, name))
        else:
            problems.append(f"{path}:{number}: {name}() {WHY_FORBIDDEN[name]}")
    return problems


def check_sources():
    problems = []
    used = set()
    for path in sources.find("hook", "lib", ending=(".c", ".h")):
        # Made tables of the filter, and a program that runs while building.
        if path in ("hook/filter_rules.h", "hook/gen_filters.c", "lib/base/syscalls.h"):
            continue
        problems += check_text(path, sources.read(path), ALLOWED, used)
    problems += [f"check_paths.py allows {path} {name}(), which is not called there"
                 for path, names in ALLOWED.items() for name in names
                 if (path, name) not in used]
    return problems


def plain_name(symbol):
    """open for open64, __open_2, __open64_2 and the like, as headers rename calls."""
    name = re.sub(r"^_+(?:isoc\d+_)?", "", symbol)
    return re.sub(r"(?:64)?(?:_2|_chk|_alias)?$", "", name)


def check_objects(build_dir):
    objects = glob.glob(os.path.join(build_dir, "libcore.a.p", "*.c.o")) + \
        glob.glob(os.path.join(build_dir, "oci-gpu-hook.p", "*.c.o"))
    if not objects:
        return [f"no objects below {build_dir}; was it built?"]

    homes = {path.removesuffix(".c").replace("/", "_"): path
             for path in sources.find("hook", "lib", ending=".c")}
    problems = []
    for path, names in check_pure.symbols(objects, "-u").items():
        home = homes.get(check_pure.module(path))
        if home is None:
            continue  # of a file that has been renamed or removed since
        for symbol in sorted(names):
            name = symbol if symbol in WHY_FORBIDDEN else plain_name(symbol)
            if name in WHY_FORBIDDEN and name not in ALLOWED.get(home, ()):
                problems.append(f"{home}: its object calls {symbol}(), which "
                                f"{WHY_FORBIDDEN[name]}")
    return problems
