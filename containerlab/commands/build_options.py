"""The options that ``build`` and ``%%dockerfile`` share: Docker's for its classic builder; BuildKit's are refused."""

from __future__ import annotations

__all__ = ["build_options"]

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from containerlab.commands import values
from containerlab.commands.parsing import Always, content_trust, refused, refused_flag

_Command = TypeVar("_Command", bound=Callable[..., Any])

_NO_BUILDKIT = "it is BuildKit's, and this builder is the classic one"
_STAYS = "a step's container never outlives its step"
_BUILDKIT = (
    "--allow", "--annotation", "--attest", "--build-context", "--builder", "--cache-to", "--call", "--metadata-file",
    "--no-cache-filter", "--output", "--provenance", "--sbom",
)  # fmt: skip


def _one(*names: str, help: str = "", **rest: Any) -> Any:
    """Without ``help`` it is the engine's to refuse, and doesn't stand in the help."""
    return click.option(*names, help=help, hidden=not help, **rest)


def build_options(command: _Command) -> _Command:
    options: list[Any] = [
        _one("-t", "--tag", multiple=True, metavar="NAME[:TAG]", help="Name the image."),
        _one("-f", "--file", metavar="NAME", help="The Dockerfile's name; - reads it from standard input."),
        _one("--build-arg", multiple=True, metavar="K=V", help="A value for ARG, or @name."),
        _one("--label", multiple=True, metavar="K=V", help="Note something on the image."),
        _one("--target", metavar="STAGE", help="Stop at this stage."),
        _one("--no-cache", is_flag=True, help="Execute every step again."),
        _one("--pull", is_flag=True, help="Ask the registry for a newer base image."),
        _one("--platform", metavar="OS/ARCH", help="The image's platform, which must be this host's."),
        _one("--network", metavar="NETWORK", help="The network of RUN: none or host."),
        _one("--add-host", multiple=True, metavar="HOST:IP", help="A line for /etc/hosts of RUN."),
        _one("-m", "--memory", type=values.BYTES, help="Memory limit of RUN, as in 64m."),
        _one("--memory-swap", type=values.SWAP, help="Memory and swap together; -1 for no limit on swap."),
        _one("-c", "--cpu-shares", type=int, metavar="N", help="The weight of RUN where processors are short (1024)."),
        _one("--cpu-period", type=int, metavar="US", help="The period of --cpu-quota, in microseconds."),
        _one("--cpu-quota", type=int, metavar="US", help="Processor time in each period, in microseconds."),
        _one("--cpuset-cpus", metavar="LIST", help="RUN uses these processors alone, as in 0-1 or 0,2."),
        _one("--cpuset-mems", metavar="LIST", help="RUN uses the memory of these NUMA nodes alone."),
        _one("--shm-size", type=values.BYTES, help="Size of /dev/shm for RUN."),
        _one("--iidfile", type=click.Path(path_type=Path), metavar="FILE", help="Write the image's id to this file."),
        _one("--compress", is_flag=True, help="Send the files compressed."),
        _one("-q", "--quiet", is_flag=True, help="Show no steps, only the image's id."),
        _one(
            "--secret",
            multiple=True,
            metavar="id=ID,src=FILE",
            help="A secret for RUN --mount=type=secret, or env=NAME.",
        ),
        _one(
            "--progress", type=click.Choice(["auto", "plain", "quiet"]), default="auto", help="Lines of text, or none."
        ),
        _one("--check", is_flag=True, help="Build nothing; say what could be better in the Dockerfile."),
        _one(
            "--cache-from",
            multiple=True,
            metavar="IMAGE",
            help="Take over what the steps of this image made (built with --build-arg BUILDKIT_INLINE_CACHE=1).",
        ),
        *(_one(name) for name in ("--cgroup-parent", "--isolation")),
        _one("--security-opt", multiple=True),
        _one("--squash", is_flag=True),
        _one("--ulimit", multiple=True, type=values.ULIMIT),
        _one("--force-rm", is_flag=True),
        click.option("--rm", cls=Always, why=_STAYS, is_flag=True, default=True, expose_value=False, hidden=True),
        refused("--ssh", why="no agent is forwarded; pass a key with --secret"),
        content_trust,
        *(refused(name, *(("-o",) if name == "--output" else ()), why=_NO_BUILDKIT) for name in _BUILDKIT),
        *(refused_flag(name, why=_NO_BUILDKIT) for name in ("--debug", "--load", "--push")),
    ]
    for option in reversed(options):
        option(command)
    return command
