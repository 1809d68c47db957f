#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sharing.py --hook PROGRAM (rules|faults|storm) - who gets which GPU, and nobody twice

rules: exclusive and shared use, on stand-ins (standin.py) and under runc. faults: an error
and a kill at every system call on the ledger. storm: 500 containers that compete for 8 GPUs
exclusively, some of them, and some of the hooks, being killed at random.
"""

import collections
import fcntl
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import container
import runtimes
import sandbox
from container import Bundle
from standin import StandIn, differences, one_line, run_hook

EXCLUSIVE = "count=1;sharing=exclusive"
N_GPUS = 7  # usable ones of test/hosts/nvidia8.host

# The system calls of the ledger, by what tells them from others in the hook's trace.
LEDGER_CALLS = ("mkdirat", "fcntl", "renameat2", "openat2", "write", "read")


class Host:
    """A made host, with 7 NVIDIA GPUs, and a /run of its own, where the ledger is."""

    def __init__(self, hook, settings=None, manifest="nvidia8"):
        self.hook = hook
        self.directory = container.make_host(manifest)
        self.run = f"{self.directory}/run"
        subprocess.run(["rm", "-rf", self.run], check=True)
        os.mkdir(self.run)
        self.args = ["--host-root", self.directory]
        result = container.run([self.hook, "list", "--json", *self.args])
        gpus = [gpu for gpu in json.loads(result.stdout)["gpus"] if gpu["usable"]]
        # The node's number is not the index.
        self.index = {gpu["nodes"][0].removeprefix("/"): gpu["index"] for gpu in gpus}
        self.addresses = [gpu["pci"] for gpu in gpus]
        if settings is not None:
            path = f"{sandbox.WORK}/settings.json"
            with open(path, "w", encoding="utf-8") as file:
                json.dump(settings, file)
            os.chmod(path, 0o644)
            self.args += ["--config", path]

    @property
    def state_dir(self):
        return f"{self.run}/oci-gpu-hook"

    def call(self, standin, verb="createRuntime", **kwargs):
        state = standin.state(id=f"c{standin.pid}")
        return run_hook(self.hook, state, *self.args, verb=verb, **kwargs)

    def gpus_of(self, standin):
        """Indices of the GPUs whose nodes are in the container."""
        return sorted(self.index[path] for path in standin.tree()
                      if re.fullmatch(r"dev/(nvidia|dri/renderD)\d+", path))

    def held(self):
        """{index: [container ids]}, as `list` says it"""
        result = container.run([self.hook, "list", "--json", *self.args])
        return {gpu["index"]: gpu["heldBy"] for gpu in json.loads(result.stdout)["gpus"]
                if gpu["heldBy"]}


def wanted(what, got, want):
    return [] if got == want else [f"{what}: {got}, wanted {want}"]


class Crowd:
    """Several stand-ins at once; a context manager."""

    def __init__(self, host):
        self.host = host
        self.standins = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for standin in self.standins:
            standin.__exit__()

    def enter(self, request):
        """Return: (stand-in, result of the hook)"""
        standin = StandIn(Bundle().request(request).write()).__enter__()
        self.standins.append(standin)
        return standin, self.host.call(standin)

    def gets(self, request, gpus):
        """Return: what is wrong"""
        standin, result = self.enter(request)
        if result.returncode != 0:
            return [f"{request}: {result.stderr!r}"]
        return wanted(request, self.host.gpus_of(standin), gpus)

    def is_refused(self, request, *words):
        standin, result = self.enter(request)
        return one_line(result, *words) + wanted("GPUs", self.host.gpus_of(standin), [])


class Rules:
    def __init__(self, hook):
        self.hook = hook

    def exclusive_gpus_go_to_one_each(self):
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = []
            for index in range(N_GPUS):
                problems += crowd.gets(EXCLUSIVE, [index])
            first = crowd.standins[0].pid
            problems += crowd.is_refused(
                EXCLUSIVE, "1 nvidia GPU asked exclusively, 0 free",
                f"nvidia:0: container 'c{first}' (process {first}) has it exclusively")
            problems += crowd.is_refused("1", "1 nvidia GPU asked, 0 free")
            problems += wanted("list", host.held(), {
                index: [f"c{crowd.standins[index].pid}"] for index in range(N_GPUS)})
            directory, name = os.path.split(host.directory)
            for relative in name, f"./{name}":
                result = container.run([self.hook, "list", "--host-root", relative],
                                       cwd=directory)
                problems += wanted(f"holders below {relative}",
                                   result.stdout.count("(exclusively)"), N_GPUS)
        return problems + wanted("list, at the end", host.held(), {})

    def what_a_container_has_is_planned_for_it(self):
        """`plan` of a container that is there: its own lease is not in its way."""
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = []
            for index in range(N_GPUS):
                problems += crowd.gets(EXCLUSIVE, [index])
            standin = crowd.standins[3]
            for args in (["--gpu", EXCLUSIVE, "--pid", str(standin.pid)],
                         ["--bundle", standin.bundle.directory]):
                result = container.run([self.hook, "plan", *args, *host.args])
                problems += wanted(f"{args}: {result.stderr!r}",
                                   "\nGPUs      nvidia:3" in result.stdout, True)
            for args in (["--gpu", EXCLUSIVE], ["--gpu", EXCLUSIVE, "--pid", str(os.getpid())],
                         ["--bundle", Bundle().request(EXCLUSIVE).write().directory]):
                result = container.run([self.hook, "plan", *args, *host.args])
                problems += one_line(result, "1 nvidia GPU asked exclusively, 0 free")
        return problems

    def shared_passes_over_exclusive_ones(self):
        with Crowd(Host(self.hook)) as crowd:
            return (crowd.gets("devices=1;sharing=exclusive", [1]) + crowd.gets("1", [0]) +
                    crowd.gets("3", [0, 2, 3]) +
                    crowd.is_refused("devices=1", "device '1'", "has it exclusively") +
                    crowd.is_refused("all", "7 nvidia GPUs asked, 6 free"))

    def exclusive_passes_over_shared_ones(self):
        with Crowd(Host(self.hook)) as crowd:
            return (crowd.gets("2", [0, 1]) + crowd.gets(EXCLUSIVE, [2]) +
                    crowd.is_refused("devices=0;sharing=exclusive", "device '0'", "has it") +
                    crowd.gets("1", [0]))

    def partitions_are_kept_one_by_one(self):
        with Crowd(Host(self.hook, manifest="mi300")) as crowd:
            problems = []
            for number in range(8):
                standin, result = crowd.enter("vendor=amd;sharing=exclusive")
                nodes = [path for path in standin.tree() if "renderD" in path
                         and "by-path" not in path]
                problems += wanted(f"partition {number}: {result.stderr}", nodes,
                                   [f"dev/dri/renderD{128 + number}"])
            return problems + crowd.is_refused("vendor=amd;sharing=exclusive",
                                               "1 amd GPU asked exclusively, 0 free")

    def _split_and_whole(self, request, is_split):
        """The GPU is split, or made whole, while a container has @request of it. @is_split:
        when that container starts"""
        host = Host(self.hook, manifest="mi300")
        platform = f"{host.directory}/sys/devices/platform"

        def set_split(wanted_split):
            if os.path.exists(platform) != wanted_split:
                os.rename(*((f"{platform}.away", platform) if wanted_split else
                            (platform, f"{platform}.away")))

        try:
            with Crowd(host) as crowd:
                set_split(is_split)
                standin, result = crowd.enter(request)
                problems = [] if result.returncode == 0 else [result.stderr]
                set_split(not is_split)
                listed = container.run([self.hook, "list", *host.args]).stdout
                problems += wanted("partitions in list", listed.count("\n  amd:"),
                                   0 if is_split else 8)
                holder = f"container 'c{standin.pid}'"
                for other in "vendor=amd;sharing=exclusive", "amd:1":
                    problems += crowd.is_refused(other, "0 free", f"{holder} (process "
                                                 f"{standin.pid}) has it exclusively")
            return problems
        finally:
            set_split(True)

    def whole_keeps_its_partitions_out(self):
        return self._split_and_whole("vendor=amd;sharing=exclusive", False)

    def partition_keeps_its_whole_out(self):
        return self._split_and_whole("devices=renderD130;sharing=exclusive", True)

    def a_dead_container_holds_nothing(self):
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = crowd.gets("all;sharing=exclusive".replace("all", "count=all"),
                                  list(range(N_GPUS)))
            dead = crowd.standins.pop()
            dead.__exit__()
            return problems + crowd.gets(EXCLUSIVE, [0])

    def the_same_id_started_again(self):
        host = Host(self.hook)
        bundle = Bundle().request("devices=3;sharing=exclusive").write()
        problems = []
        for _ in range(3):
            with StandIn(bundle) as standin:
                result = run_hook(self.hook, standin.state(id="again"), *host.args)
                problems += wanted(result.stderr, host.gpus_of(standin), [3])
        return problems

    def poststop_gives_back(self):
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = crowd.gets(EXCLUSIVE, [0]) + crowd.gets(EXCLUSIVE, [1])
            first, second = (standin.pid for standin in crowd.standins)
            state = crowd.standins[0].state(id=f"c{first}", status="stopped", pid=0)
            for is_over in (False, True):
                # A runtime may call it stopped while it lives: then it keeps what it has.
                if is_over:
                    crowd.standins.pop(0).__exit__()
                result = run_hook(self.hook, state, *host.args, verb="poststop")
                if (result.returncode, result.stdout, result.stderr) != (0, "", ""):
                    problems.append(f"poststop: {result}")
                with open(f"{host.state_dir}/ledger", encoding="ascii") as file:
                    ids = [line.split("\t")[5] for line in file.readlines()[1:]]
                problems += wanted("the ledger", ids,
                                   [f"c{pid}" for pid in ([] if is_over else [first]) + [second]])
            return problems

    def poststop_of_what_holds_nothing(self):
        host = Host(self.hook)
        with StandIn(Bundle().request("1").write()) as standin:
            result = host.call(standin, verb="poststop")
            problems = wanted("poststop", (result.returncode, result.stderr), (0, ""))
            return problems + wanted("/run", os.listdir(host.run), [])

    def poststop_says_what_is_wrong(self):
        host = Host(self.hook)
        result = run_hook(self.hook, "no state", *host.args, verb="poststop")
        problems = one_line(result, "give back GPUs", "state")
        with Crowd(host) as crowd:
            problems += crowd.gets("1", [0])
            with open(f"{host.state_dir}/ledger", "w", encoding="ascii") as file:
                file.write("what?\n")
            result = host.call(crowd.standins[0], verb="poststop")
        return problems + one_line(result, "give back GPUs", "line 1 is not one of a ledger",
                                   "then remove it")

    def both_stages_choose_the_same(self):
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = crowd.gets(EXCLUSIVE, [0])
            second = host.call(crowd.standins[0], verb="prestart")
            problems += wanted(second.stderr, host.gpus_of(crowd.standins[0]), [0])
            return problems + wanted("list", host.held(), {0: [f"c{crowd.standins[0].pid}"]})

    def a_start_that_fails_gives_back(self):
        host = Host(self.hook)
        with StandIn(Bundle().request(EXCLUSIVE).write()) as standin:
            standin.inside('mkdir "$1/dev/nvidia-uvm"')
            before = standin.look()
            result = host.call(standin)
            return (one_line(result, "nvidia-uvm") + differences(before, standin.look()) +
                    wanted("list", host.held(), {}))

    def a_broken_ledger_fails_and_says_what_to_do(self):
        host = Host(self.hook)
        os.mkdir(host.state_dir, 0o755)
        with open(f"{host.state_dir}/ledger", "w", encoding="ascii") as file:
            file.write("oci-gpu-hook ledger 1 x\nhalf a li")
        with Crowd(host) as crowd:
            problems = crowd.is_refused("1", "line 2 is not one of a ledger",
                                        "stop the containers with GPUs, then remove it")
            os.unlink(f"{host.state_dir}/ledger")
            return problems + crowd.gets("1", [0])

    def list_and_plan_say_that_the_ledger_is_broken(self):
        """And not that nobody has anything. For programs the output stays JSON."""
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = crowd.gets(EXCLUSIVE, [0])
            with open(f"{host.state_dir}/ledger", "w", encoding="ascii") as file:
                file.write("what?\n")
            why = f"who has which GPU is not known: read ledger '{host.state_dir}/ledger'"
            for words in ["list"], ["list", "--json"]:
                result = container.run([self.hook, *words, *host.args])
                problems += wanted(f"{words}: exit status", result.returncode, 0)
                problems += wanted(f"{words}: lines", result.stderr.count("\n"), 1)
                problems += wanted(f"{words}: {result.stderr}",
                                   result.stderr.startswith(f"oci-gpu-hook: {why}"), True)
            json.loads(result.stdout)
            plan = container.run([self.hook, "plan", "--gpu", "1", "--json", *host.args])
            warnings = json.loads(plan.stdout)["warnings"]
            problems += wanted(f"plan warns: {warnings}",
                               any(text.startswith(why) for text in warnings), True)
            os.unlink(f"{host.state_dir}/ledger")
            result = container.run([self.hook, "list", *host.args])
        return problems + wanted("without a ledger", result.stderr, "")

    def state_directory_of_a_stranger(self):
        host = Host(self.hook)
        os.mkdir(host.state_dir)
        os.chown(host.state_dir, 47110, 47110)
        with Crowd(host) as crowd:
            return crowd.is_refused("1", "state directory", "belongs to user 47110")

    def no_place_for_a_ledger(self):
        host = Host(self.hook)
        os.rmdir(host.run)
        with Crowd(host) as crowd:
            return (crowd.gets("1", [0]) +
                    crowd.is_refused(EXCLUSIVE, "keep GPUs from others", "No such file",
                                     "set stateDir in the configuration"))

    def read_only_run(self):
        host = Host(self.hook)
        sandbox.mount("--bind", host.run, host.run)
        sandbox.mount("-o", "remount,ro,bind", host.run)
        try:
            with Crowd(host) as crowd:
                return (crowd.gets("1", [0]) +
                        crowd.is_refused(EXCLUSIVE, "Read-only file system"))
        finally:
            subprocess.run(["umount", host.run], check=True)

    def proc_that_is_not_whole_hides_nobody(self):
        """Without its /proc/sys no ledger can be read, however much is in it."""
        host = Host(self.hook)
        wrapper = ["unshare", "--mount", "sh", "-c",
                   'mount -t proc -o subset=pid proc /proc && exec "$@"', "sh"]
        with Crowd(host) as crowd:
            problems = crowd.gets("devices=0;sharing=exclusive", [0])
            with StandIn(Bundle().request("devices=0").write()) as standin:
                result = host.call(standin, wrapper=wrapper)
                problems += one_line(result, "open '/proc/sys/kernel/random/boot_id'")
                problems += wanted("GPUs", host.gpus_of(standin), [])
            result = host.call(crowd.standins[0], verb="poststop", wrapper=wrapper)
            problems += one_line(result, "give back GPUs: open '/proc/sys")
            plan = container.run([*wrapper, self.hook, "plan", "--gpu", "1", *host.args])
        return problems + wanted("plan's warnings", plan.stdout.count(
            "who has which GPU is not known: open '/proc/sys"), 1)

    def in_a_container_that_makes_proc_sys_read_only(self):
        """As podman and docker do: there the hook belongs to an engine in a container."""
        host = Host(self.hook)
        wrapper = ["unshare", "--mount", "sh", "-c",
                   "mount --bind /proc/sys /proc/sys && "
                   'mount -o remount,ro,bind /proc/sys && exec "$@"', "sh"]
        with StandIn(Bundle().request(EXCLUSIVE).write()) as standin:
            result = host.call(standin, wrapper=wrapper)
            return wanted(result.stderr, host.gpus_of(standin), [0])

    def a_deadline_shorter_than_the_wait_for_the_lock(self):
        """It is the lock that is named, and not a plan that there was none of yet."""
        host = Host(self.hook, {"watchdogSeconds": 2})
        os.mkdir(host.state_dir, 0o755)
        with open(f"{host.state_dir}/lock", "w", encoding="ascii") as lock, \
                Crowd(host) as crowd:
            # struct flock: a write lock of all, of the open file and not of the process.
            fcntl.fcntl(lock, fcntl.F_OFD_SETLK,
                        struct.pack("hhqqixxxx", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            return crowd.is_refused(EXCLUSIVE, f"lock '{host.state_dir}/lock': another "
                                    "process has it for 2 s; find it: fuser")

    def full_disk(self):
        host = Host(self.hook)
        sandbox.mount("-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", host.run)
        try:
            with Crowd(host) as crowd:
                problems = crowd.gets(EXCLUSIVE, [0])
                with open(f"{host.run}/filler", "wb") as file:
                    try:
                        file.write(b"x" * 128 * 1024)
                    except OSError:
                        pass
                problems += crowd.is_refused("1", "write ledger", "No space left on device")
                problems += wanted("list", host.held(), {0: [f"c{crowd.standins[0].pid}"]})
                os.unlink(f"{host.run}/filler")
                return problems + crowd.gets("1", [1])
        finally:
            subprocess.run(["umount", host.run], check=True)

    def policy_that_forbids_locking(self):
        host = Host(self.hook, {"policy": {"exclusive": False}})
        with Crowd(host) as crowd:
            problems = (crowd.is_refused(EXCLUSIVE, "exclusive is false") +
                        crowd.gets("1", [0]))
        return problems + wanted("/run", os.listdir(host.run), [])

    def settings_that_forbid_locking_still_see_who_has_locked(self):
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = crowd.gets(EXCLUSIVE, [0])
            path = f"{sandbox.WORK}/no-locking.json"
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"policy": {"exclusive": False}}, file)
            os.chmod(path, 0o644)
            host.args += ["--config", path]
            return problems + crowd.is_refused("devices=0", "has it exclusively")

    def a_shortage_is_explained_without_the_lock(self):
        """It asks all drivers, and one may hang."""
        host = Host(self.hook)
        log = f"{sandbox.WORK}/shortage"
        with StandIn(Bundle().request("amd:9").write()) as standin:
            result = host.call(standin, wrapper=["strace", *sandbox.UNDER_STRACE, "-o", log])
        with open(log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        after = text.partition("F_UNLCK")[2]
        problems = one_line(result, "0 amd GPUs here")
        if "/information" in text.partition("F_UNLCK")[0].partition("F_WRLCK")[2] or \
                "/information" not in after:
            problems.append("the drivers are asked while the lock is held")
        return problems

    def spread(self):
        host = Host(self.hook, {"order": "spread"})
        with Crowd(host) as crowd:
            problems = []
            for index in range(N_GPUS):
                problems += crowd.gets("1", [index])
            problems += crowd.gets("2", [0, 1]) + crowd.gets("1", [2])
            crowd.standins.pop(5).__exit__()
            problems += crowd.gets("1", [5])
            plan = container.run([self.hook, "plan", "--gpu", "1", *host.args]).stdout
            return problems + [f"plan does not say '{line}': {plan}" for line in (
                "  1 container has it, none has fewer\n",
                "  2 containers have it, those given fewer\n") if line not in plan]

    def state_directory_of_the_settings(self):
        os.mkdir(f"{container.make_host('nvidia8')}/elsewhere")
        host = Host(self.hook, {"stateDir": "/elsewhere"})
        with Crowd(host) as crowd:
            problems = crowd.gets(EXCLUSIVE, [0])
            problems += wanted("/run", os.listdir(host.run), [])
            return problems + wanted("list", list(host.held()), [0])

    def a_user_sees_who_holds_what(self):
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = crowd.gets(EXCLUSIVE, [0])
            result = container.run([self.hook, "plan", "--gpu", "1", "--json", *host.args],
                                   user=47110, group=47110, extra_groups=[])
            plan = json.loads(result.stdout)
            problems += wanted("plan", [gpu["index"] for gpu in plan["gpus"]], [1])
            why = [one["reason"] for one in plan["choice"]]
            holder = f"container '{host.held()[0][0]}' (process {crowd.standins[0].pid}) " \
                "has it exclusively"
            problems += wanted("why", why[:3], [holder, "first that fits",
                                                "fits, but comes later, and 1 is asked"])
            problems += [f"a warning: {text}" for text in plan["warnings"]
                         if "who has which GPU" in text]
            result = container.run([self.hook, "plan", "--gpu", EXCLUSIVE.replace("1", "7"),
                                    *host.args])
            return problems + one_line(result, "7 nvidia GPUs asked exclusively, 6 free")

    def a_user_sees_both_ledgers(self):
        """From outside a user namespace: what root's engine gave, and what his own did. Of his
        own bundle only his own counts."""
        host = Host(self.hook)
        uid = 47110
        user = {"user": uid, "group": uid, "extra_groups": []}
        with Crowd(host) as crowd:
            problems = crowd.gets(EXCLUSIVE, [0])
            own_dir = f"{host.run}/user/{uid}/oci-gpu-hook"
            os.makedirs(own_dir)
            with open(f"{host.state_dir}/ledger", encoding="ascii") as file:
                text = file.read().replace(host.addresses[0], host.addresses[1])
            with open(f"{own_dir}/ledger", "w", encoding="ascii") as file:
                file.write(text.replace("\tc", "\town"))
            bundle = Bundle().request(EXCLUSIVE).write()
            for path in own_dir, f"{own_dir}/ledger", bundle.directory, \
                    f"{bundle.directory}/config.json":
                os.chown(path, uid, uid)
            result = container.run([self.hook, "list", *host.args], **user)
            problems += wanted(f"list: {result.stdout}", result.stdout.count("(exclusively)"), 2)
            for args, index in ((["--gpu", EXCLUSIVE], 2),
                                (["--bundle", bundle.directory], 0)):
                result = container.run([self.hook, "plan", *args, *host.args], **user)
                problems += wanted(f"{args}: {result.stderr}",
                                   f"\nGPUs      nvidia:{index}" in result.stdout, True)
        return problems

    def with_a_thousand_entries(self):
        """All alive, so that none of them goes: it still works, whole."""
        host = Host(self.hook)
        with Crowd(host) as crowd:
            problems = crowd.gets("devices=6", [6])
            with open(f"{host.state_dir}/ledger", encoding="ascii") as file:
                header, line = file.read().splitlines()
            with open(f"{host.state_dir}/ledger", "w", encoding="ascii") as file:
                file.write("\n".join([header] + [line] * 1000) + "\n")
            problems += crowd.gets(EXCLUSIVE, [0])
            with open(f"{host.state_dir}/ledger", encoding="ascii") as file:
                return problems + wanted("lines", len(file.readlines()), 1002)

    def _run_runc(self, runtime, request, host):
        bundle = Bundle().request(request)
        bundle.add_hook(self.hook, "createRuntime", *host.args)
        bundle.add_hook(self.hook, "poststop", *host.args, stage="poststop")
        bundle.config["process"]["args"] = ["/bin/sh", "-c", "ls /dev"]
        return bundle.write(), runtime.create(bundle.write())

    def under_runc_the_third_is_refused(self):
        """Two GPUs, three containers that want one each for themselves."""
        runtimes.use_cgroup_v1()
        host = Host(self.hook, {"policy": {"vendors": {"nvidia": {
            "devices": Host(self.hook).addresses[:2]}}}})
        request = "devices=0;sharing=exclusive"
        runtime = runtimes.prepare("runc-v1")
        others = [runtimes.prepare("runc-v1") for _ in range(2)]
        others[0].count, others[1].count = 100, 200
        problems = []
        try:
            _, first = self._run_runc(runtime, request, host)
            _, second = self._run_runc(others[0], "devices=1;sharing=exclusive", host)
            problems += wanted("two start", (first.returncode, second.returncode), (0, 0))
            _, third = self._run_runc(others[1], request, host)
            if third.returncode == 0 or runtime.id not in third.stderr:
                problems.append(f"the third does not name the holder: {third.stderr}")
            problems += wanted("held", {index: len(ids) for index, ids in host.held().items()},
                               {0: 1, 1: 1})
            runtime.delete()
            _, third = self._run_runc(others[1], request, host)
            problems += wanted("after the first has gone", third.returncode, 0)
        finally:
            for one in (runtime, *others):
                one.delete()
        with open(f"{host.state_dir}/ledger", encoding="ascii") as file:
            return problems + wanted("entries at the end", len(file.readlines()), 1)


def tests_of(suite):
    return [(name.replace("_", " "), getattr(suite, name)) for name in vars(type(suite))
            if not name.startswith("_")]


# ---- faults --------------------------------------------------------------------------------

class Faults:
    """An error, and a kill, at every system call that has to do with the ledger."""

    def __init__(self, hook):
        self.hook = hook

    @staticmethod
    def _strace(*injections):
        """Of the hook alone, not of the child that parses."""
        words = ["strace", *sandbox.UNDER_STRACE, "-qq", "-o", "/dev/null"]
        for injection in injections:
            words += ["-e", f"inject={injection}"]
        return words

    def _calls(self):
        """[(name, n)]: the calls from the opening of the state directory to the unlock"""
        host = Host(self.hook)
        log = f"{sandbox.WORK}/trace"
        with StandIn(Bundle().request(EXCLUSIVE).write()) as standin:
            host.call(standin, wrapper=["strace", *sandbox.UNDER_STRACE, "-o", log])
        counts = collections.Counter()
        calls = []
        is_ledger = False
        with open(log, encoding="utf-8", errors="replace") as file:
            for line in file:
                match = re.match(r"(\w+)\(", line)
                if not match:
                    continue
                counts[match[1]] += 1
                is_ledger |= match[1] == "mkdirat"
                if match[1] in LEDGER_CALLS and is_ledger:
                    calls.append((match[1], counts[match[1]]))
                if "F_UNLCK" in line:
                    break
        return calls

    def _check_after(self, host, standin, result, before):
        """Whole or nothing, and nobody holds what nobody has."""
        if result.returncode == 0:
            return wanted("held", host.held(), {0: [f"c{standin.pid}"]})
        return differences(before, standin.look()) + wanted("held", host.held(), {})

    def _fault(self, name, number, what):
        host = Host(self.hook)
        with StandIn(Bundle().request(EXCLUSIVE).write()) as standin:
            before = standin.look()
            result = host.call(standin, wrapper=self._strace(f"{name}:{what}:when={number}"))
            problems = [] if what.startswith("signal") else \
                self._check_after(host, standin, result, before)
            if what.startswith("error") and result.returncode != 0:
                problems += one_line(result)
        # Whatever happened, it is over with the container.
        problems += wanted("held at the end", host.held(), {})
        with Crowd(host) as crowd:
            return problems + crowd.gets(EXCLUSIVE, [0])

    def tests(self):
        calls = self._calls()
        if {"mkdirat", "fcntl", "renameat2", "write"} - {name for name, _ in calls}:
            raise RuntimeError(f"the trace does not show the ledger: {calls}")
        for name, number in calls:
            for what in ("error=EIO", "error=ENOSPC", "signal=KILL"):
                yield (f"{what} at {name} {number}",
                       lambda n=name, k=number, w=what: self._fault(n, k, w))


# ---- storm ---------------------------------------------------------------------------------

class Storm:
    """Containers that come and go; what the hook says is checked against what is there."""

    N_CONTAINERS = 500
    N_AT_ONCE = 24

    def __init__(self, hook):
        self.host = Host(hook, manifest="mi300")
        self.owners = {}
        self.lock = threading.Lock()
        self.problems = []
        self.outcomes = collections.Counter()
        self.seen = set()
        self.left = list(range(self.N_CONTAINERS))

    def _problem(self, text):
        with self.lock:
            self.problems.append(text)

    def _own(self, standin, gpu):
        with self.lock:
            other = self.owners.get(gpu)
            if other is not None:
                self.problems.append(f"amd:{gpu}: {other} and {standin.pid} at once")
            self.owners[gpu] = standin.pid

    def _disown(self, gpu):
        with self.lock:
            del self.owners[gpu]

    def _start(self, standin, chance):
        """Calls the hook, and kills it on the way every tenth time."""
        command = [self.host.hook, "createRuntime", *self.host.args]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        if chance.random() < 0.1:
            killer = threading.Timer(chance.random() * 0.01, process.kill)
            killer.start()
        _, errors = process.communicate(json.dumps(standin.state(id=f"c{standin.pid}")),
                                        timeout=30)
        return process.returncode, errors

    def _one(self, bundle, chance):
        with StandIn(bundle) as standin:
            status, errors = self._start(standin, chance)
            if status == 0:
                gpus = self.host.gpus_of(standin)
                with self.lock:
                    self.seen.update(gpus)
                if len(gpus) != 1:
                    self._problem(f"GPUs of a container: {gpus}")
                    return
                self._own(standin, gpus[0])
                time.sleep(chance.random() * 0.05)
                self._disown(gpus[0])
                if chance.random() < 0.5:
                    self.host.call(standin, verb="poststop")
                self.outcomes["started"] += 1
            elif status == -signal.SIGKILL:
                self.outcomes["hook killed"] += 1
            elif "0 free" in errors:
                self.outcomes["refused"] += 1
            else:
                self._problem(errors)

    def _worker(self, seed):
        chance = random.Random(seed)
        bundle = Bundle().request("vendor=amd;sharing=exclusive").write()
        while True:
            with self.lock:
                if not self.left:
                    return
                self.left.pop()
            try:
                self._one(bundle, chance)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                self._problem(f"{type(error).__name__}: {error}")

    def run(self):
        workers = [threading.Thread(target=self._worker, args=(seed,))
                   for seed in range(self.N_AT_ONCE)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for what in ("started", "refused", "hook killed"):
            if self.outcomes[what] == 0:
                self.problems.append(f"no container was {what}: {dict(self.outcomes)}")
        print(f"# {dict(self.outcomes)}")
        self.problems += wanted("GPUs that were given", self.seen, set(range(8)))
        return self.problems + wanted("held at the end", self.host.held(), {})


def main():
    options = sandbox.arguments(__doc__, ("suite", ["rules", "faults", "storm"]),
                                tools=["busybox", "strace", "runc"])
    if options.suite == "rules":
        tests = tests_of(Rules(options.hook))
    elif options.suite == "faults":
        tests = list(Faults(options.hook).tests())
    else:
        tests = [("500 containers compete for 8 GPUs", Storm(options.hook).run)]
    return sandbox.run_tests(tests, options.only)


if __name__ == "__main__":
    sys.exit(main())
