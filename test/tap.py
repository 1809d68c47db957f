# SPDX-License-Identifier: Apache-2.0
"""tap.py - write and read the Test Anything Protocol, version 13 (testanything.org)

Every suite prints it, whatever it is written in, and check.py counts what they print.
"""

import re
import sys


class Writer:
    """Prints a suite. Results come one by one; the plan comes at the end."""

    def __init__(self, out=None):
        self.out = out or sys.stdout
        self.count = 0
        self.failed = 0
        print("TAP version 13", file=self.out, flush=True)

    def _result(self, word, name, directive=""):
        self.count += 1
        # '#' starts a directive, so a name may not hold one.
        name = name.replace("#", "no. ")
        print(f"{word} {self.count} - {name}{directive}", file=self.out, flush=True)

    def ok(self, name):
        self._result("ok", name)

    def fail(self, name, why):
        """why: text of any number of lines, printed as diagnostics"""
        self.failed += 1
        self._result("not ok", name)
        for line in str(why).splitlines():
            print(f"# {line}", file=self.out, flush=True)

    def skip(self, name, why):
        self._result("ok", name, f" # SKIP {why}")

    def check(self, name, problems):
        """problems: what is wrong; empty means that the test passed"""
        if problems:
            self.fail(name, problems if isinstance(problems, str) else "\n".join(problems))
        else:
            self.ok(name)

    def done(self):
        """Prints the plan. Return: the exit status for the suite."""
        print(f"1..{self.count}", file=self.out, flush=True)
        return 1 if self.failed else 0


class Result:
    """What one suite printed."""

    def __init__(self):
        self.passed = 0
        self.failures = []  # (name, diagnostics)
        self.skips = []  # (name, reason)


RESULT = re.compile(r"^(ok|not ok)\b(?:\s+\d+)?(?:\s+-)?\s*([^#]*?)\s*(?:#\s*(\w+)\s*(.*))?$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*SKIP\S*\s*(.*))?$", re.IGNORECASE)


def read(text, status):
    """Reads what a suite printed.

    status: its exit status, or None after a time-out. A suite that broke off, printed no
    plan, or failed without naming a test has one failure more: silence is no success.
    """
    result = Result()
    planned = None
    seen = 0
    notes = []  # diagnostics of the last failure
    for line in text.splitlines():
        plan = PLAN.match(line)
        match = RESULT.match(line)
        if plan:
            planned = int(plan.group(1))
            if planned == 0:
                result.skips.append(("all", plan.group(2) or "no reason given"))
            continue
        if not match:
            if notes is not None and line.strip():
                notes.append(line)
            continue
        seen += 1
        word, name, directive, reason = match.groups()
        notes = None
        if (directive or "").upper().startswith("SKIP"):
            result.skips.append((name, reason or "no reason given"))
        elif word == "ok":
            result.passed += 1
        else:
            notes = []
            result.failures.append((name, notes))
    if status is None:
        result.failures.append(("ran into its time limit", tail(text)))
    elif planned is None or planned != seen:
        why = f"planned {planned} tests, saw {seen}, exit status {status}"
        result.failures.append(("broke off", [why] + tail(text)))
    elif status != 0 and not result.failures:
        result.failures.append((f"exit status {status}, no test named", tail(text)))
    return result


def tail(text, lines=30):
    return text.splitlines()[-lines:]
