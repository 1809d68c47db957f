#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the program on every case of test/cases and compares what it says.

usage: run_cases.py --binary PATH [--hosts DIR] [--only PATTERN]

A case is a directory; its name says the fact. In it:

  request       the value of the annotation (a line end at the end is not part of it).
                Asked twice, with --gpu and through a bundle: both must agree
  config.json   or instead, the configuration of a bundle
  args          the arguments, one a line, instead of the usual ones; {bundle} stands for
                the directory of the bundle, with the case's config.json if it has one
  settings.json the configuration file, passed by --config; {settings} stands for its path
                in args and in what is wanted. Its schema must accept it if and only if the
                program does. Without it an empty one is passed, so that this machine's
                own does not count; args get neither
  host          name of a manifest in test/hosts; its tree becomes --host-root
  rootfs        name of a manifest in test/hosts; its tree becomes the container's root.
                Without it that is root-debian, which is what --gpu takes for granted, too
  needs-nodes   empty: without the host's device nodes the case is skipped
  rootless      empty: the program runs in a user namespace of its own, as it does below a
                rootless engine

and one of

  want.plan     the JSON on standard output, compared as data, and against its schema in
                specs/. Without "choice" in it that is held against "gpus" only; exit status 0, nothing on standard error
  want.text     standard output, word for word; exit status 0
  want.error    the one line on standard error; exit status 1, nothing on standard output
  want.usage    the same with exit status 2

Prints TAP 13. Making the hosts' device nodes needs root. Without it they are absent, and
what the program says about that in its warnings is left out of the comparison.
"""

import argparse
import difflib
import fnmatch
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

TEST_DIR = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TEST_DIR))
sys.path.insert(0, str(TEST_DIR / "hosts"))

import build_host  # noqa: E402
import schema_check  # noqa: E402

KEY = "io.oci-gpu-hook.gpu"
INPUTS = {"request", "config.json", "args"}
EXTRAS = {"host", "rootfs", "needs-nodes", "rootless", "settings.json"}
WANTS = {"want.plan": 0, "want.text": 0, "want.error": 1, "want.usage": 2}
TIMEOUT_S = 30
ROOTLESS = ["unshare", "--user", "--map-root-user"]

# What an error line starts with when the same value comes from the command line.
READ_ANNOTATION = f"read annotation '{KEY}': "
READ_OPTION = "read option '--gpu': "

# Warnings that depend on the nodes in /dev.
NODE_WARNING = re.compile(r"^(node '|the process runs |'/dev/[^']*' \(mode )")


class CaseError(Exception):
    """The case itself is wrong."""


class SkipCase(Exception):
    """The case cannot be run here; the message says why."""


class Case:
    """The files of one directory."""

    def __init__(self, directory):
        self.name = directory.name
        files = {path.name for path in directory.iterdir()}
        unknown = files - INPUTS - set(WANTS) - EXTRAS
        if unknown:
            raise CaseError(f"unknown files {sorted(unknown)}")
        if not files & INPUTS or {"request", "config.json"} <= files:
            raise CaseError("one of request, config.json and args is needed")
        if "request" in files and "args" in files:
            raise CaseError("request and args exclude each other")
        wants = files & set(WANTS)
        if len(wants) != 1:
            raise CaseError(f"one of {sorted(WANTS)} is needed")
        self.want_name = wants.pop()
        self.texts = {
            name: (directory / name).read_text(encoding="utf-8") for name in files
        }
        self.want = self.texts[self.want_name]
        self.host = self.texts.get("host", "").strip()
        self.rootfs = self.texts.get("rootfs", "root-debian").strip()
        self.needs_nodes = "needs-nodes" in files
        self.is_rootless = "rootless" in files

    def bundle_config(self):
        """Text of the bundle's config.json, or None."""
        if "request" not in self.texts:
            return self.texts.get("config.json")
        return json.dumps(
            {
                "ociVersion": "1.0.2",
                "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/"},
                "root": {"path": "rootfs"},
                "annotations": {KEY: self.texts["request"].removesuffix("\n")},
            }
        )

    def commands(self, bundle, settings):
        """Yields (way, arguments) for each way to ask."""
        if "args" in self.texts:
            for arg in ("{bundle}", str(bundle)), ("{settings}", str(settings)):
                self.texts["args"] = self.texts["args"].replace(*arg)
            yield "args", self.texts["args"].splitlines()
            return
        plan = ["plan", "--json", "--config", str(settings)]
        yield "bundle", [*plan, "--bundle", str(bundle)]
        if "request" in self.texts and "rootfs" not in self.texts:
            yield "--gpu", [*plan, "--gpu", self.texts["request"].removesuffix("\n")]

    def check_settings(self, is_accepted):
        """Schema and program must agree about the configuration file. Returns lines."""
        if "settings.json" not in self.texts:
            return []
        if self.want_name == "want.plan" and json.loads(self.want)["gpuSpec"] is None:
            # Nobody asks, so what is wrong with the file is a warning.
            is_accepted = "warnings" not in json.loads(self.want)
        try:
            value = json.loads(self.texts["settings.json"], object_pairs_hook=unique)
        except ValueError:
            fits = False
        else:
            schema = load_schema("config")
            fits = not list(schema_check.check(schema, value, schema))
        if fits == is_accepted:
            return []
        return [f"its schema {'accepts' if fits else 'refuses'} settings.json"]


