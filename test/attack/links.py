# SPDX-License-Identifier: Apache-2.0
"""links.py - R1 to R7: what an image or a volume may have put where the hook works"""

import os

import stage as staging
import sandbox
import trace_of_hook as trace
from stage import CANARY, LINK, NODES, PROC, TMPFS_ON_DEV, Attacker, Stage, one_line, put

# Where an image or another container may have put a link.
PLACES = ("/dev/dri", "/dev/kfd", "/dev/dri/renderD129", "/dev/dri/by-path", LINK)

LIBRARY_DIRS = ("usr/lib", "usr/lib64", "etc/ld.so.conf.d", "usr/local/cuda/compat")
MULTIARCH_DIRS = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu")


def relative(path, target):
    """A link's text that leads from a place in the root out to the target."""
    return os.path.relpath(target, os.path.dirname(path))


def links_out(rootfs, place):
    """{what: text of the link} that an attacker may put at a place"""
    path = rootfs + place
    return {
        "relative, out of the root": relative(path, f"{CANARY}/dri"),
        "absolute, out of the root": f"{CANARY}/kfd",
        "dangling": f"{CANARY}/new",
        "a loop": os.path.basename(path),
        "to a directory of the image": "/etc",
        "to a FIFO": f"{CANARY}/fifo",
        "to the host's own node": f"{sandbox.WORK}/hosts/mixed{place}",
    }


