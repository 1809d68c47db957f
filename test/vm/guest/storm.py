# SPDX-License-Identifier: Apache-2.0
"""storm.py - containers start while systemd reloads its units again and again

systemd answers nobody during a reload, and the hook asks it twice in the 5 seconds that it
talks. Where a reload of the storm takes over a second, since others use the processors too,
that cannot go well for all; there the test is that the log says so of each container whose
access was not made to last.
"""

import contextlib
import statistics
import threading
import time

import access
import events
import host
import pool
import setups

RELOADS = 50
CONTAINERS = 20
LIMIT = 10  # seconds, for one start
SLOW = 1  # seconds for a reload, on average
LOST = "systemd takes the nodes away again"


class Reloads:
    """In a thread of its own, until as many are done as there should be, and all starts."""

    def __init__(self):
        self.count = 0
        self.seconds = 0
        self.problem = None
        self.is_enough = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        start = time.monotonic()
        try:
            while self.count < RELOADS or not self.is_enough.is_set():
                host.run(["systemctl", "daemon-reload"], setups.LIMIT, check=True)
                self.count += 1
        except Exception as error:  # pylint: disable=broad-except
            self.problem = f"daemon-reload number {self.count + 1}: {error}"
        self.seconds = time.monotonic() - start

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_enough.set()
        self.thread.join()


class Start:
    """One of the containers."""

    def __init__(self, setup):
        self.setup = setup
        self.name = setup.name
        self.gpu = host.render_nodes("virtio_gpu")[0].path
        self.container = None
        self.seconds = None
        self.problems = []
        self.losses = []  # of the GPU alone

    def do(self):
        start = time.monotonic()
        try:
            self.container = self.setup.start("virtio_gpu:1")
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(f"{type(error).__name__}: {error}")
        self.seconds = time.monotonic() - start
        self.look("started")

    def look(self, when):
        if not self.container:
            return
        others = {host.FUSE: "OK", self.container.inside(host.DISK): "EPERM"}
        got = self.container.look(self.gpu, *others)
        self.problems += [f"{when}: {line}" for line in access.differences(others, got)]
        self.losses += [f"{when}: {line}" for line in
                        access.differences({self.gpu: events.OK}, got)]

    def judge(self, lines, is_slow):
        """Return: what is wrong; lines: of the log"""
        warnings = [line for line in lines
                    if self.container and f"'{self.container.id}'" in line and LOST in line]
        if is_slow:
            return self.problems + ([] if warnings else self.losses)
        late = [f"it took {self.seconds:.1f} s, and {LIMIT} s are allowed"] \
            if self.seconds > LIMIT else []
        return self.problems + self.losses + warnings + late

    def remove(self):
        if self.container:
            self.container.__exit__()


@contextlib.contextmanager
def without_user():
    """No container here is the user's, and a daemon-reload has a quarter less to do without
    the user's systemd (of processor time 0.8 s, not 1.1)."""
    host.run(["systemctl", "stop", f"user@{host.UID}"], setups.LIMIT, check=True)
    try:
        yield
    finally:
        host.run(["systemctl", "start", f"user@{host.UID}"], setups.LIMIT, check=True)


def run(chosen):
    """Return: (what to print, [(name of a test, what is wrong)])"""
    starts = [Start(chosen[i % len(chosen)]) for i in range(CONTAINERS)]
    log = host.Log()
    try:
        with without_user(), Reloads() as reloads:
            for start in starts:
                start.do()
        pool.each(starts, lambda start: start.look("after the last reload"))
        lines = log.lines()
        is_slow = reloads.seconds > SLOW * reloads.count
        problems = [start.judge(lines, is_slow) for start in starts]
    finally:
        pool.each(starts, Start.remove)
    seconds = [start.seconds for start in starts]
    notes = [f"{reloads.count} daemon-reloads in {reloads.seconds:.1f} s"
             f"{', a machine too slow for it' if is_slow else ''}; {CONTAINERS} starts, "
             f"median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s; "
             f"{sum(LOST in line for line in lines)} warnings that access may be lost"]
    what = "its node opens, or the log says that systemd was too slow" if is_slow \
        else f"it starts in {LIMIT} s, and its node opens"
    results = [(f"{reloads.count} daemon-reloads", [reloads.problem] if reloads.problem else [])]
    results += [(f"container {i + 1}, {start.name}: {what}", wrong)
                for i, (start, wrong) in enumerate(zip(starts, problems))]
    return notes, results
