# SPDX-License-Identifier: Apache-2.0
"""bench.py BUILD [RUNS] - what a run of the hook costs, next to a program that does nothing

Prints the machine and a table in Markdown. harness.c measures; this makes what is measured:
hosts, bundles, control groups. All of that is on a tmpfs, and gone afterwards.
"""

import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), os.path.dirname(HERE)]

import cgroups
import container
import driver
import runtimes
import sandbox

DEFAULT_RUNS = 1000
ROOTFS = f"{sandbox.WORK}/rootfs"
CGROUP = "/sys/fs/cgroup"

# `runc spec` writes 2.5 KiB; podman 4.3 for a small image 11, of which 7.5 are seccomp rules;
# a pod in a cluster with hundreds of services has some more of environment.
SMALL = 4 * 1024
PODMAN = 11 * 1024
LARGE = 40 * 1024
SECCOMP_BYTES = 7500

GROWTH = [1, 8, 32, 64, 128]

MAX_PEAK_KIB = 2048
# What costs time, but is the same on each machine: system calls by a row's wanted ratio, and
# what a full ledger adds. (0 GPUs, 1, 8; measured 53, 356 and 626 at most, 41 and 42.)
MAX_CALLS = {1.2: 64, 2.0: 400, 2.5: 700}
MAX_LEDGER_CALLS = 60
MAX_LEDGER_FAULTS = 60
# From 64 to 128 GPUs each may cost so many times what each costs from 32 to 64.
MAX_BEND = 1.25

# In ms: what exclusive use costs over shared, and a ledger of so many entries over an empty one.
MAX_EXCLUSIVE = 0.3
MAX_LEDGER = 1.0
LEDGER_ENTRIES = 1000
# With all of the driver's files: whichever is larger.
MAX_DRIVER = 4.0
MAX_DRIVER_RATIO = 8.0
LIBRARIES = 40
# A median of fewer runs says little, and a busy machine may spoil it: a bound in time is missed
# when it is missed so many times in a row.
MIN_RUNS = 100
TRIES = 3

# The rows that are compared with each other.
SHARED = "1 nvidia, shared, ledger"
EXCLUSIVE = "1 nvidia, exclusive, ledger"
FULL_LEDGER = f"1 nvidia, ledger of {LEDGER_ENTRIES}"
NO_LIBRARY = "1 nvidia, no library"
ALL_LIBRARIES = f"1 nvidia, {LIBRARIES} libraries"


class Scenario:  # pylint: disable=too-few-public-methods
    """One line of the table."""

    # pylint: disable-next=too-many-arguments
    def __init__(self, name, host, request, wanted=None, *, device_filter="none",
                 config_bytes=SMALL, command="createRuntime", image=None):
        """wanted: at most so many times the no-op; image: the root, if not an empty one"""
        self.name = name
        self.host = host
        self.request = request
        self.wanted = wanted
        self.device_filter = device_filter
        self.config_bytes = config_bytes
        self.command = command
        self.image = image
        self.noop = self.hook = None  # Figures, once measured


class Figures:  # pylint: disable=too-few-public-methods
    """Of one program in one scenario; times in ms."""

    def __init__(self, line):
        p50_ns, p99_ns, self.peak_kib, self.calls, self.faults = map(int, line.split())
        self.p50 = p50_ns / 1e6
        self.p99 = p99_ns / 1e6


