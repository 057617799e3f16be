"""What the supervisor costs, and what it does when descriptors run out."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import containerlab
from containerlab.runtime.client import SupervisorClient, SupervisorError

if TYPE_CHECKING:
    from conftest import Lab


def test_supervisor_imports_nothing_heavy() -> None:
    package = Path(containerlab.__file__).parent.parent
    imports = f"import sys; sys.path.insert(0, {str(package)!r})\nimport containerlab.runtime.supervisor.server"
    code = f"{imports}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-E", "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "asyncio",
        "pathlib",
        "subprocess",
        "shutil",
        "tempfile",
        "logging",
        "msgspec",
        "aiohttp",
        "sqlite3",
        "ssl",
    }
    assert not heavy & set(done.stdout.split())


@pytest.mark.root
def test_further_idle_containers_cost_next_to_nothing(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            for _ in range(3):
                await client.call("start", container=await client.create("sleep", "100", log=True))
            before = _pss(lab.pid)
            for _ in range(10):
                await client.call("start", container=await client.create("sleep", "100", log=True))
            assert (_pss(lab.pid) - before) / 10 < 100
            assert _pss(lab.pid) < 12000

    asyncio.run(body())


def _pss(pid: int) -> int:
    """Kilobytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@pytest.mark.root
def test_out_of_descriptors_a_start_fails_a_client_waits_and_all_goes_on_afterwards(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            running = await client.create("sleep", "100")
            await client.call("start", container=running)
            refused = await client.create("true")
            used = len(list(Path(f"/proc/{lab.pid}/fd").iterdir()))
            old = resource.prlimit(lab.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(lab.pid, resource.RLIMIT_NOFILE, (used, old[1]))
            with pytest.raises(OSError, match="Too many open files"):
                await client.call("start", container=refused)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as waiting:
                waiting.connect(str(lab.run / "supervisor.sock"))
                await asyncio.sleep(0.1)
                assert (await client.record(running))["status"] == "running"
            resource.prlimit(lab.pid, resource.RLIMIT_NOFILE, old)
            second = await SupervisorClient.connect(lab.run)
            second.close()
            await client.call("start", container=refused)
            assert (await client.exit(refused))["exit_code"] == 0

    asyncio.run(body())


@pytest.mark.root
def test_a_descriptor_is_held_until_another_takes_its_name(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            first, second = os.pipe(), os.pipe()
            try:
                for _, writer in (first, second):
                    await client.call("hold", (writer,), name="way-out")
                    os.close(writer)
                assert await asyncio.to_thread(os.read, first[0], 1) == b""
                os.set_blocking(second[0], False)
                with pytest.raises(BlockingIOError):
                    os.read(second[0], 1)
                for wrong in ((), (first[0], second[0])):
                    with pytest.raises(SupervisorError, match="hold takes one descriptor"):
                        await client.call("hold", wrong, name="other")
                for number in range(15):
                    await client.call("hold", (first[0],), name=str(number))
                with pytest.raises(SupervisorError, match="held already"):
                    await client.call("hold", (first[0],), name="one too many")
            finally:
                os.close(first[0])
                os.close(second[0])

    asyncio.run(body())
