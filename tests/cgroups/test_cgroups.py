"""Limits that hold, figures that count, and refusals in place of silence, on the host's own cgroups."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containerlab.runtime import cgroups, device_filter
from containerlab.runtime.cgroup_v2 import CgroupV2, weight_of_shares
from containerlab.runtime.cgroups import Cgroup
from tests.groups import groups

pytestmark = pytest.mark.root
DENY_ALL = {"allow": False, "access": "rwm"}
Make = Callable[..., Cgroup]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes groups; ends what runs in them and removes them."""
    made: list[Cgroup] = []

    def create(resources: dict[str, Any] | None = None, **options: Any) -> Cgroup:
        group = cgroups.driver().create(f"cltest-{uuid.uuid4().hex[:12]}", resources or {}, **options)
        made.append(group)
        return group

    yield create
    for group in made:
        group.kill()
        deadline = time.monotonic() + 10
        while not group.remove():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not any(Path(path).exists() for path in group.directories)


def _run(group: Cgroup, *command: str) -> subprocess.Popen[str]:
    """A process that joins the group as a container does, then runs ``command``."""
    fds = group.join_fds

    def join() -> None:
        for fd in fds:
            os.write(fd, b"0")

    return subprocess.Popen(command, preexec_fn=join, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _python(group: Cgroup, code: str) -> str:
    return _run(group, sys.executable, "-c", code).communicate(timeout=30)[0]


def test_a_memory_limit_kills_and_is_counted(make: Make) -> None:
    group = make({"memory": {"limit": 32 << 20, "swap": 32 << 20}})
    process = _run(group, sys.executable, "-c", "bytearray(200 << 20)")
    assert process.wait(30) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    assert group.oom_kills() > 0
    assert group.stats()["memory"]["limit"] == 32 << 20


def test_limits_can_be_raised_and_lowered_later(make: Make) -> None:
    group = make({"memory": {"limit": 32 << 20, "swap": 48 << 20}})
    for limit, both in ((128 << 20, 256 << 20), (16 << 20, 16 << 20)):
        group.update({"memory": {"limit": limit, "swap": both}, "pids": {"limit": 7}})
        assert group.stats()["memory"]["limit"] == limit
    assert group.stats()["pids"]["limit"] == 7
    group.update({"pids": {"limit": -1}})
    assert "limit" not in group.stats()["pids"]


def test_a_pids_limit_stops_a_fork_bomb(make: Make) -> None:
    group = make({"pids": {"limit": 5}})
    code = (
        "import os, time\nfor n in range(20):\n try: pid = os.fork()\n except OSError as e: print(n, e.errno); break\n"
        " if pid == 0: time.sleep(1); os._exit(0)"
    )
    assert _python(group, code).split() == ["4", str(errno.EAGAIN)]


def test_cpu_time_is_limited_and_counted(make: Make) -> None:
    group = make({"cpu": {"quota": 20000, "period": 100000, "shares": 512}})
    code = "import time; end = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(time.process_time())"
    begun = time.monotonic_ns()
    assert float(_python(group, code)) > 0
    took = time.monotonic_ns() - begun
    figures = group.stats()["cpu"]
    assert figures["throttled_periods"] > 0
    assert 0 < figures["usage_ns"] < 0.6 * took


def test_a_cpuset_holds_and_the_half_that_was_not_given_is_filled_in(make: Make) -> None:
    group = make({"cpu": {"cpus": "0"}})
    assert _python(group, "import os; print(os.sched_getaffinity(0))").strip() == "{0}"


def test_a_group_that_asks_for_no_cpuset_joins_none(make: Make) -> None:
    group = make({"memory": {"limit": 64 << 20}})
    assert "cpuset" not in group.paths
    assert len(group.join_fds) == len(group.directories)


def test_only_the_devices_on_the_list_can_be_opened_or_made(make: Make, tmp_path: Path) -> None:
    rules = [DENY_ALL, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]
    group = make({"devices": rules})
    assert _python(group, _PROBE.replace("NODE", str(tmp_path / "node"))).split() == ["null", "EPERM", "EPERM"]


_PROBE = """
import errno, os
for path in ("/dev/null", "/dev/zero"):
    try: os.close(os.open(path, os.O_RDWR)); print(path[5:])
    except OSError as e: print(errno.errorcode[e.errno])
try: os.mknod("NODE", 0o20600, os.makedev(1, 3)); print("made")
except OSError as e: print(errno.errorcode[e.errno])
"""


def test_freezing_stops_every_process_until_it_is_thawed_or_killed(make: Make) -> None:
    group = make()
    process = _run(group, "sh", "-c", "while :; do echo x; sleep 0.01; done")
    group.freeze()
    _until(group.frozen)
    assert group.pids()
    group.thaw()
    _until(lambda: not group.frozen())
    group.freeze()
    _until(group.frozen)
    group.kill()
    assert process.wait(10) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    _until(lambda: group.pids() == [])


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_busy_group_is_not_removed_and_says_so(make: Make) -> None:
    group = make()
    process = _run(group, "sleep", "100")
    _until(lambda: group.pids() == [process.pid])
    assert group.remove() is False
    process.kill()
    process.communicate()


def test_another_process_opens_the_same_group_by_its_paths(make: Make) -> None:
    group = make({"pids": {"limit": 9}})
    again = cgroups.open_cgroup(group.paths)
    assert again.stats()["pids"]["limit"] == 9
    assert cgroups.open_cgroup({}).stats() == {}


@pytest.mark.parametrize(
    "resources",
    [{"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}, {"memory": {"kernelTCP": 1}}, {"cpu": {"idle": 1}}],
)
def test_what_is_not_understood_is_refused_and_leaves_nothing(resources: dict[str, Any]) -> None:
    name = f"cltest-{uuid.uuid4().hex[:12]}"
    with pytest.raises(OSError, match="not supported") as caught:
        cgroups.driver().create(name, resources)
    assert caught.value.errno == errno.ENOTSUP
    assert groups(name) == []


def test_without_any_cgroup_a_limit_is_refused_with_the_reason() -> None:
    driver = cgroups.NoDriver("nothing is mounted")
    assert driver.can_filter_devices is False
    assert driver.create("x", {"devices": [DENY_ALL]}).join_fds == []
    with pytest.raises(OSError, match=r"memory\.limit needs the memory controller: nothing is mounted"):
        driver.create("x", {"memory": {"limit": 1 << 20}})


def test_no_join_waits_for_the_host_wide_lock_of_moving_processes(make: Make) -> None:
    names = {Path(f"/proc/self/fd/{fd}").readlink().name for fd in make().join_fds}
    if cgroups.driver().kind == "v2":
        assert names == {"cgroup.procs"}
        assert cgroups.warm() > 0
    else:
        assert names == {"tasks"}


@pytest.fixture
def unified() -> Iterator[Path]:
    """A group in the cgroup2 tree, which a hybrid host has too."""
    root = next(
        (p for p in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")) if (p / "cgroup.controllers").exists()),
        None,
    )
    if root is None:
        pytest.skip("no cgroup2 tree is mounted")
    path = root / f"cltest-{uuid.uuid4().hex[:12]}"
    path.mkdir()
    yield path
    _until(lambda: not (path / "cgroup.procs").read_text())
    path.rmdir()


def test_bpf_filter_decides_as_the_rules_do_the_last_that_speaks_wins(unified: Path) -> None:
    rules = [
        DENY_ALL,
        {"allow": True, "type": "c", "major": 1, "minor": -1, "access": "rw"},
        {"allow": False, "type": "c", "major": 1, "minor": 5, "access": "w"},
        {"allow": True, "type": "c", "major": 5, "minor": 0, "access": "m"},
        {"allow": False, "type": "b", "access": "rwm"},
    ]
    device_filter.attach(str(unified), rules)
    code = """
import errno, os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
wanted = ("null", os.O_RDWR), ("zero", os.O_RDONLY), ("zero", os.O_RDWR), ("full", os.O_WRONLY), ("tty", os.O_RDWR)
for path, flags in wanted:
    try: os.close(os.open("/dev/" + path, flags)); print("ok")
    except OSError as e: print(errno.errorcode[e.errno])
"""
    out = subprocess.run([sys.executable, "-c", code, unified], capture_output=True, text=True, timeout=30, check=True)
    assert out.stdout.split() == ["ok", "ok", "EPERM", "ok", "EPERM"]


def test_bpf_filter_of_dockers_full_list_is_accepted_by_the_verifier(unified: Path) -> None:
    from containerlab.runtime.spec import default_spec

    for rules in (default_spec(["true"])["linux"]["resources"]["devices"], [], [{"allow": True, "access": "rwm"}]):
        device_filter.attach(str(unified), rules)


def test_v2_freezes_kills_and_counts(unified: Path) -> None:
    group = CgroupV2({"unified": str(unified)})
    process = _run(group, "sleep", "100")
    group.freeze()
    _until(group.frozen)
    assert group.pids() == [process.pid]
    group.kill()
    assert process.wait(10) == -signal.SIGKILL
    process.communicate()
    assert "usage_ns" in group.stats()["cpu"]
    group.close()


@pytest.mark.parametrize("marked", [True, False])
def test_where_others_live_containers_have_the_delegated_group_above(unified: Path, *, marked: bool) -> None:
    """As in systemd's unit with DelegateSubgroup: there its limits hold, and no limit is lost where it isn't marked."""
    if marked:
        os.setxattr(unified, "user.delegate", b"1")
    group = unified / "server"
    group.mkdir()
    code = """
import os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
from containerlab.runtime import cgroup_v2
print(cgroup_v2.detect(sys.argv[1]).base)
"""
    resident = subprocess.Popen(["sleep", "60"])
    try:
        (group / "cgroup.procs").write_text(str(resident.pid))
        done = subprocess.run(
            [sys.executable, "-c", code, group], capture_output=True, text=True, timeout=30, check=True
        )
        assert done.stdout.strip() == str(unified if marked else group)
    finally:
        resident.kill()
        resident.wait()
        _until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_shares_become_weights_as_the_oci_runtimes_convert_them() -> None:
    assert [weight_of_shares(shares) for shares in (2, 1024, 262144, 1)] == [1, 39, 10000, 1]
