"""The rung proot beside bare proot and udocker, in a Binder-like host: never in one figure with what has namespaces."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from bench.timing import Pair

__all__ = ["MOST_ABOVE_MS", "proot"]

MOST_ABOVE_MS = 10.0
"""What a run may take more than bare proot does."""

_LIMIT_S = 900


def proot(n: int) -> list[Pair]:
    """Raises RuntimeError with what stands in the way."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hosts.binder", sys.executable, "-m", "bench.on_proot", str(n)],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no answer"])[-1])
    said = json.loads(done.stdout)
    for case, reason in said["not_run"].items():
        print(f"not run: {case}: {reason}", flush=True)
    pairs = [Pair(each["title"], each["peer"], 0, each["ours_ms"], each["peer_ms"]) for each in said["pairs"]]
    above = statistics.median(a - b for a, b in zip(pairs[0].ours_ms, pairs[0].peer_ms, strict=True))
    word = "met" if above <= MOST_ABOVE_MS else "missed"
    print(f"run on the rung proot: {above:.1f} ms above bare proot ({MOST_ABOVE_MS:.0f} at most: {word})", flush=True)
    return pairs
