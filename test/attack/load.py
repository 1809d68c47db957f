#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""load.py --hook PROGRAM RUNS - many containers at once, and many one after the other

Nothing may be left of them: no mount, no process, no file, no device program.
"""

import ctypes
import json
import os
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stage  # pylint: disable=unused-import  # its first lines say where everything else is
import bpf
import cgroups
import container
import runtimes
import sandbox
from quick import QuickStage
from stage import AMD_TREE, Attacker, differences

AT_ONCE = 100
PROG_GET_NEXT_ID = 11
NAME = b"oci_gpu_hook"  # of the programs that the hook loads
WANTED = {path.removeprefix("dev/") for path in AMD_TREE} - {"dev"}


def programs():
    """Ids of the machine's device programs that have the hook's name."""
    found = set()
    number = 0
    while True:
        try:
            _, answer = bpf._bpf(PROG_GET_NEXT_ID, struct.pack("<I", number))
        except FileNotFoundError:
            return found
        number = struct.unpack_from("<I", answer, 4)[0]
        if name_of(number) == NAME:
            found.add(number)


def name_of(number):
    """A program's name, or None if it went away meanwhile."""
    try:
        fd, _ = bpf._bpf(bpf.PROG_GET_FD_BY_ID, struct.pack("<I", number))
    except FileNotFoundError:
        return None
    try:
        info = ctypes.create_string_buffer(232)
        bpf._bpf(bpf.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, 232, ctypes.addressof(info)))
        return info.raw[64:80].rstrip(b"\0")
    finally:
        os.close(fd)


def processes():
    """Processes of the hook in this PID namespace."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/comm", encoding="utf-8") as file:
                    if file.read().startswith("oci-gpu-hook"):
                        found.append(name)
            except OSError:
                pass
    return found


class Suite(Attacker):
    def __init__(self, hook, runs):
        super().__init__(hook)
        self.runs = runs
        self.count = 0

    def group(self):
        """A control group that denies everything, as a runtime leaves it."""
        self.count += 1
        path = cgroups.directory_of(2, f"{cgroups.parent()}/load-{self.count}")
        os.makedirs(path)
        bpf.attach_deny_all(path)
        return path

    def left(self, before):
        """What is there that was not there before."""
        now = self.look()
        # A program goes when the last group that has it goes, which takes a moment; and
        # others on this machine may run the hook, too.
        deadline = time.monotonic() + 10
        new = now.pop("device programs") - before.pop("device programs")
        while new and time.monotonic() < deadline:
            time.sleep(0.1)
            new &= programs()
        return differences(before, now) + ([f"device programs left: {new}"] if new else [])

    @staticmethod
    def look():
        parent = cgroups.directory_of(2, cgroups.parent())
        return {"device programs": programs(), "processes": processes(),
                "control groups": sorted(entry.name for entry in os.scandir(parent)
                                         if entry.is_dir()) if os.path.isdir(parent) else [],
                "files": sorted(container.list_tree(sandbox.WORK))}

    def check(self, stage, returncode, errors):
        problems = []
        if (returncode, errors) != (0, ""):
            problems.append(f"exit status {returncode}: {errors!r}")
        tree = set(stage.tree())
        if tree != WANTED:
            problems.append(f"below /dev: {tree}")
        if len(stage.new_mounts()) != 2:
            problems.append(f"mounts: {stage.new_mounts()}")
        return problems

    def at_once(self):
        bundle = self.bundle()
        before = self.look()
        stages, groups, hooks, problems = [], [], [], []
        try:
            for _ in range(AT_ONCE):
                groups.append(self.group())
                stages.append(QuickStage(bundle, group=groups[-1]).__enter__())
            denied = bpf.tags(groups[0])
            for stage in stages:
                hooks.append(self.start(stage))
            for stage, group, hook in zip(stages, groups, hooks):
                _, errors = hook.communicate(timeout=30)
                problems += self.check(stage, hook.returncode, errors)
                rules = bpf.tags(group)
                if len(rules) != 1 or rules == denied:
                    problems.append(f"device programs: {rules}")
        finally:
            for stage in stages:
                stage.__exit__()
            for group in groups:
                os.rmdir(group)
        return problems[:10] + self.left(before)

    def start(self, stage):
        """Starts a hook, and hands it its state without waiting for it."""
        state = f"{sandbox.WORK}/tmp/state"
        with open(state, "w", encoding="utf-8") as file:
            file.write(json.dumps(stage.state()))
        with open(state, encoding="utf-8") as file:
            os.unlink(state)
            return subprocess.Popen([self.hook, "createRuntime", "--host-root", self.host],
                                    stdin=file, stderr=subprocess.PIPE, text=True)

    def in_sequence(self):
        bundle = self.bundle()
        before = self.look()
        problems = []
        for number in range(self.runs):
            group = self.group()
            try:
                with QuickStage(bundle, group=group) as stage:
                    result = self.call(stage.state())
                    problems = self.check(stage, result.returncode, result.stderr)
            finally:
                os.rmdir(group)
            if problems:
                return [f"run {number}: {problem}" for problem in problems]
        return self.left(before)

    def tests(self):
        yield f"R24 {AT_ONCE} containers start at once", self.at_once
        yield f"{self.runs} containers one after the other", self.in_sequence


def main():
    options = sandbox.arguments(__doc__, ("runs", ["2000", "20000"]), tools=["busybox"])
    runtimes.use_cgroup_v2()
    suite = Suite(options.hook, int(options.runs))
    return suite.run(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
