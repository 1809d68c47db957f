# SPDX-License-Identifier: Apache-2.0
"""check_memory.py - once something is changed, nothing ends the program for want of memory

Follows, in the text, what apply.c calls from its function change() on, and what takes changes
back, from function to function. Every name of a function in a body counts as a call, so that
those in tables and records are followed as well. None of the functions of base/mem.h that
cannot fail may be reached: they would leave behind what has been changed by then.
"""

import re

import sources

FUNCTION = re.compile(r"^(?:[\w *]+?[ *])(\w+)\(([^;{}]*?)\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)

# What apply_plan() calls besides, the callback that gives up privileges, and what comes
# behind a plan that was applied: the run must not fail any more.
ROOTS = ("change", "undo_log_revert", "sandbox_enter_container", "report_findings",
         "outcome_report", "children_reap")

# Done before all changes of our own, and not taken back by design: see lib/backend/apply/cgroup.c.
BEFORE = {"tell_systemd"}


def functions_of(text):
    """{name: body} of C text in the kernel's style"""
    return {name: body for name, _, body in
            FUNCTION.findall(sources.without_comments(text))}


def read_all():
    """({(file, name): body}, {name: file} of those that other files may call)"""
    bodies = {}
    homes = {}
    for path in sources.find("lib", "hook", ending=".c"):
        text = sources.read(path)
        for name, body in functions_of(text).items():
            bodies[path, name] = body
            if not re.search(rf"^static [^;{{}}\n]*\b{name}\(", text, flags=re.MULTILINE):
                homes[name] = path
    return bodies, homes


def reach(bodies, homes, roots):
    """{(file, name): who called it first}"""
    found = {}
    todo = [(root, None) for root in roots]
    while todo:
        at, caller = todo.pop(0)
        if at in found:
            continue
        found[at] = caller
        for word in set(re.findall(r"\b[a-z_]\w*\b", bodies[at])) - BEFORE:
            target = (at[0], word) if (at[0], word) in bodies else (homes.get(word), word)
            if target in bodies:
                todo.append((target, at))
    return found


def way_to(found, at):
    names = []
    while at:
        names.append(f"{at[1]}()")
        at = found[at]
    return " <- ".join(names)


def find_problems(bodies, homes):
    starts = [(path, name) for path, name in bodies
              if name in ROOTS and (name != "change" or path.endswith("apply/apply.c"))]
    problems = [f"no function {name}()" for name in ROOTS if name not in
                {name for _, name in starts}]
    found = reach(bodies, homes, starts)
    ends = {at for at in found if at[0] == "lib/base/mem.c" and
            (at[1] == "die_out_of_memory" or at[1].startswith("x"))}
    # What is followed must have been: functions of several files, and those of records.
    names = {name for _, name in found}
    for name in ("rootfs_attach_node", "cgroup_v2_allow", "undo_revert_mount", "try_grow",
                 "undo_revert_replaced", "keep_capabilities"):
        if name not in names:
            problems.append(f"{name}() was not reached: is the list of roots right?")
    return problems + [way_to(found, at) for at in sorted(ends)]


def check_memory():
    return find_problems(*read_all())


def check_judge():
    """One call too many, three functions down, must be seen."""
    bodies, homes = read_all()
    at = ("lib/backend/apply/ctr_dir.c", "ctr_mount_id")
    bodies[at] += "xstrdup(path);"
    found = find_problems(bodies, homes)
    return [] if any("xstrdup() <- ctr_mount_id()" in line for line in found) else \
        [f"not seen: {found}"]


CHECKS = [("the judge of memory sees a call that ends the program", check_judge),
          ("once something is changed, nothing ends the program for want of memory",
           check_memory)]
