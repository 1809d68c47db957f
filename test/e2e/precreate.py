#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""precreate.py --hook PROGRAM - the command precreate, called as podman calls it

config.json on standard input, what comes out compared with what Python makes of the same
input: everything that was there, byte for byte and in its order, and our entries. Containers
with it are podman.py's and oci.py's affair.
"""

import copy
import json
import os
import random
import re
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import container
import sandbox
from container import AMD, CHOSEN, KEY, RENDER_GROUP

AMD_PCI = "0000:0f:00.0"  # in test/hosts/mixed.host
DENY_ALL = {"allow": False, "access": "rwm"}


def device(path, major, minor, mode=0o660, gid=RENDER_GROUP):
    return {"path": path, "type": "c", "major": major, "minor": minor, "fileMode": mode,
            "uid": 0, "gid": gid}


def rule(major, minor):
    return {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rw"}


def minimal(**members):
    return {"ociVersion": "1.0.2", "root": {"path": "rootfs"},
            "linux": {"resources": {"devices": [DENY_ALL]}},
            "annotations": {KEY: "amd:1"}, **members}


class Number(str):
    """A number as it is written: 1e5 is not 100000.0 here."""


def parse(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def same(value):
    """What parse() makes of a value that json would write."""
    return parse(json.dumps(value))


def is_spread_over(part, whole):
    """Is `whole` the bytes of `part` in their order, with others between?"""
    rest = iter(whole)
    return all(byte in rest for byte in part)


class Generator:
    """config.json in many shapes: members absent, null, empty or filled, in any order and
    with any blanks, with numbers and texts that a careless writer would change."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def blank(self):
        return self.random.choice(["", "", " ", "\n", "\t", "  \r\n "])

    def text(self):
        return self.random.choice(['""', '"a"', '"\\"]}"', '"\\u0041\\/\\\\"', '"\u00e9\u4e2d"',
                                   '"\\ud83d\\ude00"', '"{[,:"', f'"{KEY}"', f'"{CHOSEN}"'])

    def scalar(self):
        return self.random.choice(["null", "true", "false", "0", "-0", "1.0", "1e5", "1E+2",
                                   "18446744073709551615", "-9223372036854775808", "0.1",
                                   self.text()])

    def value(self, depth=0):
        kind = self.random.randrange(6 if depth < 4 else 3)
        if kind < 3:
            return self.scalar()
        if kind < 5:
            return self.array([self.value(depth + 1) for _ in range(self.random.randrange(4))])
        return self.object({f"k{i}": self.value(depth + 1)
                            for i in range(self.random.randrange(4))})

    def array(self, values):
        return "[" + self.blank() + ",".join(
            self.blank() + value + self.blank() for value in values) + "]"

    def object(self, members):
        keys = list(members)
        self.random.shuffle(keys)
        return "{" + self.blank() + ",".join(
            f"{self.blank()}{self.key(key)}{self.blank()}:{self.blank()}{members[key]}"
            f"{self.blank()}" for key in keys) + "}"

    def key(self, key):
        """Where names are free, sometimes a character of it as an escape."""
        if key.startswith(("k", "org.", KEY)) and self.random.randrange(8) == 0:
            at = self.random.randrange(len(key))
            return f'"{key[:at]}\\u{ord(key[at]):04x}{key[at + 1:]}"'
        return f'"{key}"'

    def maybe(self, members, key, make):
        kind = self.random.randrange(5)
        if kind == 0:
            members[key] = "null"
        elif kind > 1:
            members[key] = make()

    def some(self, make):
        return [make() for _ in range(self.random.randrange(3))]

    def config(self):
        top = {"root": '{"path":"r"}', "ociVersion": '"1.0.2"'}
        annotations = {KEY: '"amd:1"'}
        for i in range(self.random.randrange(3)):
            annotations[f"org.x{i}"] = self.text()
        if self.random.randrange(3) == 0:
            annotations[CHOSEN] = self.text()
        top["annotations"] = self.object(annotations)
        self.maybe(top, "process", self.process)
        self.maybe(top, "linux", self.linux)
        self.maybe(top, "hooks", self.hooks)
        self.maybe(top, "mounts", lambda: self.array(self.some(
            lambda: self.object({"destination": '"/m"', "type": '"tmpfs"', "x": self.value()}))))
        for i in range(self.random.randrange(3)):
            top[f"x{i}"] = self.value()
        return self.blank() + self.object(top) + self.blank()

    def process(self):
        members = {"x": self.value()}
        self.maybe(members, "env", lambda: self.array(self.some(self.text)))
        self.maybe(members, "user", self.user)
        return self.object(members)

    def user(self):
        members = {"uid": self.random.choice(["0", "1000"])}
        self.maybe(members, "gid", lambda: self.random.choice(["0", "7", "105"]))
        self.maybe(members, "additionalGids", lambda: self.array(
            self.some(lambda: self.random.choice(["5", "105", "6.0"]))))
        return self.object(members)

    def linux(self):
        members = {"x": self.value()}
        self.maybe(members, "devices", lambda: self.array(self.some(
            lambda: '{"path":"/dev/x","type":"c","major":1,"minor":2}')))
        self.maybe(members, "resources", self.resources)
        return self.object(members)

    def resources(self):
        members = {"memory": self.value()}
        self.maybe(members, "devices", lambda: self.array(self.some(
            lambda: self.random.choice(['{"allow":false,"access":"rwm"}',
                                        '{"allow":true,"access":"rwm"}',
                                        '{"allow":true,"type":"c","major":235,"access":"rw"}']))))
        return self.object(members)

    def hooks(self):
        members = {}
        for stage in ("createRuntime", "poststop"):
            self.maybe(members, stage, lambda: self.array(self.some(
                lambda: self.object({"path": '"/x"', "x": self.value()}))))
        return self.object(members)


