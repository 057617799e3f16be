"""A web service, a database and a worker from one file: health-gated order, names inside, a port outside, kept data."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest

from tests.compose.conftest import Project


def ask(address: str, path: str) -> dict[str, str | None]:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=20) as answer:
        return json.load(answer)


def until_capitals(address: str, word: str) -> str | None:
    """The worker has its own pace."""
    deadline = time.monotonic() + 20
    while (found := ask(address, "/").get(word)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_the_shop_comes_up_in_order_and_keeps_its_data(shop: Project) -> None:
    began = time.time()
    shop("up --wait")
    assert sorted(shop.containers()) == ["db-1", "tables-1", "web-1", "worker-1"]
    seen = [
        (event["Actor"]["Attributes"]["com.docker.compose.service"], event["Action"])
        for event in shop.client.api.events(
            since=began - 1, until=time.time(), decode=True,
            filters={"label": f"com.docker.compose.project={shop.name}", "type": "container"},
        )
    ]  # fmt: skip
    order = [
        ("db", "start"),
        ("db", "health_status: healthy"),
        ("tables", "start"),
        ("tables", "die"),
        ("worker", "start"),
    ]
    assert [seen.index(event) for event in order] == sorted(seen.index(event) for event in order), seen
    assert shop.containers()["tables-1"].attrs["State"]["ExitCode"] == 0

    address = str(shop("port web 80"))
    assert address.startswith("127.0.0.1:")
    ask(address, "/add/container")
    assert until_capitals(address, "container") == "CONTAINER"
    shop("exec -T worker python3 /app/client.py http://db/health")
    assert "ok" in shop.out

    shop("down -t 1")
    assert not shop.containers()
    shop("up --wait")
    assert ask(str(shop("port web 80")), "/") == {"container": "CONTAINER"}
    shop("down -t 1 -v")
    shop("up --wait")
    assert ask(str(shop("port web 80")), "/") == {}


@pytest.mark.parametrize("engine", ["root"], indirect=True)
def test_docker_compose_brings_the_same_file_up_and_each_sees_what_the_other_made(shop: Project) -> None:
    answer = shop.other("up", "-d")
    assert answer.code == 0, answer
    assert {row["service"] for row in shop("ps -a")} == {"db", "tables", "web", "worker"}  # type: ignore[attr-defined]
    shop("start --wait")
    address = str(shop("port web 80"))
    ask(address, "/add/other")
    assert until_capitals(address, "other") == "OTHER"
    shop("down -t 1")
    assert not shop.containers()
    shop("up --wait")
    answer = shop.other("ps")
    assert answer.code == 0 and f"{shop.name}-web-1" in answer.out, answer
    assert ask(str(shop("port web 80")), "/") == {"other": "OTHER"}
    answer = shop.other("down", "-t", "1", "-v")
    assert answer.code == 0 and not shop.containers(), answer
