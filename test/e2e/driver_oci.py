#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""driver_oci.py --hook PROGRAM {runc-v1,runc-v2,crun}[-cdi] - NVIDIA's libraries in real containers

A program in the container loads libcuda.so.1 and calls it: in images laid out as those of
Debian, of distributions with lib64, without a cache and a shell, and with musl. With -cdi the
host's files are those that a specification of NVIDIA's toolkit names.
"""

import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import container
import driver
import runtimes
import sandbox
from container import NVIDIA, Bundle, check_report
from driver import OTHER_VERSION, OWN_DIR, VERSION
from standin import StandIn, differences, one_line, run_hook

LIBRARY = f"{OWN_DIR}/lib/libcuda.so.{VERSION}"


def label_of(path):
    try:
        return os.getxattr(path, "security.selinux", follow_symlinks=False)
    except OSError:
        return None


class Suite:
    more_names = ()  # of links in the library directory

    def __init__(self, hook, runtime):
        self.hook = hook
        self.runtime = runtime

    def bundle(self, request="nvidia:1", version=VERSION, stages=("createRuntime",), owner=0,
               **kwargs):
        bundle = Bundle(owner)
        driver.add_glibc(bundle.rootfs, **kwargs)
        return self.ask(bundle, request, version, stages)

    def ask(self, bundle, request="nvidia:1", version=VERSION, stages=("createRuntime",)):
        """version: of the host's driver; None: the hook is not registered"""
        bundle.config.pop("hooks", None)
        bundle.config["annotations"] = {}
        if version:
            bundle.request(request)
            for stage in stages:
                bundle.add_hook(self.hook, stage, *self.hook_args(version), stage=stage)
        return bundle

    def hook_args(self, version):
        return ["--host-root", driver.make_host(version)]

    def run(self, bundle, *names, **kwargs):
        bundle.config["process"]["args"] = ["/bin/dlprobe", *(names or driver.NAMES)]
        return driver.Report(self.runtime.run(bundle.write(), **kwargs).text)

    def shell(self, bundle, script):
        bundle.config["process"]["args"] = ["/bin/sh", "-c", script]
        return self.runtime.run(bundle.write()).text

    # ---- kinds of images -----------------------------------------------------------------

    def debian(self):
        return self.run(self.bundle()).check(VERSION)

    def lib64(self):
        """The loader of this machine looks there because the cache says so."""
        bundle = self.bundle(library_dir=driver.LIB64)
        problems = self.run(bundle).check(VERSION)
        if not os.path.islink(f"{bundle.rootfs}{driver.LIB64}/libcuda.so.1"):
            problems.append("there is no link where the container's libraries are")
        return problems

    def distroless(self):
        """No cache, no shell, and neither comes."""
        bundle = self.bundle(has_cache=False)
        for name in ("busybox", "sh", "probe.sh"):
            os.unlink(f"{bundle.rootfs}/bin/{name}")
        problems = self.run(bundle).check(VERSION)
        if os.path.exists(f"{bundle.rootfs}{driver.CACHE}"):
            problems.append("a cache was made")
        return problems

    def musl(self):
        """Its programs cannot use the libraries; the nodes come."""
        bundle = Bundle()
        os.makedirs(f"{bundle.rootfs}/lib")
        with open(f"{bundle.rootfs}/lib/ld-musl-{driver.MACHINE}.so.1", "wb") as file:
            file.write(b"\x7fELF")
        report = self.runtime.run(self.ask(bundle).write())
        problems = check_report(report, NVIDIA, {},
                                refused="EPERM" if self.runtime.cgroup_version else None)
        return problems + [f"mounted: {line}" for line in report.mounts
                           if f"{OWN_DIR}/" in line]

    def unregistered(self):
        """Without the hook nothing of all this is there: what these tests rest on."""
        return self.run(self.bundle(version=None)).check(None)

    # ---- kinds of containers -------------------------------------------------------------

    def both_stages(self):
        return self.run(self.bundle(stages=["prestart", "createRuntime"])).check(VERSION)

    def readonly_root(self):
        bundle = self.bundle()
        bundle.config["root"]["readonly"] = True
        return self.run(bundle).check(VERSION)

    def tmpfs_on_run(self):
        bundle = self.bundle()
        bundle.config["mounts"].append({"destination": "/run", "type": "tmpfs",
                                        "source": "tmpfs", "options": ["nosuid", "nodev"]})
        problems = self.run(bundle).check(VERSION)
        if os.listdir(f"{bundle.rootfs}/run"):
            problems.append(f"made below the mount: {os.listdir(f'{bundle.rootfs}/run')}")
        return problems

    def user_namespace(self):
        bundle = self.bundle(owner=100000)
        linux = bundle.config["linux"]
        linux["namespaces"].append({"type": "user"})
        ids = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        linux["uidMappings"] = linux["gidMappings"] = ids
        return self.run(bundle).check(VERSION)

    # Root of a user namespace can make mounts writable that were put there after it was made.
    TAMPER = """
for file in %s/lib/* %s/bin/*; do
    /bin/busybox mount -o remount,rw,bind $file && echo evil >>$file
done 2>/dev/null
echo end
""" % (OWN_DIR, OWN_DIR)

    def hosts_root_in_the_namespace(self):
        """It could write the driver's files, which are the host's; so it gets the nodes alone."""
        bundle = self.bundle()
        host = self.hook_args(VERSION)[1]

        def files():
            return {path: (os.stat(path).st_size, os.stat(path).st_mtime_ns)
                    for top, _, names in os.walk(host)
                    for path in (f"{top}/{name}" for name in names) if os.path.isfile(path)}

        linux = bundle.config["linux"]
        linux["namespaces"].append({"type": "user"})
        linux["uidMappings"] = linux["gidMappings"] = [
            {"containerID": 0, "hostID": 0, "size": 65536}]
        bundle.config["process"]["capabilities"] = {
            name: ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]
            for name in ("bounding", "effective", "permitted")}
        before = files()
        text = self.shell(bundle, self.TAMPER)
        problems = [] if text.endswith("end\n") else [f"it did not come to its end: {text!r}"]
        problems += [f"{path} was written" for path, now in files().items()
                     if now != before.get(path)]
        bundle.config["process"]["args"] = container.probe_command()
        report = self.runtime.run(bundle.write())
        problems += [f"mounted: {line}" for line in report.mounts if f"{OWN_DIR}/" in line]
        return problems + [f"no {path}" for path in NVIDIA if path not in report.nodes]

    def other_user(self):
        bundle = self.bundle()
        bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
        return self.run(bundle).check(VERSION)

    # ---- SELinux ---------------------------------------------------------------------------

    LABEL = "system_u:object_r:container_file_t:s0:c12,c345"

    def _labels(self, mount_label):
        """For a stand-in: without SELinux a runtime's own mounts refuse such a label.

        Return: ({path: label} of all on the tmpfs of our directory, problems)
        """
        bundle = self.bundle()
        if mount_label is not None:
            bundle.config["linux"]["mountLabel"] = mount_label
        found = {}
        with StandIn(bundle.write()) as standin:
            result = run_hook(self.hook, standin.state(), "--host-root",
                              driver.make_host(VERSION))
            if result.returncode:
                return found, [result.stderr]
            root = f"/proc/{standin.pid}/root{bundle.rootfs}{OWN_DIR}"
            device = os.stat(root).st_dev
            for top, names, files in os.walk(root):
                for path in [top] + [os.path.join(top, name) for name in files]:
                    if os.lstat(path).st_dev == device:
                        found[os.path.relpath(path, root)] = label_of(path)
        return found, [] if {".", "lib"} <= set(found) else [f"ours are {sorted(found)}"]

    def mount_label(self):
        """Our directory has the label that the engine gave to the container's mounts: with the
        runtime's own, which a tmpfs has else, no program could look into it."""
        found, problems = self._labels(self.LABEL)
        return problems + [f"{path} has the label {label}" for path, label in found.items()
                           if label != self.LABEL.encode() + b"\0"]

    def no_mount_label(self):
        problems = []
        for label in None, "":
            found, wrong = self._labels(label)
            problems += wrong + [f"{path} has the label {label}"
                                 for path, label in found.items() if label]
        return problems

    def mount_label_refused(self):
        """One line, and nothing is left."""
        bundle = self.bundle()
        bundle.config["linux"]["mountLabel"] = self.LABEL
        with StandIn(bundle.write()) as standin:
            before = standin.look()
            result = run_hook(self.hook, standin.state(), "--host-root",
                              driver.make_host(VERSION), wrapper=[
                                  "strace", *sandbox.UNDER_STRACE, "-o", "/dev/null",
                                  "-e", "trace=lsetxattr",
                                  "-e", "inject=lsetxattr:error=EACCES:when=2"])
            return differences(before, standin.look()) + one_line(
                result, f"the SELinux label '{self.LABEL}' of config.json's linux.mountLabel",
                "label=disable")

    # ---- what the container can do with them -----------------------------------------------

    def read_only(self):
        """Neither a file of the host nor our own directory can be changed."""
        report = self.run(self.bundle(), LIBRARY, f"{OWN_DIR}/new")
        found = report.writes.get(LIBRARY)
        problems = [] if found == "Read-only file system" else [f"writing gives {found!r}"]
        bundle = self.bundle()
        text = self.shell(bundle, f"for d in {OWN_DIR} {OWN_DIR}/lib; do "
                          "/bin/busybox touch $d/new 2>&1; done; "
                          f"/bin/busybox chmod 777 {LIBRARY} 2>&1; "
                          f"/bin/busybox rm {LIBRARY} 2>&1")
        if text.count("Read-only file system") != 4:
            problems.append(f"the shell said: {text!r}")
        return problems

    def mounts(self):
        """One mount for the directory and one a file, each with what takes its dangers."""
        text = self.shell(self.bundle(), "/bin/busybox cat /proc/self/mountinfo")
        flags = {line.split()[4]: set(line.split()[5].split(",")) for line in text.splitlines()
                 if OWN_DIR in line}
        wanted = {OWN_DIR: {"ro", "nosuid", "nodev", "noexec"}}
        for name in driver.LIBRARIES:
            wanted[f"{OWN_DIR}/lib/{name}.so.{VERSION}"] = {"ro", "nosuid", "nodev"}
        problems = [] if flags.keys() == wanted.keys() else [f"mounts are {sorted(flags)}"]
        return problems + [f"{path} is mounted with {flags[path]}" for path in wanted
                           if not wanted[path] <= flags.get(path, set())]

    # ---- the image afterwards --------------------------------------------------------------

    def other_versions(self):
        """An image that was committed, on a host with another driver, and on one with none:
        it keeps links only, and they never are in the way."""
        bundle = self.bundle()
        before = container.list_tree(bundle.rootfs)
        problems = []
        for version in (VERSION, OTHER_VERSION, None, OTHER_VERSION, VERSION):
            found = self.run(self.ask(bundle, version=version)).check(version)
            problems += [f"driver {version}: {problem}" for problem in found]
            left = driver.check_left(before, container.list_tree(bundle.rootfs))
            problems += [f"driver {version}: {problem}" for problem in left]
        return problems

    def own_driver_of_image(self):
        """A link of the image is replaced; a file stays, and is what programs get."""
        bundle = self.bundle()
        library_dir = f"{bundle.rootfs}{driver.DEBIAN}"
        driver.build_library(f"{library_dir}/libcuda.so.1.1", "libcuda.so.1", "1.1")
        os.symlink("libcuda.so.1.1", f"{library_dir}/libcuda.so.1")
        driver.build_library(f"{library_dir}/libnvidia-ml.so.1", "libnvidia-ml.so.1", "1.2")
        report = self.run(bundle)
        problems = report.check(VERSION, ["libcuda.so.1", "libcuda.so"])
        return problems + report.check("1.2", ["libnvidia-ml.so.1"])

    # ---- the loader's cache ----------------------------------------------------------------

    def cache(self):
        bundle = self.bundle()
        path = f"{bundle.rootfs}{driver.CACHE}"
        before = driver.in_cache(path)
        problems = self.run(bundle).check(VERSION)
        wanted = {**before, **{name: f"{driver.DEBIAN}/{name}"
                               for name in (*driver.NAMES, *self.more_names)}}
        found = driver.in_cache(path)
        if found != wanted:
            problems.append(f"the cache has {found}, not {wanted}")
        mode = os.stat(path).st_mode & 0o7777
        return problems if mode == 0o644 else [*problems, f"its mode is {mode:04o}"]

    def later_ldconfig(self):
        """ldconfig in the container keeps the libraries."""
        bundle = self.bundle()
        shutil.copy(os.path.realpath(shutil.which("ldconfig")), f"{bundle.rootfs}/bin/ldconfig")
        text = self.shell(bundle, "/bin/ldconfig && /bin/ldconfig -p && /bin/dlprobe libcuda.so.1")
        problems = driver.Report(text).check(VERSION, ["libcuda.so.1"])
        return problems + [f"{name} is not in {text!r}" for name in driver.LIBRARIES.values()
                           if f"\t{name} (" not in text]

    # ---- failing -------------------------------------------------------------------------

    def volume_on_run(self):
        """The host's /run would keep our directory."""
        bundle = self.bundle()
        outside = f"{bundle.directory}/outside"
        os.mkdir(outside)
        bundle.config["mounts"].append({"destination": "/run", "type": "bind",
                                        "source": outside, "options": ["rbind", "rw"]})
        before = container.list_tree(bundle.rootfs)
        result = self.runtime.create(bundle.write())
        self.runtime.delete()
        problems = [] if result.returncode else ["the container was created"]
        if os.listdir(outside):
            problems.append(f"made in the volume: {os.listdir(outside)}")
        after = container.list_tree(bundle.rootfs)
        return problems + [f"left: {path}" for path in after
                           if path not in before and not path.startswith(("dev", "proc"))]

    def volume_on_libraries(self):
        """A directory of libraries that is the host's stays as it is; the rest comes."""
        bundle = self.bundle()
        outside = f"{bundle.directory}/outside"
        shutil.copytree(f"{bundle.rootfs}{driver.DEBIAN}", outside, symlinks=True)
        bundle.config["mounts"].append({"destination": driver.DEBIAN, "type": "bind",
                                        "source": outside, "options": ["rbind", "rw"]})
        before = sorted(os.listdir(outside))
        problems = self.run(bundle).check(None)
        bundle.config["process"]["env"].append(f"LD_LIBRARY_PATH={OWN_DIR}/lib")
        name = f"libcuda.so.{VERSION}"
        problems += self.run(bundle, name).check(VERSION, [name])
        if sorted(os.listdir(outside)) != before:
            problems.append(f"the volume has {sorted(os.listdir(outside))}")
        return problems

    def tests(self):
        names = [name for kind in (Suite, type(self)) for name, value in vars(kind).items()
                 if callable(value) and not name.startswith("_") and
                 name not in ("bundle", "ask", "run", "shell", "tests", "hook_args")]
        names = list(dict.fromkeys(names))
        return [(name.replace("_", " "), getattr(self, name)) for name in names]


