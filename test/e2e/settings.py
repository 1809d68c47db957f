#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""settings.py --hook PROGRAM - the configuration file, and whose files the hook believes

The container is a stand-in (standin.py). Tests named r14 are those of the class "bundle and
config.json tricks".
"""

import json
import os
import re
import socket
import stat
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import container
import sandbox
from container import Bundle
from standin import StandIn, differences, one_line, run_hook

OWN_KEY = "org.example.site-gpu"
USER = 47110

# A policy that refuses the GPU that all tests ask for: its message tells that everything
# before the choice of GPUs went well.
DENY = {"policy": {"vendors": {"amd": {"max": 0}}}}
DENIED = "vendors.amd.max is 0"


def become_user():
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)


class Suite:
    def __init__(self, hook):
        self.hook = hook
        self.args = ["--host-root", container.make_host()]
        self.count = 0

    def _path(self, name):
        self.count += 1
        return f"{sandbox.WORK}/{name}-{self.count}"

    def _settings(self, value, mode=0o644, owner=0, path=None):
        """A configuration file. value: a dict, or text. Return: its path"""
        path = path or self._path("settings")
        with open(path, "w", encoding="utf-8") as file:
            file.write(value if isinstance(value, str) else json.dumps(value))
        os.chmod(path, mode)
        os.chown(path, owner, owner)
        return path

    @staticmethod
    def _bundle(request="amd:1", key=container.KEY):
        bundle = Bundle()
        if request is not None:
            bundle.request(request, key=key)
        return bundle.write()

    def _call(self, standin, *args, state=None, **kwargs):
        return run_hook(self.hook, state or standin.state(), *self.args, *args, **kwargs)

    def _succeeds(self, bundle, *args, **kwargs):
        with StandIn(bundle) as standin:
            result = self._call(standin, *args, **kwargs)
            problems = [] if result.returncode == 0 else [f"failed: {result.stderr!r}"]
            if "dev/kfd" not in standin.tree():
                problems.append("no GPU came")
            return problems

    def _does_nothing(self, bundle, *args, state=None, **kwargs):
        with StandIn(bundle) as standin:
            before = standin.look()
            result = self._call(standin, *args, state=state, **kwargs)
            problems = differences(before, standin.look())
            if (result.returncode, result.stdout, result.stderr) != (0, "", ""):
                problems.append(f"it was not silent: {result}")
            return problems

    def _refuses(self, bundle, args, *words, state=None, **kwargs):
        with StandIn(bundle) as standin:
            before = standin.look()
            result = self._call(standin, *args, state=state and state(standin), **kwargs)
            return one_line(result, *words) + differences(before, standin.look())

    # ---- the bundle ----------------------------------------------------------------------

    def r14_bundle_of_another_user(self):
        bundle = self._bundle()
        os.chown(bundle.directory, USER, USER)
        return self._refuses(bundle, [], bundle.directory, f"belongs to user {USER}", "chown")

    def bundle_of_the_root_of_its_user_namespace(self):
        """podman makes it so. config.json must be the engine's all the same."""
        bundle = self._bundle()
        bundle.config["linux"]["namespaces"].append({"type": "user"})
        bundle.write()
        os.chown(bundle.directory, USER, USER)
        problems = self._succeeds(bundle)
        os.chown(f"{bundle.directory}/config.json", USER, USER)
        return problems + self._refuses(bundle, [], f"belongs to user {USER}")

    def r14_bundle_that_a_group_can_write(self):
        bundle = self._bundle()
        os.chmod(bundle.directory, 0o775)
        return self._refuses(bundle, [], bundle.directory, "0775", "chmod go-w")

    def r14_bundle_behind_a_link(self):
        bundle = self._bundle()
        link = self._path("link")
        os.symlink(bundle.directory, link)
        return self._refuses(bundle, [], link, "symbolic link",
                             state=lambda standin: standin.state(bundle=link))

    def r14_config_of_another_user(self):
        bundle = self._bundle()
        os.chown(f"{bundle.directory}/config.json", USER, USER)
        return self._refuses(bundle, [], "config.json", f"belongs to user {USER}", "chown")

    def r14_config_that_others_can_write(self):
        problems = []
        for mode in (0o664, 0o646):
            bundle = self._bundle()
            os.chmod(f"{bundle.directory}/config.json", mode)
            problems += self._refuses(bundle, [], "config.json", f"{mode:04o}", "chmod go-w")
        return problems

    def doubts_are_nothing_to_a_container_without_a_request(self):
        bundle = self._bundle(None)
        os.chmod(bundle.directory, 0o777)
        os.chmod(f"{bundle.directory}/config.json", 0o666)
        return self._does_nothing(bundle)

    def bundle_in_a_directory_that_all_can_write(self):
        """Like /tmp: the bundle itself is what counts."""
        bundle = self._bundle()
        target = f"{sandbox.WORK}/tmp/bundle"
        os.rename(bundle.directory, target)
        bundle.directory, bundle.rootfs = target, f"{target}/rootfs"
        return self._succeeds(bundle)

    def list_of_a_broken_configuration(self):
        """The GPUs all the same; but where the ledger is the file does not tell."""
        problems = []
        for text in ("{", '{"order": 1}'):
            settings = self._settings(text)
            result = container.run([self.hook, "list", *self.args, "--config", settings])
            if result.returncode != 0 or "amd:0" not in result.stdout:
                problems.append(f"{text}: {result}")
            wanted = "oci-gpu-hook: who has which GPU is not known: " \
                     f"read configuration '{settings}': "
            lines = result.stderr.splitlines()
            if len(lines) != 1 or not lines[0].startswith(wanted):
                problems.append(f"{text}: on standard error: {result.stderr!r}")
        return problems

    def plan_warns_where_the_hook_refuses(self):
        bundle = self._bundle()
        os.chmod(f"{bundle.directory}/config.json", 0o666)
        config = self._settings({}, mode=0o666)
        result = container.run([self.hook, "plan", "--json", "--bundle", bundle.directory,
                                "--config", config, *self.args])
        warnings = json.loads(result.stdout)["warnings"]
        wanted = [f"trust {what}: its mode is 0666, so others can write it; chmod go-w it; "
                  "the hook refuses it as it is"
                  for what in (f"configuration '{config}'", "config.json")]
        return [] if warnings == wanted else [f"warnings are {warnings}, not {wanted}"]

    def a_user_may_have_a_group_of_his_own(self):
        """umask 002, and no root: refused by the policy, and so believed."""
        bundle = self._bundle()
        config = self._settings(DENY, mode=0o664, owner=USER)
        for path in (bundle.directory, f"{bundle.directory}/config.json"):
            os.chown(path, USER, USER)
            os.chmod(path, 0o775)
        problems = self._refuses(bundle, ["--config", config], DENIED, preexec_fn=become_user)
        os.chmod(f"{bundle.directory}/config.json", 0o666)
        return problems + self._refuses(bundle, ["--config", config], "0666", "chmod o-w",
                                        preexec_fn=become_user)

    def a_user_does_not_believe_another(self):
        bundle = self._bundle()
        os.chown(f"{bundle.directory}/config.json", USER + 1, USER + 1)
        return self._refuses(bundle, [], "neither to root nor to the user",
                             preexec_fn=become_user)

    # ---- whose configuration file --------------------------------------------------------

    def policy_refuses(self):
        config = self._settings(DENY)
        return self._refuses(self._bundle(), ["--config", config], "check policy: amd:0",
                             DENIED, config)

    def policy_that_allows(self):
        config = self._settings({"policy": {"default": "deny", "vendors": {"amd": {"max": 1}}}})
        return self._succeeds(self._bundle(), "--config", config)

    def config_that_others_can_write(self):
        """It is not even looked into: its policy would refuse."""
        problems = []
        for mode in (0o664, 0o646):
            config = self._settings(DENY, mode=mode)
            problems += self._refuses(self._bundle(), ["--config", config], config,
                                      f"{mode:04o}", "chmod go-w")
            problems += self._does_nothing(self._bundle(None), "--config", config)
        return problems

    def config_of_another_user(self):
        config = self._settings({}, owner=USER)
        return self._refuses(self._bundle(), ["--config", config], config, "not to root",
                             "chown")

    def config_that_is_a_link(self):
        config = self._path("link")
        os.symlink(self._settings({}), config)
        return self._refuses(self._bundle(), ["--config", config], config, "symbolic link")

    def config_that_is_absent(self):
        return self._refuses(self._bundle(), ["--config", "/nowhere"], "'/nowhere'", "No such")

    def config_that_is_broken(self):
        """Fails who asks, and nobody else."""
        config = self._settings({"polcy": {}})
        return self._refuses(self._bundle(), ["--config", config], "polcy", "unknown key") + \
            self._does_nothing(self._bundle(None), "--config", config) + \
            self._does_nothing(self._bundle("0"), "--config", config)

    def _with_etc(self, value, command=""):
        """A wrapper that gives the hook an /etc with this configuration file alone.

        command: a further wrapper, as text
        """
        source = self._settings(value)
        return ["unshare", "--mount", "sh", "-c",
                "mount -t tmpfs -o mode=755 tmpfs /etc && mkdir /etc/oci-gpu-hook && "
                f"cp {source} /etc/oci-gpu-hook/config.json && exec {command} \"$@\"", "sh"]

    def system_file(self):
        return self._refuses(self._bundle(), [], DENIED, "'/etc/oci-gpu-hook/config.json'",
                             wrapper=self._with_etc(DENY))

    def named_file_takes_the_place_of_the_systems(self):
        config = self._settings({})
        return self._succeeds(self._bundle(), "--config", config,
                              wrapper=self._with_etc({"polcy": 1}))

    def _home(self):
        home = self._path("home")
        os.makedirs(f"{home}/oci-gpu-hook")
        self._settings(DENY, owner=USER, path=f"{home}/oci-gpu-hook/config.json")
        return {"XDG_CONFIG_HOME": home}

    def a_users_own_file(self):
        return self._refuses(self._bundle(), [], DENIED, env=self._home(),
                             preexec_fn=become_user)

    def root_has_no_file_of_its_own(self):
        """Whoever can set root's environment is not its operator."""
        return self._succeeds(self._bundle(), env=self._home())

    def the_systems_file_before_a_users_own(self):
        wrapper = self._with_etc({"policy": {"default": "deny"}},
                                 f"setpriv --reuid {USER} --regid {USER} --clear-groups")
        return self._refuses(self._bundle(), [], "default is deny", env=self._home(),
                             wrapper=wrapper)

    def in_a_user_namespace_the_systems_file_belongs_to_nobody(self):
        """Only the user's own id is mapped there; root's files have the overflow id."""
        config = self._settings(DENY)
        bundle = self._bundle()
        os.chown(bundle.directory, USER, USER)
        os.chown(f"{bundle.directory}/config.json", USER, USER)
        return self._refuses(bundle, ["--config", config], DENIED, preexec_fn=become_user,
                             wrapper=["unshare", "--user", "--map-root-user"])

    # ---- the keys ------------------------------------------------------------------------

    def annotation(self):
        problems = []
        # The second spelling cannot be read at a glance.
        for text in ('{"annotation": "%s"}', '{"\\u0061nnotation": "%s"}'):
            config = self._settings(text % OWN_KEY)
            problems += self._succeeds(self._bundle(key=OWN_KEY), "--config", config)
            problems += self._does_nothing(self._bundle(), "--config", config)
            problems += self._succeeds(self._bundle(), "--config", config, "--annotation",
                                       container.KEY)
        return problems

    def watchdog(self):
        """Out of time after one second, by a mount that takes one and a half."""
        config = self._settings({"watchdogSeconds": 1})
        return self._refuses(self._bundle(), ["--config", config], "out of time", wrapper=[
            "strace", *sandbox.UNDER_STRACE, "-o", "/dev/null", "-e", "trace=open_tree",
            "-e", "inject=open_tree:delay_enter=1500000:when=1"])

    def _log(self, target, level="error"):
        return ["--config", self._settings({"log": {"target": target, "level": level}})]

    def log_file(self):
        """An error of the annotation and what was given, each as one line with its time."""
        log = self._path("log")
        problems = self._refuses(self._bundle("amd:5"), self._log(f"file:{log}"), "5")
        problems += self._refuses(self._bundle("amd:x"), self._log(f"file:{log}"), "amd:x")
        problems += self._succeeds(self._bundle(), *self._log(f"file:{log}", "info"))
        if stat.S_IMODE(os.stat(log).st_mode) != 0o600:
            problems.append(f"its mode is {os.stat(log).st_mode:o}")
        with open(log, encoding="utf-8") as file:
            lines = file.read().splitlines()
        wanted = ["5 amd GPUs asked", "amd:x", "got amd:0"]
        if len(lines) != len(wanted):
            return problems + [f"the log is {lines}"]
        for line, words in zip(lines, wanted):
            if words not in line or not re.match(
                    r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ oci-gpu-hook\[\d+\]: \S", line):
                problems.append(f"the log has {line!r}")
        return problems

    def log_file_that_is_none(self):
        problems = []
        fifo, link, strangers = (self._path(name) for name in ("fifo", "link", "strangers"))
        os.mkfifo(fifo)
        os.symlink(self._settings(""), link)
        self._settings("", owner=USER, path=strangers)
        for path, words in ((fifo, "No such device"), (link, "Too many levels"),
                            ("/dev/null", "not a regular file"), ("/nowhere/x", "No such file"),
                            (strangers, f"belongs to user {USER}")):
            problems += self._refuses(self._bundle(), self._log(f"file:{path}"),
                                      f"open log '{path}'", words)
            problems += self._does_nothing(self._bundle(None), *self._log(f"file:{path}"))
        return problems

    def log_elsewhere_than_in_the_systems(self):
        """stderr and none: nothing goes to /dev/log; the error's line is on stderr anyway."""
        directory = self._path("devlog")
        os.mkdir(directory)
        problems = []
        wrapper = ["unshare", "--mount", "sh", "-c",
                   f'mount --bind {directory} /dev; exec "$@"', "sh"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(f"{directory}/log")
            for target, wanted in (("syslog", 1), ("stderr", 0), ("none", 0)):
                problems += self._refuses(self._bundle("amd:5"), self._log(target), "5",
                                          wrapper=wrapper)
                log.settimeout(0.2)
                try:
                    log.recv(4096)
                    found = 1
                except TimeoutError:
                    found = 0
                if found != wanted:
                    problems.append(f"{target}: {found} messages, not {wanted}")
            # Into a file, as crun opens one, the hook writes nothing: else nobody would know.
            wrapper[-2] = wrapper[-2].replace('"$@"', f'"$@" 2>>{directory}/file')
            with StandIn(self._bundle("amd:5")) as standin:
                self._call(standin, *self._log("stderr"), wrapper=wrapper)
            try:
                if b"5 amd GPUs asked" not in log.recv(4096):
                    problems.append("another message")
            except TimeoutError:
                problems.append("the error came to nobody")
        return problems

    def log_level(self):
        """Of the file, unless the option says otherwise; none is silent."""
        problems = []
        for args, wanted in ((self._log("stderr"), False), (self._log("stderr", "info"), True),
                             (self._log("none", "info"), False),
                             ([*self._log("stderr", "info"), "--log-level", "error"], False),
                             ([*self._log("stderr"), "--log-level", "info"], True)):
            with StandIn(self._bundle()) as standin:
                result = self._call(standin, *args)
            if result.returncode != 0 or ("got amd:0" in result.stderr) != wanted:
                problems.append(f"{args}: {result}")
        return problems

    def tests(self):
        names = [name for name, value in vars(Suite).items()
                 if callable(value) and not name.startswith("_") and name != "tests"]
        return [(name.replace("_", " "), getattr(self, name)) for name in names]


def main():
    options = sandbox.arguments(__doc__, tools=["busybox", "strace", "setpriv"])
    return sandbox.run_tests(Suite(options.hook).tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
