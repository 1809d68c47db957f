# SPDX-License-Identifier: Apache-2.0
"""cgroups.py - the control groups of the tests: named after the run, looked into, removed

Runs share the hierarchies, also those in other PID namespaces, where a number says nothing
about who lives. So each run holds a lock on a file of its own for as long as it lives, and
groups are left over only when their run's lock is free.
"""

import contextlib
import fcntl
import os
import secrets
import signal
import time

PREFIX = "oci-gpu-hook-test-"
RUN = "OCI_GPU_HOOK_TEST_RUN"  # name of the run
LOCKS = "/run/oci-gpu-hook-test"


@contextlib.contextmanager
def _locked(path, flags):
    """Holds the lock of a file or directory, for as long as nobody else may change it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, flags)
        yield
    finally:
        os.close(descriptor)


def begin_run():
    """Names this run and locks its name, before it goes into the sandbox.

    The descriptor stays open across exec, so the lock goes with the last process of the run
    that has it: the one that waits outside and the sandbox's first one.
    """
    # The number is for people; another PID namespace may have the same.
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    # Nobody looks at the file between its making and its locking.
    with _locked(LOCKS, fcntl.LOCK_EX):
        lock = os.open(os.path.join(LOCKS, name), os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    os.environ[RUN] = name


def options_of_v2():
    """Options of cgroup2, which are the machine's: "nsdelegate,memory_recursiveprot" """
    with open("/proc/self/mountinfo", encoding="ascii") as file:
        for line in file:
            kind, _, options = line.partition(" - ")[2].split()[:3]
            if kind == "cgroup2":
                return ",".join(name for name in options.split(",") if name not in ("rw", "ro"))
    return ""


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
    """Removes what a run has made, in every hierarchy. Return: all of it is gone"""
    groups = [top + path for top in _all_directories() if os.path.isdir(top + path)]
    for group in groups:
        _remove(group)
    return not any(os.path.isdir(group) for group in groups)


def remove_left_over():
    """Removes what runs left behind that were killed: those whose lock is free.

    A group without a lock file is of a run that has another /run than ours: it stays.
    """
    if not os.access(LOCKS, os.W_OK):
        return  # no run yet, or not root: nothing of it is ours
    with _locked(LOCKS, fcntl.LOCK_EX):
        for run in os.listdir(LOCKS):
            path = os.path.join(LOCKS, run)
            try:
                with _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    if remove(f"/{PREFIX}{run}"):
                        os.unlink(path)
            except BlockingIOError:
                pass  # the run lives
