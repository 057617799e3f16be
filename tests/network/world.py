"""A lab in namespaces of a test's own: ``python tests/network/world.py SCENARIO FOLDER [rootless]`` runs one scenario.

It is a process of its own, because namespaces are made before the first thread; all that it makes ends with it. With
``rootless`` it enters a user namespace first, as an engine does that isn't root.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dnslib import QTYPE, RR, A, DNSRecord

from containerlab.errors import Forbidden
from containerlab.network import links, ports
from containerlab.network.addresses import choose, derived_mac, free_subnet
from containerlab.network.client import Helper
from containerlab.network.lab import Lab, Prepared
from containerlab.network.model import Endpoint, Network
from containerlab.network.namespace import inside, inside_new, kept
from containerlab.network.netlink import Netlink
from containerlab.network.way_out import NAME_SERVER
from containerlab.runtime import constants as c
from containerlab.runtime import syscalls, userns
from containerlab.runtime.launch import enter_namespaces

SECONDS = 10


class World:
    """A lab, its networks, and namespaces that stand for containers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lab = Lab(folder / "netns")
        self.networks: list[Network] = []
        self.boxes: list[Prepared] = []
        self.seen: list[tuple[Prepared, list[Endpoint]]] = []
        self.used: set[str] = set()

    def network(self, *, ipv6: bool = False, internal: bool = False) -> Network:
        taken = [subnet for network in self.networks for subnet in network.subnets]
        used = [ipaddress.ip_network(subnet.subnet) for subnet in taken]
        number = len(self.networks)
        subnets = [free_subnet(used, version=4, seed="x")] + ([free_subnet(used, version=6, seed="x")] if ipv6 else [])
        made = Network(
            id=f"{number:02x}" * 32, name=f"net{number}", created=0, subnets=subnets, ipv6=ipv6, internal=internal
        )
        self.networks.append(made)
        return made

    def end(self, network: Network, interface: str = "eth0") -> Endpoint:
        values = {}
        for subnet, key in zip(network.subnets, ("", "6"), strict=False):
            address = choose(subnet, "", self.used)
            self.used.add(address)
            values |= {f"address{key}": address, f"gateway{key}": subnet.gateway}
        number = f"{len(self.used):02x}"
        return Endpoint(
            network_id=network.id,
            network=network.name,
            id=number * 32,
            interface=interface,
            prefix=16,
            prefix6=64,
            mac=derived_mac(values["address"]),
            **values,
        )

    def box(self, *networks: Network, names: bool = False) -> tuple[Prepared, list[Endpoint]]:
        ends = [self.end(network, f"eth{at}") for at, network in enumerate(networks)]
        made = self.lab.prepare(list(zip(networks, ends, strict=True)), names=names)
        self.boxes.append(made)
        self.seen.append((made, ends))
        return made, ends

    def close(self) -> None:
        for box in self.boxes:
            box.close()
        self.lab.close()


