#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""driver_files.py --hook PROGRAM TURNS {found,cdi} - hostile images where the driver's files have their places

Directories of libraries, /run, /etc/ld.so.cache and /proc/driver/nvidia/params: with links
that lead out, files that wait or act when they are opened, mounts of others, and with
another container that changes them meanwhile. Nothing outside of the root may change. The
driver's files are found on the host, or a CDI specification names them and their places.
"""

import os
import resource
import socket
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stage as staging  # its first lines say where everything else is
import container
import driver
import sandbox
from driver import CACHE, DEBIAN, OWN_DIR, VERSION
from quick import QuickStage
from race import Flipper
from stage import CANARY, PROC, TMPFS_ON_DEV, Attacker, Stage, differences, one_line, put

LINKS = [f"{DEBIAN}/{name}" for name in driver.NAMES]
CACHE_SECONDS = 0.1  # some twenty times what is needed
PARAMS = "/proc/driver/nvidia/params"

# Where links of an image may lead.
TARGETS = {"out of the root": "../" * 12 + CANARY[1:], "absolute, out of the root": CANARY,
           "through /proc/1/root": f"/proc/1/root{CANARY}", "nowhere": f"{CANARY}/new",
           "to itself": "driver-loop", "to a directory of the image": "/tmp",
           "to a FIFO": f"{CANARY}/fifo"}

# What an image's VOLUME or an engine's option mounts at our directory: how, what is done when
# it has its files, and what the hook says of it.
VOLUME = 'mkdir "$root/tmp/v"; mount --bind "$root/tmp/v" "$own"'
READ_ONLY = 'mount -o remount,bind,ro "$own"'
OTHERS = [
    # The root file system of these tests is a tmpfs.
    ("a volume", VOLUME, "", "it is a tmpfs of somebody else"),
    ("a read-only volume", VOLUME, READ_ONLY, "it is a tmpfs of somebody else"),
    ("a shared volume", f'{VOLUME}; mount --make-shared "$own"', "",
     "it is a tmpfs of somebody else"),
    ("another file system", 'mount -t ramfs oci-gpu-hook "$own"', READ_ONLY,
     "it is no tmpfs, so maybe a volume"),
    ("a tmpfs of the engine's", 'mount -t tmpfs tmpfs "$own"', "",
     "it is a tmpfs of somebody else"),
    ("a read-only tmpfs of the engine's", 'mount -t tmpfs tmpfs "$own"', READ_ONLY,
     "it is a tmpfs of somebody else"),
    ("a writable tmpfs of our name", 'mount -t tmpfs oci-gpu-hook "$own"', "",
     "it is writable"),
    ("a shared tmpfs of our name",
     'mount -t tmpfs oci-gpu-hook "$own"; mount --make-shared "$own"', READ_ONLY,
     "it is shared"),
]

# Goes on in a user namespace with the ids of argv[1] and up. A child that stays outside writes
# the maps: util-linux would ask newuidmap, which knows only ids that a file gives to users.
IN_NAMESPACE = """
import ctypes, os, sys
inside, done = os.pipe(), os.pipe()
if os.fork() == 0:
    os.read(inside[0], 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{os.getppid()}/{name}", "w") as file:
            file.write(f"0 {sys.argv[1]} 65536")
    os.write(done[1], b".")
    os._exit(0)
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
if ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNS):
    sys.exit("unshare failed")
