# SPDX-License-Identifier: Apache-2.0
"""process.py - R11, R16, R21 and R22: what the hook does, and to which process"""

import json
import os
import signal
import subprocess
import time

import container
import sandbox
import trace_of_hook as trace
from stage import LINK, Attacker, Stage, differences, one_line, put, wait_for_text


class Process(Attacker):
    """System calls, processes that end, faults, and kernels that lack something."""

    # ---- R11: what it may do in the container --------------------------------------------

    def traced(self, request, arrange=None, wanted=0):
        with Stage(self.bundle(request), arrange=arrange, cgroup_version=None) as stage:
            result = self.call(stage.state(), wrapper=trace.STRACE)
        problems = [] if result.returncode == wanted else [f"exit status: {result}"]
        return problems + trace.violations(trace.calls())

    def r11(self):
        for request in ("amd:1", "nvidia:1", "vendor=amd;capabilities=compute+display"):
            yield (f"R11 after setns only openat2 below the root, {request}",
                   lambda request=request: self.traced(request))
        yield "R11 ... nor when it undoes", lambda: self.traced(
            "amd:1", lambda root: put("dir", root + LINK), wanted=1)
        yield "R11 the judge of traces sees every mistake", self.judge

    @staticmethod
    def judge():
        start = ("execve", 'execve("/usr/bin/oci-gpu-hook", []) = 0')
        setns = ("setns", "setns(6<anon_inode:[pidfd]>, CLONE_NEWNS) = 0")
        bad = [
            'openat(5</dev>, "kfd", O_RDONLY) = 3', 'open("/dev/kfd", O_PATH) = 3',
            'openat2(5</dev>, "kfd", {flags=O_PATH, resolve=0}, 24) = 3',
            'openat2(5</dev>, "a", {flags=O_PATH, resolve=RESOLVE_BENEATH}, 24) = 3',
            'openat2(5</dev>, "a", {flags=O_RDONLY, resolve=RESOLVE_NO_SYMLINKS'
            '|RESOLVE_BENEATH}, 24) = 3',
            'openat2(AT_FDCWD</>, "/dev", {flags=O_PATH, resolve=0}, 24) = 3',
            'openat2(5</x>, "a", {flags=O_PATH, resolve=RESOLVE_IN_ROOT}, 24) = 3',
            'openat2(5</dev>, "/x", {flags=O_RDONLY|O_CLOEXEC|O_PATH|O_DIRECTORY, '
            'resolve=RESOLVE_NO_MAGICLINKS}, 24) = 3',
            'openat2(5</>, "/x", {flags=O_RDONLY|O_CLOEXEC|O_PATH|O_DIRECTORY, '
            'resolve=0}, 24) = 3',
            'newfstatat(AT_FDCWD</>, "/dev", {}, 0) = 0', 'statx(5</d>, "kfd", 0, 0, {}) = 0',
            'mkdirat(AT_FDCWD</>, "dri", 0755) = 0', 'mkdirat(5</dev>, "dri/x", 0755) = 0',
            'unlinkat(5</dev>, "../x", 0) = 0', 'symlinkat("x", 5</dev>, "a/b") = 0',
            'move_mount(9</>, "", 5</dev>, "kfd", MOVE_MOUNT_F_EMPTY_PATH) = 0',
            'umount2("/dev/kfd", MNT_DETACH|UMOUNT_NOFOLLOW) = 0',
            'umount2("kfd", MNT_DETACH) = 0', 'mount("a", "b", "c", 0, NULL) = 0',
            'open_tree(8</dev/kfd>, "", OPEN_TREE_CLONE|AT_EMPTY_PATH) = 9',
            'execve("/sbin/ldconfig", []) = 0', 'chdir("/x") = 0',
            'setns(7<ns>, CLONE_NEWNS) = 0', 'fsopen("tmpfs", 0) = 3']
        problems = []
        for line in bad:
            call = (line.partition("(")[0], line)
            if not trace.violations([start, setns, call]):
                problems.append(f"passed: {line}")
        opened = 'openat2(4</h>, "dev/kfd", {flags=O_RDWR, resolve=RESOLVE_IN_ROOT}, 24) = 3'
        if not trace.violations([start, ("openat2", opened), setns]):
            problems.append(f"passed: {opened}")
        if not trace.violations([start]):
            problems.append("passed: no setns")
        return problems

    # ---- R16: pids -----------------------------------------------------------------------

    def r16(self):
        for what, pid in {"1": 1, "0": 0, "-1": -1, "the hook's parent": os.getpid(),
                          "larger than any": 2 ** 31 - 1}.items():
            yield f"R16 the pid is {what}", lambda pid=pid: self.refuses(
                Stage(self.bundle()), state=lambda stage: stage.state(pid=pid))
        yield "R16 the process has ended", self.ended
        yield "R16 the process is a zombie", self.zombie
        yield "R16 the process is in our own mount namespace", self.own_namespace
        for call in ("pidfd_open", "open_tree", "setns", "move_mount"):
            yield f"R16 the process ends at {call}", lambda call=call: self.ends_at(call)

    def ended(self):
        process = subprocess.Popen(["true"])
        process.wait()
        return self.refuses(Stage(self.bundle()), str(process.pid),
                            state=lambda stage: stage.state(pid=process.pid))

    def zombie(self):
        process = subprocess.Popen(["true"])
        while True:
            with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
                if ") Z " in file.read():
                    break
            time.sleep(0.01)
        try:
            return self.refuses(Stage(self.bundle()), str(process.pid),
                                state=lambda stage: stage.state(pid=process.pid))
        finally:
            process.wait()

    def own_namespace(self):
        with subprocess.Popen(["sleep", "60"]) as process:
            try:
                return self.refuses(Stage(self.bundle()), "mount namespace",
                                    state=lambda stage: stage.state(pid=process.pid))
            finally:
                process.kill()

    def ends_at(self, call):
        """The hook is held before a call, while its container's process goes away."""
        bundle = self.bundle()
        before = container.list_tree(bundle.rootfs)
        with Stage(bundle) as stage:
            hook = subprocess.Popen(
                ["strace", "-f", "-o", trace.TRACE, "-e", f"trace={call}", "-e",
                 f"inject={call}:delay_enter=400000:when=1", self.hook, "createRuntime",
                 "--host-root", self.host], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, cwd=sandbox.WORK)
            hook.stdin.write(json.dumps(stage.state()))
            hook.stdin.close()
            wait_for_text(trace.TRACE, f"{call}(")
            os.kill(stage.pid, signal.SIGKILL)
            stage.process.wait()
            result = subprocess.CompletedProcess([], hook.wait(20), hook.stdout.read(),
                                                 hook.stderr.read())
        problems = []
        if result.returncode != 0:
            problems += one_line(result)
        elif call not in ("move_mount",):
            problems.append("it succeeded for a process that had ended")
        return problems + differences({"root": before},
                                      {"root": container.list_tree(bundle.rootfs)})

    # ---- R21, R22: faults and old kernels ------------------------------------------------

    def inject(self, what, *words):
        with Stage(self.bundle()) as stage:
            before = stage.look()
            result = self.call(stage.state(), wrapper=[
                "strace", "-f", "-o", trace.TRACE, "-e", f"inject={what}"])
            with open(trace.TRACE, encoding="utf-8", errors="replace") as file:
                hit = "(INJECTED)" in file.read()
            return one_line(result, *words) + differences(before, stage.look()) + \
                ([] if hit else ["the call was never made"])

    def r21(self):
        for what in ("move_mount:error=EIO:when=2", "mkdirat:error=ENOSPC:when=2",
                     "symlinkat:error=EROFS"):
            yield f"R21 {what}: everything is taken back", lambda what=what: self.inject(what)

    def r22(self):
        for call in ("openat2", "open_tree", "mount_setattr"):
            yield f"R22 a kernel without {call}", lambda call=call: self.inject(
                f"{call}:error=ENOSYS", call, "Linux 5.")
        for call in ("move_mount", "pidfd_open", "statx", "setns"):
            yield f"R22 a kernel without {call}", lambda call=call: self.inject(
                f"{call}:error=ENOSYS")
