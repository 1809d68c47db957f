#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests check_gpu.py itself, with a made host of two GPUs and a made driver under runc.

usage: test_made_driver.py --hook HOOK

The nodes are real ones without hardware behind them: open() says ENXIO where the device
cgroup allows them. Then each fault that check_gpu.py is for is made once, and it must fail.
Needs root, gcc and runc; is skipped, with the reason, without them.
"""

import argparse
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import tap  # noqa: E402

VERSION = "580.95.05"
LIBRARIES = "opt/driver/usr/lib/x86_64-linux-gnu"
OPENS = "No such device or address"


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def node(root, path, major, minor):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(file, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
    file.chmod(0o666)


def build(source, target, *flags):
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O1", *flags, "-o", target, HERE / source], check=True, timeout=120)


def make_host(root):
    """Two GPUs, minors 0 and 1, the first with a render node; files below /opt/driver."""
    write(root, "proc/devices", "Character devices:\n195 nvidia\n226 drm\n510 nvidia-uvm\n")
    write(root, "proc/driver/nvidia/version",
          f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {VERSION}  Release Build\n")
    for i in range(2):
        address = f"0000:0{i + 1}:00.0"
        write(root, f"proc/driver/nvidia/gpus/{address}/information",
              f"Model: \t\t Made GPU\nGPU UUID: \t GPU-{i:08}-aaaa-bbbb-cccc-000000000000\n"
              f"Bus Location: \t {address}\nDevice Minor: \t {i}\nGPU Excluded:\t No\n")
        device = f"sys/devices/pci0000:00/{address}"
        write(root, f"{device}/vendor", "0x10de\n")
        write(root, f"{device}/class", "0x030200\n")
        (root / "sys/bus/pci/drivers/nvidia").mkdir(parents=True, exist_ok=True)
        (root / device / "subsystem").symlink_to("../../../bus/pci")
        (root / device / "driver").symlink_to("../../../bus/pci/drivers/nvidia")
        (root / "sys/bus/pci/devices").mkdir(parents=True, exist_ok=True)
        (root / f"sys/bus/pci/devices/{address}").symlink_to(
            f"../../../devices/pci0000:00/{address}")
        node(root, f"dev/nvidia{i}", 195, i)
    drm = "sys/devices/pci0000:00/0000:01:00.0/drm/renderD128"
    write(root, f"{drm}/dev", "226:128\n")
    (root / drm / "device").symlink_to("../..")
    (root / drm / "subsystem").symlink_to("../../../../../class/drm")
    (root / "sys/class/drm").mkdir(parents=True)
    (root / "sys/class/drm/renderD128").symlink_to(f"../../{drm[4:]}")
    node(root, "dev/nvidiactl", 195, 255)
    node(root, "dev/nvidia-uvm", 510, 0)
    node(root, "dev/nvidia-uvm-tools", 510, 1)
    node(root, "dev/dri/renderD128", 226, 128)
    make_driver(root)


def make_driver(root, *flags):
    build("made_driver.c", root / LIBRARIES / f"libcuda.so.{VERSION}", "-shared", "-fPIC",
          "-Wl,-soname,libcuda.so.1", *flags)
    build("made_driver.c", root / "opt/driver/usr/bin/nvidia-smi", "-DSMI")


def check(hook, root, *options):
    """Return: the exit status and the output of check_gpu.py"""
    result = subprocess.run(
        [sys.executable, "-B", HERE / "check_gpu.py", "--hook", hook, "--host-root", root,
         "--driver-root", "/opt/driver", "--opens", OPENS, *options],
        timeout=300, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return result.returncode, result.stdout


def test(hook, root, out):
    def expect(name, outcome, status, text):
        is_right = outcome[0] == status and text in outcome[1]
        out.check(name, "" if is_right else f"exit status {outcome[0]}\n{outcome[1]}")

    make_host(root)
    expect("a made driver passes", check(hook, root), 0, "2 x 1000000 right sums")
    make_driver(root, "-DBROKEN")
    expect("wrong sums are seen", check(hook, root), 1, "999999 of 1000000 sums wrong")
    make_driver(root)
    (root / "dev/nvidia1").unlink()
    expect("a GPU without its node is seen", check(hook, root), 1, "| WRONG |")
    node(root, "dev/nvidia1", 195, 1)
    expect("a hook that does nothing is seen", check("/bin/true", root), 1, "| WRONG |")
    shutil.rmtree(root / "opt")
    expect("no driver is a failure when one is required", check(hook, root, "--require"),
           1, "FAILED: no nvidia-smi")
    expect("no driver is a skip otherwise", check(hook, root), 77, "skipped: no nvidia-smi")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hook", required=True, type=pathlib.Path)
    hook = parser.parse_args().hook.resolve()
    missing = [tool for tool in ("gcc", "runc") if not shutil.which(tool)]
    out = tap.Writer()
    if os.geteuid() != 0 or missing:
        out.skip("all", f"{' and '.join(missing)} not installed" if missing else "needs root")
        return out.done()
    with tempfile.TemporaryDirectory(prefix="made-driver-") as directory:
        test(hook, pathlib.Path(directory), out)
    return out.done()


if __name__ == "__main__":
    sys.exit(main())
