# SPDX-License-Identifier: Apache-2.0
"""cgroups.py - the control groups of the tests: named after the run, looked into, removed"""

import os
import signal
import time

PREFIX = "oci-gpu-hook-test-"
RUN = "OCI_GPU_HOOK_TEST_RUN"  # pid, outside of the sandbox, of the test that runs


def mounts():
    """{controllers: directory} of what is mounted: {"devices": ..., "": ... of version 2}"""
    found = {}
    with open("/proc/self/mountinfo", encoding="ascii") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            directory = left.split()[4]
            kind, _, options = right.split()[:3]
            if kind == "cgroup2":
                found[""] = directory
            elif kind == "cgroup" and "devices" in options.split(","):
                found["devices"] = directory
            elif kind == "cgroup":
                found.setdefault("other", []).append(directory)
    return found


def parent():
    """Path, as in a cgroupsPath, below which this run makes all of its groups."""
    return f"/{PREFIX}{os.environ[RUN]}"


def directory_of(version, path):
    return mounts()["devices" if version == 1 else ""] + path


def of_process(pid, version):
    """Directory of the device controller's group that a process is in, or None."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        for line in file:
            number, controllers, path = line.rstrip("\n").split(":", 2)
            if (version == 2 and number == "0") or \
                    (version == 1 and "devices" in controllers.split(",")):
                return directory_of(version, path)
    return None


def _remove(directory):
    """Ends what still runs in a group and removes it, groups below first."""
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            _remove(entry.path)
    for _ in range(50):
        try:
            with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as file:
                for pid in file.read().split():
                    if int(pid) not in (0, os.getpid()):
                        os.kill(int(pid), signal.SIGKILL)
            os.rmdir(directory)
            return
        except (ProcessLookupError, FileNotFoundError):
            continue
        except OSError:
            time.sleep(0.02)


def _all_directories():
    found = mounts()
    return [path for path in [found.get("devices"), found.get("")] + found.get("other", [])
            if path]


def remove(path):
    """Removes what this run has made, in every hierarchy."""
    for top in _all_directories():
        if os.path.isdir(top + path):
            _remove(top + path)


def remove_left_over():
    """Removes what runs left behind that were killed: those whose process is gone."""
    for top in _all_directories():
        try:
            names = os.listdir(top)
        except OSError:
            continue
        for name in names:
            run = name.removeprefix(PREFIX)
            if name.startswith(PREFIX) and not os.path.exists(f"/proc/{run}"):
                try:
                    _remove(os.path.join(top, name))
                except OSError:
                    pass  # not root: nothing of it is ours
