#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vm.py --hook PROGRAM [--suite NAME | --shell COMMAND]... - tests that need real drivers

Boots the disk of image.py under qemu, hands it the program and the tests of guest/ on a
second disk, and prints the TAP that comes back over its second serial port. The machine's
disk is not written to. When a test fails, the end of the guest's log follows.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import image

QEMU = "qemu-system-x86_64"
MEMORY = "2G"
KVM_LIMIT = 20  # seconds; a kernel that panics at once needs 3
# In emulation an old processor is the faster one: its string functions and page tables are
# simpler. Start and two suites took 82 s of processor time, and 101 s with "max".
TCG_CPU = "Nehalem"

CMDLINE = "root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off " \
    "systemd.show_status=no rd.udev.log_level=3"


def machine(accelerator, directory, cmdline, console):
    """The part of qemu's command line that every start has."""
    return [QEMU, "-accel", accelerator, "-cpu", TCG_CPU if "tcg" in accelerator else "host",
            "-smp", "2", "-m", MEMORY, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-kernel", f"{directory}/vmlinuz", "-initrd", f"{directory}/initrd",
            "-append", cmdline, "-serial", f"file:{console}"]


def finish(process, limit):
    """Return: the exit status, or None if the limit was reached and it was killed."""
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def is_kvm_good(directory, work):
    """Whether a kernel gets through its start under KVM: in some virtual machines the device
    is there and the guest hangs. The answer is kept until the next boot of this machine."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    answer = os.path.join(os.path.dirname(directory), "kvm.json")
    try:
        with open(answer, encoding="utf-8") as file:
            kept = json.load(file)
        if kept["boot"] == boot:
            return kept["good"]
    except (OSError, ValueError, KeyError):
        pass
    # Without a root file system it panics, and with panic=-1 that ends qemu.
    process = image.start(machine("kvm", directory, "console=ttyS0 panic=-1 rdinit=/none",
                                  f"{work}/kvm.log"),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    good = finish(process, KVM_LIMIT) == 0
    with open(answer, "w", encoding="utf-8") as file:
        json.dump({"boot": boot, "good": good}, file)
    return good


def compile_probe(work):
    """The program that opens nodes inside of containers: it brings its own libc along."""
    probe = f"{work}/probe"
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror",
                    "-static", "-o", probe, os.path.join(HERE, "guest/probe.c")],
                   check=True, timeout=120)
    return probe


def partial_hooks(hook):
    """The hook without some of its steps; not built by default."""
    build = os.path.dirname(os.path.abspath(hook))
    names = ["hook-nodes-only", "hook-edit-only"]
    subprocess.run(["meson", "compile", "-C", build, *names], check=True, timeout=300,
                   stdout=subprocess.DEVNULL)
    return [os.path.join(build, "test/vm/hooks", name) for name in names]


def pack(hook, job, work):
    """The second disk: a plain tar file. Return: its path"""
    path = f"{work}/tests.tar"
    with open(f"{work}/job.json", "w", encoding="utf-8") as file:
        json.dump(job, file)
    guest = os.path.join(HERE, "guest")
    files = [(os.path.join(guest, name), name) for name in os.listdir(guest)
             if not name.startswith(("__", "."))]
    files += [(os.path.join(TOP, "test/tap.py"), "tap.py"),
              (os.path.join(TOP, "specs/hooks.d/oci-gpu-hook.json.in"), "hook.json.in"),
              (hook, "oci-gpu-hook"), (compile_probe(work), "probe"),
              (f"{work}/job.json", "job.json")]
    if any(suite.endswith(("compare", "cost")) for suite in job["suites"]):
        files += [(program, os.path.basename(program)) for program in partial_hooks(hook)]
    with tarfile.open(path, "w") as tar:
        for source, name in files:
            tar.add(source, name)
    with open(path, "ab") as file:
        file.truncate((os.path.getsize(path) + 511) // 512 * 512)
    return path


class Relay:
    """Keeps the guest's TAP, whole lines only: a machine that is started again must not
    have said anything."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.lines = []
        self.has_failed = False
        self.is_complete = False

    def pump(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return
        data = data[:data.rfind(b"\n") + 1]
        self.offset += len(data)
        for line in data.decode(errors="replace").splitlines():
            self.has_failed |= line.startswith("not ok")
            self.is_complete |= line.startswith("1..")
            self.lines.append(line.rstrip("\r"))


def boot(directory, tests, accelerator, work, limit):
    """Return: (Relay, what is wrong with how the machine ended, or None)"""
    command = machine(accelerator, directory, CMDLINE, f"{work}/console.log")
    command += ["-serial", f"file:{work}/tap.log",
                "-drive", f"file={directory}/disk,format=raw,if=virtio,snapshot=on,"
                          "cache=unsafe",
                "-drive", f"file={tests},format=raw,if=virtio,readonly=on",
                "-device", "virtio-gpu-pci", "-device", "virtio-gpu-pci",
                "-device", "virtio-rng-pci"]
    relay = Relay(f"{work}/tap.log")
    with open(f"{work}/qemu.log", "wb") as log:
        process = image.start(command, stdout=log, stderr=log,
                              env={**os.environ, "TMPDIR": work})
    deadline = time.monotonic() + limit
    try:
        # The plan is the guest's last word; nothing of it needs an orderly end.
        while not relay.is_complete and process.poll() is None and \
                time.monotonic() < deadline:
            time.sleep(0.2)
            relay.pump()
        status = process.poll()
    finally:
        process.kill()
        process.wait()
    relay.pump()
    if relay.is_complete:
        return relay, None
    if status is None:
        return relay, f"the machine did not come back within {limit} s"
    return relay, f"the tests broke off, qemu ended with status {status}"


def print_tail(path, lines):
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file.readlines()[-lines:]:
                print(f"# {os.path.basename(path)}: {line.rstrip()}")


# What the emulator does to the guest's kernel now and then: with two processors one meets the
# breakpoint that stands for code which the other is exchanging. It is no test's doing.
EMULATOR_FAULT = "Oops: int3"
TRIES = 2


def is_emulators_fault(work):
    with open(f"{work}/console.log", encoding="utf-8", errors="replace") as file:
        return EMULATOR_FAULT in file.read()


def boot_again(directory, tests, accelerator, work, limit):
    """As boot(), and once more where the emulator has broken the guest's kernel."""
    end = time.monotonic() + limit
    for left in reversed(range(TRIES)):
        relay, problem = boot(directory, tests, accelerator, work,
                              max(1, int(end - time.monotonic())))
        if not problem or left == 0 or not is_emulators_fault(work):
            return relay, problem
        print(f"# {problem}: the emulator broke the guest's kernel; once more", flush=True)
    raise AssertionError("not reached")


def in_machine(options, work):
    try:
        directory = image.get(options.machine, options.cache)
    except RuntimeError as error:
        print(f"Bail out! making the disk: {error}")
        print_tail(os.path.join(options.cache, f"{options.machine}.log"), options.lines)
        return 1
    accelerator = "kvm" if is_kvm_good(directory, work) else "tcg,thread=multi"
    tests = pack(options.hook, {"machine": options.machine, "suites": options.suite,
                                "commands": options.shell}, work)
    relay, problem = boot_again(directory, tests, accelerator, work, options.limit)
    print("\n".join(relay.lines))
    if problem:
        print(f"Bail out! {problem}")
    if problem or relay.has_failed:
        for name in ("console.log", "qemu.log"):
            print_tail(f"{work}/{name}", options.lines)
    return 1 if problem or relay.has_failed else 0


def remove_left_over(cache):
    """Removes the files of runs that were killed: those whose process is gone."""
    for entry in os.listdir(cache):
        if entry.startswith("run-") and not os.path.exists(f"/proc/{entry[4:]}"):
            shutil.rmtree(os.path.join(cache, entry), ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(description="run the tests that need real drivers")
    parser.add_argument("--hook", required=True, help="the program to test; a static one")
    parser.add_argument("--suite", action="append", default=[], metavar="NAME",
                        help="run this one of guest/suite.py only; may be given again")
    parser.add_argument("--shell", action="append", default=[], metavar="COMMAND",
                        help="instead of tests, run this in the machine; may be given again")
    parser.add_argument("--keep", action="store_true", help="keep the logs, and say where")
    parser.add_argument("--machine", choices=image.MACHINES, default="trixie")
    parser.add_argument("--cache", metavar="DIR", default=os.path.join(TOP, "build/vm"),
                        help="where the disk is kept (default: build/vm)")
    parser.add_argument("--limit", type=int, default=900, metavar="SECONDS",
                        help="for the machine, once its disk is made (default: 900)")
    parser.add_argument("--lines", type=int, default=80, metavar="N",
                        help="how much of the guest's log a failure shows (default: 80)")
    options = parser.parse_args()
    if not os.access(options.hook, os.X_OK):
        parser.error(f"{options.hook} is no program")
    return options


def main():
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: sys.exit(128 + got))
    # Not everybody who becomes root gets root's directories.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.geteuid() != 0:
        print("TAP version 13\n1..0 # SKIP needs root, to make a tree of packages")
        return 0
    # Root can install them, and make check has done so.
    missing = [name for name in (QEMU, "gcc", *image.TOOLS) if not shutil.which(name)]
    if missing:
        print(f"Bail out! not installed: {', '.join(missing)}; see contrib/install-deps check")
        return 1
    os.makedirs(options.cache, exist_ok=True)
    remove_left_over(options.cache)
    work = os.path.join(options.cache, f"run-{os.getpid()}")
    os.mkdir(work)
    try:
        return in_machine(options, work)
    finally:
        if options.keep:
            kept = tempfile.mkdtemp(prefix="kept-", dir=options.cache)
            os.rename(work, kept)
            print(f"# kept: {kept}")
        else:
            shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
