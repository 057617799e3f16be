"""Every option of the docker command line is in a table with the case that proves it, works or refused.

``options.json`` says for each verb and option which test that is (``FILE::TEST``), or under which verb the same option
stands (``as run``). An option that a newer command line brings fails here until there is a case for it.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import CLIENTS

TESTS = Path(__file__).parents[1]
TABLE: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("options.json").read_text(encoding="utf-8"))
_OPTION = re.compile(r"\s+(?:(-\w), )?(--[\w-]+)")


@functools.cache
def options(program: str, verb: str) -> dict[str, str]:
    """The options that ``--help`` lists, each with its short form or nothing."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "DOCKER_BUILDKIT": "0", "DOCKER_HOST": "unix:///no"}
    command = [program, *verb.split(), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=20, check=False).stdout
    found = (_OPTION.match(line) for line in shown.splitlines())
    return {match[2]: match[1] or "" for match in found if match and match[2] != "--help"}


@functools.cache
def words(case: str) -> frozenset[str]:
    """Every word in the strings of a test, and of what it uses of its module."""
    file, _, name = case.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    known: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            known[node.name] = node
        elif isinstance(node, ast.Assign):
            known |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    assert name in known, f"there is no test {case}"
    texts, todo, seen = [], [name], set()
    while todo:
        current = todo.pop()
        if current in known and current not in seen:
            seen.add(current)
            for node in ast.walk(known[current]):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
                elif isinstance(node, ast.Name):
                    todo.append(node.id)
    return frozenset(word for text in texts for word in (text, *text.split()))


def mentions(case: str, option: str, short: str) -> bool:
    """``-it`` holds ``-i`` and ``-t``."""
    grouped = re.compile(rf"-[a-zA-Z]*{short[1:]}[a-zA-Z]*") if short else None
    return any(
        word == option or word.startswith(f"{option}=") or bool(grouped and grouped.fullmatch(word))
        for word in words(case)
    )


@pytest.mark.skipif(not CLIENTS, reason="no docker command line is installed")
@pytest.mark.parametrize("verb", TABLE)
def test_every_option_of_a_verb_has_its_case(verb: str) -> None:
    listed: dict[str, str] = {}
    for program in CLIENTS:
        listed |= options(program, verb)
    assert listed, f"docker {verb} lists no options"
    assert sorted(listed.keys() - TABLE[verb].keys()) == []
    for option, case in TABLE[verb].items():
        if case.startswith("as "):
            assert option in TABLE[case.removeprefix("as ")], f"docker {verb} {option}"
        elif option in listed:
            assert mentions(case, option, listed[option]), f"{case} doesn't use {option} of docker {verb}"
