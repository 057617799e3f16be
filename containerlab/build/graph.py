"""The stages as a graph: which of them the target needs, and what each of them starts from and copies from.

A stage is known by its name or its number, and only by later ones: so the graph has no cycle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from containerlab.build.base import base_name, expand_global
from containerlab.build.dockerfile import Dockerfile, Instruction, Stage
from containerlab.build.dockerfile.instructions import Copy, From, Run
from containerlab.build.options import check_platform
from containerlab.build.refused import refuse_unsupported
from containerlab.errors import DockerfileError, InvalidParameter

__all__ = ["Graph", "Node", "described", "names_of"]

_NUMBER = re.compile(r"[0-9]{1,6}\Z")


@dataclass(frozen=True, slots=True)
class Node:
    """A stage: ``base`` is the stage that it starts from, or None where ``image`` names an image."""

    index: int
    stage: Stage
    image: str
    base: int | None
    needs: frozenset[int]

    @property
    def label(self) -> str:
        """Its name, else its number."""
        return self.stage.name or str(self.index)


class Graph:
    """Every stage of a Dockerfile, each checked; ``global_args`` are the values before the first FROM.

    Raises DockerfileError for a name that is no earlier stage where only a stage can be meant.
    """

    def __init__(self, dockerfile: Dockerfile, global_args: Mapping[str, str], *, host_network: bool) -> None:
        self._dockerfile, self._host_network = dockerfile, host_network
        self._indexes = {stage.name: index for index, stage in enumerate(dockerfile.stages) if stage.name}
        self.nodes = [self._node(index, stage, global_args) for index, stage in enumerate(dockerfile.stages)]

    def target(self, name: str) -> Node:
        """The stage to build: the last one, or the one that ``--target`` says. Raises InvalidParameter."""
        if not name:
            return self.nodes[-1]
        index = self._find(name.lower(), len(self.nodes))
        if index is None:
            names = ", ".join(node.stage.name for node in self.nodes if node.stage.name)
            hint = f"the stages are: {names}" if names else "name the stage: FROM IMAGE AS name"
            raise InvalidParameter(f"target stage {name!r} could not be found", hint=hint)
        return self.nodes[index]

    def needed(self, target: Node) -> list[Node]:
        """``target`` and all it needs, in the file's order."""
        found: set[int] = set()
        pending = [target.index]
        while pending:
            index = pending.pop()
            if index not in found:
                found.add(index)
                pending.extend(self.nodes[index].needs)
        return [self.nodes[index] for index in sorted(found)]

    def source(self, instruction: Instruction, name: str, before: int) -> Node | None:
        """The stage that ``--from=name`` means in the stage ``before``; None for an image. Raises DockerfileError."""
        index = self._find(name.lower(), before)
        if index is not None:
            return self.nodes[index]
        self._refuse_later(instruction, name, before)
        return None

    def _find(self, name: str, before: int) -> int | None:
        index = self._indexes.get(name, before)
        if index < before:
            return index
        if _NUMBER.match(name) and int(name) < before:
            return int(name)
        return None

    def _refuse_later(self, instruction: Instruction, name: str, own: int) -> None:
        stages = self._dockerfile.stages
        number = int(name) if _NUMBER.match(name) else len(stages)
        index = self._indexes.get(name.lower(), number)
        if own <= index < len(stages):
            what = "is this very stage" if index == own else f"begins later, in line {stages[index].from_.line}"
            message = f"circular dependency: the stage {name} {what}"
            raise instruction.node.error(message, hint="expected an earlier stage, or an image")
        if _NUMBER.match(name):
            count = f"{own} earlier stage{'s' * (own != 1)}"
            raise instruction.node.error(f"invalid from flag value {name}: there are {count}", hint="they count from 0")

    def _node(self, index: int, stage: Stage, global_args: Mapping[str, str]) -> Node:
        from_ = stage.from_
        self._check_platform(from_, global_args)
        image = base_name(self._dockerfile, from_, global_args)
        base = self._named(image, index)
        needs = {base} if base is not None else set()
        for instruction in stage.instructions:
            refuse_unsupported(instruction, host_network=self._host_network)
            for name in names_of(instruction):
                node = self._find(name.lower(), index)
                if node is not None:
                    needs.add(node)
                else:
                    self._refuse_later(instruction, name, index)
        return Node(index, stage, image, base, frozenset(needs))

    def _named(self, name: str, before: int) -> int | None:
        """FROM knows stages by their names alone."""
        index = self._indexes.get(name.lower(), before)
        return index if index < before else None

    def _check_platform(self, from_: From, values: Mapping[str, str]) -> None:
        try:
            check_platform(expand_global(self._dockerfile, from_, from_.platform, values))
        except InvalidParameter as error:
            if isinstance(error, DockerfileError):
                raise
            raise from_.node.error(error.message, hint=error.hint) from None


def described(graph: Graph, needed: list[Node], target: Node) -> list[dict[str, object]]:
    """The whole graph for who draws it; ``base`` is an image's name, or empty where the stage starts from another.

    ``needs`` are the labels of the stages that it starts from or copies from.
    """
    indexes = {node.index for node in needed}
    return [
        {
            "stage": node.label,
            "line": node.stage.from_.line,
            "base": node.image if node.base is None else "",
            "starts_from": graph.nodes[node.base].label if node.base is not None else "",
            "copies_from": sorted(graph.nodes[index].label for index in node.needs if index != node.base),
            "needed": node.index in indexes,
            "target": node is target,
        }
        for node in graph.nodes
    ]


def names_of(instruction: Instruction) -> list[str]:
    """Every stage or image that an instruction reads from."""
    if isinstance(instruction, Copy):
        return [instruction.from_] if instruction.from_ else []
    if isinstance(instruction, Run):
        return [mount.from_ for mount in instruction.mounts if mount.from_]
    return []
