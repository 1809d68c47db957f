# SPDX-License-Identifier: Apache-2.0
"""image.py - the disk of the test machine: made of a distribution's packages, and kept

A tree from debootstrap, a small initrd, and an ext4 file system made from the tree without
mounting it. The result is named after the hash of its recipe: the packages, setup.sh and
_build() below. It is made again when that changes, and only then, so a machine of a suite
that moves stays as it was: remove build/vm to have it anew. The tests are not in it,
they come on a second disk.
"""

import ctypes
import fcntl
import hashlib
import inspect
import os
import shlex
import shutil
import signal
import subprocess
import sys

TOOLS = ["debootstrap", "mke2fs", "unshare", "chroot"]
BUILD_LIMIT = 600  # seconds; measured: 100 on two cores

PACKAGES = """
    systemd systemd-sysv dbus dbus-user-session libpam-systemd udev kmod procps
    linux-image-amd64 initramfs-tools zstd
    crun runc podman uidmap fuse-overlayfs slirp4netns
    python3 busybox-static bpftool strace
""".split()

# The machines: {name: (suite of Debian, what debootstrap installs, what apt adds from sid)}.
# debootstrap is faster, and resolves neither virtual packages nor alternatives. trixie-sid is
# there for what a newer crun does under the systemd of today's stable Debian.
MACHINES = {
    "trixie": ("trixie", PACKAGES, []),
    "bookworm": ("bookworm", [*PACKAGES, "netavark"], []),
    "sid": ("sid", [], PACKAGES),
    "trixie-sid": ("trixie", PACKAGES, ["crun/sid", "runc/sid"]),
}
SETUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "setup.sh")


def start(command, **kwargs):
    """Starts a command that ends when this process does, even if that is killed."""
    libc = ctypes.CDLL(None)

    def prepare():
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        os.nice(5)

    return subprocess.Popen(command, preexec_fn=prepare, stdin=subprocess.DEVNULL, **kwargs)


def _run(command, log, limit=BUILD_LIMIT, env=None):
    process = start(command, stdout=log, stderr=log, env={**os.environ, **(env or {})})
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        status = f"more than {limit} s"
    if status != 0:
        raise RuntimeError(f"{shlex.join(command[:6])} ...: {status}")


def _apt_config(name):
    result = subprocess.run(["apt-config", "shell", "VALUE", name], text=True, check=False,
                            capture_output=True)
    return shlex.split(result.stdout)[0].partition("=")[2] if result.stdout.strip() else ""


def mirror():
    """Where this machine's apt has Debian from, whatever the suite."""
    result = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL) $(COMPONENT)",
         "Created-By: Packages"], text=True, check=False, capture_output=True)
    for line in result.stdout.splitlines():
        words = line.split(" ")
        if words[-2:] != ["Debian", "main"]:
            continue
        uri = words[0]
        if uri.startswith("mirror+file:"):
            with open(uri.removeprefix("mirror+file:").rstrip("/"), encoding="utf-8") as file:
                uri = file.read().split()[0]
        return uri
    raise RuntimeError("apt on this machine knows no archive of Debian (apt-get indextargets)")


def _proxies():
    """apt's, in the form that debootstrap's downloader knows."""
    found = {f"{scheme}_proxy": _apt_config(f"Acquire::{scheme}::Proxy")
             for scheme in ("http", "https")}
    return {name: value for name, value in found.items() if value not in ("", "DIRECT")}


# What is mounted in the tree, or still runs there, ends with the namespaces.
ALONE = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
IN_TREE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
           # The kernel's package would make an initrd for every machine there is.
           "INITRD": "No"}


def _add_from_sid(tree, packages, log):
    """Adds packages to the tree, or replaces them."""
    sources = os.path.join(tree, "etc/apt/sources.list")
    with open(sources, "a", encoding="ascii") as file:
        file.write(f"deb {mirror()} sid main\n")
    with open(os.path.join(tree, "etc/apt/preferences.d/sid"), "w", encoding="ascii") as file:
        file.write("Package: *\nPin: release n=sid\nPin-Priority: 100\n")
    # A mirror may be a copy that was made at one time, as debootstrap does not mind either.
    apt = [*ALONE, "chroot", tree, "apt-get", "-q", "-o", "Acquire::Check-Valid-Until=false",
           "-o", "Acquire::Languages=none"]
    env = {**IN_TREE, **_proxies()}
    _run([*apt, "update"], log, env=env)
    _run([*apt, "install", "--yes", "--no-install-recommends", *packages], log, env=env)


def _build(name, directory, log):
    suite, packages, from_sid = MACHINES[name]
    tree = os.path.join(directory, "tree")
    include = [f"--include={','.join(packages)}"] if packages else []
    _run([*ALONE, "debootstrap", "--variant=minbase", *include, suite, tree, mirror()], log,
         env={"INITRD": "No", **_proxies()})
    if from_sid:
        _add_from_sid(tree, from_sid, log)
    with open(SETUP, encoding="utf-8") as file:
        script = file.read()
    _run([*ALONE, "chroot", tree, "sh", "-c", script], log, env=IN_TREE)
    boot = os.path.join(tree, "boot")
    for name, to in (("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd")):
        found, = (entry for entry in os.listdir(boot) if entry.startswith(name))
        shutil.move(os.path.join(boot, found), os.path.join(directory, to))
    _run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", tree,
          os.path.join(directory, "disk"), "3G"], log)
    shutil.rmtree(tree)


def name_of(name):
    with open(SETUP, encoding="utf-8") as file:
        recipe = [MACHINES[name], file.read(), inspect.getsource(_build),
                  inspect.getsource(_add_from_sid) if MACHINES[name][2] else ""]
    return f"{name}@{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"


def get(name, cache):
    """Makes the image if it is not there. One process at a time makes one.

    Needs: root, and TOOLS. Raises RuntimeError.
    Return: its directory, with disk, vmlinuz and initrd
    """
    directory = os.path.join(cache, name_of(name))
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, f"{name}.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(directory):
            return directory
        # Older recipes', and what a run left that was killed.
        for entry in os.listdir(cache):
            if entry.startswith(f"{name}@"):
                shutil.rmtree(os.path.join(cache, entry))
        partial = f"{directory}.partial"
        os.mkdir(partial)
        log_path = os.path.join(cache, f"{name}.log")
        print(f"# making the image {os.path.basename(directory)}; log: {log_path}",
              file=sys.stderr, flush=True)
        with open(log_path, "wb") as log:
            _build(name, partial, log)
        os.rename(partial, directory)
        return directory
