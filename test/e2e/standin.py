# SPDX-License-Identifier: Apache-2.0
"""standin.py - a process that stands where a container's does when the hook is called

At createRuntime a container is a process in a mount namespace of its own, which still has
the host's root, with the root file system mounted on itself and a tmpfs on its /dev. A
stand-in is just that: made in milliseconds, and looked into at leisure.
"""

import json
import os
import subprocess

import bpf
import cgroups
import container
import sandbox

SCRIPT = """
set -e
[ -z "$2" ] || echo 0 >"$2/cgroup.procs"
mount --bind "$1" "$1"
mount -t tmpfs -o mode=755,nosuid tmpfs "$1/dev"
echo ready
exec sleep 1000
"""


class StandIn:
    """A context manager; the process lives inside of it."""

    count = 0

    def __init__(self, bundle, cgroup_version=None):
        self.bundle = bundle
        self.cgroup_version = cgroup_version
        self.group = None
        self.process = None

    def __enter__(self):
        if self.cgroup_version:
            self._make_group()
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "sh", "-c", SCRIPT, "sh",
             self.bundle.rootfs, self.group or ""], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the stand-in did not come up")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if self.group:
            os.rmdir(self.group)

    def _make_group(self):
        StandIn.count += 1
        path = f"{cgroups.parent()}/standin-{StandIn.count}"
        self.group = cgroups.directory_of(self.cgroup_version, path)
        os.makedirs(self.group)
        if self.cgroup_version == 1:
            with open(f"{self.group}/devices.deny", "w", encoding="ascii") as file:
                file.write("a")
        else:
            bpf.attach_deny_all(self.group)

    @property
    def pid(self):
        return self.process.pid

    def state(self, **changes):
        """As runc writes it."""
        return {"ociVersion": "1.0.2-dev", "id": "standin", "status": "creating",
                "pid": self.pid, "bundle": self.bundle.directory,
                "annotations": self.bundle.config["annotations"], **changes}

    def inside(self, script, *args):
        """Runs a shell script in the mount namespace; $1 is the root file system."""
        subprocess.run(["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "sh", "-ec", script, "sh",
                        self.bundle.rootfs, *args], check=True, stdin=subprocess.DEVNULL)

    def tree(self):
        """The root file system as the container sees it."""
        return container.list_tree(f"/proc/{self.pid}/root{self.bundle.rootfs}")

    def mounts(self):
        """What is mounted in the root file system: {path in the container: flags}"""
        found = {}
        with open(f"/proc/{self.pid}/mountinfo", encoding="utf-8") as file:
            for line in file:
                path, flags = line.split()[4:6]
                if path.startswith(self.bundle.rootfs):
                    path = path.removeprefix(self.bundle.rootfs) or "/"
                    found.setdefault(path, []).append(flags)
        return found

    def rules(self):
        if self.cgroup_version == 1:
            with open(f"{self.group}/devices.list", encoding="ascii") as file:
                return sorted(file.read().splitlines())
        return bpf.tags(self.group) if self.cgroup_version else None

    def look(self):
        """Everything that a hook can change, to compare before and after."""
        with open(f"/proc/{self.pid}/mountinfo", encoding="utf-8") as file:
            inside = sorted(file)
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            outside = sorted(file)
        return {"mounts in the container": inside, "mounts of the host": outside,
                "device rules": self.rules(), "root file system": self.tree(),
                "bundle": sorted(os.listdir(self.bundle.directory))}


def differences(before, after):
    """What differs between two looks, in words."""
    problems = []
    for what, was in before.items():
        now = after[what]
        if was == now:
            continue
        if isinstance(was, dict):
            names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
            problems += [f"{what}: {name}: {was.get(name)} -> {now.get(name)}"
                         for name in names]
        else:
            problems.append(f"{what}: gone {[x for x in was if x not in now]}, "
                            f"new {[x for x in now if x not in was]}")
    return problems


def run_hook(hook, state, *args, verb="createRuntime", wrapper=(), **kwargs):
    """Calls the hook as a runtime does. state: a dict, or text

    Return: subprocess.CompletedProcess
    """
    text = state if isinstance(state, str) else json.dumps(state)
    command = [*wrapper, hook, *([verb] if verb else []), *args]
    kwargs.setdefault("cwd", sandbox.WORK)
    return container.run(command, limit=30, input=text, **kwargs)


def one_line(result, *words):
    """What is wrong with how the hook failed: it must be one line, with these words."""
    problems = []
    if result.returncode == 0:
        problems.append("exit status 0")
    lines = result.stderr.splitlines()
    if len(lines) != 1 or not lines[0].startswith("oci-gpu-hook: "):
        problems.append(f"not one line of the hook on standard error: {result.stderr!r}")
    if result.stdout:
        problems.append(f"on standard output: {result.stdout!r}")
    return problems + [f"the line does not say '{word}': {result.stderr!r}"
                       for word in words if word not in result.stderr]
