#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.py BUILD - everything that can be said of the sources without running them

BUILD is the directory of the release build, whose objects check_pure.py reads.
"""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import check_filters
import check_layers
import check_memory
import check_paths
import check_pure
import check_shape
import check_tools
import tap


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD")
    checks = check_layers.CHECKS + check_shape.CHECKS + check_tools.CHECKS
    checks += check_memory.CHECKS
    checks.append(("pure files make no system call",
                   lambda: check_pure.check_pure(os.path.abspath(sys.argv[1]))))
    checks += check_filters.checks(os.path.abspath(sys.argv[1]))
    checks += [("no call in the text takes a path but where the list allows it",
                check_paths.check_sources),
               ("nor does one in the objects",
                lambda: check_paths.check_objects(os.path.abspath(sys.argv[1])))]
    out = tap.Writer()
    for name, check in checks:
        problems = check()
        if isinstance(problems, str) and problems.startswith("skip: "):
            out.skip(name, problems.removeprefix("skip: "))
        else:
            out.check(name, problems)
    return out.done()


sys.exit(main())
