"""Containers on bridges: a run, bytes between two and through a published port, a name, a hundred at once."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from dnslib import DNSRecord

from bench.engines import IMAGE, Engine
from bench.timing import Pair, both_gaps, turns
from containerlab.network.namespace import inside
from containerlab.network.netlink import Netlink, Request

__all__ = ["bridge_runs", "crowd", "lookups", "published", "throughput"]

_Result = TypeVar("_Result")
_BYTES = 1 << 30
_PIECE = bytes(1 << 18)
_LOOKUPS = 1000
_CROWD = 100
_ROUNDS = 3
_SECONDS = 30
_RTM_NEWLINK, _IFF_NOARP = 16, 0x80
_NETWORK = "bench"


def bridge_runs(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """docker-py's ``containers.run(…, remove=True)`` on the default bridge and on a network with names."""
    pairs: list[Pair] = []
    with _network(ours), _network(peer):
        for title, name in (("default bridge", "bridge"), ("user network", _NETWORK)):

            def once(engine: Engine, name: str = name) -> None:
                engine.client.containers.run(IMAGE, "true", remove=True, network=name)

            pairs += both_gaps(
                f"docker-py run --rm, {title}",
                peer.name,
                lambda once=once: once(ours),
                lambda once=once: once(peer),
                n=n,
                target=10.0,
            )
    return pairs


