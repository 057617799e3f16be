"""What the supervisor costs, and what it does when descriptors run out."""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import containerlab
from containerlab.runtime.client import SupervisorClient

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
