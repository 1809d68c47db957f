# SPDX-License-Identifier: Apache-2.0
"""check_filters.py - the system call filters of every architecture, run by an interpreter

gen-filters makes filters for the architecture that is built for, mostly on another one, and
nobody has all of them at hand. So its output is run here, number by number, and must decide
as hook/filter_rules.h says. What the numbers mean comes from libseccomp's library, and for
two of the tables from the kernel's headers as well.
"""

import ctypes
import os
import re
import struct
import subprocess

import sources

ALLOW = 0x7fff0000
EPERM = 0x00050001  # SECCOMP_RET_ERRNO, and the number
KILL = 0x00000000  # SECCOMP_RET_KILL_THREAD; there is one thread

# AUDIT_ARCH_*, byte order and size of a word. Source: Linux include/uapi/linux/audit.h.
ARCHES = {"x86_64": (0xC000003E, "<", 64), "aarch64": (0xC00000B7, "<", 64),
          "riscv64": (0xC00000F3, "<", 64), "ppc64le": (0xC0000015, "<", 64),
          "s390x": (0x80000016, ">", 64), "arm": (0x40000028, "<", 32)}
X32_BIT = 0x40000000

# Source: the system's headers, on every one of these architectures.
CONSTANTS = {"PROT_EXEC": 4, "F_GETFL": 3, "F_SETFD": 2, "F_OFD_SETLK": 37, "AF_UNIX": 1,
             "CLONE_NEWNS": 0x20000, "BPF_PROG_LOAD": 5, "BPF_OBJ_PIN": 6, "BPF_OBJ_GET": 7,
             "BPF_PROG_ATTACH": 8, "BPF_PROG_GET_FD_BY_ID": 13,
             "BPF_OBJ_GET_INFO_BY_FD": 15, "BPF_PROG_QUERY": 16,
             # Of filter_rules.h: a regular file for all to read, our own character device,
             # NULL, MNT_DETACH and UMOUNT_NOFOLLOW.
             "NO_ADDRESS": 0, "UNDO_UMOUNT": 0xa,
             "PLACEHOLDER_MODE": 0o100444, "PRIVATE_NODE_MODE": 0o020600}

HEADERS = {"x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
           "aarch64": "/usr/include/asm-generic/unistd.h",
           "riscv64": "/usr/include/asm-generic/unistd.h"}

# What no phase may ever do, whoever edits the rules.
FORBIDDEN = {"execve", "execveat", "fork", "vfork", "clone", "clone3", "ptrace", "kill", "tgkill",
             "tkill", "mount", "chroot", "pivot_root", "init_module", "finit_module", "reboot",
             "mprotect", "pkey_mprotect", "io_uring_setup", "process_vm_writev", "keyctl",
             "memfd_create", "socketcall", "ipc", "setuid", "setresuid", "mknod",
             "linkat", "userfaultfd", "perf_event_open", "open_by_handle_at"}
# Allowed with these values of one argument alone.
ONLY = {"unshare": [("==", 0, CONSTANTS["CLONE_NEWNS"])],
        "setns": [("==", 1, CONSTANTS["CLONE_NEWNS"])],
        "sendto": [("==", 4, CONSTANTS["NO_ADDRESS"])],
        "umount2": [("==", 1, CONSTANTS["UNDO_UMOUNT"])],
        "mknodat": [("==", 2, CONSTANTS["PLACEHOLDER_MODE"]),
                    ("==", 2, CONSTANTS["PRIVATE_NODE_MODE"])]}
# Block devices, FIFOs, sockets, the file type 0, and other permissions.
FORBIDDEN_MODES = [0o060600, 0o010600, 0o140600, 0o600, 0, 0o100644, 0o020666, 0o024600,
                   0o100444 | 0o4000, 0o100444 | 1 << 32]
FORBIDDEN_IN_CONTAINER = {"open", "openat", "setns", "socket", "connect", "renameat", "mknodat",
                          "pidfd_open", "seccomp", "unshare", "fchownat", "fchmodat",
                          "lsetxattr"}
# What every phase calls, so that a table that was not read is seen; and by which names where
# a word has 32 bits.
NEEDED = {"brk", "munmap", "exit_group", "openat2", "statx", "unlinkat", "umount2", "move_mount",
          "symlinkat", "mkdirat", "close", "write", "bpf"}
NEEDED_32 = {"mmap2", "fstat64", "fstatat64", "setfsuid32", "geteuid32", "sigreturn"}


# ---- what filter_rules.h says ------------------------------------------------------------

