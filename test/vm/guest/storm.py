# SPDX-License-Identifier: Apache-2.0
"""storm.py - containers start while systemd reloads its units again and again"""

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

    def do(self):
        start = time.monotonic()
        try:
            self.container = self.setup.start("virtio_gpu:1")
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(f"{type(error).__name__}: {error}")
        self.seconds = time.monotonic() - start
        if self.seconds > LIMIT:
            self.problems.append(f"it took {self.seconds:.1f} s, and {LIMIT} s are allowed")
        self.look("started")

    def look(self, when):
        if not self.container:
            return
        want = {self.gpu: events.OK, host.FUSE: "OK",
                self.container.inside(host.DISK): "EPERM"}
        self.problems += [f"{when}: {line}" for line in
                          access.differences(want, self.container.look(*want))]

    def remove(self):
        if self.container:
            self.container.__exit__()


def run(chosen):
    """Return: (what to print, [(name of a test, what is wrong)])"""
    starts = [Start(chosen[i % len(chosen)]) for i in range(CONTAINERS)]
    try:
        with Reloads() as reloads:
            pool.each(starts, Start.do, 2)
        pool.each(starts, lambda start: start.look("after the last reload"))
    finally:
        pool.each(starts, Start.remove)
    seconds = [start.seconds for start in starts]
    notes = [f"{reloads.count} daemon-reloads in {reloads.seconds:.1f} s; {CONTAINERS} starts, "
             f"median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s"]
    results = [(f"{reloads.count} daemon-reloads", [reloads.problem] if reloads.problem else [])]
    results += [(f"container {i + 1}, {start.name}: it starts and its node opens",
                 start.problems) for i, start in enumerate(starts)]
    return notes, results
