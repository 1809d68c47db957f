# SPDX-License-Identifier: Apache-2.0
"""pool.py - the same for many containers: some at a time, since most of it is waiting"""

import concurrent.futures

WORKERS = 4


def each(items, do, workers=WORKERS):
    """Return: what do() returned for each, in the items' order. Raises what the first raised,
    when all are done."""
    with concurrent.futures.ThreadPoolExecutor(workers) as executor:
        return [future.result() for future in [executor.submit(do, item) for item in items]]
