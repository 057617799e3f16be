"""■ in a notebook: what the cell started is stopped, nothing stays behind, and the next cell doesn't run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from containerlab.commands import attached, run
from containerlab.notebook.magics import Interrupted
from tests.notebook.conftest import TestingShell

IMAGE = "lab/busybox"


@contextmanager
def interrupts_when(ready: Callable[[], bool], *, times: int = 1) -> Iterator[None]:
    """Press ■ once ``ready`` is true; a second time half a second later where asked."""

    def press() -> None:
        deadline = time.monotonic() + 20
        while not ready() and time.monotonic() < deadline:
            time.sleep(0.05)
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    presser = threading.Thread(target=press)
    presser.start()
    try:
        yield
    finally:
        presser.join(timeout=30)
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def ids(host: str) -> Callable[..., list[str]]:
    """The containers there are, asked through a client of the presser's own."""
    client = docker.DockerClient(base_url=host)

    def listed(**filters: str) -> list[str]:
        return [entry["Id"] for entry in client.api.containers(all=True, filters=filters or None)]

    return listed


def test_an_unnamed_run_is_stopped_and_removed(shell: TestingShell, ids: Callable[..., list[str]]) -> None:
    before = ids()
    began = time.monotonic()
    with interrupts_when(lambda: ids(status="running") != []), pytest.raises(Interrupted):
        shell.cell(f"%container run --network none --label interrupted {IMAGE} sleep 1000")
    assert ids() == before
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("option", ["--rm", ""])
def test_an_interrupt_before_the_start_leaves_nothing(
    shell: TestingShell, ids: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    before = ids()

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_start", interrupted)
    with pytest.raises(Interrupted):
        shell.cell(f"%container run {option} --network none {IMAGE} sleep 1000")
    assert ids() == before


def test_a_run_with_rm_is_gone(shell: TestingShell, ids: Callable[..., list[str]], name: str) -> None:
    with interrupts_when(lambda: ids(status="running", name=name) != []), pytest.raises(Interrupted):
        shell.cell(f"%container run --rm --network none --name {name} {IMAGE} sleep 1000")
    assert ids(name=name) == []


def test_a_named_run_is_stopped_and_kept_for_its_logs(
    shell: TestingShell, ids: Callable[..., list[str]], name: str
) -> None:
    script = "trap 'echo bye; exit 5' TERM; echo hello; while :; do sleep 0.1; done"
    with interrupts_when(lambda: ids(status="running", name=name) != []), pytest.raises(Interrupted) as caught:
        time.sleep(0.2)
        shell.cell(f'%container run --network none --name {name} {IMAGE} sh -c "{script}"')
    assert ids(status="exited", name=name) != []
    assert shell.cell(f"%container logs {name}").stdout == "hello\nbye\n"
    assert caught.value._render_traceback_() == ["Interrupted. What this cell started has been stopped."]


def test_a_second_interrupt_kills(
    shell: TestingShell, ids: Callable[..., list[str]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attached, "_STOP_SECONDS", 30)
    began = time.monotonic()
    with interrupts_when(lambda: ids(status="running", name=name) != [], times=2), pytest.raises(Interrupted):
        shell.cell(f"%container run --network none --name {name} {IMAGE} sleep 1000")
    assert time.monotonic() - began < 20
    assert ids(status="running", name=name) == []


def test_a_build_is_cancelled(shell: TestingShell, ids: Callable[..., list[str]], host: str) -> None:
    client = docker.DockerClient(base_url=host)
    mark = f"sleep 4{int(time.time()) % 1000:03d}"
    started = time.monotonic()
    with interrupts_when(lambda: time.monotonic() - started > 2), pytest.raises(Interrupted):
        shell.cell(f"%%dockerfile --network none\nFROM {IMAGE}\nRUN {mark}\n")
    deadline = time.monotonic() + 10
    while _runs(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(mark)
    assert not [entry for entry in client.api.containers() if mark in entry["Command"]]


def _runs(mark: str) -> bool:
    """Whether a process of that command line is alive on this machine."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/cmdline", "rb") as file:
                    if file.read().replace(b"\0", b" ").strip() == mark.encode():
                        return True
            except OSError:
                continue
    return False


def test_an_interrupted_wait_or_log_leaves_the_container_alone(
    shell: TestingShell, ids: Callable[..., list[str]], name: str
) -> None:
    shell.cell(f"%container run -d --network none --name {name} {IMAGE} sleep 1000")
    for verb in ("logs -f", "wait"):
        started = time.monotonic()
        with (
            interrupts_when(lambda begin=started: time.monotonic() - begin > 0.7),
            pytest.raises(Interrupted) as caught,
        ):  # type: ignore[misc]
            shell.cell(f"%container {verb} {name}")
        assert str(caught.value) == "Interrupted."
        assert ids(status="running", name=name) != []


def test_a_long_run_says_how_to_interrupt_it(shell: TestingShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "LONG_AFTER", 0.5)
    shown = shell.shown(f"%container run --rm --network none {IMAGE} sleep 2")
    assert shown.stdout.count("interrupt the kernel") == 1 and "-d" in shown.stdout and shown.stderr == ""


def test_a_project_on_its_way_up_is_stopped(
    shell: TestingShell, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "interrupted").mkdir()
    monkeypatch.chdir(tmp_path / "interrupted")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    client = docker.DockerClient(base_url=host)
    chosen = {"label": "com.docker.compose.project=interrupted"}

    def runs() -> bool:
        return bool(client.api.containers(filters=chosen))

    never = (
        "services: {db: {image: lab/busybox, init: true, command: sleep 1000, network_mode: none, "
        "healthcheck: {test: [CMD, 'false'], retries: 1000}}}"
    )
    try:
        with interrupts_when(runs), pytest.raises(Interrupted, match="has been stopped"):
            shell.cell(f"%%compose up\n{never}\n")
        assert client.api.containers(all=True, filters=chosen) and not runs()
    finally:
        shell.cell("%compose down -t 0")
        client.close()
