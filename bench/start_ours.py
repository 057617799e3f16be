"""``python -S -E bench/start_ours.py FOLDER``: one whole sandbox of ours for each line of standard input.

As small an interpreter as the supervisor's, because that is what starts a container. The clock holds the making of
the cgroup with its device rules, the clone, overlay, mounts, filter and exec, the program's end, and the cgroup's
removal. Answers a line of milliseconds.
"""

import json
import os
import select
import sys
import time

sys.path[0] = os.path.abspath(f"{os.path.dirname(__file__)}/..")  # noqa: PTH100, PTH120  no site-packages: -S

from containerlab.runtime import cgroups, launch  # noqa: E402
from containerlab.runtime.spawn import Started, spawn  # noqa: E402

folder = sys.argv[1]
launch.enter_namespaces()
driver = cgroups.driver()
null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
with open(f"{folder}/ours/config.json") as file:
    spec = json.load(file)
for number, _ in enumerate(sys.stdin):
    before = time.perf_counter_ns()
    cgroup = driver.create(f"bench-{os.getpid()}-{number}", spec["linux"]["resources"])
    starting = spawn(spec, f"{folder}/ours", (null, null, null), cgroup)
    answer = None
    while answer is None:
        select.select([starting], [], [])
        answer = starting.receive()
    status = os.waitpid(starting.pid, 0)[1]
    while not cgroup.remove():
        pass
    took = (time.perf_counter_ns() - before) / 1e6
    print(took if isinstance(answer, Started) and status == 0 else f"{answer} {status}", flush=True)
