# SPDX-License-Identifier: Apache-2.0
"""host.py - what the test machine itself has: nodes, drivers, units, its log"""

import collections
import glob
import json
import os
import re
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROBE = os.path.join(HERE, "probe")
HOOK = "/usr/bin/oci-gpu-hook"
NODES_ONLY = "/usr/bin/hook-nodes-only"
EDIT_ONLY = "/usr/bin/hook-edit-only"
DISK = "/dev/vda"
FUSE = "/dev/fuse"
KFD = "/dev/kfd"
USER = "tester"
UID = 1000


def run(command, limit=60, check=False, **kwargs):
    """Return: subprocess.CompletedProcess, with text; what it says goes to the log."""
    if "input" not in kwargs:
        kwargs.setdefault("stdin", subprocess.DEVNULL)
    result = subprocess.run(command, text=True, errors="replace", timeout=limit, check=False,
                            capture_output="stdout" not in kwargs, **kwargs)
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: status {result.returncode}: "
                           f"{result.stdout or ''}{result.stderr or ''}".strip())
    return result


def parse(text):
    """The probe's answer: {what: "OK", "OK driver" or an error's name}"""
    return dict(line.split(" ", 1) for line in text.splitlines())


def look(*what):
    """Opens nodes here, outside of any container."""
    return parse(run([PROBE, *what], check=True).stdout)


def number(path):
    """ "c:MAJOR:MINOR", as the probe makes a node of that number """
    device = os.stat(path).st_rdev
    kind = "b" if path == DISK else "c"
    return f"{kind}:{os.major(device)}:{os.minor(device)}"


class RenderNode:
    def __init__(self, path):
        self.path = path
        self.driver = look(path)[path].removeprefix("OK ")
        device = os.path.realpath(f"/sys/class/drm/{os.path.basename(path)}/device")
        found = re.findall(r"/([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", device)
        self.pci = found[-1] if found else ""


def render_nodes(driver=None):
    """The render nodes, those of PCI devices first and in the order of their addresses."""
    nodes = [RenderNode(path) for path in glob.glob("/dev/dri/renderD*")]
    nodes = [node for node in nodes if driver in (None, node.driver)]
    return sorted(nodes, key=lambda node: (not node.pci, node.pci, node.path))


def all_nodes():
    """Every node that a hook for GPUs could have its hands on."""
    return [KFD, *sorted(glob.glob("/dev/dri/renderD*") + glob.glob("/dev/dri/card*"))]


def render_group():
    return os.stat(render_nodes()[0].path).st_gid


def as_user(command):
    """The command line that does it as the ordinary user, with that user's systemd."""
    return ["runuser", "-u", USER, "--", "env", "-C", "/", f"XDG_RUNTIME_DIR=/run/user/{UID}",
            f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{UID}/bus", *command]


class Log:
    """What the hook has written to the system's log since this was made. With a lock around
    it: a line does not say for which container it is."""

    lock = threading.Lock()

    def __init__(self):
        self.before = len(self._all())

    @staticmethod
    def _all():
        # By number: with a filter, systemd 252 leaves out the first line after a cursor.
        run(["journalctl", "--sync"], check=True)
        return run(["journalctl", "--identifier=oci-gpu-hook", "--output=cat"],
                   check=True).stdout.splitlines()

    def lines(self):
        return self._all()[self.before:]


LEFT_OVER_PLACES = ["/run/systemd/transient", "/run/systemd/system.control",
                    "/etc/systemd/system.control", "/sys/fs/bpf",
                    f"/run/user/{UID}/systemd/transient"]


def device_programs():
    """The kernel's device programs, "TAG number N" for the N-th of the same code: systemd
    loads its own anew at a daemon-reload, so their ids mean nothing."""
    programs = json.loads(run(["bpftool", "--json", "prog", "list"], check=True).stdout)
    count = collections.Counter(program["tag"] for program in programs
                                if program["type"] == "cgroup_device")
    return {f"device program {tag} number {i + 1}" for tag in count
            for i in range(count[tag])}


def left_over():
    """What containers, and what a hook does for them, could leave on a machine."""
    found = device_programs()
    for place in LEFT_OVER_PLACES:
        for top, directories, files in os.walk(place):
            found.update(os.path.join(top, name) for name in directories + files)
    for top, directories, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(top, name) for name in directories
                     if re.search("test-|libpod|crun|runc|conmon", name))
    return found


def still_there(before):
    """systemd takes a moment to remove a unit whose processes are gone."""
    for _ in range(50):
        new = left_over() - before
        if not new:
            return []
        time.sleep(0.2)
    return sorted(new)


def disable_generators():
    """Programs that each daemon-reload runs, a dozen of them: in emulation they take most of
    its time, and no container has to do with them."""
    directory = "/run/systemd/system-generators"
    os.makedirs(directory, exist_ok=True)
    for path in glob.glob("/usr/lib/systemd/system-generators/*"):
        if not path.endswith("/systemd-fstab-generator"):
            os.symlink("/dev/null", os.path.join(directory, os.path.basename(path)))


def mask_units():
    """At each daemon-reload systemd looks at every unit that it has heard of: in emulation
    that is most of the time that it takes. Those that are done with the machine's start, and
    the units of devices, are of no use to any container."""
    for unit in run(["systemctl", "list-units", "--all", "--plain", "--no-legend",
                     "--type=service,socket,path,timer", "--state=inactive"],
                    check=True).stdout.splitlines():
        link = f"/run/systemd/system/{unit.split()[0]}"
        if not os.path.lexists(link):
            os.symlink("/dev/null", link)
    os.makedirs("/run/udev/rules.d", exist_ok=True)
    os.symlink("/dev/null", "/run/udev/rules.d/99-systemd.rules")
    for command in ("control --reload", "trigger", "settle"):
        run(["udevadm", *command.split()], check=True)


def set_up():
    """Once, before all tests."""
    disable_generators()
    mask_units()
    for program in (HOOK, NODES_ONLY, EDIT_ONLY):
        source = os.path.join(HERE, os.path.basename(program))
        if os.path.exists(source):
            run(["install", "-m755", source, program], check=True)
    run(["modprobe", "fuse"], check=True)
    for path in (DISK, FUSE):
        os.chmod(path, 0o666)
    run(["useradd", "--create-home", f"--uid={UID}", "--groups=render", USER], check=True)
    run(["loginctl", "enable-linger", USER], check=True)
    # A unit that has nothing to do with any container.
    with open("/run/systemd/system/neighbour.service", "w", encoding="ascii") as file:
        file.write("[Service]\nExecStart=/bin/sleep infinity\n")
    run(["systemctl", "daemon-reload"], check=True)
    run(["systemctl", "start", "neighbour"], check=True)
