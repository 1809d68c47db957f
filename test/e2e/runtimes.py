# SPDX-License-Identifier: Apache-2.0
"""runtimes.py - runc and crun, told to create, start and delete a container"""

import json
import os
import shutil
import subprocess
import time

import cgroups
import container
import sandbox


class Runtime:
    """One runtime, with at most one container at a time."""

    def __init__(self, command, cgroup_version):
        """cgroup_version: of the device controller; None: no device filter"""
        self.command = command
        self.cgroup_version = cgroup_version
        self.count = 0

    @property
    def id(self):
        return f"ogh{os.environ[cgroups.RUN]}-{self.count}"

    def create(self, bundle):
        """Return: the finished `create`; what the container prints goes to a file"""
        self.count += 1
        if self.cgroup_version:
            bundle.config["linux"]["cgroupsPath"] = f"{cgroups.parent()}/{self.id}"
            bundle.write()
        with open(f"{bundle.directory}/output", "wb") as output, \
                open(f"{bundle.directory}/errors", "wb") as errors:
            # Pipes would stay open in the container, and nobody would see their end.
            result = subprocess.run(
                [*self.command, "create", "--bundle", bundle.directory, self.id], timeout=60,
                stdin=subprocess.DEVNULL, stdout=output, stderr=errors, check=False)
        with open(f"{bundle.directory}/errors", encoding="utf-8", errors="replace") as file:
            result.stderr = file.read()
        return result

    def delete(self):
        container.run([*self.command, "delete", "--force", self.id])

    def pid(self):
        state = container.run([*self.command, "state", self.id])
        return json.loads(state.stdout)["pid"]

    def run(self, bundle, inspect=None):
        """Runs a bundle to its end. inspect: called with the pid before it is started

        Return: container.Report
        """
        result = self.create(bundle)
        try:
            if result.returncode != 0:
                raise RuntimeError(f"create failed: {result.stderr}")
            pid = self.pid()
            if inspect:
                inspect(pid)
            subprocess.run([*self.command, "start", self.id], check=True, timeout=60,
                           capture_output=True, text=True)
            # Its parent has ended, and this process is the first of the PID namespace.
            wait_for(pid, 30)
        finally:
            self.delete()
        with open(f"{bundle.directory}/output", encoding="utf-8", errors="replace") as file:
            return container.Report(file.read())


def wait_for(pid, limit):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return
        except ChildProcessError:
            return
        time.sleep(0.005)
    raise TimeoutError(f"process {pid} still runs after {limit} s")


def use_cgroup_v1():
    """Sees to a version 1 device controller. Most machines have none mounted any more."""
    if "devices" in cgroups.mounts():
        return
    sandbox.mount("-t", "tmpfs", "tmpfs", "/sys/fs/cgroup")
    os.mkdir("/sys/fs/cgroup/devices")
    result = container.run(["mount", "-t", "cgroup", "-o", "devices", "cgroup",
                            "/sys/fs/cgroup/devices"])
    if result.returncode:
        sandbox.skip_all("this kernel has no version 1 device controller")


def use_cgroup_v2():
    """Sees to version 2 at the usual place, as on a machine that has nothing else.

    A mount that is there is bound: a new one without its options, such as nsdelegate, takes
    them away from the whole machine.
    """
    directory = cgroups.mounts().get("")
    if directory is None:
        sandbox.mount("-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    elif directory != "/sys/fs/cgroup":
        sandbox.mount("--bind", directory, "/sys/fs/cgroup")


def prepare(name):
    """Return: the Runtime for "runc-v1", "runc-v2" or "crun"; skips the suite without it"""
    program = name.partition("-")[0]
    if not shutil.which(program):
        sandbox.skip_all(f"{program} not installed")
    root = f"--root={sandbox.WORK}/{program}"
    if name == "runc-v1":
        use_cgroup_v1()
        return Runtime(["runc", root], 1)
    use_cgroup_v2()
    if name == "runc-v2":
        return Runtime(["runc", root], 2)
    # crun wants rights of the machine's root for its device filter that a container or a
    # small virtual machine may lack, so that it runs without one.
    return Runtime(["crun", root, "--cgroup-manager=disabled"], None)
