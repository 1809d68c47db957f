# SPDX-License-Identifier: Apache-2.0
"""bus.py - D-Bus is stopped or hangs, systemd does not answer; and what talking costs

What breaks the bus is a hook before ours: the runtime has made the container's unit by then.
"""

import os
import socket
import statistics
import time

import access
import events
import host
import setups

SYSTEMD_SOCKET = "/run/systemd/private"
BUS_SOCKET = "/run/dbus/system_bus_socket"
LOG_SOCKET = "/dev/log"
TIMES = "/run/hook-times"
TRACE = "/run/hook-trace"
# Of its 10 seconds the hook talks for 5 at most; the rest is for a slow machine.
LIMIT = 7.5
SAMPLES = 15

STAMP = ["/bin/sh", "-c", f"date +%s.%N >>{TIMES}"]
PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; "
STOP = ["/bin/sh", "-c", PATH + "systemctl stop dbus.socket dbus.service"]
HANG = ["/bin/sh", "-c", PATH + "kill -STOP $(systemctl show --value -p MainPID dbus)"]


def timed(name, *before, program=host.HOOK):
    return setups.Way(name, "createRuntime", program, [*before, STAMP], [STAMP])


def start_timed(setup, way):
    """Return: (Container, seconds that the hook took)"""
    if os.path.exists(TIMES):
        os.unlink(TIMES)
    container = setup.start("virtio_gpu:1", way=way)
    with open(TIMES, encoding="ascii") as file:
        began, ended = (float(line) for line in file)
    return container, ended - began


def what_opens(container):
    want = {host.render_nodes("virtio_gpu")[0].path: events.OK, host.FUSE: "OK",
            container.inside(host.DISK): "EPERM"}
    return access.differences(want, container.look(*want))


class Bus:
    def __init__(self, setup):
        self.setup = setup

    def lasting(self, before, mend):
        """systemd is reached over its own socket: access stays as if nothing were wrong."""
        log = host.Log()
        try:
            container, seconds = start_timed(self.setup, timed("broken bus", before))
        finally:
            mend()
        with container:
            problems = what_opens(container)
            host.run(["systemctl", "set-property", "--runtime", container.unit,
                      "CPUWeight=50"], setups.LIMIT, check=True)
            events.managers("daemon-reload")
            problems += [f"later: {line}" for line in what_opens(container)]
        problems += [f"it warns: {line}" for line in log.lines()]
        if seconds > LIMIT:
            problems.append(f"the hook took {seconds:.1f} s")
        return problems

    def stopped(self):
        return self.lasting(STOP, lambda: host.run(
            ["systemctl", "start", "dbus.socket", "dbus.service"], setups.LIMIT, check=True))

    def hanging(self):
        return self.lasting(HANG, self.go_on)

    @staticmethod
    def go_on():
        host.run(["systemctl", "kill", "--signal=CONT", "dbus.service"], setups.LIMIT,
                 check=True)

    def nobody_answers(self):
        """Neither the bus nor systemd: a socket that takes connections and is silent. PID 1
        itself cannot be stopped by a signal."""
        log = host.Log()
        silent_path = f"{SYSTEMD_SOCKET}-silent"
        # By number, since systemctl would ask systemd for it; there are users' buses, too.
        pid = host.run(["systemctl", "show", "--property=MainPID", "--value", "dbus.service"],
                       check=True).stdout.strip()
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(silent_path)
            silent.listen(16)
            host.run(["mount", "--bind", silent_path, SYSTEMD_SOCKET], check=True)
            try:
                container, seconds = start_timed(
                    self.setup, timed("silence", ["/bin/kill", "-STOP", pid]))
            finally:
                host.run(["kill", "-CONT", pid], check=True)
                host.run(["umount", SYSTEMD_SOCKET], check=True)
                os.unlink(silent_path)
        with container:
            problems = what_opens(container)
        lines = log.lines()
        if len(lines) != 1 or "no answer in time" not in lines[0] or \
                "systemd takes the nodes away again" not in lines[0]:
            problems.append(f"no clear warning: {lines}")
        if not 2.5 < seconds < LIMIT:
            problems.append(f"the hook took {seconds:.1f} s")
        return problems

    def tests(self):
        return [("D-Bus is stopped: systemd is told over its own socket", self.stopped),
                ("D-Bus hangs: systemd is told over its own socket", self.hanging),
                ("nobody answers: bounded, and a clear warning", self.nobody_answers)]


def sockets(setup):
    """Return: what a run of the hook connects to"""
    way = setups.Way("traced", "createRuntime", "/usr/bin/strace",
                     args=["strace", "-f", "-o", TRACE, "-e", "trace=socket,connect",
                           host.HOOK, "createRuntime", *setups.HOOK_ARGS])
    with setup.start("virtio_gpu:1", way=way) as container:
        problems = what_opens(container)
    with open(TRACE, encoding="ascii") as file:
        lines = file.read().splitlines()
    if problems:
        raise RuntimeError("; ".join(problems))
    made = [line for line in lines if " socket(" in line]
    peers = [line.split('sun_path="')[1].split('"')[0] for line in lines
             if " connect(" in line]
    if len(made) != len(peers):
        raise RuntimeError(f"sockets and connections do not match: {lines}")
    return peers


def who_is_asked(setup):
    """Only where a unit is the container's own is anybody asked."""
    want = [LOG_SOCKET, BUS_SOCKET] if setup.has_unit else [LOG_SOCKET]
    peers = sockets(setup)
    return [] if peers == want else [f"it connects to {peers}, wanted {want}"]


def cost(setup):
    """Return: what to print: the steps' shares of a run, by leaving them out"""
    ways = [timed("nodes only", program=host.NODES_ONLY),
            timed("edit only", program=host.EDIT_ONLY), timed("whole")]
    seconds = {way.name: [] for way in ways}
    for _ in range(SAMPLES):
        for way in ways:
            container, took = start_timed(setup, way)
            container.__exit__()
            seconds[way.name].append(took)
            time.sleep(0.1)
    nodes, edit, whole = (1000 * statistics.median(seconds[way.name]) for way in ways)
    return f"{setup.name}: nodes {nodes:.0f} ms, the device programs {edit - nodes:.0f} ms " \
        f"more, systemd {whole - edit:.0f} ms more (medians of {SAMPLES})"
