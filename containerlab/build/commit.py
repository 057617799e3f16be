"""A step's files as a layer."""

from __future__ import annotations

import os
from pathlib import Path

from containerlab.build.dockerfile.instructions import Instruction
from containerlab.images import Layer, LayerStore, Provenance

__all__ = ["commit_layer", "provenance_of"]

_LONGEST = 1024


def commit_layer(
    layers: LayerStore, upper: Path, parent: str | None, provenance: Provenance, epoch: int | None
) -> Layer | None:
    """A layer of an overlay's upper directory, or None when it is empty.

    With ``epoch`` (seconds since 1970) nothing in it is younger, so that the same files make the same layer again.
    See https://reproducible-builds.org/specs/source-date-epoch/.
    """
    with os.scandir(upper) as entries:
        if next(entries, None) is None:
            return None
    if epoch is not None:
        _no_younger(upper, epoch * 1_000_000_000)
    return layers.commit(upper, parent, provenance)


def _no_younger(upper: Path, limit_ns: int) -> None:
    for _, directories, files, fd in os.fwalk(upper):
        for name in (*directories, *files):
            if os.stat(name, dir_fd=fd, follow_symlinks=False).st_mtime_ns > limit_ns:
                os.utime(name, ns=(limit_ns, limit_ns), dir_fd=fd, follow_symlinks=False)


def provenance_of(instruction: Instruction, created_by: str) -> Provenance:
    """Where the layer that ``instruction`` makes comes from; ``created_by`` is its line of the history."""
    return Provenance(created_by, instruction.node.source.file, instruction.line, instruction.original[:_LONGEST])
