# SPDX-License-Identifier: Apache-2.0
"""access.py - `plan --pid` of containers that run, held against what really opens in them"""

import json
import os
import subprocess
import sys
import time

import bpf
import cgroups
import container
import schema_check
import sandbox
from container import AMD

with open(f"{sandbox.TOP}/specs/plan.schema.json", encoding="utf-8") as schema_file:
    SCHEMA = json.load(schema_file)

# What open(2) gives where a level denies.
REAL = {"node": {"ENOENT", "EACCES"}, "permission": {"EACCES"}, "cgroup": {"EPERM"}}


def wait_for_program(pid, name, limit):
    """Until a process has become a program. `start` returns a moment earlier: till then the
    runtime's own process, with the user's ids, has capabilities that execve(2) takes."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            if file.read() == f"{name}\n":
                return
        time.sleep(0.005)
    raise TimeoutError(f"process {pid} is not {name} after {limit} s")


# A process of a user namespace, with the GPU's nodes in its root, that says what open(2) says.
# Its ids are 0 there, and a group that is not mapped stays, as podman's keep-groups has it.
IN_USER_NAMESPACE = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None)
root, user, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.setgroups([int(group) for group in sys.argv[4:]])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: its /proc is its user's
if libc.unshare(0x10000000):  # CLONE_NEWUSER
    raise OSError("no user namespace")
print("unshared", flush=True)
sys.stdin.readline()
os.chroot(root)
try:
    os.close(os.open(path, os.O_RDWR))
    print("ok", flush=True)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
sys.stdin.readline()
"""
KEPT_USER = 1002


