"""What lies beyond the host: a namespace behind a cable, with servers of the test's own."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dnslib import RR, A, DNSRecord

from containerlab.network import links
from containerlab.network.namespace import inside, inside_new
from containerlab.network.netlink import Netlink
from containerlab.runtime import constants as c
from containerlab.runtime import syscalls


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
