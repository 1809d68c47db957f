# SPDX-License-Identifier: Apache-2.0
"""check_layers.py - which folder may include which, and who may know a vendor's name

The directions are the contract between the parts; a new arrow is a change of the design,
to be made in this table on purpose.
"""

import os
import re

import sources

MAY_INCLUDE = {
    "lib/base": {"base"},
    "lib/model": {"base", "model"},
    "lib/oci": {"base", "model", "oci"},
    "lib/host": {"base", "model", "host"},
    "lib/injector": {"base", "model", "host", "injector"},
    "lib/stage": {"base", "model", "oci", "injector", "stage"},
    "lib/backend": {"base", "model", "oci", "backend"},
    "hook": {"base", "model", "oci", "host", "injector", "stage", "backend", "hook"},
}

VENDORS = re.compile(r"nvidia|(?<![a-z])amd(?![a-z])|amdgpu|intel|apple|asahi|(?<![a-z])kfd(?![a-z])",
                     re.IGNORECASE)

# The vendor that a request without one means, part of the GpuSpec type; KFD, an interface of
# the kernel that host/ reads like any other part of sysfs; and the key under which an operator
# says where a driver's files are: what is read there has no vendor's name.
# A member of CDI's (and OCI's) form that is about processors' caches.
VENDOR_EXCEPTIONS = {
    "lib/oci/cdi_edits.c": re.compile(r"intelRdt"),
    "lib/oci/settings.c": re.compile(r'\{"nvidia", read_driver\}'),
    "lib/model/gpu_spec.h": re.compile(r"#define GPU_SPEC_DEFAULT_VENDOR\b.*"),
    "lib/host/kfd.h": re.compile(r"\w*kfd\w*"),
    "lib/host/kfd.c": re.compile(r"\w*(?:kfd|KFD)\w*"),
}


def folder_of(path):
    """The key of MAY_INCLUDE for a file: "lib/backend" for lib/backend/apply/bind.c."""
    parts = path.split("/")
    return parts[0] if parts[0] == "hook" else "/".join(parts[:2])


def our_includes(path):
    """(line number, included path as written) of the includes in quotes"""
    for number, line in enumerate(sources.read(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match:
            yield number, match.group(1)


def is_generated(included):
    """Made while building; meson.build names it as an output."""
    return f"output: '{included}'" in sources.read("meson.build")


def located(path, included):
    """The file that an include of `path` names, relative to the top, or None."""
    for base in ("lib", ".", os.path.dirname(path)):
        candidate = os.path.normpath(os.path.join(base, included))
        if os.path.exists(os.path.join(sources.TOP, candidate)):
            return candidate
    return None


def check_direction():
    problems = []
    for path in sources.find("lib", "hook", ending=(".c", ".h")):
        allowed = MAY_INCLUDE.get(folder_of(path))
        if allowed is None:
            problems.append(f"{path}: folder {folder_of(path)} is in no layer")
            continue
        for number, included in our_includes(path):
            target = located(path, included)
            if target is None and is_generated(included):
                continue
            if target is None:
                problems.append(f"{path}:{number}: '{included}' is no file of the tree")
                continue
            layer = folder_of(target).removeprefix("lib/")
            if layer not in allowed:
                problems.append(f"{path}:{number}: {folder_of(path)} may not include "
                                f"'{included}' (allowed: {', '.join(sorted(allowed))})")
    return problems


def check_cycles():
    """Headers that include each other in a circle."""
    graph = {path: [located(path, name) for _, name in our_includes(path)]
             for path in sources.find("lib", "hook", ending=".h")}
    problems = []
    done = set()

    def visit(path, way):
        if path in way:
            problems.append(" -> ".join(way[way.index(path):] + [path]))
        elif path in graph and path not in done:
            for target in graph[path]:
                visit(target, way + [path])
            done.add(path)

    for path in graph:
        visit(path, [])
    return problems


def check_vendor_names():
    problems = []
    for path in sources.find("lib", "hook", ending=(".c", ".h")):
        if path.startswith("lib/injector/"):
            continue
        text = sources.without_comments(sources.read(path))
        exception = VENDOR_EXCEPTIONS.get(path)
        if exception:
            text = exception.sub("", text)
        for number, line in enumerate(text.splitlines(), 1):
            match = VENDORS.search(line.split('#include')[0])
            if match:
                problems.append(f"{path}:{number}: '{match.group(0)}' outside lib/injector")
    return problems


CHECKS = [
    ("includes go in the directions of the design", check_direction),
    ("headers do not include each other in a circle", check_cycles),
    ("only injectors know vendor names", check_vendor_names),
]
