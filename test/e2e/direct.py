#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""direct.py --hook PROGRAM - the hook called as each runtime would call it

What real runtimes do not show here, or only some versions of them: shapes of the state,
closed descriptors, blocked signals, and everything that can be wrong with what it is given.
The container is a stand-in (standin.py).
"""

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import cgroups
import container
import sandbox
from container import Bundle
from standin import StandIn, differences, one_line, run_hook

# Source: Linux include/uapi/linux/prctl.h.
PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)

OWN_KEY = "org.example.site-gpu"
MIB = 1024 * 1024

# All that may come for "amd:1", with the directories on the way.
AMD_TREE = {"dev/kfd", "dev/dri", "dev/dri/renderD129", "dev/dri/by-path",
            "dev/dri/by-path/pci-0000:0f:00.0-render"}


def all_signals_blocked():
    """What crun leaves a hook with: every signal blocked and, since 1.14, umask 0."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    os.umask(0)


def become_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def children_of(parent):
    """Process ids, from /proc: not every kernel has a list of children there."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                # "pid (name) state ppid ..."
                if int(file.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(name))
        except (OSError, IndexError, ValueError):
            continue
    return found


def wait_until_confined(pid):
    """Until the process has a system call filter."""
    for _ in range(10000):
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            if re.search(r"^Seccomp:\t[12]$", file.read(), re.M):
                return
        time.sleep(0.0005)


# Becomes the program of its arguments, as root of a user namespace; a child that stays
# outside writes the maps.
ENTER_USER_NAMESPACE = """
import ctypes, os, sys
reader, writer = os.pipe()
pid = os.getpid()
child = os.fork()
if child == 0:
    os.read(reader, 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write("0 0 1\\n1 100000 65536\\n")
    os._exit(0)
ctypes.CDLL(None).unshare(0x10000000)  # CLONE_NEWUSER
os.write(writer, b".")
os.waitpid(child, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def has_own_ids(pid, wanted=None):
    """The wanted ones, or of the range that no system gives out to anybody; and no groups."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        lines = dict(line.split(":", 1) for line in file.read().splitlines())
    ids = [int(word) for word in lines["Uid"].split() + lines["Gid"].split()]
    if lines["Groups"].split():
        return False
    return set(ids) == wanted if wanted else min(ids) >= 2 ** 31 and max(ids) < 2 ** 32 - 1


def has_become_hook(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
        return file.read().strip() == "oci-gpu-hook"


def orphans_of(call):
    """What is left of children, in words, when whoever had them has ended. In a process of
    its own, which may have other children as well."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        call()
        with open("/proc/thread-self/children", encoding="ascii") as file:
            os.write(writer, file.read().encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, encoding="ascii") as file:
        left = file.read().split()
    return [f"{len(left)} left"] if left else []


def is_running(pid):
    """A zombie is not: its new parent may take its time."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# Numbers of calls, as /proc/PID/syscall has them.
NUMBERS = {"write": 1, "open_tree": 428, "move_mount": 429, "exit_group": 231}


def waiting_at(call, tracer):
    """Status of a process that a tracer holds at the beginning of a call, or None."""
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/status", encoding="ascii") as file:
                status = dict(line.strip().split(":", 1) for line in file if ":" in line)
            if not name.isdigit() or int(status["TracerPid"]) != tracer or \
                    "tracing stop" not in status["State"]:
                continue
            with open(f"/proc/{name}/syscall", encoding="ascii") as file:
                if file.read().split()[0] != str(NUMBERS[call]):
                    continue
            with open(f"/proc/{name}/limits", encoding="ascii") as file:
                core = next(line.split()[4] for line in file if line.startswith("Max core"))
        except (OSError, KeyError, ValueError):
            continue
        return {**{key: value.strip() for key, value in status.items()}, "core": core}
    return None


class Suite:
    def __init__(self, hook):
        self.hook = hook
        self.args = ["--host-root", container.make_host()]

    def bundle(self, request=None):
        bundle = Bundle()
        if request is not None:
            bundle.request(request)
        return bundle.write()

    def needs_own_calls_only(self):
        if sandbox.is_sanitized(self.hook):
            raise sandbox.SkipTest("the trace would show the sanitizer's own calls")

    def call(self, state, *args, host=None, **kwargs):
        host_args = ["--host-root", host] if host else self.args
        return run_hook(self.hook, state, *host_args, *args, **kwargs)

    def done(self, standin, result, is_quiet=True):
        """What is wrong with a run that should have brought an AMD GPU."""
        problems = []
        if result.returncode != 0:
            problems.append(f"exit status {result.returncode}: {result.stderr!r}")
        if is_quiet and (result.stdout or result.stderr):
            problems.append(f"printed {result.stdout!r}, {result.stderr!r}")
        tree = standin.tree()
        found = {path for path in tree if path.startswith("dev/")}
        if found != AMD_TREE:
            problems.append(f"below /dev: {found}, not {AMD_TREE}")
        for path, number in container.AMD.items():
            what = tree.get(path[1:], "")
            if what.split()[-1:] != [f"{number[0]}:{number[1]}"]:
                problems.append(f"{path} is '{what}'")
            if len(standin.mounts().get(path, [])) != 1:
                problems.append(f"{path} is mounted: {standin.mounts().get(path)}")
        for path in ("dev/dri", "dev/dri/by-path"):
            if tree.get(path) != "drwxr-xr-x 0:0":
                problems.append(f"{path} is '{tree.get(path)}'")
        return problems

    def succeeds(self, make_state, **kwargs):
        with StandIn(self.bundle("amd:1")) as standin:
            return self.done(standin, self.call(make_state(standin), **kwargs))

    def does_nothing(self, bundle, *args):
        with StandIn(bundle) as standin:
            before = standin.look()
            result = self.call(standin.state(), *args)
            problems = differences(before, standin.look())
            if (result.returncode, result.stdout, result.stderr) != (0, "", ""):
                problems.append(f"it was not silent: {result}")
            return problems

    def refuses(self, bundle, *words, state=None, args=(), **kwargs):
        with StandIn(bundle) as standin:
            before = standin.look()
            result = self.call(standin.state() if state is None else state(standin), *args,
                               **kwargs)
            return one_line(result, *words) + differences(before, standin.look())

    # ---- shapes of the state -------------------------------------------------------------

    def runc_state(self):
        return self.succeeds(lambda standin: standin.state())

    def crun_state(self):
        """A relative root from config.json, "created", and an ociVersion of its own."""
        return self.succeeds(lambda standin: standin.state(
            ociVersion="1.0", status="created", root="rootfs"))

    def crun_1_28_state(self):
        """Printed prettily, with every slash escaped."""
        return self.succeeds(lambda standin: json.dumps(
            standin.state(ociVersion="1.0", status="created"), indent=2).replace("/", "\\/"))

    def youki_state(self):
        return self.succeeds(lambda standin: standin.state(
            created="2026-01-01T00:00:00.000000000Z", creator=0, useSystemd=False,
            cleanUpIntelRdtSubdirectory=None))

    def state_with_unknown_keys(self):
        return self.succeeds(lambda standin: standin.state(
            future={"deep": [1, 2.5, None, {"x": "y"}]}))

    def bundle_is_slash(self):
        """crun's library callers: the bundle is in the working directory."""
        with StandIn(self.bundle("amd:1")) as standin:
            result = self.call(standin.state(bundle="/"), cwd=standin.bundle.directory)
            return self.done(standin, result)

    def absolute_root(self):
        bundle = self.bundle("amd:1")
        bundle.config["root"]["path"] = bundle.rootfs
        with StandIn(bundle.write()) as standin:
            return self.done(standin, self.call(standin.state()))

    def no_verb(self):
        return self.succeeds(lambda standin: standin.state(), verb=None)

    def prestart_verb(self):
        return self.succeeds(lambda standin: standin.state(), verb="prestart")

    # ---- circumstances -------------------------------------------------------------------

    def all_signals_blocked(self):
        return self.succeeds(lambda standin: standin.state(), preexec_fn=all_signals_blocked)

    def umask_077(self):
        return self.succeeds(lambda standin: standin.state(),
                             preexec_fn=lambda: os.umask(0o077))

    def empty_environment(self):
        return self.succeeds(lambda standin: standin.state(), env={})

    def many_descriptors_open(self):
        """Descriptors that a runtime forgot to close are no hindrance."""
        files = [os.open("/", os.O_PATH) for _ in range(100)]
        try:
            return self.succeeds(lambda standin: standin.state(), pass_fds=files)
        finally:
            for file in files:
                os.close(file)

    def _closed(self, *descriptors):
        """Nothing that is opened later may get the number, and be printed into."""
        problems = []
        for request, wanted in (("amd:1", 0), ("amd:5", 1)):
            with StandIn(self.bundle(request)) as standin:
                before = standin.look()
                result = self.call(standin.state(), preexec_fn=lambda: [
                    os.close(number) for number in descriptors])
                if result.returncode != wanted:
                    problems.append(f"{request}: exit status {result.returncode}")
                problems += self.done(standin, result) if wanted == 0 else \
                    differences(before, standin.look())
        return problems

    def stdout_closed(self):
        return self._closed(1)

    def stderr_closed(self):
        return self._closed(2)

    def stdout_and_stderr_closed(self):
        return self._closed(1, 2)

    def stdin_closed(self):
        """No state: an error, not a look into whatever got the number."""
        return self.refuses(self.bundle("amd:1"), "state", preexec_fn=lambda: os.close(0))

    def all_closed(self):
        with StandIn(self.bundle("amd:1")) as standin:
            before = standin.look()
            result = self.call(standin.state(), preexec_fn=lambda: os.closerange(0, 3))
            return ([] if result.returncode == 1 else [f"exit status {result.returncode}"]) \
                + differences(before, standin.look())

    def state_that_never_ends(self):
        """A runtime that does not close its end of the pipe: the hook gives up by itself."""
        process = subprocess.Popen([self.hook, "createRuntime"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        start = time.monotonic()
        process.stdin.write("{")
        process.stdin.flush()
        try:
            process.wait(14)
        except subprocess.TimeoutExpired:
            process.kill()
            return [f"it still ran after {time.monotonic() - start:.0f} s"]
        result = subprocess.CompletedProcess([], process.returncode, process.stdout.read(),
                                             process.stderr.read())
        return one_line(result, "state")

    def twice(self):
        with StandIn(self.bundle("amd:1")) as standin:
            self.call(standin.state())
            once = standin.look()
            result = self.call(standin.state(), verb="prestart")
            return self.done(standin, result) + differences(once, standin.look())

    def gpu_nodes_are_never_opened(self):
        """Opening one starts its driver; a descriptor of the path alone does not."""
        self.needs_own_calls_only()
        trace = f"{sandbox.WORK}/trace"
        with StandIn(self.bundle("amd:1")) as standin:
            result = self.call(standin.state(), wrapper=[
                "strace", "-y", "-o", trace, "-e", "trace=open,openat,openat2"])
            problems = self.done(standin, result)
        nodes = re.compile(r"/(kfd|renderD\d+|card\d+|nvidia[\w-]*)\"")
        with open(trace, encoding="utf-8") as file:
            opened = [line for line in file if nodes.search(line) and "/dev/" in line]
        if not opened:
            problems.append("the trace names no node at all")
        # A placeholder is made anew, in the container.
        return problems + [line for line in opened
                           if "O_PATH" not in line and "O_CREAT|O_EXCL" not in line]

    # ---- no request ----------------------------------------------------------------------

    def no_annotation(self):
        return self.does_nothing(self.bundle())

    def other_annotations(self):
        bundle = self.bundle()
        bundle.config["annotations"] = {"io.oci-gpu-hook.gpux": "amd:1",
                                        "org.example": container.KEY}
        return self.does_nothing(bundle.write())

    def count_of_zero(self):
        problems = []
        for request in ("0", "amd:0", '{"count": 0}', "nvidia:0"):
            problems += self.does_nothing(self.bundle(request))
        return problems

    def count_of_zero_is_told_who_wants_to_know(self):
        problems = []
        for request, words in (("0", "got no GPU: 0 are asked for"),
                               ("amd:0", "got no GPU: 0 are asked for; the GPU that `list` "
                                         "calls amd:0 is devices=amd:0")):
            with StandIn(self.bundle(request)) as standin:
                result = self.call(standin.state(), "--log-level", "info")
                wanted = f"oci-gpu-hook: container '{standin.state()['id']}': {words}\n"
            if (result.returncode, result.stderr) != (0, wanted):
                problems.append(f"{request}: {result}")
        return problems

    def environment_is_no_request(self):
        """Variables of the image ask for nothing, whatever other hooks make of them."""
        bundle = self.bundle()
        bundle.config["process"]["env"] += [
            "NVIDIA_VISIBLE_DEVICES=all", "AMD_VISIBLE_DEVICES=all", f"{container.KEY}=amd:1"]
        return self.does_nothing(bundle.write())

    def no_request_looks_at_nothing(self):
        """Without the annotation neither /sys nor /dev nor /proc is looked at.

        Except for /proc/self/exe, which a static glibc reads before main().
        """
        self.needs_own_calls_only()
        trace = f"{sandbox.WORK}/trace"
        with StandIn(self.bundle()) as standin:
            result = self.call(standin.state(), wrapper=[
                "strace", "-y", "-o", trace, "-e", "trace=%file,%desc"])
        if result.returncode != 0:
            return [f"exit status {result.returncode}: {result.stderr!r}"]
        with open(trace, encoding="utf-8") as file:
            lines = file.read().splitlines()
        # What was opened before the hook began is named there, too.
        problems = [line for line in lines if re.search(
            r'"(?:[^"]*/)?(?:sys|proc|dev)(?:/[^"]*)?"', line)
                    and not line.startswith('readlink("/proc/self/exe"')]
        if not any("config.json" in line for line in lines):
            problems.append("config.json is not in the trace, so the trace shows nothing")
        return problems

    def sandbox_of_a_pod(self):
        problems = []
        for key in ("io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri.container-type"):
            bundle = self.bundle("amd:1")
            bundle.config["annotations"][key] = "sandbox"
            problems += self.does_nothing(bundle.write())
        return problems

    # ---- whose annotation ----------------------------------------------------------------

    def container_of_a_pod(self):
        """KEY/container.NAME counts for that container, before KEY."""
        bundle = self.bundle("amd:5")
        bundle.config["linux"]["cgroupsPath"] = "kubepods.slice:crio:1"
        bundle.config["annotations"].update({
            "io.kubernetes.container.name": "train",
            f"{container.KEY}/container.train": "amd:1"})
        with StandIn(bundle.write()) as standin:
            problems = self.done(standin, self.call(standin.state()))
        bundle = self.bundle()
        bundle.config["linux"]["cgroupsPath"] = "kubepods.slice:crio:1"
        bundle.config["annotations"].update({
            "io.kubernetes.container.name": "sidecar",
            f"{container.KEY}/container.train": "amd:1"})
        return problems + self.does_nothing(bundle.write())

    def own_key(self):
        bundle = self.bundle().request("amd:1", key=OWN_KEY).write()
        with StandIn(bundle) as standin:
            return self.done(standin, self.call(standin.state(), "--annotation", OWN_KEY))

    def own_key_makes_the_default_one_void(self):
        return self.does_nothing(self.bundle("amd:1"), "--annotation", OWN_KEY)

    # ---- what can be wrong ---------------------------------------------------------------

    def bad_states(self):
        problems = []
        for text in ("", "{", "[]", "null", '{"pid": 1}', "{}x", "\0", '{"bundle": 1}'):
            found = self.refuses(self.bundle("amd:1"), "state", state=lambda _, text=text: text)
            problems += [f"{text!r}: {problem}" for problem in found]
        return problems

    def state_too_large(self):
        return self.refuses(self.bundle("amd:1"), "state",
                            state=lambda standin: json.dumps(standin.state()) + " " * 2 * MIB)

    def state_without_pid(self):
        def state(standin):
            state = standin.state()
            del state["pid"]
            return state

        return self.refuses(self.bundle("amd:1"), "pid", state=state)

    def state_with_two_pids(self):
        return self.refuses(
            self.bundle("amd:1"), "duplicate object key",
            state=lambda standin: json.dumps(standin.state()).replace("{", '{"pid": 2, ', 1))

    def names_of_the_state_elsewhere(self):
        """What the parser has read the parent finds in the text, and nothing else."""
        def state(standin):
            decoys = {"pid": "2", "bundle": "/", "id": "other", "x": '"pid":2,"bundle":"/"'}
            text = json.dumps(standin.state(annotations=decoys, before={"pid": 2}))
            return text.replace(f'"pid": {standin.state()["pid"]}',
                                f'"p\\u0069d": {standin.state()["pid"]}')

        return self.succeeds(state)

    def pid_is_gone(self):
        process = subprocess.Popen(["true"])
        process.wait()
        return self.refuses(self.bundle("amd:1"), str(process.pid),
                            state=lambda standin: standin.state(pid=process.pid))

    def pid_of_the_host(self):
        """A process outside of any container: its mounts would be the host's."""
        with subprocess.Popen(["sleep", "60"]) as process:
            try:
                return self.refuses(self.bundle("amd:1"), str(process.pid),
                                    state=lambda standin: standin.state(pid=process.pid))
            finally:
                process.kill()

    def relative_bundle(self):
        return self.refuses(self.bundle("amd:1"), "bundle",
                            state=lambda standin: standin.state(bundle="bundle-1"))

    def no_such_bundle(self):
        return self.refuses(self.bundle("amd:1"), "/nowhere",
                            state=lambda standin: standin.state(bundle="/nowhere"))

    def no_config(self):
        bundle = self.bundle("amd:1")
        os.unlink(f"{bundle.directory}/config.json")
        return self.refuses(bundle, "config.json")

    def config_is_a_fifo(self):
        """Opening one waits for a writer, if one is not careful."""
        bundle = self.bundle("amd:1")
        os.unlink(f"{bundle.directory}/config.json")
        os.mkfifo(f"{bundle.directory}/config.json")
        return self.refuses(bundle, "config.json")

    def config_broken(self):
        bundle = self.bundle("amd:1")
        with open(f"{bundle.directory}/config.json", "a", encoding="utf-8") as file:
            file.write("}")
        return self.refuses(bundle, "config.json")

    def config_too_large(self):
        bundle = self.bundle("amd:1")
        with open(f"{bundle.directory}/config.json", "a", encoding="utf-8") as file:
            file.write(" " * 17 * MIB)
        return self.refuses(bundle, "config.json")

    def bad_annotation(self):
        return self.refuses(self.bundle("amd:-1"), container.KEY, "amd:-1")

    def unknown_device(self):
        return self.refuses(self.bundle("devices=renderD200"), "renderD200")

    def asked_and_found(self):
        return self.refuses(self.bundle("amd:4294967295"), "4294967295", "1")

    def driver_not_loaded(self):
        return self.refuses(self.bundle("nvidia:1"), "driver",
                            host=container.make_host("nvidia-nodriver"))

    def node_is_missing(self):
        host = f"{sandbox.WORK}/hosts/without-node"
        subprocess.run(["cp", "-a", container.make_host(), host], check=True)
        os.unlink(f"{host}/dev/dri/renderD129")
        return self.refuses(self.bundle("amd:1"), "renderD129", host=host)

    def node_has_another_number(self):
        host = f"{sandbox.WORK}/hosts/wrong-node"
        subprocess.run(["cp", "-a", container.make_host(), host], check=True)
        os.unlink(f"{host}/dev/dri/renderD129")
        os.mknod(f"{host}/dev/dri/renderD129", 0o666 | 0o020000, os.makedev(1, 3))
        return self.refuses(self.bundle("amd:1"), "renderD129", host=host)

    # ---- places that are not the container's own -----------------------------------------

    def _refuses_place(self, script, *words, args=()):
        """The hook refuses after the script ran in the container, and nothing changes."""
        with StandIn(self.bundle("amd:1")) as standin:
            standin.inside(script, *args)
            before = standin.look()
            result = self.call(standin.state())
            return one_line(result, *words) + differences(before, standin.look())

    def volume_at_the_place_of_a_node(self):
        """A file that is a mount of its own may be shared, whatever its directory is."""
        volume = f"{sandbox.WORK}/empty"
        with open(volume, "w", encoding="ascii"):
            pass
        problems = self._refuses_place(
            'mkdir "$1/dev/dri"; : >"$1/dev/dri/renderD129"; '
            'mount --bind "$2" "$1/dev/dri/renderD129"; '
            'mount --make-shared "$1/dev/dri/renderD129"',
            "place '/dev/dri/renderD129' in the container: a volume is mounted there",
            args=[volume])
        return problems + ([] if os.path.isfile(volume) else ["the volume is no file any more"])

    def shared_mount(self):
        return self._refuses_place('mount --make-shared "$1/dev"',
                                   "change '/dev' in the container", "shared mount")

    def root_is_a_directory_of_the_host(self):
        """config.json may say so; then the runtime has mounted nothing there."""
        problems = []
        for name, prepare in (("plain", []), ("mount", ["mount", "-t", "tmpfs", "tmpfs"])):
            directory = f"{sandbox.WORK}/host-{name}"
            os.mkdir(directory)
            if prepare:
                subprocess.run([*prepare, directory], check=True)
            bundle = self.bundle("amd:1")
            with StandIn(bundle) as standin:
                bundle.config["root"]["path"] = directory
                bundle.write()
                result = self.call(standin.state())
            problems += one_line(result, directory, "the runtime has mounted nothing there")
            problems += [f"{directory} has {entry}" for entry in os.listdir(directory)]
        return problems

    def nodes_of_the_host_need_no_links(self):
        """With the host's /dev bound, the nodes are there and nothing may be made."""
        with StandIn(self.bundle("amd:1")) as standin:
            standin.inside('mount --bind "$2/dev" "$1/dev"; mkdir -p "$1/dev/dri/by-path"; '
                           'mount -t tmpfs tmpfs "$1/dev/dri/by-path"; '
                           'mount --make-rshared "$1/dev"', container.make_host())
            before = standin.look()
            result = self.call(standin.state())
            problems = differences(before, standin.look())
        if result.returncode != 0 or result.stderr:
            problems.append(f"exit status {result.returncode}: {result.stderr!r}")
        return problems

    def options_of_cgroup2_stay(self):
        """They are the machine's: a mount of cgroup2 without them takes them away."""
        directory = cgroups.mounts()[""]
        remount = ["mount", "-t", "cgroup2", "none", directory, "-o"]
        had = cgroups.options_of_v2()
        problems = []
        try:
            with StandIn(self.bundle("amd:1"), cgroup_version=2) as standin:
                subprocess.run([*remount, f"remount,nsdelegate,{had}".rstrip(",")], check=True)
                before = standin.look()["mounts of the host"]
                if not any("nsdelegate" in line for line in before):
                    problems.append("the option is not set, so the test shows nothing")
                problems += self.done(standin, self.call(standin.state()))
                after = standin.look()["mounts of the host"]
                problems += [f"{line!r} is gone" for line in before if line not in after]
        finally:
            subprocess.run([*remount, f"remount,{had}".rstrip(",")], check=True)
        return problems

    # What it may do at a call that only this phase makes, as /proc says: bits of linux/capability.h
    # (no other is there), and the number of system call filters, -1 for the strict mode.
    PHASES = {
        "the parser": ("write", set(), -1),
        "on the host": ("open_tree", {0, 1, 5, 6, 7, 12, 18, 19, 21, 27}, 1),
        "in the container": ("move_mount", {1, 6, 7, 12, 21}, 2),
        "before the end": ("exit_group", set(), 2),
    }

    def what_each_phase_may_do(self):
        if sandbox.is_sanitized(self.hook):
            raise sandbox.SkipTest("the filters are not built in")
        problems = []
        for phase, (call, wanted, n_filters) in self.PHASES.items():
            found = self._status_at(call)
            if not found:
                problems.append(f"{phase}: it was not seen at {call}()")
                continue
            bits = int(found["CapEff"], 16)
            capabilities = {bit for bit in range(64) if bits >> bit & 1}
            mine = -1 if found["Seccomp"] == "1" else int(found["Seccomp_filters"])
            if (capabilities, mine) != (wanted, n_filters) or \
                    found["CapPrm"] != found["CapEff"]:
                problems.append(f"{phase}: capabilities {sorted(capabilities)}, "
                                f"permitted {found['CapPrm']}, {mine} filters")
            for name, value in (("NoNewPrivs", "1"), ("CapInh", "0" * 16),
                                ("CapAmb", "0" * 16), ("core", "0")):
                if found[name] != value:
                    problems.append(f"{phase}: {name} is {found[name]}")
        return problems

    def _status_at(self, call):
        """/proc/PID/status of the first process of the hook's that comes to a call."""
        with StandIn(self.bundle("amd:1")) as standin:
            with subprocess.Popen(
                    ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                     f"inject={call}:delay_enter=1000000:when=1", self.hook, "createRuntime",
                     *self.args], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as tracer:
                tracer.stdin.write(json.dumps(standin.state()).encode())
                tracer.stdin.close()
                found = None
                while not found and tracer.poll() is None:
                    found = waiting_at(call, tracer.pid)
                tracer.kill()
                return found

    def parser_dies_with_the_hook(self):
        """A killed hook leaves no child behind, whatever that was told to do."""
        return self._children_die("amd:1", self.args, 1)

    def no_child_is_left_to_anybody(self):
        """Whatever the run comes to. Who takes over orphans sees them."""
        problems = []
        cdi = ["--host-root", container.make_host("nvidia-cdi")]
        for name, request, args in (
                ("done", "amd:1", self.args), ("refused", "amd:9", self.args),
                ("not asked", None, self.args), ("bad annotation", "amd:", self.args),
                ("specifications", "nvidia:1", cdi), ("and refused", "nvidia:99", cdi)):
            with StandIn(self.bundle(request)) as standin:
                problems += [f"{name}: {line}" for line in orphans_of(
                    lambda s=standin, a=args: run_hook(self.hook, s.state(), *a))]
        for request in ("amd:1", "amd:9", "amd:"):
            words = ["plan", "--bundle", self.bundle(request).directory]
            problems += [f"plan, {request}: {line}" for line in orphans_of(
                lambda w=words: container.run([self.hook, *w, *self.args]))]
        return problems

    def foreign_children_are_not_waited_for(self):
        """A shell that becomes the hook may leave it the reader of its own messages."""
        problems = []
        for command in ('exec "$0" --version > >(cat)', 'exec "$0" list "$@" 2> >(cat >&2)',
                        'exec "$0" createRuntime "$@" 2> >(cat >&2)'):
            begin = time.monotonic()
            try:
                subprocess.run(["bash", "-c", command, self.hook, *self.args], input=b"{}",
                               timeout=20, check=False, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() - begin > 5:
                problems.append(f"{command}: {time.monotonic() - begin:.1f} s")
        return problems

    def parser_of_specifications_dies_with_the_hook(self):
        """The same of the one that waits to be asked."""
        args = ["--host-root", container.make_host("nvidia-cdi")]
        return self._children_die("nvidia:1", args, 2)

    def specifications_cost_nobody_else(self):
        """No look at their directories and no second child, for AMD, and for NVIDIA where its
        libraries are at their usual place, though there are specifications."""
        problems = []
        for request, name in (("amd:1", "amd1"), ("nvidia:1", "nvidia-debian")):
            host = container.make_host(name)
            os.makedirs(f"{host}/etc/cdi", exist_ok=True)
            with open(f"{host}/etc/cdi/nvidia.yaml", "w", encoding="ascii") as file:
                file.write("broken")
            trace = f"{sandbox.WORK}/cdi.trace"
            with StandIn(self.bundle(request)) as standin:
                result = run_hook(self.hook, standin.state(), "--host-root", host,
                                  wrapper=["strace", *sandbox.UNDER_STRACE, "-o", trace])
            with open(trace, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
            if result.returncode != 0:
                problems.append(f"{request}: {result.stderr}")
            problems += [f"{request}: {line}" for line in lines if "/cdi" in line]
            children = [line for line in lines if line.startswith(("clone", "fork", "vfork"))]
            if len(children) != 1:
                problems.append(f"{request}: children {children}")
        return problems

    def parser_in_a_user_namespace_has_another_id(self):
        """What a rootless engine maps: its user as root, and ids of its own."""
        return self._children_die("amd:1", self.args, 1, ids={100000 + 65533}, wrapper=[
            sys.executable, "-B", "-c", ENTER_USER_NAMESPACE])

    def _children_die(self, request, args, number, ids=None, wrapper=()):
        if sandbox.is_sanitized(self.hook):
            raise sandbox.SkipTest("waits for the parser's filter, which is not built in")
        big = self.bundle(request)
        big.config["annotations"]["filler"] = [{}] * MIB
        big.write()
        with StandIn(big) as standin:
            hook = subprocess.Popen([*wrapper, self.hook, "createRuntime", *args],
                                    stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            hook.stdin.write(json.dumps({**standin.state(), "annotations": {}}).encode())
            hook.stdin.close()
            children = []
            strangers = []
            while len(children) < number and hook.poll() is None:
                children = children_of(hook.pid) if has_become_hook(hook.pid) else []
            for child in children:
                wait_until_confined(child)
                strangers += [] if has_own_ids(child, ids) else [child]
                # It must not get away by ending its work.
                os.kill(child, signal.SIGSTOP)
            hook.kill()
            hook.wait()
        if len(children) != number:
            return [f"{len(children)} parsers were seen"]
        if strangers:
            return ["a parser has ids that others have"]
        for _ in range(500):
            if not any(is_running(child) for child in children):
                return []
            time.sleep(0.01)
        left = [child for child in children if is_running(child)]
        for child in left:
            os.kill(child, signal.SIGKILL)
        return [f"{len(left)} parsers live on after the hook was killed"]

    # ---- the caller ------------------------------------------------------------------------

    def no_permission(self):
        return self.refuses(self.bundle("amd:1"), "permi", preexec_fn=become_nobody)

    def plan_of_somebody_elses_bundle(self):
        """As somebody who asks about a container of root's."""
        bundle = self.bundle("amd:1")
        problems = []
        for path, words in ((f"{bundle.directory}/config.json", "read config.json: "),
                            (bundle.directory, f"open bundle '{bundle.directory}/.': ")):
            os.chmod(path, 0)
            result = container.run([self.hook, "plan", "--bundle", f"{bundle.directory}/."],
                                   preexec_fn=become_nobody)
            problems += one_line(result, f"{words}no permission; run as root, or")
        return problems

    def wrong_usage(self):
        problems = []
        for args in (["nonsense"], ["createRuntime", "--nonsense"], ["plan"],
                     ["createRuntime", "--host-root"]):
            result = container.run([self.hook, *args], input="{}")
            if result.returncode != 2 or not result.stderr.startswith("oci-gpu-hook: "):
                problems.append(f"{args}: exit status {result.returncode}, {result.stderr!r}")
        return problems

    def a_terminal_is_not_waited_for(self):
        problems = []
        for verb in ("createRuntime", "prestart", "precreate", "poststop"):
            terminal, line = os.openpty()
            start = time.monotonic()
            result = container.run([self.hook, verb], stdin=line)
            seconds = time.monotonic() - start
            os.close(terminal)
            os.close(line)
            problems += one_line(result, "it is a terminal", verb, "plan --bundle")
            if result.returncode != 2 or seconds > 2:
                problems.append(f"{verb}: exit status {result.returncode}, {seconds:.1f} s")
        return problems

    def help_and_version_as_letters_and_as_words(self):
        problems = []
        for option, start, others in (("--help", "usage: ", ["-h", "help"]),
                                      ("--version", "oci-gpu-hook ", ["-V", "version"])):
            wanted = container.run([self.hook, option])
            if not wanted.stdout.startswith(start):
                problems.append(f"{option}: {wanted}")
            for other in others:
                got = container.run([self.hook, other])
                if (got.returncode, got.stdout, got.stderr) != (0, wanted.stdout, ""):
                    problems.append(f"{other}: {got}")
        return problems

    def failure_is_logged(self):
        """The line on standard error also goes to /dev/log: crun throws the former away."""
        directory = f"{sandbox.WORK}/devlog"
        os.mkdir(directory)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(f"{directory}/log")
            log.settimeout(5)
            result = run_hook(self.hook, "nonsense", wrapper=[
                "unshare", "--mount", "sh", "-c", f'mount --bind {directory} /dev; exec "$@"',
                "sh"])
            try:
                message = log.recv(4096).decode()
            except TimeoutError:
                return ["nothing came to /dev/log"]
        line = result.stderr.strip()
        # The daemon gets "<priority>tag: text".
        text = re.sub(r"^<\d+>", "", message).strip()
        if not line or line.removeprefix("oci-gpu-hook: ") not in text:
            return [f"/dev/log got {message!r}, standard error {line!r}"]
        return [] if re.match(r"^<\d+>", message) else [f"no priority: {message!r}"]

    def the_log_is_connected_to_before_the_first_filter(self):
        self.needs_own_calls_only()
        trace = f"{sandbox.WORK}/trace"
        problems = []
        for verb in ("createRuntime", "precreate", "poststop"):
            with StandIn(self.bundle("amd:1")) as standin:
                state = standin.bundle.config if verb == "precreate" else standin.state()
                self.call(state, verb=verb, wrapper=[
                    "strace", "-o", trace, "-e", "trace=connect,seccomp"])
            with open(trace, encoding="utf-8") as file:
                calls = re.findall(r"^(seccomp|connect)\(.*", file.read(), re.MULTILINE)
            if calls[:2] != ["connect", "seccomp"]:
                problems.append(f"{verb}: {calls}")
            if calls.count("connect") != 1:
                problems.append(f"{verb}: it is connected to more than once: {calls}")
        return problems

    def tests(self):
        names = [name for name, value in vars(Suite).items()
                 if callable(value) and not name.startswith("_") and name not in HELPERS]
        return [(name.replace("_", " "), getattr(self, name)) for name in names]


HELPERS = {"bundle", "needs_own_calls_only", "call", "done", "succeeds", "does_nothing", "refuses", "tests"}


def main():
    options = sandbox.arguments(__doc__, tools=["busybox", "strace"])
    return sandbox.run_tests(Suite(options.hook).tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