class Hosts:
    """Host trees, each built once, all below one directory. Threads may share one object."""

    def __init__(self, manifests, directory):
        self.manifests = manifests
        self.directory = directory
        self.built = {}
        self.lock = threading.Lock()

    def get(self, name):
        """Path of the host's tree, and whether it has its device nodes."""
        with self.lock:
            if name not in self.built:
                path = self.directory / name
                manifest = self.manifests / f"{name}.host"
                self.built[name] = (path, build_host.build_host(manifest, path))
            return self.built[name]


def unique(pairs):
    """An object of JSON; a repeated key is an error."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("repeated key")
    return dict(pairs)


def load_schema(name):
    """A schema of specs/."""
    path = TEST_DIR.parent / "specs" / f"{name}.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def without_node_warnings(value):
    """The same without what cannot be seen when there are no nodes."""
    if isinstance(value, dict) and "warnings" in value:
        kept = [text for text in value["warnings"] if not NODE_WARNING.match(text)]
        return {**value, "warnings": kept}
    return value


def diff(want, got):
    """Lines of a difference; none: they are equal."""
    return list(
        difflib.unified_diff(
            want.splitlines(), got.splitlines(), "want", "got", lineterm=""
        )
    )


def check_choice(plan):
    """Whose reasons are given, and which are said to be given, are the plan's GPUs."""
    keys = ("vendor", "index", "pci")
    given = [tuple(one[key] for key in keys) for one in plan["choice"] if one["given"]]
    gpus = [tuple(gpu[key] for key in keys) for gpu in plan["gpus"]]
    return [] if given == gpus else [f"choice gives {given}, and the GPUs are {gpus}"]


def compare_plan(case, args, stdout, has_nodes):
    """Compares JSON as data: the order of keys does not matter, that of items does."""
    try:
        got = json.loads(stdout)
        want = json.loads(case.want)
    except json.JSONDecodeError as error:
        return [f"no JSON: {error}", *stdout.splitlines()]
    schema = load_schema("list" if args[0] == "list" else "plan")
    problems = [f"schema: {line}" for line in schema_check.check(schema, got, schema)]
    if "choice" in got:
        problems += check_choice(got)
        if "choice" not in want:
            # Its words are the matter of the cases that have it.
            del got["choice"]
    if not has_nodes:
        want, got = without_node_warnings(want), without_node_warnings(got)
    if want != got:
        texts = [json.dumps(one, indent=2, sort_keys=True) for one in (want, got)]
        problems += diff(*texts)
    return problems