def throughput(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """1 GiB from one container to another over the bridge: the same two programs on either side."""
    with contextlib.ExitStack() as stack:
        sides = []
        for engine in (ours, peer):
            stack.enter_context(_network(engine))
            sender, receiver = (stack.enter_context(_sleeper(engine, network=_NETWORK)) for _ in range(2))
            place = _address(receiver), stack.enter_context(_sink(receiver))
            sides.append((_namespace(sender), place))
        title = f"{_BYTES >> 20} MiB from container to container"
        mine, theirs = sides
        return [turns(title, peer.name, lambda: _send(*mine), lambda: _send(*theirs), n=n, target=0.95)]


def published(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """1 GiB and one connection through a published port: by docker-proxy, and by the kernel's DNAT, which ours hasn't.

    The peer's loopback, in its own network namespace, leads to docker-proxy; the address of its bridge to the DNAT.
    """
    with contextlib.ExitStack() as stack:
        places = []
        for engine, address in ((ours, "127.0.0.1"), (peer, "0.0.0.0")):
            box = stack.enter_context(_sleeper(engine, ports={"5000/tcp": (address, None)}))
            stack.enter_context(_sink(box, 5000))
            box.reload()
            places.append(int(box.attrs["NetworkSettings"]["Ports"]["5000/tcp"][0]["HostPort"]))
            gateway = box.attrs["NetworkSettings"]["Networks"]["bridge"]["Gateway"]
        host, docker_host = Path("/proc/self/ns/net"), Path(f"/proc/{_daemon(peer)}/ns/net")
        mine = host, ("127.0.0.1", places[0])
        proxy, dnat = ((docker_host, (address, places[1])) for address in ("127.0.0.1", gateway))
        pairs = []
        for size, words, count in ((_BYTES, f"{_BYTES >> 20} MiB", n), (1, "a connection", 10 * n)):
            title = f"{words} through a published port"
            for name, other, target in (("docker-proxy", proxy, 1.0), ("docker's DNAT", dnat, None)):
                pairs.append(
                    turns(
                        title,
                        name,
                        lambda size=size: _send(*mine, size),
                        lambda other=other, size=size: _send(*other, size),
                        n=count,
                        target=target,
                    )
                )
        return pairs


def lookups(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """The median of 1,000 look-ups of another container's name, one after the other; 1 ms at most is asked of ours."""
    with contextlib.ExitStack() as stack:
        for engine in (ours, peer):
            stack.enter_context(_network(engine))
        askers = []
        for engine in (ours, peer):
            stack.enter_context(_sleeper(engine, network=_NETWORK, name="bench-web"))
            askers.append(_namespace(stack.enter_context(_sleeper(engine, network=_NETWORK))))
        mine, theirs = askers
        title = f"a name, median of {_LOOKUPS} look-ups (1 ms at most)"
        return [turns(title, peer.name, lambda: _look_up(mine), lambda: _look_up(theirs), n=n, warm_up=1)]


def crowd(ours: Engine) -> list[Pair]:
    """100 containers on one network: the last quarter's starts beside the first's; each reaches each.

    What else the machine does makes a start longer, never shorter, and seldom the same one in each round: of the rounds
    each start's shortest time is taken. The target is asked of the line through them (the median of the slopes between
    every two starts, so that no single one bends it): a start doesn't grow slower with those that are there.
    """
    rounds = [_starts(ours, meet=number == 0) for number in range(_ROUNDS)]
    best = [min(each) for each in zip(*rounds, strict=True)]
    first, last = _line_ends(best)
    quarter = _CROWD // 4
    title = f"a start, the last quarter of {_CROWD} on a network"
    return [
        Pair(title, "the first quarter", 0, best[-quarter:], best[:quarter]),
        Pair(f"a start, number {_CROWD} on a network, by the line", "number 1", 0, [last], [first], 0.8),
    ]


def _starts(ours: Engine, *, meet: bool) -> list[float]:
    """Milliseconds of each, in their order."""
    spent: list[float] = []
    boxes: list[Any] = []
    with _network(ours):
        try:
            for _ in range(_CROWD):
                before = time.perf_counter_ns()
                boxes.append(ours.client.containers.run(IMAGE, ["sleep", "1000"], detach=True, network=_NETWORK))
                spent.append((time.perf_counter_ns() - before) / 1e6)
            if meet:
                _all_meet(boxes)
        finally:
            ours.remove_containers()
    return spent


def _line_ends(values: list[float]) -> tuple[float, float]:
    """Of the line of Theil and Sen through them, its first and its last value."""
    pairs = itertools.combinations(enumerate(values), 2)
    slope = statistics.median((later - earlier) / (j - i) for (i, earlier), (j, later) in pairs)
    begin = statistics.median(value - slope * at for at, value in enumerate(values))
    return begin, begin + slope * (len(values) - 1)


def _all_meet(boxes: list[Any]) -> None:
    """A port that nobody listens on refuses: that is an answer, and a way there and back. Raises RuntimeError.

    The host has room for a thousand neighbours in all its namespaces (arp(7), gc_thresh3), and keeps each for half a
    minute: they are forgotten after each container's turn.
    """
    for box in boxes:
        box.reload()
    addresses = [_address(box) for box in boxes]
    sockets = [_in(_namespace(box), Netlink) for box in boxes]
    names = [_in(_namespace(box), lambda: socket.if_nametoindex("eth0")) for box in boxes]

    def unreached(others: list[str]) -> list[str]:
        found = []
        for address in others:
            try:
                socket.create_connection((address, 9), _SECONDS).close()
            except ConnectionRefusedError:
                continue
            except OSError as error:
                found.append(f"{address}: {error}")
        return found

    for at, box in enumerate(boxes):
        missing = _in(_namespace(box), lambda at=at: unreached(addresses[at + 1 :]))
        if missing:
            raise RuntimeError(f"{_address(box)} doesn't reach {missing}")
        for netlink, index in zip(sockets, names, strict=True):
            for flags in (_IFF_NOARP, 0):
                netlink.send([Request(_RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, index, flags, _IFF_NOARP))])
    for netlink in sockets:
        netlink.close()


def _look_up(place: Path) -> float:
    request = bytes(DNSRecord.question("bench-web").pack())

    def ask() -> float:
        spent = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(_SECONDS)
            client.connect(("127.0.0.11", 53))
            for _ in range(_LOOKUPS):
                before = time.perf_counter_ns()
                client.send(request)
                reply = client.recv(4096)
                spent.append((time.perf_counter_ns() - before) / 1e6)
        if not DNSRecord.parse(reply).rr:
            raise RuntimeError("the name doesn't resolve")
        return statistics.median(spent)

    return _in(place, ask)


def _send(place: Path, where: tuple[str, int], size: int = _BYTES) -> float:
    """Milliseconds from the connection until the other side says that it has everything."""

    def send() -> float:
        before = time.perf_counter_ns()
        with socket.create_connection(where, _SECONDS) as client:
            left = size
            while left > 0:
                piece = _PIECE if left >= len(_PIECE) else _PIECE[:left]
                client.sendall(piece)
                left -= len(piece)
            client.shutdown(socket.SHUT_WR)
            if client.recv(1) != b"k":
                raise RuntimeError(f"{where} didn't take everything")
        return (time.perf_counter_ns() - before) / 1e6

    return _in(place, send)


def _in(place: Path, work: Callable[[], _Result]) -> _Result:
    namespace = os.open(place, os.O_RDONLY)
    try:
        return inside(namespace, work)
    finally:
        os.close(namespace)


@contextlib.contextmanager
def _sink(container: Any, port: int = 0) -> Iterator[int]:
    """A process in the container's network that takes whatever comes; its port."""
    namespace = os.open(_namespace(container), os.O_RDONLY)
    try:
        server = inside(namespace, lambda: socket.create_server(("0.0.0.0", port), backlog=128))
    finally:
        os.close(namespace)
    child = os.fork()
    if child == 0:
        try:
            buffer = bytearray(1 << 18)
            while True:
                client, _ = server.accept()
                with client:
                    while client.recv_into(buffer):
                        pass
                    client.sendall(b"k")
        finally:
            os._exit(1)
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        os.kill(child, 9)
        os.waitpid(child, 0)


@contextlib.contextmanager
def _network(engine: Engine) -> Iterator[None]:
    network = engine.client.networks.create(_NETWORK)
    try:
        yield
    finally:
        network.remove()


@contextlib.contextmanager
def _sleeper(engine: Engine, **options: Any) -> Iterator[Any]:
    container = engine.client.containers.run(IMAGE, ["sleep", "1000"], detach=True, **options)
    try:
        container.reload()
        yield container
    finally:
        container.remove(force=True)


def _address(container: Any) -> str:
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def _namespace(container: Any) -> Path:
    return Path(f"/proc/{container.attrs['State']['Pid']}/ns/net")


def _daemon(engine: Engine) -> int:
    return engine.leaders[0]
