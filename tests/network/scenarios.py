"""A lab in namespaces of a test's own: ``python -m tests.network.scenarios SCENARIO FOLDER [rootless]`` runs one.

It is a process of its own, because namespaces are made before the first thread; all that it makes ends with it. With
``rootless`` it enters a user namespace first, as an engine does that isn't root.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dnslib import DNSRecord

from containerlab.errors import Forbidden
from containerlab.network import ports
from containerlab.network.addresses import choose
from containerlab.network.client import Helper
from containerlab.network.lab import Lab
from containerlab.network.model import Endpoint
from containerlab.network.namespace import inside, kept
from containerlab.runtime import constants as c
from containerlab.runtime import syscalls, userns
from containerlab.runtime.launch import enter_namespaces
from tests.network.names import helper_of, query, tell_names
from tests.network.way_out_scenarios import WITH_OUTSIDE
from tests.network.world import SECONDS, World, ask, ask_from, echo, networks_are_apart, unreachable


def one_network_connects(world: World) -> None:
    network = world.network()
    (one, _), (two, ends) = world.box(network), world.box(network)
    with echo(two, ends[0].address) as port:
        assert ask_from(one, ends[0].address, port) == b"cba"


def ipv6_connects(world: World) -> None:
    network = world.network(ipv6=True)
    (one, _), (two, ends) = world.box(network), world.box(network)
    assert ends[0].address6.startswith("fd")
    with echo(two, ends[0].address6) as port:
        assert ask_from(one, ends[0].address6, port) == b"cba"


def the_host_is_out_of_reach(world: World) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        box, ends = world.box(world.network())
        for address in ("127.0.0.1", ends[0].gateway):
            try:
                ask_from(box, address, server.getsockname()[1], seconds=0.5)
            except OSError:
                continue
            raise AssertionError(f"{address} leads to the host")


def a_running_one_is_connected_and_disconnected(world: World) -> None:
    first, second = world.network(), world.network()
    one, ends = world.box(first)
    two, others = world.box(second)
    with echo(two, others[0].address) as port:
        assert unreachable(one, others[0].address, port)
        more = world.end(second, "eth1")
        world.lab.connect(one.namespace, second, more, route=False)
        assert ask_from(one, others[0].address, port) == b"cba"
        world.lab.disconnect(one.namespace, more, ends)
        assert unreachable(one, others[0].address, port)
    names = inside(one.namespace, lambda: [name for _, name in socket.if_nameindex()])
    assert {"lo", "eth0"} <= set(names) and "eth1" not in names


def nothing_is_left_of_a_box(world: World) -> None:
    box, ends = world.box(world.network())
    assert ends[0].link in world.lab.links()
    box.close()
    deadline = time.monotonic() + SECONDS
    while ends[0].link in world.lab.links():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def a_new_lab_finds_the_old_one_and_sweeps_it(world: World) -> None:
    kept_network, gone = world.network(), world.network()
    _, ends = world.box(kept_network)
    _, strays = world.box(gone)
    again = Lab(world.folder / "netns")
    assert again.inode == world.lab.inode
    assert again.reconcile([kept_network], ends) == sorted([gone.bridge, strays[0].link])
    assert again.links() == {kept_network.bridge, ends[0].link}
    again.close()


def a_killed_maker_leaves_no_end(world: World) -> None:
    """The process that prepared a box is killed before a container was in it."""
    network = world.network()
    world.lab.ensure_bridge(network)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        lab = Lab(world.folder / "netns")
        prepared = lab.prepare([(network, world.end(network))], names=True)
        os.write(writer, prepared.path.encode())
        time.sleep(60)
    assert os.read(reader, 100)
    assert len(world.lab.links()) == 2
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    deadline = time.monotonic() + SECONDS
    while world.lab.links() != {network.bridge}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def names_are_answered(world: World) -> None:
    network, other = world.network(ipv6=True), world.network()
    (one, ends1), (two, ends2) = world.box(network, names=True), world.box(network, names=True)
    three, ends3 = world.box(other, names=True)
    with helper_of(world) as helper:
        tell_names(helper, "1", one, (ends1[0], ["web", "app"]))
        tell_names(helper, "2", two, (ends2[0], ["db", "app"]))
        tell_names(helper, "3", three, (ends3[0], ["far"]))
        assert query(one, "db") == (0, [ends2[0].address])
        assert query(one, "DB.net0.") == (0, [ends2[0].address])
        assert query(one, "db", tcp=True) == (0, [ends2[0].address])
        assert query(one, "app") == (0, sorted([ends1[0].address, ends2[0].address]))
        assert query(one, "db", "AAAA") == (0, [ends2[0].address6])
        backwards = ".".join(reversed(ends2[0].address.split("."))) + ".in-addr.arpa"
        assert query(one, backwards, "PTR") == (0, ["db.net0."])
        assert query(one, "example.com") == (3, [])
        assert query(one, "far") == (3, []) and query(three, "db") == (3, [])
        helper.call("drop", container="2")
        assert query(one, "db") == (3, [])


def round_robin(world: World) -> None:
    network = world.network()
    one, ends = world.box(network, names=True)
    with helper_of(world) as helper:
        tell_names(helper, "1", one, (ends[0], ["self"]))
        for number in range(2, 4):
            _, others = world.box(network)
            tell_names(helper, str(number), None, (others[0], ["app"]))
        request = DNSRecord.question("app").pack()

        def first() -> str:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(SECONDS)
                client.connect(("127.0.0.11", 53))
                client.send(request)
                return str(DNSRecord.parse(client.recv(4096)).rr[0].rdata)

        assert len({inside(one.namespace, first) for _ in range(64)}) == 2


def _publish(helper: Helper, name: str, end: Endpoint, port: int, protocol: str = "tcp") -> int:
    bound = ports.bind(ports.Wanted(f"{port}/{protocol}", "127.0.0.1", 0, 0))
    said = {"protocol": protocol, "address": end.address, "port": port}
    helper.call("ports", [bound.socket.fileno()], container=name, ports=[said])
    bound.socket.close()
    return bound.port


def a_port_is_published(world: World) -> None:
    box, ends = world.box(world.network())
    with helper_of(world) as helper:
        with echo(box, ends[0].address) as port:
            outside = _publish(helper, "1", ends[0], port)
            assert ask("127.0.0.1", outside) == b"cba"
            large = os.urandom(3 << 20)
            assert ask("127.0.0.1", outside, large) == large[::-1]
            # The engine is gone, the port isn't.
            helper.close()
            assert ask("127.0.0.1", outside) == b"cba"
            assert helper.ensure() == ["1"]
        # Nobody listens inside any more.
        try:
            assert ask("127.0.0.1", outside) == b""
        except ConnectionResetError:
            pass
        helper.call("drop", container="1")
        try:
            ask("127.0.0.1", outside)
        except ConnectionRefusedError:
            return
        raise AssertionError("a dropped port still answers")


def a_udp_port_is_published(world: World) -> None:
    box, ends = world.box(world.network())
    with helper_of(world) as helper, echo(box, ends[0].address, socket.SOCK_DGRAM) as port:
        outside = _publish(helper, "1", ends[0], port, "udp")
        for _ in range(3):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(SECONDS)
                client.connect(("127.0.0.1", outside))
                for word in (b"one", b"two"):
                    client.send(word)
                    assert client.recv(100) == word[::-1]


def the_helper_drops_what_has_ended(world: World) -> None:
    box, ends = world.box(world.network(), names=True)
    with helper_of(world) as helper:
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        tell_names(helper, "1", box, (ends[0], ["web"]))
        pidfd = os.pidfd_open(child)
        helper.call("watch", [pidfd], container="1")
        os.close(pidfd)
        assert helper.call("hello")["containers"] == ["1"]
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        deadline = time.monotonic() + SECONDS
        while helper.call("hello")["containers"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def a_killed_helper_is_started_again(world: World) -> None:
    with helper_of(world) as helper:
        first = helper.pid
        os.kill(first, signal.SIGKILL)
        time.sleep(0.1)
        assert helper.ensure() == []
        assert helper.pid != first


def an_unused_helper_ends(world: World) -> None:
    helper = Helper(world.folder, world.lab.inode)
    helper.ensure()
    helper.close()
    deadline = time.monotonic() + SECONDS
    while (world.folder / "network.sock").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def addresses_are_chosen(world: World) -> None:
    subnet = world.network().subnets[0]
    assert choose(subnet, "", set()) == "172.17.0.2"
    assert choose(subnet, "", {"172.17.0.2"}) == "172.17.0.3"
    for asked in ("172.17.0.1", "172.17.0.2"):
        try:
            choose(subnet, asked, {"172.17.0.2"})
        except Forbidden:
            continue
        raise AssertionError(asked)


SCENARIOS: dict[str, Callable[[World], None]] = {
    each.__name__: each
    for each in (
        one_network_connects,
        ipv6_connects,
        networks_are_apart,
        the_host_is_out_of_reach,
        a_running_one_is_connected_and_disconnected,
        nothing_is_left_of_a_box,
        a_new_lab_finds_the_old_one_and_sweeps_it,
        a_killed_maker_leaves_no_end,
        names_are_answered,
        round_robin,
        a_port_is_published,
        a_udp_port_is_published,
        the_helper_drops_what_has_ended,
        a_killed_helper_is_started_again,
        an_unused_helper_ends,
        addresses_are_chosen,
        *WITH_OUTSIDE,
    )
}


def main(scenario: str, folder: Path, *, rootless: bool) -> None:
    if rootless:
        userns.enter_user_namespace(one_id=True)
    enter_namespaces()
    if SCENARIOS[scenario] in WITH_OUTSIDE:
        syscalls.unshare(c.CLONE_NEWNET)
    signal.alarm(60)
    before = Path("/proc/self/ns/net").readlink()
    world = World(folder)
    try:
        SCENARIOS[scenario](world)
    finally:
        world.close()
    found = kept(folder / "netns")
    assert found is not None
    os.close(found)
    assert Path("/proc/self/ns/net").readlink() == before


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), rootless="rootless" in sys.argv[3:])
