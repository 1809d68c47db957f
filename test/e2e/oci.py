#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oci.py --hook PROGRAM {runc-v1,runc-v2,crun} - containers of real runtimes

Each test makes a bundle, lets the runtime create it with the hook registered in config.json,
looks at it from outside, starts it, and reads what the probe inside reports.
"""

import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import access
import bpf
import cgroups
import container
import runtimes
import sandbox
from container import AMD, AMD_LINKS, NVIDIA, Bundle, check_report


class Suite(access.Access):
    """The tests, for one runtime and one version of control groups."""

    def __init__(self, hook, runtime):
        self.hook = hook
        self.runtime = runtime
        self.host = container.make_host()
        # Without a device filter the container may open what it can make.
        self.refused = "EPERM" if runtime.cgroup_version else None

    def bundle(self, request=None, stages=("createRuntime",), hook_args=(), **kwargs):
        bundle = Bundle(**kwargs)
        if request is not None:
            bundle.request(request)
        for stage in stages:
            bundle.add_hook(self.hook, stage, "--host-root", self.host, *hook_args,
                            stage=stage)
        return bundle

    def run(self, bundle, **kwargs):
        return self.runtime.run(bundle.write(), **kwargs)

    # ---- what a request brings -----------------------------------------------------------

    def one_nvidia(self):
        report = self.run(self.bundle("nvidia:1"))
        return check_report(report, NVIDIA, {}, refused=self.refused)

    def one_amd(self):
        report = self.run(self.bundle("amd:1"))
        return check_report(report, AMD, AMD_LINKS, refused=self.refused)

    def json_request(self):
        report = self.run(self.bundle('{"count": 1, "vendor": "amd", "mode": null}'))
        return check_report(report, AMD, AMD_LINKS, refused=self.refused)

    def several_by_id(self):
        """Two by their render nodes, on a host whose numbers are out of order."""
        bundle = Bundle().request("devices=renderD131+renderD130;capabilities=utility")
        bundle.add_hook(self.hook, "createRuntime", "--host-root",
                        container.make_host("nvidia8"))
        report = self.run(bundle)
        # renderD131 is nvidia3 and renderD130 nvidia2.
        found = {line.split()[0] for line in report.dev if "/dev/nvidia" in line}
        wanted = {"/dev/nvidiactl", "/dev/nvidia2", "/dev/nvidia3"}
        return [] if found == wanted else [f"nodes are {found}, not {wanted}"]

    def prestart(self):
        report = self.run(self.bundle("amd:1", stages=["prestart"]))
        return check_report(report, AMD, AMD_LINKS, refused=self.refused)

    def both_stages(self):
        """The second finds the work done: one set of nodes, one mount each, one rule each."""
        rules = []

        def inspect(pid):
            rules.append(self.device_rules(pid))

        report = self.run(self.bundle("amd:1", stages=["prestart", "createRuntime"]),
                          inspect=inspect)
        problems = check_report(report, AMD, AMD_LINKS, refused=self.refused)
        self.run(self.bundle("amd:1"), inspect=inspect)
        if rules[0] != rules[1]:
            problems.append(f"device rules of two runs are {rules[0]}, of one {rules[1]}")
        return problems

    def device_rules(self, pid):
        """What the device controller has for a container, in a form to compare."""
        if self.runtime.cgroup_version is None:
            return None
        directory = cgroups.of_process(pid, self.runtime.cgroup_version)
        if self.runtime.cgroup_version == 2:
            return bpf.tags(directory)
        with open(f"{directory}/devices.list", encoding="ascii") as file:
            return sorted(file.read().splitlines())

    def exact_rules(self):
        """The controller gets exactly the rules for the nodes, and keeps all it had."""
        rules = []
        for request in (None, "amd:1"):
            self.run(self.bundle(request), inspect=lambda pid: rules.append(
                self.device_rules(pid)))
        before, after = rules
        if self.runtime.cgroup_version == 2:
            # One program as before, another one: a second could allow nothing, since all
            # must agree.
            if len(before) == 1 and len(after) == 1 and before != after:
                return []
            return [f"programs were {before}, are {after}"]
        wanted = sorted(before + [f"c {major}:{minor} rw" for major, minor in AMD.values()])
        return [] if after == wanted else [f"rules are {after}, not {wanted}"]

    # ---- kinds of containers -------------------------------------------------------------

    def readonly_root(self):
        bundle = self.bundle("amd:1")
        bundle.config["root"]["readonly"] = True
        return check_report(self.run(bundle), AMD, AMD_LINKS, refused=self.refused)

    def user_namespace(self):
        bundle = self.bundle("nvidia:1", owner=100000)
        linux = bundle.config["linux"]
        linux["namespaces"].append({"type": "user"})
        ids = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        linux["uidMappings"] = linux["gidMappings"] = ids
        report = self.run(bundle)
        # There mknod itself is refused.
        return check_report(report, NVIDIA, {}, refused="EPERM")

    def other_user_with_group(self):
        """A user that is not root opens 0660 nodes with the host's group."""
        bundle = self.bundle("amd:1")
        bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000,
                                            "additionalGids": [container.RENDER_GROUP]}
        report = self.run(bundle)
        problems = check_report(report, AMD, AMD_LINKS, refused="EPERM")
        if report.ids != (1000, 1000):
            problems.append(f"the probe ran as {report.ids}")
        return problems

    def other_user_world_nodes(self):
        bundle = self.bundle("nvidia:1")
        bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
        return check_report(self.run(bundle), NVIDIA, {}, refused="EPERM")

    # ---- what is there already -----------------------------------------------------------

    def node_is_there(self):
        """The engine put the node there (--device): nothing is mounted over it."""
        bundle = self.bundle("nvidia:1")
        bundle.config["linux"]["devices"] = [
            {"path": "/dev/nvidia0", "type": "c", "major": 195, "minor": 0, "fileMode": 0o666}]
        report = self.run(bundle)
        rest = {path: number for path, number in NVIDIA.items() if path != "/dev/nvidia0"}
        problems = check_report(report, NVIDIA, {}, refused=self.refused, is_bound=False)
        for path in rest:
            problems += container.check_mount(report, path)
        if report.mounts_at("/dev/nvidia0"):
            problems.append("something is mounted over the node that was there")
        return problems

    def wrong_node_is_there(self):
        bundle = self.bundle("nvidia:1")
        bundle.config["linux"]["devices"] = [
            {"path": "/dev/nvidia0", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}]
        return self.must_fail(bundle, "/dev/nvidia0")

    # ---- precreate ------------------------------------------------------------------------

    def precreated(self, request, *hook_args):
        """A bundle as podman writes it after precreate."""
        bundle = Bundle().request(request)
        result = container.run([self.hook, "precreate", "--host-root", self.host, *hook_args],
                               input=json.dumps(bundle.config))
        if result.returncode != 0:
            raise RuntimeError(f"precreate: {result.stderr}")
        bundle.config = json.loads(result.stdout)
        return bundle

    def precreate_then_the_hook(self):
        """The runtime makes nodes and rules; the hook that comes later adds the links and
        leaves the device rules alone."""
        rules = []

        def inspect(pid):
            rules.append(self.device_rules(pid))

        bundle = self.precreated("amd:1")
        report = self.run(bundle, inspect=inspect)
        problems = check_report(report, AMD, AMD_LINKS, refused=self.refused, is_bound=False)
        problems += [f"{path} is mounted" for path in AMD if report.mounts_at(path)]
        del bundle.config["hooks"]
        bundle.config["root"]["path"] = bundle.rootfs
        report = self.run(bundle, inspect=inspect)
        problems += check_report(report, AMD, {}, refused=self.refused, is_bound=False)
        if rules[0] != rules[1]:
            problems.append(f"device rules are {rules[0]} with the hook, {rules[1]} without")
        return problems

    def precreate_without_rules(self):
        """A config.json without any device rule: whatever the runtime makes of that."""
        bundle = Bundle().request("nvidia:1")
        del bundle.config["linux"]["resources"]
        result = container.run([self.hook, "precreate", "--host-root", self.host],
                               input=json.dumps(bundle.config))
        bundle.config = json.loads(result.stdout)
        return check_report(self.run(bundle), NVIDIA, {}, refused=self.refused, is_bound=False)

    def the_choice_is_taken_over(self):
        """The hook gives the GPU that was chosen, and not the first."""
        bundle = Bundle().request("1")
        bundle.config["annotations"][container.CHOSEN] = "v1 0000:52:00.0"
        bundle.add_hook(self.hook, "createRuntime", "--host-root",
                        container.make_host("nvidia8"))
        report = self.run(bundle)
        found = {line.split()[0] for line in report.dev if re.search("/dev/nvidia[0-9]", line)}
        return [] if found == {"/dev/nvidia1"} else [f"nodes are {found}"]

    def forged_choice(self):
        """An image or a pod that names a GPU which the request does not give."""
        problems = []
        for choice in ("v1 0000:81:00.0", "v1 0000:0f:00.0 0000:81:00.0", "v1 0000:00:01.0",
                       "nvidia"):
            bundle = self.bundle("amd:1")
            bundle.config["annotations"][container.CHOSEN] = choice
            problems += self.must_fail(bundle, container.CHOSEN)
        return problems

    # ---- failing -------------------------------------------------------------------------

    def must_fail(self, bundle, *words):
        """The container is not created; the hook's line has these words; nothing is left."""
        log = f"{bundle.directory}/hook.log"
        # crun throws a hook's words away, so that they are read behind its back.
        for hooks in bundle.config["hooks"].values():
            for hook in hooks:
                command = " ".join(f"'{word}'" for word in hook["args"])
                hook["path"] = "/bin/sh"
                # Through a pipe: into a file the hook writes nothing.
                hook["args"] = ["sh", "-c", f"words=$({command} 2>&1 >/dev/null); status=$?; "
                                            f"printf '%s\\n' \"$words\" >'{log}'; exit $status"]
        mounts = sorted(open("/proc/self/mountinfo", encoding="utf-8"))
        result = self.runtime.create(bundle.write())
        problems = []
        if result.returncode == 0:
            problems.append("the container was created")
        self.runtime.delete()
        with open(log, encoding="utf-8") as file:
            lines = file.read().splitlines()
        if len(lines) != 1 or not lines[0].startswith("oci-gpu-hook: "):
            problems.append(f"not one line of the hook: {lines}")
        problems += [f"the hook's line does not name {word}: {lines}"
                     for word in words if word not in "".join(lines)]
        after = sorted(open("/proc/self/mountinfo", encoding="utf-8"))
        if mounts != after:
            problems.append(f"mounts of the host changed: {set(mounts) ^ set(after)}")
        left = [path for path in container.list_tree(bundle.rootfs) if path.startswith("dev/")]
        if left:
            problems.append(f"left in the root file system: {left}")
        return problems

    def too_few(self):
        return self.must_fail(self.bundle("nvidia:5"), "5", "1")

    def none_of_that_vendor(self):
        return self.must_fail(self.bundle("intel:1"), "intel")

    def bad_request(self):
        return self.must_fail(self.bundle("amd:one"), container.KEY, "amd:one")

    def link_of_the_image(self):
        """An image whose /dev/dri leads elsewhere gets nothing written there."""
        bundle = self.bundle("amd:1")
        outside = f"{bundle.directory}/outside"
        os.mkdir(outside)
        # The image's /dev lies in the root file system only if nothing is mounted there.
        bundle.config["mounts"] = [mount for mount in bundle.config["mounts"]
                                   if not mount["destination"].startswith("/dev")]
        os.symlink("/tmp", f"{bundle.rootfs}/dev/dri")
        bundle.config["mounts"].append(
            {"destination": "/tmp", "type": "bind", "source": outside, "options": ["rbind"]})
        result = self.runtime.create(bundle.write())
        self.runtime.delete()
        problems = [] if result.returncode else ["the container was created"]
        if os.listdir(outside):
            problems.append(f"written through the link: {os.listdir(outside)}")
        return problems

    def unregistered(self):
        """Without the hook nothing of all this is there: what these tests rest on."""
        report = self.run(Bundle().request("nvidia:1"))
        return check_report(report, {}, {}, refused=self.refused)

    def no_request(self):
        """A container that asks for nothing is the same with the hook as without it."""
        seen = []

        def inspect(pid):
            with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as file:
                mounts = container.same_mounts(file)
            seen.append({"rules": self.device_rules(pid), "mounts outside": mounts})

        for bundle in (Bundle(), self.bundle(stages=["prestart", "createRuntime"])):
            report = self.run(bundle, inspect=inspect)
            seen[-1].update({"mounts": container.same_mounts(report.mounts),
                             "files below /dev": report.dev, "nodes": report.nodes,
                             "root": container.list_tree(bundle.rootfs),
                             "complete": report.is_complete})
        without, with_hook = seen
        problems = [f"{what}: {without[what]} without the hook, {with_hook[what]} with it"
                    for what in without if without[what] != with_hook[what]]
        return problems if without["complete"] else problems + ["the probe broke off"]

    def tests(self):
        names = ["unregistered", "no_request", "one_nvidia", "one_amd", "json_request",
                 "several_by_id", "prestart", "both_stages", "readonly_root", "user_namespace",
                 "other_user_with_group", "other_user_world_nodes",
                 "node_is_there", "wrong_node_is_there", "too_few", "none_of_that_vendor",
                 "bad_request", "link_of_the_image", "precreate_then_the_hook",
                 "precreate_without_rules", "the_choice_is_taken_over", "forged_choice"]
        if self.runtime.cgroup_version:
            names.append("exact_rules")
        return [(name.replace("_", " "), getattr(self, name)) for name in names] + \
            self.access_tests()


def main():
    names = ["runc-v1", "runc-v2", "crun"]
    options = sandbox.arguments(__doc__, ("runtime", names), tools=["busybox"])
    runtime = runtimes.prepare(options.runtime)
    suite = Suite(options.hook, runtime)
    return sandbox.run_tests(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
