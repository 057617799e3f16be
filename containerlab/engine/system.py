"""``info``, ``version`` and what the host can do, in Docker's shape and with honest values."""

from __future__ import annotations

from typing import Any

__all__ = ["System"]


class System:
    async def info(self) -> dict[str, Any]:
        raise NotImplementedError

    def version(self) -> dict[str, Any]:
        raise NotImplementedError

    async def host(self) -> dict[str, Any]:
        """The body of ``GET /containerlab/host``."""
        raise NotImplementedError

    async def disk_usage(self) -> dict[str, Any]:
        """The body of ``GET /system/df``."""
        raise NotImplementedError
