#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""systemd.py --hook PROGRAM {v1,v2} - what the hook tells systemd, and what it bears from it

The container is a stand-in (standin.py) in a control group that is named like a scope, and
so is systemd (dbus_peer.py). The real systemd is in test/vm.
"""

import contextlib
import os
import resource
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import bpf
import cgroups
import closed
import container
import runtimes
import sandbox
from dbus_peer import BUS, SYSTEMD, Peer, Writer, call
from standin import StandIn, differences, one_line, run_hook

# The hook talks for 5 seconds at most; the rest is for a slow machine.
LIMIT = 7.5

FUSE = ["/dev/char/10:229", "rwm"]
# On a made host: by number, since systemd would not find the nodes.
WANTED = ["/dev/char/235:0", "/dev/char/226:129"]
LOST = "systemd takes the nodes away again"
PINS = "/run/bpf"


class Scope(StandIn):
    """A stand-in in a group that is named as runtimes name a unit."""

    group_name = "test-standin.scope"
    has_filter = True

    def _make_group(self):
        StandIn.count += 1
        self.unit = self.group_name.replace("standin", f"standin{StandIn.count}")
        self.path = f"{cgroups.parent()}/{self.unit}"
        self.group = cgroups.directory_of(self.cgroup_version, self.path)
        os.makedirs(self.group)
        if self.cgroup_version == 1:
            self.write("devices.deny", "a")
            for rule in ("c *:* m", "c 1:3 rwm", "c 10:229 rwm"):
                self.write("devices.allow", rule)
        elif self.has_filter:
            bpf.attach_deny_all(self.group)

    def write(self, name, text):
        with open(f"{self.group}/{name}", "w", encoding="ascii") as file:
            file.write(text)

    def properties(self, policy="strict", allow=(FUSE,), programs=()):
        return {"ControlGroup": self.path, "DevicePolicy": policy,
                "DeviceAllow": [list(pair) for pair in allow],
                "BPFProgram": [list(pair) for pair in programs]}


class Leaf(Scope):
    """As crun makes it: systemd's program on the unit, crun's on a group below."""
    has_filter = False
    leaf_name = "container"

    def _make_group(self):
        super()._make_group()
        self.unit_group = self.group
        self.group = f"{self.group}/{self.leaf_name}"
        os.mkdir(self.group)

    def __exit__(self, *args):
        super().__exit__(*args)
        os.rmdir(self.unit_group)


class ServiceLeaf(Leaf):
    """With the name of an image's choice: crun takes run.oci.systemd.subgroup."""
    has_filter = True
    leaf_name = "x.service"

    def state(self, **changes):
        return super().state(id=self.unit.removesuffix(".scope"), **changes)

    def rules(self):
        return bpf.tags(self.unit_group)


class NoUnit(Scope):
    group_name = "test-standin"


