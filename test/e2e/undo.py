#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""undo.py --hook PROGRAM {v1,v2,private,systemd,pin,driver,cdi} {sample,all} - faults at every call of the hook

A first run under strace lists the calls, those of the parser's process included. Then each of
them in turn is made to fail: the hook must either succeed all the same, or fail with one line,
leave everything as it was, and succeed when it is run once more. Then the hook is killed at
each: nothing may be left outside of the container, and the next run must come to the same end
as if nothing had been. Then a call fails, and after it each call of the undo: the line must
say so, and all the rest must be taken back.

sample: every call fails with EIO, and with one of the other errors in turn; all: with each.
private: the process may not open the host's nodes, and gets nodes of its own (group version 2).
systemd, pin: in a group (version 2) that is a unit of systemd's, which filters by DeviceAllow
or attaches a pinned program.
driver: NVIDIA's libraries, in an image that has a link of its own and a loader's cache; cdi:
those that a specification names, parsed by a child of its own.

With a PROGRAM that has sanitizers the calls fail that are none of theirs, and what is looked
for besides is bad memory and open descriptors: see Suite.sanitized_tests().
"""

import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import container
import bpf
import driver
import runtimes
import sandbox
import systemd
from dbus_peer import BUS, Peer
from standin import StandIn, differences, one_line, run_hook

# These end the process, or cannot fail: their callers have no error to look for.
NOT_TRIED = {"execve", "exit", "exit_group", "brk", "getpid", "getppid", "getuid", "geteuid",
             "getgid", "getegid", "umask", "setfsuid", "setfsgid", "alarm"}

# What the program, or the C library, may treat in a way of its own.
ERRORS = ("EPERM", "ENOSYS", "EAGAIN", "EINTR", "ENOMEM", "ENOSPC", "EBUSY")

# The calls that change the container are tried with all of them in a sample, too.
CHANGES = {"setns", "mkdirat", "move_mount", "symlinkat"}

# Those that some call means something by, in the container's part of the work.
SPECIAL = {"openat2": ("ENOENT", "ELOOP", "ENOTDIR", "EXDEV", "EEXIST"), "mkdirat": ("EEXIST",),
           "symlinkat": ("EEXIST",), "move_mount": ("EINVAL", "ENOENT"),
           "open_tree": ("EINVAL",), "bpf": ("ENOENT", "EEXIST"), "connect": ("ENOENT", "ECONNREFUSED")}

# What takes back. The link that an image had comes back by two calls, under another name first.
UNDOES = {"umount2", "fchdir", "unlinkat", "bpf", "write", "symlinkat", "renameat2"}
TEMPORARY = "/.oci-gpu-hook."

# What a sanitizer's runtime does not call itself.
OWN_CALLS = {"openat2", "pidfd_open", "open_tree", "mount_setattr", "setns", "move_mount",
             "symlinkat", "mkdirat", "unlinkat", "renameat2", "fsopen", "fsconfig", "fsmount",
             "mknodat", "statx", "fstatfs", "bpf", "socket", "connect", "sendto", "poll",
             "getdents64", "pread64", "lseek", "fchdir", "umount2", "capset", "renameat",
             "fchownat", "fchmodat", "getxattr"}

# Of the driver's files.
OWN_DIR = "run/oci-gpu-hook/nvidia"

CALL = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)$")


def read_trace():
    """(process, name, how many of that name came before in it, plus one, arguments)"""
    found = []
    counts = {}
    with open(f"{sandbox.WORK}/trace", encoding="utf-8", errors="replace") as file:
        for line in file:
            match = CALL.match(line)
            if match:
                process, name, rest = match.groups()
                counts[process, name] = counts.get((process, name), 0) + 1
                found.append((process, name, counts[process, name], rest))
    return found


def inject(what, *faults):
    """Options of strace. faults: (name, number), one or two

    strace knows one rule a call, so two faults of one name become a progression.
    """
    (name, first), (other, second) = faults[0], faults[-1]
    if other == name and second != first:
        return ["-e", f"inject={name}:{what}:when={first}..{second}+{second - first}"]
    return [word for name, number in dict.fromkeys(faults)
            for word in ("-e", f"inject={name}:{what}:when={number}")]


class Suite:
    """All runs are on one bundle, each with a fresh stand-in."""

    def __init__(self, hook, kind, version, has_all):
        self.hook = hook
        self.kind = kind
        self.version = version
        self.has_all = has_all
        # What a whole success may warn of is not looked at here.
        self.args = [*(kind.args() if issubclass(kind, Image) else
                       ["--host-root", container.make_host()]), "--log-level", "error"]
        # Two nodes, a link, and directories that are not there yet. With compute asked for
        # by name a host that cannot be read well is an error, not a GPU with fewer nodes.
        self.bundle = container.Bundle().request(
            "nvidia:1" if issubclass(kind, Image) else "vendor=amd;capabilities=compute")
        if kind is Private:
            self.bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
        self.bundle.write()
        if issubclass(kind, Image):
            kind.make_image(self.bundle.rootfs)
        self.wanted = None
        self.is_sanitized = sandbox.is_sanitized(hook)
        self.environment = sandbox.UNDER_STRACE if self.is_sanitized else []

    def standin(self):
        return self.kind(self.bundle, self.version)

    def call(self, standin, *strace_options):
        wrapper = ["strace", "-o", f"{sandbox.WORK}/trace", *self.environment,
                   *strace_options] if strace_options else []
        return run_hook(self.hook, standin.state(), *self.args, wrapper=wrapper)

    def outcome(self, standin):
        """What a run made of the container, without what differs between stand-ins."""
        return {"root file system": standin.tree(), "mounts": standin.mounts(),
                "device rules": standin.rules()}

    def list_calls(self):
        """(name, number) of the hook from reading the state on, the same of the parser's
        process from its start on, and the names of the latter alone"""
        with self.standin() as standin:
            before = standin.look()
            result = self.call(standin, "-f", "-e", "trace=all")
            self.wanted = self.outcome(standin)
            if result.returncode != 0:
                raise RuntimeError(f"the clean run failed: {result.stderr}")
            if not differences(before, standin.look()):
                raise RuntimeError("the clean run changed nothing")
        trace = read_trace()
        first = trace[0][0]
        own = [(name, number, rest) for process, name, number, rest in trace
               if process == first]
        begins = next(at for at, (name, _, rest) in enumerate(own)
                      if name == "read" and rest.startswith("0,"))
        # strace counts in each process, so its first write is the hook's own line as well.
        parser = [(name, number) for process, name, number, _ in trace
                  if process != first and name not in NOT_TRIED and (name, number) != ("write", 1)]
        return ([(name, number) for name, number, _ in own[begins:] if name not in NOT_TRIED],
                parser, {name for name, _ in parser} - {name for name, *_ in own})

    def again(self, standin):
        """One more run must come to the same end as if nothing had been."""
        result = self.call(standin)
        if result.returncode != 0:
            return [f"the next run failed: {result.stderr!r}"]
        return differences(self.wanted, self.outcome(standin))

    def fail_at(self, name, number, error, *options):
        with self.standin() as standin:
            before = standin.look()
            result = self.call(standin, *options, "-e", f"trace={name}",
                               *inject(f"error={error}", (name, number)))
            if result.returncode == 0:
                return [*differences(self.wanted, self.outcome(standin)),
                        *([f"standard error: {result.stderr!r}"] if result.stderr else [])]
            return one_line(result) + differences(before, standin.look()) + \
                self.again(standin)

    def fail_early(self, name, number, error):
        """Without the image's libraries, or the driver's parameters, less comes; but of what a
        specification names it is all or nothing."""
        with self.standin() as standin:
            before = standin.look()
            result = self.call(standin, "-e", f"trace={name}",
                               *inject(f"error={error}", (name, number)))
            if result.returncode != 0:
                return one_line(result) + differences(before, standin.look()) + \
                    self.again(standin)
            found = self.driver_mounts(self.outcome(standin))
        return [] if found in (set(), self.driver_mounts(self.wanted)) else \
            [f"only some of the files are there: {found}"]

    @staticmethod
    def driver_mounts(outcome):
        return {path for path in outcome["mounts"] if path.startswith(f"{driver.OWN_DIR}/")}

    def kill_at(self, name, number):
        with self.standin() as standin:
            before = standin.look()
            self.call(standin, "-e", f"trace={name}", *inject("signal=SIGKILL", (name, number)))
            after = standin.look()
            return differences({what: before[what] for what in
                                ("mounts of the host", "bundle")}, after) + self.again(standin)

    def parser_killed_at(self, name, number):
        with self.standin() as standin:
            before = standin.look()
            result = self.call(standin, "-f", "-e", f"trace={name}",
                               *inject("signal=SIGKILL", (name, number)))
            return one_line(result, "the parser was killed by signal 9") + \
                differences(before, standin.look()) + self.again(standin)

    # ---- an error, and another one in the undo -------------------------------------------

    def list_undoing(self, trigger):
        """What is called to take back when a call has failed, or None if it does not fail."""
        with self.standin() as standin:
            result = self.call(standin, "-e", "trace=all", *inject("error=EIO", trigger))
        if result.returncode == 0:
            return None
        trace = read_trace()
        at = next(at for at, (*_, rest) in enumerate(trace) if rest.endswith("(INJECTED)"))
        # The hook's own line is written to descriptor 2.
        return [(name, number) for _, name, number, rest in trace[at + 1:]
                if name in UNDOES and not (name == "write" and rest.startswith("2,"))]

    def fail_twice(self, trigger, undoing):
        with self.standin() as standin:
            before = standin.look()
            result = self.call(standin, "-e", f"trace={trigger[0]},{undoing[0]}",
                               *inject("error=EIO", trigger, undoing))
            after = standin.look()
            if self.has_temporary(before, after):
                # The next run takes it away, so nobody needs to be told.
                return one_line(result) + self.again(standin)
            return one_line(result, "could not be taken back (") + \
                self.left(undoing[0], before, after) + self.again(standin)

    @staticmethod
    def has_temporary(before, after):
        """Is a temporary name all that is left?"""
        tree = {path: what for path, what in after["root file system"].items()
                if TEMPORARY not in f"/{path}"}
        return tree != after["root file system"] and \
            not differences(before, {**after, "root file system": tree})

    def left(self, name, before, after):
        """Only the change itself may be left, and what cannot go before it goes."""
        if name in ("symlinkat", "renameat2"):
            return self.link_left(before, after)
        if name in ("bpf", "write"):
            if before["device rules"] == after["device rules"]:
                return ["the device rules are as before"]
            return differences({**before, "device rules": None}, {**after, "device rules": None})
        new = [line for line in after["mounts in the container"]
               if line not in before["mounts in the container"]]
        names = [path for path in after["root file system"]
                 if path not in before["root file system"]]
        if f"{OWN_DIR}/lib" in names:
            # With it stays all that is in it.
            names = [path for path in names if not path.startswith(f"{OWN_DIR}/")]
            new = [line for line in new if f"/{OWN_DIR}/" not in line]
        # A node that is still mounted looks like one; below it nothing can be.
        chain = sorted(names, key=len)
        problems = [f"left: {names}" for above, below in zip(chain, chain[1:])
                    if not below.startswith(f"{above}/")]
        if not names:
            problems.append("nothing is left")
        if len(new) != (name in ("umount2", "fchdir")):
            problems.append(f"mounts left: {new}")
        same = {"mounts in the container": [], "root file system": {}}
        return problems + differences({**before, **same}, {**after, **same})

    @staticmethod
    def link_left(before, after):
        """The image's own link leads to the driver still; all else is as before."""
        same = {path: what for path, what in before["root file system"].items()
                if what == after["root file system"].get(path)}
        changed = {path: what for path, what in after["root file system"].items()
                   if path not in same}
        problems = [f"it is {what}, was {before['root file system'].get(path)}"
                    for path, what in changed.items() if f"/{OWN_DIR}/" not in what]
        if len(changed) != 1:
            problems.append(f"not one link is left: {changed}")
        return problems + differences({**before, "root file system": same},
                                      {**after, "root file system": same})

    def double_tests(self, calls):
        """The last call that changes something, and the first one behind the device rules."""
        triggers = [call for call in calls if call[0] in ("setns", "symlinkat")]
        if issubclass(self.kind, Image):
            # The image's link, and the cache, which is the very last, are renamed.
            links = [call for call in calls if call[0] == "symlinkat"]
            triggers = [("setns", 1), links[-1],
                        *(call for call in calls if call[0] == "renameat2")]
        if self.has_all:
            changing = calls.index(("setns", 1))
            triggers = calls[changing:]
        for trigger in triggers:
            for undoing in self.list_undoing(trigger) or ():
                yield (f"fails at {trigger[0]} no. {trigger[1]}, and again when it undoes at "
                       f"{undoing[0]} no. {undoing[1]}",
                       lambda trigger=trigger, undoing=undoing:
                       self.fail_twice(trigger, undoing))

    # ---- all -----------------------------------------------------------------------------

    def errors_of(self, name, at, is_late):
        """Which errors a call is tried with. at: its place in the list"""
        errors = ["EIO"]
        if issubclass(self.kind, Image):
            # What an image may be the reason for is a warning there, and no failure.
            return errors
        if self.has_all or name in CHANGES:
            errors += ERRORS
        else:
            errors.append(ERRORS[at % len(ERRORS)])
        return errors + list(SPECIAL.get(name, ()) if is_late else ())

    def sanitized_tests(self):
        """Each call that is the program's alone fails: no bad access, and no descriptor that
        is still open at the end. Leaks are not looked for: that needs ptrace, as strace does."""
        calls, *_ = self.list_calls()
        if issubclass(self.kind, Image):
            # Driver files of the host that cannot be read are none: a warning.
            calls = calls[calls.index(("pidfd_open", 1)):]
        calls = [call for call in calls if call[0] in OWN_CALLS]
        yield ("the list of calls has all of the work in it",
               lambda: self.check_list(calls, None))
        for name, number in calls:
            yield (f"EIO at {name} no. {number}",
                   lambda name=name, number=number: self.fail_at(name, number, "EIO"))

    def tests(self):
        calls, parser, parsers_own = self.list_calls()
        # Before the container's process is opened nothing can have been changed.
        first = calls.index(("pidfd_open", 1))
        yield ("the list of calls has all of the work in it",
               lambda: self.check_list(calls, parser))
        for at, (name, number) in enumerate(calls):
            if self.kind is Image and at < first:
                # Driver files of the host that cannot be read are none: a warning.
                continue
            fail = self.fail_early if self.kind is Cdi and at < first else self.fail_at
            for error in self.errors_of(name, at, at >= first):
                yield (f"{error} at {name} no. {number}",
                       lambda name=name, number=number, error=error, fail=fail:
                       fail(name, number, error))
        if self.kind is Image:
            parser = []
        # The specifications' parser makes calls of the same names.
        parser = list(dict.fromkeys(parser))
        for at, (name, number) in enumerate(parser):
            for error in self.errors_of(name, at, False):
                yield (f"{error} at {name} no. {number} of the parser",
                       lambda name=name, number=number, error=error:
                       self.fail_at(name, number, error, "-f"))
        for name, number in calls[first:]:
            yield (f"killed at {name} no. {number}",
                   lambda name=name, number=number: self.kill_at(name, number))
        for name, number in parser:
            if name in parsers_own:
                yield (f"parser killed at {name} no. {number}",
                       lambda name=name, number=number: self.parser_killed_at(name, number))
        doubles = list(self.double_tests(calls))
        yield "the undo has calls that can fail", lambda: self.check_doubles(doubles)
        yield from doubles

    def check_list(self, calls, parser):
        names = {name for name, _ in calls}
        needed = {"pidfd_open", "open_tree", "mount_setattr", "setns", "move_mount",
                  "symlinkat"}
        if self.version == 2:
            needed.add("bpf")
        if issubclass(self.kind, Image):
            needed |= {"fsopen", "fsconfig", "fsmount", "mknodat", "renameat2"}
        if issubclass(self.kind, Unit):
            needed |= {"socket", "connect", "sendto"}
        if self.kind is PinnedUnit:
            needed.add("renameat")
        if self.kind is Private:
            needed |= {"mknodat", "fchownat", "fchmodat", "getxattr"}
        missing = [f"no {name} among the calls" for name in sorted(needed - names)]
        if parser is None:
            return missing
        return missing + [f"no {name} among the parser's calls" for name in sorted(
            {"setresuid", "capset", "prctl", "write"} - {name for name, _ in parser})]

    def check_doubles(self, doubles):
        needed = {"umount2", "fchdir", "unlinkat", "bpf" if self.version == 2 else "write"}
        if issubclass(self.kind, Image):
            needed |= {"symlinkat", "renameat2"}
        return [f"no {name} in the undo" for name in sorted(needed) if not any(
            f"undoes at {name} " in text for text, _ in doubles)]


