"""What a container gets of limits when nobody asked for one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from containerlab.engine import bundle
from containerlab.engine.models import ContainerConfig, HostConfig, Ulimit
from containerlab.engine.mounts import MountPlan

WITH_PIDS = SimpleNamespace(controllers=frozenset({"pids"}))
WITHOUT = SimpleNamespace(controllers=frozenset())


def spec(driver: Any, host: HostConfig, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(bundle, "driver", lambda: driver)
    request = bundle.BundleRequest(
        container_id="0" * 64,
        folder=Path("/nowhere"),
        layers=Path("/nowhere/layers"),
        lower=["l/BASE"],
        config=ContainerConfig(cmd=["true"]),
        host=host,
        plan=MountPlan(),
        pids_limit=4096,
        shm_size=64 << 20,
        seccomp=lambda granted, own: Path("/nowhere/filter"),
    )
    return bundle.build_spec(request)


def nproc(made: dict[str, Any]) -> list[int]:
    return [entry["soft"] for entry in made["process"].get("rlimits", []) if entry["type"] == "RLIMIT_NPROC"]


def test_processes_are_counted_by_the_pids_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    made = spec(WITH_PIDS, HostConfig(), monkeypatch)
    assert made["linux"]["resources"]["pids"] == {"limit": 4096}
    assert nproc(made) == []


def test_without_the_controller_the_default_becomes_an_rlimit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = spec(WITHOUT, HostConfig(), monkeypatch)
    assert "pids" not in made["linux"]["resources"]
    assert nproc(made)[0] in range(1, 4097)


def test_a_limit_that_was_asked_for_is_not_weakened(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = spec(WITHOUT, HostConfig(pids_limit=50), monkeypatch)
    assert asked["linux"]["resources"]["pids"] == {"limit": 50}  # the supervisor refuses it by name
    ulimit = HostConfig(ulimits=[Ulimit(name="nproc", soft=20, hard=20)])
    assert nproc(spec(WITHOUT, ulimit, monkeypatch)) == [20]
