#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cve.py --hook PROGRAM - escapes through GPU hooks and runtimes, replayed against this hook

Each is a bundle made after the published description, with a line on why this design is not
touched, and one on what change would make the test fail. Sources: the vendors' bulletins and
the advisories of runc, crun and the NVIDIA Container Toolkit under these numbers.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stage as staging  # its first lines say where everything else is
import container
import race
import runtimes
import sandbox
import trace_of_hook as trace
from race import Flipper
from stage import (CANARY, LINK, TMPFS_ON_DEV, Stage, differences, make_evil_library,
                   one_line, put, wait_for_text)

TURNS = 100
MARKER = f"{sandbox.WORK}/marker"

# Programs and files of an image that privileged helpers have been made to run or to read.
EXECUTED = ("sbin/ldconfig", "sbin/ldconfig.real", "usr/sbin/ldconfig", "usr/bin/nvidia-smi",
            "usr/bin/nvidia-container-cli", "usr/bin/mount", "usr/bin/env")


class Suite(race.Suite):
    def __init__(self, hook):
        super().__init__(hook, TURNS)

    def sources_are_the_hosts(self, stage):
        """Every mount that came is a node of the made host, below the container's /dev."""
        problems = []
        with open(f"/proc/{stage.pid}/mountinfo", encoding="utf-8") as file:
            lines = [line.split()[3:6] for line in file]
        found = 0
        for root, point, flags in lines:
            if "/hosts/mixed/" not in root:
                continue
            found += 1
            if not root.startswith(f"{self.host.removeprefix('/run')}/dev/"):
                problems.append(f"the source of the mount at {point} is {root}")
            if not point.startswith(f"{stage.bundle.rootfs}/dev/"):
                problems.append(f"mounted at {point}")
            if not set(flags.split(",")) >= {"ro", "nosuid", "noexec"}:
                problems.append(f"{point} has {flags}")
        return problems, found, len(lines)

    def cve_2024_0132(self):
        """Container Toolkit: compat libraries of the image, links to the host's root among
        them, became sources of mounts.

        Untouched: sources are host nodes, opened and cloned before setns(). Fails if a
        source is ever opened in the container.
        """
        bundle = self.bundle("nvidia:1")
        compat = f"{bundle.rootfs}/usr/local/cuda/compat"
        put("link", f"{compat}/libcuda.so.1", "/")
        put("link", f"{compat}/libcuda.so.999.1", "../../../../../../../..")
        put("dir", f"{compat}/libnvidia-ptxjitcompiler.so.1")
        put("file", f"{compat}/libcudadebugger.so.1", "library")
        with Stage(bundle) as stage:
            with open(f"/proc/{stage.pid}/mountinfo", encoding="utf-8") as file:
                before = len(file.readlines())
            result = self.call(stage.state(), wrapper=trace.STRACE)
            problems, found, after = self.sources_are_the_hosts(stage)
        if result.returncode != 0 or found != len(container.NVIDIA):
            problems.append(f"{found} mounts: {result}")
        if after != before + found:
            problems.append(f"{after - before - found} mounts are none of the host's nodes")
        return problems + trace.violations(trace.calls())

    def cve_2024_0133(self):
        """Container Toolkit: empty files were made through links of the image on the host.

        Untouched: a file is made with O_EXCL|O_NOFOLLOW below a directory that openat2()
        opened without links. Fails without RESOLVE_NO_SYMLINKS in ctr_dir.c.
        """
        problems = []
        for place, target in (("/dev", "../../canary"), ("/dev/dri", f"{CANARY}/dri"),
                              ("/dev/kfd", f"{CANARY}/new"),
                              ("/dev/dri/renderD129", "../../../../canary/new")):
            bundle = self.bundle()
            put("link", bundle.rootfs + place, target)
            problems += self.refuses(Stage(bundle, steps=""), f"'{place}'")
        return problems

    def cve_2024_0134(self):
        """Container Toolkit: links were made on the host, where a directory on the way to
        them was a link of the image.

        Untouched: symlinkat() is given the descriptor of a directory that was opened without
        links. Fails without RESOLVE_NO_SYMLINKS in ctr_dir.c.
        """
        problems = []
        for text in (f"{CANARY}/dri/by-path", "../../../../canary/dri/by-path", CANARY):
            stage = Stage(self.bundle(), arrange=lambda root, text=text: put(
                "link", f"{root}/dev/dri/by-path", text))
            problems += self.refuses(stage, "by-path")
        return problems

    def cve_2024_0135(self):
        """Container Toolkit: a host program that ran in the container's namespaces could be
        written through /proc/PID/exe.

        Untouched: the hook enters the mount namespace alone, never the PID namespace, so no
        process of the container sees it. Fails if setns() takes CLONE_NEWPID as well, or if
        anything is executed.
        """
        with open(self.hook, "rb") as file:
            before = hashlib.sha256(file.read()).hexdigest()
        steps = f'{TMPFS_ON_DEV}\nmount -t proc proc "$root/proc"'
        bundle = self.bundle()
        # Looks for the hook all the time that it is held in the container's mount namespace.
        looker = f"""
            for exe in {bundle.rootfs}/proc/[0-9]*/exe; do
                name=$(readlink "$exe") || continue
                echo "$name"
                case $name in *oci-gpu-hook) echo evil >"$exe" && echo written;; esac
            done"""
        wrapper = ["unshare", "--pid", "--fork", "--kill-child"]
        with Stage(bundle, steps=steps, wrapper=wrapper) as stage:
            children = f"/proc/{stage.pid}/task/{stage.pid}/children"
            with open(children, encoding="ascii") as file:
                pid = int(file.read().split()[0])
            with subprocess.Popen(
                    ["strace", "-f", "-o", trace.TRACE, "-e", "trace=move_mount", "-e",
                     "inject=move_mount:delay_enter=300000:when=1", self.hook, "createRuntime",
                     "--host-root", self.host], stdin=subprocess.PIPE, text=True,
                    stderr=subprocess.PIPE, cwd=sandbox.WORK) as hook:
                hook.stdin.write(json.dumps(stage.state(pid=pid)))
                hook.stdin.close()
                wait_for_text(trace.TRACE, "move_mount(")
                seen = container.run(["nsenter", "--target", str(pid), "--mount", "--pid",
                                      "sh", "-c", looker]).stdout
                errors = hook.stderr.read()
            problems = [] if hook.returncode == 0 else [f"the hook failed: {errors!r}"]
        if "sleep" not in seen:
            problems.append(f"the container does not even see its own process: {seen!r}")
        if "oci-gpu-hook" in seen:
            problems.append(f"the container sees the hook: {seen!r}")
        with open(self.hook, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != before:
                problems.append("the hook's file was written")
        return problems

    def cve_2024_0136(self):
        """Container Toolkit: ldconfig of the image ran with the hook's rights, and on the
        host's network (0137).

        Untouched: nothing is executed at all. Fails if anything is, from whatever place.
        """
        bundle = self.bundle("nvidia:1")
        for name in EXECUTED:
            path = f"{bundle.rootfs}/{name}"
            put("file", path, f"#!/bin/sh\necho evil >{MARKER}\n")
            os.chmod(path, 0o755)
        put("file", f"{bundle.rootfs}/etc/ld.so.preload", "/evil.so\n")
        with Stage(bundle) as stage:
            result = self.call(stage.state(), wrapper=trace.STRACE, cwd=bundle.rootfs,
                               env={"PATH": f"{bundle.rootfs}/sbin:{os.environ['PATH']}"})
        problems = trace.violations(trace.calls())
        if result.returncode != 0:
            problems.append(f"{result}")
        return problems + (["code of the image ran"] if os.path.exists(MARKER) else [])

    def cve_2025_23266(self):
        """Container Toolkit ("NVIDIAScape"): a hook inherited LD_PRELOAD of the image, and the
        container's root as its working directory.

        Untouched: no loader, and the environment is emptied. Fails if the program is linked
        dynamically. In every stage, registered with that environment itself.
        """
        if not shutil.which("runc") or not shutil.which("gcc"):
            raise sandbox.SkipTest("runc and gcc are needed")
        runtime = runtimes.Runtime(["runc", f"--root={sandbox.WORK}/runc"], None)
        problems = []
        for stage, program, wanted in (
                ("createRuntime", self.hook, False), ("prestart", self.hook, False),
                ("createContainer", self.hook, False),
                # What such an environment does to a program that is linked dynamically.
                ("createRuntime", shutil.which("env"), True)):
            bundle = self.bundle()
            make_evil_library(bundle.rootfs)
            evil = ["LD_PRELOAD=/proc/self/cwd/evil.so", "LD_LIBRARY_PATH=.", "PATH=."]
            if stage != "createContainer":
                evil[0] = f"LD_PRELOAD={bundle.rootfs}/evil.so"
            bundle.config["process"]["env"] = evil
            bundle.add_hook(program, *(["createRuntime", "--host-root", self.host]
                                       if program == self.hook else []), stage=stage)
            bundle.config["hooks"][stage][0]["env"] = evil
            bundle.config["linux"]["cgroupsPath"] = \
                f"{runtimes.cgroups.parent()}/{len(problems)}-{stage}"
            try:
                runtime.create(bundle.write())
            finally:
                runtime.delete()
            if os.path.exists(MARKER) != wanted:
                problems.append(f"{stage} of {program}: the library of the image "
                                f"{'ran not' if wanted else 'ran'}")
            if os.path.exists(MARKER):
                os.unlink(MARKER)
        return problems

    def cve_2025_23267(self):
        """Container Toolkit: the linker's cache was written through links of the image.

        Untouched: no cache is written. Fails if anything follows a link of the image out of
        the root.
        """
        problems = []
        for links in ({"etc": CANARY}, {"etc/ld.so.conf.d": CANARY, "run": CANARY,
                                        "etc/ld.so.cache": f"{CANARY}/secret"},
                      {"proc": CANARY, "sys": CANARY, "tmp": CANARY, "var": CANARY}):
            for request in ("amd:1", "nvidia:1"):
                bundle = self.bundle(request)
                for name, target in links.items():
                    put("link", f"{bundle.rootfs}/{name}", target)
                with Stage(bundle) as stage:
                    result = self.call(stage.state(), wrapper=trace.STRACE)
                problems += trace.violations(trace.calls())
                problems += [f"{line}" for name, line in trace.calls()
                             if "canary" in line and name != "execve"]
                if result.returncode != 0:
                    problems.append(f"{result}")
        return problems

    def cve_2025_23359(self):
        """Container Toolkit: the fix of CVE-2024-0132 could be raced.

        Untouched: as there; and what is looked at is a descriptor, never a name again. Fails
        without RESOLVE_NO_SYMLINKS in ctr_dir.c, or if a target is mounted on by its path.
        """
        dev = self.volume()
        bundle = self.bundle()
        pairs = [(dev, "dri", "dri.link"), (dev, "kfd", "kfd.link")]
        for name in ("usr/lib", "usr/local/cuda/compat"):
            path = f"{bundle.rootfs}/{name}"
            os.makedirs(path)
            os.symlink(f"{CANARY}/lib", f"{path}.link")
            base = os.path.basename(path)
            pairs.append((os.path.dirname(path), base, f"{base}.link"))
        return self.race(Flipper(pairs), bundle, dev, TURNS)

    def cve_2026_24260(self):
        """Container Toolkit: links and directories were checked, and then used by name.

        Untouched: as above. Fails likewise.
        """
        return self.everything(TURNS)

    def dev_leads_out(self, text):
        bundle = self.bundle()
        put("link", f"{bundle.rootfs}/dev", text)
        return self.refuses(Stage(bundle, steps=""), "'/dev'")

    def cve_2026_41579(self):
        """runc: an image whose /dev is a link had its nodes and links made on the host.

        Untouched: /dev is opened with RESOLVE_NO_SYMLINKS. Fails without it.
        """
        return self.dev_leads_out(CANARY) + self.dev_leads_out("../../canary")

    def cve_2026_47766(self):
        """crun: the same, and what stood there was removed.

        Untouched: as above; and undo removes only what it made, by descriptor. Fails without
        RESOLVE_NO_SYMLINKS, or if undo removes by path.
        """
        problems = self.dev_leads_out("../../canary")
        # The last entry fails, so that everything before it is taken back.
        stage = Stage(self.bundle(), arrange=lambda root: put(
            "link", f"{root}{LINK}", f"{CANARY}/secret"))
        problems += self.refuses(stage, "by-path")
        bundle = self.bundle()
        put("link", f"{bundle.rootfs}/dev/dri", f"{CANARY}/dri")
        return problems + self.refuses(Stage(bundle, steps=""), "'/dev/dri'")

    def cve_2026_88264(self):
        """crun: /dev/console was made through a link of the image.

        Untouched: a link at the place itself is refused, and nothing is made with a name but
        O_EXCL|O_NOFOLLOW. Fails without O_NOFOLLOW and RESOLVE_NO_SYMLINKS.
        """
        problems = []
        for text in (f"{CANARY}/new", f"{CANARY}/empty", "../../../canary/new", "/etc/new"):
            stage = Stage(self.bundle(), arrange=lambda root, text=text: put(
                "link", f"{root}/dev/kfd", text))
            problems += self.refuses(stage, "'/dev/kfd'")
        return problems

    def cve_2026_88265(self):
        """crun: /dev/null was opened again through a link, and known by its number alone,
        which an ordinary file can have as well.

        Untouched: type and number are compared, on the descriptor that is used. Fails if
        is_node() in rootfs.c leaves out S_ISCHR, or follows the link.
        """
        problems = []
        node = f"{self.host}/dev/kfd"
        for kind, text in (("link", node), ("link", "null"), ("b", (235, 0)),
                           ("file", "no node")):
            stage = Stage(self.bundle(), arrange=lambda root, kind=kind, text=text: put(
                kind, f"{root}/dev/kfd", text))
            problems += self.refuses(stage, "'/dev/kfd'")
        host = staging.copy_host("zero-cve")
        put("file", f"{staging.sys_of_render_node(host)}/dev", "0:0\n")
        os.unlink(f"{host}/dev/dri/renderD129")
        put("file", f"{host}/dev/dri/renderD129", "no node")
        with Stage(self.bundle()) as stage:
            before = stage.look()
            result = self.call(stage.state(), host=host)
            return problems + one_line(result, "renderD129") + \
                differences(before, stage.look())

    def tests(self):
        names = {
            "CVE-2024-0132 compat libraries as sources of mounts": self.cve_2024_0132,
            "CVE-2024-0133 files made through links": self.cve_2024_0133,
            "CVE-2024-0134 links made through links": self.cve_2024_0134,
            "CVE-2024-0135 the hook's own file through /proc": self.cve_2024_0135,
            "CVE-2024-0136 and CVE-2024-0137 programs of the image": self.cve_2024_0136,
            "CVE-2025-23266 LD_PRELOAD of the image": self.cve_2025_23266,
            "CVE-2025-23267 the linker's cache through links": self.cve_2025_23267,
            f"CVE-2025-23359 sources and targets raced, {TURNS} turns": self.cve_2025_23359,
            f"CVE-2026-24260 every component raced, {TURNS} turns": self.cve_2026_24260,
            "CVE-2026-41579 /dev is a link": self.cve_2026_41579,
            "CVE-2026-47766 /dev is a link, and things are removed": self.cve_2026_47766,
            "CVE-2026-88264 a node is made through a link": self.cve_2026_88264,
            "CVE-2026-88265 a node is known by its number alone": self.cve_2026_88265,
        }
        yield from names.items()


def main():
    options = sandbox.arguments(__doc__, tools=["busybox", "strace", "nsenter"])
    suite = Suite(options.hook)
    return suite.run(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
