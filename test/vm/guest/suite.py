# SPDX-License-Identifier: Apache-2.0
"""suite.py - all tests of the guest; job.json names the suites to run, none means all

For every set-up of setups.py there are the suites NAME, what opens and what does not, and
NAME-events, whether that lasts. "host" needs no container; "storm" and "bus" are of systemd
when it is busy, or not to be had. "compare" and "cost" are figures for the README.
"""

import json
import os
import subprocess
import sys
import time

import access
import bus
import events
import host
import jit_harden
import pool
import setups
import storm
import tap


# What is run unless suites are named.
USUAL = ["host", "access", "events", "jit-harden", "storm", "bus"]


def call(test):
    """Return: what is wrong. Whatever a test stumbles over is a failed test."""
    try:
        return test()
    except Exception as error:  # pylint: disable=broad-except
        return [f"{type(error).__name__}: {error}"]


def versions(out):
    for command in (["uname", "-r"], ["systemctl", "--version"], ["crun", "--version"],
                    ["runc", "--version"], ["podman", "--version"]):
        out.note(host.run(command).stdout.splitlines()[0])


# ---- suite "host" ------------------------------------------------------------------------

def has_drivers():
    drivers = sorted(node.driver for node in host.render_nodes())
    problems = [] if drivers == ["vgem", "virtio_gpu", "virtio_gpu"] \
        else [f"render nodes of {drivers}"]
    opened = host.look(host.KFD, host.DISK, host.FUSE)
    # Linux 7.2 opens /dev/kfd for nobody where it has no GPU.
    opened[host.KFD] = opened[host.KFD].replace("EINVAL", "OK")
    return problems + [f"{path}: {result}" for path, result in opened.items()
                       if result != "OK"]


def hook(*args):
    return host.run([host.HOOK, *args])


def list_names_all():
    gpus = json.loads(hook("list", "--json").stdout)["gpus"]
    found = {path: (gpu["vendor"], gpu["usable"]) for gpu in gpus for path in gpu["nodes"]}
    return [f"{node.path}: {found.get(node.path)}, it is of {node.driver}"
            for node in host.render_nodes() if found.get(node.path) != (node.driver, True)]


def plan_of(request, *paths):
    result = hook("plan", "--json", "--gpu", request)
    if result.returncode != 0:
        return [result.stderr]
    nodes = [node["path"] for node in
             json.loads(result.stdout)["containerEdits"]["deviceNodes"]]
    return [] if nodes == list(paths) else [f"planned {nodes}, wanted {list(paths)}"]


def plan_for_apple():
    return plan_of("apple:all", *[node.path for node in host.render_nodes("virtio_gpu")])


def plan_for_vgem():
    return plan_of("vgem:1", *[node.path for node in host.render_nodes("vgem")])


def plan_for_amd_says_why_not():
    result = hook("plan", "--gpu", "amd:1")
    lines = result.stderr.splitlines()
    if result.returncode == 1 and len(lines) == 1 and \
            lines[0].endswith("/dev/kfd is there, but KFD's topology has no GPU"):
        return []
    return [f"status {result.returncode}", *lines]


HOST_TESTS = [has_drivers, list_names_all, plan_for_apple, plan_for_vgem,
              plan_for_amd_says_why_not]


def run_host(out):
    for line in hook("list").stdout.splitlines():
        out.note(line)
    for test in HOST_TESTS:
        out.check(f"host: {test.__name__.replace('_', ' ')}", call(test))


# ---- suites of set-ups -------------------------------------------------------------------

def run_access(out, chosen, before):
    """before: gets what is there when every set-up has had a container; slices may stay."""
    tests = [access.Access(setup) for setup in chosen]
    first = pool.each(tests, lambda test: call(test.nothing_asked))
    for test, problems in zip(tests, first):
        out.check(f"{test.setup.name}: nothing asked", problems)
    before.update(host.left_over())
    todo = [(test.setup.name, name, function) for test in tests
            for name, function in test.tests()]
    for (setup, name, _), problems in zip(todo, pool.each(todo, lambda item: call(item[2]))):
        out.check(f"{setup}: {name}", problems)


