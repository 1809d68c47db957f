# SPDX-License-Identifier: Apache-2.0
"""jit_harden.py - the kernel shows no device program: net.core.bpf_jit_harden=2

A runtime's program cannot be edited then. Where systemd filters the unit by the same list,
the hook puts another one in its place; elsewhere it must refuse, and precreate must do.
"""

import contextlib

import access
import events
import host
import pool
import setups

HARDEN = "/proc/sys/net/core/bpf_jit_harden"
RESTRICT = "/proc/sys/kernel/kptr_restrict"

# What the kernel shows instead of the code.
BLINDED = {HARDEN: "2", RESTRICT: "0"}
ZEROS = {HARDEN: "2", RESTRICT: "2"}

ADVICE = "let the engine pass the nodes instead (--device, CDI, or a hook at podman's " \
    "stage precreate)"
# Numbers beside those of the sweep: crun 1.21 writes its default 5:0 as all of major 5.
SWEEP = [*access.SWEEP, "c:5:3", "c:5:64", "c:10:228"]


@contextlib.contextmanager
def kernel(values):
    before = {}
    try:
        for path, value in values.items():
            with open(path, encoding="ascii") as file:
                before[path] = file.read()
            with open(path, "w", encoding="ascii") as file:
                file.write(value)
        yield
    finally:
        for path, value in before.items():
            with open(path, "w", encoding="ascii") as file:
                file.write(value)


def without_deny_all(rules):
    return [rule for rule in rules if rule["allow"]]


def with_any_major(rules):
    """systemd has no words for it: runc leaves it out of DeviceAllow."""
    return [*rules, {"allow": True, "type": "c", "minor": 77, "access": "rw"}]


class Row:
    """A set-up, and what became of its containers."""

    def __init__(self, setup):
        self.setup = setup
        self.gpu = host.render_nodes("virtio_gpu")[0].path
        self.container = None
        self.is_listed = False  # systemd filters by DeviceAllow, and no pin
        self.without_request = {}
        self.refusal = None

    def plain(self):
        """A container that asks for nothing: what is it like here?"""
        with self.setup.start() as container:
            self.without_request = container.look(*SWEEP)
            if self.setup.has_unit:
                self.is_listed = not self.setup.show(container, "BPFProgram") and \
                    self.setup.show(container, "DeviceAllow") != ""

    def expect(self, look):
        want = {self.gpu: events.OK, host.FUSE: "OK",
                self.container.inside(host.DISK): "EPERM"}
        return access.differences(want, look(*want))

    def expect_all(self):
        """Nothing else became allowed, and nothing was lost."""
        problems = self.expect(self.container.look)
        problems += [f"exec: {line}" for line in self.expect(self.container.look_by_exec)]
        return problems + access.differences(self.without_request,
                                             self.container.look(*SWEEP))

    def start(self, way=setups.CREATE_RUNTIME):
        try:
            self.container = self.setup.start("virtio_gpu:1", way=way)
        except setups.Refused as error:
            self.refusal = str(error)

    def set_property(self):
        host.run(["systemctl", "set-property", "--runtime", self.container.unit,
                  "CPUWeight=50"], setups.LIMIT, check=True)

    def remove(self):
        if self.container:
            self.container.__exit__()
            self.container = None

    def by_precreate(self):
        """What the message names."""
        self.start(setups.PRECREATE)
        try:
            return [f"refused: {self.refusal}"] if self.refusal else self.expect_all()
        finally:
            self.remove()


def refused(row, *words):
    """The container was not started, one line of the log says why, nothing is left."""
    before = host.left_over()
    log = host.Log()
    row.start()
    lines = log.lines()
    if not row.refusal:
        row.remove()
        return ["the container was started"]
    row.refusal = None
    problems = [] if len(lines) == 1 and all(word in lines[0] for word in (ADVICE, *words)) \
        else [f"no clear line: {lines}"]
    return problems + [f"left behind: {what}" for what in host.still_there(before)]


def refused_rules(row, change, *words):
    """Of a configuration that systemd's list does not say in full."""
    rules = row.setup.rules
    row.setup.rules = change(rules)
    try:
        return refused(row, *words)
    finally:
        row.setup.rules = rules


def lasting(rows):
    """Return: [(name, what is wrong)]"""
    results = []

    def look(event):
        number = "R25 " if event in events.R25 else ""
        results.extend((f"{row.setup.name}: {number}{event}: access stays, nothing else opens",
                        problems)
                       for row, problems in zip(rows, pool.each(rows, Row.expect_all)))

    log = host.Log()
    pool.each(rows, Row.start)
    results.extend((f"{row.setup.name}: it starts",
                    [row.refusal] if row.refusal else []) for row in rows)
    rows = [row for row in rows if not row.refusal]
    try:
        look(events.START)
        events.managers("daemon-reload")
        look(events.RELOAD)
        pool.each(rows, Row.set_property)
        look(events.PROPERTY)
        events.managers("daemon-reload")
        look(events.RELOAD_3)
        events.managers("daemon-reexec")
        look(events.REEXEC)
    finally:
        pool.each(rows, Row.remove)
    return results + [("nothing to warn of", log.lines())]


def run(chosen):
    """Return: (what to print, [(name of a test, what is wrong)])"""
    rows = [Row(setup) for setup in chosen]
    with kernel(BLINDED):
        pool.each(rows, Row.plain)
        listed = [row for row in rows if row.is_listed]
        others = [row for row in rows if not row.is_listed]
        results = lasting(listed)
        results += [(f"{row.setup.name}: no list of systemd's: refused, and precreate named",
                     refused(row, "bpf_jit_harden=2")) for row in others]
        results += [(f"{row.setup.name}: precreate gives access", problems) for row, problems
                    in zip(rows, pool.each(rows, Row.by_precreate))]
        direct = [row for row in listed if isinstance(row.setup, setups.Direct)]
        results += [(f"{row.setup.name}: the rules do not begin with denying all: refused",
                     refused_rules(row, without_deny_all, "denying all")) for row in direct]
        results += [(f"{row.setup.name}: a rule that systemd has no words for: refused",
                     refused_rules(row, with_any_major, "lacks a device")) for row in direct
                    if row.setup.name == "runc"]
    with kernel(ZEROS):
        results += [(f"with zeros: {name}", problems) for name, problems in lasting(direct)]
    notes = [f"{row.setup.name}: systemd filters by a list" for row in listed]
    return notes, results
