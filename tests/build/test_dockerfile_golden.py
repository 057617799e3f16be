"""Golden folders: each ``goldens/CASE/Dockerfile`` reads as its ``result``, character for character."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from containerlab.build.dockerfile import Dockerfile, Instruction, parse
from containerlab.build.dockerfile.nodes import Heredoc

GOLDENS = Path(__file__).parent / "goldens"


def _value(value: object) -> str:
    if isinstance(value, Instruction):
        return f"({_instruction(value)})"
    if isinstance(value, Heredoc):
        return f"<<{value.name} expand={value.expand} chomp={value.chomp} {json.dumps(value.content)}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)


def _instruction(instruction: Instruction) -> str:
    shown = []
    for field in fields(instruction):
        value = getattr(instruction, field.name)
        if field.name == "node" or value in ("", (), 0, False):
            continue
        if field.name == "command" and value is not None:
            shown.append(f"{'shell' if value.shell else 'exec'}={_value(value.args)}")
        else:
            shown.append(f"{field.name}={_value(value)}")
    return " ".join([instruction.keyword, *shown])


def dump(dockerfile: Dockerfile) -> str:
    lines = [f"{arg.line}: {_instruction(arg)}" for arg in dockerfile.global_args]
    for stage in dockerfile.stages:
        for each in (stage.from_, *stage.instructions):
            lines.append(f"{each.line}-{each.node.end_line}: {_instruction(each)}")
    lines += [f"notice {notice.place.line}: {notice.message}" for notice in dockerfile.notices]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", sorted(path.name for path in GOLDENS.iterdir()))
def test_a_dockerfile_reads_as_its_golden_result(case: str) -> None:
    text = (GOLDENS / case / "Dockerfile").read_bytes()
    assert dump(parse(text)) == (GOLDENS / case / "result").read_text()
