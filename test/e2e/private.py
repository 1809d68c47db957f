#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""private.py --hook PROGRAM {runc-v1,runc-v2,crun} - nodes open for whom the container starts

The made host's AMD nodes are root's and a group's, 0660. Whoever is neither gets nodes of the
container's own, and the host's stay as they are. With "access": "host" nobody does.
"""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import container
import oci
import runtimes
import sandbox
from container import AMD, AMD_LINKS, RENDER_GROUP, Report, check_report
from standin import StandIn, differences, one_line, run_hook

HOST_ID = 100000  # of the user namespaces' root
LABEL = b"system_u:object_r:dri_device_t:s0\0"
RENDER, KFD = "/dev/dri/renderD129", "/dev/kfd"


def use_namespace(bundle, start=HOST_ID):
    os_part = bundle.config["linux"]
    os_part["namespaces"].append({"type": "user"})
    ids = [{"containerID": 0, "hostID": start, "size": 65536}]
    os_part["uidMappings"] = os_part["gidMappings"] = ids


class Suite(oci.Suite):
    def settings(self, **settings):
        path = f"{sandbox.WORK}/settings-{'-'.join(settings)}.json"
        with open(path, "w", encoding="ascii") as file:
            json.dump({"log": {"target": f"file:{path}.log", "level": "warning"},
                       **settings}, file)
        return path

    def host_nodes(self):
        """What must never change: inode, owner, mode, number and label of the host's nodes."""
        found = {}
        for path in AMD:
            info = os.lstat(self.host + path)
            found[path] = (info.st_ino, info.st_uid, info.st_gid, info.st_mode, info.st_rdev,
                           info.st_ctime_ns, os.listxattr(self.host + path))
        return found

    def own(self, user, *, has_namespace=False, nodes=None, **kwargs):
        """user: of the process. nodes: path: "mode owner"; None: of its own"""
        before = self.host_nodes()
        bundle = self.bundle("amd:1", owner=HOST_ID if has_namespace else 0, **kwargs)
        bundle.config["process"]["user"] = user
        if has_namespace:
            use_namespace(bundle)
        report = self.run(bundle)
        refused = "EPERM" if has_namespace or user["uid"] else self.refused
        problems = check_report(report, AMD, AMD_LINKS, refused=refused)
        wanted = nodes or {path: f"660 {user['uid']}:{user['gid']}" for path in AMD}
        if report.modes != wanted:
            problems.append(f"nodes are {report.modes}, not {wanted}")
        if report.ids != (user["uid"], user["gid"]):
            problems.append(f"the probe ran as {report.ids}")
        if before != self.host_nodes():
            problems.append(f"the host's nodes were {before}, are {self.host_nodes()}")
        return problems

    # ---- who gets nodes of its own -------------------------------------------------------

    def other_user(self):
        return self.own({"uid": 1000, "gid": 1001})

    def other_user_of_group_0(self):
        """As on OpenShift: any uid, group 0."""
        return self.own({"uid": 1000610000, "gid": 0})

    def user_namespace(self):
        return self.own({"uid": 0, "gid": 0}, has_namespace=True)

    def other_user_in_a_namespace(self):
        return self.own({"uid": 1000, "gid": 1001}, has_namespace=True)

    def groups_number_of_a_namespace(self):
        """The group's number inside of a namespace is another group of the host's."""
        return self.own({"uid": 1000, "gid": RENDER_GROUP}, has_namespace=True)

    def member_keeps_the_hosts(self):
        host = {path: f"660 0:{RENDER_GROUP}" for path in AMD}
        return self.own({"uid": 1000, "gid": 1001, "additionalGids": [RENDER_GROUP]}, nodes=host)

    def root_keeps_the_hosts(self):
        return self.own({"uid": 0, "gid": 0},
                        nodes={path: f"660 0:{RENDER_GROUP}" for path in AMD})

    def both_stages(self):
        return self.own({"uid": 1000, "gid": 1001}, stages=["prestart", "createRuntime"])

    def only_what_does_not_open(self):
        """One node lets everybody, one does not: the former is the host's."""
        os.chmod(self.host + KFD, 0o666)
        try:
            return self.own({"uid": 1000, "gid": 1001},
                            nodes={KFD: f"666 0:{RENDER_GROUP}", RENDER: "660 1000:1001"})
        finally:
            os.chmod(self.host + KFD, 0o660)

    def host_is_the_hosts(self):
        """"access": "host": refused by the permissions of the host's node, with a warning."""
        path = self.settings(access="host")
        bundle = self.bundle("amd:1", hook_args=["--config", path])
        bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
        problems = check_report(self.run(bundle), AMD, AMD_LINKS, refused="EPERM", opens=False)
        with open(f"{path}.log", encoding="utf-8") as file:
            log = file.read()
        return problems + [f"no advice about {node} in the log: {log!r}" for node in AMD if
                           f"'{node}' is 0:{RENDER_GROUP} 0660: it will not open; add group "
                           f"{RENDER_GROUP}" not in log]

    # ---- what the container can do with them ---------------------------------------------

    SCRIPT = f"""
        say() {{ "$@" 2>&1 && echo ok; }}
        echo "unmount $(say /bin/busybox umount {RENDER})"
        echo "remount $(say /bin/busybox mount -o remount,bind,rw {RENDER})"
        echo "chmod $(say /bin/busybox chmod 666 {RENDER})"
        echo "chown $(say /bin/busybox chown 0:0 {RENDER})"
        echo "remove $(say /bin/busybox rm {RENDER})"
        echo "again $(/bin/busybox stat -c '%t:%T %a' {RENDER})"
        """

    def tamper(self, owner=0, **changes):
        bundle = self.bundle("amd:1", owner=owner)
        process = bundle.config["process"]
        process["args"] = ["/bin/sh", "-c", self.SCRIPT]
        process["user"] = {"uid": 0, "gid": 0}
        process.update(changes)
        if owner:
            use_namespace(bundle, owner)
        before = self.host_nodes()
        text = self.run(bundle).text
        problems = [] if before == self.host_nodes() else [
            f"the host's nodes were {before}, are {self.host_nodes()}"]
        return dict(line.partition(" ")[::2] for line in text.splitlines()), problems, text

    def tampering(self):
        """root without CAP_SYS_ADMIN gets rid of nothing and changes nothing."""
        done, problems, text = self.tamper()
        wrong = [what for what in ("unmount", "remount", "chmod", "chown", "remove")
                 if not done.get(what) or "ok" in done[what]]
        if wrong or done.get("again") != "e2:81 660":
            problems.append(f"{wrong} should have failed: {text}")
        return problems

    def tampering_of_a_namespaces_root(self):
        """root of a user namespace may do anything to mounts there: its own node, and never
        another device or the host's node, is all that changes."""
        every = [*container.CAPABILITIES, "CAP_SYS_ADMIN"]
        done, problems, text = self.tamper(HOST_ID, capabilities={
            name: every for name in ("bounding", "effective", "permitted")})
        # What is below the mount is the empty file that it was put over.
        if done.get("again", "").split()[:1] not in ([], ["e2:81"], ["0:0"]):
            problems.append(f"another device: {text}")
        return problems

    def neighbours(self):
        """From one node nothing leads to the tmpfs that holds it and the others."""
        bundle = self.bundle("amd:1")
        bundle.config["process"]["user"] = {"uid": 1000, "gid": 1001}
        report = self.run(bundle)
        problems = []
        for path in AMD:
            # mountinfo's fourth field: the root of the mount in its file system.
            roots = [line.split()[3] for line in report.mounts_at(path)]
            if len(roots) != 1 or roots[0] in ("/", ""):
                problems.append(f"{path} is a mount of {roots}")
        below = [line for line in report.mounts if " - tmpfs oci-gpu-hook " in line]
        if len(below) != len(AMD):
            problems.append(f"mounts of ours: {below}")
        return problems

    def image_has_one(self):
        """A node of the image's own with the device's number is no way around."""
        bundle = self.bundle("amd:1")
        bundle.config["process"]["user"] = {"uid": 1000, "gid": 1001}
        bundle.config["mounts"] = [mount for mount in bundle.config["mounts"]
                                   if not mount["destination"].startswith("/dev")]
        os.mkdir(f"{bundle.rootfs}/dev/dri")
        os.mknod(f"{bundle.rootfs}{RENDER}", 0o020666, os.makedev(1, 1))
        problems = self.must_fail(bundle, RENDER, "another character device")
        # What the runtime and the image have there is not ours to take away.
        problems = [line for line in problems if not line.startswith("left in the root")]
        number = os.lstat(f"{bundle.rootfs}{RENDER}").st_rdev
        return problems + ([] if number == os.makedev(1, 1) else ["the image's node changed"])

    # ---- seen from the host --------------------------------------------------------------

    def on_standin(self, look=None, uid=1000, wrapper=(), args=()):
        """The hook for a stand-in. look: called with it afterwards. Return: (result, problems)"""
        bundle = container.Bundle().request("amd:1")
        bundle.config["process"]["user"] = {"uid": uid, "gid": 1001}
        before = self.host_nodes()
        with StandIn(bundle.write()) as standin:
            outside = standin.look()["mounts of the host"]
            result = run_hook(self.hook, standin.state(), "--host-root", self.host,
                              *args, wrapper=wrapper)
            problems = look(standin) if look else []
            problems += differences({"mounts of the host": outside},
                                    {"mounts of the host": standin.look()["mounts of the host"]})
        if before != self.host_nodes():
            problems.append("the host's nodes changed")
        return result, problems

    def nodes_in(self, standin, wanted="crw-rw---- 1000:1001"):
        tree = standin.tree()
        return [f"{path} is {tree.get(path[1:])}" for path, (major, minor) in AMD.items()
                if tree.get(path[1:]) != f"{wanted} {major}:{minor}"]

    def before_linux_6_15(self):
        """A detached tmpfs cannot be cloned there: the way around it comes to the same."""
        trace = f"{sandbox.WORK}/trace"
        # Behind no node of the host, the first clone is a private node's.
        result, problems = self.on_standin(
            self.nodes_in, wrapper=["strace", *sandbox.UNDER_STRACE, "-o", trace, "-e",
                                    "trace=open_tree,unshare", "-e",
                                    "inject=open_tree:error=EINVAL:when=1"])
        with open(trace, encoding="utf-8") as file:
            if "unshare(CLONE_NEWNS) " not in file.read():
                problems.append("no namespace of its own was made")
        return problems + ([] if result.returncode == 0 else [result.stderr])

    def label(self):
        """The private node has the host node's SELinux label."""
        try:
            for path in AMD:
                os.setxattr(self.host + path, "security.selinux", LABEL)
        except OSError as error:
            raise sandbox.SkipTest(f"no security.selinux here: {error}") from error

        def look(standin):
            root = f"/proc/{standin.pid}/root{standin.bundle.rootfs}"
            problems = self.nodes_in(standin)
            return problems or [
                f"{path} has the label {os.getxattr(root + path, 'security.selinux')}"
                for path in AMD if os.getxattr(root + path, "security.selinux") != LABEL]

        try:
            result, problems = self.on_standin(look)
        finally:
            for path in AMD:
                os.removexattr(self.host + path, "security.selinux")
        return problems + ([] if result.returncode == 0 else [result.stderr])

    def failure(self, call, error, *words):
        """One line, and nothing is left."""
        def look(standin):
            left = [path for path in standin.tree() if path.startswith("dev/")]
            return [f"left: {left}"] if left else []

        result, problems = self.on_standin(look, wrapper=[
            "strace", *sandbox.UNDER_STRACE, "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:error={error}:when=1"])
        return problems + one_line(result, *words)

    def no_capability(self):
        return self.failure("mknodat", "EPERM",
                            "make the container's own '/dev/kfd': no permission; the hook needs "
                            "CAP_MKNOD, or set \"access\": \"host\"")

    def full(self):
        return self.failure("mknodat", "ENOSPC", "make the container's own '/dev/kfd': ")

    def no_owner(self):
        return self.failure("fchownat", "EPERM",
                            "give the container's own '/dev/kfd' to its process: ")

    def label_not_read(self):
        return self.failure("getxattr", "EACCES",
                            "read the SELinux label of host node '/dev/kfd': ")

    def label_refused(self):
        os.setxattr(self.host + KFD, "security.selinux", LABEL)
        try:
            return self.failure("lsetxattr", "EACCES",
                                "give the container's own '/dev/kfd' the SELinux label "
                                "'system_u:object_r:dri_device_t:s0' of the host's",
                                "container_use_devices", "container_use_dri_devices")
        finally:
            os.removexattr(self.host + KFD, "security.selinux")

    def unmapped(self):
        """A process's id that its namespace has not: the runtime could not start it either."""
        process = subprocess.Popen(["unshare", "--user", "--map-root-user", "--mount", "sleep",
                                    "100"])
        try:
            bundle = container.Bundle().request("amd:1")
            use_namespace(bundle)
            bundle.config["process"]["user"] = {"uid": 1000, "gid": 1001}
            bundle.write()
            while open(f"/proc/{process.pid}/comm", encoding="utf-8").read() != "sleep\n":
                pass
            state = {"ociVersion": "1.0.2", "id": "x", "status": "creating", "pid": process.pid,
                     "bundle": bundle.directory}
            return one_line(run_hook(self.hook, state, "--host-root", self.host),
                            "its user namespace does not map the ids 1000:1001 of config.json's "
                            "process.user")
        finally:
            process.kill()
            process.wait()

    def tests(self):
        names = ["other_user", "other_user_of_group_0", "user_namespace",
                 "other_user_in_a_namespace", "groups_number_of_a_namespace",
                 "member_keeps_the_hosts", "root_keeps_the_hosts", "both_stages",
                 "only_what_does_not_open", "host_is_the_hosts", "tampering",
                 "tampering_of_a_namespaces_root", "neighbours", "image_has_one"]
        # No runtime has a part in these.
        if self.runtime.cgroup_version == 2:
            names += ["before_linux_6_15", "label", "no_capability", "full", "no_owner",
                      "label_not_read", "label_refused", "unmapped"]
        return [(name.replace("_", " "), getattr(self, name)) for name in names]


def main():
    names = ["runc-v1", "runc-v2", "crun"]
    options = sandbox.arguments(__doc__, ("runtime", names), tools=["busybox", "strace"])
    suite = Suite(options.hook, runtimes.prepare(options.runtime))
    return sandbox.run_tests(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
