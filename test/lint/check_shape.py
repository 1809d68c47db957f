# SPDX-License-Identifier: Apache-2.0
"""check_shape.py - lengths, headings, formatting: what the eye gets used to"""

import os
import re

import sources

MAX_FUNCTION_LINES = 100
MAX_FILE_LINES = 600
# Of comments, with a tab as the 8 columns that it is: as of all else.
MAX_COMMENT_COLUMNS = 90
CLANG_FORMAT_VERSION = 14


def functions(path):
    """(name, first line, number of lines) of the functions of a C file

    Relies on the formatting that check_format() asks for: a body's braces stand alone in
    the first column, and only a body's do.
    """
    lines = sources.without_comments(sources.read(path)).splitlines()
    opened = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            opened = number
        elif line.startswith("}") and opened is not None:
            start = opened - 1
            while start > 1 and re.match(r"\s*\S", lines[start - 2]) and \
                    not re.search(r"[;}]\s*$|^#", lines[start - 2]):
                start -= 1
            head = " ".join(lines[start - 1:opened - 1])
            name = re.search(r"(\w+)\s*\(", head)
            yield (name.group(1) if name else "?", start, number - start + 1)
            opened = None


def check_lengths():
    problems = []
    for path in sources.find("lib", "hook", "test", ending=(".c", ".h")):
        count = len(sources.read(path).splitlines())
        if count > MAX_FILE_LINES and not path.startswith("test/"):
            problems.append(f"{path}: {count} lines, more than {MAX_FILE_LINES}")
        for name, start, length in functions(path):
            if length > MAX_FUNCTION_LINES:
                problems.append(f"{path}:{start}: {name}() has {length} lines, more than "
                                f"{MAX_FUNCTION_LINES}")
    return problems


def check_comments():
    """The formatter leaves comments alone, however long their lines are."""
    problems = []
    for path in sources.find("lib", "hook", ending=(".c", ".h")):
        text = sources.read(path)
        lines = zip(text.splitlines(), sources.without_comments(text).splitlines())
        for number, (line, code) in enumerate(lines, 1):
            columns = len(line.expandtabs(8))
            if columns > MAX_COMMENT_COLUMNS and code.rstrip() != line.rstrip():
                problems.append(f"{path}:{number}: a comment of {columns} columns, more than "
                                f"{MAX_COMMENT_COLUMNS}")
    return problems


def check_headings():
    """The licence, then one line that says what the file is for."""
    problems = []
    for path in sources.find("lib", "hook", "test", ending=(".c", ".h")):
        text = sources.read(path)
        name = re.escape(os.path.basename(path))
        if not re.match(r"(/\* SPDX-License-Identifier: Apache-2\.0 \*/|"
                        r"// SPDX-License-Identifier: Apache-2\.0)\n", text):
            problems.append(f"{path}: the first line is no SPDX line")
        elif not re.search(rf"^(/\*| \*) {name} - \S", text[:400], re.MULTILINE):
            problems.append(f"{path}: no line '{os.path.basename(path)} - purpose'")
        if path.endswith(".h") and "#pragma once" not in text[:200]:
            problems.append(f"{path}: no #pragma once")
    for path in sources.shell_scripts() + sources.find("test", "contrib", ending=".py"):
        if "SPDX-License-Identifier: Apache-2.0" not in sources.read(path)[:200]:
            problems.append(f"{path}: no SPDX line at the start")
    return problems


def check_own_header_first():
    problems = []
    for path in sources.find("lib", "hook", ending=".c"):
        own = path[:-2] + ".h"
        if not os.path.exists(os.path.join(sources.TOP, own)):
            continue
        match = re.search(r'^#include\s+["<]([^">]+)[">]', sources.read(path), re.MULTILINE)
        first = match.group(1) if match else "nothing"
        if not own.endswith(first):
            problems.append(f"{path}: includes {first} before its own header")
    return problems


def check_format():
    """Formatters of other versions disagree in details, so only this one is asked."""
    for program in (f"clang-format-{CLANG_FORMAT_VERSION}", "clang-format"):
        version = sources.run([program, "--version"])
        if version and f"version {CLANG_FORMAT_VERSION}." in version.stdout:
            break
    else:
        return f"skip: clang-format {CLANG_FORMAT_VERSION} is not installed"
    problems = []
    for path in sources.find("lib", "hook", "test", ending=(".c", ".h")):
        result = sources.run([program, "--dry-run", "-Werror", path])
        if result.returncode:
            lines = re.findall(r":(\d+):\d+: error", result.stdout)
            problems.append(f"{path}: lines {', '.join(dict.fromkeys(lines))}; "
                            "make format mends it")
    return problems


# What changes what a process may do, or where it is.
PRIVILEGE = re.compile(r"\b(?:setns|unshare|set(?:res|fs)?[ug]id|setgroups|cap_set_proc|"
                       r"capset|SECCOMP_(?:SET_)?MODE_\w+|PR_SET_\w+)\b")


def check_contracts():
    """Whose file changes privileges says in its header when it may be called."""
    problems = []
    found = set()
    for path in sources.find("lib", "hook", ending=".c"):
        match = PRIVILEGE.search(sources.without_comments(sources.read(path)))
        if not match:
            continue
        found.add(path)
        header = sources.read(CONTRACTS.get(path, path[:-2] + ".h"))
        problems += [f"{path}: {match.group()} changes privileges, and its header has no "
                     f"'{word}:'" for word in ("Needs", "Should", "Mustn't")
                     if f" * {word}: " not in header]
    return problems + [f"{path} was not read" for path in
                       ("hook/sandbox.c", "hook/filter.c", *CONTRACTS) if path not in found]


# Whose header is another's.
CONTRACTS = {"lib/backend/apply/access_node.c": "lib/backend/apply/access.h"}

CHECKS = [
    (f"functions have at most {MAX_FUNCTION_LINES} lines, files {MAX_FILE_LINES}",
     check_lengths),
    (f"comments have at most {MAX_COMMENT_COLUMNS} columns", check_comments),
    ("every file says its licence and its purpose", check_headings),
    ("every file includes its own header first", check_own_header_first),
    ("what changes privileges says when it may be called", check_contracts),
    (f"clang-format {CLANG_FORMAT_VERSION} has nothing to change", check_format),
]
