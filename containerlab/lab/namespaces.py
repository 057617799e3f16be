"""Which process is in which namespace: the host's side of isolation, read from /proc/PID/ns (namespaces(7))."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from containerlab.errors import UsageError
from containerlab.lab.draw import bare_axes, box, canvas, cut, label
from containerlab.lab.figure import Figure, Table
from containerlab.lab.theme import SERIES
from containerlab.lab.words import Words, say

__all__ = ["KINDS", "NOTEBOOK", "TERMINAL", "Resident", "draw_namespaces", "namespaces", "read_namespaces"]

KINDS = {
    "pid": Words("processes"),
    "mnt": Words("files and mounts"),
    "net": Words("network interfaces"),
    "uts": Words("host name"),
    "ipc": Words("shared memory"),
    "cgroup": Words("cgroups"),
    "user": Words("users"),
    "time": Words("clocks"),
}
"""The kinds of namespaces, as /proc/PID/ns calls them, and what each of them holds."""

NOTEBOOK, TERMINAL = Words("this notebook"), Words("this terminal")
"""What the process is called that looks on."""

_UNKNOWN = "?"
_FEW = 8  # residents that have room side by side


@dataclass(frozen=True)
class Resident:
    """A process and its namespaces: ``ids`` maps a kind to the namespace's inode, None where it can't be seen."""

    name: str
    ids: dict[str, int | None]


def read_namespaces(client: Any, names: Sequence[str], here: Words = NOTEBOOK) -> list[Resident]:
    """This process first, called ``here``, then the first process of each running container.

    Raises docker's ``NotFound`` for a name that isn't there, UsageError for a container that doesn't run.
    """
    residents = [Resident(say(here), _ids("self"))]
    for name in names:
        pid = client.api.inspect_container(name)["State"]["Pid"]
        if not pid:
            raise UsageError(say("{name} doesn't run: only a process is in namespaces.", name=name))
        residents.append(Resident(name, _ids(str(pid))))
    return residents


def _ids(pid: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for kind in KINDS:
        try:
            found[kind] = (Path("/proc") / pid / "ns" / kind).stat().st_ino
        except PermissionError:
            found[kind] = None
        except FileNotFoundError:
            continue  # a kernel without this kind
    return found


def namespaces(client: Any, *names: str, kinds: Sequence[str] = (), here: Words = NOTEBOOK) -> Figure:
    """Draw which namespaces the named containers share with each other, and with the host.

    ``kinds`` chooses some of ``KINDS``; without any it is all. ``here`` is what this process is called.
    Raises UsageError for a kind that is none.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(say("There is no namespace {kind}.", kind=kind), hint=", ".join(KINDS))
    return draw_namespaces(read_namespaces(client, names, here), kinds or list(KINDS))


def draw_namespaces(residents: Sequence[Resident], chosen: Sequence[str] = tuple(KINDS)) -> Figure:
    """The picture of :func:`namespaces`: a row for each kind, one box for each namespace, as wide as those inside."""
    kinds = [kind for kind in KINDS if kind in chosen and kind in residents[0].ids]
    letters = {kind: _letters([resident.ids.get(kind) for resident in residents]) for kind in kinds}
    return Figure(
        title=say("Who is in which namespace"),
        summary=_summary(residents, kinds, letters),
        canvas=(_few if len(residents) <= _FEW else _many)(residents, kinds, letters),
        table=Table(
            (say("namespace"), say("what it holds"), *(resident.name for resident in residents)),
            [(kind, say(KINDS[kind]), *(_said(letter) for letter in letters[kind])) for kind in kinds],
        ),
        data={resident.name: dict(resident.ids) for resident in residents},
    )


def _few(residents: Sequence[Resident], kinds: Sequence[str], letters: dict[str, list[str]]) -> Canvas:
    """A column for each resident."""
    figure = canvas(max(8.0, 3.4 + 1.9 * len(residents)), 0.62 * len(kinds) + 0.8)
    axes = bare_axes(figure, (0.0, 0.0, 1.0, 1.0))
    for column, resident in enumerate(residents):
        label(axes, 3.4 + 2 * column + 0.9, len(kinds) + 0.3, resident.name, size=12, weight="bold")
    for row, kind in enumerate(kinds):
        _row(axes, len(kinds) - 1 - row, kind, letters[kind])
    axes.set_xlim(-0.1, 3.4 + 2 * len(residents))
    axes.set_ylim(-0.15, len(kinds) + 0.7)
    return figure


