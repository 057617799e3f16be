"""What is known of one layer, and how it is named."""

from __future__ import annotations

import hashlib

import msgspec

__all__ = ["Layer", "Provenance", "chain_id"]


class Provenance(msgspec.Struct, omit_defaults=True):
    """Where a layer comes from: its line of the history, its Dockerfile and line (from 1; 0: unknown).

    ``instruction`` is the Dockerfile's own text, lines joined, 1,024 characters at most; empty where nobody read one.
    """

    created_by: str = ""
    dockerfile: str = ""
    line: int = 0
    instruction: str = ""


class Layer(msgspec.Struct, frozen=True):
    """One layer. ``size`` is the bytes of its own files; ``squashed`` tells that owners were not kept."""

    chain_id: str
    diff_id: str
    parent: str | None
    size: int
    provenance: Provenance
    squashed: bool = False


def chain_id(parent: str | None, diff_id: str) -> str:
    """The OCI chain ID (config.md, "Layer ChainID") of a layer on top of ``parent``."""
    if parent is None:
        return diff_id
    return "sha256:" + hashlib.sha256(f"{parent} {diff_id}".encode()).hexdigest()
