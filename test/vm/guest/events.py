# SPDX-License-Identifier: Apache-2.0
"""events.py - does a GPU that was given stay given, whatever happens to its unit?

A container for every set-up and way, all at once, since most events are the same for all.
One event after the other, and after each: what the container's main process, and a process
that enters it then, can open. The rows are printed, and each is a test.
"""

import access
import host
import pool
import setups

START = "start"
UNRELATED = "another unit restarted"
SIBLING = "a sibling started"
RELOAD = "daemon-reload"
RELOAD_2 = "second daemon-reload"
PROPERTY = "set-property"
RELOAD_3 = "daemon-reload after it"
REEXEC = "daemon-reexec"
REEXEC_FIRST = "daemon-reexec, as the first"
UPDATE = "update by the runtime"
SWEEP = "after all these"

# The number of the project's list of attacks: systemd applies a container's unit again.
R25 = {RELOAD, RELOAD_2, PROPERTY, RELOAD_3, REEXEC, REEXEC_FIRST}

OK = "OK virtio_gpu"
LOST = "EPERM"


def managers(command):
    """The system's systemd and the user's do it."""
    host.run(["systemctl", command], setups.LIMIT, check=True)
    host.run(host.as_user(["systemctl", "--user", command]), setups.LIMIT, check=True)


def restart_unrelated():
    host.run(["systemctl", "restart", "neighbour"], check=True)


def start_siblings():
    """In the slices where the containers' units are, and with a device filter, so that
    systemd has to look at the filters of the whole slice."""
    command = ["systemd-run", "--quiet", "--wait", "--collect",
               "--property=DevicePolicy=closed"]
    for slice_name in ("system.slice", "machine.slice"):
        host.run([*command, f"--slice={slice_name}", "true"], check=True)
    host.run(host.as_user(["systemd-run", "--user", "--quiet", "--wait", "--collect",
                           "--slice=user.slice", "true"]), check=True)


class Row:
    """One container, and what came of each event."""

    def __init__(self, setup, way, machine):
        self.setup = setup
        self.way = way
        self.machine = machine
        self.name = f"{setup.name}, {way.name}"
        self.gpu = host.render_nodes("virtio_gpu")[0].path
        self.container = None
        self.is_pinned = False
        self.open_before = {}  # of access.SWEEP
        self.cells = {}  # {event: what to print}
        self.results = []  # (event, what is wrong)

    def start(self):
        """Return: whether it was started"""
        try:
            self.container = self.setup.start("virtio_gpu:1", way=self.way)
            self.is_pinned = self.setup.has_unit and not self.setup.is_rootless and \
                self.setup.show(self.container, "BPFProgram") != ""
            self.open_before = self.container.look(*access.SWEEP)
        except Exception as error:  # pylint: disable=broad-except
            self.results.append((START, [f"{type(error).__name__}: {error}"]))
            return False
        return True

    def set_property(self):
        if self.setup.has_unit:
            host.run(self.setup.systemctl("set-property", "--runtime", self.container.unit,
                                          "CPUWeight=50"), setups.LIMIT, check=True)

    def update(self):
        self.setup.update(self.container.name)

    def remove(self):
        if self.container:
            self.container.__exit__()

    # ---- what should come of it ----------------------------------------------------------

    def known(self, event):
        """Return: (what a render node answers, why) where it is not just access; (None, why)
        where that is for others to say, and only printed"""
        is_filtered = not self.setup.is_rootless
        if self.way is setups.NODES_ONLY and is_filtered:
            return None if self.is_filter_lost(event) else LOST, "nothing was allowed"
        if self.way is setups.EDIT_ONLY and is_filtered and self.setup.has_unit and \
                event != START:
            is_lost = self.machine == "trixie" and event == PROPERTY
            return LOST if is_lost else None, "systemd was not told"
        if event == UPDATE and isinstance(self.setup, setups.Podman):
            if self.machine == "trixie" and self.setup.name == "podman-crun":
                return LOST, "crun 1.21 writes the devices of podman's request anew"
            if self.machine == "sid" or (self.machine != "trixie" and is_filtered):
                return None, "the runtime's own; podman 5.8 refuses it"
        return OK, None

    def is_filter_lost(self, event):
        """Nothing of ours: systemd 257 takes crun 1.28's own program off at a reload. With
        the hook it stays."""
        return self.is_pinned and self.way in (setups.PRECREATE, setups.NODES_ONLY) and \
            event != START

    def test_name(self, event):
        if event == SWEEP:
            return f"{self.name}: {event}: the same numbers open as at the start"
        want, why = self.known(event)
        outcome = {OK: "access stays", LOST: f"no access: {why}",
                   None: f"the container's other devices are as before ({why})"}[want]
        number = "R25 " if event in R25 else ""
        return f"{self.name}: {number}{event}: {outcome}"

    def want(self, event):
        disk = host.number(host.DISK) if self.setup.is_rootless \
            else self.container.inside(host.DISK)
        want = {self.gpu: self.known(event)[0], host.FUSE: "OK",
                disk: "mknod:EPERM" if self.setup.is_rootless else "EPERM"}
        if self.is_filter_lost(event):
            want[disk] = None
        return want

    # ---- what did ------------------------------------------------------------------------

    def look(self, event):
        want = self.want(event)
        by_main = self.container.look(*want)
        enter = self.container.look_by_exec if event in (START, UPDATE) \
            else self.container.look_by_runtime
        by_exec = enter(*want)
        self.cells[event] = self.cell(want, by_main)
        if by_exec != by_main:
            self.cells[event] += f", exec {self.cell(want, by_exec)}"
        return [f"{how}: {what}: {got[what]}, wanted {result}"
                for how, got in (("main", by_main), ("exec", by_exec))
                for what, result in want.items() if result and got[what] != result]

    def cell(self, want, got):
        """ "OK" or why the GPU does not open; what else is not as it should be"""
        text = "OK" if got[self.gpu] == OK else got[self.gpu]
        if got[host.FUSE] != "OK":
            text += f", fuse {got[host.FUSE]}"
        disk = [what for what in want if what not in (self.gpu, host.FUSE)][0]
        if "EPERM" not in got[disk]:
            text += f", the host's disk {got[disk]}"
        return text

    def after(self, event, do=None):
        """Looks after an event, or after doing it to this container."""
        refused = ""
        try:
            try:
                if do:
                    do()
            except RuntimeError as error:
                if self.known(event)[0]:
                    raise
                # The runtime's own affair, then.
                refused = f"; refused: {str(error).splitlines()[-1]}"
            problems = self.look(event)
            self.cells[event] += refused
        except Exception as error:  # pylint: disable=broad-except
            problems = [f"{type(error).__name__}: {error}"]
        self.results.append((event, problems))

    def sweep(self):
        """Nothing else became allowed, and nothing was lost."""
        if self.is_filter_lost(SWEEP):
            return
        try:
            problems = access.differences(self.open_before,
                                          self.container.look(*access.SWEEP))
        except Exception as error:  # pylint: disable=broad-except
            problems = [f"{type(error).__name__}: {error}"]
        self.results.append((SWEEP, problems))


