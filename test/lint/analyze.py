#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""analyze.py {gcc,clang-tidy} BUILD - follow every path through every file, without running

gcc's -fanalyzer and clang-tidy (its checks stand in .clang-tidy). BUILD is a build whose
compile_commands.json says how the files are compiled: one by gcc for the first, one by clang
for the second. Every finding is a failure unless SUPPRESSED names it. Both tools learn new
checks and forget old mistakes with each version, so the version is fixed.
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import sources
import tap

GCC_VERSION = 12
TIDY_VERSION = 14
LIMIT = 300  # seconds for one file; the slowest takes three

# (file, check, part of the line): reason. One that is not found any more is a failure, too.
SUPPRESSED = {
    "gcc": {
        ("lib/base/cleanup.h", "-Wanalyzer-use-of-uninitialized-value", "free(*(void **)p)"):
            "does not see a store through another pointer type; we build with "
            "-fno-strict-aliasing",
    },
    "clang-tidy": {
        ("hook/main.c", "clang-analyzer-core.NullDereference", "cli->command->run("):
            "cli_parse(), in another file, sets a command unless help or version is asked for",
        ("lib/backend/apply/access_node.c", "cert-err34-c", "sscanf("):
            "/proc/PID/status: the kernel writes it, numbers of 32 bits",
        ("lib/backend/apply/cgroup_v1.c", "cert-err34-c", "sscanf("):
            "devices.list: the kernel writes it, numbers of 32 bits",
        ("lib/backend/apply/dbus_message.c", "clang-analyzer-core.DivideZero",
         "(n + alignment - 1)"):
            "an alignment is 1, 2, 4 or 8",
        ("lib/backend/apply/process.c", "clang-analyzer-core.NullDereference",
         "map->ranges[0].outside"):
            "a map that was read has at least one range",
        ("lib/backend/apply/systemd_unit.c", "clang-analyzer-unix.Malloc", "free("):
            "does not see that the struct was zeroed by whoever called",
        ("lib/base/cleanup.h", "bugprone-macro-parentheses", "clear_fn##p(type *object)"):
            "a type takes no parentheses in a declaration",
        ("lib/base/text.c", "bugprone-narrowing-conversions", "(char)(c - 'A' + 'a') : c"):
            "both are a char, which ?: makes an int on the way",
        ("lib/host/host.c", "clang-analyzer-core.NonNullParamChecker", "strrchr(target, '/')"):
            "takes -errno after a failed call for a number that may be 0",
        ("lib/model/gpu_spec.c", "bugprone-narrowing-conversions", "? text[i] : '?'"):
            "both fit a char, which ?: makes an int on the way",
        ("test/fuzz/fuzz_gpu_spec.c", "bugprone-suspicious-memory-comparison", "memcmp(spec"):
            "on purpose: what failed has not touched one byte",
        ("test/fuzz/fuzz_host.c", "cert-err34-c", "sscanf("):
            "whatever number comes out, it is an input to try",
        ("test/fuzz/fuzz_message.c", "clang-analyzer-unix.Malloc", "return 0;"):
            "does not know that a cleanup attribute frees it",
        ("test/fuzz/fuzz_mountinfo.c", "bugprone-narrowing-conversions", "c ? c : '/'"):
            "both are a char, which ?: makes an int on the way",
        ("test/fuzz/fuzz_settings.c", "bugprone-suspicious-memory-comparison",
         "memcmp(settings"):
            "on purpose: what failed has not touched one byte",
        ("test/fuzz/made_tree.c", "bugprone-narrowing-conversions", "*to++ = "):
            "both are a char, which ?: makes an int on the way",
        ("test/fuzz/made_tree.c", "cert-err34-c", "sscanf("):
            "whatever number comes out, it is an input to try",
    },
}

FINDING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error|fatal error): (.*?) \[([^\[\]]+)\]$")


def program(tool):
    """Return: (the tool's name, None), or (None, why it cannot be used)"""
    name, version = {"gcc": ("gcc", GCC_VERSION), "clang-tidy": ("clang-tidy", TIDY_VERSION)}[tool]
    for candidate in (f"{name}-{version}", name):
        result = sources.run([candidate, "--version"])
        if result and re.search(rf"(?:version |\) ){version}\.\d", result.stdout):
            return candidate, None
    return None, f"{name} {version} is not installed"


