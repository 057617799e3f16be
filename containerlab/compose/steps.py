"""What a plan is made of: deeds, and for each which others must be done first."""

from __future__ import annotations

__all__ = [
    "Await",
    "Create",
    "Deed",
    "MakeNetwork",
    "MakeVolume",
    "Plan",
    "Recreate",
    "Remove",
    "RemoveImage",
    "RemoveNetwork",
    "RemoveVolume",
    "Rename",
    "Restart",
    "Start",
    "Step",
    "Stop",
]

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from containerlab.compose.model import Condition
from containerlab.compose.observe import Instance


class MakeNetwork(msgspec.Struct, frozen=True):
    key: str


class MakeVolume(msgspec.Struct, frozen=True):
    key: str


class Create(msgspec.Struct, frozen=True):
    """A container that isn't there yet."""

    service: str
    number: int
    name: str


class Recreate(msgspec.Struct, frozen=True):
    """The same container by a new configuration: made beside the old one, which then makes room for it."""

    service: str
    number: int
    name: str
    old: Instance
    keep_volumes: bool = True
    timeout: int | None = None


class Rename(msgspec.Struct, frozen=True):
    """What a ``Recreate`` that was cut off has left: the new container, still under its passing name."""

    old: Instance
    name: str


class Start(msgspec.Struct, frozen=True):
    service: str
    name: str


class Restart(msgspec.Struct, frozen=True):
    """Of one that runs: what it depends on was made anew."""

    old: Instance
    timeout: int | None = None


class Await(msgspec.Struct, frozen=True):
    """All of a service's containers fulfil ``condition``. ``names`` are those that the plan knows."""

    service: str
    condition: Condition
    names: tuple[str, ...]
    required: bool = True
    or_running: bool = False  # without a health check it is enough to run
    or_ended: bool = False  # or to have ended well


class Stop(msgspec.Struct, frozen=True):
    old: Instance
    timeout: int | None = None


class Remove(msgspec.Struct, frozen=True):
    old: Instance
    volumes: bool = False
    force: bool = False


class RemoveNetwork(msgspec.Struct, frozen=True):
    name: str


class RemoveVolume(msgspec.Struct, frozen=True):
    name: str


class RemoveImage(msgspec.Struct, frozen=True):
    name: str


Deed = (
    MakeNetwork | MakeVolume | Create | Recreate | Rename | Start | Restart | Await | Stop | Remove
    | RemoveNetwork | RemoveVolume | RemoveImage
)  # fmt: skip


class Step(msgspec.Struct, frozen=True):
    """``needs`` are places of earlier steps in the plan."""

    deed: Deed
    needs: frozenset[int] = frozenset()


@dataclass
class Plan:
    """Steps in an order in which they could be done one by one; what needs nothing of each other can go together.

    ``kept`` are containers that are as they should be, ``orphans`` those that no file speaks of.
    """

    steps: list[Step] = field(default_factory=list)
    kept: list[Instance] = field(default_factory=list)
    orphans: list[Instance] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, deed: Deed, needs: Iterable[int] = ()) -> int:
        """Its place."""
        self.steps.append(Step(deed, frozenset(needs)))
        return len(self.steps) - 1

    def deeds(self) -> Sequence[Deed]:
        return [step.deed for step in self.steps]
