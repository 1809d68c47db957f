#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""regress.py --hook PROGRAM - R1 to R22: one attack after the other, on a stand-in

The numbers are those of the project's list of attacks. R8 is race.py, R20 is devices.py, R23
is runtime.py, R24 is load.py. R25, the daemon-reload of systemd, needs a systemd that manages
the machine: it belongs to the tests in a virtual machine.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stage  # pylint: disable=unused-import  # its first lines say where everything else is
import sandbox
from inputs import Inputs
from links import Links
from mounts import Mounts
from process import Process


class Suite(Links, Inputs, Mounts, Process):
    def tests(self):
        for number in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22):
            yield from getattr(self, f"r{number}")()


def main():
    options = sandbox.arguments(__doc__, tools=["busybox", "strace", "nsenter"])
    suite = Suite(options.hook)
    return suite.run(suite.tests(), options.only)


if __name__ == "__main__":
    sys.exit(main())
