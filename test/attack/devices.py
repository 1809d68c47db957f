#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""devices.py --hook PROGRAM - R20: what the kernel lets a container do with devices, before
and after the hook

A process in a scratch control group makes and opens nodes of many numbers. What the hook
changes must be the request's nodes, for reading and writing, and nothing else. A program
whose code the kernel hides (net.core.bpf_jit_harden=2) is made by strace, which shortens the
kernel's answer: the sysctl is the whole machine's, and is not touched.
"""

import errno
import json
import os
import re
import stat
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stage  # pylint: disable=unused-import  # says where everything else is
import bpf
import cgroups
import container
import runtimes
import sandbox
import systemd
import trace_of_hook as trace
import undo
from stage import Attacker, Stage, differences, one_line

GPU = {(235, 0), (226, 129)}
CHAR = [(1, 3), (1, 5), (1, 7), (235, 0), (235, 1), (236, 0), (226, 129), (226, 128), (226, 1),
        (226, 385), (482, 129), (195, 0), (195, 255)]
BLOCK = [(1, 3), (235, 0), (226, 129), (226, 128)]
NODES = [("c", number) for number in CHAR] + [("b", number) for number in BLOCK]
OPENS = {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}

TYPES = {"b": 1, "c": 2}
ACCESS = {"m": 1, "r": 2, "w": 4}


# ---- programs as runtimes write them -----------------------------------------------------

def insn(code, dst=0, src=0, offset=0, value=0):
    return struct.pack("<BBhi", code, src << 4 | dst, offset, value)


def program(rules, default=False):
    """Device rules as a program. rules: (allow, type or None, major or None, minor or None,
    access); the first that matches decides."""
    # The context is in r1: type in w2, access in w3, major in w4, minor in w5.
    code = [insn(0x61, 2, 1), insn(0x54, 2, value=0xffff),
            insn(0x61, 3, 1), insn(0x74, 3, value=16),
            insn(0x61, 4, 1, 4), insn(0x61, 5, 1, 8)]
    for allow, kind, major, minor, access in rules:
        bits = sum(ACCESS[letter] for letter in access)
        tests = []  # each jumps to the next rule
        if kind:
            tests.append([(0x55, 2, TYPES[kind])])
        if bits != 7:
            # w1 = access & ~bits; if any is left, the rule does not cover it.
            tests.append([(0xbc, 1, None), (0x54, 1, ~bits), (0x55, 1, 0)])
        if major is not None:
            tests.append([(0x55, 4, major)])
        if minor is not None:
            tests.append([(0x55, 5, minor)])
        flat = [part for test in tests for part in test]
        for at, (op, register, value) in enumerate(flat):
            if value is None:
                code.append(insn(op, register, 3))
            elif op == 0x55:
                # The rest of the tests, then the verdict's two.
                code.append(insn(op, register, offset=len(flat) - at - 1 + 2, value=value))
            else:
                code.append(insn(op, register, value=value))
        code += [insn(0xb7, 0, value=int(allow)), insn(0x95)]
    return b"".join(code + [insn(0xb7, 0, value=int(default)), insn(0x95)])


PROGRAMS = {
    "deny all": program([]),
    "allow all": program([], default=True),
    "as runc writes it": program([
        (True, "c", None, None, "m"), (True, "b", None, None, "m"), (True, "c", 1, 3, "rwm"),
        (True, "c", 1, 5, "rwm"), (True, "c", 136, None, "rwm"), (True, "c", 5, 2, "rwm")]),
    "a class denied, the rest allowed": program([
        (False, "c", 226, None, "rwm")], default=True),
    "the GPU for reading only": program([
        (True, "c", 226, 129, "r"), (True, "c", 235, 0, "r")]),
    "the GPU denied before a class is allowed": program([
        (False, "c", 226, 129, "rwm"), (True, "c", 226, None, "rwm")]),
    "the GPU for all": program([(True, "c", 226, 129, "rwm"), (True, "c", 235, 0, "rwm")]),
    "block devices of the same numbers": program([
        (True, "b", 226, 129, "rw"), (True, "b", 235, 0, "m")]),
    "a class for writing": program([(True, None, 226, None, "w")]),
}


def attach(group, code):
    """Like bpf.attach_deny_all(), with another program."""
    kept = bpf.DENY_ALL
    bpf.DENY_ALL = code
    try:
        bpf.attach_deny_all(group)
    finally:
        bpf.DENY_ALL = kept


# ---- what the kernel allows --------------------------------------------------------------

def make_nodes():
    directory = f"{sandbox.WORK}/nodes"
    os.makedirs(f"{directory}/new")
    sandbox.mount("-t", "tmpfs", "nodes", directory)
    os.mkdir(f"{directory}/new")
    for kind, (major, minor) in NODES:
        make_node(f"{directory}/{kind}-{major}-{minor}", kind, (major, minor))
    return directory


def make_node(path, kind, number):
    os.mknod(path, (stat.S_IFCHR if kind == "c" else stat.S_IFBLK) | 0o600,
             os.makedev(*number))


def is_allowed(call, *args):
    """The device controller says EPERM; whatever comes after it says something else."""
    try:
        result = call(*args)
    except OSError as error:
        return error.errno != errno.EPERM
    if isinstance(result, int):
        os.close(result)
    return True


def probe(directory):
    """{"c 226:129 rw": allowed?} for all nodes, of this process"""
    found = {}
    for kind, (major, minor) in NODES:
        name = f"{kind}-{major}-{minor}"
        for access, flags in OPENS.items():
            found[f"{kind} {major}:{minor} {access}"] = is_allowed(
                os.open, f"{directory}/{name}", flags | os.O_NONBLOCK | os.O_NOCTTY)
        new = f"{directory}/new/{name}"
        found[f"{kind} {major}:{minor} m"] = is_allowed(make_node, new, kind, (major, minor))
        if os.path.lexists(new):
            os.unlink(new)
    return found


def probe_in(group, directory):
    """probe(), by a process in a control group."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")
            os.write(writer, json.dumps(probe(directory)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="ascii") as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text)


