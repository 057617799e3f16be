"""What every kind of instruction is turned into before it is executed or found in the cache."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from containerlab.build.ingredients import Read
from containerlab.build.messages import Messages
from containerlab.build.options import BuildOptions
from containerlab.build.origin import Origin
from containerlab.build.state import StageState
from containerlab.images import Layer, LayerStore

__all__ = ["Fill", "Planning", "Step", "nop"]

Fill = Callable[[Path], Awaitable[Layer | None]]
"""Executes in a scratch folder of its own; gives the new layer, or None when nothing changed."""


@dataclass(frozen=True, slots=True)
class Step:
    """``created_by`` is the history's line. ``key`` holds every value that the result depends on, beside the parent.

    ``configure`` changes the stage's config, after ``fill``; it runs also when the layer comes from the cache.
    ``reads``, ``variables`` and ``settings`` name what of the key isn't in the Dockerfile's text (see ``Ingredients``).
    """

    created_by: str
    key: tuple[str, ...]
    configure: Callable[[], None] | None = None
    fill: Fill | None = None
    reads: tuple[Read, ...] = ()
    variables: Mapping[str, str | None] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planning:
    """What planning an instruction needs to know: the stage so far, and the build around it.

    ``origins`` is what the instruction reads from, by the name that it gives it; the empty name is the build context.
    ``downloads`` is a folder that goes with the build. ``epoch`` is SOURCE_DATE_EPOCH, seconds since 1970, or None.
    """

    state: StageState
    options: BuildOptions
    layers: LayerStore
    messages: Messages
    origins: Mapping[str, Origin]
    downloads: Path
    epoch: int | None = None


def nop(state: StageState, text: str) -> str:
    """The classic builder's history line of an instruction that runs no command."""
    return f"{' '.join(state.shell())} #(nop) {text}"
