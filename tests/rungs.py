"""The engines that a module's cases run on one after the other: root's, and those of unprivileged users.

``from tests.rungs import each_host as host`` in a module has its ``client`` and ``cli`` ask each in turn.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "RUNGS",
    "RUNGS_IN_TIME",
    "address",
    "each_host",
    "each_host_in_time",
    "ids_host",
    "many_ids",
    "one_id_host",
    "user_with_ids",
]

_ONE_ID = 54_324  # of nobody's: no subordinate ids
_SOURCE = Path(__file__).parents[1]
_START = (
    "import sys; from pathlib import Path; from tests.store import Store\n"
    "store = Store(Path(sys.argv[1])); store.start(); print(store.host)"
)


_ROOTLESS = "rootless"
_ROOTLESS_IDS = "rootless-ids"
RUNGS = ("root", _ROOTLESS, pytest.param(_ROOTLESS_IDS, marks=pytest.mark.slow))
"""Parameters of a fixture: one id by the way of every other test, subordinate ids where there is time."""
RUNGS_IN_TIME = ("root", *(pytest.param(rung, marks=pytest.mark.slow) for rung in (_ROOTLESS, _ROOTLESS_IDS)))


def address(request: pytest.FixtureRequest) -> str:
    """The address of the engine that a fixture's parameter names; a real Docker stands for itself alone."""
    if request.param == "root":
        return str(request.getfixturevalue("session_host"))
    if os.geteuid() != 0 or "DOCKER_HOST" in os.environ:
        pytest.skip("another user's engine is root's to start")
    return str(request.getfixturevalue("one_id_host" if request.param == _ROOTLESS else "ids_host"))


@pytest.fixture(scope="module", params=RUNGS)
def each_host(request: pytest.FixtureRequest) -> str:
    """The address of each engine in turn."""
    return address(request)


@pytest.fixture(scope="module", params=RUNGS_IN_TIME)
def each_host_in_time(request: pytest.FixtureRequest) -> str:
    """The same, but root's alone where time is short."""
    return address(request)


@pytest.fixture
def many_ids(request: pytest.FixtureRequest) -> None:
    """Skip on the engine whose users are all one: owners can't be told apart there."""
    if getattr(request.node, "callspec", None) and request.node.callspec.params.get("host") == _ROOTLESS:
        pytest.skip("needs users beside root in a container")


@pytest.fixture(scope="session")
def one_id_host() -> Iterator[str]:
    """An engine whose user namespace maps one id."""
    with _engine_of(_ONE_ID, _ONE_ID) as address:
        yield address


@pytest.fixture(scope="session")
def ids_host() -> Iterator[str]:
    """An engine of a user with subordinate ids."""
    user = user_with_ids()
    with _engine_of(user.pw_uid, user.pw_gid) as address:
        yield address


def user_with_ids() -> pwd.struct_passwd:
    """A user of this machine who has subordinate ids; a skip where there is none."""
    if shutil.which("newuidmap") is None:
        pytest.skip("newuidmap isn't installed")
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/etc/subuid").read_text().splitlines():
            name, _, count = line.split(":")
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                if user.pw_uid and int(count) >= 1 << 16:
                    return user
    pytest.skip("no user of this machine has subordinate ids")


@contextlib.contextmanager
def _engine_of(uid: int, gid: int) -> Iterator[str]:
    """Such an engine hears its own user alone: root's clients speak to a relay of that user's."""
    folder = Path(tempfile.mkdtemp(prefix="cl-rung-", dir="/tmp"))
    os.chown(folder, uid, gid)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(_SOURCE)}
    as_user: dict[str, Any] = {"user": uid, "group": gid, "extra_groups": [], "env": environment, "cwd": "/"}

    def run(*words: str) -> str:
        whole = {"check": True, "capture_output": True, "text": True, "timeout": 120}
        return subprocess.run([sys.executable, *words], **whole, **as_user).stdout.strip()

    relay, store = None, str(folder / "store")
    try:
        engine = run("-c", _START, store)
        words = [sys.executable, "-m", "tests.relay", str(folder / "s"), engine.removeprefix("unix://")]
        relay = subprocess.Popen(words, stdout=subprocess.PIPE, **as_user)
        assert relay.stdout is not None and relay.stdout.readline() == b"ready\n"
        yield f"unix://{folder}/s"
    finally:
        if relay is not None:
            relay.kill()
            relay.wait()
        run("-m", "tests.store", store)
        shutil.rmtree(folder, ignore_errors=True)