class Links(Attacker):
    """Links, and whatever else stands in the way."""

    # ---- R1, R2: links on the way --------------------------------------------------------

    def dev_is_link(self, target):
        bundle = self.bundle()
        put("link", f"{bundle.rootfs}/dev", target)
        return self.refuses(Stage(bundle, steps=""), "'/dev'")

    def r1(self):
        targets = {"a relative link out of the root": "../../canary",
                   "an absolute link out of the root": CANARY,
                   "a link to the host's /dev": "/dev",
                   "a link that leads nowhere": f"{CANARY}/new",
                   "a link within the root": "etc",
                   "a link to itself": "dev"}
        for what, target in targets.items():
            yield f"R1 /dev is {what}", lambda target=target: self.dev_is_link(target)
        yield "R1 /dev is a file", self.dev_is_a_file

    def dev_is_a_file(self):
        bundle = self.bundle()
        put("file", f"{bundle.rootfs}/dev")
        return self.refuses(Stage(bundle, steps=""), "'/dev'")

    def place_is_link(self, place, what):
        bundle = self.bundle()
        text = links_out(bundle.rootfs, place)[what]
        stage = Stage(bundle, arrange=lambda root: put("link", root + place, text))
        return self.refuses(stage, f"'{place}'")

    def place_is_link_of_image(self, place, what):
        """The same, in the image's own /dev, where nothing is mounted."""
        bundle = self.bundle()
        put("link", bundle.rootfs + place, links_out(bundle.rootfs, place)[what])
        return self.refuses(Stage(bundle, steps=""), f"'{place}'")

    def r2(self):
        for place in PLACES:
            for what in links_out("", place):
                yield (f"R2 {place} is a link, {what}",
                       lambda place=place, what=what: self.place_is_link(place, what))
        for place in PLACES:
            yield (f"R2 {place} of the image is a link out of the root",
                   lambda place=place: self.place_is_link_of_image(
                       place, "relative, out of the root"))
        yield "R2 the link that is wanted is there: taken", lambda: self.works(
            Stage(self.bundle(),
                  arrange=lambda root: put("link", root + LINK, "../renderD129")))

    # ---- R3: something is there ----------------------------------------------------------

    def r3(self):
        wrong = {"a file with contents": ("file", "something"), "a directory": ("dir", ""),
                 "a FIFO": ("fifo", ""), "a socket": ("socket", ""),
                 "another character device": ("c", (1, 3))}
        for place, number in NODES.items():
            def arrange(kind, text, place=place):
                return lambda root: put(kind, root + place, text)

            yield f"R3 {place} is an empty file: taken as placeholder", lambda a=arrange: \
                self.works(Stage(self.bundle(), arrange=a("file", "")))
            yield f"R3 {place} is the right node: nothing is mounted over it", \
                lambda a=arrange, p=place, n=number: self.works(
                    Stage(self.bundle(), arrange=a("c", n)), there=[p])
            for what, (kind, text) in {
                    **wrong, "a block device of the same number": ("b", number)}.items():
                yield f"R3 {place} is {what}", lambda a=arrange, p=place, k=kind, t=text: \
                    self.refuses(Stage(self.bundle(), arrange=a(k, t)), f"'{p}'")
        yield "R3 a file is no device 0:0, in the container", self.file_for_device_zero
        yield "R3 a file is no device 0:0, on the host", self.host_file_for_device_zero
        yield "R3 a block device on the host has the right number", self.host_block_device

    def host_with_zero(self, name):
        """A host whose driver says that the render node is device 0:0, as of a file."""
        host = staging.copy_host(name)
        put("file", f"{staging.sys_of_render_node(host)}/dev", "0:0\n")
        os.unlink(f"{host}/dev/dri/renderD129")
        return host

    def file_for_device_zero(self):
        host = self.host_with_zero("zero-in-container")
        os.mknod(f"{host}/dev/dri/renderD129", 0o020666, 0)
        stage = Stage(self.bundle(), arrange=lambda root: put(
            "file", f"{root}/dev/dri/renderD129", "not a node"))
        return self.refuses(stage, "renderD129", host=host)

    def host_file_for_device_zero(self):
        host = self.host_with_zero("zero-on-host")
        put("file", f"{host}/dev/dri/renderD129")
        return self.refuses(Stage(self.bundle()), "renderD129", host=host)

    def host_block_device(self):
        host = staging.copy_host("block-on-host")
        os.unlink(f"{host}/dev/dri/renderD129")
        put("b", f"{host}/dev/dri/renderD129", (226, 129))
        return self.refuses(Stage(self.bundle()), "renderD129", host=host)

    # ---- R4 to R6: directories of libraries ----------------------------------------------

    def libraries_lead_out(self, names, target, request):
        """Whatever it does with them, it does it in the root."""
        bundle = self.bundle(request)
        for name in names:
            put("link", f"{bundle.rootfs}/{name}", target)
        return self.done_inside(bundle)

    def done_inside(self, bundle, steps=TMPFS_ON_DEV):
        """Done or refused, but nothing below /dev is half done, and no mount is elsewhere."""
        with Stage(bundle, steps=steps) as stage:
            before = set(stage.mounts())
            result = self.call(stage.state(), wrapper=trace.STRACE)
            problems = trace.violations(trace.calls(), needs_setns=False)
            if result.returncode != 0:
                problems += one_line(result)
            for path in set(stage.mounts()) - before:
                if not path.startswith(("/dev/", "/usr/", "/proc/", "/etc/")):
                    problems.append(f"a mount at {path}")
            return problems

    def r4(self):
        for what, target in {"/": "/", "many ..": "../" * 20 + CANARY[1:],
                             "/proc/1/root": f"/proc/1/root{CANARY}",
                             "a directory outside": f"{CANARY}/lib"}.items():
            for request in ("amd:1", "nvidia:1"):
                for name, names in (("libraries", LIBRARY_DIRS),
                                    ("libraries by architecture", MULTIARCH_DIRS)):
                    yield (f"R4 directories of {name} lead to {what}, {request}",
                           lambda n=names, t=target, r=request:
                           self.libraries_lead_out(n, t, r))
        yield "R4 a merged /usr is no attack", self.merged_usr

    def merged_usr(self):
        bundle = self.bundle()
        os.makedirs(f"{bundle.rootfs}/usr/lib")
        put("link", f"{bundle.rootfs}/lib", "usr/lib")
        put("link", f"{bundle.rootfs}/lib64", "usr/lib")
        return self.works(Stage(bundle))

    def library_is_link(self, target):
        bundle = self.bundle("nvidia:1")
        for name in ("libcuda.so.1", "libnvidia-ml.so.1", "libcuda.so.535.54.03"):
            put("link", f"{bundle.rootfs}/usr/lib/x86_64-linux-gnu/{name}", target)
        return self.done_inside(bundle)

    def r5(self):
        yield "R5 a library of the image is a link to the host's shadow", \
            lambda: self.library_is_link(f"{CANARY}/shadow")
        yield "R5 a library of the image is a link within the root", \
            lambda: self.library_is_link("/etc/shadow")

    def compat_leads_out(self):
        bundle = self.bundle("nvidia:1")
        put("link", f"{bundle.rootfs}/usr/local/cuda/compat/libcuda.so.1", "/")
        put("link", f"{bundle.rootfs}/usr/local/cuda/compat/libcuda.so.999", CANARY)
        problems = self.done_inside(bundle)
        sources = [line for name, line in trace.calls() if name == "open_tree"]
        if not sources:
            problems.append("the trace has no source of a mount")
        return problems + [f"a source of the image: {line}" for line in sources
                           if bundle.rootfs in line]

    def r6(self):
        yield "R6 compat libraries of the image are never sources of mounts", \
            self.compat_leads_out

    # ---- R7: magic links -----------------------------------------------------------------

    def magic_link(self, place, text):
        bundle = self.bundle()
        if place == "/dev":
            put("link", f"{bundle.rootfs}/dev", text)
            stage = Stage(bundle, steps=PROC)
        else:
            stage = Stage(bundle, steps=f"{TMPFS_ON_DEV}\n{PROC}",
                          arrange=lambda root: put("link", root + place, text))
        return self.refuses(stage, f"'{place}'")

    def r7(self):
        chains = {"/proc/self/root": f"/proc/self/root{CANARY}",
                  "/proc/self/cwd": f"/proc/self/cwd/{'../' * 8}{CANARY[1:]}",
                  "/proc/self/fd/3": "/proc/self/fd/3",
                  "/proc/thread-self/root": f"/proc/thread-self/root{CANARY}"}
        for place in ("/dev", "/dev/dri", "/dev/kfd", "/dev/dri/by-path"):
            for what, text in chains.items():
                yield (f"R7 {place} is a link through {what}",
                       lambda p=place, t=text: self.magic_link(p, t))
        yield "R7 root.path leads through /proc/self/root", self.magic_root

    def magic_root(self):
        bundle = self.bundle()
        put("link", f"{bundle.directory}/magic", f"/proc/self/root{bundle.directory}")
        bundle.config["root"]["path"] = f"{bundle.directory}/magic/rootfs"
        return self.refuses(Stage(bundle.write()), "container root")
