"""``update``: other limits and another restart policy for containers that exist, also while they run."""

from __future__ import annotations

__all__ = ["update_command"]

from collections.abc import Callable
from typing import Any

import click

from containerlab.commands import values
from containerlab.commands.context import Context, pass_context
from containerlab.commands.many import each
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result
from containerlab.commands.streams import post
from containerlab.errors import InvalidParameter

# Option and value type, the API's name, and its help; without help it is the engine's to refuse.
_OPTIONS: tuple[tuple[tuple[str, ...], Any, str, str], ...] = (
    (("-m", "--memory"), values.BYTES, "Memory", "Memory limit, as in 64m."),
    (("--memory-swap",), values.SWAP, "MemorySwap", "Memory and swap together; -1 for no limit on swap."),
    (("--memory-reservation",), values.BYTES, "MemoryReservation", "Memory that it keeps when the host runs short."),
    (("--kernel-memory",), values.BYTES, "KernelMemory", ""),
    (("--cpus",), values.CPUS, "NanoCpus", "Processor time, in processors, as in 0.5."),
    (("-c", "--cpu-shares"), int, "CpuShares", "Its weight where processors are short (1024)."),
    (("--cpu-period",), int, "CpuPeriod", "The period of --cpu-quota, in microseconds."),
    (("--cpu-quota",), int, "CpuQuota", "Processor time in each period, in microseconds."),
    (("--cpu-rt-period",), int, "CpuRealtimePeriod", ""),
    (("--cpu-rt-runtime",), int, "CpuRealtimeRuntime", ""),
    (("--cpuset-cpus",), str, "CpusetCpus", "Run on these processors alone, as in 0-1 or 0,2."),
    (("--cpuset-mems",), str, "CpusetMems", "Use the memory of these NUMA nodes alone."),
    (("--pids-limit",), int, "PidsLimit", "At most this many processes; -1 for no limit."),
    (("--blkio-weight",), click.IntRange(0, 65535), "BlkioWeight", ""),
    (("--restart",), values.RESTART, "RestartPolicy", "Start again: no, always, unless-stopped, on-failure[:N]."),
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for names, kind, field, help in reversed(_OPTIONS):
        click.option(*names, field, type=kind, help=help, hidden=not help)(command)
    return command


@verb("update", help="Change limits and restart policy of containers, running or not.")
@_options
@click.argument("containers", nargs=-1, required=True, metavar="CONTAINER...")
@pass_context
def update_command(context: Context, /, containers: tuple[str, ...], **limits: Any) -> Result:
    body = {field: value for field, value in limits.items() if value is not None}
    if not body:
        raise InvalidParameter("you must provide one or more flags when using this command")

    def update(name: str) -> None:
        with post(context.client, f"/containers/{name}/update", json=body) as answer:
            for warning in answer.json().get("Warnings") or []:
                context.output.notice(str(warning))

    return each(context, containers, update)
