"""The graph of a Compose project: what stands where, and the words beside it."""

from __future__ import annotations

from containerlab.lab.services import ServiceNode, services_graph

NEEDS = (("db", "service_healthy"), ("job", "service_completed_successfully"))
WEB = ServiceNode("web", "shop/web", "healthy", 2, ("8080 → 80",), ("front", "back"), (), NEEDS)
JOB = ServiceNode("job", "shop/job", "ended with 0", 1, (), ("back",), ("data",), (("db", "service_healthy"),))
DB = ServiceNode("db", "shop/db", "healthy", 1, (), ("back",), ("data", "logs"))


def test_every_service_network_and_volume_is_drawn_with_a_tooltip() -> None:
    figure = services_graph("shop", [DB, WEB, JOB])
    assert {tip.partition(":")[0] for tip in figure.tips.values()} == {
        "web ×2", "job", "db", "network front", "network back", "volume data", "volume logs",
    }  # fmt: skip
    svg = figure.to_html()
    assert all(
        f"<title>{words}" in svg for words in ("web ×2: shop/web, healthy, published 8080 → 80", "volume logs: db")
    )
    assert figure.data["networks"] == ["front", "back"] and set(figure.data["volumes"]) == {"data", "logs"}


def test_the_table_and_the_sentence_say_the_same() -> None:
    figure = services_graph("shop", [DB, WEB, JOB])
    assert figure.summary == "3 services on 2 networks with 2 volumes: web needs db, job; job needs db."
    assert [row[0] for row in figure.table.rows] == ["web", "job", "db"], "who needs another stands before it"
    assert figure.table.rows[0][-1] == "db once it is healthy; job once it has ended well"


def test_a_single_service_and_none_at_all_are_drawn_too() -> None:
    assert services_graph("one", [ServiceNode("web")]).summary == "1 service."
    assert services_graph("none", []).summary == "0 services."


def test_a_dependency_that_is_not_in_the_picture_has_no_arrow() -> None:
    figure = services_graph("part", [WEB])
    assert "starts once" not in figure.to_html().partition("<details>")[0]
