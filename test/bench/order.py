# SPDX-License-Identifier: Apache-2.0
"""order.py - writes hook/order.ld: what a run of the hook executes, side by side

The kernel maps a program's text in windows of 64 KiB, and each that is touched costs about
3 us, in the hook and once more in the child that parses. As archives and objects come, a run
is spread over nearly all of the text. The linker script that this prints puts the sections
that bench.py's rows execute first: those of the child, those of every run, the others.

Usage: order.py > hook/order.ld. A name that is gone, or that another C library or architecture
does not have, is passed over by the linker; a new function that is not in it costs time and
nothing else. To be made anew when the rows have become slower than they should be. glibc
chooses its string functions by the processor: those that earlier runs saw on others are kept.
"""

import bisect
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e"), os.path.dirname(HERE)]

import bench
import sandbox

BUILD = "OCI_GPU_HOOK_ORDER_BUILD"  # between the two halves of this script
OURS = ("libcore.a",)

HEADER = """/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.ld - what a run of the hook executes, side by side
 *
 * Made by test/bench/order.py, which says why. Only the order in the file is changed.
 */
SECTIONS
{
\t.text.run : {
"""
FOOTER = """\t}
}
INSERT BEFORE .text;
"""


def build_with_map():
    """Return: a directory with the program, its map and the benchmark's programs"""
    directory = os.path.join(sandbox.TOP, "build/order")
    if not os.path.exists(f"{directory}/build.ninja"):
        subprocess.run(["meson", "setup", f"--native-file={sandbox.TOP}/contrib/meson/static.ini",
                        "-Dtests=disabled", f"-Dc_link_args=-Wl,-Map={directory}/map",
                        directory, sandbox.TOP], check=True, stdout=sys.stderr)
    programs = ["bench-harness", "bench-noop", "bench-calls", "oci-gpu-hook"]
    if os.path.exists(f"{directory}/oci-gpu-hook"):
        os.unlink(f"{directory}/oci-gpu-hook")
    # One after the other: each writes the map.
    for program in programs:
        subprocess.run(["meson", "compile", "-C", directory, program], check=True,
                       stdout=sys.stderr)
    return directory


def sections(path):
    """[(address, size, section, archive or "", object)] of the text in a linker's map"""
    with open(path, encoding="utf-8") as file:
        text = file.read().partition("Linker script and memory map")[2]
    found = []
    for name, address, size, origin in re.findall(
            r"^ (\.text\S*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$", text, re.MULTILINE):
        archive, _, member = os.path.basename(origin).rstrip(")").partition("(")
        if int(size, 16):
            found.append((int(address, 16), int(size, 16), name,
                          archive if member else "", member or archive))
    return sorted(found)


def functions(program):
    """Offsets of all functions of a program"""
    names = subprocess.run(["nm", "--defined-only", program], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    return {int(line.split()[0], 16) for line in names.splitlines()
            if line.split()[1] in "tTWi"}


def read_calls(path, text):
    """({sections that were called into}, {those that a child called into})"""
    addresses = [section[0] for section in text]
    called, by_child = set(), set()
    with open(path, encoding="ascii") as file:
        for line in file:
            offset, is_child = line.split()
            section = text[bisect.bisect_right(addresses, int(offset, 16)) - 1]
            if section[0] <= int(offset, 16) < section[0] + section[1]:
                called.add(section)
                if is_child == "1":
                    by_child.add(section)
    return called, by_child


def trace(build, hook, rows, text):
    """Runs the rows with a breakpoint at each function. Return: [file with the calls of each]"""
    harness, noop, calls = (f"{build}/test/bench/bench-{name}"
                            for name in ("harness", "noop", "calls"))
    outputs = []
    listed = f"{sandbox.WORK}/functions"
    end = max(address + size for address, size, *_ in text)
    with open(listed, "w", encoding="ascii") as file:
        file.writelines(f"{offset:x}\n" for offset in functions(hook)
                        if text[0][0] <= offset < end)

    def run(rows, groups):
        words = []
        for row in rows:
            number = len(outputs)
            outputs.append(f"{sandbox.WORK}/calls-{number}")
            words.append("|".join([bench.make_bundle(number, row), row.device_filter, "-",
                                   calls, listed, outputs[-1], hook, row.command,
                                   "--host-root", row.host]))
        subprocess.run([harness, "0", bench.ROOTFS, groups[0] or "-", groups[1], noop, *words],
                       check=True, stdout=sys.stderr)

    os.mkdir(bench.ROOTFS)
    bench.in_their_groups(rows, run)
    return outputs


def pattern(section):
    """How a linker script names it"""
    _, _, name, archive, member = section
    if archive and archive not in OURS:
        return f"*{archive}:{member}({name})"
    # Ours have a section for each function; what has not is the C library's start, crt1.o.
    return f"*{member}({name})" if name == ".text" else f"*({name})"


def kept_variants():
    """Lines of the present order.ld that name one of glibc's functions for some processors"""
    with open(os.path.join(sandbox.TOP, "hook/order.ld"), encoding="ascii") as file:
        return {line.strip() for line in file if re.search(r"libc\.a:\S+\(\.text\.\w", line)}


def main():
    if sandbox.INSIDE not in os.environ:
        os.environ[BUILD] = build_with_map()
    build = os.environ[BUILD]
    hook = sandbox.enter(f"{build}/oci-gpu-hook")
    text = sections(f"{build}/map")
    # Those with more GPUs run the same functions more often.
    rows = [row for row in bench.scenarios() if row.wanted and
            row.name.split()[0] in ("1", "no")]
    of_all, of_child, of_none = set(), set(), set()
    rows.sort(key=lambda row: row.device_filter == "v1")  # in the order of the runs
    for row, path in zip(rows, trace(build, hook, rows, text)):
        called, by_child = read_calls(path, text)
        of_all |= called
        of_child |= by_child
        if not row.request:
            of_none |= called
    groups = [of_child, of_none - of_child, of_all - of_child - of_none]
    patterns = [pattern(section) for group in groups for section in sorted(group)]
    patterns += sorted(kept_variants() - set(patterns))
    print(HEADER + "".join(f"\t\t{line}\n" for line in patterns) + FOOTER, end="")
    sizes = [sum(section[1] for section in group) // 1024 for group in groups]
    print(f"{sizes} KiB of {sum(section[1] for section in text) // 1024}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
