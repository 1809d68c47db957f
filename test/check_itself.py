#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_itself.py - where check.py could pass over tests or defects, or disturb another
run of itself"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "e2e"), os.path.join(HERE, "lint")]

import cgroups
import check
import defects
import tap


@contextlib.contextmanager
def scratch_build():
    """A build that was configured when Criterion was not there. Yields its directory."""
    with tempfile.TemporaryDirectory() as top:
        check.BUILD = top
        directory = os.path.join(top, "release")
        subprocess.run(["meson", "setup", *check.BUILDS["release"], "-Dtests=disabled",
                        directory], cwd=check.TOP, check=True, stdout=subprocess.DEVNULL)
        yield directory


def unit_tests_come_later():
    with scratch_build() as directory:
        if check.has_unit_tests(directory):
            return ["the scratch build has unit tests to begin with"]
        problem = check.configure("release")
        if problem:
            return problem
        return [] if check.has_unit_tests(directory) else ["they are still not there"]


def no_unit_tests_is_a_failure():
    with scratch_build():
        result = check.unit_suite("release")
    if os.geteuid() == 0:
        return [] if result.failures and not result.skips else [str(vars(result))]
    return [] if result.skips and not result.failures else [str(vars(result))]


def broken_suites_are_failures():
    """In both lines: the one beside the others is a thread, whose end nobody would notice."""
    def broken():
        raise RuntimeError("broken")

    def sound():
        result = tap.Result()
        result.passed += 1
        return result

    def without_a_result():
        return None

    problems = []
    for suites, wanted in (
            ({"unit": broken, "lint": sound, "demo": broken, "install": sound}, (2, 2, 0)),
            # This one ends the thread.
            ({"unit": without_a_result, "lint": sound, "demo": sound}, (1, 2, 0))):
        check.Run.passed = check.Run.failed = check.Run.skipped = check.Run.suites_done = 0
        with contextlib.redirect_stdout(io.StringIO()) as printed, \
                contextlib.redirect_stderr(io.StringIO()):
            check.run_suites(suites)
        found = (check.Run.passed, check.Run.failed, check.Run.skipped)
        if found != wanted:
            problems.append(f"{found}, not {wanted}: {printed.getvalue()}")
    return problems


# In place of the sandbox: it makes a group and holds the run's lock across an exec, in a PID
# namespace whose numbers mean nothing here.
LIVE_RUN = """
import os, sys
sys.path.insert(0, sys.argv[1])
import cgroups
cgroups.LOCKS = sys.argv[2]
cgroups.begin_run()
os.mkdir(sys.argv[3] + cgroups.parent())
os.execvp("unshare", ["unshare", "--pid", "--fork", "--kill-child",
                      "sh", "-c", "echo $OCI_GPU_HOOK_TEST_RUN; exec sleep 60"])
"""


def groups_of_a_live_run_stay(hierarchy):
    problems = []
    with tempfile.TemporaryDirectory() as locks:
        cgroups.LOCKS = locks
        command = [sys.executable, "-B", "-c", LIVE_RUN, os.path.join(HERE, "e2e"), locks,
                   hierarchy]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as live:
            run = live.stdout.readline().strip()
            group = f"{hierarchy}/{cgroups.PREFIX}{run}"
            cgroups.remove_left_over()
            if not run or not os.path.isdir(group):
                problems.append(f"'{group}' was removed while its run lived")
            live.kill()
            # All of the run have ended, and let go of the lock, when the pipe is at its end.
            live.stdout.read()
        cgroups.remove_left_over()
        if os.path.isdir(group):
            problems.append(f"'{group}' is still there after its run")
        problems += [f"lock '{name}' is still there" for name in os.listdir(locks)]
    return problems


def main():
    builds = check.BUILD  # the tests change it
    out = tap.Writer()
    has_criterion = subprocess.run(["pkg-config", "--exists", "criterion"],
                                   check=False).returncode == 0
    name = "a build from before Criterion gets its unit tests"
    if has_criterion:
        out.check(name, unit_tests_come_later())
    else:
        out.skip(name, "libcriterion-dev is not installed")
    out.check("a build without unit tests fails for root, and is skipped for others",
              no_unit_tests_is_a_failure())
    out.check("a suite that breaks off is a failure, and the next ones run",
              broken_suites_are_failures())
    name = "groups of a run that lives in another PID namespace stay until it has ended"
    found = cgroups.mounts()
    hierarchy = found.get("devices") or found.get("")
    if os.geteuid() == 0 and shutil.which("unshare") and hierarchy and \
            os.access(hierarchy, os.W_OK):
        out.check(name, groups_of_a_live_run_stay(hierarchy))
    else:
        out.skip(name, "needs root, unshare and a control group hierarchy")
    for name, test in defects.TESTS:
        out.check(name, test())
    name = "defects of memory are in valgrind's logs"
    if shutil.which("valgrind"):
        out.check(name, defects.memory_defects_are_in_valgrinds_logs())
    else:
        out.skip(name, "valgrind is not installed")
    for tool, build in (("gcc", "gcc-werror"), ("clang-tidy", "clang-werror")):
        problems = defects.analyzers_defect(tool, os.path.join(builds, build))
        name = f"{tool} sees a defect"
        if problems is None:
            out.skip(name, "not installed in the version that analyze.py wants")
        else:
            out.check(name, problems)
    return out.done()


if __name__ == "__main__":
    sys.exit(main())
