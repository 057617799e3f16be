"""The event bus: what is kept, replayed, filtered, and who is dropped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from containerlab.engine.events import Events, matches
from tests.engine.conftest import collect

CONTAINER = "c" * 64
IMAGE = "sha256:" + "1" * 64


def event(type: str = "container", action: str = "start", id: str = CONTAINER, **attributes: str) -> dict[str, Any]:
    return {"Type": type, "Action": action, "Actor": {"ID": id, "Attributes": attributes}, "scope": "local"}


def publish(bus: Events, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        bus.publish("container", "start", str(number), {})


def ids(events: list[dict[str, Any]]) -> list[int]:
    return [int(each["Actor"]["ID"]) for each in events]


def in_loop(work: Callable[[Events], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await work(Events())

    return asyncio.run(main())


def test_a_container_event_has_docker_s_fields_old_clients_included() -> None:
    async def one(bus: Events) -> list[dict[str, Any]]:
        subscription = bus.subscribe()
        bus.publish("container", "die", CONTAINER, {"image": "busybox", "name": "web", "exitCode": "3"})
        return await collect(subscription, 1)

    before = time.time_ns()
    (told,) = in_loop(one)
    assert before <= told.pop("timeNano") <= time.time_ns()
    assert before // 10**9 <= told.pop("time") <= time.time()
    assert told == {
        "status": "die",
        "id": CONTAINER,
        "from": "busybox",
        "Type": "container",
        "Action": "die",
        "Actor": {"ID": CONTAINER, "Attributes": {"image": "busybox", "name": "web", "exitCode": "3"}},
        "scope": "local",
    }


def test_an_event_of_a_network_has_none_of_the_old_fields() -> None:
    async def one(bus: Events) -> list[dict[str, Any]]:
        subscription = bus.subscribe()
        bus.publish("network", "create", "n", {})
        return await collect(subscription, 1)

    (told,) = in_loop(one)
    assert not {"status", "id", "from"} & set(told)


def test_a_subscriber_hears_what_comes_in_order_and_nothing_from_before() -> None:
    async def listen(bus: Events) -> list[dict[str, Any]]:
        publish(bus, 3)
        subscription = bus.subscribe()
        publish(bus, 4, first=3)
        return await collect(subscription, 4)

    assert ids(in_loop(listen)) == [3, 4, 5, 6]


def test_since_replays_the_last_256_before_what_comes() -> None:
    async def listen(bus: Events) -> list[dict[str, Any]]:
        publish(bus, 300)
        subscription = bus.subscribe(since=0.0)
        publish(bus, 1, first=300)
        return await collect(subscription, 257)

    assert ids(in_loop(listen)) == list(range(44, 301))


def test_since_leaves_out_what_was_earlier() -> None:
    async def listen(bus: Events) -> list[dict[str, Any]]:
        publish(bus, 2)
        await asyncio.sleep(0.01)
        middle = time.time()
        await asyncio.sleep(0.01)
        publish(bus, 2, first=2)
        return await collect(bus.subscribe(since=middle, until=time.time()))

    assert ids(in_loop(listen)) == [2, 3]


@pytest.mark.parametrize("since", [None, 0.0])
def test_a_past_until_ends_after_what_is_kept_up_to_it(since: float | None) -> None:
    async def listen(bus: Events) -> list[dict[str, Any]]:
        publish(bus, 2)
        await asyncio.sleep(0.01)
        subscription = bus.subscribe(since=since, until=time.time())
        await asyncio.sleep(0.01)
        publish(bus, 1, first=2)
        told = await collect(subscription)
        assert bus.subscribers == 0
        return told

    assert ids(in_loop(listen)) == [0, 1]


def test_a_coming_until_ends_a_subscription_to_which_nothing_happens() -> None:
    async def listen(bus: Events) -> list[dict[str, Any]]:
        return await collect(bus.subscribe(until=time.time() + 0.05))

    assert in_loop(listen) == []


def test_a_subscriber_that_does_not_read_is_dropped_and_the_others_are_not() -> None:
    async def listen(bus: Events) -> tuple[int, int, int]:
        slow, quick = bus.subscribe(), bus.subscribe()
        read = 0
        for number in range(20):
            publish(bus, 100, first=100 * number)
            read += len(await collect(quick, 100))
        left = bus.subscribers
        unread = ids(await collect(slow))
        assert unread == list(range(len(unread)))
        return read, left, len(unread)

    read, left, unread = in_loop(listen)
    assert (read, left) == (2000, 1)
    assert 1024 <= unread <= 1025


def test_closing_the_bus_ends_every_subscription_after_what_is_queued() -> None:
    async def listen(bus: Events) -> list[list[dict[str, Any]]]:
        subscriptions = [bus.subscribe(), bus.subscribe()]
        publish(bus, 1)
        waiting = [asyncio.ensure_future(collect(each)) for each in subscriptions]
        await asyncio.sleep(0)
        bus.close()
        return [await each for each in waiting]

    assert [ids(told) for told in in_loop(listen)] == [[0], [0]]


def test_a_closed_subscription_hears_nothing_more() -> None:
    async def listen(bus: Events) -> list[dict[str, Any]]:
        subscription = bus.subscribe()
        subscription.close()
        publish(bus, 1)
        return await collect(subscription)

    assert in_loop(listen) == []


def test_a_subscription_is_given_what_passes_its_filters_alone() -> None:
    async def listen(bus: Events) -> list[dict[str, Any]]:
        subscription = bus.subscribe(since=0.0, until=time.time() + 5, filters={"event": ["die"]})
        for number in range(2000):
            bus.publish("container", "start", str(number), {})
        bus.publish("container", "die", "7", {})
        return await collect(subscription, 1)

    assert ids(in_loop(listen)) == [7]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, True),
        ({"type": ["container"]}, True),
        ({"type": ["image", "container"]}, True),
        ({"type": ["image"]}, False),
        ({"type": ["cont"]}, False),
        ({"event": ["start"]}, True),
        ({"event": ["star"]}, False),
        ({"event": ["stop", "start"], "type": ["container"]}, True),
        ({"event": ["start"], "type": ["image"]}, False),
        ({"container": [CONTAINER]}, True),
        ({"container": ["ccc"]}, True),
        ({"container": ["web1"]}, True),
        ({"container": ["we"]}, True),
        ({"container": ["eb1"]}, False),
        ({"container": ["db", "web1"]}, True),
        ({"image": ["busybox"]}, True),
        ({"image": ["busybox:1"]}, True),
        ({"image": ["busy"]}, False),
        ({"label": ["a"]}, True),
        ({"label": ["a=1"]}, True),
        ({"label": ["a=2"]}, False),
        ({"label": ["a", "b"]}, False),
        ({"scope": ["local"]}, True),
        ({"scope": ["swarm"]}, False),
        ({"network": ["web1"]}, False),
        ({"volume": ["web1"]}, False),
        ({"event": []}, False),
    ],
)
def test_a_container_s_event_passes_docker_s_filters(filters: dict[str, list[str]], expected: bool) -> None:
    assert matches(event(name="web1", image="busybox:1", a="1"), filters) is expected


@pytest.mark.parametrize(
    ("action", "wanted", "expected"),
    [
        ("exec_start: sh -c x", "exec_start", True),
        ("exec_start: sh -c x", "exec_start: sh -c x", True),
        ("health_status: healthy", "health_status", True),
        ("health_status: healthy", "health_status: unhealthy", False),
        ("exec_start: sh", "exec_die", False),
    ],
)
def test_an_action_with_details_is_found_by_its_first_word(action: str, wanted: str, expected: bool) -> None:
    assert matches(event(action=action), {"event": [wanted]}) is expected


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("busybox:latest", "busybox", True),
        ("busybox:latest", "busybox:latest", True),
        ("localhost:5000/a/b:1", "localhost:5000/a/b", True),
        ("localhost:5000/a/b:1", "localhost", False),
        (IMAGE, IMAGE, True),
        ("busybox:latest", IMAGE, True),
        ("busybox:latest", "web", False),
    ],
)
def test_an_image_s_event_is_found_by_id_name_and_name_without_tag(name: str, wanted: str, expected: bool) -> None:
    assert matches(event("image", "tag", IMAGE, name=name), {"image": [wanted]}) is expected


def test_a_volume_or_network_is_found_by_what_its_id_or_name_begins_with() -> None:
    assert matches(event("network", "connect", "abc", name="lab"), {"network": ["la"]})
    assert not matches(event("network", "connect", "abc", name="lab"), {"network": ["b"]})