def scenarios():
    nvidia1, amd1, mi300 = map(container.make_host, ("nvidia1", "amd1", "mi300"))
    nvidia8 = make_nvidia8()
    found = [
        Scenario("no annotation", nvidia1, None, 1.2),
        Scenario("no annotation", nvidia1, None, 1.2, config_bytes=LARGE),
        Scenario("1 amd", amd1, "amd:1", 2.0),
        Scenario("1 amd", amd1, "amd:1", 2.0, config_bytes=PODMAN),
        Scenario("1 amd", amd1, "amd:1", 2.0, config_bytes=LARGE),
        Scenario("1 nvidia", nvidia1, "nvidia:1", 2.0),
        Scenario("1 nvidia", nvidia1, "nvidia:1", 2.0, device_filter="v1"),
        Scenario("1 nvidia", nvidia1, "nvidia:1", 2.0, device_filter="v2"),
        Scenario("8 amd (partitions)", mi300, "amd:8", 2.5),
        Scenario("8 nvidia", nvidia8, "nvidia:8", 2.5),
        Scenario("8 nvidia", nvidia8, "nvidia:8", 2.5, device_filter="v1"),
        Scenario("8 nvidia", nvidia8, "nvidia:8", 2.5, device_filter="v2"),
    ]
    found += [Scenario(f"{count} intel", make_intel(count), f"intel:{count}",
                       {1: 2.0, 8: 2.5}.get(count)) for count in GROWTH]
    found += [
        Scenario("128 intel", make_intel(128), "intel:128", device_filter="v2"),
        Scenario("1 of 128 intel", make_intel(128), "intel:1"),
        Scenario("`plan` alone, 1 nvidia", nvidia1, "nvidia:1", command="plan"),
        Scenario("`plan` alone, 8 nvidia", nvidia8, "nvidia:8", command="plan"),
    ]
    return found


def bound_scenarios():
    """The rows with bounds of their own, see are_bounds_kept()."""
    found = [
        Scenario(SHARED, with_ledger("shared", 0), "nvidia:1"),
        Scenario(EXCLUSIVE, with_ledger("exclusive", 0),
                 "vendor=nvidia;sharing=exclusive"),
        Scenario(FULL_LEDGER, with_ledger("full", LEDGER_ENTRIES),
                 "nvidia:1"),
    ]
    if driver.why_not() is None:
        host = driver.make_host(n_more=LIBRARIES - len(driver.LIBRARIES))
        found += [Scenario(NO_LIBRARY, host, "nvidia:1"),
                  Scenario(ALL_LIBRARIES, host, "nvidia:1", image=make_image())]
    return found


# ---- made hosts --------------------------------------------------------------------------


def make_nvidia8():
    """That host with its eighth GPU, which the driver was told to leave out."""
    host = container.make_host("nvidia8")
    directory = f"{host}/proc/driver/nvidia/gpus"
    for name in os.listdir(directory):
        path = f"{directory}/{name}/information"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("Excluded:\t Yes", "Excluded:\t No"))
    return host


def make_intel(count):
    """The first GPUs of render128. In its manifest each begins with its PCI vendor."""
    host = f"{sandbox.WORK}/hosts/intel-{count}"
    if os.path.exists(host):
        return host
    seen = 0
    lines = []
    with open(os.path.join(sandbox.TOP, "test/hosts/render128.host"), encoding="utf-8") as file:
        for line in file:
            seen += "/vendor 0x" in line
            if seen <= count or "/proc/" in line:
                lines.append(line)
    with open(f"{host}.host", "w", encoding="utf-8") as file:
        file.writelines(lines)
    container.build_host.build_host(f"{host}.host", host)
    return host


