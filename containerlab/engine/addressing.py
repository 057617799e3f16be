"""Which addresses the ends of containers have, and when one is free again."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable

from containerlab.engine.names import new_id
from containerlab.engine.parts import Parts
from containerlab.errors import Forbidden
from containerlab.network.addresses import choose, derived_mac
from containerlab.network.model import Endpoint, Network

__all__ = ["Addressing"]

# How long an address isn't given to another container; the kernel has taken the namespace down long before.
_LEAVING_SECONDS = 1.0


class Addressing:
    """In the event loop. Taken is what containers of the registry have, what guests have, and what is just leaving."""

    def __init__(self, parts: Parts, sweep: Callable[[list[str]], Awaitable[None]]) -> None:
        """``sweep`` deletes links, by their names, that the end of their namespaces hasn't."""
        self._parts = parts
        self._sweep = sweep
        self._leaving: dict[str, Endpoint] = {}
        """By their links' names, ends of containers that have ended, whose addresses aren't given again yet."""
        self._guests: dict[str, Endpoint] = {}
        self._closed = False

    @property
    def guests(self) -> list[Endpoint]:
        """The ends of what is no container of the registry."""
        return list(self._guests.values())

    def close(self) -> None:
        """Nothing that leaves is swept any more."""
        self._closed = True

    async def assign(self, network: Network, end: Endpoint, interface: str) -> None:
        """Give an end its addresses; where one is taken by what is leaving, once that is gone.

        Raises Forbidden where the asked one, or the last, is taken.
        """
        try:
            self._assign(network, end, interface)
        except Forbidden:
            if not any(other.network_id == network.id for other in self._leaving.values()):
                raise
            await self._settle(list(self._leaving))
            self._assign(network, end, interface)

    async def lodge(self, guest: str, network: Network) -> Endpoint:
        """An end for what is no container of the registry, until ``dislodge``."""
        end = self._guests[guest] = Endpoint(network_id=network.id, network=network.name)
        try:
            await self.assign(network, end, "eth0")
        except BaseException:
            del self._guests[guest]
            raise
        return end

    def dislodge(self, guest: str) -> None:
        """Its namespace has ended, or will."""
        self.leave([self._guests.pop(guest)])

    def leave(self, left: list[Endpoint]) -> None:
        """Their addresses are free in a moment.

        The kernel takes a namespace down in its own time; a link deleted by us would hold up the next start.
        """
        self._leaving |= {end.link: end for end in left}
        asyncio.get_running_loop().call_later(_LEAVING_SECONDS, self._settle_soon, [end.link for end in left])

    def _settle_soon(self, links: list[str]) -> None:
        if not self._closed and not self._leaving.keys().isdisjoint(links):
            self._parts.background.spawn(self._settle(links))

    async def _settle(self, links: list[str]) -> None:
        """See to it that these links are gone, and give their addresses free."""
        with contextlib.suppress(OSError):
            await self._sweep(links)
        for link in links:
            self._leaving.pop(link, None)

    def _assign(self, network: Network, end: Endpoint, interface: str) -> None:
        taken = self._taken(network)
        end.interface = interface
        for subnet in network.subnets:
            prefix = ipaddress.ip_network(subnet.subnet).prefixlen
            if ":" in subnet.subnet:
                end.address6, end.prefix6 = choose(subnet, end.asked_address6, taken, network), prefix
                end.gateway6 = "" if network.internal else subnet.gateway
            else:
                end.address, end.prefix = choose(subnet, end.asked_address, taken, network), prefix
                end.gateway = "" if network.internal else subnet.gateway
        end.mac = end.asked_mac or derived_mac(end.address)
        end.id = new_id()

    def _taken(self, network: Network) -> set[str]:
        ends = [end for container in self._parts.registry for end in container.state.endpoints if end.id]
        ends += [*self._leaving.values(), *self._guests.values()]
        return {address for end in ends if end.network_id == network.id for address in (end.address, end.address6)}
