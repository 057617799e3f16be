"""The Jupyter server extension behind JupyterLab's panel: a browser can't reach the engine's unix socket.

``/containerlab/feed`` is a websocket that says what there is and says it again when something changed; the other
routes carry out what the panel's buttons ask for. Everything is authenticated as the rest of the Jupyter server is.
"""

from __future__ import annotations

from typing import Any

__all__: list[str] = []


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Jupyter server's extension protocol."""
    return [{"module": "containerlab.labserver"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the routes to the server that starts."""
    from containerlab.labserver.routes import add_routes

    add_routes(server)
