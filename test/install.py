#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""install.py BUILD - what `make install` puts where, below a directory of its own"""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import tap

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "test/hosts"))
import build_host  # pylint: disable=wrong-import-position

# Keys that must call the hook, and keys that must not.
CALLED = ["io.oci-gpu-hook.gpu", "io.oci-gpu-hook.gpu/container.train"]
NOT_CALLED = ["io.oci-gpu-hook.gpux", "xio.oci-gpu-hook.gpu", "io.oci-gpu-hook.gpu/container.",
              "io.oci-gpu-hook.gpu/", "ioxoci-gpu-hookxgpu", "io.kubernetes.container.name"]


def find_one(top, folder, name):
    """The only file of that name in any folder of that name."""
    found = [os.path.join(directory, name) for directory, _, files in os.walk(top)
             if name in files and os.path.basename(directory) == folder]
    if len(found) != 1:
        raise FileNotFoundError(f"{name} is there {len(found)} times: {found}")
    return found[0]


def install(build, top):
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", top],
                   check=True, stdout=subprocess.DEVNULL)


def make_uninstall(build, top):
    return subprocess.run(["make", "-C", TOP, f"BUILD={os.path.abspath(build)}", "uninstall"],
                          text=True, capture_output=True, check=False,
                          env={**os.environ, "DESTDIR": top})


def check_program(top):
    path = find_one(top, "bin", "oci-gpu-hook")
    problems = []
    if os.stat(path).st_mode & 0o7777 != 0o755:
        problems.append(f"mode {os.stat(path).st_mode:o}")
    result = subprocess.run([path, "--version"], text=True, capture_output=True, check=False)
    if result.returncode != 0 or not re.search(r"\d+\.\d+", result.stdout):
        problems.append(f"--version: {result}")
    return problems


def check_hooks_file(top, name="oci-gpu-hook.json", stage="createRuntime"):
    """podman and CRI-O take no container at all while a file here cannot be read."""
    path = find_one(top, "hooks.d", name)
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    problems = []
    hook = config["hook"]
    if not os.path.isabs(hook["path"]) or not os.access(top + hook["path"], os.X_OK):
        # A path without a program would be passed over in silence.
        problems.append(f"no program at {hook['path']}")
    if config["version"] != "1.0.0" or hook["timeout"] != 15 or \
            (config["stages"], hook["args"]) != ([stage], ["oci-gpu-hook", stage]):
        problems.append(f"not as written down: {config}")
    (pattern, value), = config["when"]["annotations"].items()
    problems += [f"not called for {key}" for key in CALLED if not re.search(pattern, key)]
    problems += [f"called for {key}" for key in NOT_CALLED if re.search(pattern, key)]
    if not re.search(value, ""):
        problems.append("not called for an empty value, which then asks for nothing in silence")
    if os.path.dirname(path) != f"{top}/usr/share/containers/oci/hooks.d":
        problems.append(f"it is at {path.removeprefix(top)}")
    return problems


def check_poststop_file(top):
    return check_hooks_file(top, "oci-gpu-hook-poststop.json", "poststop")


