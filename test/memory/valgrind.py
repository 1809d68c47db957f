#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""valgrind.py --hook PROGRAM - no bad access, no leak, no open descriptor on the error paths

Runs the cases that end with an error, and the tests of e2e/direct.py, with the program under
memcheck: no invalid access, no use of what was never set, no memory lost, and at exit no
descriptor above 2, in the program and in its parser. PROGRAM is a dynamic build with
-Dfilter=disabled, since valgrind makes system calls of its own.

Not covered: the filters and strict mode, and where a path may lead to. Of what a valgrind
does not know, such as open_tree() for 3.19, known_calls.c makes as much as it can, so that a
run goes on into the container and undoes there: of such a test only the logs count, as where
valgrind is in the way of what it looks at. Its own verdict is e2e-direct's. The sanitized
suites go all the way.
"""

import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TEST = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TEST, "e2e"), TEST]

import direct
import run_cases
import sandbox
import tap

OPTIONS = ["--track-fds=yes", "--leak-check=full", "--errors-for-leak-kinds=definite,possible",
           "--error-exitcode=99"]

# Tests of direct.py whose own verdict says nothing here: strace would show valgrind's calls,
# valgrind opens missing standard descriptors itself and has its own numbers for others.
LOGS_ALONE = {"gpu nodes are never opened", "no request looks at nothing",
              "stdin closed", "stdout closed", "stderr closed",
              "stdout and stderr closed", "all closed", "many descriptors open"}

# Those that kill the hook: whether one of its processes has come to a summary by then is luck.
KILLED = {"parser dies with the hook", "parser of specifications dies with the hook",
          "parser in a user namespace has another id"}

# move_mount(), which comes behind setns(): the way into the container was gone.
IN_CONTAINER = "429"

# "Open file descriptor 5: ...", "Open AF_UNIX socket 3: ..."; not its own log.
LEFT_OPEN = re.compile(r"Open (?:file descriptor|\w+ socket) (\d+):(?! \S*/log\.\d+$)",
                       re.MULTILINE)
UNKNOWN_CALL = re.compile(r"WARNING: unhandled \S+ syscall: (\d+)")


class Run:
    """The program under valgrind for one test, whose logs are its own."""

    count = 0

    def __init__(self, hook):
        Run.count += 1
        self.directory = f"{sandbox.WORK}/valgrind-{Run.count}"
        os.mkdir(self.directory)
        # Whoever runs the program must be able to write there.
        os.chmod(self.directory, 0o1777)
        self.program = f"{self.directory}/oci-gpu-hook"
        words = ["env", f"LD_PRELOAD={sandbox.WORK}/known_calls.so", "valgrind", *OPTIONS,
                 f"--log-file={self.directory}/log.%p", hook]
        with open(self.program, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        os.chmod(self.program, 0o755)

    def look(self):
        """Return: (what is wrong, numbers of system calls that valgrind does not know)"""
        problems = []
        unknown = set()
        logs = [log.read_text(encoding="utf-8", errors="replace")
                for log in sorted(pathlib.Path(self.directory).glob("log.*"))]
        if not any("ERROR SUMMARY: " in log for log in logs):
            problems.append("valgrind has come to no summary")
        for log in logs:
            unknown.update(UNKNOWN_CALL.findall(log))
            left = [number for number in LEFT_OPEN.findall(log) if int(number) > 2]
            # A parser that dies with the program has none.
            errors = "ERROR SUMMARY: " in log and "ERROR SUMMARY: 0 errors" not in log
            if left or errors:
                problems += [f"descriptors left open: {', '.join(left) or 'none'}",
                             *log.splitlines()]
        return problems, unknown


class Suite:
    def __init__(self, hook, out):
        self.hook = hook
        self.out = out
        self.unknown = set()  # numbers of system calls

    def report(self, name, run, problems, counts=True):
        found, unknown = run.look()
        self.unknown |= unknown
        if unknown or not counts:
            problems = []
        self.out.check(name, problems + found)

    def cases(self):
        directories = [path for path in sorted(pathlib.Path(TEST, "cases").iterdir())
                       if (path / "want.error").exists() or (path / "want.usage").exists()]
        hosts = run_cases.Hosts(pathlib.Path(TEST, "hosts"),
                                pathlib.Path(sandbox.WORK, "case-hosts"))

        def one(directory):
            run = Run(self.hook)
            return run, run_cases.run_case(directory, run.program, hosts,
                                           pathlib.Path(run.directory))

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for directory, result in zip(directories, pool.map(one, directories)):
                self.report(f"case {directory.name}", *result)

    def direct(self, only):
        for name, _ in direct.Suite(self.hook).tests():
            if only not in name:
                continue
            if name in KILLED:
                self.out.skip(f"hook: {name}", "it is killed before valgrind says anything")
                continue
            run = Run(self.hook)
            try:
                problems = dict(direct.Suite(run.program).tests())[name]()
            except Exception as error:  # pylint: disable=broad-except
                problems = [f"{type(error).__name__}: {error}"]
            self.report(f"hook: {name}", run, problems, name not in LOGS_ALONE)

    def check_way(self):
        """A valgrind that knows no pidfd_open() knows no move_mount(), so it is in the logs."""
        self.out.check("what valgrind does not know keeps nobody out of the container",
                       [] if not self.unknown or IN_CONTAINER in self.unknown else
                       [f"unknown: {', '.join(sorted(self.unknown, key=int))}"])


def main():
    options = sandbox.arguments(__doc__, tools=["busybox", "strace", "valgrind", "gcc"])
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-o",
                    f"{sandbox.WORK}/known_calls.so", os.path.join(HERE, "known_calls.c")],
                   check=True)
    out = tap.Writer()
    suite = Suite(options.hook, out)
    if not options.only:
        suite.cases()
    suite.direct(options.only)
    suite.check_way()
    return out.done()


if __name__ == "__main__":
    sys.exit(main())
