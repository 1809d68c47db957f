# SPDX-License-Identifier: Apache-2.0
"""trace_of_hook.py - what strace saw, and whether the hook may do that"""

import re

import sandbox

TRACE = f"{sandbox.WORK}/trace"
LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
STRACE = ["strace", "-f", "-y", "-s", "256", "-o", TRACE]

# Calls with a path that are never made in the container, whatever their arguments.
BY_PATH = {"open", "openat", "creat", "stat", "lstat", "access", "faccessat", "faccessat2",
           "mkdir", "mknod", "mknodat", "rename", "renameat", "renameat2", "link", "linkat",
           "symlink", "unlink", "rmdir", "readlink", "chmod", "fchmodat", "chown", "lchown",
           "fchownat", "truncate", "mount", "umount", "chroot", "pivot_root", "chdir",
           "setxattr", "lsetxattr", "utimensat", "open_tree", "fsopen", "fsmount", "fspick",
           "statfs", "swapon", "inotify_add_watch"}
NEVER = {"execve", "execveat", "ptrace", "process_vm_writev"}
NODE = re.compile(r'["/](?:kfd|renderD\d+|card\d+|nvidia[\w-]*)"')
# The container's root, by its absolute path from the root of its mount namespace: above that
# nothing is, and the runtime made the path, not the image.
ROOT = re.compile(r'openat2\(\d+</>, "/[^"]+", \{flags=O_RDONLY\|O_CLOEXEC\|O_PATH'
                  r'\|O_DIRECTORY, resolve=RESOLVE_NO_MAGICLINKS\}')
COMPONENT = re.compile(r'\w+\([^"]*<[^>]*>, "[^"/]+"|^symlinkat\("[^"]*", \d+<[^>]*>, "[^"/]+"'
                       r'|^umount2\("[^"/]+", MNT_DETACH\|UMOUNT_NOFOLLOW\)')


def calls():
    """(name, line without the process) of the last trace, from the hook's execve on"""
    found = []
    with open(TRACE, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = LINE.match(line.rstrip("\n"))
            if match:
                found.append((match.group(1), f"{match.group(1)}({match.group(2)}"))
    starts = [at for at, (name, line) in enumerate(found)
              if name == "execve" and "oci-gpu-hook" in line and line.endswith(" = 0")]
    return found[starts[0]:] if starts else []


def in_container(name, line):
    """Why a call after setns() may not be made, or None."""
    if name in BY_PATH:
        return "a call by path"
    if name == "openat2":
        if re.match(r'openat2\(AT_FDCWD(<[^>]*>)?, "/", ', line) or ROOT.match(line):
            return None
        if not ("RESOLVE_BENEATH" in line and "RESOLVE_NO_SYMLINKS" in line) and \
                not ("RESOLVE_IN_ROOT" in line and "RESOLVE_NO_MAGICLINKS" in line):
            return "openat2 that follows links"
        if "O_PATH" not in line and "O_CREAT|O_EXCL" not in line:
            return "a file of the container is opened"
    elif name in ("newfstatat", "statx", "readlinkat"):
        if ', "", ' not in line:
            return "looks at a path"
    elif name == "move_mount":
        if line.count('""') != 2 or "T_SYMLINKS" in line:
            return "a mount by path"
    elif name in ("mkdirat", "symlinkat", "unlinkat", "umount2"):
        if "AT_FDCWD" in line or not COMPONENT.match(line):
            return "changes a path"
    return None


def violations(found, needs_setns=True):
    """What the hook may not do, in a list of calls."""
    problems = []
    names = [name for name, _ in found]
    at = names.index("setns") if "setns" in names else len(names)
    if needs_setns and (at == len(names) or "CLONE_NEWNS" not in found[at][1]):
        problems.append("the trace has no setns(CLONE_NEWNS)")
    if len([line for _, line in found[at:] if ROOT.match(line)]) > 1:
        problems.append("the container's root is opened twice")
    for number, (name, line) in enumerate(found):
        why = None
        if name in NEVER and number > 0:
            why = "executes or traces something"
        elif name == "setns" and number != at:
            why = "enters another namespace"
        elif name in ("open", "openat", "openat2") and NODE.search(line) and \
                "O_PATH" not in line and "O_CREAT|O_EXCL" not in line and "/sys/" not in line:
            why = "opens a GPU's node"
        elif number > at:
            why = in_container(name, line)
        if why:
            problems.append(f"{why}: {line}")
    return problems


def files_read(host):
    """Files below a made host that the last trace opened to read them."""
    found = []
    for name, line in calls():
        match = re.search(r" = \d+<([^>]+)>$", line)
        if name == "openat2" and match and "O_PATH" not in line and "O_DIRECTORY" not in line:
            path = match.group(1)
            if path.startswith(f"{host}/") and path not in found:
                found.append(path)
    return found