def run_events(out, chosen, ways, machine):
    table = events.Events(chosen, ways, machine)
    problems = call(lambda: table.run() or [])
    for line in table.table():
        out.note(line)
    for row in table.rows + table.fresh:
        for event, wrong in row.results:
            out.check(row.test_name(event), wrong)
    if problems:
        out.fail("events", "\n".join(problems))


def run_storm(out, chosen):
    notes, results = storm.run([setup for setup in chosen
                                if setup.has_unit and not setup.is_rootless])
    for line in notes:
        out.note(f"storm: {line}")
    for name, problems in results:
        out.check(f"storm: {name}", problems)


def run_jit_harden(out, chosen):
    notes, results = jit_harden.run([setup for setup in chosen if not setup.is_rootless])
    for line in notes:
        out.note(f"jit-harden: {line}")
    for name, problems in results:
        out.check(f"jit-harden: {name}", problems)


def run_bus(out, chosen):
    for setup in chosen:
        if not isinstance(setup, setups.Direct):
            continue
        out.check(f"{setup.name}: who is asked", call(lambda setup=setup:
                                                      bus.who_is_asked(setup)))
        for name, test in bus.Bus(setup).tests() if setup.has_unit else []:
            out.check(f"{setup.name}: {name}", call(test))


def run_cost(out, chosen):
    for setup in chosen:
        if isinstance(setup, setups.Direct) and setup.has_unit:
            out.note(bus.cost(setup))


class Writer(tap.Writer):
    """Prints how long things take, too: on a slow machine that is worth knowing."""

    def __init__(self):
        super().__init__()
        self.start = time.monotonic()

    def note(self, line):
        print(f"# {line}", file=self.out, flush=True)

    def suite_done(self, name):
        self.note(f"{name}: {time.monotonic() - self.start:.0f} s since the start")


def run_commands(out, commands):
    """For people who want to look around."""
    for command in commands:
        result = host.run(["sh", "-c", command], 300, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
        for line in result.stdout.splitlines():
            out.note(line)
        out.check(command, [f"status {result.returncode}"] if result.returncode else [])
    return out.done()


def main():
    os.chdir(host.HERE)
    out = Writer()
    with open("job.json", encoding="utf-8") as file:
        job = json.load(file)
    everything = setups.all_setups()
    lasting = [setup for setup in everything if setup.may_open]
    before = set()
    # In this order; bus is the last, since it restarts what others may need.
    suites = {
        "host": lambda: run_host(out),
        "access": lambda: run_access(out, everything, before),
        "events": lambda: run_events(out, lasting, setups.WAYS, job["machine"]),
        "jit-harden": lambda: run_jit_harden(out, everything),
        "storm": lambda: run_storm(out, everything),
        "compare": lambda: run_events(out, [s for s in lasting if not s.is_rootless],
                                      setups.PARTS, job["machine"]),
        "cost": lambda: run_cost(out, everything),
        "bus": lambda: run_bus(out, everything),
    }
    for setup in everything:
        suites[setup.name] = lambda setup=setup: run_access(out, [setup], before)
    for setup in lasting:
        suites[f"{setup.name}-events"] = \
            lambda setup=setup: run_events(out, [setup], setups.WAYS, job["machine"])
        suites[f"{setup.name}-compare"] = \
            lambda setup=setup: run_events(out, [setup], setups.PARTS, job["machine"])
    chosen = job["suites"] or USUAL
    unknown = [name for name in chosen if name not in suites]
    if unknown:
        out.fail("names of suites", f"no {', '.join(unknown)}; there are {', '.join(suites)}")
        return out.done()
    host.set_up()
    if job["commands"]:
        return run_commands(out, job["commands"])
    versions(out)
    for name in chosen:
        suites[name]()
        out.suite_done(name)
    if before:
        out.check("nothing is left behind", host.still_there(before))
    if out.failed:
        # The kernel's own lines are on the console already.
        sys.stderr.write(host.run(["journalctl", "--no-pager", "--output=short-monotonic",
                                   "--priority=notice", "_TRANSPORT=syslog", "+",
                                   "_TRANSPORT=journal", "+", "_TRANSPORT=stdout"]).stdout)
        sys.stderr.flush()
    return out.done()


if __name__ == "__main__":
    # A failed test is the host's business; for the guest's systemd it is no failure.
    main()