def check_precreate_file(top):
    """The same keys, and not in the directory of those who know no such stage."""
    path = find_one(top, "hooks.d", "oci-gpu-hook-precreate.json")
    other = find_one(top, "hooks.d", "oci-gpu-hook.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    with open(other, encoding="utf-8") as file:
        wanted = json.load(file)
    wanted["hook"]["args"] = ["oci-gpu-hook", "precreate"]
    wanted["stages"] = ["precreate"]
    problems = [] if config == wanted else [f"{config} is not {wanted}"]
    if os.path.dirname(path) != f"{top}/usr/share/oci-gpu-hook/hooks.d":
        problems.append(f"it is at {path.removeprefix(top)}")
    return problems


def check_man_page(top):
    find_one(top, "man8", "oci-gpu-hook.8")
    return []


def check_add_hook(top):
    """A value that the hook would refuse is refused at once, and the config left as it was;
    a GPU that this machine lacks is not."""
    program = find_one(top, "bin", "oci-gpu-hook")
    add_hook = find_one(top, "oci-gpu-hook", "add-hook")
    path = os.path.join(top, "config.json")
    before = '{"ociVersion": "1.0.2"}'
    problems = []
    for value, wanted in (("nvidia:1", None), ("driver-of-nobody:4294967295", None),
                          ("-1", "character 1"), ("amd;1", "character 4"), ('{"foo":1}', "foo"), ("", "")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(before)
        result = subprocess.run([sys.executable, "-B", add_hook, "--hook", program,
                                 f"--gpu={value}", top], text=True, capture_output=True,
                                check=False)
        with open(path, encoding="utf-8") as file:
            after = file.read()
        if wanted is None:
            config = json.loads(after)
            if result.returncode != 0 or \
                    config.get("annotations") != {"io.oci-gpu-hook.gpu": value} or \
                    config["hooks"]["createRuntime"][0]["path"] != program:
                problems.append(f"'{value}': {result} {config}")
        elif result.returncode == 0 or after != before or len(result.stderr.splitlines()) != 1 \
                or not result.stderr.startswith("add-hook: read option '--gpu': ") \
                or wanted not in result.stderr:
            problems.append(f"'{value}' should be refused: {result} {after}")
    return problems


def run_add_hook(top, config, *args):
    """Return: what it says, and the config that it leaves"""
    path = os.path.join(top, "config.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    result = subprocess.run([sys.executable, "-B", find_one(top, "oci-gpu-hook", "add-hook"),
                             *args, "."], text=True, capture_output=True, check=False,
                            cwd=top)
    with open(path, encoding="utf-8") as file:
        return result, json.load(file)


def check_add_hook_options(top):
    """The hook gets the host and the configuration that the value is checked against."""
    program = find_one(top, "bin", "oci-gpu-hook")
    build_host.build_host(os.path.join(TOP, "test/hosts/amd2.host"), f"{top}/host")
    with open(f"{top}/settings.json", "w", encoding="utf-8") as file:
        file.write('{"policy": {"vendors": {"amd": {"max": 1}}}}')
    os.chmod(f"{top}/settings.json", 0o644)
    here = ["--host-root", "host", "--config", "settings.json"]
    problems = []
    for value, wanted in (("amd:1", ""), ("amd:2", "vendors.amd.max is 1"),
                          ("nvidia:1", "nvidia GPU")):
        result, config = run_add_hook(top, {}, "--hook", program, "--gpu", value, *here)
        if result.returncode != 0 or wanted not in result.stderr or \
                bool(result.stderr) != bool(wanted):
            problems.append(f"{value}: {result}")
        args = ["oci-gpu-hook", "createRuntime", "--host-root", os.path.realpath(f"{top}/host"),
                "--config", os.path.realpath(f"{top}/settings.json")]
        if config["hooks"]["createRuntime"][0]["args"] != args:
            problems.append(f"{value}: {config}")
    return problems


def check_add_hook_remove(top):
    """All that was added goes, whatever its key was; what others have put there stays."""
    program = find_one(top, "bin", "oci-gpu-hook")
    other = {"path": "/bin/true", "args": ["true", "--annotation", "other"]}
    problems = []
    for config in ({}, {"annotations": {"other": "x"}, "hooks": {"createRuntime": [other]}},
                   {"annotations": {"io.oci-gpu-hook.gpu": "of an image"}}):
        result, after = run_add_hook(top, config, "--hook", program, "--gpu", "amd:1",
                                     "--key", "org.example.gpu")
        if result.returncode != 0 or after["annotations"].get("org.example.gpu") != "amd:1":
            problems.append(f"{result} {after}")
        for spelling in (after, json.loads(json.dumps(after).replace(
                '"--annotation", "org', '"--annotation=org'))):
            result, removed = run_add_hook(top, spelling, "--remove")
            if result.returncode != 0 or removed != config:
                problems.append(f"{result} {spelling} {removed}")
    _, removed = run_add_hook(top, {"annotations": {"io.oci-gpu-hook.gpu": "amd:1"}}, "--remove")
    _, named = run_add_hook(top, {"annotations": {"k": "amd:1"}}, "--remove", "--key", "k")
    return problems + [f"left: {left}" for left in (removed, named) if left]


def check_documentation(top):
    """What README names is there: as it says, without the folder "specs"."""
    doc = f"{top}/usr/share/doc/oci-gpu-hook"
    with open(f"{doc}/README.md", encoding="utf-8") as file:
        named = set(re.findall(r"(?:specs|contrib)/[\w./-]*\w", file.read()))
    # "contrib/runc/add-hook" is a program, and is installed as one.
    missing = [name for name in sorted(named - {"contrib/runc/add-hook"})
               if not os.path.exists(f"{doc}/{name.removeprefix('specs/')}")]
    problems = [f"README names {name}" for name in missing]
    if not named:
        problems.append("README names nothing")
    program = f"{top}/usr/share/oci-gpu-hook/add-hook"
    if os.stat(program).st_mode & 0o7777 != 0o755:
        problems.append(f"add-hook has mode {os.stat(program).st_mode:o}")
    for folder in ("podman", "crio", "containerd", "runc", "slurm"):
        wanted = {name for name in os.listdir(f"{TOP}/contrib/{folder}") if name != "add-hook"}
        found = set(os.listdir(f"{doc}/contrib/{folder}"))
        if found != wanted:
            problems.append(f"contrib/{folder} has {found}, and not {wanted}")
    return problems


def check_examples(top):
    """README says on which made host each value of its table can be tried, and how."""
    program = find_one(top, "bin", "oci-gpu-hook")
    with open(find_one(top, "oci-gpu-hook", "README.md"), encoding="utf-8") as file:
        text = file.read()
    rows = re.findall(r"^\| (.*`) *(?:\(or (.*)\))? \| .* \| `([\w-]+)` \|$", text, re.M)
    problems = [] if len(rows) == 6 else [f"{len(rows)} rows: {rows}"]
    for first, others, host in rows:
        tree = f"{top}/hosts/{host}"
        if not os.path.exists(tree):
            build_host.build_host(os.path.join(TOP, f"test/hosts/{host}.host"), tree)
        for value in re.findall(r"`([^`]+)`", f"{first} {others}"):
            result = subprocess.run([program, "plan", "--gpu", value, "--host-root", tree],
                                    text=True, capture_output=True, check=False)
            # These hosts have no files of NVIDIA's driver, and without root no nodes.
            known = "no library of NVIDIA's" + ("" if os.geteuid() == 0 else "|node '")
            warned = re.findall(f"^Warnings  (?!{known})", result.stdout, re.M)
            if result.returncode != 0 or "/dev/" not in result.stdout or warned:
                problems.append(f"{value} on {host}: {result}")
    return problems


def check_uninstall(top, build):
    """Nothing of what was installed is left, and what others put beside it is."""
    for name in ("share/containers/oci/hooks.d/other.json", "share/oci-gpu-hook/hooks.d/mine.json"):
        with open(f"{top}/usr/{name}", "w", encoding="utf-8"):
            pass
    with tempfile.TemporaryDirectory() as other:
        # Whatever was installed last, and where.
        install(build, other)
        results = [make_uninstall(build, top)]
        left = sorted(os.path.relpath(os.path.join(folder, name), f"{top}/usr")
                      for folder, _, names in os.walk(f"{top}/usr") for name in names)
        problems = [] if left == ["share/containers/oci/hooks.d/other.json",
                                  "share/oci-gpu-hook/hooks.d/mine.json"] else [f"left: {left}"]
        if not os.path.exists(f"{other}/usr/bin/oci-gpu-hook"):
            problems.append("what is below another DESTDIR is gone")
        results.append(make_uninstall(build, other))
        problems += [f"left: {folder}" for folder, _, _ in os.walk(other)
                     if os.path.basename(folder) == "oci-gpu-hook"]
        again = make_uninstall(build, other)
    problems += [f"{result}" for result in results if result.returncode != 0]
    if again.returncode == 0 or "nothing is installed" not in again.stderr:
        problems.append(f"again: {again}")
    return problems


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD")
    out = tap.Writer()
    with tempfile.TemporaryDirectory() as top:
        install(sys.argv[1], top)
        for name, check in (("what README names is there", check_documentation),
                            ("its examples can be tried on the hosts it names", check_examples),
                            ("the program is there and runs", check_program),
                            ("the hooks.d file calls it for its keys only", check_hooks_file),
                            ("the same for poststop", check_poststop_file),
                            ("precreate has a directory of its own", check_precreate_file),
                            ("the man page is in section 8", check_man_page),
                            ("add-hook refuses what the hook would refuse", check_add_hook),
                            ("add-hook hands on host and configuration", check_add_hook_options),
                            ("add-hook takes out what it added", check_add_hook_remove),
                            ("nothing is left after make uninstall",
                             lambda top: check_uninstall(top, sys.argv[1]))):
            try:
                out.check(name, check(top))
            except (OSError, KeyError, ValueError) as error:
                out.fail(name, f"{type(error).__name__}: {error}")
    return out.done()


if __name__ == "__main__":
    sys.exit(main())
