"""A JupyterLab of a test's own, on a folder of its own, and what a person sees of it in Chromium."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page

from tests.notebooks.lessons import store

TOKEN = "open-sesame"
_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # cells out of sight are there too
}


class Lab:
    """A running server; ``folder`` is what its file browser shows, ``environment`` its own and its kernels'."""

    def __init__(self, folder: Path, environment: dict[str, str], port: int) -> None:
        self.folder, self.environment, self.port = folder, environment, port
        self.url = f"http://127.0.0.1:{port}"

    def page(self, browser: Browser, path: str = "") -> Page:
        """A page of its own session with the file at ``path`` open, or without one the bare lab."""
        page = browser.new_context(viewport={"width": 1200, "height": 1000}).new_page()
        page.set_default_timeout(60_000)
        page.errors = []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.errors.append(str(error)))  # type: ignore[attr-defined]
        # A workspace of its own: what another test left open stays there.
        workspace = f"w{time.monotonic_ns()}"
        page.goto(f"{self.url}/lab/workspaces/{workspace}{'/tree/' + path if path else ''}?token={TOKEN}")
        page.wait_for_selector("#jp-main-dock-panel")
        return page

    def trust(self, *paths: str) -> None:
        """As ``jupyter trust`` does."""
        program = Path(sys.executable).with_name("jupyter-trust")
        subprocess.run([program, *paths], env=self.environment, cwd=self.folder, check=True, capture_output=True)


@contextmanager
def running(root: Path) -> Iterator[Lab]:
    """JupyterLab in a store of its own; server, engine and files are gone afterwards."""
    folder, settings = root / "work", root / "settings"
    folder.mkdir()
    for name, values in _SETTINGS.items():
        file = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    with store() as environment:
        environment["JUPYTERLAB_SETTINGS_DIR"] = str(settings)
        port = _free_port()
        with open(root / "jupyter.log", "wb") as log:
            server = subprocess.Popen(_command(folder, port), env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(port, server, root / "jupyter.log")
            yield Lab(folder, environment, port)
        finally:
            server.terminate()
            server.wait(30)


def _command(folder: Path, port: int) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": TOKEN,
        "LabApp.expose_app_in_browser": True,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *words]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab doesn't answer:\n{log.read_text()}") from None
            time.sleep(0.1)


def notebook(path: Path, *sources: str | tuple[str, str], outputs: list[Any] | None = None) -> None:
    """Write a notebook of code cells; a pair is of another kind and its source."""
    cells: list[dict[str, Any]] = []
    for number, given in enumerate(sources):
        kind, source = ("code", given) if isinstance(given, str) else given
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source}
        cells.append(cell | ({"outputs": outputs or [], "execution_count": None} if kind == "code" else {}))
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": spec, "language_info": {"name": "python"}}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}))


def dark(page: Page) -> None:
    """Change to JupyterLab's dark theme."""
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    page.wait_for_function("getComputedStyle(document.body).getPropertyValue('--jp-layout-color1').trim() !== 'white'")


def barriers(page: Page, selector: str) -> list[str]:
    """What axe-core finds wrong with the parts of the page that ``selector`` names: rule, and where."""
    found = Axe().run(page, context=selector).response["violations"]
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


_TOKENS = """(cell) => {
  const names = ['keyword', 'comment', 'string', 'number', 'property', 'attribute', 'operator', 'meta', 'atom'];
  const probe = document.body.appendChild(document.createElement('span'));
  const colours = new Map(names.map(name => {
    probe.style.color = `var(--jp-mirror-editor-${name}-color)`;
    return [getComputedStyle(probe).color, name];
  }));
  probe.remove();
  const innermost = span => !span.querySelector('span') && span.textContent;
  const tokens = line => [...line.querySelectorAll('span')].filter(innermost)
    .map(span => [span.textContent, colours.get(getComputedStyle(span).color) ?? '']);
  return [...cell.querySelectorAll('.cm-line')].map(tokens);
}"""


def tokens(cell: Locator) -> list[list[tuple[str, str]]]:
    """For each line of a cell the coloured words and the name of each one's colour in JupyterLab's theme."""
    lines: list[list[list[str]]] = cell.evaluate(_TOKENS)
    return [[(text, kind) for text, kind in line] for line in lines]


def lines(cell: Locator) -> list[str]:
    """The text of a cell's editor."""
    return cell.locator(".cm-line").evaluate_all("(lines) => lines.map(line => line.textContent)")
