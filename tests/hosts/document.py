"""docs/hosts.md: which rung gives what, and which tests of every room ran on the lowest one.

``python -m tests.hosts.document`` writes it from the table in ``runtime/losses.py`` and from ``results.json``, which
``--run`` makes anew (as root, some ten minutes): each module runs in a Binder-like host, and every test is counted.
``--run-guest`` does that for ``guest.json`` and the machine that has cgroup v2 alone (six minutes).
``--suite RUNG WHAT LOG`` keeps the counts of a run on another rung, of pytest's own last line.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from containerlab import rung
from containerlab.runtime.losses import TABLE
from tests.hosts import guest
from tests.hosts.binder import PARTS
from tests.hosts.counts import count, table

__all__ = ["document"]

_SOURCE = Path(__file__).resolve().parents[2]
_RESULTS = Path(__file__).with_name("results.json")
_GUEST_RESULTS = Path(__file__).with_name("guest.json")
_PAGE = _SOURCE / "docs/hosts.md"
_LESSON = re.compile(r"^@lesson (\{.*\})$", re.MULTILINE)
_LIMIT_S = 3600
_MODULES = (
    *PARTS,
    "tests/clients/test_docker_py.py",
    "tests/clients/test_docker_py_archives.py",
    "tests/clients/test_cli_run.py",
    "tests/clients/test_cli_run_options.py",
    "tests/clients/test_cli_containers.py",
    "tests/clients/test_cli_states.py",
    "tests/clients/test_cli_images.py",
    "tests/clients/test_cli_archives.py",
    "tests/clients/test_cp.py",
    "tests/clients/test_compose_program.py",
    "tests/build/test_build_projects.py",
)

_HEAD = """# Hosts: which rung gives what

An engine takes the best rung of the ladder that the host lets it have; `containerlab doctor` tells which one that is, why
no better one can be had, and what to do about it. `CONTAINERLAB_RUNG` asks for a lower one by its name (root is let down
to rootless ones alone: without namespaces its containers would be the host's root). What a rung can't give is a warning
when a container is made, or an error that names it.

This page is written by `python -m tests.hosts.document`; don't edit it.

"""  # noqa: E501
_SUITES = """
## Tests that ran on the other rungs

What a rung lacks is skipped, by its name.

| rung | what | passed | failed | skipped |
|---|---|---|---|---|
"""
_COUNT = re.compile(r"(\d+) (passed|failed|skipped)")
_TESTS = """
## Tests that ran on the rung proot

In a Binder-like host (`tests/hosts/binder.py`): uid 1000, Docker's default seccomp profile, no user namespace, no
`/dev/fuse`, a home on an overlay. What fails there asks for something that the table above says is lost, or is a fault
still to be mended.
"""
_GUEST = """
## Tests that ran with cgroup v2 alone

In a machine that boots for them (`tests/hosts/guest.py`: QEMU, Debian's cloud kernel), as root, the controllers
delegated to their group. What is skipped there needs cgroup v1, or a program that the machine lacks.
"""
_LESSONS = """
## Lessons on the rung proot

Each runs there to its end under nbval; a cell may fail only where it says that it is meant to, or that it needs a
virtual machine. Of its code cells some show just what is stored, some give way to a note (they begin with `%%needs`).
The others show what is this host's own: a warning of what isn't isolated, another number, another picture.

| lesson | code cells | as stored | a note in their place | this host's own |
|---|---|---|---|---|
"""


def document() -> str:
    """The page."""
    lines = ["| | " + " | ".join(rung.RUNGS) + " |", "|---|" + "---|" * len(rung.RUNGS)]
    for row in TABLE:
        lines.append(f"| {row.what} | " + " | ".join(row.on(name) for name in rung.RUNGS) + " |")
    results = json.loads(_RESULTS.read_text())
    text = _HEAD + "\n".join(lines) + "\n" + _SUITES
    for suite in results["suites"]:
        text += "| {rung} | {what} | {passed} | {failed} | {skipped} |\n".format(**suite)
    text += _TESTS + table(results) + _GUEST + table(json.loads(_GUEST_RESULTS.read_text())) + _LESSONS
    for told in results["lessons"]:
        own = told["cells"] - told["as_stored"] - told["left_out"]
        text += f"| {told['name']} | {told['cells']} | {told['as_stored']} | {told['left_out']} | {own} |\n"
    return text


def _run() -> None:
    words = ["-p", "no:cacheprovider", "-n", "0", "--tb=no", "-v", *_MODULES]
    command = [
        sys.executable,
        "-m",
        "tests.hosts.binder",
        "CONTAINERLAB_TEST_HOST=binder",
        sys.executable,
        "-m",
        "pytest",
    ]
    done = subprocess.run(
        [*command, *words], cwd=_SOURCE, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    told = [json.loads(line) for line in _LESSON.findall(done.stdout)]
    _keep(count(done.stdout) | {"lessons": told})


def _keep_suite(rung_name: str, what: str, log: Path) -> None:
    last = [line for line in log.read_text().splitlines() if _COUNT.search(line) and " in " in line][-1]
    counts = dict.fromkeys(("passed", "failed", "skipped"), 0) | {kind: int(n) for n, kind in _COUNT.findall(last)}
    suites = [suite for suite in json.loads(_RESULTS.read_text()).get("suites", []) if suite["rung"] != rung_name]
    kept = [*suites, {"rung": rung_name, "what": what, **counts}]
    _keep({"suites": sorted(kept, key=lambda suite: rung.RUNGS.index(suite["rung"]))})


def _keep(changed: dict[str, Any]) -> None:
    _write(_RESULTS, json.loads(_RESULTS.read_text()) | changed)


def _run_in_guest() -> None:
    _, said = guest.run(["-p", "no:cacheprovider", "--tb=no", "-v", *guest.MODULES])
    _write(_GUEST_RESULTS, count(said))


def _write(file: Path, results: dict[str, Any]) -> None:
    file.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--run"]:
        _run()
    if sys.argv[1:] == ["--run-guest"]:
        _run_in_guest()
    if sys.argv[1:2] == ["--suite"]:
        _keep_suite(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    _PAGE.write_text(document())
