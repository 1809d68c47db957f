#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""podman.py --hook PROGRAM KIND - containers of podman, as people start them

KIND is root or rootless, each also with -precreate behind it: then the hook is registered
at that stage of podman's alone, and what it leaves to createRuntime it registers itself.

The hook is registered through a hooks directory, with the file that is installed. podman keeps its images and everything else in the sandbox. The user of the rootless
containers exists only there, in private copies of the files of /etc.
"""

import json
import os
import shutil
import stat
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import cgroups
import container
import driver
import runtimes
import sandbox
from container import AMD, AMD_LINKS, NVIDIA, Report, check_report

OWN_KEY = "org.example.site-gpu"
HOOKS_FILES = os.path.join(sandbox.TOP, "specs/hooks.d")

# In no passwd file that we know of; the subordinate ids lie above what useradd gives out.
USER = "oci-gpu-hook-test"
UID = 47110
SUBIDS = "2000000000:65536"


class Podman:
    def __init__(self, hook, is_rootless, is_precreate):
        self.hook = hook
        self.is_precreate = is_precreate
        self.is_rootless = is_rootless
        self.host = container.make_host()
        self.home = f"{sandbox.WORK}/home"
        self.env = {"PATH": os.environ["PATH"], "HOME": self.home,
                    "TMPDIR": f"{sandbox.WORK}/tmp"}
        self.as_user = {}
        self.groups = []  # of the rootless user, on the host
        os.mkdir(self.home)
        if is_rootless:
            self._make_user()
        self.command = [
            "podman", "--cgroup-manager", "cgroupfs",
            "--events-backend", "none", "--root", f"{self.home}/storage",
            "--runroot", f"{self.home}/run", "--tmpdir", f"{self.home}/libpod"]
        self._build("probe")
        self.build_annotated("asks", f"{container.KEY}=amd:1")

    def _make_user(self):
        for name, line in (("passwd", f"{USER}:x:{UID}:{UID}::{self.home}:/bin/sh"),
                           ("group", f"{USER}:x:{UID}:"),
                           ("subuid", f"{USER}:{SUBIDS}"), ("subgid", f"{USER}:{SUBIDS}")):
            copy = f"{sandbox.WORK}/{name}"
            text = ""
            if os.path.exists(f"/etc/{name}"):
                with open(f"/etc/{name}", encoding="utf-8") as file:
                    text = file.read()
            with open(copy, "w", encoding="utf-8") as file:
                file.write(f"{text.rstrip()}\n{line}\n".lstrip())
            os.chmod(copy, 0o644)
            if not os.path.exists(f"/etc/{name}"):
                sandbox.skip_all(f"/etc/{name} is missing; install uidmap")
            sandbox.mount("--bind", copy, f"/etc/{name}")
        runtime_dir = f"/run/user/{UID}"
        os.makedirs(runtime_dir)
        for path in (self.home, runtime_dir):
            os.chown(path, UID, UID)
            os.chmod(path, 0o700)
        # Whoever wants fuse-overlayfs opens it up to users; here only the sandbox sees that.
        if os.path.exists("/dev/fuse"):
            fuse = f"{sandbox.WORK}/fuse"
            os.mknod(fuse, 0o020666, os.stat("/dev/fuse").st_rdev)
            os.chmod(fuse, 0o666)
            sandbox.mount("--bind", fuse, "/dev/fuse")
        self.env.update({"USER": USER, "LOGNAME": USER, "XDG_RUNTIME_DIR": runtime_dir})
        self.as_user = {"user": UID, "group": UID, "umask": 0o022}

    def call(self, *args):
        user = {**self.as_user, "extra_groups": self.groups} if self.as_user else {}
        return container.run([*self.command, *args], limit=120, env=self.env, cwd="/", **user)

    def _build(self, name, *args):
        container.make_rootfs(f"{sandbox.WORK}/image-{name}/root")
        self._build_image(name, *args)

    def build_annotated(self, name, *annotations):
        self._build(name, *(word for text in annotations for word in ("--annotation", text)))

    def build_driver_image(self):
        root = f"{sandbox.WORK}/image-driver/root"
        container.make_rootfs(root)
        driver.add_glibc(root)
        self._build_image("driver")

    def build_leading(self):
        """An image with a volume that by its name is nowhere near /dev."""
        root = f"{sandbox.WORK}/image-leading/root"
        container.make_rootfs(root)
        os.symlink("/dev", f"{root}/foo")
        self._build_image("leading", lines="VOLUME /foo/dri\n")

    def volume_files(self):
        """{path below the volumes: mode} of what is in all of them."""
        top = f"{self.home}/storage/volumes"
        return {os.path.relpath(os.path.join(directory, name), top):
                os.lstat(os.path.join(directory, name)).st_mode
                for directory, _, names in os.walk(top) for name in names}

    def _build_image(self, name, *args, lines=""):
        directory = f"{sandbox.WORK}/image-{name}"
        with open(f"{directory}/Containerfile", "w", encoding="utf-8") as file:
            file.write(f"FROM scratch\nCOPY root /\n{lines}")
        # The cache knows the files alone, and would give the image without its annotation.
        result = self.call("build", "--no-cache", "--quiet", "--tag", name, *args, directory)
        if result.returncode != 0:
            raise RuntimeError(f"podman build: {result.stderr}")

    def hooks_dir(self, name, *hook_args, key=container.KEY, host=None):
        """A hooks directory with the installed file, for a made host."""
        file_name = "oci-gpu-hook-precreate.json" if self.is_precreate else "oci-gpu-hook.json"
        directory = f"{sandbox.WORK}/hooks-{name}"
        if os.path.isdir(directory):
            return directory
        with open(f"{HOOKS_FILES}/{file_name}.in", encoding="utf-8") as file:
            text = file.read().replace("@bindir@", os.path.dirname(self.hook))
        hook = json.loads(text)
        hook["hook"]["path"] = self.hook
        hook["hook"]["args"] = [*hook["hook"]["args"],
                                "--host-root", host or self.host, *hook_args]
        if key != container.KEY:
            hook["when"] = {"annotations": {f"^{key.replace('.', '[.]')}$": ".*"}}
        os.mkdir(directory)
        with open(f"{directory}/{file_name}", "w", encoding="utf-8") as file:
            json.dump(hook, file)
        return directory

    def run(self, *args, hooks, image="probe", runtime="runc", command=None, removes=True):
        """Return: the finished `podman run`"""
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        if runtime == "crun":
            # Its device filter wants rights of root that a virtual machine may lack.
            limits.append("--cgroups=disabled")
        elif not self.is_rootless:
            # The controller of the limit may be a version 1 one on this machine.
            limits += ["--cgroup-parent", cgroups.parent(), "--pids-limit", "-1"]
        return self.call("--runtime", runtime, "--hooks-dir", hooks, "run",
                         *(["--rm"] if removes else []), "--network", "none", *limits,
                         "--cap-add", "MKNOD", "--pull", "never", *args, image,
                         *(command or container.probe_command()))

    def report(self, *args, **kwargs):
        result = self.run(*args, **kwargs)
        if result.returncode != 0:
            raise RuntimeError(f"podman run: {result.stderr}")
        return Report(result.stdout)


class Suite:
    def __init__(self, podman):
        self.podman = podman
        self.has_driver_image = False
        self.hooks = podman.hooks_dir("default")

    def report(self, *args, **kwargs):
        return self.podman.report(*args, hooks=self.hooks, **kwargs)

    def check(self, report, nodes, links, *, has_namespace=False, **kwargs):
        """As check_report(). What podman knows from precreate, the runtime makes itself, but
        for a user namespace, where it cannot."""
        is_bound = not self.podman.is_precreate or self.podman.is_rootless or has_namespace
        return check_report(report, nodes, links, is_bound=is_bound, **kwargs)

    @staticmethod
    def ask(value, key=container.KEY):
        return ["--annotation", f"{key}={value}"]

    def unregistered(self):
        """Without the hook nothing is there: what these tests rest on."""
        report = self.podman.report(*self.ask("nvidia:1"), hooks=f"{sandbox.WORK}/tmp")
        return self.check(report, {}, {})

    def no_request(self):
        """Without a request podman does not even call the hook; nothing is different."""
        reports = [self.podman.report(hooks=hooks)
                   for hooks in (f"{sandbox.WORK}/tmp", self.hooks)]
        problems = []
        for what in ("mounts", "dev"):
            before, after = (container.same_mounts(getattr(report, what))
                             for report in reports)
            problems += [f"{what}: without the hook: {line}" for line in before
                         if line not in after]
            problems += [f"{what}: with the hook: {line}" for line in after
                         if line not in before]
        return problems

    def one_nvidia(self):
        return self.check(self.report(*self.ask("nvidia:1")), NVIDIA, {})

    def one_amd(self):
        # The nodes are 0660: without the host's group only the real root may open them.
        return self.check(self.report(*self.ask("amd:1")), AMD, AMD_LINKS,
                            opens=not self.podman.is_rootless)

    def pairs_without_commas(self):
        return self.check(self.report(*self.ask("vendor=nvidia;devices=0")), NVIDIA, {})

    def pairs_with_commas(self):
        """podman before 5 would leave the first one: a request that nobody meant."""
        version = self.podman.call("version", "--format", "{{.Client.Version}}").stdout
        result = self.podman.run(*self.ask("vendor=nvidia,sharing=exclusive"), hooks=self.hooks)
        if int(version.split(".")[0]) >= 5:
            return [] if result.returncode == 0 else [result.stderr]
        return [] if result.returncode != 0 and (
            "'sharing' stands beside it" in result.stderr or
            self.podman.is_precreate) else [f"{result}"]

    def json_in_csv(self):
        """podman before 5 reads the option as CSV, later ones take it as it is."""
        version = self.podman.call("version", "--format", "{{.Client.Version}}").stdout
        request = '{"count":1,"vendor":"nvidia"}'
        argument = f"{container.KEY}={request}"
        if int(version.split(".")[0]) < 5:
            argument = '"' + argument.replace('"', '""') + '"'
        return self.check(self.report("--annotation", argument), NVIDIA, {})

    def through_crun(self):
        report = self.report(*self.ask("nvidia:1"), runtime="crun")
        # No control group, no device filter; a rootless container cannot make nodes.
        return self.check(report, NVIDIA, {},
                            refused="EPERM" if self.podman.is_rootless else None)

    def other_user(self):
        report = self.report("--user", "1000:1000", *self.ask("nvidia:1"))
        problems = self.check(report, NVIDIA, {})
        if report.ids != (1000, 1000):
            problems.append(f"the probe ran as {report.ids}")
        return problems

    def other_user_with_group(self):
        report = self.report("--user", "1000:1000", "--group-add",
                             str(container.RENDER_GROUP), *self.ask("amd:1"))
        return self.check(report, AMD, AMD_LINKS)

    def other_user_without_group(self):
        """Gets nodes of its own."""
        report = self.report("--user", "1000:1001", *self.ask("amd:1"))
        problems = self.check(report, AMD, AMD_LINKS)
        wanted = {path: "660 1000:1001" for path in AMD}
        return problems + ([] if report.modes == wanted else [f"nodes are {report.modes}"])

    def own_nodes_in_a_namespace(self):
        args = ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"]
        problems = []
        for user in ("0:0", "1000:1001"):
            report = self.report(*args, "--user", user, *self.ask("amd:1"))
            problems += self.check(report, AMD, AMD_LINKS, has_namespace=True)
            if report.modes != {path: f"660 {user}" for path in AMD}:
                problems.append(f"nodes are {report.modes}")
        return problems

    def rootless_advice(self):
        """Neither a node of its own nor a group can be had: the log says what is missing."""
        log = f"{self.podman.home}/advice.log"
        settings = f"{self.podman.home}/advice.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"log": {"target": f"file:{log}", "level": "warning"}}, file)
        os.chmod(settings, 0o644)
        hooks = self.podman.hooks_dir("advice", "--config", settings)
        problems = []
        for is_member, options, words in (
                (False, (), "does not open to the user who starts the container"),
                (True, (), "the container's process gives up the user's groups"),
                (True, ("--group-add", "keep-groups"), None)):
            self.podman.groups = [container.RENDER_GROUP] if is_member else []
            report = self.podman.report(*options, *self.ask("amd:1"), hooks=hooks,
                                        runtime="crun")
            opens = words is None
            problems += self.check(report, AMD, AMD_LINKS, refused="EPERM", opens=opens)
            text = ""
            if os.path.exists(log):
                with open(log, encoding="utf-8") as file:
                    text = file.read()
                os.unlink(log)
            lines = text.splitlines()
            if len(lines) != (0 if opens else len(AMD)) or \
                    any(words not in line for line in lines):
                problems.append(f"member {is_member}, {options}: the log is {lines}")
            result = self._plan_of_bundle(container.make_host(), settings, hooks, *options,
                                          *self.ask("amd:1"), runtime="crun")
            if os.path.exists(log):
                os.unlink(log)
            if result.stdout.count(words or "Warnings") != (0 if opens else len(AMD)):
                problems.append(f"member {is_member}, {options}: plan says {result}")
        self.podman.groups = []
        return problems

    def _plan_of_bundle(self, host, settings, hooks, *options, runtime="runc"):
        """Of a container that runs, as its user and outside of podman unshare"""
        result = self.podman.run("--detach", *options, hooks=hooks, runtime=runtime,
                                 command=["/bin/busybox", "sleep", "100"])
        name = result.stdout.strip()
        try:
            path = self.podman.call("inspect", "--format", "{{.OCIConfigPath}}", name).stdout
            user = {**self.podman.as_user, "extra_groups": self.podman.groups} \
                if self.podman.is_rootless else {}
            return container.run([self.podman.hook, "plan", "--bundle", os.path.dirname(path),
                                  "--host-root", host, "--config", settings], **user)
        finally:
            self.podman.call("--runtime", runtime, "rm", "--force", "--time", "0", name)

    def image_that_leads_a_volume_below_dev(self):
        """No node of a GPU is left in a volume, on the host."""
        self.podman.build_leading()
        result = self.podman.run(*self.ask("amd:1"), "--name", "leading", hooks=self.hooks,
                                 image="leading", removes=False)
        try:
            found = self.podman.volume_files()
        finally:
            self.podman.call("rm", "--volumes", "leading")
        problems = [f"in a volume: {path}, mode {mode:o}" for path, mode in found.items()
                    if stat.S_ISCHR(mode)]
        if not any(path.endswith("renderD129") for path in found):
            problems.append(f"the volume was not at /dev/dri: {found}")
        if result.returncode != 0 or "/dev/dri/renderD129" not in result.stdout:
            problems.append(f"exit status {result.returncode}: {result.stderr!r}")
        return problems

    def exclusive(self):
        """Two containers have one GPU each, the third gets none and is told who has them; when
        one of the two is killed, it gets that one's."""
        host = container.make_host("amd2")
        log = f"{self.podman.home}/exclusive.log"
        settings = f"{self.podman.home}/exclusive.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"log": {"target": f"file:{log}", "level": "error"}}, file)
        os.chmod(settings, 0o644)
        # On a real host systemd makes both.
        os.makedirs(f"{host}/run/user/{UID}", exist_ok=True)
        os.chown(f"{host}/run/user/{UID}", UID, UID)
        hooks = self.podman.hooks_dir("exclusive", "--config", settings, host=host)
        ids = []

        def start():
            """A container that stays. Return: the finished `podman run`"""
            result = self.podman.run(
                "--detach", *self.ask("vendor=amd;sharing=exclusive"), hooks=hooks,
                command=["/bin/busybox", "sleep", "100"])
            if result.returncode == 0:
                ids.append(result.stdout.strip())
            return result

        def nodes_of(name):
            listed = self.podman.call("--runtime", "runc", "exec", name, "/bin/busybox", "ls",
                                      "/dev/dri").stdout
            return [word for word in listed.split() if word.startswith("renderD")]

        def wanted(what, got, want):
            return [] if got == want else [f"{what}: {got}, wanted {want}"]

        try:
            problems = [result.stderr for result in (start(), start()) if result.returncode]
            if len(ids) < 2:
                return problems
            problems += wanted("nodes", [nodes_of(name) for name in ids],
                               [["renderD128"], ["renderD130"]])
            third = start()
            with open(log, encoding="utf-8") as file:
                line = file.read()
            problems += wanted("lines", line.count("\n"), 1)
            for words in ("1 amd GPU asked exclusively, 0 free",
                          f"amd:0: container '{ids[0]}' (process ",
                          f"amd:2: container '{ids[1]}' (process "):
                if third.returncode == 0 or words not in line:
                    problems.append(f"the third gives {third.returncode}, {line!r}")
                if not self.podman.is_precreate and words not in third.stderr:
                    problems.append(f"podman says {third.stderr!r}")
            self.podman.call("--runtime", "runc", "kill", "--signal", "KILL", ids[0])
            self.podman.call("--runtime", "runc", "wait", ids[0])
            fourth = start()
            return problems + ([fourth.stderr] if fourth.returncode else
                               wanted("nodes", nodes_of(ids[2]), ["renderD128"]))
        finally:
            for name in ids:
                self.podman.call("--runtime", "runc", "rm", "--force", "--time", "0", name)

    def some_of_several_amd_gpus(self):
        """ROCm is kept to some of the GPUs by the device cgroup alone, which a rootless
        container has not: there log and plan warn, and only where some are left out."""
        log = f"{self.podman.home}/subset.log"
        settings = f"{self.podman.home}/subset.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"log": {"target": f"file:{log}", "level": "warning"}}, file)
        os.chmod(settings, 0o644)
        host = container.make_host("amd2")
        hooks = self.podman.hooks_dir("subset", "--config", settings, host=host)
        words = "'/dev/kfd' leads to 1 more GPU than are given, from amd:2 on: a rootless " \
            "container has no device cgroup"
        problems = []
        # amd:1 there cannot compute: it is none of those that /dev/kfd leads to.
        for value, is_some in (("amd:1", True), ("amd:all", False),
                               ("vendor=amd;capabilities=graphics", False)):
            self.podman.report(*self.ask(value), hooks=hooks)
            lines = []
            if os.path.exists(log):
                with open(log, encoding="utf-8") as file:
                    lines = file.read().splitlines()
                os.unlink(log)
            said = {"log": lines}
            if self.podman.is_rootless:
                result = self.podman.call("unshare", self.podman.hook, "plan", "--gpu", value,
                                          "--host-root", host, "--config", settings)
                said["plan"] = result.stdout.splitlines()
            for what, texts in said.items():
                n = sum(words in text for text in texts)
                if n != (is_some and self.podman.is_rootless):
                    problems.append(f"{value}: {n} warnings in the {what}: {texts}")
        return problems + self._subset_of_a_bundle(host, settings, hooks, words)

    def _subset_of_a_bundle(self, host, settings, hooks, words):
        """The same of a container's bundle, whose owner says whose it will be."""
        result = self._plan_of_bundle(host, settings, hooks, *self.ask("amd:1"))
        problems = []
        if result.returncode or (words in result.stdout) != self.podman.is_rootless:
            problems.append(f"of the bundle plan says {result.returncode}, {result.stdout}, "
                            f"{result.stderr}")
        return problems

    def readonly_root(self):
        # podman's /tmp is nodev then, which says EACCES before the device filter is asked;
        # a rootless container cannot even make the node.
        return self.check(self.report("--read-only", *self.ask("nvidia:1")), NVIDIA, {},
                            refused="EPERM" if self.podman.is_rootless else "EACCES")

    def user_namespace(self):
        args = ["--uidmap", "0:1:1000", "--gidmap", "0:1:1000"] if self.podman.is_rootless \
            else ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"]
        return self.check(self.report(*args, *self.ask("nvidia:1")), NVIDIA, {},
                          has_namespace=True)

    def too_few(self):
        if self.podman.is_precreate:
            return self._too_few_in_log()
        result = self.podman.run(*self.ask("nvidia:5"), hooks=self.hooks)
        if result.returncode == 0:
            return "the container ran"
        return [] if "oci-gpu-hook: " in result.stderr else \
            f"podman does not show the hook's line: {result.stderr!r}"

    def _too_few_in_log(self):
        """podman throws away what a precreate hook says; the log has it."""
        log = f"{self.podman.home}/hook.log"
        settings = f"{self.podman.home}/settings.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"log": {"target": f"file:{log}"}}, file)
        os.chmod(settings, 0o644)
        hooks = self.podman.hooks_dir("log", "--config", settings)
        result = self.podman.run(*self.ask("nvidia:5"), hooks=hooks)
        if result.returncode == 0:
            return "the container ran"
        with open(log, encoding="utf-8") as file:
            lines = file.read().splitlines()
        wanted = "select GPUs: 5 nvidia GPUs asked, 1 found"
        return [] if len(lines) == 1 and wanted in lines[0] else f"the log is {lines}"

    def other_user_gets_the_group(self):
        """With "access": "host" precreate gives what createRuntime cannot: the group that
        opens the node."""
        settings = f"{self.podman.home}/host.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"access": "host"}, file)
        os.chmod(settings, 0o644)
        hooks = self.podman.hooks_dir("host", "--config", settings)
        report = self.podman.report("--user", "1000:1000", *self.ask("amd:1"), hooks=hooks)
        problems = self.check(report, AMD, AMD_LINKS)
        if report.modes != {path: f"660 0:{container.RENDER_GROUP}" for path in AMD}:
            problems.append(f"nodes are {report.modes}")
        if report.ids != (1000, 1000):
            problems.append(f"the probe ran as {report.ids}")
        return problems

    def image_that_asks(self):
        """An image's annotation counts like the operator's: podman copies it. That is why
        the next test's way is recommended where images are not trusted."""
        return self.check(self.report(image="asks"), AMD, AMD_LINKS,
                            opens=not self.podman.is_rootless)

    def image_that_asks_under_own_key(self):
        """A key of the site's own: the image gets nothing, the operator does."""
        hooks = self.podman.hooks_dir("own", "--annotation", OWN_KEY, key=OWN_KEY)
        report = self.podman.report(image="asks", hooks=hooks)
        problems = self.check(report, {}, {})
        report = self.podman.report(*self.ask("nvidia:1", OWN_KEY), image="asks", hooks=hooks)
        return problems + self.check(report, NVIDIA, {})

    def image_that_overrides(self):
        """What a pod's container is called, and what it asks for, is no image's to say."""
        self.podman.build_annotated("overrides", "io.kubernetes.container.name=x",
                                    "io.kubernetes.cri.container-name=x",
                                    f"{container.KEY}/container.x=amd:1")
        problems = []
        for request, nodes in (("0", {}), ("nvidia:1", NVIDIA)):
            report = self.report(*self.ask(request), image="overrides")
            problems += self.check(report, nodes, {})
            # Without a control group, and so with no name of podman's either.
            report = self.report(*self.ask(request), image="overrides", runtime="crun")
            problems += self.check(report, nodes, {},
                                   refused="EPERM" if self.podman.is_rootless else None)
        return problems + self.check(self.report(image="overrides"), {}, {})

    def image_that_names_a_file(self):
        """crun opens it on the host, for what hooks say; no word of ours is written there."""
        path = f"{sandbox.WORK}/tmp/errors"
        self.podman.build_annotated("names", f"{container.KEY}=nvdia",
                                    f"run.oci.hooks.stderr={path}")
        result = self.podman.run(hooks=self.hooks, image="names",
                                 runtime="crun")
        problems = [] if result.returncode == 0 else [result.stderr]
        if not os.path.exists(path):
            problems.append("crun did not open the file")
        elif os.path.getsize(path):
            problems.append("the hook has written into it")
        return problems

    # ---- a driver's libraries --------------------------------------------------------------

    def driver_report(self, version, *args, image="driver", **kwargs):
        """version: of the host's driver; None: the hook is not there"""
        if driver.why_not():
            raise sandbox.SkipTest(driver.why_not())
        if not self.has_driver_image:
            self.podman.build_driver_image()
            self.has_driver_image = True
        hooks = f"{sandbox.WORK}/tmp" if version is None else \
            self.podman.hooks_dir(version, host=driver.make_host(version))
        result = self.podman.run(*args, *self.ask("nvidia:1"), hooks=hooks, image=image,
                                 command=["/bin/dlprobe", *driver.NAMES], **kwargs)
        if result.returncode != 0:
            raise RuntimeError(f"podman run: {result.stderr}")
        return driver.Report(result.stdout)

    def driver(self):
        return self.driver_report(driver.VERSION).check(driver.VERSION)

    def driver_through_crun(self):
        return self.driver_report(driver.VERSION, runtime="crun").check(driver.VERSION)

    def driver_readonly_root(self):
        return self.driver_report(driver.VERSION, "--read-only").check(driver.VERSION)

    def driver_user_namespace(self):
        args = ["--uidmap", "0:1:1000", "--gidmap", "0:1:1000"] if self.podman.is_rootless \
            else ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"]
        return self.driver_report(driver.VERSION, *args).check(driver.VERSION)

    def driver_by_specification(self):
        """With variables and another program's hook, which only precreate can give."""
        if driver.why_not():
            raise sandbox.SkipTest(driver.why_not())
        host = driver.make_cdi_host()
        left = f"{host}{driver.CDI_HOOK_LEFT}"
        if os.path.exists(left):
            os.unlink(left)
        if not self.has_driver_image:
            self.podman.build_driver_image()
            self.has_driver_image = True
        log = f"{self.podman.home}/cdi.log"
        settings = f"{self.podman.home}/cdi.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"nvidia": {"source": "cdi"}, "log": {"target": f"file:{log}"}}, file)
        os.chmod(settings, 0o644)
        hooks = self.podman.hooks_dir("cdi", "--config", settings, host=host)
        result = self.podman.run(*self.ask("nvidia:1"), hooks=hooks, image="driver", command=[
            "/bin/sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES; exec /bin/dlprobe \"$@\"", "sh",
            *driver.NAMES])
        if result.returncode != 0:
            raise RuntimeError(f"podman run: {result.stderr}")
        problems = driver.Report(result.stdout).check(driver.VERSION)
        wanted = ["void"] if self.podman.is_precreate else [""]
        if result.stdout.splitlines()[:1] != wanted:
            problems.append(f"the variable is {result.stdout.splitlines()[:1]}")
        ran = ""
        if os.path.exists(left):
            with open(left, encoding="ascii") as file:
                ran = file.read()
        wanted = f"enable-cuda-compat --host-driver-version={driver.VERSION} false\n" \
            if self.podman.is_precreate else ""
        if ran != wanted:
            problems.append(f"hooks ran: {ran!r}")
        with open(log, encoding="utf-8") as file:
            text = file.read()
        is_warned = "also asks for NVIDIA_VISIBLE_DEVICES, hook enable-cuda-compat" in text
        return problems if is_warned != self.podman.is_precreate else \
            [*problems, f"the log has {'a' if is_warned else 'no'} warning"]

    def driver_committed(self):
        """A committed image meets another driver, none, and the first one again."""
        problems = self.driver_report(driver.VERSION, "--name", "first",
                                      removes=False).check(driver.VERSION)
        for command in (["commit", "--quiet", "first", "committed"], ["rm", "first"]):
            result = self.podman.call(*command)
            if result.returncode != 0:
                problems.append(f"podman {command}: {result.stderr}")
        for version in (driver.OTHER_VERSION, None, driver.VERSION):
            problems += [f"driver {version}: {problem}" for problem in
                         self.driver_report(version, image="committed").check(version)]
        return problems

    def tests(self):
        names = ["unregistered", "no_request", "one_nvidia", "one_amd", "pairs_without_commas",
                 "pairs_with_commas", "json_in_csv", "through_crun", "other_user", "readonly_root", "user_namespace",
                 "too_few", "image_that_asks", "image_that_asks_under_own_key",
                 "image_that_overrides", "image_that_names_a_file",
                 "image_that_leads_a_volume_below_dev", "driver",
                 "driver_through_crun", "driver_readonly_root", "driver_user_namespace",
                 "driver_committed", "driver_by_specification", "exclusive",
                 "some_of_several_amd_gpus"]
        if not self.podman.is_rootless:
            # A rootless container cannot be given a group of the host.
            names += ["other_user_with_group", "other_user_without_group",
                      "own_nodes_in_a_namespace"]
            if self.podman.is_precreate:
                names.append("other_user_gets_the_group")
        else:
            names.append("rootless_advice")
        return [(name.replace("_", " "), getattr(self, name)) for name in names]


def main():
    tools = ["busybox", "podman", "runc", "crun"]
    kinds = ["root", "rootless", "root-precreate", "rootless-precreate"]
    options = sandbox.arguments(__doc__, ("kind", kinds), tools=tools)
    is_rootless = options.kind.startswith("rootless")
    if is_rootless:
        why = sandbox.missing_tools(["newuidmap"])
        if why:
            sandbox.skip_all(why)
    runtimes.use_cgroup_v2()
    suite = Suite(Podman(options.hook, is_rootless, options.kind.endswith("precreate")))
    return sandbox.run_tests(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