def with_ledger(name, entries):
    """That host with a /run, so that it is written down who has which GPU

    entries: containers that have it as well; all are this process, which lives
    """
    host = f"{sandbox.WORK}/hosts/nvidia1-{name}"
    shutil.copytree(container.make_host("nvidia1"), host, symlinks=True,
                    copy_function=driver.copy_any)
    os.makedirs(f"{host}/run/oci-gpu-hook", mode=0o755)
    if entries:
        gpu = os.listdir(f"{host}/proc/driver/nvidia/gpus")[0]
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot_id = file.read().strip()
        with open("/proc/self/stat", encoding="ascii") as file:
            start = file.read().rpartition(")")[2].split()[19]
        pid_ns = os.stat("/proc/self/ns/pid").st_ino
        lines = [f"oci-gpu-hook ledger 1 {boot_id}"]
        lines += [f"{gpu}\tshared\t{os.getpid()}\t{start}\t{pid_ns}\tcontainer-{i}\t/bundle-{i}"
                  for i in range(entries)]
        with open(f"{host}/run/oci-gpu-hook/ledger", "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
    return host


def make_image():
    """Debian's directories, with places for what the driver brings."""
    image = f"{sandbox.WORK}/image"
    container.build_host.build_host(os.path.join(sandbox.TOP, "test/hosts/root-debian.host"),
                                    image)
    for name in ("dev", "proc", "run", "usr/bin"):
        os.makedirs(f"{image}/{name}", exist_ok=True)
    return image


# ---- what the hook reads -----------------------------------------------------------------


def config_text(request, size, root=ROOTFS):
    """A config.json of about so many bytes, filled up with what fills an engine's."""
    config = json.loads(json.dumps(container.CONFIG))
    config["root"]["path"] = root
    if request:
        config["annotations"][container.KEY] = request
    if size > SECCOMP_BYTES:
        names = [f"system_call_{number:03}" for number in range(SECCOMP_BYTES // 20)]
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]}
    while len(json.dumps(config)) < size:
        number = len(config["process"]["env"])
        config["process"]["env"].append(f"SERVICE_{number:03}_PORT=tcp://10.96.0.1:443")
    return json.dumps(config)


def make_bundle(number, scenario):
    """Return: its directory"""
    directory = f"{sandbox.WORK}/bundle-{number}"
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/config.json", "w", encoding="utf-8") as file:
        file.write(config_text(scenario.request, scenario.config_bytes,
                               scenario.image or ROOTFS))
    return directory


def count_nodes(hook, scenario):
    """Device nodes that the container gets."""
    if not scenario.request:
        return 0
    result = subprocess.run([hook, "plan", "--json", "--gpu", scenario.request, "--host-root",
                             scenario.host], check=True, stdout=subprocess.PIPE, text=True)
    return len(json.loads(result.stdout)["containerEdits"]["deviceNodes"])


def make_v2_group():
    """Return: its directory"""
    runtimes.use_cgroup_v2()
    group = cgroups.directory_of(2, cgroups.parent())
    os.mkdir(group)
    return group


@contextlib.contextmanager
def v1_group():
    """A directory, in a hierarchy that is where systems that use it have it: over version 2,
    as long as it is needed. None: this machine has no such controller.
    """
    sandbox.mount("-t", "tmpfs", "tmpfs", CGROUP)
    hierarchy = f"{CGROUP}/devices"
    os.mkdir(hierarchy)
    result = container.run(["mount", "-t", "cgroup", "-o", "devices", "cgroup", hierarchy])
    if result.returncode == 0:
        group = hierarchy + cgroups.parent()
        os.mkdir(group)
        try:
            yield group
        finally:
            os.rmdir(group)
            subprocess.run(["umount", hierarchy], check=True)
    else:
        yield None
    subprocess.run(["umount", CGROUP], check=True)


def in_their_groups(rows, run):
    """Calls run(rows, (v1 directory or None, v2 directory)), first with all but those of
    version 1. Return: the rows that there are groups for
    """
    v2_group = make_v2_group()
    first = [row for row in rows if row.device_filter != "v1"]
    second = [row for row in rows if row.device_filter == "v1"]
    run(first, (None, v2_group))
    with v1_group() as group:
        if not group:
            return first
        run(second, (group, v2_group))
    return rows


# ---- measuring ---------------------------------------------------------------------------


def take_programs(build, hook):
    """Copies beside the hook, and all three stripped, as they would be installed.

    Return: (harness, noop)
    """
    directory = os.path.dirname(hook)
    copies = [shutil.copy2(f"{build}/test/bench/bench-{name}", f"{directory}/{name}")
              for name in ("harness", "noop")]
    subprocess.run(["strip", hook, *copies], check=True)
    return copies


def measure(harness, noop, hook, runs, rows, groups):
    """Fills in the figures of each scenario."""
    words = []
    for number, row in enumerate(rows):
        bundle = make_bundle(number, row)
        args = ["plan", "--bundle", bundle] if row.command == "plan" else [row.command]
        words.append("|".join([bundle, row.device_filter, row.image or "-", hook, *args,
                               "--host-root", row.host]))
    os.makedirs(ROOTFS, exist_ok=True)
    result = subprocess.run([harness, str(runs), ROOTFS, groups[0] or "-", groups[1], noop,
                             *words], check=True, stdout=subprocess.PIPE, text=True)
    lines = result.stdout.splitlines()
    for row, noop_line, hook_line in zip(rows, lines[::2], lines[1::2]):
        row.noop = Figures(noop_line)
        row.hook = Figures(hook_line)


def time_reads(path):
    """Median time in us to open, read and close a file."""
    times = []
    for _ in range(2000):
        start = time.perf_counter_ns()
        fd = os.open(path, os.O_RDONLY)
        os.read(fd, 64)
        os.close(fd)
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1e3


# ---- printing ----------------------------------------------------------------------------


def machine():
    """One line: the processor, how many cores, what is virtual, kernel and C library."""
    model = platform.machine()
    virtual = ""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() == "flags" and "hypervisor" in value.split():
                virtual = " (a virtual machine)"
    return (f"{model}, {os.cpu_count()} cores{virtual}, Linux {platform.release()}, "
            f"glibc {platform.libc_ver()[1]}")


def verdict(value, wanted):
    return f"<= {wanted}: {'met' if value <= wanted else 'MISSED'}"


def print_table(rows, nodes):
    print("| GPUs | config | device filter | nodes | no-op p50 / p99 | hook p50 / p99 | "
          f"p50 / no-op p50 | peak RSS, wanted <= {MAX_PEAK_KIB} KiB | system calls | "
          "page faults |")
    print("|---|--:|---|--:|--:|--:|---|---|--:|--:|")
    for row, n_nodes in zip(rows, nodes):
        ratio = row.hook.p50 / row.noop.p50
        wanted = f" ({verdict(ratio, row.wanted)})" if row.wanted else ""
        fits = "met" if row.hook.peak_kib <= MAX_PEAK_KIB else "MISSED"
        print(f"| {row.name} | {row.config_bytes // 1024} KiB | {row.device_filter} | "
              f"{n_nodes} | {row.noop.p50:.2f} / {row.noop.p99:.2f} | "
              f"{row.hook.p50:.2f} / {row.hook.p99:.2f} | {ratio:.2f}{wanted} | "
              f"{row.hook.peak_kib} KiB ({fits}) | {row.hook.calls} | {row.hook.faults} |")


def print_growth(rows):
    """From one GPU to 128, all of the host's."""
    times = {count: row.hook.p50 for count in GROWTH for row in rows
             if row.name == f"{count} intel" and row.device_filter == "none"}
    steps = [(few, many, (times[many] - times[few]) / (many - few) * 1e3)
             for few, many in zip(GROWTH, GROWTH[1:])]
    words = [f"{step:.1f} from {few} to {many}" for few, many, step in steps]
    bend = steps[-1][2] / steps[-2][2]
    print(f"\nGrowth in us a GPU, intel: {', '.join(words)}. The last is {bend:.2f} times the "
          f"one before; wanted {verdict(bend, MAX_BEND)}.")


def are_counts_kept(rows, bounds):
    """What no machine changes much: memory, system calls, page faults. Says what is not."""
    named = {row.name: row for row in bounds}
    full, empty = named[FULL_LEDGER].hook, named[SHARED].hook
    found = [(f"peak of '{row.name}' in KiB", row.hook.peak_kib, MAX_PEAK_KIB)
             for row in rows + bounds]
    found += [(f"system calls of '{row.name}'", row.hook.calls, MAX_CALLS[row.wanted])
              for row in rows if row.wanted]
    found += [("system calls that a full ledger adds", full.calls - empty.calls,
               MAX_LEDGER_CALLS),
              ("page faults that a full ledger adds", full.faults - empty.faults,
               MAX_LEDGER_FAULTS)]
    for name, value, limit in found:
        if value > limit:
            print(f"MISSED: {name}: {value}, wanted <= {limit}")
    return all(value <= limit for _, value, limit in found)


def are_bounds_kept(rows):
    """Of the rows that have one of their own; says it for each."""
    named = {row.name: row for row in rows}
    shared = named[SHARED].hook.p50
    found = [("exclusive over shared", named[EXCLUSIVE].hook.p50 - shared, MAX_EXCLUSIVE),
             (f"a ledger of {LEDGER_ENTRIES} entries over an empty one",
              named[FULL_LEDGER].hook.p50 - shared, MAX_LEDGER)]
    if ALL_LIBRARIES in named:
        row = named[ALL_LIBRARIES]
        found.append((f"the driver's {LIBRARIES} libraries, all of the run", row.hook.p50,
                      max(MAX_DRIVER, MAX_DRIVER_RATIO * row.noop.p50)))
        calls = (row.hook.calls - named[NO_LIBRARY].hook.calls) / LIBRARIES
        cost = (row.hook.p50 - named[NO_LIBRARY].hook.p50) / LIBRARIES * 1e3
        print(f"A library of the driver: {calls:.1f} system calls, {cost:.1f} us.")
    for name, value, limit in found:
        verdict_ = "met" if value <= limit else "MISSED"
        print(f"{name[0].upper()}{name[1:]}: {value:.2f} ms (<= {limit:.2f}: {verdict_}).")
    return all(value <= limit for _, value, limit in found)


def print_reads(rows):
    """What the made hosts do not show: sysfs is slower than the tmpfs that they are on."""
    real = time_reads("/sys/class/mem/null/dev")
    made = time_reads(f"{rows[0].host}/sys/class/drm/renderD128/dev")
    print(f"Made hosts, on a tmpfs: to open, read and close an attribute takes {made:.1f} us "
          f"there, {real:.1f} us in this machine's sysfs.")


def main():
    build = sys.argv[1] = os.path.abspath(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else DEFAULT_RUNS
    if sandbox.INSIDE not in os.environ:
        cgroups.remove_left_over()
        subprocess.run(["meson", "compile", "-C", build, "bench-harness", "bench-noop"],
                       check=True, stdout=subprocess.DEVNULL)
    hook = sandbox.enter(os.path.join(build, "oci-gpu-hook"))
    harness, noop = take_programs(build, hook)
    everything = scenarios()
    rows = in_their_groups(everything, lambda some, groups: measure(
        harness, noop, hook, runs, some, groups))
    nodes = [count_nodes(hook, row) for row in rows]
    bounds = bound_scenarios()
    groups = (None, cgroups.directory_of(2, cgroups.parent()))
    measure(harness, noop, hook, runs, bounds, groups)

    noop_figures = rows[0].noop
    print(f"{machine()}. The hook: {os.path.getsize(hook) // 1024} KiB, static.\n")
    print(f"{runs} runs of each, the no-op before every run of the hook; times in ms from "
          f"spawn to exit. The no-op: peak RSS {noop_figures.peak_kib} KiB, "
          f"{noop_figures.calls} system calls, {noop_figures.faults} page faults.\n")
    print_table(rows + bounds, nodes + [count_nodes(hook, row) for row in bounds])
    print_growth(rows)
    print_reads(rows)
    if not are_counts_kept(rows, bounds):
        return 1
    # Of a short run no times: how fast a machine is, is no test.
    if runs < MIN_RUNS:
        return 0
    is_kept = are_bounds_kept(bounds)
    for _ in range(TRIES - 1):
        if not is_kept:
            print("Once more:")
            measure(harness, noop, hook, runs, bounds, groups)
            is_kept = are_bounds_kept(bounds)
    if len(rows) < len(everything):
        print("No version 1 device controller here, so no rows for it.")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
