#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check.py - build in every way, run every test that this machine can run, and count

	test/check.py [--long] [--list] [SUITE...]

Every suite prints TAP. A test that cannot run here is counted as skipped, with its reason.
The last line sums all suites; the exit status is 1 if anything failed.
"""

import argparse
import concurrent.futures
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "e2e")]

import cgroups
import tap

TOP = os.path.dirname(HERE)
BUILD = os.path.join(TOP, "build")
PROGRAM = "oci-gpu-hook"

# What each build is for stands in its native file.
NATIVE = "--native-file=contrib/meson/"
BUILDS = {
    "release": [NATIVE + "static.ini"],
    "gcc-werror": [NATIVE + "dev.ini", "-Db_sanitize=none"],
    "sanitize": [NATIVE + "dev.ini"],
    "clang-werror": [NATIVE + "clang.ini"],
    "valgrind": [NATIVE + "dev.ini", "-Db_sanitize=none", "-Dfilter=disabled",
                 "-Dtests=disabled"],
}
# It has neither the program nor the unit tests that the others have, so it is built apart.
FUZZ_BUILD = [NATIVE + "fuzz.ini"]

# A sanitizer's finding ends the program, so that no test can pass over it.
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:abort_on_error=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}

PR_SET_PDEATHSIG = 1
running = set()
stopping = threading.Event()  # a signal has come: nothing more is started


def run(command, limit, env=None, merge=True):
    """Runs a command at the top of the tree, with nothing on its standard input.

    Return: (output, exit status); the status is None if the limit in seconds was reached.
    The command is asked to end, so that it can clean up, before it is killed.
    """
    if stopping.is_set():
        return "stopped by a signal\n", None
    libc = ctypes.CDLL(None)

    def die_with_parent():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    try:
        process = subprocess.Popen(command, cwd=TOP, env={**os.environ, **(env or {})},
                                   text=True, errors="replace", stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT if merge else None,
                                   start_new_session=True, preexec_fn=die_with_parent)
    except FileNotFoundError as error:
        return f"{error}\n", 127
    running.add(process)
    try:
        output, _ = process.communicate(timeout=limit)
        return output, process.returncode
    except subprocess.TimeoutExpired:
        return stop(process), None
    finally:
        running.discard(process)


def stop(process):
    """Ends a command with everything that it started. Return: its output so far"""
    for sign, grace in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        try:
            os.killpg(process.pid, sign)
            return process.communicate(timeout=grace)[0]
        except subprocess.TimeoutExpired:
            continue
        except (ProcessLookupError, ValueError):
            break
    return ""


def on_signal(number, _frame):
    stopping.set()
    for process in list(running):
        stop(process)
    cgroups.remove_left_over()
    sys.exit(128 + number)


# ---- builds ------------------------------------------------------------------------------

def has_unit_tests(directory):
    output, status = run(["meson", "introspect", "--targets", directory], 60, merge=False)
    return status == 0 and any(target["name"] == "unit-tests" for target in json.loads(output))


def configure(name):
    """Return: what went wrong, as text; empty if nothing"""
    directory = os.path.join(BUILD, name)
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        # A configuration that broke off half-way is in the way of the next one.
        shutil.rmtree(directory, ignore_errors=True)
        options = FUZZ_BUILD if name == "fuzz" else BUILDS[name]
        output, status = run(["meson", "setup", *options, directory], 120)
    elif name in ("fuzz", "valgrind") or has_unit_tests(directory):
        return ""
    elif run(["pkg-config", "--exists", "criterion"], 60)[1] == 0:
        # `make` configured it when Criterion was not there yet.
        output, status = run(["meson", "setup", "--reconfigure", "-Dtests=auto", directory], 120)
    else:
        return ""
    return output if status != 0 else ""


def build(name):
    """Return: what went wrong, as text; empty if nothing"""
    directory = os.path.join(BUILD, name)
    os.makedirs(BUILD, exist_ok=True)
    with open(f"{directory}.lock", "w", encoding="ascii") as lock:
        # Another check.py may be at the same build; ninja would not see it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        problem = configure(name)
        if problem:
            return problem
        output, status = run(["meson", "compile", "-C", directory], 600)
    if status != 0 or "warning:" in output:
        return output
    return ""


def build_suite(names):
    result = tap.Result()
    for name in names:
        tool = "clang" if name.startswith("clang") else "gcc"
        if not shutil.which(tool):
            result.skips.append((name, f"{tool} is not installed"))
            continue
        problem = build(name)
        if problem:
            result.failures.append((name, tap.tail(problem, 60)))
        else:
            result.passed += 1
    return result


# ---- suites ------------------------------------------------------------------------------

def is_built(name):
    return os.path.exists(os.path.join(BUILD, name, PROGRAM))


def not_built(name):
    result = tap.Result()
    result.failures.append((f"build {name}", ["it was not built"]))
    return result


def unit_suite(build_name):
    """The test programs of a build, as meson knows them; each test of each is counted."""
    directory = os.path.join(BUILD, build_name)
    output, status = run(["meson", "introspect", "--tests", directory], 60)
    if status != 0:
        return not_built(build_name)
    tests = json.loads(output)
    env = SANITIZER_ENV if build_name == "sanitize" else {}

    def one(test):
        if not os.path.exists(test["cmd"][0]):
            return test["name"], not_built(build_name)
        command = test["cmd"] + ([] if "--tap" in " ".join(test["cmd"]) else ["--tap"])
        text, code = run(command, 600, {**env, **test["env"]}, merge=False)
        return test["name"], tap.read(text, code)

    total = tap.Result()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, result in pool.map(one, tests):
            total.passed += result.passed
            total.failures += [(f"{name}: {what}", why) for what, why in result.failures]
            total.skips += [(f"{name}: {what}", why) for what, why in result.skips]
    if not tests:
        # Criterion is optional for a build, but root could have installed it.
        why = "no unit tests were built; install libcriterion-dev and run make check again"
        if os.geteuid() == 0:
            total.failures.append(("all", [why]))
        else:
            total.skips.append(("all", why))
    return total


def tap_suite(build_name, *command, limit, env=None):
    if not is_built(build_name):
        return not_built(build_name)
    output, status = run([sys.executable, "-B", *command], limit, env)
    return tap.read(output, status)


def cases_suite(build_name):
    program = os.path.join(BUILD, build_name, PROGRAM)
    env = SANITIZER_ENV if build_name == "sanitize" else None
    return tap_suite(build_name, "test/run_cases.py", "--binary", program,
                     limit=300, env=env)


def analyze_suite(tool, build_name):
    return tap_suite(build_name, "test/lint/analyze.py", tool,
                     os.path.join(BUILD, build_name), limit=600)


def e2e_suite(script, *args, limit=180, build_name="release"):
    program = os.path.join(BUILD, build_name, PROGRAM)
    return tap_suite(build_name, f"test/e2e/{script}", "--hook", program, *args, limit=limit)


def sanitized_suite(script, *args):
    """A finding makes the hook fail, wherever it runs: see test/memory/sanitizer.c."""
    return e2e_suite(script, *args, limit=420, build_name="sanitize")


def attack_suite(script, *args, limit=180, build_name="release"):
    program = os.path.join(BUILD, build_name, PROGRAM)
    return tap_suite(build_name, f"test/attack/{script}", "--hook", program, *args, limit=limit)


def why_no_fuzzing():
    """Return: what is missing for the fuzz targets, or nothing"""
    if not shutil.which("clang"):
        return "clang is not installed"
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "target.c")
        with open(source, "w", encoding="ascii") as file:
            file.write("int LLVMFuzzerTestOneInput(void);\n"
                       "int LLVMFuzzerTestOneInput(void) { return 0; }\n")
        _, status = run(["clang", "-fsanitize=fuzzer,address", source,
                         "-o", os.path.join(directory, "target")], 60)
    return "" if status == 0 else "clang has no libFuzzer; install libclang-rt-dev"


def fuzz_suite(seconds):
    """Every fuzz target: its corpus, then a while of fuzzing."""
    result = tap.Result()
    why_not = why_no_fuzzing()
    if why_not:
        result.skips.append(("all", why_not))
        return result
    problem = build("fuzz")
    if problem:
        result.failures.append(("build", tap.tail(problem, 60)))
        return result
    # Three at once: they are given their time, not their share of a processor.
    output, status = run([sys.executable, "-B", "test/fuzz/run_fuzz.py", "--jobs", "3",
                          "--seconds", str(seconds), os.path.join(BUILD, "fuzz")],
                         20 * seconds + 600)
    return tap.read(output, status)


def command_suite(name, *command, limit):
    """A command for people that has no tests of its own: it must go through."""
    result = tap.Result()
    if os.geteuid() != 0:
        result.skips.append((name, "needs root"))
    elif not is_built("release"):
        return not_built("release")
    else:
        output, status = run(command, limit)
        if status == 0:
            result.passed += 1
        else:
            result.failures.append((f"{name}: exit status {status}", tap.tail(output, 60)))
    return result


RELEASE = os.path.join(BUILD, "release")


def vm_suite(machine, *suites):
    """One virtual machine, whose disk is made only once. It runs beside other suites, and
    machines there are on which all takes three times as long: nothing in it depends on that."""
    return tap_suite("release", "test/vm/vm.py", "--hook", os.path.join(RELEASE, PROGRAM),
                     "--machine", machine, "--limit=1800",
                     *(f"--suite={suite}" for suite in suites), limit=3000)


SUITES = {
    "unit": lambda: unit_suite("release"),
    "unit-sanitized": lambda: unit_suite("sanitize"),
    # What the other compiler makes of it is run as well, not only built.
    "unit-clang": lambda: unit_suite("clang-werror"),
    "cases": lambda: cases_suite("release"),
    "cases-sanitized": lambda: cases_suite("sanitize"),
    "cases-clang": lambda: cases_suite("clang-werror"),
    "lint": lambda: tap_suite("release", "test/lint/lint.py", RELEASE, limit=300),
    "analyzer": lambda: analyze_suite("gcc", "gcc-werror"),
    "clang-tidy": lambda: analyze_suite("clang-tidy", "clang-werror"),
    "hardening": lambda: tap_suite("release", "test/lint/hardening.py",
                                   os.path.join(RELEASE, PROGRAM), limit=60),
    "e2e-direct": lambda: e2e_suite("direct.py"),
    "e2e-direct-clang": lambda: e2e_suite("direct.py", build_name="clang-werror"),
    "e2e-precreate": lambda: e2e_suite("precreate.py"),
    "e2e-settings": lambda: e2e_suite("settings.py"),
    "e2e-runc-v1": lambda: e2e_suite("oci.py", "runc-v1"),
    "e2e-runc-v2": lambda: e2e_suite("oci.py", "runc-v2"),
    "e2e-crun": lambda: e2e_suite("oci.py", "crun"),
    "e2e-private-runc-v1": lambda: e2e_suite("private.py", "runc-v1"),
    "e2e-private-runc-v2": lambda: e2e_suite("private.py", "runc-v2"),
    "e2e-private-crun": lambda: e2e_suite("private.py", "crun"),
    "e2e-podman": lambda: e2e_suite("podman.py", "root", limit=300),
    "e2e-podman-rootless": lambda: e2e_suite("podman.py", "rootless", limit=300),
    "e2e-sharing": lambda: e2e_suite("sharing.py", "rules"),
    "e2e-sharing-faults": lambda: e2e_suite("sharing.py", "faults", limit=300),
    "e2e-sharing-storm": lambda: e2e_suite("sharing.py", "storm", limit=300),
    "e2e-podman-precreate": lambda: e2e_suite("podman.py", "root-precreate", limit=300),
    "e2e-podman-rootless-precreate":
        lambda: e2e_suite("podman.py", "rootless-precreate", limit=300),
    "e2e-systemd-v1": lambda: e2e_suite("systemd.py", "v1"),
    "e2e-systemd-v2": lambda: e2e_suite("systemd.py", "v2"),
    "e2e-direct-sanitized": lambda: sanitized_suite("direct.py"),
    "e2e-precreate-sanitized": lambda: sanitized_suite("precreate.py"),
    "e2e-settings-sanitized": lambda: sanitized_suite("settings.py"),
    "e2e-runc-v1-sanitized": lambda: sanitized_suite("oci.py", "runc-v1"),
    "e2e-runc-v2-sanitized": lambda: sanitized_suite("oci.py", "runc-v2"),
    "e2e-crun-sanitized": lambda: sanitized_suite("oci.py", "crun"),
    "e2e-private-runc-v1-sanitized": lambda: sanitized_suite("private.py", "runc-v1"),
    "e2e-private-runc-v2-sanitized": lambda: sanitized_suite("private.py", "runc-v2"),
    "e2e-private-crun-sanitized": lambda: sanitized_suite("private.py", "crun"),
    "e2e-driver-runc-v1-sanitized": lambda: sanitized_suite("driver_oci.py", "runc-v1"),
    "e2e-driver-runc-v2-sanitized": lambda: sanitized_suite("driver_oci.py", "runc-v2"),
    "e2e-driver-crun-sanitized": lambda: sanitized_suite("driver_oci.py", "crun"),
    "e2e-cdi-runc-v1-sanitized": lambda: sanitized_suite("driver_oci.py", "runc-v1-cdi"),
    "e2e-cdi-runc-v2-sanitized": lambda: sanitized_suite("driver_oci.py", "runc-v2-cdi"),
    "e2e-cdi-crun-sanitized": lambda: sanitized_suite("driver_oci.py", "crun-cdi"),
    "e2e-podman-sanitized": lambda: sanitized_suite("podman.py", "root"),
    "e2e-podman-rootless-sanitized": lambda: sanitized_suite("podman.py", "rootless"),
    "e2e-podman-precreate-sanitized": lambda: sanitized_suite("podman.py", "root-precreate"),
    "e2e-podman-rootless-precreate-sanitized":
        lambda: sanitized_suite("podman.py", "rootless-precreate"),
    "e2e-sharing-sanitized": lambda: sanitized_suite("sharing.py", "rules"),
    "e2e-sharing-faults-sanitized": lambda: sanitized_suite("sharing.py", "faults"),
    "e2e-systemd-v1-sanitized": lambda: sanitized_suite("systemd.py", "v1"),
    "e2e-systemd-v2-sanitized": lambda: sanitized_suite("systemd.py", "v2"),
    # Only the calls that are none of the sanitizers' fail.
    "e2e-undo-v2-sanitized": lambda: sanitized_suite("undo.py", "v2", "sample"),
    "e2e-undo-private-sanitized": lambda: sanitized_suite("undo.py", "private", "sample"),
    "e2e-undo-systemd-sanitized": lambda: sanitized_suite("undo.py", "systemd", "sample"),
    "e2e-undo-driver-sanitized": lambda: sanitized_suite("undo.py", "driver", "sample"),
    "e2e-undo-cdi-sanitized": lambda: sanitized_suite("undo.py", "cdi", "sample"),
    "valgrind-errors": lambda: tap_suite(
        "valgrind", "test/memory/valgrind.py", "--hook",
        os.path.join(BUILD, "valgrind", PROGRAM), limit=900),
    "e2e-undo-v1": lambda: e2e_suite("undo.py", "v1", "sample", limit=600),
    "e2e-undo-v2": lambda: e2e_suite("undo.py", "v2", "sample", limit=600),
    "e2e-undo-private": lambda: e2e_suite("undo.py", "private", "sample", limit=600),
    "e2e-undo-systemd": lambda: e2e_suite("undo.py", "systemd", "sample", limit=600),
    "e2e-undo-pin": lambda: e2e_suite("undo.py", "pin", "sample", limit=600),
    "e2e-undo-driver": lambda: e2e_suite("undo.py", "driver", "sample", limit=600),
    "e2e-undo-cdi": lambda: e2e_suite("undo.py", "cdi", "sample", limit=600),
    "e2e-driver-runc-v1": lambda: e2e_suite("driver_oci.py", "runc-v1"),
    "e2e-driver-runc-v2": lambda: e2e_suite("driver_oci.py", "runc-v2"),
    "e2e-driver-crun": lambda: e2e_suite("driver_oci.py", "crun"),
    "e2e-cdi-runc-v1": lambda: e2e_suite("driver_oci.py", "runc-v1-cdi"),
    "e2e-cdi-runc-v2": lambda: e2e_suite("driver_oci.py", "runc-v2-cdi"),
    "e2e-cdi-crun": lambda: e2e_suite("driver_oci.py", "crun-cdi"),
    "attack-direct": lambda: attack_suite("regress.py"),
    "attack-direct-clang": lambda: attack_suite("regress.py", build_name="clang-werror"),
    "attack-devices": lambda: attack_suite("devices.py"),
    "attack-runc": lambda: attack_suite("runtime.py", "runc-v1"),
    # Where the device rules are, only what it calls differs.
    "attack-runc-v2": lambda: attack_suite("runtime.py", "runc-v2", "--only", "R11"),
    "attack-crun": lambda: attack_suite("runtime.py", "crun"),
    "attack-cve": lambda: attack_suite("cve.py"),
    "attack-race": lambda: attack_suite("race.py", "1000"),
    "attack-driver": lambda: attack_suite("driver_files.py", "100", "found"),
    "attack-cdi": lambda: attack_suite("driver_files.py", "100", "cdi"),
    "attack-load": lambda: attack_suite("load.py", "2000"),
    "fuzz": lambda: fuzz_suite(60),
    # What test/gpu/check_gpu.py says of a real GPU, with a made one.
    "gpu-script": lambda: tap_suite("release", "test/gpu/test_made_driver.py", "--hook",
                                    os.path.join(RELEASE, PROGRAM), limit=300),
    "check-itself": lambda: tap_suite("release", "test/check_itself.py", limit=180),
    "install": lambda: tap_suite("release", "test/install.py", RELEASE, limit=120),
    "demo": lambda: command_suite("make demo", "contrib/demo",
                                  os.path.join(RELEASE, PROGRAM), limit=60),
    "vm-trixie": lambda: vm_suite("trixie"),
    # A few runs, to see that it works; its figures are no test.
    "bench": lambda: command_suite("make bench", sys.executable, "-B", "test/bench/bench.py",
                                   RELEASE, "3", limit=120),
}

# What runs beside the others, so that both take about as long: what needs no container at all,
# and of the rest what starts the hook itself and touches nothing that is the whole machine's.
# Not what has e2e/direct.py in it: that changes the options of cgroup2 for a moment, which
# others compare.
ASIDE = {"unit", "unit-sanitized", "unit-clang", "cases", "cases-sanitized", "cases-clang",
         "lint", "analyzer", "clang-tidy", "hardening", "fuzz", "vm-trixie",
         "e2e-precreate", "e2e-settings", "e2e-precreate-sanitized", "e2e-settings-sanitized",
         "attack-direct-clang", "gpu-script", "install"}

LONG_SUITES = {
    "vm-trixie-sid": lambda: vm_suite("trixie-sid"),
    "vm-bookworm": lambda: vm_suite("bookworm"),
    "vm-sid": lambda: vm_suite("sid"),
    "vm-compare": lambda: vm_suite("trixie", "compare", "cost"),
    # The same suites, for longer.
    "e2e-undo-v1": lambda: e2e_suite("undo.py", "v1", "all", limit=3600),
    "e2e-undo-v2": lambda: e2e_suite("undo.py", "v2", "all", limit=3600),
    "e2e-undo-private": lambda: e2e_suite("undo.py", "private", "all", limit=3600),
    "e2e-undo-systemd": lambda: e2e_suite("undo.py", "systemd", "all", limit=3600),
    "e2e-undo-pin": lambda: e2e_suite("undo.py", "pin", "all", limit=3600),
    "e2e-undo-driver": lambda: e2e_suite("undo.py", "driver", "all", limit=3600),
    "fuzz": lambda: fuzz_suite(600),
    "attack-race": lambda: attack_suite("race.py", "100000", limit=7200),
    "attack-driver": lambda: attack_suite("driver_files.py", "10000", "found", limit=3600),
    "attack-cdi": lambda: attack_suite("driver_files.py", "10000", "cdi", limit=3600),
    "attack-load": lambda: attack_suite("load.py", "20000", limit=3600),
}


def report(name, result, seconds):
    print(f"{name:22} {result.passed:5} passed {len(result.failures):4} failed "
          f"{len(result.skips):4} skipped   {seconds:6.1f} s", flush=True)
    for what, why in result.failures:
        print(f"  FAILED: {name}: {what}")
        for line in why:
            print(f"    {line.removeprefix('# ')}")
    for what, why in result.skips:
        print(f"  skipped: {name}: {what}: {why}")
    sys.stdout.flush()


class Run:
    """Suites one after another, and the sum of what they say."""

    lock = threading.Lock()  # of the output, and of the sums
    passed = failed = skipped = suites_done = 0

    def __init__(self, suites):
        self.suites = suites

    def go(self):
        for name, suite in self.suites.items():
            start = time.monotonic()
            try:
                result = suite()
            except Exception as error:  # pylint: disable=broad-exception-caught
                # A thread would end without a word, and with it all that is not yet run.
                result = tap.Result()
                result.failures.append((name, [repr(error)]))
            with Run.lock:
                Run.passed += result.passed
                Run.failed += len(result.failures)
                Run.skipped += len(result.skips)
                Run.suites_done += 1
                report(name, result, time.monotonic() - start)


def run_suites(suites):
    """Those of ASIDE in a thread, which ends with the program: a signal stops what it runs."""
    aside = threading.Thread(target=Run({name: suite for name, suite in suites.items()
                                         if name in ASIDE}).go, daemon=True)
    aside.start()
    Run({name: suite for name, suite in suites.items() if name not in ASIDE}).go()
    aside.join()
    if Run.suites_done < len(suites):
        # A thread that breaks off says so on standard error, and no more.
        print(f"  FAILED: {len(suites) - Run.suites_done} suites were not run to their end")
        Run.failed += len(suites) - Run.suites_done


def main():
    parser = argparse.ArgumentParser(description="build and test everything")
    parser.add_argument("--long", action="store_true", help="the longer runs and the other virtual machines as well")
    parser.add_argument("--list", action="store_true", help="print the suites' names")
    parser.add_argument("suite", nargs="*", help="run these only, on the builds that are there")
    options = parser.parse_args()
    named = {name: LONG_SUITES[name] for name in options.suite
             if name in LONG_SUITES and name not in SUITES}
    # A long suite may be named without --long.
    suites = {**SUITES, **(LONG_SUITES if options.long else named)}
    if options.list:
        print("\n".join(suites))
        return 0
    unknown = [name for name in options.suite if name not in suites]
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there are: {', '.join(suites)}")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    # What a program printed may be in no character set at all.
    sys.stdout.reconfigure(errors="backslashreplace")
    cgroups.remove_left_over()
    wanted = {name: suites[name] for name in options.suite}
    if not wanted:
        Run({"build": lambda: build_suite(BUILDS.copy())}).go()
        Run.suites_done = 0
        wanted = suites
    run_suites(wanted)
    cgroups.remove_left_over()
    print(f"{Run.passed} passed, {Run.failed} failed, {Run.skipped} skipped")
    return 1 if Run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