class Access:
    """Tests for oci.Suite."""

    process = None  # of the container that runs, as in its config.json

    def started(self, look, hook=True, **changes):
        """Starts a container that sleeps. look: called with its pid. Return: what it returns"""
        bundle = self.bundle("amd:1", stages=["createRuntime"] if hook else [],
                             hook_args=changes.pop("hook_args", ()),
                             owner=changes.pop("owner", 0))
        bundle.config["process"].update(args=["/bin/busybox", "sleep", "100"], **changes)
        return self.run_started(bundle, look)

    def run_started(self, bundle, look):
        self.process = bundle.config["process"]
        try:
            result = self.runtime.create(bundle.write())
            if result.returncode:
                return [f"create failed: {result.stderr}"]
            subprocess.run([*self.runtime.command, "start", self.runtime.id], check=True,
                           timeout=60, capture_output=True)
            pid = self.runtime.pid()
            wait_for_program(pid, "busybox", 30)
            return look(pid)
        finally:
            self.runtime.delete()

    def real_open(self, path):
        """What opening a node in the container gives."""
        script = f"[ -e {path} ] || exec cat {path}; : <>{path}"
        # crun's exec is root's without a whole process.
        process = f"{sandbox.WORK}/process.json"
        with open(process, "w", encoding="ascii") as file:
            json.dump({**self.process, "args": ["/bin/sh", "-c", script]}, file)
        result = container.run([*self.runtime.command, "exec", "--process", process,
                                self.runtime.id])
        if result.returncode == 0:
            return "ok"
        return container.errno_name(result.stderr.strip().rpartition(": ")[2])

    def ask(self, pid, *args, **kwargs):
        return container.run([self.hook, "plan", "--gpu", "amd:1", "--host-root", self.host,
                              "--pid", str(pid), *args], **kwargs)

    def expect(self, pid, level, *words):
        """level: by which each node is denied; None: they open. words: in each reason"""
        result = self.ask(pid, "--json")
        if not result.stdout:
            return [f"no plan: {result.stderr}"]
        plan = json.loads(result.stdout)
        problems = list(schema_check.check(SCHEMA, plan, SCHEMA))
        nodes = {node["path"]: node for node in plan["access"]["nodes"]}
        if set(nodes) != set(AMD) or plan["access"]["pid"] != pid:
            problems.append(f"access is {plan['access']}")
        for path, node in nodes.items():
            if (node["opens"], node["deniedBy"]) != (level is None, level):
                problems.append(f"{path} should be denied by {level}: {node}")
            problems += [f"the reason does not say '{word}': {node}" for word in words
                         if word not in (node["reason"] or "")]
            real = self.real_open(path)
            if real not in (REAL[level] if level else container.ALLOWED):
                problems.append(f"{path} really gives {real}, where {node} is said")
        return problems + self.expect_text(pid, level, words)

    def expect_text(self, pid, level, words):
        """The same for people: a table, the status, and one line if something is denied."""
        result = self.ask(pid)
        rows = [line for line in result.stdout.splitlines() if "/dev/kfd" in line][1:]
        problems = [] if len(rows) == 1 else [f"rows are {rows}"]
        problems += [f"the table does not say '{word}': {rows}"
                     for word in [level or "opens"] if word not in "".join(rows)]
        lines = result.stderr.splitlines()
        if level is None:
            return problems + ([] if (result.returncode, lines) == (0, []) else
                               [f"status {result.returncode}, {lines}"])
        if result.returncode != 1 or len(lines) != 1 or "2 of 2 nodes do not open" not in lines[0]:
            problems.append(f"status {result.returncode}, {lines}")
        return problems + [f"the line does not say '{word}': {lines}" for word in words
                           if word not in "".join(lines)]

    @staticmethod
    def host_nodes():
        """Settings by which the process gets the host's nodes, whether they open or not."""
        path = f"{sandbox.WORK}/host-nodes.json"
        with open(path, "w", encoding="ascii") as file:
            json.dump({"access": "host"}, file)
        os.chmod(path, 0o644)
        return ["--config", path]

    def access_of_private_nodes(self):
        """Those that the hook makes for another user."""
        user = {"uid": 1000, "gid": 1000}
        return self.started(lambda pid: self.expect(pid, None), user=user)

    def access_opens(self):
        return self.started(lambda pid: self.expect(pid, None))

    def access_changes_nothing(self):
        """Neither its groups, rules, mounts nor nodes."""
        def look(pid):
            def state():
                with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as mounts, \
                        open(f"/proc/{pid}/cgroup", encoding="utf-8") as groups:
                    return (mounts.read(), groups.read(), self.device_rules(pid),
                            container.list_tree(f"/proc/{pid}/root/dev"))
            before = state()
            self.ask(pid)
            return [] if state() == before else ["something has changed"]
        return self.started(look)

    def access_missing_node(self):
        return self.started(lambda pid: self.expect(pid, "node", "is not there"), hook=False)

    def access_other_node(self):
        """A node of that name with another number."""
        bundle = self.bundle("amd:1", stages=[])
        bundle.config["process"]["args"] = ["/bin/busybox", "sleep", "100"]
        bundle.config["linux"]["devices"] = [
            {"path": path, "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}
            for path in AMD]

        def look(pid):
            # It opens: it is /dev/null. What is asked is whether the GPU's node does.
            nodes = json.loads(self.ask(pid, "--json").stdout)["access"]["nodes"]
            return [f"not seen: {node}" for node in nodes
                    if node["deniedBy"] != "node" or "is device 1:3 there" not in node["reason"]]
        return self.run_started(bundle, look)

    def access_permission(self):
        """Another user without the group; the kernel judges for its ids."""
        user = {"uid": 1000, "gid": 1000}
        return self.started(
            lambda pid: self.expect(pid, "permission", "0:105 0660", "1000:1000"), user=user,
            hook_args=self.host_nodes())

    def access_by_group(self):
        user = {"uid": 1000, "gid": 1000, "additionalGids": [container.RENDER_GROUP]}
        return self.started(lambda pid: self.expect(pid, None), user=user)

    def access_after_chmod(self):
        """The host's nodes get another mode while the container runs."""
        user = {"uid": 1000, "gid": 1000, "additionalGids": [container.RENDER_GROUP]}

        def look(pid):
            for path in AMD:
                os.chmod(self.host + path, 0o600)
            try:
                return self.expect(pid, "permission", "0600")
            finally:
                for path in AMD:
                    os.chmod(self.host + path, 0o660)
        return self.started(look, user=user)

    def access_without_capabilities(self):
        """Root of the container without CAP_DAC_OVERRIDE, and nodes of another user."""
        none = {name: [] for name in ("bounding", "effective", "permitted")}

        def look(pid):
            for path in AMD:
                os.chown(self.host + path, 7, 7)
            try:
                return self.expect(pid, "permission", "7:7 0660")
            finally:
                for path in AMD:
                    os.chown(self.host + path, 0, container.RENDER_GROUP)
        return self.started(look, capabilities=none)

    def access_in_user_namespace(self):
        """There root has no right over a node whose owner is not mapped."""
        bundle = self.bundle("amd:1", owner=100000, hook_args=self.host_nodes())
        bundle.config["process"]["args"] = ["/bin/busybox", "sleep", "100"]
        linux = bundle.config["linux"]
        linux["namespaces"].append({"type": "user"})
        ids = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        linux["uidMappings"] = linux["gidMappings"] = ids
        return self.run_started(
            bundle, lambda pid: self.expect(pid, "permission", "100000:100000"))

    def in_user_namespace(self, groups, look):
        """look: called with the pid of such a process, and what opening a node gives there"""
        os.chmod(sandbox.WORK, 0o755)
        with subprocess.Popen(
                [sys.executable, "-c", IN_USER_NAMESPACE, self.host, str(KEPT_USER), "/dev/kfd",
                 *(str(group) for group in groups)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                if process.stdout.readline() != "unshared\n":
                    return ["the process did not start"]
                for name in ("uid_map", "gid_map"):
                    with open(f"/proc/{process.pid}/{name}", "w", encoding="ascii") as file:
                        file.write(f"0 {KEPT_USER} 1")
                print(file=process.stdin, flush=True)
                return look(process.pid, process.stdout.readline().strip())
            finally:
                process.kill()

    def kfd_access(self, pid, **kwargs):
        nodes = json.loads(self.ask(pid, "--json", **kwargs).stdout)["access"]["nodes"]
        return next(node for node in nodes if node["path"] == "/dev/kfd")

    def access_by_an_unmapped_group(self):
        """As of podman's keep-groups: it has no number in the container, and counts."""
        as_user = {"user": KEPT_USER, "group": KEPT_USER}

        def look(pid, real):
            problems = [] if real in container.ALLOWED else [f"really {real}"]
            node = self.kfd_access(pid)
            if not node["opens"]:
                problems.append(f"root: {node}")
            # Its user has the same groups, and a cgroup v2 is for root to read.
            node = self.kfd_access(pid, **as_user, extra_groups=[container.RENDER_GROUP])
            if not node["opens"] and "only root can" not in node["reason"]:
                problems.append(f"its user: {node}")
            # Nobody can take on a group that he neither has nor can name.
            node = self.kfd_access(pid, **as_user, extra_groups=[])
            if node["opens"] is not None or "some groups of the process cannot be seen from " \
                                               "here; run as root" not in node["reason"]:
                problems.append(f"its user without the group: {node}")
            return problems
        return self.in_user_namespace([container.RENDER_GROUP], look)

    def access_without_the_group_in_a_user_namespace(self):
        def look(pid, real):
            problems = [] if real == "EACCES" else [f"really {real}"]
            node = self.kfd_access(pid)
            if node["deniedBy"] != "permission" or \
                    f"0:105 0660 there and the process is {KEPT_USER}:{KEPT_USER}, groups 7 9 " \
                    "(ids of the host)" not in node["reason"]:
                problems.append(f"root: {node}")
            return problems
        return self.in_user_namespace([7, 9], look)

    def access_cgroup(self):
        """The rules go while the container runs: its own group is named."""
        def look(pid):
            directory = cgroups.of_process(pid, self.runtime.cgroup_version)
            if self.runtime.cgroup_version == 2:
                bpf.attach_deny_all(directory)
            else:
                for major, minor in AMD.values():
                    with open(f"{directory}/devices.deny", "w", encoding="ascii") as file:
                        file.write(f"c {major}:{minor} rw")
            return self.expect(pid, "cgroup", f"{cgroups.parent()}/{self.runtime.id}")
        return self.started(look)

    def access_cgroup_above(self):
        """A group above denies; that one is named, and not the container's own."""
        def look(pid):
            directory = os.path.dirname(cgroups.of_process(pid, 2))
            bpf.attach_deny_all(directory)
            try:
                return self.expect(pid, "cgroup", f"cgroup '{cgroups.parent()}'")
            finally:
                bpf.detach_all(directory)
        return self.started(look)

    def access_unseen(self):
        """Who is not root is told what cannot be seen, and gets no success."""
        def look(pid):
            os.chmod(sandbox.WORK, 0o755)
            result = self.ask(pid, user=65534, group=65534, extra_groups=[])
            lines = result.stderr.splitlines()
            return [] if result.returncode == 1 and len(lines) == 1 and \
                f"process {pid}" in lines[0] and "run as root" in lines[0] else \
                [f"status {result.returncode}, {lines}"]
        return self.started(look)

    def access_no_process(self):
        result = self.ask(4194303)
        lines = result.stderr.splitlines()
        return [] if result.returncode == 1 and len(lines) == 1 and \
            "open process 4194303: No such process" in lines[0] else [f"{result}"]

    def access_bad_pid(self):
        problems = []
        for pid in ("0", "-1", "1x", "12345678", "self"):
            result = self.ask(pid)
            if result.returncode != 2 or f"'{pid}' is no process id" not in result.stderr:
                problems.append(f"{pid}: {result}")
            if ("podman gives 0 for a container that does not run" in result.stderr) != \
                    (pid == "0"):
                problems.append(f"{pid}: {result}")
        result = container.run([self.hook, "list", "--pid", "1"])
        if result.returncode != 2 or "list takes no --pid" not in result.stderr:
            problems.append(f"{result}")
        return problems

    def access_tests(self):
        names = ["access_opens", "access_changes_nothing", "access_missing_node",
                 "access_other_node", "access_permission", "access_of_private_nodes", "access_by_group",
                 "access_after_chmod", "access_without_capabilities",
                 "access_in_user_namespace", "access_by_an_unmapped_group",
                 "access_without_the_group_in_a_user_namespace", "access_unseen", "access_no_process",
                 "access_bad_pid"]
        if self.runtime.cgroup_version:
            names.append("access_cgroup")
        if self.runtime.cgroup_version == 2:
            names.append("access_cgroup_above")
        return [(name.replace("_", " "), getattr(self, name)) for name in names]
