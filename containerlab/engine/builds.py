"""Builds: ``build.Builder`` under the engine's roof."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from containerlab.build import BuildOptions, Context
    from containerlab.images import Image

__all__ = ["Builds"]


class Builds:
    async def build(self, context: Context, options: BuildOptions, emit: Callable[[dict[str, Any]], None]) -> Image:
        raise NotImplementedError
