#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs containers with a real NVIDIA GPU under runc, and compares inside with outside.

usage: check_gpu.py --hook FILE [--runc FILE] [--driver-root DIR] [--require] [--results]

For each GPU by index, UUID and PCI address, for all, and for none: `nvidia-smi -L` inside is
what it is outside for those GPUs; only their nodes are there and open; CUDA adds two vectors
(driver API, PTX text, no toolkit) on each. For graphics the GPU's render node is there.

  --hook FILE         the program, statically linked: nothing else of it is needed
  --runc FILE         default: runc of $PATH
  --program FILE      in_container.c, built; default: built here with gcc
  --driver-root DIR   the driver's files are below DIR (as nvidia.driverRoot)
  --host-root DIR     stands for the host: for a made driver, see test_made_driver.py
  --require           a GPU is there: without one this fails
  --results           writes RESULTS.md

Exit status: 0 all as it should be, 1 something is not, 77 no GPU or no runc (never with
--require).
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KEY = "io.oci-gpu-hook.gpu"
TIMEOUT_S = 120
SKIPPED = 77
LIBRARY_DIRS = ["lib/x86_64-linux-gnu", "lib64", "lib/aarch64-linux-gnu", "lib"]


class Missing(Exception):
    """What the test needs is not there."""


def run(command, **kwargs):
    return subprocess.run([str(word) for word in command], timeout=TIMEOUT_S, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)


# ---- the host ------------------------------------------------------------------------------

