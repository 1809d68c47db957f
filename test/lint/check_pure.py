# SPDX-License-Identifier: Apache-2.0
"""check_pure.py - the pure parts make no system call

Reads, with nm, what the objects of the release build need from elsewhere. What the model,
the selection, the plan and the device rules need may only be memory, text, and jansson's
values: so that they give the same answer for the same input, and can be tested without a
kernel. An injector's contribute() shares its object with probe(); the case tests watch it.
"""

import glob
import os
import re

import sources

PURE = re.compile(r"lib_model_\w+|lib_stage_(select|match|explain|explain_choice|rivals|build_plan|check_plan|check_access|check_policy|check_subset|take_choice)|"
                  r"lib_backend_apply_(bpf_machine|devrules|dbus_message|systemd_rules|systemd_unit)|lib_base_(text|path|ld_cache)")

# Ours that a pure file may call besides: errors, memory (which ends the program with a
# message when there is none), the random seed of jansson's tables, which no answer depends
# on, and the injectors' table.
PURE_HELPERS = re.compile(r"lib_base_(err|mem|json_guard)")
INJECTOR_TABLE = re.compile(r"injectors_(find|find_serving|find_evaded|find_almost|know|known_vendors)")

LIBC = re.compile(
    r"mem(cpy|move|set|cmp|chr|rchr)|"
    r"str(len|nlen|cmp|ncmp|casecmp|ncasecmp|chr|rchr|chrnul|str|casestr|spn|cspn|pbrk|"
    r"toul|toull|tol|toll|error)|str(to|c|n)?(py|cat|dup)|stpcpy|stpncpy|"
    r"__isoc\d+_strto\w+|__memcpy_chk|__memset_chk|__memmove_chk|__str\w+_chk|"
    r"__v?s?n?printf_chk|v?snprintf|calloc|free|qsort|bsearch|"
    r"__ctype_\w+_loc|__errno_location|__assert_fail|__stack_chk_fail|__stack_chk_guard|"
    r"_GLOBAL_OFFSET_TABLE_|abort")

# jansson, apart from what reads or writes files.
JSON = re.compile(r"json_(?!.*(load_file|loadfd|dump_file|dumpfd|load_callback))\w+|"
                  r"jsonp_\w+")


def symbols(objects, option):
    """{object: set of symbols} as `nm OPTION` prints them"""
    result = sources.run(["nm", option, "--print-file-name"] + objects)
    if result is None:
        raise RuntimeError("nm is not installed")
    found = {path: set() for path in objects}
    for line in result.stdout.splitlines():
        path, _, rest = line.partition(":")
        if path in found and rest.split():
            found[path].add(rest.split()[-1])
    return found


def module(path):
    """lib_model_plan for .../lib_model_plan.c.o"""
    return os.path.basename(path).removesuffix(".c.o")


def check_pure(build_dir):
    objects = glob.glob(os.path.join(build_dir, "libcore.a.p", "*.c.o"))
    pure = [path for path in objects if PURE.fullmatch(module(path))]
    if not pure:
        return [f"no objects of pure files below {build_dir}; was it built?"]
    home = {name: module(path)
            for path, names in symbols(objects, "--defined-only").items() for name in names}
    problems = []
    for path, names in symbols(pure, "-u").items():
        for name in sorted(names):
            where = home.get(name)
            if where is not None:
                if PURE.fullmatch(where) or PURE_HELPERS.fullmatch(where) or \
                        INJECTOR_TABLE.fullmatch(name):
                    continue
                problems.append(f"{module(path)} calls {name}() of {where}, which is not pure")
            elif not LIBC.fullmatch(name) and not JSON.fullmatch(name):
                problems.append(f"{module(path)} calls {name}(), which is not on the list of "
                                "pure functions")
    return problems
