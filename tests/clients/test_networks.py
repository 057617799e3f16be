"""Networks, addresses and names as the docker CLI and docker-py use them."""

from __future__ import annotations

import json
import threading

import docker
import pytest

from tests.clients.conftest import IMAGE, Cli
from tests.clients.networking import SECONDS, SERVE, network
from tests.rungs import each_host as host

__all__ = ["host", "network"]


def test_the_three_networks_that_are_always_there(cli: Cli) -> None:
    assert cli.ok("network", "ls", "--filter", "type=builtin", "--format", "{{.Name}} {{.Driver}}").split("\n") == [
        "bridge bridge",
        "host host",
        "none null",
    ]
    answer = cli("network", "rm", "bridge")
    assert answer.code == 1 and "pre-defined network and cannot be removed" in answer.err


def test_a_container_of_the_default_network_has_an_address_and_no_warning(cli: Cli) -> None:
    answer = cli("run", "--rm", IMAGE, "sh", "-c", "ip -o -4 addr show eth0; ip route; grep $(hostname) /etc/hosts")
    assert answer.code == 0 and answer.err == "", answer
    assert "inet 172.17.0." in answer.out and "default via 172.17.0.1 dev eth0" in answer.out
    assert answer.out.splitlines()[-1].startswith("172.17.0.")


