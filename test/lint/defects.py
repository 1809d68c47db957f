# SPDX-License-Identifier: Apache-2.0
"""defects.py - one defect of each kind, which the checks here and in test/memory must see"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "memory"))

import analyze
import check_paths
import sandbox
import sources
import valgrind

PATH_CALLS = """
/* open("/etc/passwd") in a comment */
static const char *text = "system(3)";
int made(struct stat *st, struct ops *ops)
{
	ops->open(text);
	return fstat(0, st) + openat2_of_ours(0) + system(text) +
	       (int)syscall(SYS_execve, text);
}
"""

HIDDEN_CALL = """
#include <stdlib.h>
#define JOIN(a, b) a##b
int made(const char *text);
int made(const char *text)
{
	return JOIN(sys, tem)(text);
}
"""


def path_calls_in_text():
    used = set()
    found = check_paths.check_text("lib/base/text.c", PATH_CALLS, {}, used)
    found += check_paths.check_text("lib/base/text.c", PATH_CALLS,
                                    {"lib/base/text.c": {"system": "for this test"}}, used)
    wanted = ["lib/base/text.c:7: system() starts a program or loads code",
              "lib/base/text.c:8: SYS_execve: a system call by its number",
              "lib/base/text.c:8: SYS_execve: a system call by its number"]
    problems = [] if found == wanted else [f"found {found}, not {wanted}"]
    if used != {("lib/base/text.c", "system")}:
        problems.append(f"used what is allowed: {used}")
    return problems


def path_call_behind_a_macro():
    """Its text shows nothing; its object does."""
    found = check_paths.check_text("lib/base/text.c", HIDDEN_CALL, {}, set())
    problems = [f"the text shows {found}, so the test of the object shows nothing"] \
        if found else []
    with tempfile.TemporaryDirectory() as top:
        os.mkdir(f"{top}/libcore.a.p")
        subprocess.run(["gcc", "-O2", "-x", "c", "-c", "-", "-o",
                        f"{top}/libcore.a.p/lib_base_text.c.o"], input=HIDDEN_CALL, text=True,
                       check=True)
        found = check_paths.check_objects(top)
    if not any("calls system()" in line for line in found):
        problems.append(f"of the object it says {found}")
    return problems


# Compiled with the flags of a file of ours.
ANALYZED = {
    "gcc": ("""
#include <stdlib.h>
void made(char *text);
void made(char *text)
{
	free(text);
	free(text);
}
""", "-Wanalyzer-double-free"),
    "clang-tidy": ("""
#include <string.h>
void made(char *text);
void made(char *text)
{
	(void)memset(text, 'x', 0);
	if (text) {
		(void)strcmp(text, "x");
	}
	strlen(text) ? (void)memcmp(text, "a", sizeof(text)) : (void)0;
}
""", "bugprone-"),
}


def analyzers_defect(tool, build_dir):
    """Return: what is wrong, or None: the tool is not there"""
    name, _ = analyze.program(tool)
    if not name:
        return None
    text, wanted = ANALYZED[tool]
    known = analyze.database(build_dir)
    # Near our own files, which the tool takes its configuration and headers from.
    with tempfile.NamedTemporaryFile("w", suffix=".c", dir=build_dir) as file:
        file.write(text)
        file.flush()
        path = os.path.relpath(file.name, sources.TOP)
        found = analyze.analyze(tool, name, path, known, set())
    return [] if any(wanted in line for line in found) else [f"it finds {found}"]


# Each is one of them, by the number of its arguments.
MEMORY_DEFECTS = """
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	char *volatile block = malloc(4);
	volatile int most = INT_MAX;

	(void)argv;
	switch (argc) {
	case 2:
		return open("/", O_RDONLY) < 0;
	case 3:
		block = NULL;
		return 0;
	case 4:
		block[4] = 0;
		break;
	case 5:
		most += argc;
		break;
	}
	free(block);
	return 0;
}
"""
KINDS = ["none", "a descriptor left open", "a leak", "a write behind a block",
         "an overflow of a signed number"]


def compiled(directory, *options):
    """Return: the path of MEMORY_DEFECTS as a program"""
    path = os.path.join(directory, "defects")
    subprocess.run(["gcc", "-g", "-w", "-x", "c", "-", "-o", path, *options],
                   input=MEMORY_DEFECTS, text=True, check=True)
    return path


def memory_defects_end_a_sanitized_program():
    """With the environment that a runtime gives a hook: none."""
    problems = []
    source = os.path.join(sources.TOP, "test/memory/sanitizer.c")
    with tempfile.TemporaryDirectory() as top:
        path = compiled(top, "-x", "c", source, "-fsanitize=address,undefined")
        for number, kind in enumerate(KINDS):
            result = subprocess.run([path, *["x"] * number], env={}, check=False,
                                    stderr=subprocess.PIPE)
            if result.returncode != (-signal.SIGABRT if number else 0):
                problems.append(f"{kind}: status {result.returncode}, {result.stderr}")
    return problems


def memory_defects_are_in_valgrinds_logs():
    """All but the overflow, which is none of its business."""
    problems = []
    with tempfile.TemporaryDirectory() as sandbox.WORK:
        path = compiled(sandbox.WORK)
        shutil.copy("/dev/null", f"{sandbox.WORK}/known_calls.so")
        for number, kind in enumerate(KINDS[:4]):
            run = valgrind.Run(path)
            subprocess.run([run.program, *["x"] * number], check=False,
                           stderr=subprocess.DEVNULL)
            found, _ = run.look()
            if bool(found) != bool(number):
                problems.append(f"{kind}: {found}")
    return problems


TESTS = [
    ("defects of memory end a sanitized program", memory_defects_end_a_sanitized_program),
    ("a path-based call is seen in the text, but not in comments and strings",
     path_calls_in_text),
    ("one behind a macro is seen in the object", path_call_behind_a_macro),
]