def read_rules():
    """{phase: [(name, None), (name, ("==", argument, value)), (name, ("off", ...))]}"""
    text = sources.without_comments(sources.read("hook/filter_rules.h")).replace("\\\n", "")
    macros = dict(re.findall(r"#define (\w+_RULES)\s+(.*)", text))

    def entries(body):
        found = []
        for macro, name, rest in re.findall(
                r"(ANY|WHEN|UNLESS)\((\w+)((?:, \w+)*)\)|\b\w+_RULES\b", body):
            words = rest.split(", ")[1:]
            if macro == "ANY":
                found.append((name, None))
            elif macro:
                found.append((name, ("==" if macro == "WHEN" else "off", int(words[0]),
                                     CONSTANTS[words[1]])))
        for name in re.findall(r"\b\w+_RULES\b", body):
            found += entries(macros[name])
        return found

    return {phase: entries(body) for phase, body in re.findall(
        r"struct filter_rule (\w+)_rules\[\] = \{(.*?)\};", text, flags=re.DOTALL)}


class Numbers:
    """Which number a system call has on an architecture."""

    def __init__(self, arch):
        library = ctypes.CDLL("libseccomp.so.2")
        token = ctypes.c_uint32(ARCHES[arch][0])
        to_name = library.seccomp_syscall_resolve_num_arch
        to_name.restype = ctypes.c_char_p
        # By number, since for some calls libseccomp's name stands for two of them.
        self.name = {number: to_name(token, number).decode() for number in range(1024)
                     if to_name(token, number)}

    def of(self, wanted):
        return [number for number, name in self.name.items() if name == wanted]


def numbers_in_header(path):
    """{name: number} by the kernel's own header"""
    with open(path, encoding="ascii") as file:
        found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", file.read()))
    # What is called differently where a word has 64 bits. Source: the same header's end.
    if "fstatat" in found:
        found["newfstatat"] = found["fstatat"]
    return {name: int(number) for name, number in found.items()}


# ---- running a filter --------------------------------------------------------------------