class Image(StandIn):
    """Of a root file system that is as new each time: what is made there stays in it."""

    template = f"{sandbox.WORK}/template"

    @staticmethod
    def args():
        return ["--host-root", driver.make_host()]

    @classmethod
    def make_image(cls, rootfs):
        driver.add_glibc(rootfs)
        os.symlink("old", f"{rootfs}{driver.DEBIAN}/libcuda.so.1")
        subprocess.run(["cp", "-a", rootfs, cls.template], check=True)

    def __enter__(self):
        shutil.rmtree(self.bundle.rootfs)
        subprocess.run(["cp", "-a", self.template, self.bundle.rootfs], check=True)
        return super().__enter__()


class Cdi(Image):
    """With a driver that a specification describes."""

    @staticmethod
    def args():
        host = driver.make_cdi_host(name="undo", is_plain=True)
        return ["--host-root", host, *driver.cdi_settings()]


class Private(StandIn):
    """Its process may not open the host's nodes."""


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


KINDS = {"v1": StandIn, "driver": Image, "cdi": Cdi, "v2": StandIn, "private": Private, "systemd": Unit,
         "pin": PinnedUnit}


def main():
    options = sandbox.arguments(__doc__, ("kind", list(KINDS)), ("much", ["sample", "all"]),
                                tools=["busybox", "strace"])
    version = 1 if options.kind in ("v1", "driver", "cdi") else 2
    why = driver.why_not() if options.kind in ("driver", "cdi") else None
    if why:
        sandbox.skip_all(why)
    if version == 1:
        runtimes.use_cgroup_v1()
    else:
        runtimes.use_cgroup_v2()
    if options.kind == "pin":
        systemd.mount_bpffs()
    suite = Suite(options.hook, KINDS[options.kind], version, options.much == "all")
    tests = suite.sanitized_tests() if suite.is_sanitized else suite.tests()
    return sandbox.run_tests(tests, options.only)


if __name__ == "__main__":
    sys.exit(main())
