"""Pulls for the event loop: shared by those who want the same, and ended when nobody wants them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from containerlab.engine.settings import Settings
from containerlab.engine.transfers import Transfers
from containerlab.errors import RegistryError
from containerlab.images import Reference
from tests.registry.conftest import Site
from tests.registry.fake import FakeRegistry, Made, tar_of


class Gate:
    """Holds up the answers with blobs until it is opened."""

    def __init__(self, fake: FakeRegistry, made: Made) -> None:
        self._layer = made.layers[0]["digest"]
        self.reached, self.opened = threading.Event(), threading.Event()
        fake.before = self._hold

    def _hold(self, handler: Any) -> bool:
        if self._layer in handler.path:
            self.reached.set()
            self.opened.wait(20)
        return False


@pytest.fixture
def made(fake: FakeRegistry) -> Made:
    made = Made(tar_of(one=b"1" * 100_000))
    fake.put(made)
    return made


@pytest.fixture
def gate(fake: FakeRegistry, made: Made) -> Any:
    gate = Gate(fake, made)
    yield gate
    gate.opened.set()


@pytest.fixture
def transfers(site: Site) -> Transfers:
    parts: Any = SimpleNamespace(settings=Settings(store=site.folder, run=site.folder), images=site.images)
    return Transfers(parts)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work(), 20)

    asyncio.run(bounded())


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


def test_two_pulls_of_one_image_are_one(fake: FakeRegistry, gate: Gate, made: Made, transfers: Transfers) -> None:
    reference = Reference.parse(f"{fake.host}/app:1")
    told: list[list[dict[str, Any]]] = [[], []]

    async def work() -> None:
        first = asyncio.ensure_future(transfers.pull(reference, told[0].append))
        await until(gate.reached)
        second = asyncio.ensure_future(transfers.pull(reference, told[1].append))
        await asyncio.sleep(0.05)
        gate.opened.set()
        [[one], [two]] = await asyncio.gather(first, second)
        assert one.id == two.id == made.id

    run(work)
    assert len(fake.requests("/manifests/")) == 1
    assert told[0][0] == told[1][0] == {"status": "Pulling from app", "id": "1"}
    assert told[0][-1] == told[1][-1]
    assert len(told[1]) <= len(told[0])


def test_a_pull_goes_on_for_those_who_stay(fake: FakeRegistry, gate: Gate, made: Made, transfers: Transfers) -> None:
    reference = Reference.parse(f"{fake.host}/app:1")

    async def work() -> None:
        first = asyncio.ensure_future(transfers.pull(reference, lambda message: None))
        await until(gate.reached)
        second = asyncio.ensure_future(transfers.pull(reference, lambda message: None))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        gate.opened.set()
        assert [image.id for image in await second] == [made.id]

    run(work)


def test_a_pull_ends_with_the_last_who_wanted_it(
    fake: FakeRegistry, gate: Gate, made: Made, transfers: Transfers, site: Site
) -> None:
    reference = Reference.parse(f"{fake.host}/app:1")

    async def work() -> None:
        pulls = [asyncio.ensure_future(transfers.pull(reference, lambda message: None)) for _ in range(3)]
        await until(gate.reached)
        for pull in pulls:
            pull.cancel()
        await asyncio.wait(pulls)
        assert all(pull.cancelled() for pull in pulls)
        assert site.is_empty()
        gate.opened.set()
        [image] = await transfers.pull(reference, lambda message: None)
        assert image.id == made.id

    run(work)


def test_two_images_with_one_layer_share_its_download(
    fake: FakeRegistry, gate: Gate, made: Made, transfers: Transfers
) -> None:
    again = Made(tar_of(one=b"1" * 100_000), tar_of(two=b"2"))
    fake.put(again, tag="2")

    async def work() -> None:
        first = asyncio.ensure_future(transfers.pull(Reference.parse(f"{fake.host}/app:1"), lambda message: None))
        await until(gate.reached)
        second = asyncio.ensure_future(transfers.pull(Reference.parse(f"{fake.host}/app:2"), lambda message: None))
        await asyncio.sleep(0.3)
        gate.opened.set()
        [[one], [two]] = await asyncio.gather(first, second)
        assert (one.id, two.id) == (made.id, again.id)

    run(work)
    assert len(fake.requests(made.layers[0]["digest"])) == 1


def test_one_that_leaves_hands_its_download_on(
    fake: FakeRegistry, gate: Gate, made: Made, transfers: Transfers
) -> None:
    again = Made(tar_of(one=b"1" * 100_000), tar_of(two=b"2"))
    fake.put(again, tag="2")

    async def work() -> None:
        first = asyncio.ensure_future(transfers.pull(Reference.parse(f"{fake.host}/app:1"), lambda message: None))
        await until(gate.reached)
        second = asyncio.ensure_future(transfers.pull(Reference.parse(f"{fake.host}/app:2"), lambda message: None))
        await asyncio.sleep(0.3)
        first.cancel()
        await asyncio.wait([first])
        gate.opened.set()
        [two] = await second
        assert two.id == again.id

    run(work)


def test_a_failure_is_everybodys(fake: FakeRegistry, gate: Gate, made: Made, transfers: Transfers) -> None:
    fake.blobs[made.layers[0]["digest"]] = b"other bytes"
    reference = Reference.parse(f"{fake.host}/app:1")

    async def work() -> None:
        pulls = [asyncio.ensure_future(transfers.pull(reference, lambda message: None)) for _ in range(2)]
        await until(gate.reached)
        gate.opened.set()
        for result in await asyncio.gather(*pulls, return_exceptions=True):
            assert isinstance(result, RegistryError)

    run(work)