def is_gpu(what, gpu=frozenset(GPU)):
    kind, number, access = what.split()
    return kind == "c" and tuple(map(int, number.split(":"))) in gpu and access != "m"


class DeviceStage(Stage):
    """A stage whose control group has these programs; outer: those of the one above it."""

    def __init__(self, bundle, codes, outer=()):
        super().__init__(bundle, cgroup_version=2)
        self.codes = codes
        self.outer = outer

    def _make_group(self):
        Stage.count += 1
        above = cgroups.directory_of(2, f"{cgroups.parent()}/outer-{Stage.count}")
        self.group = f"{above}/standin-{Stage.count}"
        os.makedirs(self.group)
        for group, codes in ((above, self.outer), (self.group, self.codes)):
            for code in codes:
                attach(group, code)

    def __exit__(self, *_):
        super().__exit__()
        os.rmdir(os.path.dirname(self.group))


class Suite(Attacker):
    def __init__(self, hook):
        super().__init__(hook)
        self.nodes = make_nodes()

    def matrix(self, codes, outer=(), gpu=frozenset(GPU), request="amd:1", host=None):
        """Return: (what is wrong, {access: allowed before?})"""
        with DeviceStage(self.bundle(request), codes, outer) as stage:
            old = bpf.program_ids(stage.group)
            before = probe_in(stage.group, self.nodes)
            result = self.call(stage.state(), host=host)
            after = probe_in(stage.group, self.nodes)
            new = bpf.program_ids(stage.group)
        problems = []
        if (result.returncode, result.stderr) != (0, ""):
            problems.append(f"{result}")
        for what, was in before.items():
            wanted = was or is_gpu(what, gpu)
            if after[what] != wanted:
                problems.append(f"{what}: was {was}, is {after[what]}, should be {wanted}")
        if len(new) != len(codes):
            problems.append(f"{len(new)} programs, not {len(codes)}")
        if set(new) & set(old):
            problems.append("a program was not replaced")
        return problems, before

    def program(self, name):
        problems, before = self.matrix([PROGRAMS[name]])
        # What the programs are meant to say, so that the matrix is known to tell.
        samples = {"deny all": ("c 1:3 r", False), "allow all": ("b 226:129 m", True),
                   "as runc writes it": ("c 235:0 m", True),
                   "a class denied, the rest allowed": ("c 226:1 r", False),
                   "the GPU for reading only": ("c 226:129 rw", False),
                   "the GPU denied before a class is allowed": ("c 226:129 m", False),
                   "the GPU for all": ("c 235:0 m", True),
                   "block devices of the same numbers": ("b 226:129 rw", True),
                   "a class for writing": ("b 226:128 w", True)}
        what, wanted = samples[name]
        if before[what] != wanted:
            problems.append(f"the test's own program gives {before[what]} for {what}")
        return problems

    def two_programs(self):
        """All must agree, so that each gets the rules."""
        return self.matrix([PROGRAMS["as runc writes it"], PROGRAMS["deny all"]])[0]

    def denied_above(self):
        """A level above the container's is not the container's: it goes on denying."""
        problems, before = self.matrix([PROGRAMS["allow all"]], outer=[PROGRAMS["deny all"]],
                                       gpu=frozenset())
        if any(before.values()):
            problems.append("the level above does not deny")
        return problems

    def many_nodes(self):
        """128 GPUs: jumps over some hundred instructions."""
        gpu = {(226, minor) for minor in range(128, 256)}
        return self.matrix([PROGRAMS["as runc writes it"]], request="intel:128", gpu=gpu,
                           host=container.make_host("render128"))[0]

    def no_program(self):
        """Nothing denies, so nothing is attached."""
        with DeviceStage(self.bundle(), []) as stage:
            before = probe_in(stage.group, self.nodes)
            result = self.call(stage.state())
            problems = self.whole(stage, result)
            problems += differences({"allowed": before},
                                    {"allowed": probe_in(stage.group, self.nodes)})
            if bpf.program_ids(stage.group):
                problems.append("a program is attached")
        return problems + ([] if all(before.values()) else ["something denied before"])

    def twice(self):
        with DeviceStage(self.bundle(), [PROGRAMS["as runc writes it"]]) as stage:
            self.call(stage.state())
            once = bpf.program_ids(stage.group)
            result = self.call(stage.state())
            problems = self.whole(stage, result)
            if bpf.program_ids(stage.group) != once:
                problems.append("the second run replaced the program again")
            return problems

    def options_of_cgroup2(self):
        """To make a cgroup2 mount without its options resets them on the whole machine:
        nsdelegate, memory_recursiveprot. So what is mounted already must be used."""
        with DeviceStage(self.bundle(), [PROGRAMS["as runc writes it"]]) as stage:
            result = self.call(stage.state(), wrapper=trace.STRACE)
            problems = self.whole(stage, result)
        return problems + [line for name, line in trace.calls()
                           if name in ("fsopen", "mount") and '"cgroup2"' in line]

    def traced(self, kind):
        """R11 with systemd at the other end of the bus: before the container is entered."""
        with kind(self.bundle(), 2) as unit:
            result = self.call(unit.state(), wrapper=trace.STRACE)
        calls = trace.calls()
        problems = trace.violations(calls)
        wanted = "renameat" if kind is undo.PinnedUnit else "sendto"
        if not any(name == wanted for name, _ in calls):
            problems.append(f"the trace has no {wanted}")
        return problems + ([] if result.returncode == 0 else [f"{result}"])

    def hidden(self):
        """The kernel tells the length, and gives zeros for the code."""
        with DeviceStage(self.bundle(), [PROGRAMS["as runc writes it"]]) as stage:
            self.call(stage.state(), wrapper=trace.STRACE)
        numbered = [line for name, line in trace.calls() if name == "bpf"]
        info = [at for at, line in enumerate(numbered, 1)
                if line.startswith("bpf(BPF_OBJ_GET_INFO_BY_FD")]
        fd = int(re.search(r"bpf_fd=(\d+)", numbered[info[1] - 1]).group(1))
        # Of struct bpf_prog_info only the first 16 bytes are read: no room for code.
        poke = struct.pack("<II", fd, 16).hex()
        with DeviceStage(self.bundle(), [PROGRAMS["as runc writes it"]]) as stage:
            before = stage.look()
            result = self.call(stage.state(), wrapper=[
                *trace.STRACE, "-e", f"inject=bpf:poke_enter=@arg2={poke}:when={info[1]}"])
            if "invalid inject argument" in result.stderr:
                raise sandbox.SkipTest("this strace cannot change arguments")
            return one_line(result, "bpf_jit_harden", "--device, CDI", "precreate") + \
                differences(before, stage.look())

    def tests(self):
        for name in PROGRAMS:
            yield f"R20 {name}: the GPU's nodes, and nothing else", \
                lambda name=name: self.program(name)
        yield "R20 two programs on one level", self.two_programs
        yield "R20 a level above denies everything", self.denied_above
        yield "R20 128 nodes", self.many_nodes
        yield "R20 no program: none is attached", self.no_program
        yield "R20 the second run replaces nothing", self.twice
        yield "R20 the options of the machine's cgroup2 stay", self.options_of_cgroup2
        yield "R20 a program whose code is hidden", self.hidden
        yield "R11 after setns only openat2 below the root, a unit of systemd", \
            lambda: self.traced(undo.Unit)
        yield "R11 ... a unit whose program is pinned", lambda: self.traced(undo.PinnedUnit)


def main():
    options = sandbox.arguments(__doc__, tools=["busybox", "strace"])
    runtimes.use_cgroup_v2()
    systemd.mount_bpffs()
    suite = Suite(options.hook)
    return suite.run(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
