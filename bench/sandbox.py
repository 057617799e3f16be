"""A whole sandbox with no engine: ours, alone and through the supervisor, beside ``crun run`` of the same bundle."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.bundle import make_bundles
from bench.timing import Pair, both_gaps
from containerlab.runtime import supervisor
from containerlab.runtime.client import SupervisorClient

__all__ = ["sandbox"]

_LIMIT_S = 30


class _Starter:
    """A small program that starts one sandbox for each line that it reads, and answers its milliseconds."""

    def __init__(self, program: str, *arguments: str) -> None:
        command = [sys.executable, "-S", "-E", str(Path(__file__).parent / program), *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def once(self) -> float:
        """Milliseconds of one sandbox. Raises RuntimeError with the program's own words."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        try:
            return float(answer)
        except ValueError:
            raise RuntimeError(f"no sandbox came up: {answer or 'the starter has ended'}") from None

    def close(self) -> None:
        """Ends the program by the end of its input."""
        self._process.communicate(timeout=_LIMIT_S)


def sandbox(n: int) -> list[Pair]:
    """Raises FileNotFoundError or RuntimeError, with the reason, where one of the two can't be run."""
    for program in ("crun", "busybox"):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"{program} is not installed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cl-bench-")))
        make_bundles(folder, str(shutil.which("busybox")))
        alone = _starter(stack, "start_ours.py", str(folder))
        crun = _starter(stack, "start_crun.py", str(folder), "crun", "overlay")
        unfiltered = _starter(stack, "start_crun.py", str(folder), "crun-unfiltered", "ready")
        supervised = stack.enter_context(_supervised(folder))
        title = "sandbox of `true`, all in the clock"
        pairs = both_gaps(title, "crun run", alone.once, crun.once, n=n, target=1.0)
        title = "the same through the supervisor"
        pairs += both_gaps(title, "crun run", supervised, crun.once, n=n, target=1.0)
        title = "the same, crun spared overlay and seccomp"
        pairs += both_gaps(title, "crun run", alone.once, unfiltered.once, n=n)
        return pairs


def _starter(stack: ExitStack, program: str, *arguments: str) -> _Starter:
    starter = _Starter(program, *arguments)
    stack.callback(starter.close)
    return starter


@contextmanager
def _supervised(folder: Path) -> Iterator[Callable[[], None]]:
    """Yields an action: create, start, wait for the exit, forget, as the engine asks of its supervisor."""
    run = folder / "run"
    run.mkdir(mode=0o700)
    program = str(Path(supervisor.__file__).parent)
    process = subprocess.Popen([sys.executable, "-S", "-E", program, str(run)], stdin=subprocess.DEVNULL)
    loop = asyncio.new_event_loop()
    try:
        requests = loop.run_until_complete(_Requests.connect(run, str(folder / "ours")))
        yield lambda: loop.run_until_complete(requests.once())
        requests.client.close()
    finally:
        process.terminate()
        process.wait(_LIMIT_S)
        loop.close()


class _Requests:
    """One connection to the supervisor, and the exits that it hears of."""

    def __init__(self, client: SupervisorClient, bundle: str) -> None:
        self.client, self._bundle = client, bundle
        self._number = 0
        self._exits: asyncio.Queue[int] = asyncio.Queue()
        client.on_event(lambda event: self._exits.put_nowait(event["exit_code"]))

    @classmethod
    async def connect(cls, run: Path, bundle: str) -> _Requests:
        """Waits until the supervisor listens."""
        async with asyncio.timeout(_LIMIT_S):
            while not (run / "supervisor.json").exists():
                await asyncio.sleep(0.01)
        return cls(await SupervisorClient.connect(run), bundle)

    async def once(self) -> None:
        """One container, from nothing to nothing. Raises RuntimeError when its program failed."""
        self._number += 1
        name = f"bench-{os.getpid()}-{self._number}"
        io = {"tty": False, "stdin": False, "stdin_once": False, "log": None}
        await self.client.call("create", container=name, bundle=self._bundle, io=io)
        await self.client.call("start", container=name)
        code = await asyncio.wait_for(self._exits.get(), _LIMIT_S)
        await self.client.call("forget", container=name)
        if code != 0:
            raise RuntimeError(f"the supervised sandbox ended with {code}")
