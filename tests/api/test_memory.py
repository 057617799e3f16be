"""What an engine keeps in memory: no client half of aiohttp, and at rest nothing that nobody needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from containerlab.api import memory

_ENTER = "from containerlab.api.serverside import enter_without_client as enter; enter(); import sys; "


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", _ENTER + code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_engines_application_needs_no_client_of_aiohttps() -> None:
    assert _python("import containerlab.api.app; print('aiohttp.client' in sys.modules)") == "False"


def test_who_asks_for_the_client_gets_it_all() -> None:
    code = "from aiohttp import web; import aiohttp; print(aiohttp.ClientSession.__module__, aiohttp.web is web)"
    assert _python(code) == "aiohttp.client True"
    assert _python("import aiohttp; print(aiohttp.hdrs.ACCEPT, hasattr(aiohttp, 'no_such_name'))") == "Accept False"


def test_an_aiohttp_that_is_there_already_is_left_alone() -> None:
    code = "from containerlab.api.serverside import enter_without_client; import aiohttp, sys; before = aiohttp; "
    code += "enter_without_client(); print(sys.modules['aiohttp'] is before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


class Clock:
    """An event loop's clock and its one timer, set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: tuple[float, Callable[..., None], tuple[Any, ...]] | None = None

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., None], *arguments: Any) -> object:
        assert self.due is None
        self.due = self.now + delay, callback, arguments
        return self

    def pass_to(self, now: float) -> None:
        self.now = now
        while self.due is not None and self.due[0] <= now:
            (_, callback, arguments), self.due = self.due, None
            callback(*arguments)


def test_memory_is_given_back_once_after_the_last_request_and_not_while_more_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, trimmed = Clock(), []
    monkeypatch.setattr(memory.asyncio, "get_running_loop", lambda: clock)
    monkeypatch.setattr(memory, "trim", lambda: trimmed.append(clock.now))
    rest = memory.Rest()
    for second in range(0, 20, 4):
        clock.pass_to(second)
        rest.used()
    clock.pass_to(20)
    assert trimmed == []
    clock.pass_to(16 + memory.REST_SECONDS)
    assert trimmed == [21]
    assert clock.due is None  # it isn't woken again
    clock.pass_to(100)
    rest.used()
    clock.pass_to(200)
    assert trimmed == [21, 200]


def test_the_supervisor_imports_nothing_that_is_large() -> None:
    code = "import sys; sys.path[0] = sys.argv[1]; import containerlab.runtime.supervisor.server; "
    code += "print(sorted({'pathlib', 'inspect', 'subprocess', 'shutil', 'asyncio', 'logging'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-S", "-E", "-c", code, sys.path[0]], capture_output=True, text=True)
    assert found.stdout == "[]\n", found.stderr
