# SPDX-License-Identifier: Apache-2.0
"""container.py - bundles, made hosts, and what a probe in a container reports"""

import copy
import json
import os
import re
import shutil
import stat
import subprocess
import sys

import sandbox

sys.path.insert(0, os.path.join(sandbox.TOP, "test/hosts"))
import build_host  # pylint: disable=wrong-import-position

KEY = "io.oci-gpu-hook.gpu"
CHOSEN = "io.oci-gpu-hook.chosen"
PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.sh")

# What is in test/hosts/mixed.host: an NVIDIA and an AMD GPU and a management controller.
NVIDIA = {"/dev/nvidiactl": (195, 255), "/dev/nvidia0": (195, 0),
          "/dev/nvidia-uvm": (508, 0), "/dev/nvidia-uvm-tools": (508, 1)}
AMD = {"/dev/kfd": (235, 0), "/dev/dri/renderD129": (226, 129)}
AMD_LINKS = {"/dev/dri/by-path/pci-0000:0f:00.0-render": "../renderD129"}
RENDER_GROUP = 105  # of renderD129 and kfd, which are 0660

# Everything of that host, so that a test sees what it did not ask for.
ALL_PATHS = [*NVIDIA, *AMD, *AMD_LINKS, "/dev/nvidia-modeset", "/dev/dri/renderD128",
             "/dev/dri/card0", "/dev/dri/card1", "/dev/dri/card2",
             "/dev/dri/by-path/pci-0000:0f:00.0-card",
             "/dev/dri/by-path/pci-0000:81:00.0-card",
             "/dev/dri/by-path/pci-0000:81:00.0-render"]
ALL_NUMBERS = {*NVIDIA.values(), *AMD.values(), (195, 1), (195, 254), (226, 128), (226, 1)}

# The words of strerror(), and busybox's own for ENOENT.
ERRORS = {"No such device or address": "ENXIO", "No such device": "ENODEV",
          "Operation not permitted": "EPERM", "Permission denied": "EACCES",
          "Read-only file system": "EROFS", "no such file": "ENOENT",
          "No such file or directory": "ENOENT", "nonexistent directory": "ENOENT"}

# A made-up node has no driver: ENXIO says that everything before the driver let it pass.
# Where the machine has such a driver, it may even open.
ALLOWED = {"ok", "ENXIO", "ENODEV"}


def make_host(name="mixed"):
    """Builds a made host with real nodes. Return: its directory"""
    directory = f"{sandbox.WORK}/hosts/{name}"
    if not os.path.exists(directory):
        os.makedirs(directory)
        os.chmod(f"{sandbox.WORK}/hosts", 0o755)
        manifest = os.path.join(sandbox.TOP, f"test/hosts/{name}.host")
        build_host.build_host(manifest, directory)
    return directory


def make_rootfs(directory, owner=0):
    """A root file system with busybox and the probe."""
    for name in ("bin", "dev", "proc", "sys", "tmp", "etc", "run"):
        os.makedirs(os.path.join(directory, name), exist_ok=True)
    shutil.copy(shutil.which("busybox"), os.path.join(directory, "bin/busybox"))
    os.symlink("busybox", os.path.join(directory, "bin/sh"))
    shutil.copy(PROBE, os.path.join(directory, "bin/probe.sh"))
    for name in ("bin/busybox", "bin/probe.sh"):
        os.chmod(os.path.join(directory, name), 0o755)
    os.chmod(os.path.join(directory, "tmp"), 0o1777)
    if owner:
        give_tree(directory, owner)


def give_tree(directory, owner):
    for top, names, files in os.walk(directory):
        for name in names + files:
            os.lchown(os.path.join(top, name), owner, owner)
    os.chown(directory, owner, owner)


def probe_command():
    numbers = [f"{major}:{minor}" for major, minor in sorted(ALL_NUMBERS)]
    return ["/bin/sh", "/bin/probe.sh", *ALL_PATHS, "--", *numbers]


# What a container needs to run the probe, close to what engines write.
CAPABILITIES = ["CAP_MKNOD", "CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE"]
CONFIG = {
    "ociVersion": "1.0.2",
    "process": {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": probe_command(),
        "env": ["PATH=/bin"],
        "cwd": "/",
        "capabilities": {name: CAPABILITIES for name in ("bounding", "effective", "permitted")},
        "noNewPrivileges": True,
    },
    "root": {"path": "rootfs", "readonly": False},
    "hostname": "probe",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "mode=1777"]},
    ],
    "annotations": {},
    "linux": {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "mount", "network")],
    },
}