os.write(inside[1], b".")
os.read(done[0], 1)
os.wait()
os.setgid(0)
os.setuid(0)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Suite(Attacker):
    a_library = f"{DEBIAN}/libcuda.so.{VERSION}"

    def __init__(self, hook, turns):
        super().__init__(hook)
        self.turns = turns
        self.host = self.make_host()
        self.n_mounts = len(driver.LIBRARIES)

    def make_host(self, n_more=0):
        return driver.make_host(n_more=n_more)

    def image(self, **kwargs):
        bundle = container.Bundle().request("nvidia:1")
        driver.add_glibc(bundle.rootfs, **kwargs)
        return bundle.write()

    def goes_on(self, stage, *words, links=(), **kwargs):
        """The hook succeeds, with one warning that has the words. links: those that must be
        there, and lead to our own directory."""
        with stage:
            result = self.call(stage.state(), **kwargs)
            problems = [] if result.returncode == 0 else \
                [f"exit status {result.returncode}: {result.stderr!r}"]
            lines = result.stderr.splitlines()
            if len(lines) != (1 if words else 0):
                problems.append(f"not one warning: {result.stderr!r}")
            problems += [f"the warning does not say '{word}': {result.stderr!r}"
                         for word in words if word not in result.stderr]
            tree = stage.tree()
            problems += [f"{path} is '{tree.get(path[1:])}'" for path in links
                         if f" -> {OWN_DIR}/lib/" not in tree.get(path[1:], "")]
            mounts = [path for path in stage.mounts() if path.startswith(OWN_DIR)]
            if len(mounts) != 1 + self.n_mounts:
                problems.append(f"mounts are {mounts}")
            return problems

    # ---- whose root could write the host's files -------------------------------------------

    def joined_namespace(self, first_outside, *words):
        """Whose ids it has is seen when it is there: config.json names a path. words: of the
        refusal"""
        bundle = self.image()
        bundle.config["linux"]["namespaces"].append({"type": "user", "path": "/proc/1/ns/user"})
        bundle.write()
        container.give_tree(bundle.rootfs, first_outside)
        stage = Stage(bundle, wrapper=[sys.executable, "-c", IN_NAMESPACE, str(first_outside)])
        if words:
            return self.refuses(stage, *words)
        with stage:
            result = self.call(stage.state())
            mounts = [path for path in stage.mounts() if path.startswith(OWN_DIR)]
        problems = [] if result.returncode == 0 else [result.stderr]
        return problems if len(mounts) == 1 + self.n_mounts else [*problems, f"{mounts}"]

    def joined_namespace_with_group(self):
        """Its owner is none of the namespace's, but whoever has its group may write it."""
        library = f"{self.host}{self.a_library}"
        os.chown(library, 0, 100005)
        os.chmod(library, 0o664)
        try:
            return self.joined_namespace(
                100000, "the container's user namespace has the host's group 100005, which may "
                "write it")
        finally:
            os.chown(library, 0, 0)
            os.chmod(library, 0o755)

    # ---- a daemon's socket -------------------------------------------------------------------

    TAMPER = """
import os, socket, sys
for change in (lambda path: os.chmod(path, 0o777), lambda path: os.chown(path, 1, 1)):
    try:
        change(sys.argv[1])
        print("the host's socket was changed")
    except OSError as error:
        if error.errno != 30:
            print(error)
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
"""

    def socket_of_a_daemon(self):
        """Root in the container is the host's: it may talk to the daemon, and no more."""
        place = f"{self.host}/run/nvidia-persistenced"
        os.makedirs(place, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.bind(f"{place}/socket")
            daemon.listen()
            try:
                with Stage(self.image()) as stage:
                    result = self.call(stage.state())
                    found = [path for path in stage.mounts() if path.endswith("d/socket")]
                    if result.returncode != 0 or not found:
                        return [f"no socket: {stage.mounts()}, {result.stderr!r}"]
                    tried = subprocess.run(
                        ["nsenter", f"--mount=/proc/{stage.pid}/ns/mnt", sys.executable, "-c",
                         self.TAMPER, f"{stage.bundle.rootfs}{found[0]}"], text=True,
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                        timeout=30)
            finally:
                os.unlink(f"{place}/socket")
        return tried.stdout

    def daemon_links_to_another(self):
        """A daemon's account is not root: its directory may lead nowhere else."""
        place = f"{self.host}/run/nvidia-persistenced"
        other = f"{self.host}/run/other.sock"
        os.makedirs(place, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.bind(other)
            os.symlink("/run/other.sock", f"{place}/socket")
            os.chown(place, 143, 143)
            try:
                with Stage(self.image()) as stage:
                    result = self.call(stage.state())
                    found = [path for path in stage.mounts() if path.endswith("d/socket")]
            finally:
                os.chown(place, 0, 0)
                os.unlink(f"{place}/socket")
                os.unlink(other)
        problems = [] if result.returncode == 0 else one_line(result)
        return problems + [f"the container has {path}" for path in found]

    # ---- directories of libraries ------------------------------------------------------------

    def library_dir_is_link(self, target):
        """The container's C library is found in a directory; the links then meet this."""
        bundle = self.image()
        os.rename(f"{bundle.rootfs}{DEBIAN}", f"{bundle.rootfs}/tmp/moved")
        put("link", f"{bundle.rootfs}{DEBIAN}", target)
        with Stage(bundle) as stage:
            result = self.call(stage.state())
            return [] if result.returncode == 0 else one_line(result)

    def merged_usr(self):
        return self.goes_on(Stage(self.image()), "'/proc/driver/nvidia/params'", links=LINKS)

    def place_is(self, kind, text):
        """What stands at a link's place stays, unless it is a link."""
        bundle = self.image()
        place = f"{DEBIAN}/libnvidia-ml.so.1"
        put(kind, bundle.rootfs + place, text)
        before = os.lstat(bundle.rootfs + place)
        replaced = kind == "link"
        stage = Stage(bundle, steps=f"{TMPFS_ON_DEV}\n{PROC}\nmount -t tmpfs tmpfs "
                                    '"$root/proc/driver"')
        with stage:
            result = self.call(stage.state())
            problems = [] if result.returncode == 0 else one_line(result)
            word = "leads to the host's driver now" if replaced else \
                f"place '{place}' in the container: the image's own is there and stays"
            if word not in result.stderr:
                problems.append(f"no warning: {result.stderr!r}")
        after = os.lstat(bundle.rootfs + place)
        if not replaced and (before.st_ino, before.st_mode) != (after.st_ino, after.st_mode):
            problems.append("it was replaced")
        return problems

    def temporary_name_is_taken(self):
        """A directory where the new link would be made: the old one stays."""
        bundle = self.image()
        put("link", f"{bundle.rootfs}{DEBIAN}/libnvidia-ml.so.1", "old")
        put("file", f"{bundle.rootfs}{DEBIAN}/.oci-gpu-hook.new/x")
        with Stage(bundle) as stage:
            result = self.call(stage.state())
        problems = [] if result.returncode == 0 else one_line(result)
        if "links to the driver's files that are missing: 1; set LD_LIBRARY_PATH=" \
                not in result.stderr:
            problems.append(f"no warning: {result.stderr!r}")
        if os.readlink(f"{bundle.rootfs}{DEBIAN}/libnvidia-ml.so.1") != "old":
            problems.append("the old link is gone")
        return problems

    # ---- /run ----------------------------------------------------------------------------------

    def way_is(self, place, kind, text):
        bundle = self.image()
        if place == "/run":
            os.rmdir(f"{bundle.rootfs}/run")
        put(kind, bundle.rootfs + place, text)
        return self.refuses(Stage(bundle), f"'{place}'")

    def own_dir_is_mounted(self, how, then, word):
        """What a run that was killed would leave, but from somebody else: empty files of the
        driver's names, and other content for the driver's parameters. how: mounts $own; then: when it is filled"""
        files = [f"lib/{name}.so.{VERSION}" for name in driver.LIBRARIES]
        steps = [TMPFS_ON_DEV, PROC, f'own="$root{OWN_DIR}"', 'mkdir -p "$own"', how,
                 'mkdir "$own/lib"', *(f'touch "$own/{name}"' for name in files),
                 'echo lies > "$own/.file-0"', then]
        return self.refuses(Stage(self.image(), steps="\n".join(steps)),
                            f"place '{OWN_DIR}' in the container: another mount is there "
                            f"({word})")

    def run_is_a_volume(self):
        steps = f'{TMPFS_ON_DEV}\nmount --bind {CANARY} "$root/run"'
        return self.refuses(Stage(self.image(), steps=steps),
                            "change '/run' in the container: a directory of the host")

    def root_is_shared(self):
        steps = f'{TMPFS_ON_DEV}\nmount --make-shared "$root"'
        return self.refuses(Stage(self.image(), steps=steps), "'/run'", "shared mount")

    # ---- the cache -----------------------------------------------------------------------------

    def cache_is(self, kind, text):
        bundle = self.image()
        os.unlink(bundle.rootfs + CACHE)
        put(kind, bundle.rootfs + CACHE, text)
        before = os.lstat(bundle.rootfs + CACHE)
        stage = Stage(bundle)
        with stage:
            result = self.call(stage.state())
        problems = [] if result.returncode == 0 else one_line(result)
        if f"'{CACHE}'" not in result.stderr or "does not list the driver's" not in result.stderr:
            problems.append(f"no warning: {result.stderr!r}")
        after = os.lstat(bundle.rootfs + CACHE)
        # Reading it may change the time of the last access.
        same = all(getattr(before, name) == getattr(after, name) for name in
                   ("st_mode", "st_ino", "st_dev", "st_size", "st_mtime_ns", "st_ctime_ns"))
        return problems + ([] if same else ["it was changed"])

    def cache_is_huge(self):
        bundle = self.image()
        os.truncate(bundle.rootfs + CACHE, 1 << 40)
        with Stage(bundle) as stage:
            result = self.call(stage.state())
        if result.returncode != 0 or "File too large" not in result.stderr:
            return [f"exit status {result.returncode}: {result.stderr!r}"]
        return []

    def cache_of_lies(self):
        """170,000 entries that all point to strings without an end."""
        bundle = self.image()
        size = (2 << 20) - 4096
        count = (size - 48) // 24
        with open(bundle.rootfs + CACHE, "r+b") as file:
            data = bytearray(file.read(48) + b"\xff" * (size - 48))
            data[20:24] = count.to_bytes(4, sys.byteorder)
            for i in range(count):
                at = 48 + 24 * i
                data[at:at + 12] = b"".join(word.to_bytes(4, sys.byteorder)
                                            for word in (0x303, size - 4000, size - 4000))
            file.seek(0)
            file.write(data)
        with Stage(bundle) as stage:
            result = self.call(stage.state())
        return [] if result.returncode == 0 else one_line(result)

    def cache_of_long_strings(self):
        """As many entries as fit, all of one string of 4 KiB, and many libraries to be added.
        Reading that string for each of both takes 0.7 s."""
        bundle = self.image()
        size = (2 << 20) - 1
        last = f"libz.so.1\0{DEBIAN}/libz.so.1\0".encode("ascii")
        strings = b"l" * 4090 + b"\0" + last
        count = (size - 48 - len(strings)) // 24
        start = 48 + 24 * count
        with open(bundle.rootfs + CACHE, "r+b") as file:
            head = bytearray(file.read(48))
            head[20:24] = count.to_bytes(4, sys.byteorder)
            words = struct.pack("=IIIIQ", 0x303, start, start, 0, 0) * (count - 1)
            words += struct.pack("=IIIIQ", 0x303, start + 4091, start + 4101, 0, 0)
            file.seek(0)
            file.write(head + words + strings)
        host = self.make_host(n_more=56)
        with Stage(bundle) as stage:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            result = self.call(stage.state(), host=host)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        problems = [] if result.returncode == 0 else one_line(result)
        spent = after.ru_utime - before.ru_utime
        print(f"# {spent:.3f} s of the processor", flush=True)
        return problems + ([] if spent < CACHE_SECONDS else [f"it took {spent:.3f} s"])

    def etc_is_link(self):
        bundle = self.image()
        os.rename(f"{bundle.rootfs}/etc", f"{bundle.rootfs}/tmp/etc")
        put("link", f"{bundle.rootfs}/etc", "../" * 12 + CANARY[1:])
        with Stage(bundle) as stage:
            result = self.call(stage.state())
            return [] if result.returncode == 0 else one_line(result)

    # ---- /proc ---------------------------------------------------------------------------------

    def proc_is_not_procfs(self, steps, *words):
        """A file of that name that somebody else put there is left alone."""
        bundle = self.image()
        put("file", f"{bundle.rootfs}{PARAMS}", "the image's")
        problems = self.goes_on(Stage(bundle, steps=f"{TMPFS_ON_DEV}\n{steps}"), *words)
        with open(f"{bundle.rootfs}{PARAMS}", encoding="utf-8") as file:
            text = file.read()
        return problems if text == "the image's" else [*problems, f"it says {text!r}"]

    def proc_is_link(self):
        bundle = self.image()
        os.rmdir(f"{bundle.rootfs}/proc")
        put("link", f"{bundle.rootfs}/proc", "/etc")
        put("file", f"{bundle.rootfs}/etc/driver/nvidia/params", "the image's")
        return self.refuses(Stage(bundle), f"'{PARAMS}'")

    # ---- races ---------------------------------------------------------------------------------

    def race(self, pairs, prepare):
        """Another container that has this root as a volume exchanges names with links."""
        bundle = self.image()
        prepare(bundle.rootfs)
        before = {"canary": staging.listing(CANARY), "mounts of the host": staging.mounts()}
        counts = {True: 0, False: 0}
        pairs = [(bundle.rootfs + path, one, other) for path, one, other in pairs]
        with Flipper(pairs):
            for number in range(self.turns):
                with QuickStage(bundle) as stage:
                    result = self.call(stage.state())
                    problems = [] if result.returncode == 0 else one_line(result)
                    mounts = stage.new_mounts()
                counts[result.returncode == 0] += 1
                problems += [f"{root} is mounted at {point}" for root, point in mounts
                             if not point.startswith((f"{bundle.rootfs}/run",
                                                      f"{bundle.rootfs}/tmp",
                                                      f"{bundle.rootfs}/dev"))]
                now = {"canary": staging.listing(CANARY),
                       "mounts of the host": staging.mounts()}
                problems += differences(before, now)
                if problems:
                    return [f"turn {number}: {problem}" for problem in problems]
        print(f"# {counts[True]} turns done, {counts[False]} refused", flush=True)
        return []

    def race_libraries(self):
        def prepare(root):
            put("link", f"{root}/usr/lib/other", CANARY)
            put("link", f"{root}/other", "../" * 12 + CANARY[1:])

        return self.race([("/usr/lib", driver.TRIPLE, "other"), ("", "etc", "other")], prepare)

    def race_run(self):
        def prepare(root):
            os.makedirs(f"{root}{OWN_DIR}")
            put("link", f"{root}/run/other", CANARY)
            put("link", f"{root}/run/oci-gpu-hook/other", CANARY)

        return self.race([("/run", "oci-gpu-hook", "other")], prepare)

    # ---- all ------------------------------------------------------------------------------------

    def places(self):
        for what, target in TARGETS.items():
            yield f"the directory of libraries is a link, {what}", \
                lambda t=target: self.library_dir_is_link(t)
        for kind, text in (("file", "x"), ("dir", ""), ("fifo", ""), ("socket", ""),
                           ("c", (1, 3)), ("link", f"{CANARY}/shadow")):
            yield f"a {kind} is at a link's place", lambda k=kind, t=text: self.place_is(k, t)
        yield "the name of the new link is taken", self.temporary_name_is_taken
        for place in ("/run", "/run/oci-gpu-hook", OWN_DIR):
            for kind, text in (("link", CANARY), ("link", "/tmp"), ("file", "x"), ("fifo", "")):
                yield f"{place} is a {kind} {text}", \
                    lambda p=place, k=kind, t=text: self.way_is(p, k, t)

    def tests(self):
        yield "a namespace that is joined has the host's root", lambda: self.joined_namespace(
            0, "the container's user namespace has the host's user 0, who owns it")
        yield "a namespace that is joined has other users", \
            lambda: self.joined_namespace(100000)
        yield "a namespace that is joined has a group that may write the files", \
            self.joined_namespace_with_group
        if type(self) is Suite:  # pylint: disable=unidiomatic-typecheck
            yield "the socket of a daemon stays as it is", self.socket_of_a_daemon
            yield "a daemon's socket is a link to another's", self.daemon_links_to_another
        yield "a merged /usr is no attack", self.merged_usr
        yield from self.places()
        for what, *how in OTHERS:
            yield f"at our directory is {what}", lambda h=how: self.own_dir_is_mounted(*h)
        yield "/run is a volume", self.run_is_a_volume
        yield "the root is shared", self.root_is_shared
        for kind, text in (("link", f"{CANARY}/secret"), ("fifo", ""), ("dir", ""),
                           ("socket", ""), ("c", (1, 5)), ("file", ""), ("file", "no cache")):
            yield f"the cache is a {kind} {text}", lambda k=kind, t=text: self.cache_is(k, t)
        yield "the cache is huge", self.cache_is_huge
        yield "the cache lies in every entry", self.cache_of_lies
        yield "the cache has long strings", self.cache_of_long_strings
        yield "/etc is a link out of the root", self.etc_is_link
        yield "/proc is the image's own", lambda: self.proc_is_not_procfs(
            "", "something else is mounted there")
        yield "/proc is a link", self.proc_is_link
        yield f"directories of libraries are exchanged, {self.turns} turns", self.race_libraries
        yield f"our directory is exchanged, {self.turns} turns", self.race_run


class Cdi(Suite):
    """Also with a place that no other image has to have, as the specification names it."""

    a_library = f"/opt/driver/lib/libcuda.so.{VERSION}"

    def __init__(self, hook, turns):
        super().__init__(hook, turns)
        self.n_mounts += 1

    def make_host(self, n_more=0):
        return driver.make_cdi_host(name="attack", is_plain=True, n_more=n_more)

    def call(self, state, *args, **kwargs):
        return super().call(state, *driver.cdi_settings(), *args, **kwargs)

    def way_to_data_is(self, place, kind, text):
        """One link fewer is no failure, but nothing may be made where it leads."""
        bundle = self.image()
        put(kind, bundle.rootfs + place, text)
        with Stage(bundle) as stage:
            result = self.call(stage.state())
            problems = [] if result.returncode == 0 else one_line(result)
            if stage.tree().get(driver.CDI_DATA[1:], "").endswith(f"-> {OWN_DIR}{driver.CDI_DATA}"):
                problems.append("the link is there")
        return problems

    def data(self):
        with Stage(self.image()) as stage:
            result = self.call(stage.state())
            found = stage.tree().get(driver.CDI_DATA[1:], "")
            return [] if found.endswith(f"-> {OWN_DIR}{driver.CDI_DATA}") else \
                [f"{driver.CDI_DATA} is '{found}': {result.stderr!r}"]

    def tests(self):
        yield "the specification's place is no attack", self.data
        for place in ("/opt", "/opt/vendor", "/opt/vendor/data"):
            for what, target in TARGETS.items():
                if what != "to a directory of the image":
                    yield f"{place} is a link, {what}", \
                        lambda p=place, t=target: self.way_to_data_is(p, "link", t)
            for kind in ("file", "fifo"):
                yield f"{place} is a {kind}", \
                    lambda p=place, k=kind: self.way_to_data_is(p, k, "")
        yield from super().tests()


def main():
    options = sandbox.arguments(__doc__, ("turns", ["100", "10000"]),
                                ("source", ["found", "cdi"]), tools=driver.tools)
    why = driver.why_not()
    if why:
        sandbox.skip_all(why)
    suite = (Cdi if options.source == "cdi" else Suite)(options.hook, int(options.turns))
    return suite.run(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
