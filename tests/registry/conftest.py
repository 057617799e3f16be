"""What the tests of the registry client share: a fake registry, a real one, and stores to pull into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containerlab.database import Database
from containerlab.images import ImageStore, Reference
from containerlab.images.limits import Limits
from containerlab.images.registry import ANONYMOUS, Asked, Credentials, Hosts, Place, Platform, Pulled, Stop, pull, push
from tests.registries import running_registry
from tests.registry.fake import FakeRegistry


class Site:
    """A store, and what it was told while it pulled or pushed."""

    def __init__(self, folder: Path, hosts: Hosts, limits: Limits | None = None) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.database = Database(folder / "db.sqlite")
        self.images = ImageStore(self.database, folder, limits=limits)
        self.place = Place.of(self.images, folder, hosts)
        self.told: list[dict[str, Any]] = []
        self.stop = Stop()

    def asked(self, credentials: Credentials = ANONYMOUS, platform: str = "") -> Asked:
        return Asked(self.told.append, self.stop, credentials, Platform.parse(platform) if platform else None)

    def pull(self, name: str, credentials: Credentials = ANONYMOUS, platform: str = "") -> Pulled:
        return pull(self.place, Reference.parse(name), self.asked(credentials, platform))

    def push(self, name: str, credentials: Credentials = ANONYMOUS) -> str:
        return push(self.place, self.images.resolve(name), Reference.parse(name), self.asked(credentials))

    def statuses(self) -> list[str]:
        return [message["status"] for message in self.told if "status" in message]

    def is_empty(self) -> bool:
        """Nothing is kept of a pull that failed, but what was downloaded."""
        left = [*self.images.list(), *self.images.layers.all(), *self.images.content.digests()]
        return not left and self.images.check() == [] and list((self.folder / "tmp").iterdir()) == []


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """``new_site()``: a store of its own."""
    made: list[Site] = []

    def new(hosts: Hosts | None = None, limits: Limits | None = None) -> Site:
        made.append(Site(tmp_path / f"store{len(made)}", hosts or Hosts(), limits))
        return made[-1]

    yield new
    for site in made:
        site.database.close()


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    return new_site()


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    made = FakeRegistry()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[FakeRegistry]:
    """A second host, that none of the first one's secrets may reach."""
    made = FakeRegistry()
    yield made
    made.close()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real one."""
    with running_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host