def test_names_aliases_and_addresses_of_a_user_network(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", "--subnet", "10.77.0.0/24", "--gateway", "10.77.0.254", "--label", "a=b", network)
    words = ("--network", network, "--network-alias", "app", "--ip", "10.77.0.7")
    cli.ok("run", "-d", "--name", name, *words, IMAGE, "sh", "-c", SERVE, "hello")
    ask = f"wget -qO- http://{name}/ && wget -qO- http://app/ && ip route | head -1"
    shown = cli.ok("run", "--rm", "--network", network, IMAGE, "sh", "-c", ask)
    assert shown.startswith("hello\nhello\ndefault via 10.77.0.254")
    seen = json.loads(cli.ok("inspect", "--format", "{{json .NetworkSettings.Networks}}", name))[network]
    assert (seen["IPAddress"], seen["Gateway"]) == ("10.77.0.7", "10.77.0.254")
    (found,) = json.loads(cli.ok("network", "inspect", network))
    assert [each["Name"] for each in found["Containers"].values()] == [name]
    assert (found["Labels"], found["IPAM"]["Config"][0]["Subnet"]) == ({"a": "b"}, "10.77.0.0/24")
    taken = cli("run", "--rm", "--network", network, "--ip", "10.77.0.7", IMAGE, "true")
    assert taken.code == 125 and "Address already in use" in taken.err
    cli.ok("restart", "-t", "0", name)
    again = json.loads(cli.ok("inspect", "--format", "{{json .NetworkSettings.Networks}}", name))[network]
    assert again["IPAddress"] == "10.77.0.7"
    refused = cli("network", "rm", network)
    assert refused.code == 1 and "has active endpoints" in refused.err
    cli.ok("rm", "-f", name)
    cli.ok("network", "rm", network)
    assert "not found" in cli("run", "--rm", "--network", network, IMAGE, "true").err


def test_a_hardware_address_of_ones_own(cli: Cli, name: str) -> None:
    answer = cli("run", "--rm", "--mac-address", "02:00:00:00:00:77", IMAGE, "cat", "/sys/class/net/eth0/address")
    if "requires API version 1.44" in answer.err:
        pytest.skip("this client asks for a hardware address in a newer engine's way alone")
    assert (answer.code, answer.out) == (0, "02:00:00:00:00:77\n"), answer


def test_an_unknown_name_is_no_address(cli: Cli, network: str) -> None:
    cli.ok("network", "create", network)
    answer = cli("run", "--rm", "--network", network, IMAGE, "wget", "-qO-", "http://example.invalid/")
    assert answer.code == 1 and "bad address" in answer.err


def test_networks_are_apart_and_connect_joins_them(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", network)
    cli.ok("run", "-d", "--name", name, "--network", network, IMAGE, "sh", "-c", SERVE, "hello")
    address = cli.ok("inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}', name)
    other = f"{name}-other"
    try:
        cli.ok("run", "-d", "--name", other, IMAGE, "sleep", "1000")
        ask = ("exec", other, "timeout", "2", "wget", "-qO-")
        assert cli(*ask, f"http://{address}/").code != 0
        cli.ok("network", "connect", "--alias", "guest", network, other)
        assert cli.ok(*ask, f"http://{name}/") == "hello"
        again = cli("network", "connect", network, other)
        assert again.code == 1 and "already exists in network" in again.err
        cli.ok("network", "disconnect", network, other)
        assert cli(*ask, f"http://{address}/").code != 0
        assert cli.ok("exec", other, "ls", "/sys/class/net").split() == ["eth0", "lo"]
    finally:
        cli("rm", "-f", other)


def test_what_is_connected_while_stopped_is_there_after_the_start(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", "--internal", network)
    cli.ok("create", "--name", name, IMAGE, "sh", "-c", "ls /sys/class/net; ip route | grep -c default")
    cli.ok("network", "connect", network, name)
    assert cli.ok("start", "-a", name).split() == ["eth0", "eth1", "lo", "1"]


def test_docker_py_makes_lists_and_prunes(client: docker.DockerClient, network: str) -> None:
    made = client.networks.create(network, labels={"lab": network}, check_duplicate=True)
    assert [each.name for each in client.networks.list(filters={"label": f"lab={network}"})] == [network]
    with pytest.raises(docker.errors.APIError) as error:
        client.networks.create(network, check_duplicate=True)
    assert error.value.status_code == 409
    box = client.containers.run(IMAGE, "sleep 1000", network=network, detach=True)
    assert client.networks.prune(filters={"label": f"lab={network}"})["NetworksDeleted"] is None
    made.reload()
    assert [each.id for each in made.containers] == [box.id]
    made.disconnect(box)
    made.connect(box, aliases=["x"])
    box.reload()
    assert "x" in box.attrs["NetworkSettings"]["Networks"][network]["Aliases"]
    box.remove(force=True)
    assert client.networks.prune(filters={"label": f"lab={network}"})["NetworksDeleted"] == [network]
    with pytest.raises(docker.errors.NotFound):
        client.networks.get(network)


def test_a_network_of_ipv6(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", "--ipv6", "--subnet", "fd77:1::/64", network)
    cli.ok("run", "-d", "--name", name, "--network", network, IMAGE, "sh", "-c", SERVE, "hello")
    address = cli.ok(
        "inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{network}").GlobalIPv6Address}}}}', name
    )
    assert address.startswith("fd77:1::")
    shown = cli.ok("run", "--rm", "--network", network, IMAGE, "wget", "-qO-", f"http://[{address}]/")
    assert shown == "hello"


