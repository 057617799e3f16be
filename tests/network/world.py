"""What scenarios are made of: a lab of the test's own, namespaces that stand for containers, and programs in them."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from containerlab.network.addresses import choose, derived_mac, free_subnet
from containerlab.network.lab import Lab, Prepared
from containerlab.network.model import Endpoint, Network
from containerlab.network.namespace import inside

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


def networks_are_apart(world: World) -> None:
    """Neither by address, nor over the router, nor by a route that a container sets itself."""
    first, second = world.network(ipv6=True), world.network(ipv6=True)
    (one, _), (two, ends) = world.box(first), world.box(second)
    with echo(two, ends[0].address) as port, echo(two, ends[0].address6) as port6:
        assert unreachable(one, ends[0].address, port)
        assert unreachable(one, ends[0].address6, port6)
