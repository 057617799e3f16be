"""Networks, names and published ports as the docker CLI and docker-py use them, and what of them outlives an engine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.clients.conftest import IMAGE, Cli
from tests.store import Store

SECONDS = 20
# A web server of busybox that answers with one word.
SERVE = 'mkdir /w; echo "$0" > /w/index.html; exec httpd -f -p 80 -h /w'


_UID = 54_324  # of nobody's: no subordinate ids


@pytest.fixture(scope="module", params=["root", "rootless"])
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each case of networks once more by an engine of an unprivileged user; root's clients may speak to it."""
    if request.param == "root":
        yield request.getfixturevalue("session_host")
        return
    if os.geteuid() != 0 or "DOCKER_HOST" in os.environ:
        pytest.skip("another user's engine is root's to start")
    folder = Path(tempfile.mkdtemp(prefix="cl-net-", dir="/tmp"))
    os.chown(folder, _UID, _UID)
    start = (
        "import sys; from pathlib import Path; from tests.store import Store\n"
        "store = Store(Path(sys.argv[1])); store.start(); print(store.host)"
    )
    relay, store = None, str(folder / "store")
    try:
        engine = _as_user(["-c", start, store], folder).stdout.strip()
        words = [sys.executable, "-m", "tests.relay", str(folder / "s"), engine.removeprefix("unix://")]
        relay = subprocess.Popen(words, stdout=subprocess.PIPE, **_user(folder))
        assert relay.stdout is not None and relay.stdout.readline() == b"ready\n"
        yield f"unix://{folder}/s"
    finally:
        if relay is not None:
            relay.kill()
            relay.wait()
        _as_user(["-m", "tests.store", store], folder)
        shutil.rmtree(folder, ignore_errors=True)


def _user(home: Path) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
    return {"user": _UID, "group": _UID, "extra_groups": [], "env": environment, "cwd": "/"}


def _as_user(words: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    options = {"check": True, "capture_output": True, "text": True, "timeout": 120}
    return subprocess.run([sys.executable, *words], **options, **_user(home))


def fetch(port: int, seconds: float = SECONDS) -> str:
    """What the server behind a published port answers, once it does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.read().decode().strip()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture
def network(client: docker.DockerClient) -> Iterator[str]:
    """A network's name; whatever is on it goes with it."""
    made = f"net-{uuid.uuid4().hex[:8]}"
    yield made
    for container in client.containers.list(all=True):
        if made in (container.attrs["NetworkSettings"]["Networks"] or {}):
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True)
    with contextlib.suppress(docker.errors.NotFound):
        client.networks.get(made).remove()


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


