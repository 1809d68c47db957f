# SPDX-License-Identifier: Apache-2.0
"""setups.py - how people start containers, each with the hook registered"""

import functools
import itertools
import json
import os
import shutil
import threading
import time

import host

KEY = "io.oci-gpu-hook.gpu"
WORK = "/var/lib/tests/work"
LIMIT = 90  # seconds for one command of a runtime or engine, on a slow machine

# Close to what engines write. The disk's node is in the root file system; nothing but the
# device filter is between it and the container.
CAPABILITIES = ["CAP_MKNOD", "CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE"]
HOOK_ARGS = ["--log-level", "warning"]
FUSE_RULE = {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}
FUSE_NODE = {"path": host.FUSE, "type": "c", "major": 10, "minor": 229, "fileMode": 0o666,
             "uid": 0, "gid": 0}
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
     "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
]


class Way:
    """How a hook comes into the container's start: at which stage, and which program, with
    which command lines as hooks before and after it."""

    def __init__(self, name, stage, program=host.HOOK, before=(), after=(), args=None):
        self.name = name
        self.stage = stage
        self.program = program
        self.args = args or ["oci-gpu-hook", stage, *HOOK_ARGS]
        self.before = before
        self.after = after

    def hooks(self):
        """As in config.json"""
        lines = [[command[0], command] for command in self.before]
        lines += [[self.program, self.args]]
        lines += [[command[0], command] for command in self.after]
        return [{"path": path, "args": args, "timeout": 60} for path, args in lines]


CREATE_RUNTIME = Way("createRuntime", "createRuntime")
PRESTART = Way("prestart", "prestart")
# podman's own stage: the config is edited before there is a container.
PRECREATE = Way("precreate", "precreate")
# What the hook would be without its steps for the device cgroup, and for systemd.
NODES_ONLY = Way("nodes only", "createRuntime", host.NODES_ONLY)
EDIT_ONLY = Way("edit only", "createRuntime", host.EDIT_ONLY)

WAYS = [CREATE_RUNTIME, PRESTART, PRECREATE]
PARTS = [NODES_ONLY, EDIT_ONLY]


class Container:
    """A running container whose main process opens what it is told to."""

    def __init__(self, setup, name):
        self.setup = setup
        self.name = name
        self.id = name  # as the runtime knows it
        self.directory = f"{WORK}/{name}"
        self.rootfs = f"{self.directory}/rootfs"
        self.asked = 0
        self._make_rootfs()

    def _make_rootfs(self):
        for name in ("proc", "sys", "dev", "tmp", "etc", "run", "ask", "nodes"):
            os.makedirs(f"{self.rootfs}/{name}")
        for name in ("tmp", "ask"):
            os.chmod(f"{self.rootfs}/{name}", 0o1777)
        shutil.copy(host.PROBE, f"{self.rootfs}/probe")
        if not self.setup.is_rootless:
            for path in (host.DISK, *host.all_nodes()):
                to = self.node(path)
                os.mknod(to, os.stat(path).st_mode, os.stat(path).st_rdev)
                os.chmod(to, 0o666)
        else:
            host.run(["chown", "-R", f"{host.UID}:{host.UID}", self.directory], check=True)

    def node(self, path):
        """A node of the same number that anybody may open, made before the container was"""
        return f"{self.rootfs}{self.inside(path)}"

    @staticmethod
    def inside(path):
        return f"/nodes/{os.path.basename(path)}"

    def look(self, *what):
        """Lets the main process open nodes. Return: {what: result}"""
        self.asked += 1
        request = f"{self.rootfs}/ask/{self.asked}"
        with open(f"{request}.new", "w", encoding="ascii") as file:
            file.write("\n".join(what))
        os.rename(f"{request}.new", request)
        deadline = time.monotonic() + 30
        while not os.path.exists(f"{request}.answer"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the main process of {self.name} does not answer")
            time.sleep(0.02)
        with open(f"{request}.answer", encoding="ascii") as file:
            return host.parse(file.read())

    def look_by_exec(self, *what):
        """Lets another process, entering the container now, open them."""
        return host.parse(self.setup.call("exec", self.name, "/probe", *what).stdout)

    def look_by_runtime(self, *what):
        """The same without an engine, which takes its time in emulation"""
        return host.parse(host.run([*self.setup.runtime_command, "exec", self.id, "/probe",
                                    *what], LIMIT, check=True).stdout)

    @functools.cached_property
    def unit(self):
        """The systemd unit whose control group the main process is in, or None"""
        with open(f"/proc/{self.setup.pid(self.name)}/cgroup", encoding="ascii") as file:
            path = file.read().strip().rpartition("::")[2]
        parts = [part for part in path.split("/") if part.endswith((".scope", ".service"))]
        return parts[-1] if parts else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.setup.remove(self.name)
        shutil.rmtree(self.directory)


class Refused(Exception):
    """The container was not started; says what the runtime or engine said."""


class Setup:
    """One way. Its name is the suite's."""

    numbers = itertools.count(1)
    is_rootless = False
    may_open = True  # what the permissions of a render node say
    has_unit = True  # of systemd, for each container

    def __init__(self, name):
        self.name = name

    def start(self, request=None, user=0, groups=(), way=CREATE_RUNTIME):
        """Return: Container, running; raises Refused"""
        container = Container(self, f"test-{self.name}-{next(Setup.numbers)}")
        try:
            self._start(container, request, user, groups, way)
            container.look()  # it is there
        except BaseException:
            container.__exit__()
            raise
        return container

    def systemctl(self, *args):
        """The command line, for the systemd that a container's unit belongs to"""
        return host.as_user(["systemctl", "--user", *args]) if self.is_rootless \
            else ["systemctl", *args]

    def show(self, container, name):
        """A property of the container's unit"""
        return host.run(self.systemctl("show", "--value", "--property", name,
                                       container.unit), LIMIT, check=True).stdout.strip()


class Direct(Setup):
    """A runtime, called with a bundle."""

    def __init__(self, name, runtime, is_systemd):
        super().__init__(name)
        self.has_unit = is_systemd
        self.rules = [{"allow": False, "access": "rwm"}, FUSE_RULE]
        self.command = [runtime, "--root", f"{WORK}-state/{name}",
                        *(["--systemd-cgroup"] if is_systemd else [])]
        self.runtime_command = self.command

    def call(self, *args):
        return host.run([*self.command, *args], LIMIT, check=True)

    def _config(self, container, request, user, groups, way):
        capabilities = CAPABILITIES if user == 0 else []
        group = f"system.slice:test:{container.name}" if self.has_unit \
            else f"/tests/test-{container.name}"
        return {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False, "args": ["/probe", "serve", "/ask"], "cwd": "/",
                "user": {"uid": user, "gid": user, "additionalGids": list(groups)},
                "env": ["PATH=/"], "noNewPrivileges": True,
                "capabilities": {name: capabilities
                                 for name in ("bounding", "effective", "permitted")}},
            "root": {"path": "rootfs"},
            "mounts": MOUNTS,
            "annotations": {KEY: request} if request else {},
            "hooks": {} if way is PRECREATE else {way.stage: way.hooks()},
            "linux": {
                "cgroupsPath": group, "devices": [FUSE_NODE],
                "resources": {"devices": self.rules},
                "namespaces": [{"type": name} for name in
                               ("pid", "ipc", "uts", "mount", "network", "cgroup")]},
        }

    def _start(self, container, request, user, groups, way):
        config = json.dumps(self._config(container, request, user, groups, way))
        if way is PRECREATE:
            # As an engine does it.
            result = host.run([way.program, *way.args[1:]], LIMIT, input=config)
            if result.returncode != 0:
                raise Refused(result.stderr)
            config = result.stdout
        with open(f"{container.directory}/config.json", "w", encoding="ascii") as file:
            file.write(config)
        # Pipes would stay open in the container, and nobody would see their end.
        log = f"{container.directory}/log"
        with open(log, "wb") as file:
            result = host.run([*self.command, "run", "--detach", "--bundle",
                               container.directory, container.name], LIMIT,
                              stdout=file, stderr=file)
        if result.returncode != 0:
            with open(log, encoding="utf-8", errors="replace") as file:
                raise Refused(file.read())

    def pid(self, name):
        return json.loads(self.call("state", name).stdout)["pid"]

    def update(self, name):
        return self.call("update", "--cpu-share", "512", name)

    def remove(self, name):
        host.run([*self.command, "delete", "--force", name], LIMIT)


