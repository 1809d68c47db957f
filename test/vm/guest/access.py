# SPDX-License-Identifier: Apache-2.0
"""access.py - what a container can open that has asked for a GPU, and what it still cannot"""

import os

import host
from setups import PRESTART, Direct, Refused

# Numbers that no request is for: the first of every major, and the neighbours of the GPUs'.
SWEEP = [f"{kind}:{major}:0" for kind in "cb" for major in range(1, 261)] + \
    [f"c:226:{minor}" for minor in [*range(1, 16), *range(64, 80), *range(140, 160)]]


def differences(want, got):
    """want: {what: result}; what else is in got does not matter"""
    return [f"{what}: {got.get(what)}, wanted {result}" for what, result in want.items()
            if got.get(what) != result]


class Access:
    def __init__(self, setup):
        self.setup = setup
        self.virtio = host.render_nodes("virtio_gpu")
        self.without_request = {}  # what SWEEP finds then

    def expect(self, container, nodes, look=None):
        """Return: what is wrong, for a container that should have these GPUs' render nodes"""
        look = look or container.look
        want = {node.path: f"OK {node.driver}" if self.setup.may_open else "EACCES"
                for node in nodes}
        for path in host.all_nodes():
            want.setdefault(path, "ENOENT")
        want[host.FUSE] = "OK"
        return differences(want, look(*want)) + self.refused(look, nodes)

    def refused(self, look, nodes):
        """What was not asked for must not open, whoever made its node."""
        others = [path for path in [host.DISK, *host.all_nodes()]
                  if path not in [node.path for node in nodes]]
        if self.setup.is_rootless:
            # The kernel lets nobody make nodes there, so that there is nothing to open.
            want = {host.number(path): "mknod:EPERM" for path in others}
        else:
            want = {host.number(path): "EPERM" for path in others}
            want.update({f"/nodes/{os.path.basename(path)}": "EPERM" for path in others})
        return differences(want, look(*want))

    def nothing_asked(self):
        with self.setup.start() as container:
            self.without_request = container.look(*SWEEP)
            refused = [what for what in SWEEP if "EPERM" in self.without_request[what]]
            return self.expect(container, []) + \
                ([] if len(refused) > len(SWEEP) / 2 else [f"only these: {refused}"])

    def one_gpu_by_driver(self):
        """virtio_gpu:1 is the first by PCI address; the other one stays closed, and so does
        everything else that was closed without a request."""
        with self.setup.start("virtio_gpu:1") as container:
            return self.expect(container, self.virtio[:1]) + \
                [f"exec: {line}" for line in
                 self.expect(container, self.virtio[:1], container.look_by_exec)] + \
                differences(self.without_request, container.look(*SWEEP))

    def apple_finds_virtio_gpu(self):
        with self.setup.start("apple:2") as container:
            return self.expect(container, self.virtio)

    def platform_device_by_driver(self):
        with self.setup.start("vgem") as container:
            return self.expect(container, host.render_nodes("vgem"))

    def unknown_vendor_gets_any_with_warning(self):
        with host.Log.lock:
            log = host.Log()
            container = self.setup.start("nosuch:1")
            lines = log.lines()
        with container:
            problems = self.expect(container, self.one_of_any(container))
        if not any("unknown vendor 'nosuch'" in line for line in lines):
            problems.append(f"no warning about it in the log: {lines}")
        return problems

    @staticmethod
    def one_of_any(container):
        """The nodes that the container has, if it is just one."""
        nodes = host.render_nodes()
        there = container.look(*[node.path for node in nodes])
        found = [node for node in nodes if there[node.path] != "ENOENT"]
        return found if len(found) == 1 else []

    def kfd_alone_is_no_amd_gpu(self):
        with host.Log.lock:
            log = host.Log()
            try:
                with self.setup.start("amd:1"):
                    return ["the container was started"]
            except Refused:
                # Other containers' may only be warnings now.
                lines = [line for line in log.lines() if line.startswith("select GPUs:")]
        good = len(lines) == 1 and "0 amd GPUs here" in lines[0] and \
            lines[0].endswith("/dev/kfd is there, but KFD's topology has no GPU")
        return [] if good else [f"no clear line about it: {lines}"]

    def another_user_with_the_group(self):
        with self.setup.start("virtio_gpu:1", 1000, [host.render_group()]) as container:
            path = self.virtio[0].path
            return differences({path: "OK virtio_gpu"}, container.look(path)) + \
                differences({path: "OK virtio_gpu"}, container.look_by_exec(path))

    def another_user_without_it(self):
        """Gets a node of its own, before Linux 6.15 by way of a mount namespace."""
        with self.setup.start("virtio_gpu:1", 1000) as container:
            path = self.virtio[0].path
            return differences({path: "OK virtio_gpu"}, container.look(path))

    def prestart_alone(self):
        with self.setup.start("virtio_gpu:1", way=PRESTART) as container:
            return self.expect(container, self.virtio[:1])

    def tests(self):
        """nothing_asked comes before these."""
        tests = [self.one_gpu_by_driver, self.apple_finds_virtio_gpu,
                 self.platform_device_by_driver, self.unknown_vendor_gets_any_with_warning,
                 self.kfd_alone_is_no_amd_gpu]
        if not self.setup.is_rootless:
            tests.append(self.another_user_with_the_group)
        if isinstance(self.setup, Direct):
            tests += [self.another_user_without_it, self.prestart_alone]
        return [(test.__name__.replace("_", " "), test) for test in tests]
