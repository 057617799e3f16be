"""What the grammar knows and this builder doesn't do: refused before the first step, at its line."""

from __future__ import annotations

import re

from containerlab.build.dockerfile import Instruction
from containerlab.build.dockerfile.instructions import Add, Copy, Run
from containerlab.errors import DockerfileError

__all__ = ["is_git", "refuse_unsupported"]

_GIT = re.compile(r"(?:git|ssh)://|git@|https?://[^?#]*\.git(?:[#?]|\Z)")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
_NETWORKS = ("", "default", "none", "host")
_CHECKSUM = re.compile(r"sha256:[a-f0-9]{64}\Z")


def is_git(source: str) -> bool:
    """Is ``source`` of ADD a git repository?"""
    return _GIT.match(source) is not None


def refuse_unsupported(instruction: Instruction, *, host_network: bool) -> None:
    """Raise DockerfileError for an instruction or flag that is read but not carried out.

    The host's network is the builder's to grant, not the Dockerfile's (CVE-2024-23653): ``host_network`` says that it
    was.
    """
    if isinstance(instruction, Run):
        _refuse_run(instruction)
        if instruction.network == "host" and not host_network:
            message = "RUN --network=host is granted only to a build that was asked for with --network host"
            raise instruction.node.error(message, hint="build with --network host, or leave --network=host out")
    elif isinstance(instruction, Add):
        _refuse_add(instruction)
    if isinstance(instruction, Copy | Add) and instruction.chown.count(":") > 1:
        raise instruction.node.error(f"invalid --chown={instruction.chown}", hint="expected USER or USER:GROUP")


def _refuse_run(instruction: Run) -> None:
    if instruction.network not in _NETWORKS:
        message = f"unknown network {instruction.network!r} of RUN --network"
        raise instruction.node.error(message, hint="it is default, none or host")
    if instruction.security not in ("", "sandbox"):
        message = f"RUN --security={instruction.security} is refused: a build runs with a container's rights"
        raise instruction.node.error(message, hint="leave --security out")


def _refuse_add(instruction: Add) -> None:
    for source in instruction.sources:
        if is_git(source):
            raise _refused(instruction, f"ADD of the git repository {source}", "clone it, then ADD the folder")
        scheme = _SCHEME.match(source)
        if scheme is not None and scheme[1] not in ("http", "https"):
            raise _refused(instruction, f"ADD of {source}", "it is a file of the context, or http:// or https://")
    if instruction.keep_git_dir:
        raise _refused(instruction, "ADD --keep-git-dir", "git repositories aren't cloned here")
    if not instruction.checksum or "$" in instruction.checksum:
        return
    if not _CHECKSUM.match(instruction.checksum):
        message = f"invalid --checksum={instruction.checksum}"
        raise instruction.node.error(message, hint="expected sha256: and 64 digits of 0-9a-f")
    if len(instruction.sources) != 1 or not instruction.sources[0].startswith(("http://", "https://", "$")):
        raise instruction.node.error("--checksum is for one http(s) source", hint="leave --checksum out")


def _refused(instruction: Instruction, what: str, hint: str) -> DockerfileError:
    return instruction.node.error(f"{what} isn't supported", hint=hint)
