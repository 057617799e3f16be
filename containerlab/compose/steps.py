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

from containerlab.compose.model import Condition
from containerlab.compose.observe import Instance


@dataclass(frozen=True)
class MakeNetwork:
    key: str


@dataclass(frozen=True)
class MakeVolume:
    key: str


@dataclass(frozen=True)
class Create:
    """A container that isn't there yet."""

    service: str
    number: int
    name: str


@dataclass(frozen=True)
class Recreate:
    """The same container by a new configuration: made beside the old one, which then makes room for it."""

    service: str
    number: int
    name: str
    old: Instance
    keep_volumes: bool = True
    timeout: int | None = None


@dataclass(frozen=True)
class Rename:
    """What a ``Recreate`` that was cut off has left: the new container, still under its passing name."""

    old: Instance
    name: str


@dataclass(frozen=True)
class Start:
    service: str
    name: str


@dataclass(frozen=True)
class Restart:
    """Of one that runs: what it depends on was made anew."""

    old: Instance
    timeout: int | None = None


@dataclass(frozen=True)
class Await:
    """All of a service's containers fulfil ``condition``. ``names`` are those that the plan knows."""

    service: str
    condition: Condition
    names: tuple[str, ...]
    required: bool = True
    or_running: bool = False  # without a health check it is enough to run
    or_ended: bool = False  # or to have ended well


@dataclass(frozen=True)
class Stop:
    old: Instance
    timeout: int | None = None


@dataclass(frozen=True)
class Remove:
    old: Instance
    volumes: bool = False
    force: bool = False


@dataclass(frozen=True)
class RemoveNetwork:
    name: str


@dataclass(frozen=True)
class RemoveVolume:
    name: str


@dataclass(frozen=True)
class RemoveImage:
    name: str


Deed = (
    MakeNetwork | MakeVolume | Create | Recreate | Rename | Start | Restart | Await | Stop | Remove
    | RemoveNetwork | RemoveVolume | RemoveImage
)  # fmt: skip


@dataclass(frozen=True)
class Step:
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