class Cdi(Suite):
    """The same with files that a CDI specification names, and what only it can do."""

    # The specification puts each file there under its own name.
    more_names = tuple(f"{name}.so.{VERSION}" for name in driver.LIBRARIES)

    def hook_args(self, version):
        return ["--host-root", driver.make_cdi_host(version), *driver.cdi_settings()]

    def with_args(self, *args):
        bundle = self.bundle(version=None)
        bundle.request("nvidia:1")
        return bundle.add_hook(self.hook, "createRuntime", *args)

    def _refuses(self, bundle, words):
        before = container.list_tree(bundle.rootfs)
        result = self.runtime.create(bundle.write())
        self.runtime.delete()
        problems = [] if result.returncode else ["the container was created"]
        # crun throws away what a hook says.
        if "crun" not in self.runtime.command[0] and words not in result.stderr:
            problems.append(f"no '{words}': {result.stderr!r}")
        after = container.list_tree(bundle.rootfs)
        return problems + [f"left: {path}" for path in after
                           if path not in before and not path.startswith(("dev", "proc"))]

    def auto_takes_it(self):
        """Without any setting, since nothing is found on the host."""
        return self.run(self.with_args("--host-root", driver.make_cdi_host())).check(VERSION)

    def native_does_not(self):
        return self.run(self.with_args("--host-root", driver.make_cdi_host(),
                                       *driver.cdi_settings("native"))).check(None)

    def out_of_date(self):
        host = driver.make_cdi_host(spec_version=OTHER_VERSION, name="old")
        words = f"it is of driver {OTHER_VERSION}, and {VERSION} is running"
        return self._refuses(self.with_args("--host-root", host, *driver.cdi_settings()), words)

    def out_of_date_with_auto(self):
        """The nodes come, the libraries do not."""
        host = driver.make_cdi_host(spec_version=OTHER_VERSION, name="old")
        bundle = self.with_args("--host-root", host)
        problems = self.run(bundle).check(None)
        bundle.config["process"]["args"] = container.probe_command()
        report = self.runtime.run(bundle.write())
        return problems + check_report(report, NVIDIA, {},
                                       refused="EPERM" if self.runtime.cgroup_version else None)

    def writable_for_others(self):
        host = driver.make_cdi_host(name="writable")
        os.chmod(f"{host}{driver.CDI_FILE}", 0o666)
        return self._refuses(self.with_args("--host-root", host, *driver.cdi_settings()),
                             "so others can write it")

    def variables_and_hooks_are_warned_of(self):
        log = f"{sandbox.WORK}/rest.log"
        settings = f"{sandbox.WORK}/rest.json"
        with open(settings, "w", encoding="ascii") as file:
            file.write(f'{{"nvidia": {{"source": "cdi"}}, "log": {{"target": "file:{log}"}}}}')
        os.chmod(settings, 0o644)
        bundle = self.with_args("--host-root", driver.make_cdi_host(), "--config", settings)
        problems = self.run(bundle).check(VERSION)
        with open(log, encoding="utf-8") as file:
            text = file.read()
        os.unlink(log)
        wanted = ("the CDI specification also asks for NVIDIA_VISIBLE_DEVICES, hook "
                  "enable-cuda-compat, which only the stage precreate can give")
        return problems if wanted in text else [*problems, f"the log is {text!r}"]

    def tests(self):
        return [(name, test) for name, test in super().tests() if name != "with args"]


def main():
    names = ["runc-v1", "runc-v2", "crun"]
    names += [f"{name}-cdi" for name in names]
    options = sandbox.arguments(__doc__, ("runtime", names), tools=driver.tools)
    why = driver.why_not()
    if why:
        sandbox.skip_all(why)
    runtime = runtimes.prepare(options.runtime.removesuffix("-cdi"))
    suite = Cdi if options.runtime.endswith("-cdi") else Suite
    return sandbox.run_tests(suite(options.hook, runtime).tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
