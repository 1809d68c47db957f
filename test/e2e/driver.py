# SPDX-License-Identifier: Apache-2.0
"""driver.py - hosts with a driver's files, and images that have a dynamic loader

The libraries are real ELF files with the right names, built here: whether a program in the
container gets the host's driver is decided by dlopen().
"""

import os
import platform
import shutil
import subprocess

import container
import sandbox

OWN_DIR = "/run/oci-gpu-hook/nvidia"
VERSION = "580.95.05"  # of test/hosts/mixed.host
OTHER_VERSION = "570.12.01"
CACHE = "/etc/ld.so.cache"

MACHINE = platform.machine()
TRIPLE = f"{MACHINE}-linux-gnu"
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
DEBIAN = f"/usr/lib/{TRIPLE}"
LIB64 = "/usr/lib64"

# Base name: SONAME. The second name, for linkers, is what the host has beside them.
LIBRARIES = {"libcuda": "libcuda.so.1", "libnvidia-ml": "libnvidia-ml.so.1",
             "libnvidia-ptxjitcompiler": "libnvidia-ptxjitcompiler.so.1"}
WITH_SECOND_NAME = ("libcuda",)
NAMES = [*LIBRARIES.values(), "libcuda.so"]

SOURCE = "const char *driver_version(void);\nconst char *driver_version(void) {{ return \"{}\"; }}\n"
PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dlprobe.c")

tools = ("gcc", "ldconfig", "busybox")


def why_not():
    """Why this machine cannot run these tests, or None."""
    if MACHINE not in LOADERS:
        return f"no loader is known here for {MACHINE}"
    return sandbox.missing_tools(tools)


def build_library(path, soname, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{soname}", "-x", "c",
                    "-", "-o", path], input=SOURCE.format(text), text=True, check=True)


def make_host(version=VERSION, n_more=0):
    """The mixed host with the files of a driver. n_more: libraries that nobody loads

    Return: its directory
    """
    directory = f"{sandbox.WORK}/hosts/driver-{version}-{n_more}"
    if os.path.exists(directory):
        return directory
    shutil.copytree(container.make_host(), directory, symlinks=True, copy_function=copy_any)
    path = f"{directory}/proc/driver/nvidia/version"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(VERSION, version))
    with open(f"{directory}/proc/driver/nvidia/params", "w", encoding="utf-8") as file:
        file.write("ModifyDeviceFiles: 1\nDeviceFileMode: 438\n")
    for name, soname in LIBRARIES.items():
        library = f"{directory}{DEBIAN}/{name}.so.{version}"
        build_library(library, soname, version)
        os.symlink(os.path.basename(library), f"{directory}{DEBIAN}/{soname}")
        if name in WITH_SECOND_NAME:
            os.symlink(soname, f"{directory}{DEBIAN}/{name}.so")
    for i in range(n_more):
        build_library(f"{directory}{DEBIAN}/libnvidia-more{i}.so.{version}",
                      f"libnvidia-more{i}.so.1", version)
    return directory


CDI_FILE = "/etc/cdi/nvidia.yaml"
CDI_VARIABLE = "NVIDIA_VISIBLE_DEVICES=void"
CDI_HOOK = "/opt/toolkit/nvidia-cdi-hook"  # as another program's: leaves its arguments there
CDI_DATA = "/opt/vendor/data/file"  # in the container
CDI_HOOK_LEFT = "/opt/left/arguments"


