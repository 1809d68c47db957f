#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""runtime.py --hook PROGRAM {runc-v1,runc-v2,crun} - the attacks that need a real runtime

What a runtime does before the hook decides what an attack can be: how it mounts volumes on
/dev, which user namespace it makes, how many containers it starts at once. Here as well R23.
"""

import json
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stage as staging  # its first lines say where everything else is
import cgroups
import container
import oci
import runtimes
import sandbox
import trace_of_hook as trace
from container import Bundle
from stage import CANARY, NODES, differences, put

AT_ONCE = 100
IDS = [{"containerID": 0, "hostID": 100000, "size": 65536}]

# One request for every injector, and the made host that has such a GPU.
VENDORS = {"nvidia:1": "mixed", "amd:1": "mixed", "intel:1": "intel1", "apple:1": "apple",
           "v3d:1": "rpi", "nouveau:1": "nouveau",
           "vendor=nvidia;capabilities=compute+graphics+display": "mixed"}

# What root of a user namespace can try on nodes that are the host's. It may be able to
# unmount them, or to make the mount writable: they were put there after the namespace. Then
# it has the placeholder, or meets the permissions of the host's node.
TAMPER = """
tamper()
{
    for node in /dev/kfd /dev/dri/renderD129; do
        for command in "chmod 777" "chown 1:1" "touch" "rm -f"; do
            /bin/busybox $command $node >/dev/null 2>&1 && echo "$1 $command $node"
        done
    done
}
tamper done
for node in /dev/kfd /dev/dri/renderD129; do
    /bin/busybox mount -o remount,rw,bind $node 2>/dev/null
done
tamper then
for node in /dev/kfd /dev/dri/renderD129; do
    /bin/busybox umount $node 2>/dev/null
