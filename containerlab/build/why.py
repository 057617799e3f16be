"""Why a step was made again: what it is made of now, held against what it was made of in the build before.

Each reason is a few words for a table's cell: ``app/main.py changed``, ``ARG VERSION: 1 → 2``, ``the step above``.
"""

from __future__ import annotations

import stat
from collections.abc import Callable

from containerlab.build.ingredients import Ingredients, Listing, StageRecord, short

__all__ = ["explain"]

_MOST_NAMED = 3
_SHOWN_TEXT = 80

Paths = Callable[[str], Listing | None]
"""The files behind a digest, where they are still known."""


def explain(step: Ingredients, now: StageRecord, before: StageRecord, texts: frozenset[str], paths: Paths) -> list[str]:
    """The reasons, the first one first. ``now`` holds the stage's steps above ``step``, ``texts`` all there are."""
    same_place = [each for each in before.steps if each.parent == step.parent]
    twin = next((each for each in same_place or before.steps if each.text == step.text), None)
    if same_place:
        if twin is None:
            return [_another_text(step, same_place, before, texts)]
        return _differences(step, twin, paths) or [_nothing_differs(twin)]
    if twin is None and now.steps == before.steps:
        return ["the instruction is new" if before.complete else "the build before ended above it"]
    above = "the step above" if now.steps else _another_base(now, before)
    return [above, *(_differences(step, twin, paths) if twin is not None else [])]


def _another_text(step: Ingredients, same_place: list[Ingredients], before: StageRecord, texts: frozenset[str]) -> str:
    gone = [each for each in same_place if each.text not in texts]
    edited = next((each for each in gone if _keyword(each) == _keyword(step)), None)
    if any(each.text == step.text for each in before.steps):
        return f"another step stood above it: {_told((gone or same_place)[0].text)}"
    return f"the instruction's text changed, it was: {_told(edited.text)}" if edited else "the instruction is new"


def _keyword(step: Ingredients) -> str:
    return step.text.split(None, 1)[0].upper() if step.text else ""


def _told(text: str) -> str:
    line = short(text)
    return line if len(line) <= _SHOWN_TEXT else line[: _SHOWN_TEXT - 1] + "…"


def _another_base(now: StageRecord, before: StageRecord) -> str:
    if now.base_id == before.base_id:
        return "the step above"
    if now.base != before.base:
        return f"the base image is another: {before.base} → {now.base}"
    return f"the base image is another than last time ({now.base})"


def _nothing_differs(twin: Ingredients) -> str:
    return "its layer is no longer kept" if twin.finished else "it did not finish last time"


def _differences(step: Ingredients, twin: Ingredients, paths: Paths) -> list[str]:
    found = [
        f"{name}: {_value(twin.variables.get(name))} → {_value(step.variables.get(name))}"
        for name in sorted({*step.variables, *twin.variables})
        if step.variables.get(name) != twin.variables.get(name)
    ]
    found += _read_differently(step, twin, paths)
    found += [
        f"{name}: {twin.settings.get(name) or 'not given'} → {step.settings.get(name) or 'not given'}"
        for name in sorted({*step.settings, *twin.settings})
        if step.settings.get(name) != twin.settings.get(name)
    ]
    return found


def _value(value: str | None) -> str:
    return "not set" if value is None else value or '""'


def _read_differently(step: Ingredients, twin: Ingredients, paths: Paths) -> list[str]:
    """By the files where both sides know theirs, else by the name in the Dockerfile."""
    if step.reads == twin.reads:
        return []
    changed: list[str] = []
    old, new = dict(twin.reads), dict(step.reads)
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        if name not in old or name not in new:
            changed.append(f"{name} is {'new' if name not in old else 'gone'}")
            continue
        one, other = paths(old[name]), paths(new[name])
        known = one is not None and other is not None
        changed += _between(one or {}, other or {}) if known else [f"{name} changed"]
        if known and one == other:
            changed.append(f"an owner in {name} changed")
    if not changed:
        return ["what it reads stands in another order"]
    if len(changed) <= _MOST_NAMED:
        return changed
    return [*changed[:_MOST_NAMED], f"{len(changed) - _MOST_NAMED} more changes of files"]


def _between(one: Listing, other: Listing) -> list[str]:
    found: list[str] = []
    for path in sorted({*one, *other}):
        before, after = one.get(path), other.get(path)
        if before == after:
            continue
        if before is None or after is None:
            found.append(f"{path} is {'new' if before is None else 'gone'}")
        elif before[1] != after[1] or stat.S_IFMT(before[0]) != stat.S_IFMT(after[0]):
            found.append(f"{path} changed")
        else:
            found.append(f"{path}: mode {stat.S_IMODE(before[0]):o} → {stat.S_IMODE(after[0]):o}")
    return found