class Bundle:
    """A directory with a config.json that a test changes before write()."""

    count = 0

    def __init__(self, owner=0):
        Bundle.count += 1
        self.directory = f"{sandbox.WORK}/bundle-{Bundle.count}"
        self.rootfs = f"{self.directory}/rootfs"
        self.config = copy.deepcopy(CONFIG)
        make_rootfs(self.rootfs, owner)

    def request(self, value, key=KEY):
        self.config["annotations"][key] = value
        return self

    def add_hook(self, *args, stage="createRuntime"):
        """args: the program, then its arguments without its name"""
        hooks = self.config.setdefault("hooks", {}).setdefault(stage, [])
        hooks.append({"path": args[0], "args": list(args), "env": ["PATH=/usr/sbin:/usr/bin"],
                      "timeout": 30})
        return self

    def write(self):
        with open(f"{self.directory}/config.json", "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=2)
        return self


def errno_name(text):
    return "ok" if text == "ok" else ERRORS.get(text, text)


class Report:
    """What the probe printed, by kind."""

    def __init__(self, text):
        self.text = text
        self.nodes = {}  # path: (major, minor)
        self.modes = {}  # path: "660 0:105"
        self.opens = {}  # path: "ok" or the error's name
        self.chmods = {}
        self.links = {}
        self.others = []
        self.mknods = {}  # (major, minor): as opens
        self.mounts = []  # lines of mountinfo
        self.dev = []  # every file below /dev
        self.ids = None
        self.is_complete = False
        for line in text.splitlines():
            kind, _, rest = line.partition(" ")
            read = getattr(self, f"_read_{kind}", None)
            if read:
                read(rest)

    def _read_node(self, rest):
        path, number, mode, owner = rest.split()
        major, minor = number.split(":")
        self.nodes[path] = (int(major, 16), int(minor, 16))
        self.modes[path] = f"{mode} {owner}"

    def _read_open(self, rest):
        path, _, result = rest.partition(" ")
        self.opens[path] = errno_name(result)

    def _read_chmod(self, rest):
        path, _, result = rest.partition(" ")
        self.chmods[path] = errno_name(result)

    def _read_link(self, rest):
        path, _, target = rest.partition(" ")
        self.links[path] = target

    def _read_other(self, rest):
        self.others.append(rest)

    def _read_mknod(self, rest):
        number, _, result = rest.partition(" ")
        major, minor = number.split(":")
        self.mknods[(int(major), int(minor))] = errno_name(result)

    def _read_mount(self, rest):
        self.mounts.append(rest)

    def _read_dev(self, rest):
        self.dev.append(rest)

    def _read_ids(self, rest):
        self.ids = tuple(int(word) for word in rest.split())

    def _read_end(self, _rest):
        self.is_complete = True

    def mounts_at(self, path):
        return [line for line in self.mounts if line.split()[4] == path]


def same_mounts(lines):
    """Lines of mountinfo without what differs from one container to the next: the ids of
    mounts, devices and peer groups, and the names of bundles, containers and layers."""
    result = []
    for line in lines:
        line = re.sub(r"^\d+ \d+ \d+:\d+ ", "", line)
        line = re.sub(r"\b(shared|master|propagate_from):\d+", r"\1", line)
        result.append(re.sub(r"bundle-\d+|ogh\d+-\d+|\b[0-9a-f]{64}\b|\b[0-9A-Z]{26}\b", "ID",
                             line))
    return result


def check_report(report, nodes, links, *, refused="EPERM", opens=True, is_bound=True):
    """Compares a report with what was asked for.

    nodes, links: all that may be there; whatever else of the host is there is a mistake
    refused: what making and opening a node that was not asked for must give; None where
        nothing refuses it
    opens: nodes must open; else they must be refused by their permissions
    is_bound: nodes are read-only mounts, not nodes that the runtime made
    """
    if not report.is_complete:
        return [f"the probe did not come to its end: {report.text!r}"]
    problems = []
    if report.nodes != nodes:
        problems.append(f"nodes are {report.nodes}, not {nodes}")
    if report.links != links:
        problems.append(f"links are {report.links}, not {links}")
    if report.others:
        problems.append(f"neither node nor link: {report.others}")
    for path in nodes:
        result = report.opens.get(path)
        if opens and result not in ALLOWED:
            problems.append(f"{path} does not open: {result}")
        if not opens and result != "EACCES":
            problems.append(f"{path} should be refused by its permissions: {result}")
        if is_bound:
            problems += check_mount(report, path)
    for number in sorted(ALL_NUMBERS - set(nodes.values())):
        result = report.mknods.get(number)
        if result != refused and (refused is not None or result is None):
            problems.append(f"device {number} was not asked for; opening a node of it gives "
                            f"{result}, not {refused}")
    return problems


def check_mount(report, path):
    """A node is one mount, on which nobody in the container can change the host's node."""
    mounts = report.mounts_at(path)
    if len(mounts) != 1:
        return [f"{path} is mounted {len(mounts)} times: {mounts}"]
    problems = []
    flags = set(mounts[0].split()[5].split(","))
    if not flags >= {"ro", "nosuid", "noexec"}:
        problems.append(f"{path} is mounted with {flags}")
    # Without root's rights it is EPERM; never "ok".
    if report.chmods.get(path) not in ({"EROFS"} if report.ids[0] == 0 else {"EROFS", "EPERM"}):
        problems.append(f"chmod of {path} in the container gives {report.chmods.get(path)}")
    return problems


def list_tree(directory):
    """{path: what it is} of everything below a directory, to compare before and after"""
    found = {}
    for top, names, files in os.walk(directory):
        for name in names + files:
            path = os.path.join(top, name)
            info = os.lstat(path)
            what = f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid}"
            if stat.S_ISLNK(info.st_mode):
                what += " -> " + os.readlink(path)
            elif stat.S_ISCHR(info.st_mode):
                what += f" {os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"
            elif stat.S_ISREG(info.st_mode):
                what += f" {info.st_size} bytes"
            found[os.path.relpath(path, directory)] = what
    return found


def run(command, limit=60, **kwargs):
    """Runs a command, its output as text. Return: subprocess.CompletedProcess"""
    return subprocess.run(command, text=True, errors="replace", capture_output=True,
                          check=False, timeout=limit, **kwargs)
