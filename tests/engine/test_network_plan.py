"""How a request becomes endpoints and ports, and what of it is refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from containerlab.database import Database
from containerlab.engine.models import ContainerConfig, EndpointConfig, HostConfig, NetworkingConfig, PortBinding
from containerlab.engine.network_plan import endpoints, settle, wanted_ports
from containerlab.engine.network_set import NetworkSet
from containerlab.engine.parts import Parts
from containerlab.errors import Conflict, ContainerlabError, Forbidden, InvalidParameter, NoSuchNetwork
from containerlab.network.addresses import choose, free_subnet, parse_subnet
from containerlab.network.model import Endpoint, Network, Subnet


@pytest.fixture
def known(tmp_path: Path) -> Iterator[NetworkSet]:
    database = Database(tmp_path / "db")
    made = NetworkSet(cast(Parts, SimpleNamespace(database=database, engine_id="e")))
    asked = Subnet(subnet="10.9.0.0/24", gateway="10.9.0.1", asked=True)
    pool = Subnet(subnet="172.18.0.0/16", gateway="172.18.0.1")
    made.add(Network(id="a" * 64, name="lab", created=1, subnets=[asked]))
    made.add(Network(id="ab" * 32, name="plain", created=2, subnets=[pool]))
    yield made
    database.close()


def plan(known: NetworkSet, mode: str = "", mac: str = "", **asked: EndpointConfig | None) -> list[Endpoint]:
    networking = NetworkingConfig(endpoints_config=dict(asked))
    return endpoints(known, ContainerConfig(mac_address=mac), HostConfig(network_mode=mode), networking)


@pytest.mark.parametrize(
    ("mode", "asked", "expected"),
    [
        ("", [], ["bridge"]),
        ("default", ["default"], ["bridge"]),
        ("bridge", ["default"], ["bridge"]),
        ("lab", [], ["lab"]),
        ("a" * 64, [], ["lab"]),
        ("lab", ["lab"], ["lab"]),
        ("lab", ["plain"], ["lab", "plain"]),
        # As docker-py sends a networking_config alone.
        ("", ["lab"], ["lab"]),
        ("none", ["none", "default"], []),
        ("host", [], []),
        ("container:web", [], []),
    ],
)
def test_a_mode_and_endpoints_are_networks(known: NetworkSet, mode: str, asked: list[str], expected: list[str]) -> None:
    assert [end.network for end in plan(known, mode, **dict.fromkeys(asked))] == expected


def test_an_endpoint_says_what_was_asked(known: NetworkSet) -> None:
    asked = EndpointConfig(
        ipam_config={"IPv4Address": "10.9.0.7"}, aliases=["db", "db"], mac_address="02:00:00:00:0A:01"
    )
    (end,) = plan(known, "lab", lab=asked)
    assert (end.asked_address, end.aliases, end.asked_mac) == ("10.9.0.7", ["db"], "02:00:00:00:0a:01")
    (end,) = plan(known, "lab", lab=EndpointConfig(links=["db", "db:store"]))
    assert end.links == ["db:db", "db:store"] and end.cleared().links == end.links
    assert plan(known, "lab", mac="02:00:00:00:00:02")[0].asked_mac == "02:00:00:00:00:02"


@pytest.mark.parametrize(("mode", "asked"), [("later", []), ("", ["later"]), ("later", ["later"])])
def test_a_network_that_isn_t_there_yet_is_the_start_s_affair(known: NetworkSet, mode: str, asked: list[str]) -> None:
    (end,) = plan(known, mode, **dict.fromkeys(asked, EndpointConfig(aliases=["db"])))
    assert (end.network, end.network_id) == ("later", "")
    with pytest.raises(NoSuchNetwork, match="network later not found"):
        settle(known, end)
    end.network = "aaa"
    assert settle(known, end).name == end.network == "lab" and end.network_id == known.get("lab").id


def test_an_address_is_looked_at_once_the_network_is_there(known: NetworkSet) -> None:
    (end,) = plan(known, "later", later=EndpointConfig(ip_address="10.8.0.1"))
    end.network = "lab"
    with pytest.raises(InvalidParameter, match="does not belong"):
        settle(known, end)


@pytest.mark.parametrize(
    ("mode", "endpoint", "error", "message"),
    [
        ("", {"bridge": EndpointConfig(ip_address="192.0.2.1")}, InvalidParameter, "user specified IP address"),
        ("", {"bridge": EndpointConfig(aliases=["db"])}, InvalidParameter, "network-scoped alias"),
        ("", {"bridge": EndpointConfig(links=["db:a:b"])}, InvalidParameter, "bad format for links: db:a:b"),
        ("none", {"none": EndpointConfig(aliases=["db"])}, InvalidParameter, "network-scoped alias"),
        ("none", {"none": EndpointConfig(ip_address="1.2.3.4")}, InvalidParameter, "user specified IP"),
        ("host", {"host": EndpointConfig(mac_address="02:00:00:00:00:01")}, InvalidParameter, "mac-address"),
        ("lab", {"lab": EndpointConfig(links=["db:a:b"])}, InvalidParameter, "bad format for links: db:a:b"),
        ("lab", {"lab": EndpointConfig(mac_address="nonsense")}, InvalidParameter, "invalid MAC"),
        ("lab", {"lab": EndpointConfig(ip_address="10.8.0.1")}, InvalidParameter, "does not belong"),
        ("plain", {"plain": EndpointConfig(ip_address="172.18.0.9")}, InvalidParameter, "user configured subnets"),
        ("lab", {"host": None}, Forbidden, "connected to host network"),
    ],
)
def test_what_can_t_be_had_is_refused(
    known: NetworkSet, mode: str, endpoint: dict[str, Any], error: type[ContainerlabError], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan(known, mode, **endpoint)


def test_a_network_is_found_as_docker_does(known: NetworkSet) -> None:
    assert known.get("lab").name == known.get("aaa").name == "lab"
    with pytest.raises(InvalidParameter, match="ambiguous"):
        known.get("a")
    with pytest.raises(Conflict):
        known.add(Network(id="c" * 64, name="lab", created=3))


def test_ports_are_bound_to_loopback_unless_an_address_is_given() -> None:
    host = HostConfig(
        port_bindings={"80/tcp": [PortBinding(host_port="8080")], "53/udp": [PortBinding(host_ip="0.0.0.0")]},
        publish_all_ports=True,
    )
    found = wanted_ports(ContainerConfig(exposed_ports={"80/tcp": {}, "90": {}}), host, "127.0.0.1")
    assert [tuple(each) for each in found] == [
        ("80/tcp", "127.0.0.1", 8080, 8080),
        ("53/udp", "0.0.0.0", 0, 0),
        ("90/tcp", "127.0.0.1", 0, 0),
    ]


@pytest.mark.parametrize(
    ("inside", "binding"),
    [("80/sctp", {}), ("0", {}), ("80", {"host_port": "9-8"}), ("80", {"host_port": "x"}), ("80", {"host_ip": "x"})],
)
def test_a_port_that_can_t_be_published_is_refused(inside: str, binding: dict[str, str]) -> None:
    with pytest.raises(InvalidParameter):
        wanted_ports(ContainerConfig(), HostConfig(port_bindings={inside: [PortBinding(**binding)]}), "127.0.0.1")


def test_a_default_pool_overlaps_nothing() -> None:
    taken = [ipaddress.ip_network("172.17.0.0/16"), ipaddress.ip_network("172.18.4.0/24")]
    assert free_subnet(taken, version=4, seed="").subnet == "172.19.0.0/16"
    first = free_subnet([], version=6, seed="a")
    assert free_subnet([ipaddress.ip_network(first.subnet)], version=6, seed="a").subnet != first.subnet


def test_pools_end() -> None:
    with pytest.raises(Forbidden, match="fully subnetted"):
        free_subnet([ipaddress.ip_network("0.0.0.0/0")], version=4, seed="")


def test_a_subnet_is_taken_as_asked() -> None:
    made = parse_subnet("10.1.0.0/16", "10.1.9.9", "10.1.2.0/24", [])
    assert (made.gateway, choose(made, "", {"10.1.2.0", "10.1.2.1"})) == ("10.1.9.9", "10.1.2.2")
    assert choose(Subnet(subnet="10.0.0.0/30", gateway="10.0.0.1"), "", set()) == "10.0.0.2"
    with pytest.raises(Forbidden, match="no available IPv4"):
        choose(Subnet(subnet="10.0.0.0/30", gateway="10.0.0.1"), "", {"10.0.0.2"})


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("10.1.0.0/31", "", ""), InvalidParameter),
        (("10.1.0.7/16", "", ""), InvalidParameter),
        (("nonsense", "", ""), InvalidParameter),
        (("10.1.0.0/16", "10.2.0.1", ""), InvalidParameter),
        (("10.1.0.0/16", "", "10.2.0.0/24"), InvalidParameter),
        (("172.17.3.0/24", "", ""), Forbidden),
    ],
)
def test_a_subnet_that_can_t_be_is_refused(words: tuple[str, str, str], error: type[ContainerlabError]) -> None:
    with pytest.raises(error):
        parse_subnet(*words, [ipaddress.ip_network("172.17.0.0/16")])