@contextmanager
def echo(box: Prepared, address: str, kind: int = socket.SOCK_STREAM) -> Iterator[int]:
    """A server inside a box that sends back what it gets, upside down; its port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def listen() -> socket.socket:
        made = socket.socket(family, kind)
        made.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            made.listen(8)
        return made

    server = inside(box.namespace, listen)
    server.settimeout(SECONDS)

    def serve() -> None:
        with suppress(OSError):
            while True:
                if kind == socket.SOCK_DGRAM:
                    data, sender = server.recvfrom(65536)
                    server.sendto(data[::-1], sender)
                    continue
                client, _ = server.accept()
                client.settimeout(SECONDS)
                with client:
                    whole = b""
                    while piece := client.recv(65536):
                        whole += piece
                    client.sendall(whole[::-1])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()


def ask(address: str, port: int, data: bytes = b"abc", seconds: float = SECONDS) -> bytes:
    """What the server at a place answers, from wherever the calling thread is."""
    with closing(socket.create_connection((address, port), seconds)) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        whole = b""
        while piece := client.recv(65536):
            whole += piece
        return whole


def ask_from(box: Prepared, address: str, port: int, seconds: float = SECONDS) -> bytes:
    return inside(box.namespace, lambda: ask(address, port, seconds=seconds))


def unreachable(box: Prepared, address: str, port: int) -> bool:
    try:
        ask_from(box, address, port, seconds=0.5)
    except OSError as error:
        return isinstance(error, TimeoutError) or error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
    return False


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


def networks_are_apart(world: World) -> None:
    """Neither by address, nor over the router, nor by a route that a container sets itself."""
    first, second = world.network(ipv6=True), world.network(ipv6=True)
    (one, _), (two, ends) = world.box(first), world.box(second)
    with echo(two, ends[0].address) as port, echo(two, ends[0].address6) as port6:
        assert unreachable(one, ends[0].address, port)
        assert unreachable(one, ends[0].address6, port6)


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


def _query(box: Prepared, name: str, kind: str = "A", *, tcp: bool = False) -> tuple[int, list[str]]:
    request = DNSRecord.question(name, kind).pack()

    def send() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as client:
            client.settimeout(SECONDS)
            client.connect(("127.0.0.11", 53))
            client.sendall(len(request).to_bytes(2, "big") + request if tcp else request)
            data = client.recv(4096)
            return data[2:] if tcp else data

    reply = DNSRecord.parse(inside(box.namespace, send))
    return reply.header.rcode, sorted(str(record.rdata) for record in reply.rr if record.rtype == QTYPE.reverse[kind])


@contextmanager
def helper_of(world: World) -> Iterator[Helper]:
    helper = Helper(world.folder, world.lab.inode)
    helper.ensure()
    try:
        yield helper
    finally:
        with suppress(OSError):
            helper.ensure()
            helper.call("quit")
        helper.close()


def _tell_names(
    helper: Helper,
    name: str,
    box: Prepared | None,
    *ends: tuple[Endpoint, list[str]],
    upstreams: Sequence[str] = (),
) -> None:
    networks = {
        end.network_id: {
            "title": end.network,
            "names": names,
            "addresses": [end.address, *filter(None, [end.address6])],
        }
        for end, names in ends
    }
    sockets = [each.fileno() for each in box.sockets] if box else []
    helper.call("names", sockets, container=name, networks=networks, upstreams=list(upstreams))


def names_are_answered(world: World) -> None:
    network, other = world.network(ipv6=True), world.network()
    (one, ends1), (two, ends2) = world.box(network, names=True), world.box(network, names=True)
    three, ends3 = world.box(other, names=True)
    with helper_of(world) as helper:
        _tell_names(helper, "1", one, (ends1[0], ["web", "app"]))
        _tell_names(helper, "2", two, (ends2[0], ["db", "app"]))
        _tell_names(helper, "3", three, (ends3[0], ["far"]))
        assert _query(one, "db") == (0, [ends2[0].address])
        assert _query(one, "DB.net0.") == (0, [ends2[0].address])
        assert _query(one, "db", tcp=True) == (0, [ends2[0].address])
        assert _query(one, "app") == (0, sorted([ends1[0].address, ends2[0].address]))
        assert _query(one, "db", "AAAA") == (0, [ends2[0].address6])
        backwards = ".".join(reversed(ends2[0].address.split("."))) + ".in-addr.arpa"
        assert _query(one, backwards, "PTR") == (0, ["db.net0."])
        assert _query(one, "example.com") == (3, [])
        assert _query(one, "far") == (3, []) and _query(three, "db") == (3, [])
        helper.call("drop", container="2")
        assert _query(one, "db") == (3, [])


def round_robin(world: World) -> None:
    network = world.network()
    one, ends = world.box(network, names=True)
    with helper_of(world) as helper:
        _tell_names(helper, "1", one, (ends[0], ["self"]))
        for number in range(2, 4):
            _, others = world.box(network)
            _tell_names(helper, str(number), None, (others[0], ["app"]))
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
        _tell_names(helper, "1", box, (ends[0], ["web"]))
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


class Outside:
    """What lies beyond the host: a namespace of its own at the end of a veth pair, with a server of names."""

    ADDRESS, ADDRESS6 = "198.51.100.2", "2001:db8::2"

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.silent = False
        with Netlink() as netlink:
            netlink.send([links.set_up("lo"), links.add_bridge("up", "02:42:00:00:00:01", 0)])
            up = socket.if_nametoindex("up")

            def build(namespace: int) -> int:
                veth = links.add_veth(
                    "up0", up, peer="eth0", peer_mac="02:42:00:00:00:02", peer_namespace=namespace, mtu=1500
                )
                netlink.send([veth])
                self._address("eth0", self.ADDRESS, self.ADDRESS6)
                return namespace

            self.namespace = inside_new(build)
            self._address("up", "198.51.100.1", "2001:db8::1")
            netlink.send(
                [
                    links.add_default_route(up, ipaddress.ip_address(self.ADDRESS)),
                    links.add_default_route(up, ipaddress.ip_address(self.ADDRESS6)),
                ]
            )
        settings = folder / "resolv.conf"
        settings.write_text(f"nameserver {self.ADDRESS}\n")
        syscalls.mount(str(settings), "/etc/resolv.conf", "", c.MS_BIND)
        self._serve_names()

    @staticmethod
    def _address(name: str, address: str, address6: str) -> None:
        index = socket.if_nametoindex(name)
        links.allow_ipv6(name)
        with Netlink() as own:
            own.send([links.set_up("lo"), links.set_up(name)])
            for text in (f"{address}/24", f"{address6}/64"):
                own.send([links.add_address(index, ipaddress.ip_interface(text))])

    def _serve_names(self) -> None:
        def listen() -> list[socket.socket]:
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            datagrams.bind((self.ADDRESS, 53))
            return [datagrams, socket.create_server((self.ADDRESS, 53))]

        datagrams, streams = inside(self.namespace, listen)

        def reply(request: bytes) -> bytes | None:
            query = DNSRecord.parse(request)
            name = str(query.q.qname)
            self.asked.append(name)
            if self.silent:
                return None
            answer = query.reply()
            if name == "example.test.":
                answer.add_answer(RR(name, rdata=A("198.51.100.99")))
            elif name != ".":
                answer.header.rcode = 3
            return bytes(answer.pack())

        def serve_datagrams() -> None:
            while True:
                request, sender = datagrams.recvfrom(4096)
                answer = reply(request)
                if answer is not None:
                    datagrams.sendto(answer, sender)

        def serve_streams() -> None:
            while True:
                client, _ = streams.accept()
                with client:
                    answer = reply(client.recv(4096)[2:])
                    if answer is not None:
                        client.sendall(len(answer).to_bytes(2, "big") + answer)

        for each in (serve_datagrams, serve_streams):
            threading.Thread(target=each, daemon=True).start()

    @contextmanager
    def web(self) -> Iterator[None]:
        """A web server at port 80 that says ``outside``."""

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name is http.server's
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"outside\n")

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        server = inside(self.namespace, lambda: ThreadingHTTPServer((self.ADDRESS, 80), Page))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()

    @contextmanager
    def server(self, address: str = ADDRESS) -> Iterator[int]:
        """Tells each who connects by which address it is seen; its port."""
        server = inside(self.namespace, lambda: socket.create_server((address, 0), family=_family(address)))

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, peer = server.accept()
                    with client:
                        while client.recv(4096):
                            pass
                        client.sendall(peer[0].encode())

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


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
        _tell_names(helper, "1", one, (ends[0], ["web"]), upstreams=[NAME_SERVER])
        _tell_names(helper, "2", two, (others[0], ["db"]))
        for tcp in (False, True):
            assert _query(one, "example.test", tcp=tcp) == (0, ["198.51.100.99"])
            assert _query(one, "nobody.test", tcp=tcp) == (3, [])
        assert _query(one, "web") == (0, [ends[0].address])
        assert "web." not in outside.asked
        assert _query(two, "example.test") == (3, [])
        _tell_names(helper, "1", None, (ends[0], ["web"]), upstreams=["198.51.100.2"])
        assert _query(one, "example.test") == (0, ["198.51.100.99"])


def a_silent_server_is_not_waited_for_twice(world: World) -> None:
    outside = Outside(world.folder)
    outside.silent = True
    _way_out(world)
    one, ends = world.box(world.network(), names=True)
    with helper_of(world) as helper:
        _tell_names(helper, "1", one, (ends[0], ["web"]), upstreams=[NAME_SERVER])
        for _ in range(3):
            assert _query(one, "example.test") == (2, [])
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
