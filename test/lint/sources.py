# SPDX-License-Identifier: Apache-2.0
"""sources.py - the files of the tree, for the checks in this folder"""

import os
import re
import shutil
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def find(*folders, ending):
    """Paths below the top of the tree, sorted. ending: a suffix or a tuple of them"""
    found = []
    for folder in folders:
        for directory, names, files in os.walk(os.path.join(TOP, folder)):
            names[:] = [name for name in names if not name.startswith(".")]
            found += [os.path.relpath(os.path.join(directory, name), TOP)
                      for name in files if name.endswith(ending)]
    return sorted(found)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def shell_scripts():
    """Files that sh runs, by their first line."""
    found = []
    for path in find(".ci", "contrib", "test", "specs", ending=""):
        with open(os.path.join(TOP, path), "rb") as file:
            if re.match(rb"#! ?/(usr/)?bin/(env )?(ba|da)?sh\b", file.readline(80)):
                found.append(path)
    return found


def without_comments(text):
    """C text with comments blanked, and every line still at its number."""
    def blank(match):
        token = match.group(0)
        return token if token[0] in "\"'" else re.sub(r"[^\n]", " ", token)

    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', blank,
                  text, flags=re.DOTALL)


def run(command, **kwargs):
    """Runs a tool at the top of the tree. Return: None if it is missing, else its result."""
    if not shutil.which(command[0]):
        return None
    return subprocess.run(command, cwd=TOP, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=600, **kwargs)
