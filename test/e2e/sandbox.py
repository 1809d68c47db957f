# SPDX-License-Identifier: Apache-2.0
"""sandbox.py - a mount and a PID namespace of the test's own

Everything that a suite mounts, makes or starts lives in there: /run, where all its files
are, is a tmpfs of its own, so that nothing is left on the machine however it ends. The
control groups are the exception; they are named after the run and removed at the end, or
by the next run.
"""

import argparse
import atexit
import os
import shutil
import signal
import subprocess
import sys

import cgroups
import tap

WORK = "/run/work"
INSIDE = "OCI_GPU_HOOK_TEST_INSIDE"
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def skip_all(why):
    print(f"TAP version 13\n1..0 # SKIP {why}")
    sys.exit(0)


def missing_tools(names):
    missing = [name for name in names if not shutil.which(name)]
    return f"{', '.join(missing)} not installed" if missing else None


def _why_not():
    """Why namespaces cannot be had here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    result = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc",
                             "mount", "-t", "tmpfs", "tmpfs", "/run"], text=True,
                            stderr=subprocess.PIPE, check=False)
    return f"no namespaces here: {result.stderr.strip()}" if result.returncode else None


def _enter():
    why = _why_not()
    if why:
        skip_all(why)
    os.environ[INSIDE] = "1"
    cgroups.begin_run()
    os.execvp("unshare", ["unshare", "--mount", "--propagation=private", "--pid", "--fork",
                          "--kill-child", "--mount-proc", sys.executable, "-B", *sys.argv])


def _on_signal(number, _frame):
    sys.exit(128 + number)


def mount(*args):
    subprocess.run(["mount", *args], check=True, timeout=30)


def _set_up():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)
    atexit.register(cgroups.remove, cgroups.parent())
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
    # podman keeps its locks there; another podman's are none of our business.
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/dev/shm")
    for path, mode in ((WORK, 0o755), (f"{WORK}/tmp", 0o1777), ("/run/lock", 0o1777)):
        os.makedirs(path)
        os.chmod(path, mode)
    os.environ["TMPDIR"] = f"{WORK}/tmp"
    os.chdir(WORK)


def arguments(description, *positional, tools=()):
    """Reads the command line and goes into the sandbox.

    tools: programs without which the whole suite is skipped
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--hook", required=True, help="the program to test")
    parser.add_argument("--only", default="", help="run the tests whose name holds this")
    for name, choices in positional:
        parser.add_argument(name, choices=choices)
    options = parser.parse_args()
    why = missing_tools(["unshare", "mount", *tools])
    if why:
        skip_all(why)
    if not os.access(options.hook, os.X_OK):
        parser.error(f"{options.hook} is no program")
    options.hook = enter(options.hook)
    return options


def enter(hook):
    """Goes into the sandbox, by running the script once more in there.

    Return, inside: the path of a copy of the program, which a rootless user can reach, too.
    """
    if INSIDE not in os.environ:
        sys.argv = [os.path.abspath(word) if word == hook else word for word in sys.argv]
        sys.argv[0] = os.path.abspath(sys.argv[0])
        _enter()
    _set_up()
    copy = f"{WORK}/bin/oci-gpu-hook"
    os.mkdir(f"{WORK}/bin")
    shutil.copy2(hook, copy)
    os.chmod(copy, 0o755)
    return copy


# Options of strace for any program: in one with sanitizers, that for leaks ends it there.
UNDER_STRACE = ["-E", "ASAN_OPTIONS=detect_leaks=0"]


def is_sanitized(program):
    """Was it built with sanitizers?"""
    with open(program, "rb") as file:
        return b"__asan_init" in file.read()


def run_tests(tests, only):
    """Runs (name, function) pairs; a function returns what is wrong, or raises.

    Return: the exit status.
    """
    out = tap.Writer()
    for name, function in tests:
        if only and only not in name:
            continue
        try:
            out.check(name, function())
        except SkipTest as skip:
            out.skip(name, str(skip))
        except Exception as error:  # pylint: disable=broad-except
            # Whatever a test stumbles over is a failed test, not the end of the suite.
            out.fail(name, f"{type(error).__name__}: {error}\n{output_of(error)}")
    return out.done()


def output_of(error):
    parts = [getattr(error, "stdout", None), getattr(error, "stderr", None)]
    return "\n".join(part if isinstance(part, str) else part.decode(errors="replace")
                     for part in parts if part)


class SkipTest(Exception):
    """Raised by a test that cannot run here, with the reason."""
