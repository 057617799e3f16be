"""Who can reach whom: what is read of Docker's API, what is said of it, what is drawn; and once on the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from matplotlib.patches import Rectangle

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.lab.reach import Guest, Published, Reach, gather
from containerlab.lab.reach_figure import draw_reach, network_map
from containerlab.lab.reach_words import rows, summary
from containerlab.lab.words import speak
from tests.lab.networks_scripted import CROWD, NETWORKS, TEA, box, network


@pytest.fixture
def town() -> Reach:
    spy = box("spy", {})
    spy["HostConfig"]["NetworkMode"] = f"container:{TEA[1]['Id']}"
    return gather(NETWORKS, [*TEA, spy])


def guest(found: Reach, name: str) -> Guest:
    return next(each for each in found.guests if each.name == name)


def words_of(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.canvas.axes for text in axes.texts if text.get_text()]


def test_networks_in_use_are_there_and_say_what_they_are(town: Reach) -> None:
    assert [place.name for place in town.places] == ["coffee", "tea", "vault", "bridge", "host", "none"]
    told = {place.name: (place.leads_out, place.has_names) for place in town.places}
    assert told == {
        "coffee": (True, True), "tea": (True, True), "vault": (False, True),
        "bridge": (True, False), "host": (True, False), "none": (False, False),
    }  # fmt: skip


def test_who_shares_a_network_reaches_each_other_by_name_alias_and_no_other_does(town: Reach) -> None:
    assert town.reached(guest(town, "kettle")) == {
        "grinder": ["grinder"], "clerk": ["clerk"], "cup-1": ["cup-1", "cup"], "cup-2": ["cup-2", "cup"],
        "shop": ["shop"], "spy": [],
    }  # fmt: skip
    assert set(town.reached(guest(town, "grinder"))) == {"kettle", "clerk"}
    assert set(town.reached(guest(town, "safe"))) == {"clerk"}
    assert town.reached(guest(town, "bare")) == town.reached(guest(town, "hermit")) == {}


def test_the_default_network_has_no_names_but_links(town: Reach) -> None:
    assert town.reached(guest(town, "old")) == {"older": []}
    assert town.reached(guest(town, "older")) == {"old": ["friend"]}


def test_a_lodger_has_the_other_s_address_and_finds_it_on_the_loopback(town: Reach) -> None:
    spy = guest(town, "spy")
    assert (spy.lodges_with, spy.ends[0].addresses, spy.published) == ("shop", ("172.18.0.3",), ())
    assert town.reached(spy)["shop"] == ["localhost"]
    names = [each.name for each in town.guests]
    assert names.index("spy") == names.index("shop") + 1


def test_published_ports_have_the_host_s_address_in_brackets_where_it_has_colons() -> None:
    doors = {"80/tcp": [("0.0.0.0", "8080"), ("::", "8080")], "53/udp": [("", "53")], "9/tcp": None}
    found = gather(NETWORKS, [box("web", {"tea": "172.18.0.2"}, ports=doors)])
    assert found.guests[0].published == (
        Published("80/tcp", "0.0.0.0:8080"), Published("80/tcp", "[::]:8080"), Published("53/udp", "0.0.0.0:53"),
    )  # fmt: skip


def test_only_what_is_asked_for_is_shown_an_empty_network_too() -> None:
    found = gather(NETWORKS, TEA, ["vault", "idle"])
    assert [place.name for place in found.places] == ["idle", "vault"]
    assert [each.name for each in found.guests] == ["clerk", "safe"]
    assert {"network": "idle"}.items() <= rows(found)[-1].items()
    assert "idle" in words_of(draw_reach(found))


def test_a_bridge_without_talk_between_containers_lets_none_reach_another() -> None:
    quiet = network("quiet", "10.0.0.0/24", "10.0.0.1", Options={"com.docker.network.bridge.enable_icc": "false"})
    found = gather([quiet], [box("one", {"quiet": "10.0.0.2"}), box("two", {"quiet": "10.0.0.3"})])
    assert found.reached(found.guests[0]) == {}
    assert "reach each other" not in summary(found)


def test_names_that_another_engine_tells_are_read_without_the_short_id() -> None:
    web = box("web", {"tea": "172.18.0.2"})
    web["NetworkSettings"]["Networks"]["tea"]["DNSNames"] = ["web", "site", web["Id"][:12]]
    assert gather(NETWORKS, [web]).guests[0].ends[0].names == ("web", "site")


def test_the_sentence_names_networks_doors_and_what_is_closed(town: Reach) -> None:
    said = summary(town)
    assert "on coffee: grinder, kettle, clerk;" in said and "on vault: clerk, safe;" in said
    assert "leads to shop (127.0.0.1:32768)." in said and said.endswith("No way leads out of vault.")
    assert "host" not in said.split("From the host")[0]
    assert summary(gather(NETWORKS, [])) == "No container that runs is on a network here."


def test_of_many_the_first_are_named_in_the_order_of_their_numbers() -> None:
    assert "worker-0, worker-2, worker-4, worker-6, worker-8 and 23 more" in summary(gather(NETWORKS, CROWD))


def test_every_place_is_drawn_with_its_address_and_names(town: Reach) -> None:
    figure = draw_reach(town)
    words = words_of(figure)
    expected = {
        "172.18.0.0/16", "gateway 172.18.0.1", "internal: no way out", "cup-1, cup", "172.19.0.3", "this host",
        "127.0.0.1:32768 → 80/tcp", "in the network of shop", "beyond, as far as the host leads",
    }  # fmt: skip
    assert expected <= set(words)
    assert words.count("172.18.0.3") == 2
    assert len(figure.table.rows) == sum(len(each.ends) for each in town.guests)
    drawn = re.findall(r'id="cl[0-9a-f]{8}-(container|network)-\d+"', figure.to_html())
    assert (drawn.count("container"), drawn.count("network")) == (len(town.guests), len(town.places))


def test_plugs_never_overlap_and_stay_inside_the_picture() -> None:
    for containers in (TEA, CROWD):
        figure = draw_reach(gather(NETWORKS, containers))
        [axes] = figure.canvas.axes
        boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_height() == 0.5]
        places = [(round(patch.get_x(), 3), round(patch.get_y(), 3)) for patch in boxes]
        assert len(set(places)) == len(places) == len(figure.table.rows)
        assert all(patch.get_x() + patch.get_width() < axes.get_xlim()[1] for patch in boxes)
        assert all(patch.get_y() + patch.get_height() < axes.get_ylim()[0] for patch in boxes)


def test_without_a_published_port_the_host_is_left_out() -> None:
    figure = draw_reach(gather(NETWORKS, [box("lone", {"vault": "172.20.0.2"})]))
    assert not {"this host", "beyond, as far as the host leads"} & set(words_of(figure))


def test_the_map_speaks_korean() -> None:
    speak("ko")
    try:
        figure = draw_reach(gather(NETWORKS, TEA))
    finally:
        speak("en")
    assert "내부 전용: 밖으로 못 나감" in words_of(figure)
    assert figure.table.head[0] == "컨테이너"


@pytest.fixture
def place(client: docker.DockerClient, name: str) -> Iterator[str]:
    made = client.networks.create(f"{name}-net", internal=True)
    options: dict[str, Any] = {"detach": True, "network": made.name}
    boxes = [client.containers.run("lab/busybox", "sleep 1000", name=f"{name}-{tail}", **options) for tail in "ab"]
    yield f"{name}-net"
    for each in boxes:
        each.remove(force=True)
    made.remove()


def test_the_verb_maps_what_the_engine_has(client: docker.DockerClient, place: str, name: str) -> None:
    result: Any = invoke(["network", "map", place], Context(output=None, connect=lambda: client))
    told = result.to_dict()
    assert [(each["name"], each["internal"], each["leads_out"]) for each in told["networks"]] == [(place, True, False)]
    assert [each["reaches"] for each in told["containers"]] == [
        {f"{name}-b": [f"{name}-b"]}, {f"{name}-a": [f"{name}-a"]},
    ]  # fmt: skip
    inspected = client.networks.get(place).attrs["Containers"].values()
    assert {row["address"] for row in result} == {each["IPv4Address"].partition("/")[0] for each in inspected}
    assert "CONTAINER" in str(result) and f"No way leads out of {place}." in str(result)
    assert name in network_map(client, place).summary


def test_a_network_that_isn_t_there_is_named(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.NotFound, match="never-heard-of"):
        network_map(client, "never-heard-of")
