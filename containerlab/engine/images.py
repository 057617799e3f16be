"""Images as Docker's API shows them; the images themselves are ``containerlab.images``'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Images"]


class Images:
    async def list(self, *, all: bool = False, filters: dict[str, list[str]] | None = None) -> list[dict[str, Any]]:
        raise NotImplementedError

    async def inspect(self, ref: str) -> dict[str, Any]:
        raise NotImplementedError

    async def history(self, ref: str) -> list[dict[str, Any]]:
        raise NotImplementedError

    async def tag(self, ref: str, repository: str, tag: str = "") -> None:
        raise NotImplementedError

    async def remove(self, ref: str, *, force: bool = False, noprune: bool = False) -> list[dict[str, str]]:
        """``[{"Untagged": …}, {"Deleted": …}]``."""
        raise NotImplementedError

    async def prune(self, filters: dict[str, list[str]] | None = None) -> dict[str, Any]:
        """Docker's ``{"ImagesDeleted": [...], "SpaceReclaimed": N}``."""
        raise NotImplementedError

    async def pull(self, ref: str, emit: Callable[[dict[str, Any]], None]) -> None:
        """``emit`` receives Docker's stream messages (``status``, ``id``)."""
        raise NotImplementedError

    async def layers(self, refs: list[str]) -> dict[str, Any]:
        """The body of ``GET /containerlab/layers``."""
        raise NotImplementedError