def allows(rules, major, minor):
    """As the OCI runtime specification says it: the last rule that fits decides."""
    access = {"r": False, "w": False}
    for entry in rules:
        if entry.get("type", "a") in ("a", "c") and \
                entry.get("major", Number("-1")) in ("-1", str(major)) and \
                entry.get("minor", Number("-1")) in ("-1", str(minor)):
            for word in "rw":
                if word in entry["access"]:
                    access[word] = entry["allow"]
    return all(access.values())


# The host's nodes as they are, which the process may open by a group; private nodes need none
# (private.py).
HOST_NODES = ["--config", f"{sandbox.WORK}/host-nodes.json"]


class Suite:
    def __init__(self, hook):
        self.hook = hook
        self.host = container.make_host()
        with open(HOST_NODES[1], "w", encoding="ascii") as file:
            json.dump({"access": "host"}, file)
        os.chmod(HOST_NODES[1], 0o644)

    def call(self, text, *args, host=None, **kwargs):
        if not isinstance(text, bytes):
            text = (text if isinstance(text, str) else json.dumps(text)).encode()
        return subprocess.run([self.hook, "precreate", "--host-root", host or self.host, *args],
                              input=text, capture_output=True, check=False, timeout=30,
                              env={}, **kwargs)

    def edit(self, config, *args):
        result = self.call(config, *args)
        if result.returncode != 0:
            raise RuntimeError(f"exit status {result.returncode}: {result.stderr!r}")
        return json.loads(result.stdout)

    def refuses(self, config, wanted, *args, **kwargs):
        """It fails with one line, and says nothing on standard output."""
        result = self.call(config, *args, **kwargs)
        problems = []
        if result.returncode != 1:
            problems.append(f"exit status {result.returncode}")
        if result.stdout:
            problems.append(f"standard output has {result.stdout[:200]!r}")
        if result.stderr.decode() != f"oci-gpu-hook: {wanted}\n":
            problems.append(f"standard error has {result.stderr!r}")
        return problems

    # ---- nothing to do -------------------------------------------------------------------

    def without_a_request_every_byte_comes_back(self):
        # A backslash could begin the key in another spelling, so that all would be parsed.
        odd = random.Random(1).randbytes(200000).replace(b"\\", b"/")
        texts = [b"", b"{}", b"no JSON at all", odd, b"\xef\xbb\xbf{}\n",
                 json.dumps(minimal(annotations={"x": "y"}), indent=3).encode(),
                 json.dumps(minimal(annotations={KEY: "0"}), indent=1).encode(),
                 json.dumps(minimal(annotations={KEY: "amd:0", CHOSEN: "x"})).encode(),
                 b'{"a": "' + b"x" * (15 << 20) + b'"}']
        problems = []
        for text in texts:
            result = self.call(text)
            if (result.returncode, result.stdout, result.stderr) != (0, text, b""):
                problems.append(f"{text[:80]!r}: exit status {result.returncode}, "
                                f"{len(result.stdout)} of {len(text)} bytes, "
                                f"{result.stderr!r}")
        return problems

    # ---- what is written -----------------------------------------------------------------

    def all_places(self):
        """An AMD GPU for a user: everything that the stage can give, in one config."""
        got = self.edit(minimal(process={"user": {"uid": 1000, "gid": 1000}}), *HOST_NODES)
        hook = {"path": self.hook, "args": ["oci-gpu-hook", "createRuntime", "--host-root",
                                            self.host, *HOST_NODES], "timeout": 15}
        wanted = minimal(
            process={"user": {"uid": 1000, "gid": 1000, "additionalGids": [RENDER_GROUP]}},
            annotations={KEY: "amd:1", CHOSEN: f"v1 {AMD_PCI}"},
            hooks={"createRuntime": [hook]},
            linux={"devices": [device(path, *number) for path, number in AMD.items()],
                   "resources": {"devices": [DENY_ALL] + [
                       rule(*number) for number in AMD.values()]}})
        return [] if got == wanted else [f"got {got}", f"not {wanted}"]

    def options_go_on_to_the_later_stage(self):
        settings = f"{sandbox.WORK}/settings.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"watchdogSeconds": 20}, file)
        got = self.edit(minimal(annotations={"org.x": "amd:1"}), "--annotation", "org.x",
                        "--config", settings)["hooks"]["createRuntime"]
        wanted = [{"path": self.hook,
                   "args": ["oci-gpu-hook", "createRuntime", "--host-root", self.host,
                            "--annotation", "org.x", "--config", settings], "timeout": 25}]
        return [] if got == wanted else [f"got {got}"]

    def generated(self):
        """Thousands of configs against Python's own reading of them."""
        problems = []
        n_done = 0
        # With sanitizers a run takes ten times as long, and what it says of memory each says.
        n_seeds = 150 if sandbox.is_sanitized(self.hook) else 1500
        for seed in range(n_seeds):
            text = Generator(seed).config()
            result = self.call(text, *HOST_NODES)
            if result.returncode != 0:
                problems.append(f"seed {seed}: {result.stderr!r}: {text}")
                continue
            n_done += 1
            wrong = self.compare(text, result.stdout.decode())
            if wrong:
                problems.append(f"seed {seed}: {wrong}: {text} gave {result.stdout!r}")
        if n_done < n_seeds * 2 // 3:
            problems.append(f"only {n_done} were taken")
        return problems[:3]

    def compare(self, text, edited):
        """Return: what is wrong, or None"""
        before = parse(text)
        wanted = copy.deepcopy(before)
        process = before.get("process") or {}
        user = process.get("user") or {}
        resources = (before.get("linux") or {}).get("resources") or {}
        rules = resources.get("devices") or []
        needed = [number for number in AMD.values() if not allows(rules, *number)]

        def place(*keys):
            """The list there, made if it is absent."""
            where = wanted
            for key in keys[:-1]:
                if where.get(key) is None:
                    where[key] = {}
                where = where[key]
            if where.get(keys[-1]) is None:
                where[keys[-1]] = []
            return where[keys[-1]]

        place("linux", "devices").extend(same([device(path, *number)
                                               for path, number in AMD.items()]))
        if rules and needed:
            place("linux", "resources", "devices").extend(same([rule(*number)
                                                                for number in needed]))
        place("hooks", "createRuntime").append(same(
            {"path": self.hook, "args": ["oci-gpu-hook", "createRuntime", "--host-root",
                                         self.host, *HOST_NODES], "timeout": 15}))
        groups = [user.get("gid")] + (user.get("additionalGids") or [])
        if user.get("uid", "0") != "0" and "105" not in groups:
            place("process", "user", "additionalGids").append(Number("105"))
        wanted["annotations"][CHOSEN] = f"v1 {AMD_PCI}"
        if parse(edited) != wanted:
            return f"wanted {wanted}"
        if CHOSEN in before["annotations"]:
            return None  # its value has given way
        # null gives way as well.
        return None if is_spread_over(text.replace("null", ""), edited) else "bytes are lost"

    def twice_is_once(self):
        problems = []
        for seed in range(100):
            first = self.call(Generator(seed).config()).stdout
            second = self.call(first).stdout
            if first != second:
                problems.append(f"seed {seed}: {first!r} became {second!r}")
        return problems[:3]

    def a_forged_choice_is_replaced(self):
        got = self.edit(minimal(annotations={KEY: "amd:1", CHOSEN: "v1 0000:81:00.0"}))
        return [] if got["annotations"][CHOSEN] == f"v1 {AMD_PCI}" else [str(got)]

    # ---- what is refused -----------------------------------------------------------------

    def an_image_leads_a_volume_below_dev(self):
        """By its name the volume is beside /dev. The runtime would make the node in it."""
        root = f"{sandbox.WORK}/root"
        os.makedirs(f"{root}/data/plain")
        os.symlink("/dev", f"{root}/foo")
        os.symlink("/dev/dri", f"{root}/bar")
        problems = []
        for places, is_left in ((["/data/plain"], False), (["/data/missing"], False),
                                (["/foo/dri"], True), (["/bar"], True),
                                (["/data/plain/../../dev"], True),
                                (["/data/plain/", "//data/plain/dri"], True)):
            got = self.edit(minimal(
                root={"path": root},
                mounts=[{"destination": place, "source": "/v", "type": "bind"}
                        for place in places]))
            if ("devices" not in got["linux"]) != is_left:
                problems.append(f"{places}: {got['linux']}")
            if is_left and "createRuntime" not in got["hooks"]:
                problems.append(f"{places}: nobody makes the nodes")
        for outer, is_left in (("overlay", True), ("tmpfs", False)):
            got = self.edit(minimal(root={"path": root}, mounts=[
                {"destination": "/data/missing", "type": outer, "source": outer},
                {"destination": "/data/missing/x", "source": "/v", "type": "bind"}]))
            if ("devices" not in got["linux"]) != is_left:
                problems.append(f"a volume in one of {outer}: {got['linux']}")
        os.symlink("/data/plain", f"{root}/dev")
        for mounts, is_left in (([{"destination": "/data/plain", "source": "/v", "type": "bind"}],
                                 True),
                                ([{"destination": "/data/plain", "type": "overlay"}], True),
                                ([{"destination": "/dev", "type": "tmpfs"}], False)):
            got = self.edit(minimal(root={"path": root}, mounts=mounts))
            if ("devices" not in got["linux"]) != is_left:
                problems.append(f"/dev is a link, {mounts}: {got['linux']}")
        os.unlink(f"{root}/dev")
        got = self.edit(minimal(mounts=[{"destination": "/x", "source": "/v", "type": "bind"}]))
        if "devices" in got["linux"]:
            problems.append(f"a root that is not known: {got['linux']}")
        return problems

    def another_device_at_the_place(self):
        other = {"path": "/dev/kfd", "type": "c", "major": 10, "minor": 7}
        return self.refuses(
            minimal(linux={"devices": [other]}),
            "place '/dev/kfd' of the container: config.json has 'c' 10:7 there, and c 235:0 "
            "belongs there; do not ask the engine for that device")

    def another_spelling(self):
        return self.refuses(
            minimal(Mounts=[]),
            "read config.json: member 'Mounts': it is spelled 'mounts', and some runtimes take "
            "both for the same")

    def a_spelling_with_escapes(self):
        config = json.dumps(minimal(annotations={KEY: "amd:1", CHOSEN: "x"}, mounts=[]))
        problems = self.refuses(
            config.replace('"mounts"', '"mount\\u0073"'),
            f"read config.json: byte {config.index('mounts')}: the name of this member has "
            "an escape or no ASCII; write it in plain letters")
        return problems + self.refuses(
            config.replace('chosen"', 'ch\\u006fsen"'),
            "read config.json: annotation 'io.oci-gpu-hook.chosen': its name has escapes; "
            "remove it")

    def a_copy_for_a_file_of_the_images_choice(self):
        """podman makes it, of whatever is written here: with a request, and without one."""
        problems = []
        for request in ("amd:1", "0", None):
            annotations = {"run.oci.hooks.stdout": "/etc/ld.so.preload"}
            if request is not None:
                annotations[KEY] = request
            problems += self.refuses(
                minimal(annotations=annotations),
                "write config.json: it has the annotation 'run.oci.hooks.stdout', and podman "
                "would copy all of it into the file that it names; remove the annotation, or "
                "register createRuntime instead")
        return problems

    def too_few(self):
        return self.refuses(minimal(annotations={KEY: "amd:5"}),
                            "select GPUs: 5 amd GPUs asked, 1 found")

    def a_node_that_is_not_there(self):
        host = f"{sandbox.WORK}/lacking"
        subprocess.run(["cp", "-a", self.host, host], check=True, timeout=30)
        os.unlink(f"{host}/dev/kfd")
        return self.refuses(minimal(), "find node '/dev/kfd': it is not there; load its driver "
                            "or run its setup tool", host=host)

    def policy(self):
        settings = f"{sandbox.WORK}/policy.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"policy": {"default": "deny"}}, file)
        return self.refuses(minimal(), f"check policy: amd:0 ({AMD_PCI}): vendors has no amd, "
                            f"and default is deny in '{settings}'", "--config", settings)

    def too_large(self):
        return self.refuses(b"{" + b" " * (16 << 20),
                            "read config.json on standard input: larger than 16777216 bytes")

    def output_that_cannot_be_written(self):
        """Not all of it is as bad as nothing: the exit status says so."""
        problems = []
        with open("/dev/full", "wb") as full:
            result = subprocess.run([self.hook, "precreate"], input=b"{}", stdout=full,
                                    stderr=subprocess.PIPE, check=False, timeout=30)
        if result.returncode != 1 or b"write config.json: No space left" not in result.stderr:
            problems.append(f"full disk: {result.returncode}, {result.stderr!r}")
        reader, writer = os.pipe()
        os.close(reader)
        result = subprocess.run([self.hook, "precreate"], input=b"{}", stdout=writer,
                                stderr=subprocess.PIPE, check=False, timeout=30)
        os.close(writer)
        if result.returncode != 1 or b"write config.json: Broken pipe" not in result.stderr:
            problems.append(f"closed pipe: {result.returncode}, {result.stderr!r}")
        return problems

    def a_reader_that_stops_reading(self):
        """It is given up at the deadline."""
        settings = f"{sandbox.WORK}/deadline.json"
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"watchdogSeconds": 1}, file)
        text = json.dumps(minimal(x="y" * (1 << 20))).encode()
        reader, writer = os.pipe()
        try:
            result = subprocess.run([self.hook, "precreate", "--host-root", self.host,
                                     "--config", settings], input=text, stdout=writer,
                                    stderr=subprocess.PIPE, check=False, timeout=30)
        finally:
            os.close(reader)
            os.close(writer)
        return [] if result.returncode == 1 and \
            b"write config.json: out of time; whoever runs this" in result.stderr else \
            [f"exit status {result.returncode}, {result.stderr!r}"]

    def failure_is_logged(self):
        """podman throws the line on standard error away."""
        directory = f"{sandbox.WORK}/devlog"
        os.mkdir(directory)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(f"{directory}/log")
            log.settimeout(5)
            subprocess.run(["unshare", "--mount", "sh", "-c",
                            f'mount --bind {directory} /dev; exec "$@"', "sh", self.hook,
                            "precreate", "--host-root", self.host],
                           input=json.dumps(minimal(annotations={KEY: "amd:5"})).encode(),
                           capture_output=True, check=False, timeout=30)
            try:
                message = log.recv(4096).decode()
            except TimeoutError:
                return ["nothing came to /dev/log"]
        wanted = r"<27>oci-gpu-hook\[\d+\]: select GPUs: 5 amd GPUs asked, 1 found"
        return [] if re.fullmatch(wanted, message) else [f"/dev/log got {message!r}"]

    def tests(self):
        helpers = {"call", "edit", "refuses", "compare", "tests"}
        return [(name.replace("_", " "), getattr(self, name)) for name, value in
                vars(Suite).items()
                if callable(value) and not name.startswith("_") and name not in helpers]


def main():
    options = sandbox.arguments(__doc__, tools=["busybox"])
    return sandbox.run_tests(Suite(options.hook).tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