done
tamper later
/bin/busybox mount -t tmpfs tmpfs /dev/dri 2>/dev/null
echo end
"""


class Suite(oci.Suite):
    def __init__(self, hook, runtime):
        super().__init__(hook, runtime)
        self.canary = staging.Canary()

    def volume(self, name, propagation):
        path = f"{sandbox.WORK}/volumes/{name}"
        os.makedirs(path, exist_ok=True)
        sandbox.mount("-t", "tmpfs", name, path)
        sandbox.mount(f"--make-{propagation}", path)
        return path

    def on_volume(self, place, arrange=None, propagation="private", option="rprivate",
                  works=False, **config):
        """Something of another container's, or of the pod's author, at a place of /dev."""
        volume = self.volume(f"volume{place.replace('/', '-')}", propagation)
        try:
            bundle = self.bundle("amd:1")
            bundle.config["linux"].update(config)
            mounts = bundle.config["mounts"]
            if place == "/dev":
                mounts[:] = [mount for mount in mounts
                             if not mount["destination"].startswith("/dev")]
            mounts.append({"destination": place, "type": "bind", "source": volume,
                           "options": ["rbind", "rw", option]})
            if arrange:
                arrange(volume)
            before = staging.listing(volume)
            if works:
                result = self.runtime.create(bundle.write())
                self.runtime.delete()
                return [] if result.returncode == 0 else [result.stderr]
            problems = self.must_fail(bundle, place)
            # Runtimes make links of their own in a /dev, but none of the hook's names.
            left = {path for path in set(staging.listing(volume)) - set(before)
                    if re.match(r"dri|kfd|renderD", path)}
            return problems + ([f"left in the volume: {left}"] if left else [])
        finally:
            container.run(["umount", "-R", volume])

    def r2(self):
        def link(name, target):
            return lambda volume: put("link", f"{volume}/{name}", target)

        for what, target in (("relative", "../../../canary/dri"),
                             ("absolute", f"{CANARY}/dri"), ("dangling", f"{CANARY}/new"),
                             ("magic", "/proc/self/root")):
            yield f"R2 /dev/dri on a volume is a link, {what}", \
                lambda target=target: self.on_volume("/dev", link("dri", target))
        yield "R2 /dev/kfd on a volume is a link", \
            lambda: self.on_volume("/dev", link("kfd", f"{CANARY}/kfd"))
        yield "R3 a node's place on a volume is a directory", lambda: self.on_volume(
            "/dev/dri", lambda volume: put("dir", f"{volume}/renderD129"))

    # ---- R10: what the runtime hands on ---------------------------------------------------

    def file_for_errors(self, request, works):
        """crun opens this file as root, on the host; podman lets an image name it."""
        path = f"{sandbox.WORK}/errors"
        if os.path.exists(path):
            os.unlink(path)
        bundle = self.bundle(request)
        bundle.config["annotations"]["run.oci.hooks.stderr"] = path
        result = self.runtime.create(bundle.write())
        self.runtime.delete()
        problems = []
        if (result.returncode == 0) != works:
            problems.append(f"exit status {result.returncode}: {result.stderr!r}")
        if os.path.exists(path) != (self.runtime.command[0] == "crun"):
            problems.append("the runtime has changed: look at what it opens for a hook")
        elif os.path.exists(path) and os.path.getsize(path):
            with open(path, encoding="utf-8") as file:
                problems.append(f"written to a file of the image's choice: {file.read()!r}")
        return problems

    def pipe_for_errors(self):
        """/proc has names for other programs' pipes."""
        ours, its = os.pipe()
        bundle = self.bundle("amd:9")
        bundle.config["annotations"]["run.oci.hooks.stderr"] = f"/proc/{os.getpid()}/fd/{its}"
        try:
            result = self.runtime.create(bundle.write())
            self.runtime.delete()
            os.set_blocking(ours, False)
            try:
                found = [f"written to another program's pipe: {os.read(ours, 4096)!r}"]
            except BlockingIOError:
                found = []
        finally:
            os.close(ours)
            os.close(its)
        return found + (["it was created"] if result.returncode == 0 else [])

    def r10(self):
        model = json.dumps({"vendor": "amd", "model": " /tmp/evil.so "})
        yield "R10 an image names the file for errors, and what is in them", \
            lambda: self.file_for_errors(model, works=False)
        yield "R10 an image names the file for warnings", \
            lambda: self.file_for_errors("nvdia", works=True)
        yield "R10 an image names another program's pipe", self.pipe_for_errors

    # ---- R11: what it calls, with the runtime's own way of calling it ---------------------

    def traced(self, request, host, owner=0):
        bundle = Bundle(owner=owner).request(request)
        if owner:
            linux = bundle.config["linux"]
            linux["namespaces"].append({"type": "user"})
            linux["uidMappings"] = linux["gidMappings"] = IDS
        arguments = [*trace.STRACE, self.hook, "createRuntime", "--host-root",
                     container.make_host(host)]
        bundle.add_hook(shutil.which("strace"), *arguments[1:])
        result = self.runtime.create(bundle.write())
        self.runtime.delete()
        calls = trace.calls()
        problems = trace.violations(calls)
        nodes = [line for name, line in calls if name == "move_mount" and line.endswith(" = 0")]
        if not nodes:
            problems.append("nothing was mounted")
        if self.runtime.cgroup_version == 2 and not any(
                line.startswith("bpf(BPF_PROG_ATTACH") for _, line in calls):
            problems.append("no device program was replaced")
        if self.runtime.cgroup_version == 1 and not any(
                name == "write" and "devices.allow" in line for name, line in calls):
            problems.append("no device was allowed")
        return problems if result.returncode == 0 else problems + [result.stderr]

    def r11(self):
        for request, host in VENDORS.items():
            yield f"R11 after setns only openat2 below the root, {request}", \
                lambda request=request, host=host: self.traced(request, host)
        for request in ("nvidia:1", "amd:1"):
            yield f"R11 ... in a user namespace, {request}", \
                lambda request=request: self.traced(request, VENDORS[request], 100000)

    def r12(self):
        for place in ("/dev", "/dev/dri"):
            yield f"R12 {place} is an rshared volume", lambda place=place: self.on_volume(
                place, propagation="shared", option="rshared")
        yield "R12 an rslave volume is no danger", lambda: self.on_volume(
            "/dev/dri", propagation="shared", option="rslave", works=True)
        yield "R12 rootfsPropagation is shared", self.shared_root

    def shared_root(self):
        """An image's own /dev, on a root whose mounts the host is to see."""
        bundle = self.bundle("amd:1")
        bundle.config["mounts"] = [mount for mount in bundle.config["mounts"]
                                   if not mount["destination"].startswith("/dev")]
        bundle.config["linux"]["rootfsPropagation"] = "shared"
        before = staging.mounts()
        result = self.runtime.create(bundle.write())
        problems = differences({"mounts": before}, {"mounts": staging.mounts()})
        self.runtime.delete()
        # Some runtimes make the root's parent private, so that nothing could leak: then the
        # hook may do its work. Nothing may be seen outside in either case.
        if result.returncode != 0 and "oci-gpu-hook" not in result.stderr and \
                self.runtime.command[0] == "runc":
            problems.append(f"it was not the hook that refused: {result.stderr!r}")
        return problems

    def wrong_stage(self):
        """createContainer: no pid (crun), or the container's own namespace (runc)."""
        bundle = container.Bundle().request("amd:1")
        bundle.add_hook(self.hook, "createRuntime", "--host-root", self.host,
                        stage="createContainer")
        return self.must_fail(bundle, "pid")

    def host_dev(self):
        bundle = self.bundle("amd:1")
        bundle.config["mounts"] = [mount for mount in bundle.config["mounts"]
                                   if not mount["destination"].startswith("/dev")]
        bundle.config["mounts"].append({"destination": "/dev", "type": "bind",
                                        "source": "/dev", "options": ["rbind", "rw"]})
        return self.must_fail(bundle, "/dev", "host")

    def user_namespace(self, capabilities, owner=100000):
        """R23: root of a user namespace, who is `owner` outside, changes nothing on the host's
        nodes."""
        bundle = self.bundle("amd:1", owner=owner)
        linux = bundle.config["linux"]
        linux["namespaces"].append({"type": "user"})
        linux["uidMappings"] = linux["gidMappings"] = [
            {"containerID": 0, "hostID": owner, "size": 65536}]
        bundle.config["process"]["args"] = ["/bin/sh", "-c", TAMPER]
        bundle.config["process"]["capabilities"] = {
            name: capabilities for name in ("bounding", "effective", "permitted")}
        nodes = [f"{self.host}{path}" for path in NODES]
        before = {path: os.stat(path)[:8] for path in nodes}
        report = self.runtime.run(bundle.write())
        problems = differences(before, {path: os.stat(path)[:8] for path in nodes})
        if not report.text.rstrip().endswith("end"):
            problems.append(f"the attempts did not come to their end: {report.text!r}")
        return problems + [line for line in report.text.splitlines()
                           if line.startswith("done ")]

    def r23(self):
        everything = ["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_CHOWN", "CAP_FOWNER",
                      "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_CHROOT"]
        yield "R23 a user namespace with capabilities", \
            lambda: self.user_namespace(everything)
        yield "R23 a user namespace without capabilities", lambda: self.user_namespace([])
        yield "R23 a user namespace that has the host's root", \
            lambda: self.user_namespace(everything, owner=0)
        yield "R23 a user namespace gets its nodes", super().user_namespace

    def at_once(self):
        """R24: containers of a real runtime, all starting at the same time."""
        before = staging.mounts()
        started = []
        problems = []
        try:
            for number in range(AT_ONCE):
                bundle = self.bundle("amd:1")
                name = f"ogh{os.environ[cgroups.RUN]}-many-{number}"
                bundle.config["linux"]["cgroupsPath"] = f"{cgroups.parent()}/{name}"
                bundle.write()
                errors = open(f"{bundle.directory}/errors", "w+", encoding="utf-8")
                started.append((name, bundle, errors, subprocess.Popen(
                    [*self.runtime.command, "create", "--bundle", bundle.directory, name],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)))
            for name, bundle, errors, process in started:
                if process.wait(100) != 0:
                    errors.seek(0)
                    problems.append(f"{name}: {errors.read()!r}")
                    continue
                problems += self.has_nodes(name)
        finally:
            for name, _, errors, process in started:
                process.wait(100)
                errors.close()
                container.run([*self.runtime.command, "delete", "--force", name])
        return problems[:10] + differences({"mounts": before}, {"mounts": staging.mounts()})

    def has_nodes(self, name):
        state = container.run([*self.runtime.command, "state", name])
        pid = json.loads(state.stdout)["pid"]
        with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as file:
            points = [line.split()[4] for line in file]
        found = sorted(point for point in points if point in NODES)
        return [] if found == sorted(NODES) else [f"{name}: nodes are {found}"]

    def tests(self):
        yield from self.r2()
        yield from self.r10()
        yield from self.r11()
        yield from self.r12()
        yield "R16 registered at createContainer", self.wrong_stage
        if self.runtime.command[0] == "runc":
            # crun 1.8 makes its own links in a /dev that is mounted there.
            yield "R19 the host's /dev is bound into the container", self.host_dev
        yield from self.r23()
        yield f"R24 {AT_ONCE} containers start at once", self.at_once


def main():
    options = sandbox.arguments(__doc__, ("runtime", ["runc-v1", "runc-v2", "crun"]),
                                tools=["busybox", "strace"])
    suite = Suite(options.hook, runtimes.prepare(options.runtime))
    return sandbox.run_tests([(name, suite.canary.guard(test))
                              for name, test in suite.tests()], options.only)


if __name__ == "__main__":
    sys.exit(main())