def test_a_network_of_stopped_containers_alone_is_nobodys(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", "--label", f"of={network}", network)
    cli.ok("create", "--name", name, "--network", network, IMAGE, "true")
    wanted = ("--filter", f"label=of={network}")
    assert cli.ok("network", "ls", "--filter", "dangling=true", *wanted, "--format", "{{.Name}}") == network
    assert network in cli.ok("network", "prune", "-f", *wanted)
    answer = cli("start", name)
    assert answer.code == 1
    assert f"network {network} not found" in answer.err


@pytest.mark.ours("Docker has a pool of IPv6 addresses from version 27 on")
def test_a_network_of_ipv6_without_a_subnet_named(cli: Cli, network: str) -> None:
    cli.ok("network", "create", "--ipv6", network)
    assert cli.ok("run", "--rm", "--network", network, IMAGE, "ip", "-6", "addr", "show", "eth0").count("inet6 fd") == 1


def test_a_network_that_isn_t_there_is_missed_at_the_start(
    client: docker.DockerClient, cli: Cli, network: str, name: str
) -> None:
    made = client.containers.create(IMAGE, "true", name=name, network=network)
    with pytest.raises(docker.errors.NotFound, match=f"network {network} not found"):
        made.start()
    made.reload()
    assert (made.status, made.attrs["State"]["ExitCode"]) == ("created", 128)
    client.networks.create(network)
    made.start()
    assert made.wait()["StatusCode"] == 0
    missed = cli("run", "--rm", "--network", f"{network}-not", IMAGE, "true")
    assert missed.code == 125 and f"network {network}-not not found" in missed.err
    assert "Unable to find image" not in missed.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--subnet 10.78.0.128/25", "Pool overlaps with other one on this address space"),
        ("--subnet 10.79.0.0/33", "nvalid subnet 10.79.0.0/33"),
        ("--driver nosuch", 'plugin "nosuch" not found'),
        ("--driver host", 'only one instance of "host" network is allowed'),
    ],
)
def test_a_network_that_cannot_be_is_refused_and_isnt_there(cli: Cli, network: str, words: str, said: str) -> None:
    cli.ok("network", "create", "--subnet", "10.78.0.0/24", network)
    answer = cli("network", "create", *words.split(), f"{network}-other")
    assert answer.code == 1 and said in answer.err
    assert cli.ok("network", "ls", "--format", "{{.Name}}", "--filter", f"name={network}") == network


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("10.99.0.1", "nvalid address 10.99.0.1: It does not belong to any of this network's subnets"),
        ("10.78.0.1", "Address already in use"),
        ("10.78.0.0", "Address already in use"),
        ("10.78.0.3", "Address already in use"),
        ("10.78.0", "invalid IPv4 address: 10.78.0"),
    ],
)
def test_an_address_that_cannot_be_had(cli: Cli, network: str, name: str, asked: str, said: str) -> None:
    cli.ok("network", "create", "--subnet", "10.78.0.0/30", network)
    answer = cli("run", "--rm", "--name", name, "--network", network, "--ip", asked, IMAGE, "true")
    assert answer.code == 125 and said in answer.err
    assert cli("inspect", name).code == 1
    cli.ok("run", "--rm", "--network", network, "--ip", "10.78.0.2", IMAGE, "true")


def test_no_address_is_left_and_then_one_is(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", "--subnet", "10.78.0.0/30", network)
    cli.ok("run", "-d", "--name", name, "--network", network, IMAGE, "sleep", "1000")
    answer = cli("run", "--rm", "--network", network, IMAGE, "true")
    number = cli.ok("network", "inspect", "--format", "{{.Id}}", network)
    said = f"no available IPv4 addresses on this network's address pools: {network} ({number})"
    assert answer.code == 125 and said in answer.err
    cli.ok("rm", "-f", name)
    cli.ok("run", "--rm", "--network", network, IMAGE, "true")


def test_another_containers_network_is_joined_with_its_names(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", network)
    cli.ok("run", "-d", "--name", name, "--network", network, IMAGE, "sh", "-c", SERVE, "hello")
    mode = ("run", "--rm", "--network", f"container:{name}")
    assert cli.ok(*mode, IMAGE, "wget", "-qO-", "http://127.0.0.1/") == "hello"
    assert cli.ok(*mode, IMAGE, "wget", "-qO-", f"http://{name}/") == "hello"
    refused = cli(*mode, "-p", "80", IMAGE, "true")
    said = "conflicting options: port publishing and the container type network mode"
    assert refused.code == 125 and said in refused.err


def test_many_starts_at_once_have_addresses_of_their_own(client: docker.DockerClient, network: str) -> None:
    client.networks.create(network)
    made = [client.containers.create(IMAGE, "sleep 1000", network=network) for _ in range(8)]
    threads = [threading.Thread(target=box.start) for box in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    seen = client.networks.get(network).attrs["Containers"].values()
    assert len({each["IPv4Address"] for each in seen}) == len({each["MacAddress"] for each in seen}) == 8
    for box in made:
        box.remove(force=True)
    assert client.networks.get(network).attrs["Containers"] == {}
