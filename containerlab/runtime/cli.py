"""``containerlab runtime run BUNDLE``: one OCI bundle in the foreground, with neither supervisor nor engine."""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
from pathlib import Path

from containerlab.errors import ContainerlabError
from containerlab.runtime import launch
from containerlab.runtime.spawn import Failed, spawn

__all__ = ["main"]

_NOT_STARTED = 125


def main(argv: list[str] | None = None) -> int:
    """The program's exit code, 128+n after signal n; 125 when it couldn't be started."""
    parser = argparse.ArgumentParser(prog="containerlab runtime", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    run = verbs.add_parser("run", help="run a bundle, and end as its program ends")
    run.add_argument("bundle", type=Path, help="a folder with config.json")
    options = parser.parse_args(argv)
    try:
        return _run(options.bundle.resolve())
    except (ContainerlabError, OSError, ValueError) as error:
        print(f"containerlab runtime: {error}", file=sys.stderr)
        return _NOT_STARTED


def _run(bundle: Path) -> int:
    spec = json.loads((bundle / "config.json").read_bytes())
    if spec.get("process", {}).get("terminal"):
        raise ValueError("process.terminal needs a supervisor; run the bundle without a terminal")
    if spec.get("linux", {}).get("resources", {}).keys() - {"devices"}:
        raise ValueError("linux.resources need a supervisor; run the bundle without limits")
    for kept in spec.get("process", {}).get("capabilities", {}).values():
        if "CAP_MKNOD" in kept:
            kept.remove("CAP_MKNOD")  # never with unfiltered devices, and no cgroup is made here
    launch.enter_namespaces()
    starting = spawn(spec, str(bundle), (0, 1, 2), None)
    answer = None
    while answer is None:
        select.select([starting], [], [])
        answer = starting.receive()
    status = os.waitpid(starting.pid, 0)[1]
    if isinstance(answer, Failed):
        print(f"containerlab runtime: {answer.stage}: {answer.message}", file=sys.stderr)
        return _NOT_STARTED
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
