"""Secrets and configs: a file is bound into the container, a text is put among its own files before its first start."""

from __future__ import annotations

__all__ = ["archive", "binds", "check_blobs"]

import io
import posixpath
import tarfile
from collections.abc import Iterator
from typing import Any

from containerlab.compose.model import Blob, BlobUse, Project, Service
from containerlab.errors import InvalidParameter

_MODE = 0o444


def check_blobs(project: Project, service: Service) -> None:
    """Raises InvalidParameter, in docker compose's words, for what no container could be given."""
    for kind, use, blob in _uses(project, service):
        if blob.external:
            raise InvalidParameter(
                f"unsupported external {kind} {use.source}", hint="External ones are swarm's: name a file here."
            )
        if blob.file:
            continue
        _text(project, kind, blob)
        if service.read_only:
            # A container's own files can't be written then, and a mount has no text to come from.
            raise InvalidParameter(
                f'cannot create {kind} "{blob.name}" in read-only service {service.name}: `file` is the sole '
                "supported option",
                hint="Write the text into a file and name that, or leave out read_only.",
            )


def binds(project: Project, service: Service) -> list[dict[str, Any]]:
    """A mount of the create request for each one that is a file."""
    found = []
    for _, use, blob in _uses(project, service):
        if blob.file:
            if not posixpath.isabs(blob.file) or not posixpath.isabs(use.target):
                raise InvalidParameter(f"service {service.name}: {blob.file} and {use.target} must be absolute paths")
            found.append({"Type": "bind", "Source": blob.file, "Target": use.target, "ReadOnly": True})
    return found


def archive(project: Project, service: Service) -> bytes | None:
    """The texts as a tar for the container's root; None where there is none."""
    found = [(use, _text(project, kind, blob)) for kind, use, blob in _uses(project, service) if not blob.file]
    if not found:
        return None
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as written:
        for use, text in found:
            data = text.encode()
            entry = tarfile.TarInfo(use.target.lstrip("/"))
            entry.size, entry.mode = len(data), _MODE if use.mode is None else use.mode
            entry.uid, entry.gid = _number(use.uid), _number(use.gid)
            written.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _uses(project: Project, service: Service) -> Iterator[tuple[str, BlobUse, Blob]]:
    yield from (("secret", use, project.secrets[use.source]) for use in service.secrets)
    yield from (("config", use, project.configs[use.source]) for use in service.configs)


def _text(project: Project, kind: str, blob: Blob) -> str:
    if not blob.environment:
        return blob.content or ""
    if blob.environment not in project.environment:
        raise InvalidParameter(f'environment variable "{blob.environment}" required by {kind} "{blob.name}" is not set')
    return project.environment[blob.environment]


def _number(text: str) -> int:
    """Of a user or group; inside an image that isn't read, a name says nothing."""
    if text and not text.isdecimal():
        raise InvalidParameter(f"uid and gid of a secret or config are numbers, not {text!r}")
    return int(text or 0)
