"""A hub's proxy that carries nothing: it notes where each server is, for a test that asks them itself.

JupyterHub's own, configurable-http-proxy, is a program for Node, which a test's machine need not have.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyterhub.proxy import Proxy
from traitlets import Unicode


class Routes(Proxy):
    """``file`` is a JSON object of routes and the URLs that they lead to."""

    file = Unicode(config=True)
    should_start = False

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self._routes: dict[str, dict[str, Any]] = {}

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        self._routes[routespec] = {"routespec": routespec, "target": target, "data": data}
        self._write()

    async def delete_route(self, routespec: str) -> None:
        self._routes.pop(routespec, None)
        self._write()

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        return self._routes

    def _write(self) -> None:
        half = Path(f"{self.file}.tmp")
        half.write_text(json.dumps({spec: route["target"] for spec, route in self._routes.items()}))
        half.replace(self.file)
