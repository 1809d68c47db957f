#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hardening.py PROGRAM - what the kernel and the loader will make of the installed file"""

import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import tap

MAX_BYTES = 1536 * 1024


def readelf(program, *options):
    return subprocess.run(["readelf", "--wide", *options, program], check=True, text=True,
                          stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}).stdout


def stripped_size(program):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["strip", "-o", file.name, program], check=True)
        return os.stat(file.name).st_size


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} PROGRAM")
    program = sys.argv[1]
    header = readelf(program, "--file-header")
    segments = readelf(program, "--program-headers")
    dynamic = readelf(program, "--dynamic")
    symbols = readelf(program, "--symbols")
    size = stripped_size(program)

    def unless(good, problem):
        return [] if good else [problem]

    out = tap.Writer()
    out.check("position independent (DYN, with the PIE flag)",
              unless(re.search(r"Type:\s+DYN\b", header) and
                     re.search(r"FLAGS_1.*\bPIE\b", dynamic), header + dynamic))
    out.check("needs no loader (no INTERP)", unless("INTERP" not in segments, segments))
    out.check("needs no library (no NEEDED)", unless("(NEEDED)" not in dynamic, dynamic))
    out.check("relocations are read-only after start (RELRO)",
              unless("GNU_RELRO" in segments, segments))
    out.check("nothing is bound lazily (BIND_NOW)",
              unless(re.search(r"BIND_NOW|FLAGS_1.*\bNOW\b", dynamic), dynamic))
    out.check("the stack is not executable",
              unless(re.search(r"GNU_STACK\b.*\sRW\s+0x", segments), segments))
    out.check("no segment is writable and executable",
              unless(not re.search(r"\bRWE\b", segments), segments))
    out.check("the stack is protected",
              unless("__stack_chk_fail" in symbols, "no __stack_chk_fail"))
    out.check(f"stripped it has at most {MAX_BYTES} bytes",
              unless(size <= MAX_BYTES, f"it has {size}"))
    return out.done()


sys.exit(main())
