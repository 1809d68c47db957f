#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""undo.py --hook PROGRAM {v1,v2} - a hook that fails, or is killed, at every system call

A first run under strace lists the calls. Then each of them in turn is made to fail: the hook
must either succeed all the same, or fail with one line and leave everything as it was. Then
the hook is killed at each: nothing may be left outside of the container, and the next run
must come to the same end as if nothing had been.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import container
import runtimes
import sandbox
from standin import StandIn, differences, one_line, run_hook

# These end the process, or cannot fail: their callers have no error to look for.
NOT_TRIED = {"execve", "exit", "exit_group", "brk", "getpid", "getppid", "getuid", "geteuid",
             "getgid", "getegid", "umask", "setfsuid", "setfsgid", "alarm"}

CALL = re.compile(r"^(\w+)\(")


class Suite:
    """All runs are on one bundle, each with a fresh stand-in."""

    def __init__(self, hook, version):
        self.hook = hook
        self.version = version
        self.args = ["--host-root", container.make_host()]
        # Two nodes, a link, and directories that are not there yet. With compute asked for
        # by name a host that cannot be read well is an error, not a GPU with fewer nodes.
        self.bundle = container.Bundle().request("vendor=amd;capabilities=compute").write()
        self.wanted = None

    def standin(self):
        return StandIn(self.bundle, self.version)

    def call(self, standin, *strace_options):
        wrapper = ["strace", "-o", f"{sandbox.WORK}/trace", *strace_options] \
            if strace_options else []
        return run_hook(self.hook, standin.state(), *self.args, wrapper=wrapper)

    def outcome(self, standin):
        """What a run made of the container, without what differs between stand-ins."""
        return {"root file system": standin.tree(), "mounts": standin.mounts(),
                "device rules": standin.rules()}

    def list_calls(self):
        """(name, how many of that name came before, plus one) from reading the state on"""
        with self.standin() as standin:
            before = standin.look()
            result = self.call(standin, "-e", "trace=all")
            self.wanted = self.outcome(standin)
            if result.returncode != 0:
                raise RuntimeError(f"the clean run failed: {result.stderr}")
            if not differences(before, standin.look()):
                raise RuntimeError("the clean run changed nothing")
        calls = []
        counts = {}
        has_begun = False
        with open(f"{sandbox.WORK}/trace", encoding="utf-8", errors="replace") as file:
            for line in file:
                match = CALL.match(line)
                if not match:
                    continue
                name = match.group(1)
                counts[name] = counts.get(name, 0) + 1
                has_begun = has_begun or line.startswith("read(0")
                if has_begun and name not in NOT_TRIED:
                    calls.append((name, counts[name]))
        return calls

    def fail_at(self, name, number):
        with self.standin() as standin:
            before = standin.look()
            result = self.call(standin, "-e", f"trace={name}",
                               "-e", f"inject={name}:error=EIO:when={number}")
            if result.returncode == 0:
                return [*differences(self.wanted, self.outcome(standin)),
                        *([f"standard error: {result.stderr!r}"] if result.stderr else [])]
            return one_line(result) + differences(before, standin.look())

    def kill_at(self, name, number):
        with self.standin() as standin:
            before = standin.look()
            self.call(standin, "-e", f"trace={name}",
                      "-e", f"inject={name}:signal=SIGKILL:when={number}")
            after = standin.look()
            problems = differences(
                {what: before[what] for what in ("mounts of the host", "bundle")}, after)
            again = self.call(standin)
            if again.returncode != 0:
                return problems + [f"the next run failed: {again.stderr!r}"]
            return problems + differences(self.wanted, self.outcome(standin))

    def tests(self):
        calls = self.list_calls()
        # Before the container's process is opened nothing can have been changed.
        first = calls.index(("pidfd_open", 1)) if ("pidfd_open", 1) in calls else 0
        tests = [("the list of calls has all of the work in it", lambda: self.check_list(calls))]
        for name, number in calls:
            tests.append((f"fails at {name} no. {number}",
                          lambda name=name, number=number: self.fail_at(name, number)))
        for name, number in calls[first:]:
            tests.append((f"killed at {name} no. {number}",
                          lambda name=name, number=number: self.kill_at(name, number)))
        return tests

    def check_list(self, calls):
        names = {name for name, _ in calls}
        needed = {"pidfd_open", "open_tree", "mount_setattr", "setns", "move_mount",
                  "symlinkat"}
        if self.version == 2:
            needed.add("bpf")
        return [f"no {name} among the calls" for name in sorted(needed - names)]


def main():
    options = sandbox.arguments(__doc__, ("version", ["v1", "v2"]),
                                tools=["busybox", "strace"])
    if options.version == "v1":
        runtimes.use_cgroup_v1()
    else:
        runtimes.use_cgroup_v2()
    suite = Suite(options.hook, int(options.version[1]))
    return sandbox.run_tests(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
