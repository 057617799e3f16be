"""A name service to ask: the helper that gives it, what it is told, and a client in a container's place."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from dnslib import QTYPE, DNSRecord

from containerlab.network.client import Helper
from containerlab.network.lab import Prepared
from containerlab.network.model import Endpoint
from containerlab.network.namespace import inside
from tests.network.world import SECONDS, World


def query(box: Prepared, name: str, kind: str = "A", *, tcp: bool = False) -> tuple[int, list[str]]:
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


def tell_names(
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
