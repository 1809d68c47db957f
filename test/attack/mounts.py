# SPDX-License-Identifier: Apache-2.0
"""mounts.py - R12, R15, R18 and R19: what is mounted where"""

import os
import subprocess
import sys

import stage as staging
import container
import sandbox
from stage import (CANARY, LINK, NODES, TMPFS_ON_DEV, Attacker, Stage, differences, one_line,
                   put)


class Mounts(Attacker):
    """Shared volumes, /proc, the host's nodes and its /dev."""

    # ---- R12: shared mounts --------------------------------------------------------------

    def shared(self, place, kind="shared", works=False):
        """A volume that the host sees, at a place of the container."""
        volume = f"{sandbox.WORK}/volume"
        os.makedirs(volume, exist_ok=True)
        sandbox.mount("-t", "tmpfs", "volume", volume)
        sandbox.mount("--make-shared", volume)
        steps = "" if place == "/dev" else TMPFS_ON_DEV
        steps += f'\nmkdir -p "$root{place}"; mount --bind {volume} "$root{place}"'
        if kind == "slave":
            steps += f'; mount --make-slave "$root{place}"'
        stage = Stage(self.bundle(), steps=steps, propagation="unchanged")
        before = staging.mounts()
        try:
            problems = self.works(stage) if works else self.refuses(stage, "shared")
            if staging.mounts() != before:
                problems.append("the host's mounts changed")
            if not works:
                problems += self.leaks_without_the_check(stage, place, before)
        finally:
            container.run(["umount", "-R", volume])
        return problems

    def shared_file(self):
        """A shared volume of one empty file, at the place of a node in a private /dev."""
        volume = f"{sandbox.WORK}/volume"
        os.makedirs(volume, exist_ok=True)
        sandbox.mount("-t", "tmpfs", "volume", volume)
        sandbox.mount("--make-shared", volume)
        put("file", f"{volume}/kfd")
        steps = f"""{TMPFS_ON_DEV}
            : >"$root/dev/kfd"
            mount --bind {volume}/kfd "$root/dev/kfd" """
        before = staging.mounts()
        try:
            problems = self.refuses(Stage(self.bundle(), steps=steps, propagation="unchanged"),
                                    "'/dev/kfd'")
            return problems + differences({"mounts": before}, {"mounts": staging.mounts()})
        finally:
            container.run(["umount", "-R", volume])

    @staticmethod
    def leaks_without_the_check(stage, place, before):
        """What the hook refused must be a danger, or the test shows nothing."""
        with stage:
            root = stage.bundle.rootfs + place
            stage.run_inside("sh", "-c", f"mkdir {root}/x; mount --bind {root}/x {root}/x")
            return [] if staging.mounts() != before else ["a mount there is not seen outside"]

    def shared_root(self):
        """rootfsPropagation=shared, and an image without anything mounted on its /dev."""
        steps = 'mount --make-shared "$root"'
        return self.refuses(Stage(self.bundle(), steps=steps), "shared")

    def r12(self):
        for place in ("/dev", "/dev/dri"):
            yield f"R12 {place} is a shared volume", lambda place=place: self.shared(place)
        yield "R12 /dev/kfd is a shared file", self.shared_file
        yield "R12 the root is shared", self.shared_root
        yield "R12 a slave volume on /dev does not leak", lambda: self.shared(
            "/dev", kind="slave", works=True)

    # ---- R15: /proc ----------------------------------------------------------------------

    def mounted_over_proc(self, command, *words):
        """command: of the shell, in a mount namespace of the hook's own; $pid and $other"""
        with subprocess.Popen(["sleep", "60"]) as other:
            try:
                stage = Stage(self.bundle())
                with stage:
                    before = stage.look()
                    script = f'pid={stage.pid}; other={other.pid}; {command}; exec "$@"'
                    result = self.call(stage.state(), wrapper=[
                        "unshare", "--mount", "sh", "-e", "-c", script, "sh"])
                    return one_line(result, *words) + differences(before, stage.look())
            finally:
                other.kill()

    def r15(self):
        file = f"{CANARY}/secret"
        for what, command in {
                "a tmpfs over /proc": "mount -t tmpfs tmpfs /proc",
                "a directory of /proc over it": "mount --bind /proc/sys /proc",
                "another process over the container's":
                    "mount --bind /proc/$other /proc/$pid",
                "a tmpfs over the container's process": "mount -t tmpfs tmpfs /proc/$pid",
                "a file over its cgroup": f"mount --bind {file} /proc/$pid/cgroup",
                "a file over its mountinfo": f"mount --bind {file} /proc/$pid/mountinfo",
                "a file over the hook's own uid_map": f"mount --bind {file} /proc/$$/uid_map",
        }.items():
            yield f"R15 {what}", lambda command=command: self.mounted_over_proc(command, "roc")

    # ---- R18: the host's node ------------------------------------------------------------

    def node_is_the_hosts(self):
        """The container can use the node, and change nothing about it."""
        program = """
import errno, os, sys
def attempt(call, *args):
    try:
        call(*args)
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
path = sys.argv[1]
print(attempt(os.open, path, os.O_RDWR), attempt(os.chmod, path, 0o777),
      attempt(os.chown, path, 1, 1), attempt(os.utime, path, (1, 1)),
      attempt(os.setxattr, path, "trusted.x", b"x"), attempt(os.unlink, path))
"""
        problems = []
        with Stage(self.bundle()) as stage:
            self.call(stage.state())
            for path in NODES:
                node = f"{self.host}{path}"
                before = os.stat(node)
                result = stage.run_inside(sys.executable, "-c", program,
                                          stage.bundle.rootfs + path)
                words = result.stdout.split()
                if not words or words[0] not in container.ALLOWED or \
                        words[1:5] != ["EROFS"] * 4 or words[5:] != ["EBUSY"]:
                    problems.append(f"{path}: open, chmod, chown, utime, setxattr, unlink "
                                    f"give {result.stdout!r} {result.stderr!r}")
                after = os.stat(node)
                if (before.st_mode, before.st_uid, before.st_mtime_ns, before.st_ctime_ns) != \
                        (after.st_mode, after.st_uid, after.st_mtime_ns, after.st_ctime_ns):
                    problems.append(f"{path} of the host changed")
        return problems

    def r18(self):
        yield "R18 chmod, chown, utime and setxattr of a node give EROFS", \
            self.node_is_the_hosts

    # ---- R19: the host's /dev ------------------------------------------------------------

    def real_dev(self, command):
        stage = Stage(self.bundle(), steps=f"{command} /dev \"$root/dev\"")
        with stage:
            before = list(staging.host_dev())
            result = self.call(stage.state())
            problems = one_line(result, "/dev")
            return problems + differences({"/dev": before}, {"/dev": list(staging.host_dev())})

    def made_dev(self, place, *, nodes=False, works=False):
        """A /dev that is the host's for the hook alone, so that it may have GPUs in it."""
        dev = f"{sandbox.WORK}/made-dev"
        os.makedirs(dev, exist_ok=True)
        sandbox.mount("-t", "tmpfs", "dev", dev)
        try:
            os.makedirs(f"{dev}/dri/by-path")
            if nodes:
                for path, number in NODES.items():
                    put("c", f"{dev}{path.removeprefix('/dev')}", number)
                put("link", f"{dev}{LINK.removeprefix('/dev')}", "../renderD129")
            before = listing = staging.listing(dev)
            inner = place.removeprefix("/dev")
            steps = (TMPFS_ON_DEV if inner else "") + \
                f'\nmkdir -p "$root{place}"; mount --bind {dev}{inner} "$root{place}"'
            wrapper = ["unshare", "--mount", "sh", "-c", f'mount --bind {dev} /dev; exec "$@"',
                       "sh"]
            stage = Stage(self.bundle(), steps=steps)
            problems = self.works(stage, wrapper=wrapper, there=NODES) if works else \
                self.refuses(stage, place, wrapper=wrapper)
            listing = staging.listing(dev)
            return problems + differences({"/dev": before}, {"/dev": listing})
        finally:
            container.run(["umount", dev])

    def r19(self):
        yield "R19 the host's /dev is bound into the container", \
            lambda: self.real_dev("mount --bind")
        yield "R19 the host's /dev is bound with what is mounted in it", \
            lambda: self.real_dev("mount --rbind")
        for place in ("/dev", "/dev/dri"):
            yield f"R19 {place} is the host's, without the nodes", \
                lambda place=place: self.made_dev(place)
        yield "R19 /dev is the host's, and the nodes are there: nothing to do", \
            lambda: self.made_dev("/dev", nodes=True, works=True)
