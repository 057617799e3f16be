"""The engine is killed in the middle of ``up``: the next ``up`` finishes the job, and nothing is left over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from containerlab.compose import labels
from tests.compose.conftest import Project
from tests.compose.test_verbs import IDLE
from tests.store import Store

pytestmark = pytest.mark.skipif("DOCKER_HOST" in os.environ, reason="kills the engine, which must be ours")


def slow(at: str) -> ParameterSet:
    return pytest.param(at, marks=pytest.mark.slow)


SERVICES = ("a", "b", "c", "d")
MADE = ("Creating", "Created")


def file(step: int) -> str:
    services = "\n".join(
        f"  {name}: {{image: lab/busybox, command: {IDLE!r}, environment: {{STEP: '{step}'}}, ports: ['80'], "
        f"volumes: ['data:/data', /kept]{f', depends_on: [{after}]' if after else ''}}}"
        for name, after in zip(SERVICES, ("", *SERVICES), strict=False)
    )
    return f"services:\n{services}\nvolumes: {{data: {{}}}}\n"


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Iterator[Project]:
    store.start()
    folder = tmp_path / "app"
    folder.mkdir()
    yield Project(folder, store.host)


def cut_off(own: Project, store: Store, words: tuple[str, ...], at: str) -> None:
    """``compose WORDS``, until it says ``at``; then the engine is killed."""
    with own.begin(*words) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if at in line:
                    break
            else:
                pytest.fail(f"{at!r} was never told")
            store.kill()
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 1
    store.start()


def problems(store: Store) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "containerlab", "system", "check"], capture_output=True, text=True, check=False,
        env={**os.environ, "CONTAINERLAB_STORE": str(store.folder)}, timeout=60,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(
    "at",
    [
        "b-1  Created",
        *(slow(f"{resource}  {word}") for resource in ("Network app_default", "Volume app_data") for word in MADE),
        *(slow(f"{one}  {word}") for one in ("a-1", "d-1") for word in (*MADE, "Starting")),
    ],
)
def test_the_next_up_finishes_what_was_begun(own: Project, store: Store, at: str) -> None:
    own.write(file(1))
    cut_off(own, store, ("up", "-d"), at)
    own("up -d")
    there = own.containers()
    assert {name: container.status for name, container in there.items()} == {
        f"{name}-1": "running" for name in SERVICES
    }
    assert not problems(store)
    own("down -v -t 0")
    assert not own.containers() and not own.client.networks.list(filters={"label": labels.PROJECT})
    assert not own.client.volumes.list(filters={"label": labels.PROJECT}) and not problems(store)


@pytest.mark.parametrize(
    "at",
    [
        "b-1  Recreate\n",
        *(
            slow(f"{one}  {word}\n")
            for one in ("a-1", "c-1")
            for word in ("Recreate", "Recreated", "Starting", "Started")
        ),
    ],
)
def test_a_recreation_that_was_cut_off_keeps_its_volumes_and_gets_its_name(own: Project, store: Store, at: str) -> None:
    own.write(file(1))
    own("up -d")
    for name in SERVICES:
        own(f"exec -T {name} sh -c 'echo {name} > /kept/file'")
    own.write(file(2))
    cut_off(own, store, ("up", "-d", "-t", "1"), at)
    own("up -d -t 1")
    there = own.containers()
    assert {name: container.status for name, container in there.items()} == {
        f"{name}-1": "running" for name in SERVICES
    }
    for name in SERVICES:
        result = own(f"exec -T {name} sh -c 'cat /kept/file; echo $STEP'")
        assert own.out.split() == [name, "2"], (result.exit_code, own.containers()[f"{name}-1"].attrs["State"])
    assert not problems(store)