def run_filter(program, data):
    """Runs classic BPF as the kernel does. Source: Linux net/core/filter.c, kernel/seccomp.c.

    data: the struct seccomp_data, as 16 words of 32 bits. Return: the verdict
    """
    at = 0
    accumulator = 0
    while True:
        code, jump, no_jump, value = program[at]
        at += 1
        if code == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            if value % 4 or value >= 64:
                raise ValueError(f"load from {value}")
            accumulator = data[value // 4]
        elif code == 0x54:  # BPF_ALU | BPF_AND | BPF_K
            accumulator &= value
        elif code == 0x07:  # BPF_MISC | BPF_TAX: nothing here looks at the index
            pass
        elif code == 0x05:  # BPF_JMP | BPF_JA
            at += value
        elif code in (0x15, 0x25, 0x35, 0x45):  # BPF_JMP | JEQ, JGT, JGE, JSET | BPF_K
            is_true = {0x15: accumulator == value, 0x25: accumulator > value,
                       0x35: accumulator >= value, 0x45: accumulator & value}[code]
            at += jump if is_true else no_jump
        elif code == 0x06:  # BPF_RET | BPF_K
            return value
        else:
            raise ValueError(f"instruction {code:#x}")


def call_data(arch, order, number, arguments):
    """struct seccomp_data: number, architecture, address, arguments; loads are in its order."""
    words = struct.pack(f"{order}IIQ6Q", number & 0xFFFFFFFF, arch, 0x1000, *arguments)
    return struct.unpack(f"{order}16I", words)


def generate(program, arch):
    """{phase: instructions}"""
    text = subprocess.run([program, arch], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    return {phase: [tuple(int(word, 0) for word in line) for line in re.findall(
        r"\{(\w+), (\d+), (\d+), (\w+)\}", body)] for phase, body in re.findall(
            r"struct sock_filter (\w+)_filter\[\] = \{(.*?)\n\};", text, flags=re.DOTALL)}


def is_allowed(conditions, arguments):
    return any(condition is None or
               (condition[0] == "==" and arguments[condition[1]] == condition[2]) or
               (condition[0] == "off" and not arguments[condition[1]] & condition[2])
               for condition in conditions)


def arguments_to_try(conditions, size):
    """Lists of six: around every value that a rule names, and with bits above an int's."""
    # Small ones are what socketcall() and ipc() stand for other calls by.
    values = {*range(24), 2 ** (size - 1), 2 ** size - 1}
    for condition in conditions:
        if condition:
            value = condition[2]
            values |= {value, max(value, 1) - 1, value + 1, value | 1, value << 1}
            if size == 64:
                values |= {value | 1 << 32, value << 32}
    positions = {condition[1] for condition in conditions if condition} or {0}
    return [[value if at == position else 0 for at in range(6)]
            for position in positions for value in values]


# ---- checks ------------------------------------------------------------------------------

def check_arch(program, arch):
    token, order, size = ARCHES[arch]
    numbers = Numbers(arch)
    problems = []
    filters = generate(program, arch)
    for phase, rules in read_rules().items():
        code = filters[phase]
        wanted = {}
        for name, condition in rules:
            for number in numbers.of(name):
                wanted.setdefault(number, []).append(condition)
        needed = NEEDED | NEEDED_32 if size == 32 else NEEDED
        problems += [f"{phase}: {name} is not among the rules, or has no number"
                     for name in sorted(needed) if not set(numbers.of(name)) & set(wanted)]
        for number in [*range(1024), 0xF0002, 2 ** 31, 2 ** 32 - 1]:
            for arguments in arguments_to_try(wanted.get(number, []), size):
                should = ALLOW if is_allowed(wanted.get(number, []), arguments) else EPERM
                if arch == "x86_64" and X32_BIT <= number < 2 ** 32 - 1:
                    should = KILL
                verdict = run_filter(code, call_data(token, order, number, arguments))
                if verdict != should:
                    problems.append(f"{phase}: {numbers.name.get(number)} ({number}) with "
                                    f"{arguments} gives {verdict:#x}, not {should:#x}")
        problems += check_foreign(code, arch)
        problems += check_modes(code, arch, numbers.of("mknodat"))
    return problems[:20]


def check_modes(code, arch, numbers):
    """What may be made is said by values; so this is said by what may not."""
    token, order, size = ARCHES[arch]
    return [f"mknodat of mode {mode:o} is allowed" for number in numbers
            for mode in FORBIDDEN_MODES if mode < 2 ** size and run_filter(
                code, call_data(token, order, number, [3, 0x1000, mode, 0x800, 0, 0])) != EPERM]


def check_foreign(code, arch):
    """Another architecture's calls, and x32's, are no calls that anybody has thought of."""
    token, order, _ = ARCHES[arch]
    foreign = [other for other, *_ in ARCHES.values() if other != token] + [0x40000003, 0]
    cases = [(other, number) for other in foreign for number in (0, 1, 57, 322, 437)]
    if arch == "x86_64":
        cases += [(token, X32_BIT | number) for number in range(600)]
    return [f"architecture {other:#x}, call {number} is not killed" for other, number in cases
            if run_filter(code, call_data(other, order, number, [0] * 6)) != KILL]


def check_forbidden():
    rules = read_rules()
    names = {phase: {name for name, _ in found} for phase, found in rules.items()}
    problems = [f"{phase}: {name} is allowed" for phase in names
                for name in sorted(names[phase] & FORBIDDEN)]
    problems += [f"container: {name} is allowed"
                 for name in sorted(names["container"] & FORBIDDEN_IN_CONTAINER)]
    problems += [f"{phase}: {name} is allowed by {condition}" for phase, found in rules.items()
                 for name, condition in found if name in ONLY and condition not in ONLY[name]]
    # A filter that is loaded later only narrows: what it has alone would be of no use.
    problems += [f"container: {name} is not allowed before" for name, condition in
                 rules["container"] if (name, condition) not in rules["host"]]
    return problems


def check_numbers(arch):
    """libseccomp's table against the kernel's, for the calls of the rules."""
    if not os.path.exists(HEADERS[arch]):
        return f"skip: {HEADERS[arch]} is not there"
    numbers = Numbers(arch)
    header = numbers_in_header(HEADERS[arch])
    names = {name for rules in read_rules().values() for name, _ in rules}
    return [f"{name} is {numbers.of(name)}, in the header {header[name]}" for name in names
            if name in header and numbers.of(name) not in ([header[name]], [])]


def check_judge():
    """The interpreter must see a filter that allows too much, or too little."""
    rules = read_rules()["host"]
    problems = []
    # Load the architecture, compare, load the number, allow what is below 100.
    code = [(0x20, 0, 0, 4), (0x15, 0, 3, 0xC000003E), (0x20, 0, 0, 0), (0x35, 1, 0, 100),
            (0x06, 0, 0, ALLOW), (0x06, 0, 0, EPERM)]
    if run_filter(code, call_data(0xC000003E, "<", 99, [0] * 6)) != ALLOW:
        problems.append("99 is below 100")
    if run_filter(code, call_data(0xC000003E, "<", 100, [0] * 6)) != EPERM:
        problems.append("100 is not below 100")
    if not check_foreign(code, "x86_64"):
        problems.append("a filter that takes x32 for its own passed")
    if ("setns", ("==", 1, 0x20000)) not in rules or ("mmap", ("off", 2, 4)) not in rules:
        problems.append(f"the rules were not read: {rules}")
    return problems


def checks(build):
    """(name, function) pairs; build: the directory with gen-filters"""
    program = os.path.join(build, "gen-filters")
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return [("filters", lambda: "skip: libseccomp.so.2 is not installed")]
    return [("the judge of filters sees mistakes", check_judge),
            ("no filter allows what none may", check_forbidden),
            *[(f"libseccomp and the kernel number alike, {arch}",
               lambda arch=arch: check_numbers(arch)) for arch in HEADERS],
            *[(f"the filters of {arch} decide as the rules say",
               lambda arch=arch: check_arch(program, arch)) for arch in ARCHES]]
