# SPDX-License-Identifier: Apache-2.0
"""stage.py - what every attack stands on: a canary, a stand-in to be bent, a judge

The canary is all that an attack must not reach: a tree outside of the root file system, the
host's mounts and the host's /dev. Each test looks at it before and after.
"""

import hashlib
import os
import stat
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), os.path.dirname(HERE)]

import container
import sandbox
from container import Bundle
from standin import StandIn, differences, one_line, run_hook

CANARY = f"{sandbox.WORK}/canary"

# All that may come for "amd:1", with the directories on the way.
AMD_TREE = {"dev/kfd", "dev/dri", "dev/dri/renderD129", "dev/dri/by-path",
            "dev/dri/by-path/pci-0000:0f:00.0-render"}

# Its nodes, and its link.
NODES = {"/dev/kfd": (235, 0), "/dev/dri/renderD129": (226, 129)}
LINK = "/dev/dri/by-path/pci-0000:0f:00.0-render"

# Where the host's /dev has what other programs make and remove all the time.
DEV_OF_OTHERS = ("pts", "shm", "fd", "mqueue", "hugepages", "loop", "dm-", "mapper")


def contents(path, info):
    """What is in a file, if it can be read without waiting for somebody."""
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(info.st_mode):
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    return str(info.st_rdev)


def listing(directory):
    """{path: type, owner, inode, time of change, contents} of a tree"""
    found = {}
    for top, names, files in os.walk(directory):
        for path in [top] + [os.path.join(top, name) for name in names + files]:
            info = os.lstat(path)
            found[os.path.relpath(path, directory)] = (
                f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid} inode "
                f"{info.st_ino} links {info.st_nlink} time {info.st_mtime_ns} "
                f"{contents(path, info)}")
    return found


def mounts(pid="self"):
    """The mounts of a process, the host's by default, as the kernel writes them.

    Without the options of cgroup2 itself: they are the machine's, and whoever mounts one
    changes them in every namespace. That the hook does not is seen by devices.py.
    """
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [line.partition(" - cgroup2 ")[0] for line in file]


def host_dev():
    """{path: what it is} of the host's /dev"""
    return {path: what for path, what in container.list_tree("/dev").items()
            if not path.startswith(DEV_OF_OTHERS)}


