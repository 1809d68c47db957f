#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""race.py --hook PROGRAM TURNS - R8: another container changes the tree meanwhile

Two containers share a volume. One starts, and the hook works in it; the other exchanges
directories and files of the volume with links that lead out, as fast as it can. In no turn
may anything outside change, or anything be mounted anywhere but below the container's /dev.
"""

import ctypes
import os
import random
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stage as staging  # its first lines say where everything else is
import sandbox
from quick import PR_SET_PDEATHSIG, QuickStage, libc
from stage import CANARY, Attacker, differences, one_line

RENAME_EXCHANGE = 2

# Mount points of the hook may have been renamed or removed since; they stay where they are.
ROOTS = ("/dev/kfd", "/dev/dri/renderD129")
# Nodes of the container's own, in the order of the plan, on the hook's tmpfs.
OWN_ROOTS = ("/0", "/1")
OWN_USER = {"uid": 1000, "gid": 1001}


class Flipper:
    """The other container: a process that exchanges names in a directory.

    pairs: (directory, name, name of the link), each exchanged again and again
    removes: (directory, name) that are removed now and then
    user: whose process it is; root's without
    """

    def __init__(self, pairs, removes=(), user=None):
        self.pairs = pairs
        self.removes = removes
        self.user = user
        self.pid = None

    def __enter__(self):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._flip()
            finally:
                os._exit(1)
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def _flip(self):
        directories = {path: os.open(path, os.O_PATH | os.O_DIRECTORY)
                       for path, *_ in [*self.pairs, *self.removes]}
        if self.user:
            os.setgroups([])
            os.setgid(self.user["gid"])
            os.setuid(self.user["uid"])
        # Behind setuid(), which makes the kernel forget it.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        pairs = [(directories[path], one.encode(), other.encode())
                 for path, one, other in self.pairs]
        removes = [(directories[path], name) for path, name in self.removes]
        rename = libc.renameat2
        rename.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p,
                           ctypes.c_uint]
        chance = random.Random(os.getpid())
        while True:
            for directory, one, other in pairs:
                # How long each of the two stays differs from turn to turn.
                for _ in range(chance.randrange(1, 20)):
                    rename(directory, one, directory, other, RENAME_EXCHANGE)
            for directory, name in removes:
                remove(directory, name)


def remove(directory, name):
    for call in (os.unlink, os.rmdir):
        try:
            call(name, dir_fd=directory)
        except OSError:
            pass


class Suite(Attacker):
    def __init__(self, hook, turns):
        super().__init__(hook)
        self.turns = turns

    def volume(self):
        """A directory that both containers have as /dev."""
        path = f"{sandbox.WORK}/volume-{len(os.listdir(sandbox.WORK))}"
        os.makedirs(f"{path}/dri/by-path")
        os.symlink(f"{CANARY}/dri", f"{path}/dri.link")
        os.symlink(f"{CANARY}/kfd", f"{path}/kfd.link")
        os.symlink("../../canary/dri/by-path", f"{path}/dri/by-path.link")
        os.symlink(f"{CANARY}/dri/renderD129", f"{path}/dri/renderD129.link")
        for name in ("kfd", "dri/renderD129"):
            with open(f"{path}/{name}", "w", encoding="ascii"):
                pass
        return path

    def turn(self, bundle, dev, is_removed, roots):
        """is_removed: what the hook makes may be removed, and its mounts with it
        roots: what its mounts may show

        Return: what is wrong, and whether the hook did its work
        """
        with QuickStage(bundle, dev) as stage:
            result = self.call(stage.state())
            problems = [] if result.returncode == 0 else one_line(result)
            mounts = stage.new_mounts()
        for root, point in mounts:
            if not point.startswith(f"{bundle.rootfs}/dev"):
                problems.append(f"{root} is mounted at {point}")
            if not root.endswith(roots):
                problems.append(f"the source of the mount at {point} is {root}")
        if result.returncode == 0 and not mounts and not is_removed:
            problems.append("it says that it succeeded, and mounted nothing")
        if result.returncode != 0 and mounts and "taken back" not in result.stderr:
            problems.append(f"left after a failure: {mounts}, {result.stderr!r}")
        return problems, result.returncode == 0

    def race(self, flipper, bundle, dev, turns=None, roots=ROOTS):
        """Turns until one goes wrong. Both outcomes must come: else nothing was raced."""
        before = self.canary.look()
        nodes = self.host_nodes()
        counts = {True: 0, False: 0}
        with flipper:
            for number in range(turns or self.turns // 4):
                problems, succeeded = self.turn(bundle, dev, bool(flipper.removes), roots)
                counts[succeeded] += 1
                now = {"canary": staging.listing(CANARY),
                       "mounts of the host": staging.mounts()}
                problems += differences({what: before[what] for what in now}, now)
                if self.host_nodes() != nodes:
                    problems.append(f"the host's nodes were {nodes}: {self.host_nodes()}")
                if problems:
                    return [f"turn {number}: {problem}" for problem in problems]
        print(f"# {counts[True]} turns done, {counts[False]} refused", flush=True)
        return [] if all(counts.values()) else [f"no race: {counts}"]

    def host_nodes(self):
        """Owner, mode and number of the host's nodes, and when they changed."""
        return [(info.st_uid, info.st_gid, info.st_mode, info.st_rdev, info.st_ctime_ns)
                for info in (os.stat(self.host + path) for path in ROOTS)]

    def middle(self, turns=None):
        dev = self.volume()
        return self.race(Flipper([(dev, "dri", "dri.link")], [(f"{dev}/dri", "renderD129")]),
                         self.bundle(), dev, turns)

    def leaves(self, turns=None):
        dev = self.volume()
        pairs = [(dev, "kfd", "kfd.link"), (f"{dev}/dri", "renderD129", "renderD129.link")]
        return self.race(Flipper(pairs), self.bundle(), dev, turns)

    def everything(self, turns=None):
        """All at once, and what the hook makes is removed under its hands."""
        dev = self.volume()
        pairs = [(dev, "kfd", "kfd.link"), (dev, "dri", "dri.link"),
                 (f"{dev}/dri", "by-path", "by-path.link")]
        return self.race(Flipper(pairs, [(dev, "kfd"), (f"{dev}/dri", "renderD129")]),
                         self.bundle(), dev, turns)

    def dev_itself(self, turns=None):
        """The image's own /dev, in a root that another container has as a volume."""
        bundle = self.bundle()
        os.symlink("../../canary", f"{bundle.rootfs}/dev.link")
        return self.race(Flipper([(bundle.rootfs, "dev", "dev.link")]), bundle, None, turns)

    def own_nodes(self, turns=None):
        """As everything(), for a process that gets nodes of its own: it may be the one that
        exchanges, as their owner."""
        dev = self.volume()
        bundle = self.bundle()
        bundle.config["process"]["user"] = OWN_USER
        bundle.write()
        for top, names, files in os.walk(dev):
            for name in names + files:
                os.lchown(os.path.join(top, name), *OWN_USER.values())
        os.chown(dev, *OWN_USER.values())
        pairs = [(dev, "kfd", "kfd.link"), (dev, "dri", "dri.link"),
                 (f"{dev}/dri", "renderD129", "renderD129.link")]
        return self.race(Flipper(pairs, [(dev, "kfd")], user=OWN_USER), bundle, dev, turns,
                         OWN_ROOTS)

    def tests(self):
        yield f"R8 /dev/dri is exchanged with a link, {self.turns // 4} turns", self.middle
        yield f"R8 the nodes are exchanged with links, {self.turns // 4} turns", self.leaves
        yield f"R8 /dev is exchanged with a link, {self.turns // 4} turns", self.dev_itself
        yield (f"R8 everything is exchanged and removed, {self.turns // 4} turns",
               self.everything)
        yield (f"R8 the owner of private nodes exchanges their places, {self.turns // 4} turns",
               self.own_nodes)


def main():
    options = sandbox.arguments(__doc__, ("turns", ["1000", "100000"]), tools=["busybox"])
    suite = Suite(options.hook, int(options.turns))
    return suite.run(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
