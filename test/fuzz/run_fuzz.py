#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs fuzz targets, each first on every file of its corpus, then on what it makes of them.

usage: run_fuzz.py [--seconds N] [--jobs N] [--merge] BUILD [TARGET...]

BUILD holds the targets (meson setup --native-file=contrib/meson/fuzz.ini BUILD). What a run
finds new goes to BUILD/corpus/TARGET and is used by the next one. An input that stops a
target stays as BUILD/found/TARGET/KIND-HASH; run "BUILD/fuzz-TARGET FILE" to see it again.

--merge does not fuzz, but takes over into test/fuzz/corpus/TARGET what reaches code there
that nothing else does, as few and small files as it can.

Prints TAP.
"""

import argparse
import concurrent.futures
import ctypes
import glob
import os
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]

import tap

CORPUS = os.path.join(HERE, "corpus")
DICTIONARIES = os.path.join(HERE, "dict")

# A target that cannot work here says so and ends with this; libFuzzer's own status after a
# fault would be the same.
STATUS_SKIPPED = 77
STATUS_FAULT = 1

# The largest input is a config.json; a target that needs more memory, or ten seconds for one
# input, has a fault.
LIMITS = ["-rss_limit_mb=1024", "-timeout=10", f"-error_exitcode={STATUS_FAULT}"]

# The corpora stay small enough to be looked through.
MERGED_FILES = 60
MERGED_BYTES = 60 * 1024

# A finding of a sanitizer ends the target, as abort() does.
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Target:
    def __init__(self, build, name):
        self.name = name
        self.program = os.path.join(build, f"fuzz-{name}")
        self.seeds = os.path.join(CORPUS, name)
        self.dictionary = os.path.join(DICTIONARIES, f"{name}.dict")
        self.grown = os.path.join(build, "corpus", name)
        self.found = os.path.join(build, "found", name)

    def run(self, options, limit):
        """Return: (output, exit status or None after @limit seconds)"""
        os.makedirs(self.grown, exist_ok=True)
        os.makedirs(self.found, exist_ok=True)
        command = [self.program, f"-artifact_prefix={self.found}/", *LIMITS, *options]
        try:
            result = subprocess.run(command, env={**os.environ, **ENVIRONMENT},
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, errors="replace",
                                    timeout=limit, preexec_fn=die_with_parent, check=False)
            return result.stdout, result.returncode
        except subprocess.TimeoutExpired as expired:
            return (expired.stdout or b"").decode(errors="replace"), None

    def use_dictionary(self):
        return [f"-dict={self.dictionary}"] if os.path.exists(self.dictionary) else []

    def replay(self):
        """Every file of the corpus, once. Without one there is nothing to begin with."""
        files = sorted(glob.glob(os.path.join(self.seeds, "*")))
        if not files:
            return f"no corpus: {os.path.relpath(self.seeds)} is empty", 1
        # Files and not their directory: so each is run, and named when it is the one.
        return self.run(files, 120)

    def fuzz(self, seconds):
        """Return: as run()"""
        return self.run([f"-max_total_time={seconds}", "-print_final_stats=1",
                         *self.use_dictionary(), self.grown, self.seeds], seconds + 120)

    def merge(self):
        """Return: what went wrong, or nothing"""
        # How often an edge is taken does not count: that would keep a thousand files.
        output, status = self.run(["-merge=1", "-use_counters=0", self.seeds, self.grown],
                                  1200)
        if status != 0:
            return tap.tail(output)
        self.drop_largest()
        return []

    def drop_largest(self):
        """What people made has a name and stays."""
        files = sorted(glob.glob(os.path.join(self.seeds, "*")), key=os.path.getsize)
        made = [path for path in files if not is_found_name(path)]
        n_files = len(made)
        n_bytes = sum(os.path.getsize(path) for path in made)
        for path in filter(is_found_name, files):
            n_files += 1
            n_bytes += os.path.getsize(path)
            if n_files > MERGED_FILES or n_bytes > MERGED_BYTES:
                os.remove(path)


def is_found_name(path):
    """libFuzzer calls a file by the SHA-1 of what is in it."""
    return re.fullmatch(r"[0-9a-f]{40}", os.path.basename(path)) is not None


def explain(target, output, status):
    """What a person needs of a target's output: the kind of fault, where, and the input."""
    lines = [f"exit status {status}" if status is not None else "it did not end"]
    lines += [line for line in output.splitlines()
              if re.search(r"ERROR|SUMMARY|runtime error|^\s+#\d+ .*/\.\./(lib|test)/|"
                           r"no corpus", line)][:30]
    # A file of the corpus is named before it is run; what is new is written to a file.
    written = re.findall(r"Test unit written to (.*)", output)
    running = re.findall(r"^Running: (.*)", output, re.MULTILINE)
    lines += [f"input: {path}" for path in written or running[-1:]]
    return lines


def statistics(output):
    """The last counts that libFuzzer printed: "123 runs, cov 45"."""
    runs = re.findall(r"^Done (\d+) runs", output, re.MULTILINE)
    coverage = re.findall(r"^#\d+\s.*\bcov: (\d+)", output, re.MULTILINE)
    return f"{runs[-1] if runs else 0} runs, coverage {coverage[-1] if coverage else 0}"


def test(target, seconds):
    """Return: [(test's name, problems or None, reason to skip or None)]"""
    results = []
    for name, run in ((f"{target.name}: its corpus", target.replay),
                      (f"{target.name}: {seconds} s", lambda: target.fuzz(seconds))):
        output, status = run()
        if status == STATUS_SKIPPED:
            reason = re.search(r"^skipped: (.*)", output, re.MULTILINE)
            results.append((name, None, reason.group(1) if reason else "no reason given"))
        elif status != 0:
            results.append((name, explain(target, output, status), None))
            break
        else:
            results.append((f"{name}, {statistics(output)}" if run != target.replay else name,
                            None, None))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("build")
    parser.add_argument("target", nargs="*")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    there = sorted(os.path.basename(path).removeprefix("fuzz-")
                   for path in glob.glob(os.path.join(build, "fuzz-*"))
                   if os.path.isfile(path) and os.access(path, os.X_OK))
    unknown = [name for name in options.target if name not in there]
    if unknown or not there:
        parser.error(f"no target {', '.join(unknown)} in {build}; there are: "
                     f"{', '.join(there) or 'none'}")
    targets = [Target(build, name) for name in options.target or there]
    out = tap.Writer()
    if options.merge:
        for target in targets:
            out.check(f"{target.name}: merged", target.merge())
        return out.done()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for results in pool.map(lambda target: test(target, options.seconds), targets):
            for name, problems, reason in results:
                if reason:
                    out.skip(name, reason)
                else:
                    out.check(name, problems)
    return out.done()


if __name__ == "__main__":
    sys.exit(main())
