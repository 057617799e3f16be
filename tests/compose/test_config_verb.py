"""``compose config``: what it prints, and that it asks no engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import ComposeError, ContainerlabError, UsageError
from tests.compose.projects import write

_FILE = """
name: lab
services:
  web: {image: "x:${TAG:-1}", ports: ["${PORT:-80}:80"], volumes: [v:/v], networks: [n]}
  db: {build: ., networks: [n]}
  tools: {image: t, profiles: [tools], networks: [n]}
volumes: {v: }
networks: {n: }
"""


def _no_engine() -> Any:
    raise AssertionError("config needs no engine")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path, {"compose.yaml": _FILE})
    monkeypatch.chdir(tmp_path)
    for name in ("TAG", "PORT", "COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def config(*words: str, before: tuple[str, ...] = (), **rest: Any) -> str:
    return str(invoke(["compose", *before, "config", *words], Context(connect=_no_engine, **rest)))


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["--services"], ["db", "web"]),
        (["--volumes"], ["v"]),
        (["--networks"], ["n"]),
        (["--profiles"], ["tools"]),
        (["--images"], ["lab-db", "x:1"]),
        (["--quiet"], []),
    ],
)
def test_lists_are_of_what_is_enabled(folder: Path, words: list[str], lines: list[str]) -> None:
    assert config(*words).split() == lines


def test_hashes_are_the_same_each_time_and_named_services_alone(folder: Path) -> None:
    every = config("--hash", "*")
    assert [line.split()[0] for line in every.splitlines()] == ["db", "web"] and every == config("--hash", "*")
    assert config("--hash", "web") in every
    with pytest.raises(ContainerlabError, match="no such service: wbe"):
        config("--hash", "wbe")


def test_what_is_printed_can_be_read_again(folder: Path) -> None:
    first = config()
    write(folder, {"again.yaml": first})
    assert config(before=("-f", "again.yaml")) == first
    assert "x:1" in first and '"name": "lab"' in config("--format", "json")


def test_variables_may_be_left_in(folder: Path) -> None:
    printed = config("--no-interpolate")
    assert "x:${TAG:-1}" in printed and "${PORT:-80}:80" in printed
    with pytest.raises(UsageError, match="goes alone"):
        config("--no-interpolate", "--services")


def test_the_variables_of_the_files_are_listed(folder: Path) -> None:
    write(folder, {"compose.yaml": "services: {web: {image: '${A:-a${B}} ${C:?}', user: '$A ${D+d}'}}"})
    rows = {row["name"]: row for row in invoke(["compose", "config", "--variables"], Context(connect=_no_engine))}
    assert sorted(rows) == ["A", "B", "C", "D"]
    assert (rows["A"]["default"], rows["C"]["required"], rows["D"]["alternate"]) == ("a${B}", True, "d")


def test_the_text_may_go_into_a_file(folder: Path) -> None:
    printed = config()
    assert config("-o", "out.yaml") == "" and (folder / "out.yaml").read_text().rstrip() == printed.rstrip()
    with pytest.raises(ContainerlabError, match=r"open none/out.yaml: no such file or directory"):
        config("-o", "none/out.yaml")


def test_what_config_cannot_do_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(UsageError, match="no-path-resolution"):
        config("--no-path-resolution")


@pytest.fixture
def typed() -> Iterator[int]:
    reading, writing = os.pipe()
    os.write(writing, b"name: typed\nservices: {one: {image: x}}\n")
    os.close(writing)
    yield reading
    os.close(reading)


def test_a_file_may_come_by_standard_input(folder: Path, typed: int) -> None:
    assert config("--services", before=("-f", "-"), stdin_fd=typed) == "one"


def test_an_error_names_file_line_and_column(folder: Path) -> None:
    write(folder, {"compose.yaml": "services:\n  web:\n    imgae: x\n"})
    with pytest.raises(ComposeError) as raised:
        config()
    assert str(raised.value).splitlines()[0].startswith("compose.yaml:3:5: services.web: additional properties")
