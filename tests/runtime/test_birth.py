"""In which cgroup of v2 a container's first process is born."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from containerlab.runtime.cgroup_v2 import CgroupV2

pytestmark = pytest.mark.root


@pytest.fixture
def group() -> Iterator[CgroupV2]:
    """A group in the cgroup2 tree, which a hybrid host has too."""
    roots = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
    root = next((root for root in roots if (root / "cgroup.controllers").exists() and os.access(root, os.W_OK)), None)
    if root is None:
        pytest.skip("no cgroup2 tree that may be written to")
    path = root / f"cltest-{uuid.uuid4().hex[:12]}"
    path.mkdir()
    group = CgroupV2({"unified": str(path)})
    yield group
    deadline = time.monotonic() + 10
    while not group.remove():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_container_is_born_in_its_group_without_a_move(
    sandbox: Any, group: CgroupV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CgroupV2, "join_fds", [])
    assert _own_group(sandbox, group) == f"0::/{Path(group.path).name}"


def test_where_clone3_is_refused_it_moves_to_its_group(
    sandbox: Any, group: CgroupV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_group = os.open("/", os.O_PATH)
    monkeypatch.setattr(CgroupV2, "clone_fd", no_group)
    try:
        assert _own_group(sandbox, group) == f"0::/{Path(group.path).name}"
    finally:
        os.close(no_group)


def _own_group(sandbox: Any, group: CgroupV2) -> str:
    """The container's line of the v2 tree, as the host sees it: without a cgroup namespace."""

    def edit(spec: dict[str, Any]) -> None:
        spec["linux"]["namespaces"] = [kind for kind in spec["linux"]["namespaces"] if kind["type"] != "cgroup"]

    lines = sandbox.run("cat", "/proc/self/cgroup", cgroup=group, edit=edit).lines
    return str(lines[-1])
