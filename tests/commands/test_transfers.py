"""``pull``, ``push``, ``login`` and ``logout`` of the front ends, and what they show meanwhile."""

from __future__ import annotations

import json
import shlex
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.commands.context import Context
from containerlab.commands.output import StandardOutput
from containerlab.commands.registry import invoke
from containerlab.commands.transfer_log import TransferLog
from containerlab.commands.transfer_screen import TransferScreen
from containerlab.errors import ContainerlabError, HostLacks, NoSuchImage, NotFound, UsageError
from tests.registries import running_registry

IMAGE = "lab/busybox"
# ada:secret, with bcrypt's cheapest cost (crypt(3)).
ACCOUNT = "ada:$2b$04$vSKkWBrxDcvZquIs9q2ccO4/drhlyu2sN8QTzHnR4reOuMQ1kOxFK\n"

MESSAGES: list[dict[str, Any]] = [
    {"status": "Pulling from app", "id": "1"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "aaa"},
    {"status": "Already exists", "progressDetail": {}, "id": "bbb"},
    {"status": "Downloading", "progressDetail": {"current": 1_000_000, "total": 4_000_000}, "id": "aaa"},
    {"status": "Download complete", "progressDetail": {}, "id": "aaa"},
    {"status": "Extracting", "progressDetail": {"current": 4_000_000, "total": 4_000_000}, "id": "aaa"},
    {"status": "Pull complete", "progressDetail": {}, "id": "aaa"},
    {"status": "Digest: sha256:123"},
    {"status": "Status: Downloaded newer image for app:1"},
]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("registry"), htpasswd=ACCOUNT) as address:
        yield address


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Docker's clients keep accounts: nothing yet."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker" / "config.json"


@pytest.fixture
def run(host: str, config: Path, output: Any) -> Callable[..., Any]:
    """``run("pull x")`` with a client of its own, as every verb has; ``body`` is the standard input."""

    def run(line: str, body: bytes | None = None) -> Any:
        connect = lambda: docker.DockerClient(base_url=host)  # noqa: E731
        return invoke(shlex.split(line), Context(output=output, connect=connect, body=body))

    return run


@pytest.fixture
def name(registry: str, run: Callable[..., Any]) -> Iterator[str]:
    made = f"{registry}/t{uuid.uuid4().hex[:8]}:1"
    yield made
    run(f"rmi -f {made}")


def test_login_push_pull_logout(registry: str, run: Callable[..., Any], name: str, config: Path, output: Any) -> None:
    run(f"run --rm {IMAGE} true")
    run(f"tag {IMAGE} {name}")
    with pytest.raises(ContainerlabError, match="no basic auth credentials"):
        run(f"push {name}")
    with pytest.raises(ContainerlabError, match="401 Unauthorized"):
        run(f"login -u ada --password-stdin {registry}", b"wrong\n")
    assert not config.exists()
    assert run(f"login -u ada --password-stdin http://{registry}/", b"secret\n").lines == ["Login Succeeded"]
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert list(json.loads(config.read_text())["auths"]) == [registry]
    pushed = run(f"push {name}")
    assert pushed.digest.startswith("sha256:")
    assert output.transfers[-1].ended
    run(f"rmi {name}")
    pulled = run(f"pull {name}")
    assert pulled.digest == pushed.digest
    assert str(pulled) == name
    assert pulled.calm().startswith(f"Pulled {name}: 1 layer, ")
    assert run(f"pull -q {name}").lines == [name]
    assert run(f"logout {registry}").lines == [f"Removing login credentials for {registry}"]
    assert run(f"logout {registry}").lines == [f"Not logged in to {registry}"]
    with pytest.raises(ContainerlabError, match="no basic auth credentials"):
        run(f"pull {name}")


def test_accounts_of_others_are_left_alone(run: Callable[..., Any], registry: str, config: Path) -> None:
    config.parent.mkdir()
    config.write_text('{"auths": {"other.example": {"auth": "YTpi"}}, "detachKeys": "ctrl-x"}')
    run(f"login -u ada --password-stdin {registry}", b"secret")
    run(f"logout {registry}")
    assert json.loads(config.read_text()) == {"auths": {"other.example": {"auth": "YTpi"}}, "detachKeys": "ctrl-x"}


