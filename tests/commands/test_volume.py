"""``volume`` and its verbs, by the tree that command line and magics share."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import ContainerlabError, NotFound


def test_a_volume_is_made_listed_looked_at_and_removed(context: Context, name: str) -> None:
    assert str(invoke(["volume", "create", "--label", "of=test", name], context)) == name
    assert str(invoke(["volume", "ls", "-q", "-f", f"name={name}"], context)) == name
    [row] = list(invoke(["volume", "ls", "-f", f"name={name}"], context))
    assert (row["driver"], row["name"], row["labels"]) == ("local", name, {"of": "test"})
    assert str(invoke(["volume", "inspect", "-f", "{{.Name}} {{.Scope}}", name], context)) == f"{name} local"
    assert str(invoke(["volume", "rm", name], context)) == name
    with pytest.raises(NotFound, match="no such volume"):
        invoke(["volume", "inspect", name], context)
    assert str(invoke(["volume", "rm", "-f", name], context)) == name


def test_a_notebook_s_cell_cannot_be_asked_whether_to_prune(context: Context) -> None:
    with pytest.raises(ContainerlabError, match="volume prune -f"):
        invoke(["volume", "prune"], dataclasses.replace(context, notebook=True))


def test_prune_tells_what_is_gone(context: Context, name: str) -> None:
    invoke(["volume", "create", "--label", f"of={name}", name], context)
    pruned: Any = invoke(["volume", "prune", "-a", "-f", "--filter", f"label=of={name}"], context)
    assert pruned.volumes == [name]
    assert "Deleted Volumes:" in str(pruned)