def _many(residents: Sequence[Resident], kinds: Sequence[str], letters: dict[str, list[str]]) -> Canvas:
    """A line for each resident: as columns, many would be too narrow to read on a page."""
    figure = canvas(3.0 + 1.0 * len(kinds), 0.36 * len(residents) + 0.7)
    axes = bare_axes(figure, (0.0, 0.0, 1.0, 1.0))
    for column, kind in enumerate(kinds):
        label(axes, column + 0.5, len(residents) + 0.5, kind, size=12, weight="bold")
        for begin, end in _runs(letters[kind]):
            _pile(axes, column, len(residents) - end, end - begin, letters[kind][begin])
    for line, resident in enumerate(residents):
        words = cut(resident.name, 2.7, 11)
        label(axes, -0.15, len(residents) - line - 0.5, words, size=11, ha="right", weight="bold")
    axes.set_xlim(-3.0, len(kinds))
    axes.set_ylim(-0.1, len(residents) + 1.0)
    return figure


def _runs(letters: Sequence[str]) -> Iterator[tuple[int, int]]:
    """From where to where neighbours are in one namespace; what can't be seen is nobody's neighbour."""
    begin = 0
    for at in range(1, len(letters) + 1):
        if at == len(letters) or letters[at] != letters[begin] or letters[at] == _UNKNOWN:
            yield begin, at
            begin = at


def _pile(axes: Axes, column: int, bottom: int, count: int, letter: str) -> None:
    unknown = letter == _UNKNOWN
    hue = "gold" if unknown else _hue(letter)
    box(axes, column + 0.08, bottom + 0.08, 0.84, count - 0.16, hue, dashed=unknown)
    label(axes, column + 0.5, bottom + count / 2, letter, size=11)


def _hue(letter: str) -> str:
    return SERIES[(_number(letter)) % len(SERIES)]


def _number(letters: str) -> int:
    """A is 0, Z 25, AA 26."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _name(number: int) -> str:
    """The letters of the namespace of this number."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _letters(ids: Sequence[int | None]) -> list[str]:
    """A letter for each namespace, A being the first one's: who has the same letter shares it."""
    known: dict[int, str] = {}
    return [_UNKNOWN if one is None else known.setdefault(one, _name(len(known))) for one in ids]


def _said(letter: str) -> str:
    return say("can't be seen") if letter == _UNKNOWN else letter


def _row(axes: Axes, bottom: float, kind: str, letters: Sequence[str]) -> None:
    label(axes, 0.0, bottom + 0.4, kind, size=12, weight="bold", ha="left")
    label(axes, 1.1, bottom + 0.4, say(KINDS[kind]), size=10, tone="soft", ha="left")
    for column, letter in enumerate(letters):
        left = 3.4 + 2 * column
        if letter == _UNKNOWN:
            box(axes, left, bottom + 0.08, 1.8, 0.64, "gold", dashed=True)
            label(axes, left + 0.9, bottom + 0.4, "?", size=11)
            continue
        hue = _hue(letter)
        # Neighbours that share one stand in one box: the wall between them isn't there.
        joined = column + 1 < len(letters) and letters[column + 1] == letter
        if column and letters[column - 1] == letter:
            continue
        span = 1
        while joined:
            span += 1
            joined = column + span < len(letters) and letters[column + span] == letter
        box(axes, left, bottom + 0.08, 2 * span - 0.2, 0.64, hue)
        for step in range(span):
            label(axes, left + 2 * step + 0.9, bottom + 0.4, letter, size=12)


def _summary(residents: Sequence[Resident], kinds: Sequence[str], letters: dict[str, list[str]]) -> str:
    sentences = []
    for column, resident in enumerate(residents[1:], 1):
        own = [kind for kind in kinds if letters[kind][column] not in (letters[kind][0], _UNKNOWN)]
        shared = [kind for kind in kinds if letters[kind][column] == letters[kind][0]]
        sentences.append(
            say(
                "{name} has namespaces of its own for {own}, and shares {shared} with {here}",
                name=resident.name,
                own=", ".join(own) or say("nothing"),
                shared=", ".join(shared) or say("nothing"),
                here=residents[0].name,
            )
        )
    return "; ".join(sentences) + "."