class Canary:
    """Made once; look() and compare."""

    def __init__(self):
        os.makedirs(f"{CANARY}/dri/by-path")
        os.makedirs(f"{CANARY}/dev")
        os.makedirs(f"{CANARY}/lib")
        for name, text in (("empty", ""), ("secret", "secret\n"), ("kfd", ""),
                           ("dri/renderD129", ""), ("lib/libcuda.so.1", "library\n"),
                           ("shadow", "root:!:1::::::\n")):
            with open(f"{CANARY}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        os.chmod(f"{CANARY}/shadow", 0o600)
        os.mkfifo(f"{CANARY}/fifo")
        os.mknod(f"{CANARY}/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.symlink("secret", f"{CANARY}/link")

    @staticmethod
    def look():
        return {"canary": listing(CANARY), "mounts of the host": mounts(),
                "the host's /dev": host_dev()}

    def guard(self, test):
        """The test, with the canary looked at before and after."""

        def guarded():
            before = self.look()
            problems = test()
            problems = problems.splitlines() if isinstance(problems, str) else list(problems)
            return problems + differences(before, self.look())

        return guarded


SCRIPT = """
set -e
[ -z "$2" ] || echo 0 >"$2/cgroup.procs"
mount --bind "$1" "$1"
root=$1
%s
echo ready
exec sleep 1000
"""

TMPFS_ON_DEV = 'mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"'
PROC = 'mount -t proc proc "$root/proc"'


class Stage(StandIn):
    """A stand-in whose mounts and /dev are what the attack needs.

    steps: shell commands, run where the container is, with $root
    arrange: called afterwards with the container's root, to put things there
    """

    def __init__(self, bundle, *, steps=TMPFS_ON_DEV, arrange=None, cgroup_version=None,
                 propagation="private", wrapper=()):
        super().__init__(bundle, cgroup_version)
        self.steps = steps
        self.arrange = arrange
        self.propagation = propagation
        self.wrapper = wrapper

    def __enter__(self):
        if self.cgroup_version:
            self._make_group()
        self.process = subprocess.Popen(
            ["unshare", "--mount", f"--propagation={self.propagation}", *self.wrapper, "sh",
             "-c", SCRIPT % self.steps, "sh", self.bundle.rootfs, self.group or ""],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            if self.process.stdout.readline() != "ready\n":
                raise RuntimeError("the stage did not come up")
            if self.arrange:
                self.arrange(self.root)
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def root(self):
        """The container's root, from here."""
        return f"/proc/{self.pid}/root{self.bundle.rootfs}"

    def tree(self):
        """The root as the container sees it. A procfs in there is not the image's."""
        found = {}
        for entry in os.scandir(self.root):
            found[entry.name] = stat.filemode(entry.stat(follow_symlinks=False).st_mode)
            if entry.name != "proc" and entry.is_dir(follow_symlinks=False):
                found.update({f"{entry.name}/{path}": what for path, what in
                              container.list_tree(entry.path).items()})
        return found

    def look(self):
        return {**super().look(), "mounts in the container": mounts(self.pid),
                "mounts of the host": mounts()}

    def run_inside(self, *command):
        """Runs a command in the container's mount namespace, where the host's files still
        are. Return: subprocess.CompletedProcess"""
        return container.run(["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", *command])


class Attacker:
    """What the suites share: calling the hook, and saying what is wrong."""

    def __init__(self, hook):
        self.hook = hook
        self.host = container.make_host()
        self.canary = Canary()
        # The first run of a program maps it; the times of directories are settled then.
        os.sync()

    def bundle(self, request="amd:1"):
        bundle = Bundle()
        if request is not None:
            bundle.request(request)
        return bundle.write()

    def call(self, state, *args, host=None, **kwargs):
        return run_hook(self.hook, state, "--host-root", host or self.host, *args, **kwargs)

    def refuses(self, stage, *words, state=None, **kwargs):
        """The hook must fail with one line that holds the words, and change nothing."""
        with stage:
            before = stage.look()
            result = self.call(state(stage) if state else stage.state(), **kwargs)
            return one_line(result, *words) + differences(before, stage.look())

    def works(self, stage, *, there=(), **kwargs):
        """The hook must bring the AMD GPU, whole; there: nodes that need no mount."""
        with stage:
            result = self.call(stage.state(), **kwargs)
            return self.whole(stage, result, there)

    @staticmethod
    def whole(stage, result, there=()):
        problems = []
        if (result.returncode, result.stdout, result.stderr) != (0, "", ""):
            problems.append(f"exit status {result.returncode}: {result.stderr!r}")
        tree = stage.tree()
        problems += [f"{path} is not there" for path in AMD_TREE if path not in tree]
        for path, (major, minor) in container.AMD.items():
            if tree.get(path[1:], "").split()[-1:] != [f"{major}:{minor}"]:
                problems.append(f"{path} is '{tree.get(path[1:])}'")
            wanted = 0 if path in there else 1
            if len(stage.mounts().get(path, [])) != wanted:
                problems.append(f"{path} is mounted: {stage.mounts().get(path)}")
        return problems

    def run(self, tests, only):
        """tests: (name, function) pairs"""
        return sandbox.run_tests([(name, self.canary.guard(test)) for name, test in tests],
                                 only)


def put(kind, path, text=""):
    """Makes what an attack puts at a place. kind: link, file, dir, fifo, socket, c, b"""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    if kind == "link":
        os.symlink(text, path)
    elif kind == "file":
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    elif kind == "dir":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    else:
        major, minor = text
        os.mknod(path, (stat.S_IFCHR if kind == "c" else stat.S_IFBLK) | 0o666,
                 os.makedev(major, minor))


def copy_host(name):
    """A made host to be spoiled."""
    directory = f"{sandbox.WORK}/hosts/{name}"
    subprocess.run(["cp", "-a", container.make_host(), directory], check=True)
    return directory


def sys_of_render_node(host):
    """The directory in /sys of the AMD GPU's render node."""
    return os.path.realpath(f"{host}/sys/class/drm/renderD129")


EVIL = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void evil(void)
{
	int fd = open("%s/marker", O_WRONLY | O_CREAT, 0644);

	close(fd);
}
unsigned int la_version(unsigned int version) { evil(); return version; }
"""


def make_evil_library(directory):
    """A library that leaves a mark when it is loaded. Return: its path"""
    source = f"{sandbox.WORK}/evil.c"
    with open(source, "w", encoding="ascii") as file:
        file.write(EVIL % sandbox.WORK)
    library = f"{directory}/evil.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def wait_for_text(path, text, limit=10):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                if text in file.read():
                    return
        except FileNotFoundError:
            pass
        time.sleep(0.01)
    raise TimeoutError(f"{text!r} did not come to {path}")
