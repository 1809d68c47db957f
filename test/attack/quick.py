# SPDX-License-Identifier: Apache-2.0
"""quick.py - a stand-in that is made in a millisecond, for tests of thousands of turns"""

import ctypes
import os
import signal

import stage  # pylint: disable=unused-import  # says where everything else is
import container

CLONE_NEWNS = 0x20000
MS_NOSUID, MS_BIND, MS_REC, MS_PRIVATE = 2, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind=None, flags=0, data=None):
    words = [word.encode() if word else None for word in (source, target, kind)]
    if libc.mount(*words, flags, data.encode() if data else None) < 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


class QuickStage:
    """A process in a mount namespace of its own. A context manager.

    dev: what is bound on the container's /dev; "tmpfs": a new one; None: the image's own
    """

    def __init__(self, bundle, dev="tmpfs", group=None):
        self.bundle = bundle
        self.dev = dev
        self.group = group
        self.pid = None
        self.baseline = set()

    def __enter__(self):
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._live(writer)
            finally:
                os._exit(1)
        os.close(writer)
        is_up = os.read(reader, 1)
        os.close(reader)
        if not is_up:
            self.__exit__()
            raise RuntimeError("the stand-in did not come up")
        self.baseline = set(self._lines())
        return self

    def _live(self, writer):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if self.group:
            with open(f"{self.group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")
        if libc.unshare(CLONE_NEWNS) < 0:
            raise OSError(ctypes.get_errno(), "unshare")
        rootfs = self.bundle.rootfs
        mount(None, "/", flags=MS_REC | MS_PRIVATE)
        mount(rootfs, rootfs, flags=MS_BIND)
        if self.dev == "tmpfs":
            mount("tmpfs", f"{rootfs}/dev", "tmpfs", MS_NOSUID, "mode=755")
        elif self.dev:
            mount(self.dev, f"{rootfs}/dev", flags=MS_BIND)
        os.write(writer, b"1")
        while True:
            signal.pause()

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def _lines(self):
        with open(f"/proc/{self.pid}/mountinfo", encoding="utf-8") as file:
            return file.read().splitlines()

    def new_mounts(self):
        """[(root in its file system, mount point)] of what came since the start"""
        return [tuple(line.split()[3:5]) for line in self._lines()
                if line not in self.baseline]

    def tree(self):
        return container.list_tree(f"/proc/{self.pid}/root{self.bundle.rootfs}/dev")

    def state(self):
        return {"ociVersion": "1.0.2-dev", "id": "standin", "status": "creating",
                "pid": self.pid, "bundle": self.bundle.directory, "annotations": {}}