class Podman(Setup):
    """podman, which is told of the hook by a hooks directory."""

    def __init__(self, name, runtime, is_rootless=False, args=()):
        super().__init__(name)
        self.is_rootless = is_rootless
        self.may_open = not is_rootless or "keep-groups" in args
        self.args = args
        self.command = ["podman", "--runtime", runtime]
        # Where podman has the runtime keep its state.
        self.runtime_command = [runtime, "--root", f"/run/{runtime}"]
        if is_rootless:
            # A runtime of its own could not enter: it would be outside of podman's namespace.
            self.command = self.runtime_command = host.as_user(self.command)

    def call(self, *args):
        return host.run([*self.command, *args], LIMIT, check=True)

    @staticmethod
    def _hooks_dir(way):
        """Made once: others are reading it when the next container starts."""
        directory = f"{WORK}-hooks/{way.name.replace(' ', '-')}"
        if os.path.isdir(directory):
            return directory
        with open("hook.json.in", encoding="utf-8") as file:
            hook = json.loads(file.read().replace("@bindir@", os.path.dirname(host.HOOK)))
        hook["hook"], = way.hooks()
        hook["stages"] = [way.stage]
        partial = f"{directory}.{threading.get_ident()}"
        os.makedirs(partial)
        with open(f"{partial}/oci-gpu-hook.json", "w", encoding="utf-8") as file:
            json.dump(hook, file)
        try:
            os.rename(partial, directory)
        except OSError:
            shutil.rmtree(partial)
        return directory

    def _start(self, container, request, user, groups, way):
        args = ["--hooks-dir", self._hooks_dir(way), "run", "--detach", "--name",
                container.name, "--network", "none", "--cap-add", "MKNOD",
                "--device", host.FUSE, "--log-driver", "none", *self.args]
        if request:
            args += ["--annotation", f"{KEY}={request}"]
        if user:
            args += ["--user", f"{user}:{user}"]
        for group in groups:
            args += ["--group-add", str(group)]
        result = host.run([*self.command, *args, "--rootfs", container.rootfs, "/probe",
                           "serve", "/ask"], LIMIT)
        if result.returncode != 0:
            raise Refused(result.stderr)
        container.id = result.stdout.strip()

    def pid(self, name):
        return int(self.call("inspect", "--format", "{{.State.Pid}}", name).stdout)

    def update(self, name):
        return self.call("update", "--cpu-shares", "512", name)

    def remove(self, name):
        host.run([*self.command, "rm", "--force", "--ignore", "--time", "0", name], LIMIT)


def all_setups():
    return [
        Direct("crun", "crun", True),
        Direct("runc", "runc", True),
        Direct("crun-cgroupfs", "crun", False),
        Direct("runc-cgroupfs", "runc", False),
        Podman("podman-crun", "crun"),
        Podman("podman-runc", "runc"),
        Podman("rootless", "crun", True),
        Podman("rootless-keep-groups", "crun", True, ["--group-add", "keep-groups"]),
    ]
