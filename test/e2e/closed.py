# SPDX-License-Identifier: Apache-2.0
"""closed.py - device programs that cannot be loaded again, and what the kernel says of them

Under net.core.bpf_jit_harden=2 no program can be read. That holds for the whole machine, so
these call a kernel function instead, which cannot be taken over from a dump either.
"""

import json
import os
import stat
import struct

import bpf
import sandbox

GET_PRANDOM_U32 = 7


def _insn(code, dst=0, src=0, offset=0, value=0):
    return struct.pack("<BBhi", code, src << 4 | dst, offset, value)


def program(numbers, is_closed=True):
    """Allows these character devices, as (major, minor), and nothing else."""
    code = []
    if is_closed:
        # r6 = r1; call; r1 = r6
        code += [_insn(0xbf, 6, 1), _insn(0x85, value=GET_PRANDOM_U32), _insn(0xbf, 1, 6)]
    # r2 = type; r3 = major; r4 = minor
    code += [_insn(0x61, 2, 1), _insn(0x54, 2, value=0xffff), _insn(0x61, 3, 1, 4),
             _insn(0x61, 4, 1, 8)]
    for major, minor in numbers:
        code += [_insn(0x55, 2, offset=4, value=2), _insn(0x55, 3, offset=3, value=major),
                 _insn(0x55, 4, offset=2, value=minor), _insn(0xb7, value=1), _insn(0x95)]
    return b"".join(code + [_insn(0xb7), _insn(0x95)])


def attach_runtimes(group, numbers):
    bpf.attach(group, program(numbers))


def attach_systemds(group, numbers, is_closed=True):
    bpf.attach(group, program(numbers, is_closed), b"sd_devices")


def _opens(path):
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except PermissionError:
        return False
    except OSError:
        # The device controller has let it through; there may be no driver.
        return True
    return True


def allowed(group, numbers):
    """Which of these character devices may a process in the group open?"""
    directory = f"{sandbox.WORK}/numbers"
    if not os.path.isdir(directory):
        os.mkdir(directory)
        sandbox.mount("-t", "tmpfs", "numbers", directory)
    for major, minor in numbers:
        path = f"{directory}/{major}-{minor}"
        if not os.path.exists(path):
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(major, minor))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")
            found = [pair for pair in numbers
                     if _opens(f"{directory}/{pair[0]}-{pair[1]}")]
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="ascii") as file:
        text = file.read()
    os.waitpid(child, 0)
    return [tuple(pair) for pair in json.loads(text)]
