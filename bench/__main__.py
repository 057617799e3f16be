"""``python -m bench``: every case beside its peer, a table, and build/bench.json. As root."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import cases, cases_api, cases_build, cases_compose, cases_network, cases_panel, cases_pictures
from bench.cases_proot import proot
from bench.engines import Engine, dockerd, ours
from bench.facts import facts, load
from bench.sandbox import sandbox
from bench.timing import Pair, summary

_AT_REST_MB, _EACH_MB = 60.0, 0.5


class Report:
    """What was measured and what wasn't; each is said as soon as it is known."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self.memory: dict[str, dict[str, float]] = {}
        self.panel: dict[str, float] = {}
        self.pictures: dict[str, float] = {}
        self.not_run: dict[str, str] = {}

    def take(self, name: str, measure: Callable[[], list[Pair]]) -> None:
        """One case's pairs; whatever stands in its way is noted, and the others go on."""
        try:
            pairs = measure()
        except Exception as error:
            self.skip(name, error)
            return
        self.pairs += pairs
        for pair in pairs:
            print(_line(pair), flush=True)

    def take_memory(self, engine: Engine) -> None:
        """``engine`` at rest, and with idle containers."""
        try:
            figures = cases.memory_at_rest(engine)
        except Exception as error:
            self.skip(f"memory of {engine.name}", error)
            return
        self.memory[engine.name] = figures
        print(
            f"{engine.name}: {figures['at_rest_pss_mb']} MB PSS at rest ({figures['at_rest_rss_mb']} MB RSS), "
            f"{figures['each_idle_container_pss_mb']} MB PSS for each idle container "
            f"({figures['each_idle_container_anonymous_mb']} MB anonymous)",
            flush=True,
        )

    def take_panel(self, engine: Engine) -> None:
        """What JupyterLab's panel costs."""
        try:
            self.panel = cases_panel.panel(engine)
        except Exception as error:
            self.skip("panel", error)
            return
        idle = self.panel["idle_percent_of_a_core"]
        verdict = "met" if idle <= cases_panel.IDLE_PERCENT else "NOT met"
        print(
            f"panel: {idle} % of a core while nothing happens (target {cases_panel.IDLE_PERCENT} %, {verdict}); "
            f"told {self.panel['told_after_ms']} ms after a container is asked for",
            flush=True,
        )

    def take_pictures(self, engine: Engine) -> None:
        """How long each picture takes."""
        try:
            self.pictures = cases_pictures.pictures(engine)
        except Exception as error:
            self.skip("pictures", error)
            return
        for what, took in self.pictures.items():
            verdict = "met" if took <= cases_pictures.TARGET_MS else "NOT met"
            print(f"picture, {what}: {took} ms (target {cases_pictures.TARGET_MS:.0f} ms, {verdict})", flush=True)

    def skip(self, name: str, error: Exception) -> None:
        self.not_run[name] = f"{type(error).__name__}: {error}"
        print(f"not run: {name}: {self.not_run[name]}", flush=True)

    def to_dict(self) -> dict[str, Any]:
        return {
            "pairs": [pair.to_dict() for pair in self.pairs],
            "memory": self.memory,
            "memory_targets_mb": {"at_rest_pss_mb": _AT_REST_MB, "each_idle_container_pss_mb": _EACH_MB},
            "panel": self.panel,
            "pictures_ms": self.pictures,
            "not_run": self.not_run,
        }


def main() -> int:
    """0 when every case was run, whatever its figures; 1 when one couldn't be."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="turns of a sandbox; the engines' cases take half")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--only", choices=["networks", "pictures", "proot"], help="this part alone")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("bench: dockerd and crun are compared as root; run it as root", file=sys.stderr)
        return 1
    report, about, load_before = Report(), facts(), load()
    print(_HEAD)
    if options.only is None:
        report.take("sandbox", lambda: sandbox(options.n))
        _compare_engines(report, max(10, options.n // 2))
    if options.only in (None, "pictures"):
        _time_pictures(report)
    if options.only in (None, "networks"):
        _compare_networks(report, max(10, options.n // 2))
    if options.only in (None, "proot"):
        report.take("proot", lambda: proot(max(10, options.n // 2)))
    result = {**about, "load": {"before": load_before, "after": load()}, **report.to_dict()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if report.not_run else 0


def _compare_engines(report: Report, n: int) -> None:
    """Both engines live side by side; memory is taken last, once they have worked."""
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(ours())
        except Exception as error:
            report.skip("every case of an engine", error)
            return
        try:
            peer = stack.enter_context(dockerd())
        except Exception as error:
            report.skip("every comparison with dockerd", error)
            report.take_memory(engine)
            return
        report.take("run", lambda: cases.run_and_remove(engine, peer, n))
        report.take("daily verbs", lambda: cases_api.daily(engine, peer, n))
        report.take("logs", lambda: cases_api.logs(engine, peer, 3))
        report.take("images", lambda: cases_api.images(engine, peer, 5))
        report.take("cached build", lambda: cases.cached_build(engine, peer, n))
        report.take("builds", lambda: cases_build.builds(engine, peer, n))
        report.take_panel(engine)
        report.take_memory(engine)
        report.take_memory(peer)


def _time_pictures(report: Report) -> None:
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(ours())
        except Exception as error:
            report.skip("pictures", error)
            return
        report.take_pictures(engine)


def _compare_networks(report: Report, n: int) -> None:
    """Here the peer has a network namespace of its own, for its bridge, its rules and its proxy."""
    with ExitStack() as stack:
        try:
            engine, peer = stack.enter_context(ours()), stack.enter_context(dockerd(bridge=True))
        except Exception as error:
            report.skip("every case of networks", error)
            return
        report.take("run on a bridge", lambda: cases_network.bridge_runs(engine, peer, n))
        report.take("bytes between containers", lambda: cases_network.throughput(engine, peer, 10))
        report.take("a published port", lambda: cases_network.published(engine, peer, 10))
        report.take("names", lambda: cases_network.lookups(engine, peer, 10))
        report.take("a crowd", lambda: cases_network.crowd(engine))
        report.take("compose", lambda: cases_compose.ten_services(engine, peer, 10))


_ROW = "{:58} {:>6} {:>4} {:>24} {:>26} {:>6}  {}"
_HEAD = _ROW.format("case", "gap ms", "n", "ours: median (p10-p90)", "peer: median (p10-p90)", "ratio", "target")


def _line(pair: Pair) -> str:
    mine, theirs = (
        f"{value['median']:.1f} ({value['p10']:.1f}-{value['p90']:.1f}) ms"
        for value in (summary(pair.ours_ms), summary(pair.peer_ms))
    )
    verdict = "" if pair.target is None else f"{pair.target:.0f}x, {'met' if pair.met else 'NOT met'}"
    title, turns = f"{pair.title} / {pair.peer}", len(pair.ours_ms)
    return _ROW.format(title, pair.gap_ms, turns, mine, theirs, f"{pair.ratio:.1f}x", verdict)


if __name__ == "__main__":
    sys.exit(main())
