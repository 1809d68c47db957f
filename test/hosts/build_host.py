#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tree of a host out of its manifest, for --host-root.

usage: build_host.py NAME.host DIRECTORY     (new or empty; as root for the device nodes)

A manifest is a text file, one entry a line; '#' comments and blank lines are ignored:

  f PATH TEXT                    a regular file that holds TEXT and a newline
  t PATH FILE [MODE]             a copy of the file FILE, relative to the manifest; mode 644
  l PATH TARGET                  a symbolic link
  d PATH                         an empty directory
  n PATH MAJ:MIN MODE UID:GID    a character device node, MODE in octal
  e PATH SONAME [BITS]           a shared library of this machine, 64 (default) or 32 bits,
                                 with nothing in it but its name; SONAME "-": without one
  s PATH                         a socket that nobody listens on
  i NAME                         all entries of the manifest NAME.host beside this one

PATHs are absolute in the tree and hold no blanks; parents are implied. In TEXT, \\t, \\n
and \\\\ stand for a tab, a line end and a backslash.

Device nodes need mknod(2), which only the real root may do. Without it they are left out,
and has_nodes is False.
"""

import os
import platform
import re
import socket
import stat
import struct
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


MACHINES = {"x86_64": (62, 3), "aarch64": (183, 40)}


def library(soname, bits):
    """Bytes of a shared library: program headers, a dynamic section and its strings.

    Source: System V ABI, gABI 4.1; the machines' numbers are those of <elf.h>.
    """
    is_64 = bits == 64
    machine = MACHINES.get(platform.machine(), MACHINES["x86_64"])[0 if is_64 else 1]
    strings = b"\0" + (soname.encode() + b"\0" if soname else b"")
    head_size, header_size, entry = (64, 56, "<qQ") if is_64 else (52, 32, "<iI")
    dynamic_at = head_size + 2 * header_size
    tags = ([(14, 1)] if soname else []) + [(5, 0), (10, len(strings)), (0, 0)]
    size = struct.calcsize(entry) * len(tags)
    strings_at = dynamic_at + size
    tags = [(tag, strings_at if tag == 5 else value) for tag, value in tags]
    dynamic = b"".join(struct.pack(entry, *tag) for tag in tags)
    end = strings_at + len(strings)
    head = b"\x7fELF" + bytes([2 if is_64 else 1, 1, 1]) + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH" if is_64 else "<HHIIIIIHHHHHH", 3, machine, 1, 0,
                        head_size, 0, 0, head_size, header_size, 2, 0, 0, 0)

    def header(kind, offset, length):
        if is_64:
            return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, length, length, 8)
        return struct.pack("<IIIIIIII", kind, offset, offset, offset, length, length, 4, 8)

    return head + header(1, 0, end) + header(2, dynamic_at, size) + dynamic + strings


def make_library(path, rest):
    """A shared library that did not exist before."""
    match = re.fullmatch(r"(\S+)(?: (32|64))?", rest)
    if not match:
        raise ValueError(f"'{rest}' is not SONAME [BITS]")
    soname = "" if match.group(1) == "-" else match.group(1)
    with open(path, "xb") as file:
        file.write(library(soname, int(match.group(2) or 64)))


def make_socket(path):
    """A socket; its path may be longer than an address can hold, so by its directory."""
    here = os.open(".", os.O_PATH)
    try:
        os.chdir(os.path.dirname(path))
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(os.path.basename(path))
    finally:
        os.fchdir(here)
        os.close(here)


def copy_file(path, rest, beside):
    """A copy of a file beside the manifest."""
    match = re.fullmatch(r"(\S+)(?: ([0-7]{3}))?", rest)
    if not match:
        raise ValueError(f"'{rest}' is not FILE [MODE]")
    with open(os.path.join(beside, *split_path(f"/{match.group(1)}")), "rb") as file:
        content = file.read()
    with open(path, "xb") as file:
        file.write(content)
    os.chmod(path, int(match.group(2) or "644", 8))


def make_entry(directory, line, beside):
    """One line of a manifest in the directory beside. Returns False for a node that could not be made."""
    kind, _, rest = line.partition(" ")
    name, _, rest = rest.partition(" ")
    if kind not in ("f", "t", "l", "d", "n", "e", "s"):
        raise ValueError(f"unknown kind of entry '{kind}'")
    path = make_parents(directory, split_path(name))
    if kind == "f":
        make_file(path, rest)
    elif kind == "t":
        copy_file(path, rest, beside)
    elif kind == "l":
        if not rest:
            raise ValueError("a link without a target")
        os.symlink(rest, path)
    elif kind == "e":
        make_library(path, rest)
    elif kind == "s":
        make_socket(path)
    elif kind == "d":
        os.makedirs(path, 0o755, exist_ok=True)
    else:
        return make_node(path, rest)
    return True


def entries(manifest_path):
    """(file, line number, line) of the entries, those of included manifests in their place."""
    with open(manifest_path, encoding="utf-8") as manifest:
        for number, line in enumerate(manifest, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("i "):
                beside = os.path.dirname(manifest_path)
                yield from entries(os.path.join(beside, f"{line[2:]}.host"))
            else:
                yield manifest_path, number, line


def build_host(manifest_path, directory):
    """Builds the tree in `directory`, which is made if it is not there.

    Returns has_nodes: every device node of the manifest is in the tree.
    """
    has_nodes = True
    os.makedirs(directory, exist_ok=True)
    for path, number, line in entries(os.fspath(manifest_path)):
        try:
            has_nodes = make_entry(directory, line, os.path.dirname(path)) and has_nodes
        except (ValueError, OSError) as error:
            raise ManifestError(f"{path}:{number}: {error}") from error
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
        # Where the hook keeps its ledger, for who tries the host by hand.
        os.makedirs(os.path.join(argv[2], "run"), exist_ok=True)
        print(f"made '{argv[2]}'" + ("" if has_nodes else
                                     ", without its device nodes, which only root can make")
              + f"; look at it with: oci-gpu-hook list --host-root {argv[2]}")
    except (ManifestError, OSError) as error:
        print(f"build_host.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