def test_a_link_is_a_name_that_its_container_alone_knows(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", network)
    cli.ok("run", "-d", "--init", "--name", name, "--network", network, IMAGE, "sleep", "60")
    found = cli.ok("run", "--rm", "--network", network, "--link", f"{name}:store", IMAGE, "nslookup", "store")
    assert "Address" in found
    assert cli("run", "--rm", "--network", network, IMAGE, "nslookup", "store").code != 0


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


def test_a_published_port(cli: Cli, name: str) -> None:
    cli.ok("run", "-d", "--name", name, "-p", "127.0.0.1::80", IMAGE, "sh", "-c", SERVE, "hello")
    address, _, port = cli.ok("port", name, "80").rpartition(":")
    assert address == "127.0.0.1"
    assert fetch(int(port)) == "hello"
    assert cli.ok("ps", "--filter", f"publish={port}", "--format", "{{.Ports}}") == f"127.0.0.1:{port}->80/tcp"
    taken = cli("run", "--rm", "-p", f"127.0.0.1:{port}:80", IMAGE, "true")
    assert taken.code == 125, taken
    assert f"Bind for 127.0.0.1:{port} failed: port is already allocated" in taken.err
    cli.ok("stop", "-t", "0", name)
    assert cli.ok("port", name) == ""
    # At once: a port is free when its container's end is told.
    assert cli.ok("run", "--rm", "-p", f"127.0.0.1:{port}:80", IMAGE, "echo", "mine") == "mine"
    cli.ok("start", name)
    assert fetch(int(cli.ok("port", name, "80").rpartition(":")[2])) == "hello"


@pytest.mark.ours("Docker publishes on every address, and doesn't say who has a port")
def test_a_port_is_published_on_loopback_and_its_owner_is_named(cli: Cli, name: str) -> None:
    cli.ok("run", "-d", "--name", name, "-p", "80", IMAGE, "sleep", "1000")
    address, _, port = cli.ok("port", name, "80").rpartition(":")
    assert address == "127.0.0.1"
    assert f"The container {name} has it." in cli("run", "--rm", "-p", f"{port}:80", IMAGE, "true").err
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = cli("run", "--rm", "-p", f"{server.getsockname()[1]}:80", IMAGE, "true")
    # An unprivileged engine may not look at root's processes.
    named = f"({os.getpid()}) has it."
    assert taken.code == 125 and (named in taken.err or "A program on this host has it." in taken.err)


def test_a_port_of_the_host_is_not_taken_away(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = cli("run", "--rm", "-p", f"127.0.0.1:{port}:80", IMAGE, "true")
        assert answer.code == 125, answer
        assert "address already in use" in answer.err or "port is already allocated" in answer.err


@pytest.mark.ours("Docker 20.10 gives up at the first port of a range that a program has")
def test_of_a_range_the_next_port_is_taken(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert cli.ok("run", "--rm", "-p", f"{port}-{port + 3}:80", IMAGE, "echo", "next") == "next"


def test_a_udp_port(cli: Cli, name: str) -> None:
    program = "import socket; s = socket.socket(type=2); s.bind(('', 53))\nwhile 1: s.sendto(*s.recvfrom(999))"
    cli.ok("run", "-d", "--name", name, "-p", "127.0.0.1::53/udp", "lab/python", "python3", "-c", program)
    port = int(cli.ok("port", name, "53/udp").rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(1)
        asker.connect(("127.0.0.1", port))
        for _ in range(SECONDS):
            asker.send(b"echo")
            with contextlib.suppress(OSError):
                assert asker.recv(100) == b"echo"
                return
    raise AssertionError("no answer came back")


def test_all_exposed_ports(cli: Cli, name: str) -> None:
    cli.ok("run", "-d", "--name", name, "--expose", "80", "-P", IMAGE, "sh", "-c", SERVE, "hello")
    ports = json.loads(cli.ok("inspect", "--format", "{{json .NetworkSettings.Ports}}", name))
    assert fetch(int(ports["80/tcp"][0]["HostPort"])) == "hello"


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


def test_what_outlives_an_engine_that_is_killed(store: Store) -> None:
    """The port answers while no engine runs; names, ports and addresses are the next engine's; nothing is left."""
    store.start()
    client = docker.DockerClient(base_url=store.host)
    client.networks.create("lab")
    web = client.containers.run(
        IMAGE, ["sh", "-c", SERVE, "hello"], detach=True, name="web", network="lab", ports={"80": None}
    )
    gone = client.containers.run(IMAGE, "sleep 1000", detach=True, network="lab")
    web.reload()
    port = int(web.ports["80/tcp"][0]["HostPort"])
    assert fetch(port) == "hello"
    gone.reload()
    doomed = gone.attrs["State"]["Pid"]
    before = web.attrs["NetworkSettings"]["Networks"]["lab"]["IPAddress"]
    store.kill()
    os.kill(doomed, signal.SIGKILL)
    assert fetch(port) == "hello"
    store.start()
    client = docker.DockerClient(base_url=store.host)
    assert client.containers.run(IMAGE, "wget -qO- http://web/", network="lab", remove=True) == b"hello\n"
    web = client.containers.get("web")
    assert web.attrs["NetworkSettings"]["Networks"]["lab"]["IPAddress"] == before
    assert list(client.networks.get("lab").attrs["Containers"]) == [web.id]
    client.close()


def _helpers(store: Store) -> list[int]:
    from containerlab import paths

    wanted = str(paths.run_folder(store.folder)).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"containerlab.network.helper" in words and wanted in words:
                    found.append(int(entry.name))
    return found


def test_a_helper_that_is_killed_is_started_again_and_ends_with_the_engine(store: Store) -> None:
    store.start()
    client = docker.DockerClient(base_url=store.host)
    web = client.containers.run(IMAGE, ["sh", "-c", SERVE, "hello"], detach=True, name="web", ports={"80": None})
    web.reload()
    port = int(web.ports["80/tcp"][0]["HostPort"])
    assert fetch(port) == "hello"
    (helper,) = _helpers(store)
    os.kill(helper, signal.SIGKILL)
    assert fetch(port) == "hello"
    assert _helpers(store) != [helper]
    web.remove(force=True)
    client.close()
    store.end()
    deadline = time.monotonic() + SECONDS
    while _helpers(store):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_link_is_a_name_of_ones_own(cli: Cli, network: str, name: str) -> None:
    """On the default network by /etc/hosts, which follows the other one's address; on others by the name service."""
    cli.ok("network", "create", network)
    cli.ok("run", "-d", "--name", name, IMAGE, "sleep", "1000")
    linked, other = f"{name}-linked", f"{name}-other"
    where = ("inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", name)
    try:
        cli.ok("run", "-d", "--name", linked, "--link", f"{name}:db", IMAGE, "sleep", "1000")
        short = cli.ok("inspect", "--format", "{{slice .Id 0 12}}", name)
        assert f"{cli.ok(*where)}\tdb {short} {name}" in cli.ok("exec", linked, "cat", "/etc/hosts").splitlines()
        cli.ok("network", "connect", network, name)
        cli.ok("network", "connect", "--link", f"{name}:store", network, linked)
        inside = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
        assert f"({cli.ok('inspect', '--format', inside, name)})" in cli("exec", linked, "ping", "-c1", "store").out
        words = ("--network", network, "--link", f"{name}:mine", IMAGE, "ping", "-c1", "mine")
        assert cli("run", "--name", other, *words).out.startswith("PING mine (")
        assert "bad address" in cli("run", "--rm", "--network", network, IMAGE, "ping", "-c1", "mine").err
        cli.ok("stop", "-t", "0", name)
        cli.ok("run", "-d", "--name", f"{name}-first", IMAGE, "sleep", "1000")
        cli.ok("start", name)
        assert f"{cli.ok(*where)}\tdb {short} {name}" in cli.ok("exec", linked, "cat", "/etc/hosts").splitlines()
        cli.ok("stop", "-t", "0", name, linked)
        assert "Cannot link to a non running container" in cli("start", linked).err
    finally:
        cli("rm", "-f", linked, other, f"{name}-first")
    nobody = cli("run", "--rm", "--link", "nobody:al", IMAGE, "true")
    assert nobody.code == 125 and "could not get container for nobody: No such container: nobody" in nobody.err


def test_links_are_shown_by_the_names_of_now_and_on_user_networks_not_at_all(
    client: docker.DockerClient, network: str, name: str
) -> None:
    client.networks.create(network)
    other = client.containers.run(IMAGE, "sleep 1000", name=name, detach=True)
    web, lone = f"{name}-web", f"{name}-lone"
    try:
        linked = client.containers.create(IMAGE, "true", name=web, links={name: "store"})
        assert linked.attrs["HostConfig"]["Links"] == [f"/{name}:/{web}/store"]
        other.rename(f"{name}-new")
        linked.reload()
        assert linked.attrs["HostConfig"]["Links"] == [f"/{name}-new:/{web}/store"]
        apart = client.containers.create(IMAGE, "true", name=lone, network=network, links={f"{name}-new": "store"})
        assert apart.attrs["HostConfig"]["Links"] is None
    finally:
        for each in (f"{name}-new", web, lone):
            with contextlib.suppress(docker.errors.NotFound):
                client.api.remove_container(each, force=True)


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
