"""``python -S -E bench/start_crun.py FOLDER BUNDLE overlay|ready``: one ``crun run`` for each line of standard input.

``overlay``: the root is mounted and unmounted with the clock running, by one system call each, as ours mounts it
itself. ``ready``: it was mounted beforehand, which crun alone is spared. Answers a line of milliseconds.

In a mount namespace of its own: crun 1.8 refuses a v1 tree that has an empty v2 tree beside it (hybrid mode), so
that one is unmounted here. What crun takes for a group there are then plain files, which it can't remove: they are
written to a tmpfs that goes with the namespace.
"""

import os
import sys
import time

sys.path[0] = os.path.abspath(f"{os.path.dirname(__file__)}/..")  # noqa: PTH100, PTH120  no site-packages: -S

from containerlab.runtime import constants as c  # noqa: E402
from containerlab.runtime import syscalls  # noqa: E402

folder, bundle, root = sys.argv[1:]
crun = next(f"{place}/crun" for place in os.environ["PATH"].split(":") if os.access(f"{place}/crun", os.X_OK))
syscalls.unshare(c.CLONE_NEWNS)
syscalls.mount("", "/", "", c.MS_PRIVATE | c.MS_REC)
if os.path.ismount("/sys/fs/cgroup/unified"):
    syscalls.umount2("/sys/fs/cgroup/unified")
    syscalls.mount("tmpfs", "/sys/fs/cgroup/unified", "tmpfs")
target = f"{folder}/{bundle}/rootfs"
options = f"lowerdir={folder}/layers/base/diff,upperdir={folder}/{bundle}/upper,workdir={folder}/{bundle}/work"
null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
stdio = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1)]
if root == "ready":
    syscalls.mount("overlay", target, "overlay", 0, options)
for number, _ in enumerate(sys.stdin):
    name = f"bench-{os.getpid()}-{number}"
    command = ["crun", "--root", f"{folder}/state", "run", "--bundle", f"{folder}/{bundle}", name]
    before = time.perf_counter_ns()
    if root == "overlay":
        syscalls.mount("overlay", target, "overlay", 0, options)
    pid = os.posix_spawn(crun, command, os.environ, file_actions=stdio)
    status = os.waitpid(pid, 0)[1]
    if root == "overlay":
        syscalls.umount2(target, c.MNT_DETACH)
    took = (time.perf_counter_ns() - before) / 1e6
    print(took if status == 0 else f"crun ended with {os.waitstatus_to_exitcode(status)}", flush=True)
