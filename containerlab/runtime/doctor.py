"""``containerlab doctor``: what this host can do, what a container loses where it can't, and what to do about it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from containerlab import rung
from containerlab.runtime.hosts import Host, probe
from containerlab.runtime.losses import losses

__all__ = ["main"]

_RUNGS = {
    "root": "root: containers run with every id of the host",
    "rootless-ids": "rootless, with subordinate ids: images keep their owners",
    "rootless-one-id": "rootless, with one id: USER other than root and --group-add can't be had",
    "proot": "proot: a root file system of its own, and nothing else is isolated",
    "none": "none: no container can run here",
}


def main(
    argv: list[str] | None = None,
    more: Mapping[str, Callable[[], str]] | None = None,
    shared: Mapping[str, Any] | None = None,
) -> int:
    """Prints the findings; 0 when containers can run here, else 1.

    ``more`` are features of other rooms: each is tried, and says why it can't be had, or nothing.
    ``shared`` is what is known of the store that users share: ``{"path", "refusal", "images", "way", "why"}``.
    """
    parser = argparse.ArgumentParser(prog="containerlab doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(argv)
    host = probe()
    refusals = (
        {name: attempt() for name, attempt in (more or {}).items()} if host.rung not in ("none", rung.PROOT) else {}
    )
    host = replace(
        host,
        features=host.features | {name: not refusal for name, refusal in refusals.items()},
        reasons=host.reasons | {name: refusal for name, refusal in refusals.items() if refusal},
    )
    found = {**host.to_dict(), "losses": losses(host.rung), "shared_store": shared}
    print(json.dumps(found, indent=2) if options.json else _table(host, shared))
    return 0 if host.rung != "none" else 1


def _shared(found: Mapping[str, Any]) -> list[str]:
    if found["refusal"]:
        return [f"shared   {found['path']} is not used: {found['refusal']}"]
    way = "files share its blocks (reflink)" if found["way"] == "reflink" else f"files are copies ({found['why']})"
    return [f"shared   {found['path']}, {len(found['images'])} images; {way}"]


def _table(host: Host, shared: Mapping[str, Any] | None) -> str:
    lines = [
        f"rung     {_RUNGS[host.rung]}",
        f"kernel   {host.kernel} ({host.machine}), {host.cpus} CPUs",
        f"cgroup   {host.cgroup}",
        f"store    {host.store}",
        *(_shared(shared) if shared is not None else []),
        "",
        "The ladder, best first:",
    ]
    for name in rung.RUNGS:
        reason = host.rungs[name]
        lines.append(f"{'NO' if reason else 'yes':8} {name}{f'  ({reason})' if reason else ''}")
    lines += ["", "What was tried:"]
    for name, works in sorted(host.features.items()):
        reason = f"  ({host.reasons[name]})" if not works and name in host.reasons else ""
        lines.append(f"{'yes' if works else 'NO ':8} {name}{reason}")
    lost = losses(host.rung)
    if lost:
        lines += ["", "What a container loses here:", *(f"- {sentence}" for sentence in lost)]
    if host.hindrances:
        lines += ["", "What stands in the way, and what to do:"]
        for each in host.hindrances:
            lines += [f"- {each.what}", f"  {each.remedy}"]
    return "\n".join(lines)