def database(build_dir):
    """{file: (directory, compiler's arguments without input and outputs)}"""
    with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
        words = shlex.split(entry["command"])[1:]
        kept = []
        while words:
            word = words.pop(0)
            if word in ("-o", "-MQ", "-MF", "-c"):
                words.pop(0)
            elif word not in ("-MD", "-Werror"):
                kept.append(word)
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        found[os.path.relpath(path, sources.TOP)] = (entry["directory"], kept)
    return found


def files_of(tool, known):
    """What is analyzed: the program. gen_filters.c runs while building; a fuzz target is
    built by clang, mostly in no build at hand."""
    found = sorted(path for path in known if path.startswith(("hook/", "lib/")) and
                   path != "hook/gen_filters.c")
    if tool == "clang-tidy":
        found += sources.find("test/fuzz", ending=".c")
    return found


def facts_for(path):
    """err.c defines what the others are told about."""
    return [] if path == "lib/base/err.c" else \
        ["-include", os.path.join(HERE, "facts.h")]


def command_for(tool, name, path, known):
    """Return: (directory, command)"""
    directory, arguments = known.get(path) or known["lib/base/text.c"]
    arguments = [*arguments, f"-I{sources.TOP}/lib", f"-I{sources.TOP}/test/unit",
                 "-D_GNU_SOURCE", *facts_for(path)]
    path = os.path.join(sources.TOP, path)
    if tool == "gcc":
        return directory, [name, *arguments, "-fanalyzer", "-fanalyzer-verbosity=0",
                           "-fdiagnostics-plain-output", "-c", path, "-o", "/dev/null"]
    return directory, [name, "--quiet", f"--config-file={sources.TOP}/.clang-tidy", path, "--",
                       *arguments]


def analyze(tool, name, path, known, used):
    """Return: lines of what was found. used: keys of SUPPRESSED, to which are added"""
    directory, command = command_for(tool, name, path, known)
    try:
        result = subprocess.run(command, cwd=directory, text=True, timeout=LIMIT, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        return [f"{path}: not done after {LIMIT} s"]
    problems = {}
    for line in result.stdout.splitlines():
        match = FINDING.match(line)
        if not match:
            continue
        where, number, text, check = match.groups()
        where = os.path.relpath(os.path.join(directory, where), sources.TOP)
        keys = suppressions(tool, where, int(number), check)
        used.update(keys)
        if not keys:
            problems[f"{where}:{number}: {text} [{check}]"] = None
    if result.returncode != 0 and not problems:
        problems = result.stdout.splitlines() or [f"exit status {result.returncode}"]
    return list(problems)


def suppressions(tool, path, number, check):
    """Keys of SUPPRESSED for a finding. Checks with several names are named by the first."""
    if not any(key[0] == path for key in SUPPRESSED[tool]):
        return []
    lines = sources.read(path).splitlines()
    # A call may be spread over lines.
    text = "\n".join(lines[number - 1:number + 1])
    return [key for key in SUPPRESSED[tool]
            if key[0] == path and check.split(",")[0] == key[1] and key[2] in text]


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in SUPPRESSED:
        sys.exit(f"usage: {sys.argv[0]} {{gcc,clang-tidy}} BUILD")
    tool, build_dir = sys.argv[1], os.path.abspath(sys.argv[2])
    name, why = program(tool)
    if why:
        print(f"TAP version 13\n1..0 # SKIP {why}")
        return 0
    known = database(build_dir)
    out = tap.Writer()
    used = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        paths = files_of(tool, known)
        for path, problems in zip(paths, pool.map(
                lambda path: analyze(tool, name, path, known, used), paths)):
            out.check(path, problems)
    out.check("every suppression is still needed",
              [f"{path}: {check} at '{text}' is not found any more"
               for path, check, text in SUPPRESSED[tool] if (path, check, text) not in used])
    return out.done()


if __name__ == "__main__":
    sys.exit(main())