def run_one(case, way, args, binary, host):
    """Runs one way to ask. Returns what is wrong, as lines."""
    path, has_nodes = host
    if path:
        args = [*args, "--host-root", str(path)]
    done = subprocess.run(
        [*(ROOTLESS if case.is_rootless else []), binary, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    )
    stdout = done.stdout.decode("utf-8", "backslashreplace")
    stderr = done.stderr.decode("utf-8", "backslashreplace")
    problems = []
    if done.returncode != WANTS[case.want_name]:
        problems.append(
            f"exit status {done.returncode}, wanted {WANTS[case.want_name]}"
        )
    if case.want_name == "want.plan" and not problems:
        problems += compare_plan(case, args, stdout, has_nodes)
        problems += diff("", stderr)
    elif case.want_name in ("want.plan", "want.text"):
        want = case.want if case.want_name == "want.text" else ""
        problems += diff(want, stdout) + diff("", stderr)
    else:
        want = case.want
        if way == "--gpu":
            want = want.replace(READ_ANNOTATION, READ_OPTION)
        problems += diff("", stdout) + diff(want, stderr)
    return [f"{way}: {line}" for line in problems]


def can_be_rootless():
    """May a user namespace be made, and is there the tool for it?"""
    try:
        return not subprocess.run([*ROOTLESS, "true"], capture_output=True, check=False,
                                  timeout=TIMEOUT_S).returncode
    except OSError:
        return False


def run_case(directory, binary, hosts, scratch):
    """Runs one case in every way. Returns what is wrong, as lines."""
    try:
        case = Case(directory)
        host = hosts.get(case.host) if case.host else (None, True)
        rootfs, _ = hosts.get(case.rootfs)
    except (CaseError, build_host.ManifestError, OSError, UnicodeError) as error:
        return [f"the case is wrong: {error}"]
    if case.needs_nodes and not host[1]:
        raise SkipCase("device nodes cannot be made here, that needs root")
    if case.is_rootless and not can_be_rootless():
        raise SkipCase("user namespaces cannot be made here")
    bundle = scratch / "bundle" / case.name
    config = case.bundle_config()
    bundle.mkdir(parents=True)
    (bundle / "rootfs").symlink_to(rootfs)
    if config is not None:
        (bundle / "config.json").write_text(config, encoding="utf-8")
    settings = bundle / "settings.json"
    settings.write_text(case.texts.get("settings.json", "{}"), encoding="utf-8")
    case.want = case.want.replace("{settings}", str(settings))
    refusal = f"oci-gpu-hook: read configuration '{settings}': "
    problems = case.check_settings(is_accepted=not case.want.startswith(refusal))
    for way, args in case.commands(bundle, settings):
        try:
            problems += run_one(case, way, args, binary, host)
        except (subprocess.TimeoutExpired, OSError, ValueError) as error:
            problems.append(f"{way}: {error}")
    return problems


def end_on_signal(number, _frame):
    """Ends the program in the usual way, so that what it made is removed."""
    sys.exit(128 + number)


def run_all(args, scratch):
    """Prints TAP. Returns the number of cases that failed."""
    directories = sorted(
        path
        for path in (TEST_DIR / "cases").iterdir()
        if path.is_dir() and fnmatch.fnmatch(path.name, args.only)
    )
    hosts = Hosts(pathlib.Path(args.hosts), scratch / "hosts")
    failed = 0
    print("TAP version 13")
    print(f"1..{len(directories)}")
    for number, directory in enumerate(directories, 1):
        skip = ""
        problems = []
        try:
            problems = run_case(directory, args.binary, hosts, scratch)
        except SkipCase as reason:
            skip = f" # SKIP {reason}"
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {number} - {directory.name}{skip}")
        for line in problems:
            print(f"# {line}")
        sys.stdout.flush()
    if any(not has_nodes for _, has_nodes in hosts.built.values()):
        print("# no device nodes could be made: warnings about nodes are not compared")
    return failed


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="Runs the cases of test/cases.")
    parser.add_argument("--binary", required=True, type=os.path.abspath)
    parser.add_argument("--hosts", default=str(TEST_DIR / "hosts"))
    parser.add_argument("--only", default="*", metavar="PATTERN")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end_on_signal)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="oci-gpu-hook-cases-"))
    try:
        return 1 if run_all(args, scratch) else 0
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
