"""The default network for the steps of a build, as ``docker build`` gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from containerlab.build.network import Joined
from containerlab.engine.attachments import Attachments
from containerlab.engine.bundle import resolv_text
from containerlab.engine.models import HostConfig
from containerlab.engine.network_files import outward_resolv
from containerlab.rung import copies_roots

__all__ = ["BuildNetwork"]


class BuildNetwork:
    """A step is no container of the registry: it is a guest on the network, by its id."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    @asynccontextmanager
    async def join(self, container: str) -> AsyncIterator[Joined | None]:
        """None where the host gives no bridges, or its own network to all. Raises ContainerlabError where no address is
        left."""
        attachments = self._attachments
        if copies_roots() or await attachments.refused():
            yield None
            return
        prepared, end = await attachments.lodge(container)
        try:
            text = resolv_text(HostConfig())
            yield Joined(prepared.path, end.address, outward_resolv(text) if attachments.leads_out else text)
        finally:
            prepared.close()
            attachments.dislodge(container)
