# SPDX-License-Identifier: Apache-2.0
"""bpf.py - the device programs of a version 2 control group

Source: Linux include/uapi/linux/bpf.h. Offsets below are those of union bpf_attr.
"""

import ctypes
import os
import platform
import struct

SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}

PROG_LOAD = 5
OBJ_PIN = 6
OBJ_GET = 7
PROG_ATTACH = 8
PROG_DETACH = 9
PROG_GET_FD_BY_ID = 13
OBJ_GET_INFO_BY_FD = 15
PROG_QUERY = 16

PROG_TYPE_CGROUP_DEVICE = 15
ATTACH_CGROUP_DEVICE = 6
ALLOW_MULTI = 2

# r0 = VALUE; exit
DENY_ALL = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attr):
    """attr: its first bytes; the kernel gets a zeroed, full-size one"""
    buffer = ctypes.create_string_buffer(attr, 256)
    result = _libc.syscall(SYS_BPF[platform.machine()], command, buffer, 256)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return result, buffer.raw


def program_ids(directory):
    """Ids of the device programs attached to a group itself, in the order they run."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        ids = (ctypes.c_uint32 * 64)()
        attr = struct.pack("<IIIIQI", fd, ATTACH_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids),
                           len(ids))
        _, answer = _bpf(PROG_QUERY, attr)
        return list(ids[:struct.unpack_from("<I", answer, 24)[0]])
    finally:
        os.close(fd)


def _info(fd):
    """The first bytes of struct bpf_prog_info."""
    info = ctypes.create_string_buffer(232)
    _bpf(OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, 232, ctypes.addressof(info)))
    return info.raw


def tag(number):
    """What identifies a program's instructions: the kernel's hash of them."""
    fd, _ = _bpf(PROG_GET_FD_BY_ID, struct.pack("<I", number))
    try:
        return _info(fd)[8:16].hex()
    finally:
        os.close(fd)


def tags(directory):
    return [tag(number) for number in program_ids(directory)]


def pin(number, path):
    """Pins a program, on a bpffs."""
    text = ctypes.create_string_buffer(path.encode())
    fd, _ = _bpf(PROG_GET_FD_BY_ID, struct.pack("<I", number))
    try:
        _bpf(OBJ_PIN, struct.pack("<QI", ctypes.addressof(text), fd))
    finally:
        os.close(fd)


def pinned_id(path):
    text = ctypes.create_string_buffer(path.encode())
    fd, _ = _bpf(OBJ_GET, struct.pack("<Q", ctypes.addressof(text)))
    try:
        return struct.unpack_from("<I", _info(fd), 4)[0]
    finally:
        os.close(fd)


def attach_deny_all(directory):
    """Attaches a program that refuses every device, as a runtime does before it opens some."""
    attach(directory, DENY_ALL)


def attach(directory, instructions, name=b""):
    code = ctypes.create_string_buffer(instructions)
    license_text = ctypes.create_string_buffer(b"Apache-2.0")
    program, _ = _bpf(PROG_LOAD, struct.pack(
        "<IIQQ24x16s", PROG_TYPE_CGROUP_DEVICE, len(instructions) // 8,
        ctypes.addressof(code), ctypes.addressof(license_text), name))
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _bpf(PROG_ATTACH, struct.pack("<IIII", fd, program, ATTACH_CGROUP_DEVICE, ALLOW_MULTI))
    finally:
        os.close(fd)
        os.close(program)


def detach_all(directory):
    """Takes every device program off a group itself."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in program_ids(directory):
            program, _ = _bpf(PROG_GET_FD_BY_ID, struct.pack("<I", number))
            _bpf(PROG_DETACH, struct.pack("<III", fd, program, ATTACH_CGROUP_DEVICE))
            os.close(program)
    finally:
        os.close(fd)
