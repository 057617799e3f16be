"""``make demo``: the container-against-VM lesson and the layers lesson, run without a browser, and a report of both.

Writes into the folder given: ``index.html`` (the report with its pictures), each lesson as run (HTML), and
``measurements.json``. A figure that this host couldn't give is named with the reason, and stands nowhere as a number.
"""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from containerlab.client import connect, lab_get
from containerlab.lab.theme import css

__all__ = ["main"]

_LESSONS = Path(__file__).resolve().parents[2] / "notebooks"
_MIME = "application/x-containerlab+json"


@dataclass(frozen=True)
class Lesson:
    """A notebook, and the expression that gives the figures which its variables hold."""

    name: str
    title: str
    export: str


_PARTS = (
    Lesson("02-container-vs-vm", "A container and a virtual machine", "comparison.to_dict()"),
    Lesson("05-images-and-layers", "Images and layers", "sharing.to_dict()"),
)


def main(argv: list[str]) -> int:
    """``argv`` holds the folder to write; returns the exit code."""
    target = Path(argv[0] if argv else "build/demo")
    target.mkdir(parents=True, exist_ok=True)
    host = lab_get(connect(), "/containerlab/host")
    results = {part.name: _run(part, target) for part in _PARTS}
    measurements = _measurements(host, results)
    (target / "measurements.json").write_text(json.dumps(measurements, indent=2) + "\n")
    (target / "index.html").write_text(_report(host, measurements, results))
    print(f"{target / 'index.html'}\n{target / 'measurements.json'}")
    return 0


@dataclass(frozen=True)
class Result:
    """What one lesson gave: its figures, and its pictures as HTML."""

    part: Lesson
    figures: dict[str, Any]
    pictures: list[str]


def _run(part: Lesson, target: Path) -> Result:
    print(f"running {part.name}", flush=True)
    notebook = nbformat.read(_LESSONS / f"{part.name}.ipynb", as_version=4)
    export = f"from IPython.display import display as _show\n_show({{{_MIME!r}: {part.export}}}, raw=True)"
    notebook.cells.append(nbformat.v4.new_code_cell(export))
    quiet = ["--IPKernelApp.log_level=ERROR"]  # that its sockets are plain TCP is no news, and no fault
    NotebookClient(notebook, timeout=600, kernel_name="python3", allow_errors=True, extra_arguments=quiet).execute()
    collector = notebook.cells.pop()
    _insist(part, [*notebook.cells, collector])
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook)
    (target / f"{part.name}.html").write_text(page)
    return Result(part, collector.outputs[0]["data"][_MIME], list(_pictures(notebook.cells)))


def _insist(part: Lesson, cells: list[Any]) -> None:
    """A cell may fail only where it says that it is meant to, or that it needs a virtual machine."""
    for cell in cells:
        allowed = {"raises-exception", "needs-vm"} & set(cell.metadata.get("tags", ()))
        for output in cell.get("outputs", ()):
            if output.output_type == "error" and not allowed:
                raise SystemExit(f"{part.name}: {output.ename}: {output.evalue}\nin the cell\n{cell.source}")


def _pictures(cells: list[Any]) -> Iterator[str]:
    for cell in cells:
        for output in cell.get("outputs", ()):
            page = output.get("data", {}).get("text/html", "")
            if '<figure class="cl-figure"' in page:
                yield page


def _measurements(host: dict[str, Any], results: dict[str, Result]) -> dict[str, Any]:
    comparison = results["02-container-vs-vm"].figures
    sharing = results["05-images-and-layers"].figures
    return {
        "host": {key: host[key] for key in ("kernel", "cpus", "cgroup", "rung")},
        "startup_ms": comparison["startup_ms"],
        "memory_mb": comparison["memory_mb"],
        "disk_mb": comparison["disk_mb"],
        "layers": {
            "images": sorted(sharing["images"]),
            "bytes_if_copied": sharing["bytes_if_copied"],
            "bytes_on_disk": sharing["bytes_on_disk"],
        },
        "not_measured": comparison["not_measured"],
    }


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>containerlab: a container and a virtual machine</title>
<style>{style}
body{{font:16px/1.55 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em}}
body{{background:Canvas;color:CanvasText}}
:root{{color-scheme:light dark}} figure{{margin:1.5em 0 2.5em}}</style></head><body>
<h1>A container and a virtual machine, measured here</h1>
<p class="cl-figure">{host}</p>
{missing}
{sections}
<p>The figures: <a href="measurements.json">measurements.json</a></p>
</body></html>
"""


def _report(host: dict[str, Any], measurements: dict[str, Any], results: dict[str, Result]) -> str:
    words = "Linux {kernel}, {cpus} processors, cgroup {cgroup}, rung “{rung}”.".format(**host)
    sections = "".join(
        f"<h2>{html.escape(result.part.title)}</h2>{''.join(result.pictures)}"
        f'<p>The whole lesson, as it ran: <a href="{name}.html">{name}</a></p>'
        for name, result in results.items()
    )
    return _PAGE.format(
        style=css("cl-figure"),
        host=html.escape(words),
        missing=_missing(measurements["not_measured"]),
        sections=sections,
    )


_WORDS = {"startup_ms": "startup", "memory_mb": "memory", "disk_mb": "disk", "vm": "virtual machine"}


def _missing(reasons: dict[str, str]) -> str:
    """Each reason once, with what it is the reason for."""
    if not reasons:
        return ""
    whats: dict[str, list[str]] = {}
    for name, why in reasons.items():
        group, _, box = name.partition(".")
        whats.setdefault(why, []).append(f"{_WORDS[group]} of the {_WORDS.get(box, box.replace('_', ' '))}")
    items = "".join(f"<li>{html.escape(', '.join(what))}. {html.escape(why)}</li>" for why, what in whats.items())
    return f"<h2>Not measured on this host</h2><ul>{items}</ul>"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
