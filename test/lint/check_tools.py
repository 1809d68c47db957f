# SPDX-License-Identifier: Apache-2.0
"""check_tools.py - what other people's programs find in the sources"""

import sources

# Each with its reason; one that is about a single line stands at that line instead.
CPPCHECK_SUPPRESSIONS = [
    "missingIncludeSystem",  # the system's headers are not read: they define too much
    "unmatchedSuppression",  # a newer cppcheck may have mended what is suppressed here
    "unusedFunction",  # looks at one file at a time, where every exported one is unused
    "normalCheckLevelMaxBranches",  # newer ones tell how deep they looked; not a finding
    "checkersReport",
]


def check_cppcheck():
    command = ["cppcheck", "--std=c11", "--enable=warning,performance,portability",
               "--inline-suppr", "--error-exitcode=1", "--quiet", "-j2", "-Ilib", "-I.",
               "-D_GNU_SOURCE", "-D__GNUC__=12",
               "--template={file}:{line}: {severity}: {id}: {message}"]
    command += [f"--suppress={name}" for name in CPPCHECK_SUPPRESSIONS]
    result = sources.run(command + ["lib", "hook"])
    if result is None:
        return "skip: cppcheck is not installed"
    return result.stdout if result.returncode else []


def check_shellcheck():
    result = sources.run(["shellcheck"] + sources.shell_scripts())
    if result is None:
        return "skip: shellcheck is not installed"
    return result.stdout if result.returncode else []


def check_codespell():
    result = sources.run(["codespell", "--skip=./build,./.git,*.json,test/fuzz/corpus",
                          # Words of the trade that look like slips.
                          "--ignore-words-list=crun,nd,renderd"]
                         + [name for name in ("hook", "lib", "specs", "test", "contrib",
                                              "README.md", "NEWS.md", "CONTRIBUTING.md",
                                              "Makefile", "meson.build")])
    if result is None:
        return "skip: codespell is not installed"
    return result.stdout if result.returncode else []


CHECKS = [
    ("cppcheck finds nothing", check_cppcheck),
    ("shellcheck finds nothing", check_shellcheck),
    ("codespell finds nothing", check_codespell),
]
