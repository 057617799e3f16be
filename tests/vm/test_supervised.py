"""A virtual machine as a container of the supervisor."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containerlab.images.embedded import busybox
from containerlab.runtime.client import SupervisorClient
from containerlab.runtime.spec import default_spec
from containerlab.runtime.vm import available
from tests.supervisor import end_supervisor, start_supervisor

pytestmark = [pytest.mark.vm, pytest.mark.root]

LIMIT = 120.0
NO_STREAMS = {"tty": False, "stdin": False, "stdin_once": False}


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A supervisor; whoever fails leaves none behind."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found, why = available(tmp_path / "cache/containerlab/vm")
    if not found:
        pytest.skip(why)
    folder = Path(f"/tmp/cl-vm-{uuid.uuid4().hex[:8]}")
    folder.mkdir(mode=0o700)
    try:
        process = start_supervisor(folder)
        try:
            yield folder
        finally:
            end_supervisor(process)
    finally:
        shutil.rmtree(folder)


def write_bundle(folder: Path, *args: str) -> str:
    bundle = folder / "bundle"
    (bundle / "rootfs").mkdir(parents=True)
    archive = busybox.layer().stream().read()
    subprocess.run(["tar", "-C", bundle / "rootfs", "-xf", "-"], input=archive, check=True)
    spec = default_spec(args, annotations={"containerlab.backend": "vm"})
    (bundle / "config.json").write_text(json.dumps(spec))
    return str(bundle)


def supervised(
    run_folder: Path,
    bundle: str,
    log: Path,
    act: Callable[[SupervisorClient, str, asyncio.Future[Any]], Awaitable[None]],
) -> None:
    async def main() -> None:
        client = await SupervisorClient.connect(run_folder)
        name = f"cltest-{uuid.uuid4().hex[:12]}"
        ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        client.on_event(lambda event: ended.done() or ended.set_result(event))
        io = {**NO_STREAMS, "log": {"driver": "json-file", "path": str(log), "max_size": 0, "max_file": 1}}
        try:
            await client.call("create", container=name, bundle=bundle, io=io)
            await client.call("start", container=name)
            await act(client, name, ended)
        finally:
            if not ended.done():
                await client.call("signal", container=name, signal=9, all=False, **{"exec": None})
                await ended
            await client.call("forget", container=name)
            client.close()

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_its_output_is_logged_and_its_exit_code_kept(run_folder: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path, "sh", "-c", "echo out; echo err >&2; exit 5")

    async def act(_client: SupervisorClient, _name: str, ended: asyncio.Future[Any]) -> None:
        assert (await ended)["exit_code"] == 5

    supervised(run_folder, bundle, tmp_path / "log", act)
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {(record["stream"], record["log"]) for record in records} == {("stdout", "out\n"), ("stderr", "err\n")}


def test_an_exec_never_runs_on_the_host_instead(run_folder: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path, "sleep", "600")
    proof = tmp_path / "ran"

    async def act(client: SupervisorClient, name: str, _ended: asyncio.Future[Any]) -> None:
        process = {"args": ["/usr/bin/touch", str(proof)], "cwd": "/", "env": [], "user_name": "root"}
        words = {"container": name, "exec": "one", "process": process, "io": {**NO_STREAMS, "log": None}}
        with pytest.raises(OSError) as caught:
            await client.call("exec", **words)
        assert caught.value.errno == errno.EOPNOTSUPP
        assert "virtual machine" in str(caught.value)

    supervised(run_folder, bundle, tmp_path / "log", act)
    assert not proof.exists()


def test_killed_by_the_supervisor_no_qemu_is_left(run_folder: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path, "sleep", "600")
    qemu = -1

    async def act(client: SupervisorClient, name: str, ended: asyncio.Future[Any]) -> None:
        nonlocal qemu
        while not Path(bundle, "vm.json").exists():
            await asyncio.sleep(0.01)
        qemu = json.loads(Path(bundle, "vm.json").read_text())["qemu_pid"]
        os.kill(qemu, 0)
        await client.call("signal", container=name, signal=9, all=False, **{"exec": None})
        assert (await ended)["exit_code"] == 137

    supervised(run_folder, bundle, tmp_path / "log", act)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{qemu}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
