"""Pulls, pushes and logins for the event loop: each works in a thread of its own, and ends when nobody wants it.

Several clients that pull one image at once share one pull: each sees its progress, and it goes on until the last of
them has left.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from containerlab.engine.parts import Parts
from containerlab.images import Image, Reference

if TYPE_CHECKING:
    from containerlab.images.registry import Credentials, Place, Platform, Stop

__all__ = ["Emit", "Transfers"]

Emit = Callable[[dict[str, Any]], None]
T = TypeVar("T")


class Transfers:
    """Makes the registry client with the first transfer: an engine at rest doesn't carry it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._place: Place | None = None
        self._pulls: dict[tuple[object, ...], _Pull] = {}

    async def pull(
        self,
        reference: Reference,
        emit: Emit,
        credentials: Credentials | None = None,
        platform: Platform | None = None,
    ) -> list[Image]:
        """One image, or with neither tag nor digest in ``reference`` every tag; ``emit`` is called from threads.

        Raises NotInRegistry, RegistryError, BadArchive, StorageFull.
        """
        key = (str(reference), credentials, platform)
        pull = self._pulls.get(key)
        if pull is None:
            pull = self._pulls[key] = _Pull(self._puller(reference, credentials, platform))
        return await pull.follow(emit, lambda: self._pulls.pop(key, None))

    async def push(
        self, image: Image, reference: Reference, emit: Emit, credentials: Credentials | None = None
    ) -> None:
        """Raises RegistryError."""
        from containerlab.images import registry

        place = self.place()
        who = credentials or registry.ANONYMOUS
        await _in_thread(lambda stop: registry.push(place, image, reference, registry.Asked(emit, stop, who)))

    async def log_in(self, credentials: Credentials) -> None:
        """Raises LoginRefused, RegistryError."""
        from containerlab.images import registry

        hosts = self.place().hosts
        await _in_thread(lambda stop: registry.log_in(hosts, credentials, stop))

    async def look_up(self, reference: Reference, credentials: Credentials | None = None) -> dict[str, Any]:
        """What the registry has under a name. Raises NotInRegistry, RegistryError."""
        from containerlab.images import registry

        place, who = self.place(), credentials or registry.ANONYMOUS
        return await _in_thread(
            lambda stop: registry.look_up(place, reference, registry.Asked(lambda message: None, stop, who))
        )

    def place(self) -> Place:
        """The store and the registries that the settings name."""
        if self._place is None:
            from containerlab.images import registry

            settings = self._parts.settings
            folders = (settings.store / "certs.d", *registry.Hosts().certificates)
            hosts = registry.Hosts(settings.registry_mirrors, settings.insecure_registries, folders)
            self._place = registry.Place.of(self._parts.images, settings.store, hosts)
        return self._place

    def sweep(self) -> int:
        """Remove what cut-off pulls left and nobody came back for; gives its bytes."""
        return self.place().downloads.sweep()

    def _puller(
        self, reference: Reference, credentials: Credentials | None, platform: Platform | None
    ) -> Callable[[Emit, Stop], list[Image]]:
        from containerlab.images import registry

        place = self.place()

        def work(tell: Emit, stop: Stop) -> list[Image]:
            asked = registry.Asked(tell, stop, credentials or registry.ANONYMOUS, platform)
            if reference.tag or reference.digest:
                return [registry.pull(place, reference, asked).image]
            return [pulled.image for pulled in registry.pull_all(place, reference, asked)]

        return work


class _Pull:
    """A pull under way, and who follows it."""

    def __init__(self, work: Callable[[Emit, Stop], list[Image]]) -> None:
        self._lock = threading.Lock()
        self._followers: list[Emit] = []
        self._lines: list[dict[str, Any]] = []
        self._states: dict[str, dict[str, Any]] = {}
        self.work = asyncio.ensure_future(_in_thread(lambda stop: work(self._tell, stop)))

    async def follow(self, emit: Emit, ended: Callable[[], object]) -> list[Image]:
        """Hear what there is to hear, from the state that it is in; gives the images.

        ``ended`` is called when nobody can join any more: it is done, or the last who followed it leaves.
        """
        with self._lock:
            for message in [*self._lines, *self._states.values()]:
                emit(message)
            self._followers.append(emit)
        try:
            return await asyncio.shield(self.work)
        finally:
            with self._lock:
                self._followers.remove(emit)
                last = not self._followers
            if last:
                ended()
            if last and not self.work.done():
                self.work.cancel()
                await asyncio.wait([self.work])

    def _tell(self, message: dict[str, Any]) -> None:
        with self._lock:
            if "progressDetail" in message:
                self._states[message.get("id", "")] = message
            else:
                self._lines.append(message)
            for emit in self._followers:
                emit(message)


async def _in_thread(work: Callable[[Stop], T]) -> T:
    """Not one of the loop's own threads, which are few; when cancelled, wait until the work has really ended."""
    from containerlab.images.registry import Stop, Stopped

    stop = Stop()
    pool = ThreadPoolExecutor(1, "transfer")
    future = asyncio.get_running_loop().run_in_executor(pool, work, stop)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([future])
        future.exception()
        raise
    except Stopped:
        raise asyncio.CancelledError from None
    finally:
        pool.shutdown(wait=False)