def make_cdi_host(version=VERSION, spec_version=None, name="cdi", is_plain=False, n_more=0):
    """The driver's files where nobody looks, and a specification that names them

    spec_version: of the files that it names, if not the driver's; is_plain: without variables
    and another program's hook, and with CDI_DATA. Return: its directory
    """
    source = make_host(version, n_more)
    directory = f"{sandbox.WORK}/hosts/driver-{name}-{version}-{n_more}"
    if os.path.exists(directory):
        return directory
    shutil.copytree(source, directory, symlinks=True, copy_function=copy_any)
    os.makedirs(f"{directory}/opt/driver")
    os.rename(f"{directory}{DEBIAN}", f"{directory}/opt/driver/lib")
    os.makedirs(f"{directory}/opt/toolkit")
    with open(f"{directory}{CDI_HOOK}", "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\necho "$*" "$NVIDIA_CTK_DEBUG" >> "{directory}{CDI_HOOK_LEFT}"\n')
    os.chmod(f"{directory}{CDI_HOOK}", 0o755)
    left_dir = f"{directory}{os.path.dirname(CDI_HOOK_LEFT)}"
    os.makedirs(left_dir)
    os.chmod(left_dir, 0o777)  # rootless, the hook is an ordinary user
    os.makedirs(f"{directory}{os.path.dirname(CDI_FILE)}")
    with open(f"{directory}{CDI_FILE}", "w", encoding="utf-8") as file:
        file.write(cdi_spec(f"{directory}/opt/driver/lib", spec_version or version, is_plain))
    return directory


def cdi_spec(library_dir, version, is_plain):
    """As nvidia-ctk writes it: SONAMEs are left to ldconfig"""
    names = [name for name in sorted(os.listdir(library_dir))
             if not os.path.islink(f"{library_dir}/{name}")]
    lines = ["---", "cdiVersion: 0.5.0", "containerEdits:", "  deviceNodes:"]
    lines += [f"  - path: /dev/{name}" for name in
              ("nvidia-modeset", "nvidia-uvm", "nvidia-uvm-tools", "nvidiactl")]
    hooks = [["create-symlinks", "--link", f"libcuda.so.1::{DEBIAN}/libcuda.so"],
             ["update-ldcache", "--folder", DEBIAN]]
    if not is_plain:
        lines += ["  env:", f"  - {CDI_VARIABLE}"]
        hooks.insert(1, ["enable-cuda-compat", f"--host-driver-version={version}"])
    lines.append("  hooks:")
    for args in hooks:
        lines += ["  - args:", *(f"    - {arg}" for arg in ("nvidia-cdi-hook", *args)),
                  "    env:", "    - NVIDIA_CTK_DEBUG=false", "    hookName: createContainer",
                  f"    path: {CDI_HOOK}"]
    lines.append("  mounts:")
    mounts = {f"{DEBIAN}/{name}": f"/opt/driver/lib/{name}" for name in (
        f"{name.partition('.so.')[0]}.so.{version}" for name in names)}
    if is_plain:
        mounts[CDI_DATA] = CDI_HOOK
    for ctr_path, host_path in mounts.items():
        lines += [f"  - containerPath: {ctr_path}", f"    hostPath: {host_path}", "    options:",
                  *(f"    - {option}" for option in ("ro", "nosuid", "nodev", "rbind"))]
    lines += ["devices:", "- containerEdits:", "    deviceNodes:", "    - path: /dev/nvidia0",
              '  name: "0"', "kind: nvidia.com/gpu", ""]
    return "\n".join(lines)


def cdi_settings(source="cdi"):
    """Arguments for the program"""
    path = f"{sandbox.WORK}/source-{source}.json"
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii") as file:
            file.write(f'{{"nvidia": {{"source": "{source}"}}}}\n')
        os.chmod(path, 0o644)
    return ["--config", path]


def copy_any(source, target):
    """As shutil.copy2(), for nodes as well."""
    info = os.lstat(source)
    if os.path.isfile(source):
        return shutil.copy2(source, target)
    os.mknod(target, info.st_mode, info.st_rdev)
    os.chown(target, info.st_uid, info.st_gid)
    os.chmod(target, info.st_mode & 0o7777)
    return target


def find_on_machine(name):
    output = subprocess.run(["gcc", f"-print-file-name={name}"], check=True, text=True,
                            capture_output=True).stdout
    return os.path.realpath(output.strip())


def add_glibc(rootfs, library_dir=DEBIAN, has_cache=True):
    """Makes an image of a root file system: a C library where a distribution has it, the
    loader, the probe, and maybe the loader's cache."""
    os.makedirs(f"{rootfs}{library_dir}", exist_ok=True)
    os.makedirs(f"{rootfs}/usr/lib64", exist_ok=True)
    for name in ("lib", "lib64"):
        os.symlink(f"usr/{name}", f"{rootfs}/{name}")
    shutil.copy(find_on_machine("libc.so.6"), f"{rootfs}{library_dir}/libc.so.6")
    loader = LOADERS[MACHINE]
    if not os.path.exists(f"{rootfs}{loader}"):
        shutil.copy(os.path.realpath(loader), f"{rootfs}{loader}")
    subprocess.run(["gcc", "-o", f"{rootfs}/bin/dlprobe", PROBE], check=True)
    if has_cache:
        with open(f"{rootfs}/etc/ld.so.conf", "w", encoding="ascii") as file:
            file.write(f"{library_dir}\n")
        subprocess.run(["ldconfig", "-r", rootfs], check=True)
    own_all(rootfs)


def own_all(rootfs):
    """What was added belongs to whom the root belongs to."""
    info = os.stat(rootfs)
    for top, names, files in os.walk(rootfs):
        for name in names + files:
            os.lchown(os.path.join(top, name), info.st_uid, info.st_gid)


class Report:
    """What the probe printed."""

    def __init__(self, text):
        self.text = text
        self.libraries = {}
        self.files = {}
        self.writes = {}
        lines = text.splitlines()
        self.is_complete = "end" in lines
        for line in lines:
            kind, _, rest = line.partition(" ")
            name, _, what = rest.partition(" ")
            if kind in ("dl", "file", "write"):
                {"dl": self.libraries, "file": self.files, "write": self.writes}[kind][name] = what

    def check(self, version, names=tuple(NAMES)):
        """Every library is of that version; None: there is none."""
        problems = [] if self.is_complete else [f"the probe broke off: {self.text!r}"]
        for name in names:
            found = self.libraries.get(name, "")
            if found != version and not (version is None and found.startswith("none: ") and
                                         "No such file" in found):
                problems.append(f"{name} is {found!r}, not {version}")
        return problems


def in_cache(path):
    """{name: path} as ldconfig reads a cache"""
    output = subprocess.run(["ldconfig", "-p", "-C", path], check=True, text=True,
                            capture_output=True).stdout
    found = {}
    for line in output.splitlines()[1:]:
        name, _, rest = line.strip().partition(" ")
        if " => " in rest:
            found[name] = rest.partition(" => ")[2]
    return found


def check_left(before, after):
    """What an image keeps: links into our own directory, directories, the loader's cache. No
    file, at which a loader would stop."""
    return [f"{path} was {before.get(path)}, is {what}" for path, what in after.items()
            if before.get(path) != what and not what.startswith("d")
            and f" -> {OWN_DIR}/" not in what and f"/{path}" != CACHE]