class Events:
    def __init__(self, chosen, ways, machine):
        # Without a unit there is little to lose: one way says it.
        self.rows = [Row(setup, way, machine) for setup in chosen
                     for way in (ways if setup.has_unit else ways[:1])]
        # What a container meets first is seen by fresh ones only.
        self.fresh = [Row(setup, way, machine) for setup in chosen for way in ways
                      if way is setups.CREATE_RUNTIME and setup.has_unit]

    @staticmethod
    def started(rows):
        return [row for row, is_started in zip(rows, pool.each(rows, Row.start)) if is_started]

    @staticmethod
    def shared(rows, event, do):
        do()
        pool.each(rows, lambda row: row.after(event))

    @staticmethod
    def alone(rows, event, do):
        pool.each(rows, lambda row: row.after(event, lambda: do(row)))

    def run(self):
        """Does it all; the results are in the rows."""
        try:
            rows = self.started(self.rows)
            self.shared(rows, START, lambda: None)
            self.shared(rows, UNRELATED, restart_unrelated)
            self.shared(rows, SIBLING, start_siblings)
            self.shared(rows, RELOAD, lambda: managers("daemon-reload"))
            self.shared(rows, RELOAD_2, lambda: managers("daemon-reload"))
            self.alone(rows, PROPERTY, Row.set_property)
            self.shared(rows, RELOAD_3, lambda: managers("daemon-reload"))
            self.shared(rows, REEXEC, lambda: managers("daemon-reexec"))
            pool.each(rows, Row.sweep)
            self.alone(rows, UPDATE, Row.update)
            fresh = self.started(self.fresh)
            self.shared(fresh, REEXEC_FIRST, lambda: managers("daemon-reexec"))
        finally:
            pool.each(self.rows + self.fresh, Row.remove)

    def table(self):
        """As in Markdown, since that is where it is of use."""
        rows = self.rows + self.fresh
        heads = list(dict.fromkeys(event for row in rows for event in row.cells))
        yield f"| container | {' | '.join(heads)} |"
        yield "|---" * (len(heads) + 1) + "|"
        for row in rows:
            cells = [row.cells.get(event, "") for event in heads]
            yield f"| {row.name} | {' | '.join(cells)} |"