class Suite:
    def __init__(self, hook, version):
        self.hook = hook
        self.version = version
        self.args = ["--host-root", container.make_host(), "--log-level", "warning"]
        self.bundle = container.Bundle().request("amd:1").write()
        self.denied = None

    def scope(self, kind=Scope):
        return kind(self.bundle, self.version)

    def run(self, standin):
        """Return: what is wrong with a run that should succeed, its warnings, its seconds"""
        start = time.monotonic()
        result = run_hook(self.hook, standin.state(), *self.args)
        took = time.monotonic() - start
        problems = [] if result.returncode == 0 else [f"it failed: {result.stderr!r}"]
        if took > LIMIT:
            problems.append(f"it took {took:.1f} s")
        return problems, result.stderr.splitlines(), took

    def not_allowed(self, standin):
        """Programs, or a list, that do not let the nodes through."""
        if self.version == 1:
            missing = {"c 235:0 rw", "c 226:129 rw"} - set(standin.rules())
            return [f"not in devices.list: {missing}"] if missing else []
        tags = standin.rules()
        if not tags:
            return ["no program is attached"]
        return [f"a program denies all: {tags}"] if self.deny_tag() in tags else []

    def deny_tag(self):
        if not self.denied:
            with self.scope() as standin:
                self.denied = standin.rules()[0]
        return self.denied

    def lasting(self, standin, problems, warnings):
        """What a good run must come to."""
        return problems + self.not_allowed(standin) + \
            [f"it warns: {line}" for line in warnings]

    @staticmethod
    def members(peer, *want):
        got = [member for member in peer.members() if member != "AUTH"]
        return [] if got == list(want) else [f"called {got}, not {list(want)}"]

    # ---- what is done --------------------------------------------------------------------

    ASKED = ["GetAll"]
    SET = ["SetUnitProperties", "GetAll"]

    def fresh_program(self, standin):
        """What systemd does when DeviceAllow is set: its own idea, at once."""
        if self.version == 2:
            return lambda: bpf.attach_deny_all(standin.group)

        def rewrite():
            for name, rule in (("deny", "a"), ("allow", "c 10:229 rwm")):
                standin.write(f"devices.{name}", rule)
        return rewrite

    def device_allow(self, path=BUS, **kwargs):
        with self.scope() as standin:
            before = standin.rules()
            with Peer(path, standin.properties(), on_set=self.fresh_program(standin),
                      **kwargs) as peer:
                problems = self.lasting(standin, *self.run(standin)[:2])
                hello = ["Hello"] if path == BUS else []
                problems += self.members(peer, *hello, *self.ASKED, *self.SET)
                problems += self.check_bytes(peer, standin, path)
            if self.version == 1:
                problems += [f"rule '{rule}' is gone" for rule in before
                             if rule not in standin.rules()]
            elif len(standin.rules()) != 2:
                problems.append(f"programs are {standin.rules()}")
        return problems

    def private_socket(self):
        return self.device_allow(SYSTEMD)

    def dead_bus(self):
        """The socket of a bus that is gone is there, and nobody listens."""
        os.makedirs(os.path.dirname(BUS), exist_ok=True)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(BUS)
        try:
            return self.device_allow(SYSTEMD)
        finally:
            os.unlink(BUS)

    def big_endian(self):
        return self.device_allow(order=">")

    def check_bytes(self, peer, standin, path):
        """Every byte that is sent, from the specification."""
        name = "org.freedesktop.systemd1" if path == BUS else None
        unit_object = "/org/freedesktop/systemd1/unit/" + "".join(
            c if c.isalnum() else f"_{ord(c):02x}" for c in standin.unit)
        want = [b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n"]
        if path == BUS:
            want.append(call(1, "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello",
                             destination="org.freedesktop.DBus"))
        serial = len(want)

        def get():
            nonlocal serial
            body = Writer()
            body.string("org.freedesktop.systemd1.Scope")
            want.append(call(serial, unit_object, "org.freedesktop.DBus.Properties", "GetAll",
                             "s", body.data, name))
            serial += 1

        get()
        body = Writer()
        body.string(standin.unit)
        body.u32(1)

        def properties():
            body.pad(8)
            body.string("DeviceAllow")
            body.signature("a(ss)")
            body.pairs([[node, "rw"] for node in WANTED])

        body.array(properties)
        want.append(call(serial, "/org/freedesktop/systemd1",
                         "org.freedesktop.systemd1.Manager", "SetUnitProperties", "sba(sv)",
                         body.data, name))
        serial += 1
        get()
        got = [bytes.fromhex(note["bytes"]) for note in peer.notes()]
        return [f"message {i}: {was!r}, wanted {should!r}"
                for i, (was, should) in enumerate(zip(got, want)) if was != should] + \
            ([] if len(got) == len(want) else [f"{len(got)} messages, not {len(want)}"])

    def allowed_already(self):
        """By node or by number; a second run of the hook is the same."""
        allow = [FUSE, ["/dev/kfd", "rw"], ["/dev/char/226:129", "rwm"]]
        with self.scope() as standin:
            with Peer(BUS, standin.properties(allow=allow)) as peer:
                problems = self.lasting(standin, *self.run(standin)[:2])
                return problems + self.members(peer, "Hello", *self.ASKED)

    def edit_only(self, **kwargs):
        """DeviceAllow would switch systemd's filter on."""
        with self.scope() as standin:
            properties = {**standin.properties("auto", allow=()), **kwargs}
            with Peer(BUS, properties) as peer:
                problems = self.lasting(standin, *self.run(standin)[:2])
                return problems + self.members(peer, "Hello", *self.ASKED)

    def other_group(self):
        """A unit of that name, but not this cgroup: another systemd's."""
        return self.edit_only(DevicePolicy="strict", ControlGroup="/elsewhere.scope")

    def no_group(self):
        """No such unit: systemd makes one up that has no cgroup."""
        return self.edit_only(DevicePolicy="strict", ControlGroup="")

    def group_with_a_units_name(self, fault=None):
        """Below the unit; systemd has no such unit, or even an error for it."""
        with self.scope(ServiceLeaf) as standin:
            with Peer(BUS, standin.properties(), fault=fault) as peer:
                problems = self.lasting(standin, *self.run(standin)[:2])
                calls = [member for member in peer.members() if member not in ("AUTH", "Hello")]
        wanted = ["GetAll"] * (3 if fault else 2) + self.SET
        return problems if calls == wanted else [*problems, f"called {calls}, not {wanted}"]

    def group_with_an_odd_units_name(self):
        return self.group_with_a_units_name("knows_no_service")

    def old_systemd(self):
        """Before 249 there is no BPFProgram."""
        with self.scope() as standin:
            properties = standin.properties()
            del properties["BPFProgram"]
            with Peer(BUS, properties) as peer:
                problems = self.lasting(standin, *self.run(standin)[:2])
                return problems + self.members(peer, "Hello", *self.ASKED, *self.SET)

    def no_unit(self):
        """Without a unit nobody is asked."""
        with self.scope(NoUnit) as standin, Peer(BUS, standin.properties()) as peer:
            problems = self.lasting(standin, *self.run(standin)[:2])
            return problems + [f"it sent {note}" for note in peer.notes()]

    def no_systemd(self):
        with self.scope() as standin:
            return self.lasting(standin, *self.run(standin)[:2])

    # ---- a pinned program ----------------------------------------------------------------

    def pinned(self, standin, attach=True):
        """Pins what is attached, or a program that is not. Return: the pin"""
        pin = f"{PINS}/crun/{standin.unit.replace('.', '_')}"
        os.makedirs(os.path.dirname(pin), exist_ok=True)
        if not attach:
            with self.scope() as other:
                bpf.pin(bpf.program_ids(other.group)[0], pin)
        else:
            bpf.pin(bpf.program_ids(standin.group)[0], pin)
        return pin

    def repin(self):
        with self.scope() as standin:
            pin = self.pinned(standin)
            # What a run that was killed has left.
            bpf.pin(bpf.program_ids(standin.group)[0], f"{pin}_oci_gpu_hook")
            properties = standin.properties("auto", (), [["egress", "/x"], ["device", pin]])
            with Peer(BUS, properties) as peer:
                problems = self.lasting(standin, *self.run(standin)[:2])
                problems += self.members(peer, "Hello", *self.ASKED)
            if bpf.pinned_id(pin) not in bpf.program_ids(standin.group):
                problems.append("what is pinned is not what is attached")
            return problems + self.only_pin(pin)

    def only_pin(self, pin):
        left = os.listdir(f"{PINS}/crun")
        os.unlink(pin)
        return [] if left == [os.path.basename(pin)] else [f"pins are {left}"]

    def repin_twice(self):
        with self.scope() as standin:
            pin = self.pinned(standin)
            with Peer(BUS, standin.properties("auto", (), [["device", pin]])):
                self.run(standin)
                first = bpf.pinned_id(pin)
                problems = self.lasting(standin, *self.run(standin)[:2])
            if bpf.pinned_id(pin) != first:
                problems.append("it was pinned again")
            return problems + self.only_pin(pin)

    def repin_detached(self):
        """systemd has taken the program off; it will attach the pinned one again."""
        with self.scope() as standin:
            pin = self.pinned(standin, attach=False)
            was = bpf.pinned_id(pin)
            with Peer(BUS, standin.properties("auto", (), [["device", pin]])):
                problems = self.lasting(standin, *self.run(standin)[:2])
            if bpf.tag(bpf.pinned_id(pin)) == self.deny_tag():
                problems.append(f"program {was} is still pinned")
            return problems + self.only_pin(pin)

    def no_pin(self):
        """BPFProgram names a file that is no pin: it is left alone, with a warning."""
        path = f"{sandbox.WORK}/no-pin"
        open(path, "w", encoding="ascii").close()
        with self.scope() as standin:
            with Peer(BUS, standin.properties("auto", (), [["device", path]])):
                problems, warnings, _ = self.run(standin)
            return problems + self.warned(warnings, path, "bpffs") + \
                self.not_allowed(standin)

    # ---- what goes wrong -----------------------------------------------------------------

    @staticmethod
    def warned(warnings, *words):
        if len(warnings) != 1 or LOST not in warnings[0]:
            return [f"warnings are {warnings}"]
        return [f"the warning does not say '{word}': {warnings[0]}"
                for word in words if word not in warnings[0]]

    def fault(self, name, *words):
        """The container gets its nodes, the log a warning, and nobody waits for long."""
        with self.scope() as standin:
            with Peer(BUS, standin.properties(), fault=name):
                problems, warnings, _ = self.run(standin)
            return problems + self.warned(warnings, standin.unit, *words) + \
                self.not_allowed(standin)

    def stopped(self):
        """SIGSTOP: the kernel still takes connections and bytes."""
        with self.scope() as standin:
            with Peer(BUS, standin.properties()) as peer:
                peer.stop()
                problems, warnings, took = self.run(standin)
            if took < 2.5:
                problems.append(f"it gave up after {took:.1f} s already")
            return problems + self.warned(warnings, "no answer in time") + \
                self.not_allowed(standin)

    def stopped_bus(self):
        """The bus hangs and systemd does not: the second try is systemd's own socket."""
        with self.scope() as standin:
            with Peer(BUS, standin.properties()) as bus, \
                    Peer(SYSTEMD, standin.properties()) as systemd:
                bus.stop()
                problems = self.lasting(standin, *self.run(standin)[:2])
                return problems + self.members(systemd, *self.ASKED, *self.SET)

    def borne(self, name):
        """A fault that is none in the end."""
        with self.scope() as standin:
            with Peer(BUS, standin.properties(), fault=name):
                return self.lasting(standin, *self.run(standin)[:2])

    # ---- a program that cannot be edited ---------------------------------------------------

    GPU = [(235, 0), (226, 129)]
    FUSE_NUMBER = (10, 229)
    # Of which the GPU's and fuse may be opened.
    ASKED_NUMBERS = [FUSE_NUMBER, *GPU, (226, 128), (10, 228), (5, 3), (1, 1)]
    DENY_ALL = {"allow": False, "access": "rwm"}
    FUSE_RULE = {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}

    @contextlib.contextmanager
    def closed_scope(self, *rules):
        """A unit as runc leaves it: the runtime's program alone. rules: of config.json"""
        bundle = container.Bundle().request("amd:1")
        bundle.config["linux"]["resources"] = {
            "devices": list(rules or (self.DENY_ALL, self.FUSE_RULE))}
        unit = Scope(bundle.write(), self.version)
        unit.has_filter = False
        with unit:
            closed.attach_runtimes(unit.group, [self.FUSE_NUMBER])
            yield unit

    def answers(self, unit, is_closed=True):
        """systemd makes its program anew when it is told of the nodes. Its list may be longer
        than that of config.json."""
        return lambda: closed.attach_systemds(
            unit.group, [self.FUSE_NUMBER, *self.GPU, (10, 228), (5, 3)], is_closed)

    def closed_program(self, is_closed=True):
        """Another one stands for the runtime's: it allows what config.json does, and the GPU."""
        with self.closed_scope() as unit:
            before = closed.allowed(unit.group, self.ASKED_NUMBERS)
            with Peer(BUS, unit.properties(), on_set=self.answers(unit, is_closed)) as peer:
                problems, warnings, _ = self.run(unit)
                problems += self.members(peer, "Hello", *self.ASKED, *self.SET)
                once = bpf.program_ids(unit.group)
                again, more, _ = self.run(unit)
            problems += again + [f"it warns: {line}" for line in warnings + more]
            if before != [self.FUSE_NUMBER]:
                problems.append(f"before the hook {before} are allowed")
            after = closed.allowed(unit.group, self.ASKED_NUMBERS)
            if after != [self.FUSE_NUMBER, *self.GPU]:
                problems.append(f"behind the hook {after} are allowed")
            if len(once) != 2 or bpf.program_ids(unit.group) != once:
                problems.append(f"programs {once}, then {bpf.program_ids(unit.group)}")
        return problems

    def closed_below_the_unit(self):
        with Leaf(self.bundle, self.version) as unit:
            closed.attach_systemds(unit.unit_group, [])
            closed.attach_runtimes(unit.group, [])

            def answers():
                bpf.detach_all(unit.unit_group)
                closed.attach_systemds(unit.unit_group, self.GPU)

            with Peer(BUS, unit.properties(allow=[["/dev/char/1:3", "rwm"]]), on_set=answers):
                problems, warnings, _ = self.run(unit)
            after = closed.allowed(unit.group, self.ASKED_NUMBERS)
            return problems + warnings + \
                ([] if after == self.GPU else [f"{after} are allowed"])

    def systemds_can_be_edited(self):
        return self.closed_program(is_closed=False)

    def closed_refused(self, *words, rules=(), allow=(FUSE,), policy="strict", fault=None,
                       on_set=None, is_told=False):
        with self.closed_scope(*rules) as unit:
            before = unit.look()
            with Peer(BUS, unit.properties(policy, allow), fault=fault, on_set=on_set) as peer:
                result = run_hook(self.hook, unit.state(), *self.args)
                problems = one_line(result, "precreate", *words)
                if ("SetUnitProperties" in peer.members()) != is_told:
                    problems.append(f"called {peer.members()}")
            return problems + differences(before, unit.look())

    def closed_lacks(self):
        """With systemd's program alone the container would lose a device."""
        other = {**self.FUSE_RULE, "minor": 228}
        return self.closed_refused("lacks a device", rules=(self.DENY_ALL, other)) + \
            self.closed_refused("lacks a device", allow=[["/dev/char/10:229", "r"]])

    def closed_denies_later(self):
        """DeviceAllow knows no order."""
        denied = {**self.FUSE_RULE, "allow": False}
        return self.closed_refused("denies a device",
                                   rules=(self.DENY_ALL, self.FUSE_RULE, denied))

    def closed_without_list(self):
        return self.closed_refused("it calls kernel functions; let", policy="auto", allow=())

    def closed_and_systemd_absent(self):
        with self.closed_scope() as unit:
            before = unit.look()
            result = run_hook(self.hook, unit.state(), *self.args)
            return one_line(result, "it calls kernel functions; let", "precreate") + \
                differences(before, unit.look())

    def closed_without_systemds(self):
        """systemd says that it has done it, and has attached nothing."""
        return self.closed_refused("it is not attached", is_told=True)

    def closed_and_forgotten(self):
        with self.closed_scope() as unit:
            before = unit.look()
            with Peer(BUS, unit.properties(), fault="forgets"):
                result = run_hook(self.hook, unit.state(), *self.args)
            return one_line(result, "is not in it afterwards") + \
                differences(before, unit.look())

    def closed_and_failing_later(self):
        """The program is attached again: both must allow, as before."""
        with self.closed_scope() as unit:
            os.mkdir(f"/proc/{unit.pid}/root{unit.bundle.rootfs}/dev/kfd")
            before = unit.rules()
            with Peer(BUS, unit.properties(), on_set=self.answers(unit)):
                problems = one_line(run_hook(self.hook, unit.state(), *self.args), "/dev/kfd")
            if before[0] not in unit.rules():
                problems.append(f"programs were {before}, are {unit.rules()}")
            after = closed.allowed(unit.group, self.ASKED_NUMBERS)
            return problems + ([] if after == [self.FUSE_NUMBER] else [f"{after} are allowed"])

    # ---- systemd.strict ------------------------------------------------------------------

    def strict(self, peers, *words, undone=True):
        """What would be a warning is a failure, and what was there is there again."""
        with self.scope() as standin:
            before = standin.look()
            with contextlib.ExitStack() as stack:
                for peer in peers(standin):
                    stack.enter_context(peer)
                start = time.monotonic()
                result = self.run_strict(standin)
                took = time.monotonic() - start
            problems = one_line(result, "systemd.strict", *words)
            if took > LIMIT:
                problems.append(f"it took {took:.1f} s")
            return problems + (differences(before, standin.look()) if undone else [])

    def run_strict(self, standin):
        path = f"{sandbox.WORK}/strict.json"
        with open(path, "w", encoding="ascii") as file:
            file.write('{"systemd": {"strict": true}}')
        os.chmod(path, 0o600)
        return run_hook(self.hook, standin.state(), *self.args, "--config", path)

    def strict_absent(self):
        return self.strict(lambda standin: [], "/run/systemd/private", "No such file")

    def strict_dead(self):
        os.makedirs(os.path.dirname(BUS), exist_ok=True)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(BUS)
        try:
            return self.strict(lambda standin: [], "Connection refused")
        finally:
            os.unlink(BUS)

    def strict_hangs(self):
        return self.strict(lambda standin: [Peer(BUS, standin.properties(), fault="silent")],
                           "no answer in time")

    def strict_stopped(self):
        with self.scope() as standin:
            before = standin.look()
            with Peer(BUS, standin.properties()) as peer:
                peer.stop()
                result = self.run_strict(standin)
            return one_line(result, "systemd.strict", "no answer in time") + \
                differences(before, standin.look())

    def strict_forgets(self):
        """It fails behind the first change; on v1 that is systemd's own, to a list that goes
        with the container."""
        return self.strict(lambda standin: [Peer(BUS, standin.properties(), fault="forgets")],
                           "is not in it afterwards", undone=self.version == 2)

    def strict_no_pin(self):
        """What is changed last."""
        return self.strict(
            lambda standin: [Peer(BUS, standin.properties("auto", (), [["device", "/none"]]))],
            "/none")

    def strict_and_well(self):
        """Where systemd does what it is told, or has nothing to do with it."""
        problems = []
        for unit, properties in ((Scope, {}), (Scope, {"policy": "auto", "allow": ()}),
                                 (NoUnit, {})):
            with self.scope(unit) as standin:
                with Peer(BUS, standin.properties(**properties)):
                    result = self.run_strict(standin)
                problems += [] if result.returncode == 0 else [result.stderr]
                problems += self.not_allowed(standin)
        return problems

    def failing_later(self):
        """What follows fails: the programs are as they were. What systemd was told stays
        with the unit, which ends with the container."""
        with self.scope() as standin:
            os.mkdir(f"/proc/{standin.pid}/root{self.bundle.rootfs}/dev/kfd")
            before = standin.look()
            with Peer(BUS, standin.properties()) as peer:
                result = run_hook(self.hook, standin.state(), *self.args)
                problems = one_line(result, "/dev/kfd")
                if "SetUnitProperties" not in peer.members():
                    problems.append("systemd was not told before")
            return problems + differences(before, standin.look())

    def give_no_more_memory(self):
        """To the hook, from now on. There may be a parser of the same program."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/exe") == self.hook:
                    resource.prlimit(int(pid), resource.RLIMIT_AS, (4096, 4096))

    def out_of_memory(self):
        """A program appears for which there is no memory, when another is replaced already."""
        if sandbox.is_sanitized(self.hook):
            raise sandbox.SkipTest("a sanitizer ends the program where memory runs out")
        # r0 = 0, again and again; exit. 508 KiB, which no heap has left.
        program = bpf.DENY_ALL[:8] * 65000 + bpf.DENY_ALL[8:]

        def answer():
            bpf.attach(standin.group, program)
            self.give_no_more_memory()

        with self.scope() as standin:
            before = standin.look()
            with Peer(BUS, standin.properties(), on_set=answer):
                result = run_hook(self.hook, standin.state(), *self.args)
            after = standin.look()
            if len(after["device rules"]) != 2:
                return [f"programs are {after['device rules']}"]
            # systemd's own is behind the one that was there.
            del after["device rules"][1]
            return differences(before, after) + one_line(
                result, "Cannot allocate memory", "device program of cgroup")

    def tests(self):
        names = ["device_allow", "private_socket", "dead_bus", "big_endian",
                 "allowed_already", "other_group", "no_group", "edit_only", "old_systemd",
                 "no_unit", "no_systemd", "stopped", "stopped_bus", "failing_later",
                 "strict_absent", "strict_dead", "strict_hangs", "strict_stopped",
                 "strict_forgets", "strict_and_well"]
        if self.version == 2:
            names += ["closed_program", "closed_below_the_unit", "systemds_can_be_edited",
                      "closed_lacks", "closed_denies_later", "closed_without_list",
                      "closed_and_systemd_absent", "closed_without_systemds",
                      "closed_and_forgotten", "closed_and_failing_later"]
            names += ["group_with_a_units_name", "group_with_an_odd_units_name"]
            names += ["repin", "repin_twice", "repin_detached", "no_pin", "strict_no_pin",
                      "out_of_memory"]
        tests = [(name.replace("_", " "), getattr(self, name)) for name in names]
        faults = {"silent": "no answer in time", "hangs_up": "hung up", "cuts_off": "hung up",
                  "garbage": "another protocol", "huge": "over 1048576 bytes",
                  "other_type": "holds no properties",
                  "other_serial": "no answer in time", "floods": "no answer in time",
                  "denies": "AccessDenied: not?for you", "rejects": "does not take us",
                  "trickles": "no answer in time", "forgets": "is not in it afterwards"}
        tests += [(f"systemd {name.replace('_', ' ')}",
                   lambda name=name, words=words: self.fault(name, words))
                  for name, words in faults.items()]
        tests += [(f"systemd {name.replace('_', ' ')}, which is borne",
                   lambda name=name: self.borne(name))
                  for name in ("slow", "signals", "hangs_up_once")]
        return tests


def mount_bpffs():
    os.mkdir(PINS)
    sandbox.mount("-t", "bpf", "bpf", PINS)


def main():
    options = sandbox.arguments(__doc__, ("version", ["v1", "v2"]), tools=["busybox"])
    if options.version == "v1":
        runtimes.use_cgroup_v1()
    else:
        runtimes.use_cgroup_v2()
        mount_bpffs()
    suite = Suite(options.hook, int(options.version[1]))
    return sandbox.run_tests(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
