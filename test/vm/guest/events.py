# SPDX-License-Identifier: Apache-2.0
"""events.py - does a GPU that was given stay given, whatever happens to its unit?

One row a set-up and event: what the container's main process and a process that enters it
then can open. The rows are printed, and each is a test.
"""

import host

UNRELATED = "another unit restarted"
SIBLING = "a sibling started"
RELOAD = "daemon-reload"
RELOAD_2 = "second daemon-reload"
PROPERTY = "set-property"
RELOAD_3 = "daemon-reload after it"
REEXEC = "daemon-reexec"
REEXEC_FIRST = "daemon-reexec, as the first"
UPDATE = "update by the runtime"

# What no hook can keep: the test fails when access is lost elsewhere, and when it is not lost
# here any more.
EXPECTED_LOST = {
    "podman-crun": {UPDATE: "crun writes the devices of podman's request anew"},
}


class Events:
    def __init__(self, setup):
        self.setup = setup
        self.rows = []
        self.gpu = host.render_nodes("virtio_gpu")[0]

    def events(self):
        """Two containers, since after a loss nothing more can be learned from the first."""
        def systemctl(*args):
            return lambda _: self.setup.systemctl(*args)

        def unrelated(_):
            host.run(["systemctl", "restart", "neighbour"], check=True)

        def sibling(_):
            with self.setup.start():
                pass

        def set_property(container):
            self.setup.systemctl("set-property", "--runtime", container.unit, "CPUWeight=50")

        def update(container):
            self.setup.update(container.name)

        if not self.setup.has_unit:
            return [[("start", lambda _: None), (RELOAD, systemctl("daemon-reload")),
                     (REEXEC, systemctl("daemon-reexec")), (UPDATE, update)]]
        return [[("start", lambda _: None), (UNRELATED, unrelated), (SIBLING, sibling),
                 (RELOAD, systemctl("daemon-reload")),
                 (RELOAD_2, systemctl("daemon-reload")), (PROPERTY, set_property),
                 (RELOAD_3, systemctl("daemon-reload")),
                 (REEXEC, systemctl("daemon-reexec"))],
                [(REEXEC_FIRST, systemctl("daemon-reexec")), (UPDATE, update)]]

    def run(self):
        """Return: (name of a test, what is wrong) for every event"""
        results = []
        for sequence in self.events():
            with self.setup.start("virtio_gpu:1") as container:
                for event, do in sequence:
                    try:
                        do(container)
                        problems = self.look(event, container)
                    except Exception as error:  # pylint: disable=broad-except
                        problems = [f"{type(error).__name__}: {error}"]
                    results.append((self.test_name(event), problems))
        return results

    def why_lost(self, event):
        return EXPECTED_LOST.get(self.setup.name, {}).get(event)

    def test_name(self, event):
        why = self.why_lost(event)
        return f"{event}: access is lost ({why})" if why else f"{event}: access stays"

    def look(self, event, container):
        disk = host.number(host.DISK) if self.setup.is_rootless \
            else container.inside(host.DISK)
        want = {self.gpu.path: "EPERM" if self.why_lost(event) else "OK virtio_gpu",
                host.FUSE: "OK", disk: "EPERM"}
        if self.setup.is_rootless:
            want[disk] = "mknod:EPERM"
        by_main = container.look(*want)
        by_exec = container.look_by_exec(*want)
        self.rows.append([event] + [by_main[what] if by_main[what] == by_exec[what]
                                    else f"{by_main[what]}, exec {by_exec[what]}"
                                    for what in want])
        return [f"{how}: {what}: {got[what]}, wanted {result}"
                for how, got in (("main", by_main), ("exec", by_exec))
                for what, result in want.items() if got[what] != result]

    def table(self):
        head = ["event", "GPU", "fuse", "disk"]
        widths = [max(len(row[i]) for row in [head, *self.rows]) for i in range(len(head))]
        return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                for row in [head, *self.rows]]
