#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""undo.py --hook PROGRAM {v1,v2,systemd,pin} - a hook that fails, or is killed, at every call

A first run under strace lists the calls. Then each of them in turn is made to fail: the hook
must either succeed all the same, or fail with one line and leave everything as it was. Then
the hook is killed at each: nothing may be left outside of the container, and the next run
must come to the same end as if nothing had been. systemd, pin: in a group (version 2) that
is a unit of systemd's, which filters by DeviceAllow or attaches a pinned program.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import container
import bpf
import runtimes
import sandbox
import systemd
from dbus_peer import BUS, Peer
from standin import StandIn, differences, one_line, run_hook

# These end the process, or cannot fail: their callers have no error to look for.
NOT_TRIED = {"execve", "exit", "exit_group", "brk", "getpid", "getppid", "getuid", "geteuid",
             "getgid", "getegid", "umask", "setfsuid", "setfsgid", "alarm"}

CALL = re.compile(r"^(\w+)\(")


class Suite:
    """All runs are on one bundle, each with a fresh stand-in."""

    def __init__(self, hook, kind, version):
        self.hook = hook
        self.kind = kind
        self.version = version
        # What a whole success may warn of is not looked at here.
        self.args = ["--host-root", container.make_host(), "--log-level", "error"]
        # Two nodes, a link, and directories that are not there yet. With compute asked for
        # by name a host that cannot be read well is an error, not a GPU with fewer nodes.
        self.bundle = container.Bundle().request("vendor=amd;capabilities=compute").write()
        self.wanted = None

    def standin(self):
        return self.kind(self.bundle, self.version)

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
        if issubclass(self.kind, Unit):
            needed |= {"socket", "connect", "sendto"}
        if self.kind is PinnedUnit:
            needed.add("renameat")
        return [f"no {name} among the calls" for name in sorted(needed - names)]


class Unit(systemd.Scope):
    """With systemd at the other end of the bus."""

    programs = ()
    policy = "strict"

    def __enter__(self):
        super().__enter__()
        self.peer = Peer(BUS, self.properties(self.policy, (), self.programs))
        self.peer.__enter__()
        return self

    def __exit__(self, *args):
        self.peer.__exit__(*args)
        super().__exit__(*args)


class PinnedUnit(Unit):
    policy = "auto"
    directory = f"{systemd.PINS}/standin"
    pin = f"{directory}/unit_scope"

    def __enter__(self):
        self.programs = [["device", self.pin]]
        super().__enter__()
        os.makedirs(self.directory, exist_ok=True)
        bpf.pin(bpf.program_ids(self.group)[0], self.pin)
        return self

    def __exit__(self, *args):
        super().__exit__(*args)
        for name in os.listdir(self.directory):
            os.unlink(f"{self.directory}/{name}")


KINDS = {"v1": StandIn, "v2": StandIn, "systemd": Unit, "pin": PinnedUnit}


def main():
    options = sandbox.arguments(__doc__, ("kind", list(KINDS)),
                                tools=["busybox", "strace"])
    version = 1 if options.kind == "v1" else 2
    if version == 1:
        runtimes.use_cgroup_v1()
    else:
        runtimes.use_cgroup_v2()
    if options.kind == "pin":
        systemd.mount_bpffs()
    suite = Suite(options.hook, KINDS[options.kind], version)
    return sandbox.run_tests(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
