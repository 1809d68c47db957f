#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tree of a host out of its manifest, for --host-root.

usage: build_host.py NAME.host DIRECTORY     (new or empty; as root for the device nodes)

A manifest is a text file, one entry a line; '#' comments and blank lines are ignored:

  f PATH TEXT                    a regular file that holds TEXT and a newline
  l PATH TARGET                  a symbolic link
  d PATH                         an empty directory
  n PATH MAJ:MIN MODE UID:GID    a character device node, MODE in octal

PATHs are absolute in the tree and hold no blanks; parents are implied. In TEXT, \\t, \\n
and \\\\ stand for a tab, a line end and a backslash.

Device nodes need mknod(2), which only the real root may do. Without it they are left out,
and has_nodes is False.
"""

import os
import re
import stat
import sys

ESCAPES = {"\\t": "\t", "\\n": "\n", "\\\\": "\\"}


class ManifestError(Exception):
    """A manifest that cannot be built; the message names file and line."""


def unescape(text):
    """TEXT of an `f` entry; raises ValueError for an escape that is none of ours."""

    def replace(match):
        if match.group(0) not in ESCAPES:
            raise ValueError(f"unknown escape '{match.group(0)}'")
        return ESCAPES[match.group(0)]

    return re.sub(r"\\.?", replace, text)


def split_path(path):
    """Components of an absolute PATH that cannot leave the tree."""
    parts = path.split("/")
    if len(parts) < 2 or parts[0] != "":
        raise ValueError(f"path '{path}' is not absolute")
    if any(part in ("", ".", "..") for part in parts[1:]):
        raise ValueError(f"path '{path}' has an empty, '.' or '..' component")
    return parts[1:]


def make_parents(directory, parts):
    """Makes the directories above an entry. A link on the way is refused: it could lead
    out of the tree."""
    path = directory
    for part in parts[:-1]:
        path = os.path.join(path, part)
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise ValueError(f"'{path}' is not a directory") from None
    return os.path.join(path, parts[-1])


def make_file(path, text):
    """A regular file that did not exist before."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o644), "w", encoding="utf-8") as file:
        file.write(unescape(text) + "\n")


def make_node(path, rest):
    """A character device. Returns False where the kernel does not let us make one."""
    match = re.fullmatch(r"(\d+):(\d+) ([0-7]{3,4}) (\d+):(\d+)", rest)
    if not match:
        raise ValueError(f"'{rest}' is not MAJ:MIN MODE UID:GID")
    major, minor, uid, gid = (int(match.group(i)) for i in (1, 2, 4, 5))
    if os.geteuid() != 0:
        return False
    try:
        os.mknod(path, stat.S_IFCHR, os.makedev(major, minor))
    except PermissionError:
        # The root of a user namespace.
        return False
    os.chown(path, uid, gid, follow_symlinks=False)
    os.chmod(path, int(match.group(3), 8))
    return True


def make_entry(directory, line):
    """One line of a manifest. Returns False for a node that could not be made."""
    kind, _, rest = line.partition(" ")
    name, _, rest = rest.partition(" ")
    if kind not in ("f", "l", "d", "n"):
        raise ValueError(f"unknown kind of entry '{kind}'")
    path = make_parents(directory, split_path(name))
    if kind == "f":
        make_file(path, rest)
    elif kind == "l":
        if not rest:
            raise ValueError("a link without a target")
        os.symlink(rest, path)
    elif kind == "d":
        os.makedirs(path, 0o755, exist_ok=True)
    else:
        return make_node(path, rest)
    return True


def build_host(manifest_path, directory):
    """Builds the tree in `directory`, which is made if it is not there.

    Returns has_nodes: every device node of the manifest is in the tree.
    """
    has_nodes = True
    os.makedirs(directory, exist_ok=True)
    with open(manifest_path, encoding="utf-8") as manifest:
        for number, line in enumerate(manifest, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            try:
                has_nodes = make_entry(directory, line) and has_nodes
            except (ValueError, OSError) as error:
                where = f"{manifest_path}:{number}"
                raise ManifestError(f"{where}: {error}") from error
    return has_nodes


def main(argv):
    """Command line: prints what was made."""
    if len(argv) != 3:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    try:
        if os.path.isdir(argv[2]) and os.listdir(argv[2]):
            raise ManifestError(f"'{argv[2]}' is not empty; give a new or an empty directory")
        has_nodes = build_host(argv[1], argv[2])
        print(f"made '{argv[2]}'" + ("" if has_nodes else
                                     ", without its device nodes, which only root can make")
              + f"; look at it with: oci-gpu-hook list --host-root {argv[2]}")
    except (ManifestError, OSError) as error:
        print(f"build_host.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