def test_a_credential_store_is_dockers_own_business(run: Callable[..., Any], config: Path) -> None:
    config.parent.mkdir()
    config.write_text('{"credsStore": "secretservice"}')
    with pytest.raises(HostLacks, match="credential store"):
        run("login -u ada -p secret registry.example")


@pytest.mark.parametrize("line", ["login", "login -u ada -p ''", "pull -a x:1", "push -a x:1", "pull"])
def test_what_cannot_be_meant_is_refused(line: str, run: Callable[..., Any]) -> None:
    with pytest.raises(UsageError):
        run(line)


def test_what_is_not_there_is_told(run: Callable[..., Any]) -> None:
    with pytest.raises(ContainerlabError, match=r"127\.0\.0\.1:1 can't be reached: connection refused"):
        run("pull 127.0.0.1:1/app")
    with pytest.raises(NoSuchImage, match=r"127\.0\.0\.1:1/app:latest") as caught:
        run("run --rm 127.0.0.1:1/app")
    assert "It can't be pulled: " in caught.value.hint
    with pytest.raises((NotFound, ContainerlabError), match="does not exist"):
        run("push 127.0.0.1:1/app")


# -- what is shown ------------------------------------------------------------------------------------


def fed(count: int) -> TransferLog:
    log = TransferLog("Pulling app:1")
    for message in MESSAGES[:count]:
        log.feed(message)
    return log


def test_a_pipe_gets_a_line_for_each_state(capsys: pytest.CaptureFixture[str]) -> None:
    log, output = TransferLog("Pulling app:1"), StandardOutput()
    for message in MESSAGES:
        log.feed(message)
        output.transfer(log)
    log.ended = True
    output.transfer(log)
    assert capsys.readouterr().out.splitlines() == [
        "1: Pulling from app",
        "aaa: Pulling fs layer",
        "bbb: Already exists",
        "aaa: Download complete",
        "aaa: Pull complete",
        "Digest: sha256:123",
        "Status: Downloaded newer image for app:1",
    ]


def test_what_run_fetches_is_told_beside_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    log = fed(len(MESSAGES))
    log.aside = True
    StandardOutput().transfer(log)
    told = capsys.readouterr()
    assert told.out == ""
    assert "aaa: Pull complete" in told.err


def test_a_screen_shows_each_layer_and_then_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    log, screen = TransferLog("Pulling app:1"), TransferScreen()
    for message in MESSAGES:
        log.feed(message)
        screen.show(log)
    log.ended = True
    screen.show(log)
    shown = capsys.readouterr().out
    assert "aaa" in shown
    assert shown.splitlines()[-1] == "Status: Downloaded newer image for app:1"


def test_a_cell_shows_one_element() -> None:
    from containerlab.notebook.transfers import bundle

    shown = bundle(fed(4))
    assert shown["text/plain"] == "Pulling app:1: 1 of 2 layers done."
    assert "Downloading  1MB of 4MB" in shown["text/html"]
    assert '<progress max="4000000" value="1000000"' in shown["text/html"]
    assert "<progress" not in bundle(fed(len(MESSAGES)))["text/html"]


def test_a_cell_is_updated_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from containerlab.notebook import progress
    from containerlab.notebook.transfers import TransferProgress

    shown: list[str] = []

    class Handle:
        def update(self, data: dict[str, str], raw: bool) -> None:
            shown.append(f"update: {data['text/plain']}")

    def display(data: dict[str, str], **options: object) -> Handle:
        shown.append(data["text/plain"])
        return Handle()

    monkeypatch.setattr(progress, "display", display)
    for mode, expected in (("live", 2), ("final", 1), ("off", 0)):
        shown.clear()
        monkeypatch.setattr(progress, "mode", lambda mode=mode: mode)
        follower = TransferProgress()
        follower.follow(fed(4))
        done = fed(len(MESSAGES))
        done.ended = True
        follower.follow(done)
        assert len(shown) == expected, mode
        assert not shown or shown[-1].endswith("Pulling app:1: 2 of 2 layers done.")
