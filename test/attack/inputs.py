# SPDX-License-Identifier: Apache-2.0
"""inputs.py - R9, R10, R13, R14 and R17: what the hook is given"""

import errno
import json
import os
import re
import shutil
import socket
import subprocess
import time

import container
import sandbox
import trace_of_hook as trace
from stage import CANARY, LINK, Attacker, Stage, differences, make_evil_library, one_line, put

MIB = 1024 * 1024


class Inputs(Attacker):
    """Environment, descriptors, annotation, bundle, state, and the files it reads."""

    # ---- R9: what is inherited -----------------------------------------------------------

    def hostile_environment(self):
        if not shutil.which("gcc"):
            raise sandbox.SkipTest("gcc not installed")
        bundle = self.bundle()
        library = make_evil_library(bundle.rootfs)
        names = ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH", "LOCPATH",
                 "MALLOC_TRACE", "TMPDIR", "IFS", "BASH_ENV", "ENV", "TZ", "NLSPATH", "PATH",
                 "HOSTALIASES", "RESOLV_HOST_CONF", "OCI_GPU_HOOK_CONFIG")
        env = {name: library for name in names}
        marker = f"{sandbox.WORK}/marker"
        subprocess.run([shutil.which("true")], env=env, check=False, capture_output=True)
        problems = [] if os.path.exists(marker) else ["the library does nothing, even to true"]
        if os.path.exists(marker):
            os.unlink(marker)
        with Stage(bundle) as stage:
            # strace itself must not meet the environment.
            wrapper = [*trace.STRACE, *[f"-E{name}={value}" for name, value in env.items()]]
            result = self.call(stage.state(), wrapper=wrapper, cwd=bundle.rootfs)
            problems += self.whole(stage, result)
        if os.path.exists(marker):
            problems.append("code of the image ran")
        return problems + [f"a path from the environment: {line}"
                           for name, line in trace.calls()[1:] if "evil" in line]

    def is_static(self):
        """No PT_INTERP: no loader that would read the environment before main()."""
        with open(self.hook, "rb") as file:
            image = file.read()
        if image[:6] != b"\x7fELF\x02\x01":
            raise sandbox.SkipTest("not a little-endian 64-bit ELF file")
        start = int.from_bytes(image[32:40], "little")
        size, count = (int.from_bytes(image[at:at + 2], "little") for at in (54, 56))
        kinds = [int.from_bytes(image[start + size * n:start + size * n + 4], "little")
                 for n in range(count)]
        if 1 not in kinds:
            return [f"no PT_LOAD among {kinds}"]
        return ["PT_INTERP"] if 3 in kinds else []

    def r9(self):
        yield "R9 LD_PRELOAD and the like, in the container's root", self.hostile_environment
        yield "R9 no loader", self.is_static

    # ---- R10: descriptors ----------------------------------------------------------------

    def many_descriptors(self):
        files = [os.open(path, os.O_RDONLY) for path in ("/", "/proc", "/etc")
                 for _ in range(17)]
        try:
            with Stage(self.bundle()) as stage:
                result = self.call(stage.state(), wrapper=trace.STRACE, pass_fds=files)
                problems = self.whole(stage, result)
        finally:
            for file in files:
                os.close(file)
        lines = [line for _, line in trace.calls()]
        closed = [at for at, line in enumerate(lines)
                  if re.match(r"close_range\(3, 4294967295, 0\) += 0$", line)]
        reads = [at for at, line in enumerate(lines) if line.startswith("read(")]
        if not closed or not reads or closed[0] > reads[0]:
            problems += ["not closed before the first read:", *lines[:40]]
        return problems

    def no_close_range(self):
        """Linux before 5.9: one by one."""
        with Stage(self.bundle()) as stage:
            result = self.call(stage.state(), wrapper=[
                "sh", "-c", 'ulimit -n 64; exec 5</proc 7</ 9<"$0"; exec "$@"', "/etc/passwd",
                *trace.STRACE, "-e", "inject=close_range:error=ENOSYS"])
            problems = self.whole(stage, result)
        lines = [line for _, line in trace.calls()]
        first = next(at for at, line in enumerate(lines) if line.startswith("read("))
        for number in (5, 7, 9):
            if not any(re.match(rf"close\({number}<.*\) += 0$", line)
                       for line in lines[:first]):
                problems.append(f"descriptor {number} was not closed before the first read")
        return problems

    def closed_standard(self, redirections):
        """Nothing that is read or written later gets the number of a standard stream."""
        with Stage(self.bundle()) as stage:
            before = stage.look()
            wrapper = [*trace.STRACE, "sh", "-c", f'exec "$@" {redirections}', "sh"]
            result = self.call(stage.state(), wrapper=wrapper)
            problems = []
            if "<&-" in redirections:
                problems += differences(before, stage.look())
                if result.returncode == 0:
                    problems.append("exit status 0 without a state")
            else:
                problems += self.whole(stage, result)
        for name, line in trace.calls():
            number = line.rpartition(" = ")[2].split("<")[0]
            if name.startswith("open") and number in ("0", "1", "2") and not (
                    "O_PATH" in line and '"/"' in line):
                problems.append(f"gets a standard stream's number: {line}")
        return problems

    def standard_error(self, make, is_written):
        """make: returns (what standard error is to be, how to read what came)"""
        problems = []
        # A run that fails, and one that warns.
        for request, status in (("amd:9", 1), ("nvdia", 0)):
            with Stage(self.bundle(request)) as stage:
                fd, read = make()
                process = subprocess.run([self.hook, "createRuntime", "--host-root", self.host],
                                         input=json.dumps(stage.state()), text=True, stderr=fd,
                                         stdout=subprocess.DEVNULL, check=False, timeout=30)
                text = read()
            if process.returncode != status:
                problems.append(f"{request}: exit status {process.returncode}")
            if text.startswith("oci-gpu-hook: ") != is_written or (text and not is_written):
                problems.append(f"{request}: {text!r} was written")
        return problems

    @staticmethod
    def named(make):
        """What crun opens by a name that an annotation of the image has."""
        def opened():
            path = f"{sandbox.WORK}/named"
            if os.path.lexists(path):
                os.unlink(path)
            make(path)
            # As crun opens it; a FIFO has a reader already.
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o700)

            def read():
                os.set_blocking(fd, False)
                try:
                    return os.pread(fd, 4096, 0).decode() if os.path.isfile(path) else \
                        os.read(fd, 4096).decode()
                except BlockingIOError:
                    return ""
                finally:
                    os.close(fd)
            return fd, read
        return opened

    @staticmethod
    def made(make):
        """What only a caller can make."""
        def opened():
            ours, its = make()

            def read():
                os.close(its)
                try:
                    return os.read(ours, 4096).decode()
                except OSError as error:  # of a terminal that nobody has open any more
                    if error.errno != errno.EIO:
                        raise
                    return ""
                finally:
                    os.close(ours)
            return its, read
        return opened

    def r10_standard_error(self):
        for what, kind in {"a file": "file", "a FIFO": "fifo"}.items():
            yield f"R10 standard error is {what} that was opened by name: no word into it", \
                lambda kind=kind: self.standard_error(
                    self.named(lambda path: put(kind, path)), is_written=False)
        yield "R10 standard error is a device: no word into it", self.into_a_device
        for what, make in {"a pipe": os.pipe, "a terminal": os.openpty, "a socket": lambda: tuple(
                end.detach() for end in socket.socketpair())}.items():
            yield f"R10 standard error is {what}", lambda make=make: self.standard_error(
                self.made(make), is_written=True)

    def into_a_device(self):
        """/dev/full stands for a disk, or a serial line: a write would be seen, and fail."""
        with Stage(self.bundle("amd:9")) as stage:
            wrapper = [*trace.STRACE, "sh", "-c", 'exec "$@" 2>>/dev/full', "sh"]
            result = self.call(stage.state(), wrapper=wrapper)
        problems = [] if result.returncode == 1 else [f"exit status {result.returncode}"]
        if not any("</dev/full>" in line for _, line in trace.calls()):
            problems.append("standard error was not the device")
        return problems + [f"written: {line}" for name, line in trace.calls()
                           if name == "write" and "</dev/full>" in line]

    def r10(self):
        yield "R10 50 open descriptors are closed before anything is read", \
            self.many_descriptors
        yield "R10 they are closed by a kernel without close_range, too", self.no_close_range
        for what, text in {"standard input": "<&-", "standard output": ">&-",
                           "standard error": "2>&-", "all three": "<&- >&- 2>&-"}.items():
            yield f"R10 {what} closed", lambda text=text: self.closed_standard(text)
        yield from self.r10_standard_error()

    # ---- R13: ids in the annotation ------------------------------------------------------

    def hostile_request(self, value):
        """The state names no annotation, so that config.json is what is read."""
        stage = Stage(self.bundle(value))
        with stage:
            before = stage.look()
            result = self.call(stage.state(annotations={}))
            problems = one_line(result) + differences(before, stage.look())
        if not any(word in result.stderr for word in (container.KEY, "device", "config.json")):
            problems.append(f"the line does not say what was wrong: {result.stderr!r}")
        return problems

    def r13(self):
        ids = {"a slash": "a/b", "two dots": "..", "an absolute path": "/dev/sda",
               "dots and slashes": "../../dev/sda", "a NUL": "renderD129\0", "a NUL inside":
               "renderD129\0/../sda", "a line end": "0\n", "a blank": "0 1", "nothing": "",
               "a minus": "-1", "a plus": "%2b", "a percent": "%2e%2e", "a quote": "'\"",
               "a tilde": "~root", "a star": "*", "a bracket": "[0-9]", "a dollar": "$(id)",
               "a backquote": "`id`", "a backslash": "\\..", "other letters": "rendеrD129",
               "a fullwidth dot": "．．", "a surrogate": "\ud800", "a bell": "\a",
               "65 letters": "a" * 65, "1 MiB": "a" * MIB}
        for what, text in ids.items():
            # The JSON form, so that everything can be said; inside of it once more as text.
            value = json.dumps({"vendor": "amd", "devices": [text]})
            yield f"R13 a device id is {what}", lambda value=value: self.hostile_request(value)
        values = {"a device twice": '{"vendor": "amd", "devices": ["0", "0"]}',
                  "a device by two names": '{"vendor":"amd","devices":["0","renderD129"]}',
                  "257 devices": json.dumps({"devices": [str(n) for n in range(257)]}),
                  "a raw NUL": "amd:1\0", "a raw line end": "amd:1\n;devices=0",
                  "a vendor with a path": "../../etc:1", "a vendor of 1 MiB": "v" * MIB,
                  "a negative count": "amd:-1", "an escaped key": '{"vendor": "amd", '
                  '"\\u0064evices": ["0"], "devices": ["0"]}'}
        for what, value in values.items():
            yield f"R13 the annotation is {what}", lambda value=value: \
                self.hostile_request(value)
        for value in ("devices=all", "vendor=amd;devices=all", "devices=renderD199",
                      "devices=0000:00:00.0", "devices=99"):
            yield f"R13 no such device: {value}", lambda value=value: self.refuses(
                Stage(self.bundle(value)), "device")
        yield "R13 no path is made of an id", self.no_path_of_id

    def no_path_of_id(self):
        with Stage(self.bundle("devices=renderD199")) as stage:
            self.call(stage.state(), wrapper=trace.STRACE)
        return [line for name, line in trace.calls() if "renderD199" in line and name not in
                ("read", "write", "sendto", "execve")]

    # ---- R14: bundle, config.json, state -------------------------------------------------

    def spoiled(self, spoil, *words):
        """spoil: called with the bundle after it was written"""
        bundle = self.bundle()
        spoil(bundle)
        return self.refuses(Stage(bundle), *words)

    def r14(self):
        def config(bundle):
            return f"{bundle.directory}/config.json"

        def rewrite(change):
            def spoil(bundle):
                with open(config(bundle), encoding="utf-8") as file:
                    text = file.read()
                with open(config(bundle), "wb") as file:
                    file.write(change(text))
            return spoil

        def as_link(bundle):
            os.rename(config(bundle), f"{bundle.directory}/real.json")
            os.symlink("real.json", config(bundle))

        def replaced(kind, text=""):
            def spoil(bundle):
                os.unlink(config(bundle))
                put(kind, config(bundle), text)
            return spoil

        key = json.dumps(container.KEY)
        spoils = {
            "config.json is a link": as_link,
            "config.json is a FIFO": replaced("fifo"),
            "config.json is a directory": replaced("dir"),
            "config.json is a device": replaced("c", (1, 5)),
            "config.json is 1 GiB, most of it a hole":
                lambda bundle: os.truncate(config(bundle), 1024 * MIB),
            "config.json is another user's":
                lambda bundle: os.chown(config(bundle), 1000, 1000),
            "config.json is writable by its group":
                lambda bundle: os.chmod(config(bundle), 0o664),
            "config.json is writable by all": lambda bundle: os.chmod(config(bundle), 0o646),
            "config.json has the key twice": rewrite(lambda text: text.replace(
                key, f'{key}: "nvidia:1", {key}', 1).encode()),
            "config.json has the key twice, once escaped": rewrite(lambda text: text.replace(
                key, '"\\u0069o.oci-gpu-hook.gpu": "nvidia:1", ' + key, 1).encode()),
            "config.json is nested deeply": rewrite(lambda text: text.replace(
                key, '"x": ' + "[" * 5000 + "]" * 5000 + f", {key}", 1).encode()),
            "config.json starts with a byte order mark":
                rewrite(lambda text: b"\xef\xbb\xbf" + text.encode()),
            "config.json is not UTF-8": rewrite(lambda text: text.replace(
                "amd:1", "amd:1~").encode().replace(b"~", b"\xff")),
            "config.json ends early": rewrite(lambda text: text[:-40].encode()),
        }
        for what, spoil in spoils.items():
            yield f"R14 {what}", lambda spoil=spoil: self.spoiled(spoil, "config.json")
        bundles = {
            "another user's": lambda bundle: os.chown(bundle.directory, 1000, 1000),
            "writable by its group": lambda bundle: os.chmod(bundle.directory, 0o775),
            "writable by all": lambda bundle: os.chmod(bundle.directory, 0o757),
            "writable by all, with the sticky bit":
                lambda bundle: os.chmod(bundle.directory, 0o1777),
        }
        for what, spoil in bundles.items():
            yield f"R14 the bundle is {what}", \
                lambda spoil=spoil: self.spoiled(spoil, "bundle")
        yield "R14 the bundle is a link", self.bundle_is_link
        for path in ("", "/", ".", "..", "rootfs/../..", "../canary", CANARY, "rootfs/etc",
                     "config.json", "rootfs\0/x", "nowhere"):
            yield f"R14 root.path is {path!r}", lambda path=path: self.root_path(path)
        yield "R14 the root is a link out of the bundle", self.root_is_link
        yield from self.r14_state()

    def bundle_is_link(self):
        bundle = self.bundle()
        link = f"{sandbox.WORK}/link-to-bundle"
        os.symlink(bundle.directory, link)
        try:
            return self.refuses(Stage(bundle), "bundle",
                                state=lambda stage: stage.state(bundle=link))
        finally:
            os.unlink(link)

    def root_path(self, path):
        """A root that the runtime did not make the container's: no mount of its own."""
        bundle = self.bundle()
        stage = Stage(bundle)
        bundle.config["root"]["path"] = path
        bundle.write()
        return self.refuses(stage)

    def root_is_link(self):
        bundle = self.bundle()
        put("link", f"{bundle.directory}/root", CANARY)
        bundle.config["root"]["path"] = "root"
        return self.refuses(Stage(bundle.write()))

    def r14_state(self):
        def changed(**changes):
            return lambda stage: json.dumps({name: value for name, value in stage.state(
                **changes).items() if value is not None})

        states = {
            "is cut off": lambda stage: json.dumps(stage.state())[:-20],
            "is larger than 1 MiB": lambda stage: json.dumps(stage.state(x="x" * 2 * MIB)),
            "is a list": lambda stage: json.dumps([stage.state()]),
            "is a string": lambda stage: json.dumps(json.dumps(stage.state())),
            "is nested deeply": lambda stage: json.dumps(stage.state()).replace(
                "{", '{"x": ' + "[" * 5000 + "]" * 5000 + ", ", 1),
            "has no pid": changed(pid=None), "has no bundle": changed(bundle=None),
            "has the pid as text": changed(pid="1000"),
            "has a pid and a half": changed(pid=1.5),
            "has a pid of 2^32 more": lambda stage: json.dumps(
                stage.state(pid=stage.pid + 2 ** 32)),
            "has a bundle with a NUL": changed(bundle="/run/work\0/x"),
            "has two bundles": lambda stage: json.dumps(stage.state()).replace(
                "{", '{"bundle": "/", ', 1),
            "has two bundles, one escaped": lambda stage: json.dumps(stage.state()).replace(
                "{", '{"\\u0062undle": "/", ', 1),
        }
        for what, state in states.items():
            yield f"R14 the state {what}", lambda state=state: self.refuses(
                Stage(self.bundle()), state=state)

    # ---- R17: files that make a reader wait ----------------------------------------------

    def r17(self):
        for kind, text in (("fifo", ""), ("socket", ""), ("c", (1, 5)), ("b", (7, 0))):
            name = {"c": "a device without an end", "b": "a block device"}.get(kind, kind)
            yield f"R17 config.json is {name}", lambda k=kind, t=text: self.in_time(
                lambda: self.config_is(k, t))
            for place in ("/dev/dri", "/dev/kfd", LINK):
                yield f"R17 {place} of the image is {name}", lambda k=kind, t=text, p=place: \
                    self.in_time(lambda: self.refuses(Stage(
                        self.bundle(), arrange=lambda root: put(k, root + p, t)), p))
        yield "R17 the bundle is a FIFO", lambda: self.in_time(self.bundle_is_fifo)
        yield "R17 the state never ends", lambda: self.in_time(self.endless_state)
        for kind in ("fifo", "socket"):
            yield f"R17 each file of the host is a {kind}", lambda k=kind: \
                self.in_time(lambda: self.host_files_are(k), 60)

    @staticmethod
    def in_time(test, limit=5):
        start = time.monotonic()
        problems = test()
        seconds = time.monotonic() - start
        return problems + ([f"it took {seconds:.0f} s"] if seconds > limit else [])

    def config_is(self, kind, text):
        bundle = self.bundle()
        os.unlink(f"{bundle.directory}/config.json")
        put(kind, f"{bundle.directory}/config.json", text)
        return self.refuses(Stage(bundle), "config.json")

    def bundle_is_fifo(self):
        path = f"{sandbox.WORK}/fifo"
        os.mkfifo(path)
        try:
            return self.refuses(Stage(self.bundle()), "bundle",
                                state=lambda stage: stage.state(bundle=path))
        finally:
            os.unlink(path)

    def endless_state(self):
        with open("/dev/zero", "rb") as zero:
            result = container.run([self.hook, "createRuntime"], limit=20, stdin=zero)
        return one_line(result, "state")

    def host_files_are(self, kind):
        """Whatever stands at a file that is read, the hook does not wait for it."""
        host = f"{sandbox.WORK}/hosts/{kind}"
        subprocess.run(["cp", "-a", self.host, host], check=True)
        with Stage(self.bundle()) as stage:
            self.call(stage.state(), host=host, wrapper=trace.STRACE)
        files = trace.files_read(host)
        problems = [] if len(files) > 5 else [f"the trace names few files: {files}"]
        for path in files:
            os.rename(path, f"{path}.kept")
            put(kind, path)
            with Stage(self.bundle()) as stage:
                start = time.monotonic()
                result = self.call(stage.state(), host=host)
                if time.monotonic() - start > 4:
                    problems.append(f"{path}: it waited")
                if result.returncode != 0:
                    problems += [f"{path}: {why}" for why in one_line(result)]
            os.unlink(path)
            os.rename(f"{path}.kept", path)
        return problems