class Host:
    """The driver and its GPUs, as they are outside."""

    def __init__(self, options):
        self.root = pathlib.Path(options.host_root)
        self.driver_root = self.root / options.driver_root.lstrip("/")
        self.smi = self.find(["usr/bin", "bin", "usr/local/nvidia/bin"], "nvidia-smi")
        self.environment = dict(os.environ)
        libraries = [self.driver_root / place for place in
                     ["usr/lib/x86_64-linux-gnu", "usr/lib64", "lib64", "lib", "usr/lib"]]
        if self.driver_root != pathlib.Path("/"):
            self.environment["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
            self.environment["MADE_DEV"] = str(self.root / "dev")
        self.gpus = self.list_gpus()

    def find(self, places, name):
        for root in (self.driver_root, self.root):
            for place in places:
                if (root / place / name).exists():
                    return root / place / name
        raise Missing(f"no {name} below {self.driver_root}")

    def list_gpus(self):
        """[(line of -L without its number, PCI address)], in the order of nvidia-smi"""
        listed = run([self.smi, "-L"], env=self.environment)
        lines = smi_lines(listed.stdout)
        if listed.returncode != 0 or not lines:
            raise Missing(f"nvidia-smi -L lists no GPU: {listed.stdout.strip()[:200]}")
        asked = run([self.smi, "--query-gpu=pci.bus_id", "--format=csv,noheader"],
                    env=self.environment)
        addresses = [re.sub(r"^[0-9a-f]{4}(?=[0-9a-f]{4}:)", "", word.strip().lower())
                     for word in asked.stdout.splitlines()]
        if len(addresses) != len(lines):
            raise Missing(f"nvidia-smi names {len(addresses)} addresses of {len(lines)} GPUs")
        return list(zip(lines, addresses))

    def read(self, path):
        try:
            return (self.root / path.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def version(self):
        found = re.search(r"\s(\d+\.\d+(\.\d+)?)\s", self.read("/proc/driver/nvidia/version"))
        return found.group(1) if found else "?"

    def minor(self, address):
        found = re.search(r"Device Minor:\s*(\d+)",
                          self.read(f"/proc/driver/nvidia/gpus/{address}/information"))
        return int(found.group(1)) if found else None

    def render_nodes(self, address):
        drm = self.root / "sys/bus/pci/devices" / address / "drm"
        names = os.listdir(drm) if drm.is_dir() else []
        return sorted(f"/dev/dri/{name}" for name in names if name.startswith("renderD"))


def smi_lines(text):
    """Lines of `nvidia-smi -L` without their numbers: those count what is visible."""
    return [re.sub(r"^GPU \d+: ", "", line) for line in text.splitlines()
            if line.startswith("GPU ")]


def uuid_of(line):
    return re.search(r"UUID: ([^)]*)", line).group(1)


# ---- the container -------------------------------------------------------------------------

class Container:
    """A root with the host's C library and one program, and runc on it."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.rootfs = self.directory / "rootfs"
        self.settings = self.directory / "settings.json"
        driver_root = options.driver_root
        self.settings.write_text(json.dumps({"nvidia": {"driverRoot": driver_root}}),
                                 encoding="utf-8")
        self.program = options.program or self.build()
        self.make_rootfs()
        self.count = 0

    def build(self):
        program = self.directory / "in_container"
        built = run(["gcc", "-O1", "-o", program, HERE / "in_container.c", "-ldl"])
        if built.returncode != 0:
            raise Missing(f"in_container.c does not build: {built.stdout}")
        return program

    def make_rootfs(self):
        for place in ("usr/bin", "usr/lib64", "dev", "proc", "sys", "run", "tmp", "etc",
                      "var"):
            (self.rootfs / place).mkdir(parents=True)
        for name in ("lib", "lib64", "bin"):
            (self.rootfs / name).symlink_to(f"usr/{name}")
        (self.rootfs / "var/run").symlink_to("/run")
        shutil.copy(self.program, self.rootfs / "usr/bin/in_container")
        for name in ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1",
                     "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"):
            for place in LIBRARY_DIRS:
                if (pathlib.Path("/") / place / name).exists():
                    (self.rootfs / "usr" / place).mkdir(parents=True, exist_ok=True)
                    shutil.copy(pathlib.Path("/") / place / name,
                                self.rootfs / "usr" / place / name)

    def config(self, args, request):
        hook = [str(self.options.hook), "createRuntime", "--config", str(self.settings)]
        if self.options.host_root != "/":
            hook += ["--host-root", self.options.host_root]
        names = ["pid", "mount", "ipc", "uts", "network"]
        return {
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/",
                        "args": args, "env": ["PATH=/usr/bin"]},
            "root": {"path": "rootfs", "readonly": False},
            "annotations": {KEY: request} if request else {},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                 "options": ["nosuid", "mode=755"]},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs",
                 "options": ["ro", "nosuid", "noexec", "nodev"]}],
            "linux": {"namespaces": [{"type": name} for name in names],
                      "resources": {"devices": [{"allow": False, "access": "rwm"}]}},
            "hooks": {"createRuntime": [{"path": hook[0], "args": hook, "timeout": 15}]},
        }

    def run(self, args, request):
        self.count += 1
        (self.directory / "config.json").write_text(json.dumps(self.config(args, request)),
                                                    encoding="utf-8")
        name = f"check-gpu-{os.getpid()}-{self.count}"
        try:
            return run([self.options.runc, "run", "--bundle", self.directory, name])
        finally:
            run([self.options.runc, "delete", "--force", name])


# ---- the checks ----------------------------------------------------------------------------

class Check:
    """Rows of the table: what was asked, what was looked at, what came out."""

    def __init__(self, host, container):
        self.host = host
        self.container = container
        self.rows = []

    def row(self, request, what, is_right, seen):
        self.rows.append((request or "(none)", what, "ok" if is_right else "WRONG", seen))

    def nodes(self, request):
        """{path: what open() says}, or None"""
        result = self.container.run(["in_container", "nodes"], request)
        if result.returncode != 0:
            self.row(request, "container", False, result.stdout.strip()[-300:])
            return None
        return dict(line.split(" ", 1) for line in result.stdout.splitlines())

    def check_nodes(self, request, gpus):
        nodes = self.nodes(request)
        if nodes is None:
            return
        wanted = {f"/dev/nvidia{self.host.minor(address)}" for _, address in gpus}
        there = {path for path in nodes if re.fullmatch(r"/dev/nvidia\d+", path)}
        is_open = all(nodes.get(path) == self.container.options.opens
                      for path in wanted | {"/dev/nvidiactl"})
        self.row(request, "nodes", there == wanted and is_open,
                 " ".join(f"{path} ({nodes[path]})" for path in sorted(there)))

    def check_smi(self, request, gpus):
        result = self.container.run(["nvidia-smi", "-L"], request)
        lines = smi_lines(result.stdout)
        is_right = result.returncode == 0 and lines == [line for line, _ in gpus]
        self.row(request, "nvidia-smi -L", is_right,
                 f"{len(lines)} GPUs, as outside" if is_right else result.stdout.strip()[-300:])

    def check_cuda(self, request, gpus):
        result = self.container.run(["in_container", "add"], request)
        lines = result.stdout.strip().splitlines()
        is_right = (result.returncode == 0 and len(lines) == len(gpus)
                    and all(line.endswith(": 0 of 1000000 sums wrong") for line in lines))
        self.row(request, "CUDA", is_right,
                 f"{len(lines)} x 1000000 right sums" if is_right
                 else result.stdout.strip()[-300:])

    def check_request(self, request, gpus):
        self.check_nodes(request, gpus)
        self.check_smi(request, gpus)
        self.check_cuda(request, gpus)

    def check_none(self):
        """Without a request no GPU is there, and no program of the driver."""
        nodes = self.nodes(None)
        if nodes is not None:
            self.row(None, "nodes", not nodes, " ".join(sorted(nodes)) or "no node")
        result = self.container.run(["nvidia-smi", "-L"], None)
        self.row(None, "nvidia-smi -L", result.returncode != 0 and not smi_lines(result.stdout),
                 "not there" if result.returncode != 0 else result.stdout.strip()[-300:])

    def check_render(self, index, address):
        wanted = self.host.render_nodes(address)
        request = f"vendor=nvidia;devices={index};capabilities=graphics+utility"
        nodes = self.nodes(request)
        if nodes is not None:
            there = sorted(path for path in nodes if path.startswith("/dev/dri/renderD"))
            self.row(request, "render node", there == wanted,
                     f"{' '.join(there) or 'none'}; outside {' '.join(wanted) or 'none'}")

    def check_all(self):
        gpus = self.host.gpus
        self.check_none()
        for index, gpu in enumerate(gpus):
            line, address = gpu
            for device in (str(index), uuid_of(line), address):
                self.check_request(f"vendor=nvidia;devices={device}", [gpu])
            self.check_render(index, address)
        self.check_request("nvidia:all", gpus)

    def table(self):
        head = ("request", "what", "", "seen")
        rows = [head, tuple("---" for _ in head),
                *(tuple(cell.replace("\n", " ").replace("|", "/") for cell in row)
                  for row in self.rows)]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)

    def is_right(self):
        return bool(self.rows) and all(row[2] == "ok" for row in self.rows)


def report(host, check, options):
    runc = run([options.runc, "--version"]).stdout.splitlines()[0]
    models = ", ".join(sorted({line.split(" (UUID")[0] for line, _ in host.gpus}))
    return (f"{datetime.date.today().isoformat()}: driver {host.version()}, "
            f"Linux {platform.release()}, {runc}; {len(host.gpus)} GPUs: {models}; "
            f"the driver's files below {options.driver_root}\n\n{check.table()}\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hook", required=True, type=pathlib.Path)
    parser.add_argument("--runc", default=shutil.which("runc"))
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--driver-root", default="/")
    parser.add_argument("--host-root", default="/")
    parser.add_argument("--opens", default="opens", help=argparse.SUPPRESS)
    parser.add_argument("--require", action="store_true")
    parser.add_argument("--results", action="store_true")
    options = parser.parse_args()
    options.hook = options.hook.resolve()
    return options


def main():
    options = parse()
    try:
        if not options.runc:
            raise Missing("no runc; name one with --runc")
        if not os.access(options.hook, os.X_OK):
            raise Missing(f"no hook at {options.hook}")
        host = Host(options)
        with tempfile.TemporaryDirectory(prefix="check-gpu-") as directory:
            check = Check(host, Container(options, directory))
            check.check_all()
    except Missing as missing:
        print(f"check_gpu: {'FAILED' if options.require else 'skipped'}: {missing}")
        return 1 if options.require else SKIPPED
    text = report(host, check, options)
    print(text)
    if options.results:
        (HERE / "RESULTS.md").write_text(f"# Runs on real GPUs\n\n{text}", encoding="utf-8")
    return 0 if check.is_right() else 1


if __name__ == "__main__":
    sys.exit(main())
