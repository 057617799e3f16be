"""Scenarios of the way out: each has an outside, and a network namespace that stands for the host's."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from contextlib import suppress

from dnslib import DNSRecord

from containerlab.network import links
from containerlab.network.lab import Lab, Prepared
from containerlab.network.model import Network
from containerlab.network.namespace import inside
from containerlab.network.netlink import Netlink
from containerlab.network.way_out import NAME_SERVER
from tests.network.names import helper_of, query, tell_names
from tests.network.outside import Outside
from tests.network.world import SECONDS, World, ask_from, echo, networks_are_apart, unreachable


def _way_out(world: World) -> list[int]:
    """The descriptors that hold it."""
    held: list[int] = []
    world.lab.ensure_way_out(lambda descriptor: held.append(os.dup(descriptor)))
    return held


def the_world_is_reached(world: World) -> None:
    """From a network made before the way out, and from one made after."""
    outside, before = Outside(world.folder), world.network()
    box, _ = world.box(before)
    _way_out(world)
    later, _ = world.box(world.network())
    with outside.server() as port:
        for each in (box, later):
            assert ask_from(each, outside.ADDRESS, port) == b"198.51.100.1"


def the_world_is_reached_by_ipv6(world: World) -> None:
    outside = Outside(world.folder)
    _way_out(world)
    box, _ = world.box(world.network(ipv6=True))
    with outside.server(outside.ADDRESS6) as port:
        assert ask_from(box, outside.ADDRESS6, port) == b"2001:db8::1"


def datagrams_reach_the_world(world: World) -> None:
    outside = Outside(world.folder)
    _way_out(world)
    box, _ = world.box(world.network())

    def send() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(SECONDS)
            client.connect((outside.ADDRESS, 53))
            client.send(DNSRecord.question("example.test").pack())
            return client.recv(4096)

    assert str(DNSRecord.parse(inside(box.namespace, send)).rr[0].rdata) == "198.51.100.99"


def an_internal_network_has_no_way_out(world: World) -> None:
    """Also where a container sets the route itself."""
    outside = Outside(world.folder)
    _way_out(world)
    network = world.network(internal=True)
    box, _ = world.box(network)
    with outside.server() as port:
        assert unreachable(box, outside.ADDRESS, port)
        _set_route(box, network)
        assert unreachable(box, outside.ADDRESS, port)


def _set_route(box: Prepared, network: Network) -> None:
    def build() -> None:
        gateway = ipaddress.ip_address(network.subnets[0].gateway)
        with Netlink() as own:
            own.send([links.add_default_route(socket.if_nametoindex("eth0"), gateway)])

    inside(box.namespace, build)


def networks_stay_apart_where_they_lead_out(world: World) -> None:
    Outside(world.folder)
    _way_out(world)
    networks_are_apart(world)
    closed = world.network(internal=True)
    (open_one, ends), (closed_one, others) = world.box(world.network()), world.box(closed)
    _set_route(closed_one, closed)
    with echo(open_one, ends[0].address) as port, echo(closed_one, others[0].address) as other:
        assert unreachable(closed_one, ends[0].address, port)
        assert unreachable(open_one, others[0].address, other)


def the_way_out_doesnt_lead_to_the_hosts_loopback(world: World) -> None:
    outside = Outside(world.folder)
    _way_out(world)
    box, ends = world.box(world.network())
    with socket.create_server(("127.0.0.1", 0)) as server, outside.server() as port:
        server.settimeout(0.1)
        for address in ("192.0.2.2", "192.0.2.3", "192.0.2.100", "10.0.2.2", "127.0.0.1", ends[0].gateway):
            with suppress(OSError):
                ask_from(box, address, server.getsockname()[1], seconds=0.5)
        try:
            server.accept()
        except TimeoutError:
            assert ask_from(box, outside.ADDRESS, port)
            return
        raise AssertionError("a container reached the host's loopback")


def the_way_out_ends_with_its_holder_and_is_found_again(world: World) -> None:
    outside = Outside(world.folder)
    held = _way_out(world)
    box, _ = world.box(world.network())
    with outside.server() as port:
        # A new engine finds the one that is there.
        again = Lab(world.folder / "netns")
        again.ensure_way_out(lambda _: held.append(-1))
        assert len(held) == 1
        assert again.reconcile(world.networks, [end for _, ends in world.seen for end in ends]) == []
        assert ask_from(box, outside.ADDRESS, port) == b"198.51.100.1"
        again.close()
        os.close(held.pop())
        deadline = time.monotonic() + SECONDS
        while inside(world.lab.namespace, lambda: "tap0" in [name for _, name in socket.if_nameindex()]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert unreachable(box, outside.ADDRESS, port)
        # And another one takes its place.
        assert len(_way_out(world)) == 1
        assert ask_from(box, outside.ADDRESS, port) == b"198.51.100.1"


def names_are_asked_outside(world: World) -> None:
    outside = Outside(world.folder)
    _way_out(world)
    network, closed = world.network(), world.network(internal=True)
    one, ends = world.box(network, names=True)
    two, others = world.box(closed, names=True)
    with helper_of(world) as helper:
        tell_names(helper, "1", one, (ends[0], ["web"]), upstreams=[NAME_SERVER])
        tell_names(helper, "2", two, (others[0], ["db"]))
        for tcp in (False, True):
            assert query(one, "example.test", tcp=tcp) == (0, ["198.51.100.99"])
            assert query(one, "nobody.test", tcp=tcp) == (3, [])
        assert query(one, "web") == (0, [ends[0].address])
        assert "web." not in outside.asked
        assert query(two, "example.test") == (3, [])
        tell_names(helper, "1", None, (ends[0], ["web"]), upstreams=["198.51.100.2"])
        assert query(one, "example.test") == (0, ["198.51.100.99"])


def a_silent_server_is_not_waited_for_twice(world: World) -> None:
    outside = Outside(world.folder)
    outside.silent = True
    _way_out(world)
    one, ends = world.box(world.network(), names=True)
    with helper_of(world) as helper:
        tell_names(helper, "1", one, (ends[0], ["web"]), upstreams=[NAME_SERVER])
        for _ in range(3):
            assert query(one, "example.test") == (2, [])
        # It was tried once, for no name at all.
        assert set(outside.asked) == {"."}


WITH_OUTSIDE = (
    the_world_is_reached,
    the_world_is_reached_by_ipv6,
    datagrams_reach_the_world,
    an_internal_network_has_no_way_out,
    networks_stay_apart_where_they_lead_out,
    the_way_out_doesnt_lead_to_the_hosts_loopback,
    the_way_out_ends_with_its_holder_and_is_found_again,
    names_are_asked_outside,
    a_silent_server_is_not_waited_for_twice,
)
"""These run in a network namespace of their own, which stands for the host's."""
